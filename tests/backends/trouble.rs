//! Programs that misbehave, and brokers that go away: nothing hangs, nothing is left, nothing is told that should not be.

use std::fs;
use std::process::{Command as Program, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use catalog_broker::backend::{Command, CommandSettings};
use catalog_broker::domain::operation::Kind;
use catalog_broker::domain::time::Timestamp;

use crate::stage::{Heard, SOON, Stage, lives, told, until};

/// Names the test's folder to the process that plays the broker.
const PLAYED: &str = "BROKER_PLAYED_IN";

fn within(limit: Duration, settings: CommandSettings) -> CommandSettings {
    CommandSettings {
        timeout: limit,
        ..settings
    }
}

const FAMILY: &str = "
    sleep 600 & echo $! > $T/child
    (sleep 600 & echo $! > $T/grandchild; wait) &
    setsid sh -c 'echo $$ > $T/left; exec sleep 600' &
    echo $$ > $T/main
";

/// The program of [`FAMILY`] and its children, each of which lives.
fn family(stage: &Stage) -> Vec<u32> {
    let names = ["main", "child", "grandchild", "left"];
    let family: Vec<u32> = names.iter().map(|name| stage.pid(name)).collect();
    for (pid, name) in family.iter().zip(names) {
        assert!(lives(*pid), "{name} never lived");
    }
    family
}

fn assert_gone(family: &[u32]) {
    for pid in family {
        assert!(!lives(*pid), "{pid} of {family:?} still lives");
    }
}

#[test]
fn one_that_hangs_is_killed_with_all_its_kin() {
    let stage = Stage::new();
    let settings = within(
        Duration::from_secs(2),
        stage.shell(&format!("trap '' TERM INT HUP; {FAMILY} wait")),
    );
    let begun = Instant::now();
    let outcome = thread::scope(|scope| {
        let attempt = scope.spawn(|| stage.attempt(Kind::Provision, settings));
        let family = family(&stage);
        let outcome = attempt.join().expect("an outcome");
        assert_gone(&family);
        outcome
    });
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    let (word, sentence) = told(outcome);
    assert_eq!(word, "again");
    assert!(sentence.contains("longer than it may"), "{sentence}");
}

/// Between the order and its carrying out whoever gave it may have slept: another attempt may act by then.
#[test]
fn one_whose_lease_is_over_does_not_begin() {
    let mut stage = Stage::new();
    stage.until = Timestamp(0);
    let outcome = stage.attempt(Kind::Provision, stage.shell("echo > $T/ran; echo '{}'"));
    assert_eq!(told(outcome).0, "again");
    assert!(!stage.path("ran").exists(), "it ran");
    let log = stage.log().join("\n");
    assert!(log.contains("its lease was over"), "{log}");
}

#[test]
fn one_that_forks_and_leaves_takes_nobody_with_it() {
    let stage = Stage::new();
    // Its children keep its standard output open, and one has left group and session.
    let script = format!("{FAMILY} until [ -s $T/go ]; do sleep 0.05; done; echo '{{}}'");
    let settings = stage.shell(&script);
    let begun = Instant::now();
    thread::scope(|scope| {
        let attempt = scope.spawn(|| stage.attempt(Kind::Provision, settings));
        let family = family(&stage);
        fs::write(stage.path("go"), "go\n").expect("a sign");
        assert_eq!(told(attempt.join().expect("an outcome")).0, "done");
        assert_gone(&family);
    });
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn a_daemon_that_lost_its_parent_long_ago_is_found() {
    let stage = Stage::new();
    // Twice forked: its parent is dead before the program ends.
    let script = "setsid sh -c 'sh -c \"echo \\$\\$ > $T/daemon; exec sleep 600\" & exit 0' \
        </dev/null >/dev/null 2>&1
        until [ -s $T/go ]; do sleep 0.05; done";
    let settings = stage.shell(script);
    thread::scope(|scope| {
        let attempt = scope.spawn(|| stage.attempt(Kind::Provision, settings));
        let daemon = stage.pid("daemon");
        assert!(lives(daemon), "it never lived");
        fs::write(stage.path("go"), "go\n").expect("a sign");
        assert_eq!(told(attempt.join().expect("an outcome")).0, "done");
        assert!(!lives(daemon), "it lives on");
    });
}

#[test]
fn one_that_floods_its_output_is_stopped() {
    let stage = Stage::new();
    let begun = Instant::now();
    let (word, sentence) = told(stage.attempt(
        Kind::Provision,
        stage.shell("trap '' PIPE; while :; do echo hunter2hunter2hunter2; done"),
    ));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!(word, "failed");
    assert!(sentence.contains("said more than it may"), "{sentence}");
    assert!(!sentence.contains("hunter2"), "{sentence}");
    assert!(
        !stage.log().join("\n").contains("hunter2"),
        "output is no log"
    );
    // As much as it may is taken.
    let settings = CommandSettings {
        output_limit: 3,
        ..stage.shell("echo '{}'")
    };
    assert_eq!(told(stage.attempt(Kind::Provision, settings)).0, "done");
}

#[test]
fn one_that_floods_its_errors_fills_no_log() {
    let stage = Stage::new();
    let script = "head -c 100000 /dev/zero | tr '\\0' x >&2; echo >&2
        n=0; while [ $n -lt 5000 ]; do echo line $n >&2; n=$((n + 1)); done
        echo 'progress: through' >&2";
    let (outcome, heard) = stage.heard(Kind::Provision, stage.shell(script));
    assert_eq!(told(outcome).0, "done");
    assert_eq!(heard.last().map(String::as_str), Some("through"));
    let log = stage.log();
    assert_eq!(log.len(), 1001);
    assert_eq!(log[0].len(), 2000);
    assert_eq!(log[1], "line 0");
    assert_eq!(log[1000], "4002 more lines were left out");
}

#[test]
fn one_that_dies_by_a_signal_is_tried_again() {
    let stage = Stage::new();
    let script = "echo '{\"description\":\"done\"}'; kill -9 $$";
    let (word, sentence) = told(stage.attempt(Kind::Provision, stage.shell(script)));
    assert_eq!(word, "again");
    assert!(sentence.contains("stopped before its end"), "{sentence}");
    assert_eq!(stage.log(), ["the program was ended by signal 9"]);
}

#[test]
fn half_a_reply_is_none() {
    for half in [
        "{\"outputs\":{\"password\":\"hunter2\"",
        "made it",
        "[]",
        "{}{}",
    ] {
        let stage = Stage::new();
        let script = format!("printf '%s' '{half}'");
        let (word, sentence) = told(stage.attempt(Kind::Bind, stage.shell(&script)));
        assert_eq!(word, "failed", "{half}");
        assert!(!sentence.contains("hunter2"), "{sentence}");
        let log = stage.log().join("\n");
        assert!(
            log.contains("no JSON object") && !log.contains("hunter2"),
            "{log}"
        );
    }
}

#[test]
fn one_that_does_not_read_is_none_the_worse() {
    let mut stage = Stage::new();
    // More than any pipe holds.
    let mut details = stage.instance.details.clone().into_exposed();
    details
        .parameters
        .insert("blob".to_owned(), "x".repeat(1_000_000).into());
    stage.instance.details = details.into();
    for script in [
        "true",
        "exec 0<&-; sleep 0.1",
        "head -c 10 > /dev/null; echo '{}'",
    ] {
        let outcome = stage.attempt(Kind::Provision, stage.shell(script));
        assert_eq!(told(outcome).0, "done", "{script}");
    }
    let outcome = stage.attempt(Kind::Provision, stage.shell("wc -c > $T/size"));
    assert_eq!(told(outcome).0, "done");
    assert!(
        stage.pid("size") > 1_000_000,
        "whoever reads gets all of it"
    );
}

#[test]
fn one_that_closes_its_output_early_is_awaited() {
    let stage = Stage::new();
    let script = "echo '{\"description\":\"so\"}'; exec 1>&- 2>&-; sleep 0.5; echo late > $T/late";
    let outcome = stage.attempt(Kind::Provision, stage.shell(script));
    assert_eq!(told(outcome), ("done", "so".to_owned()));
    assert_eq!(
        fs::read_to_string(stage.path("late")).expect("it ran on"),
        "late\n"
    );
}

#[test]
fn whoever_drops_the_work_ends_the_program() {
    let stage = Stage::new();
    let command = Command::new(stage.shell(&format!("trap '' TERM; {FAMILY} wait")));
    let heard = Heard::default();
    actix_web::rt::System::new().block_on(async {
        let mut acting = stage.acting(&command, Kind::Provision, &heard);
        let begun = tokio::time::timeout(Duration::from_millis(500), &mut acting).await;
        assert!(begun.is_err(), "it should still run");
        let family = family(&stage);
        drop(acting);
        assert_gone(&family);
    });
    assert!(stage.leftovers().is_empty(), "{:?}", stage.leftovers());
}

#[test]
fn a_broker_that_is_killed_takes_its_programs_with_it() {
    let stage = Stage::new();
    let mut broker = Program::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "trouble::plays_the_broker", "--ignored"])
        .env(PLAYED, stage.path(""))
        .stdout(Stdio::null())
        .spawn()
        .expect("a broker");
    let family = family(&stage);
    until("a working folder is there", || stage.leftovers().len() == 1);
    broker.kill().expect("SIGKILL");
    let killed = Instant::now();
    until("its programs are gone", || {
        !family.iter().any(|pid| lives(*pid))
    });
    until("their folder is gone", || stage.leftovers().is_empty());
    assert!(
        killed.elapsed() < Duration::from_secs(5),
        "{:?}",
        killed.elapsed()
    );
    broker.wait().expect("its end");
}

/// Not a test: the process that [`a_broker_that_is_killed_takes_its_programs_with_it`] kills.
#[test]
#[ignore = "run by another test"]
#[expect(clippy::disallowed_methods, reason = "it is told so where it plays")]
fn plays_the_broker() {
    let Some(place) = std::env::var_os(PLAYED) else {
        return;
    };
    let stage = Stage::at(place.into());
    let settings = stage.shell(&format!("{FAMILY} wait"));
    stage.attempt(Kind::Provision, settings);
}

#[test]
fn a_supervisor_that_is_asked_to_end_ends_the_program_first() {
    let stage = Stage::new();
    let settings = stage.shell(&format!(
        "trap '' TERM; {FAMILY} echo $PPID > $T/supervisor; wait"
    ));
    thread::scope(|scope| {
        let attempt = scope.spawn(|| stage.attempt(Kind::Provision, settings));
        let family = family(&stage);
        signal(stage.pid("supervisor"), rustix::process::Signal::TERM);
        assert_eq!(told(attempt.join().expect("an outcome")).0, "again");
        assert_gone(&family);
    });
}

#[test]
fn a_supervisor_that_is_lost_leaves_another_attempt() {
    let stage = Stage::new();
    // The program goes too here: nobody else would end it.
    let (word, _) = told(stage.attempt_unswept(stage.shell("kill -9 $PPID; exit 0")));
    assert_eq!(word, "again");
    let log = stage.log();
    assert_eq!(log, ["its supervisor was lost"]);
    // No supervisor at all.
    let settings = CommandSettings {
        supervisor: "/nowhere".into(),
        ..stage.shell("true")
    };
    assert_eq!(told(stage.attempt_unswept(settings)).0, "again");
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).expect("a process");
    rustix::process::kill_process(pid, signal).expect("it is there");
}
