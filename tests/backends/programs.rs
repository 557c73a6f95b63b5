//! What a program is given, and what its end means.

use std::fs;
use std::future::poll_fn;
use std::os::unix::fs::PermissionsExt as _;
use std::task::Poll;
use std::time::Duration;

use catalog_broker::backend::{Command, CommandSettings};
use catalog_broker::domain::backend::{Acting, Outcome};
use catalog_broker::domain::operation::Kind;
use catalog_broker::secret::Secret;
use serde_json::{Value, json};

use crate::stage::{Heard, Stage, done, told};

#[test]
fn a_program_reads_the_request_and_its_reply_counts() {
    let stage = Stage::new();
    let reply = r#"{"outputs":{"bucket":"b"},"state":{"n":1},"description":"made","vendor":1}"#;
    let outcome = stage.attempt(
        Kind::Bind,
        stage.shell(&format!("cat > $T/request; printf '%s\\n' '{reply}'")),
    );
    let Outcome::Done(told) = &outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(told.description.as_deref(), Some("made"));
    assert_eq!(done(outcome), (json!({"bucket": "b"}), json!({"n": 1})));
    let text = fs::read_to_string(stage.path("request")).expect("a request");
    let request: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(request["operation"]["id"], stage.operation.as_str());
    assert_eq!(request["operation"]["kind"], "bind");
    assert_eq!(request["binding"]["id"], "b-1");
    assert_eq!(request["plan"]["values"], json!({"quota": 5}));
    assert_eq!(request["instance"]["parameters"]["text"], "ü \"quoted\"\n");
}

#[test]
fn a_description_that_is_no_sentence_is_cut() {
    let stage = Stage::new();
    let script = r#"printf '{"description":"'; head -c 100000 /dev/zero | tr '\0' x; echo '"}'"#;
    let (word, description) = told(stage.attempt(Kind::Provision, stage.shell(script)));
    assert_eq!((word, description), ("done", "x".repeat(1000)));
}

#[test]
fn silence_is_an_empty_reply() {
    let stage = Stage::new();
    let outcome = stage.attempt(Kind::Provision, stage.shell("cat > /dev/null"));
    assert_eq!(done(outcome), (json!({}), Value::Null));
}

#[test]
fn an_exit_code_decides_and_the_reply_says_why() {
    for (code, word) in [
        (0, "done"),
        (65, "refused"),
        (75, "again"),
        (1, "failed"),
        (127, "failed"),
    ] {
        let stage = Stage::new();
        let script = format!("echo '{{\"description\":\"so it is\"}}'; exit {code}");
        let outcome = stage.attempt(Kind::Provision, stage.shell(&script));
        assert_eq!(told(outcome), (word, "so it is".to_owned()), "{code}");
        let named = stage
            .log()
            .iter()
            .any(|line| line.ends_with(&format!("exit code {code}")));
        assert_eq!(named, code != 0, "{:?}", stage.log());
        let outcome = stage.attempt(Kind::Provision, stage.shell(&format!("exit {code}")));
        assert_eq!(told(outcome).0, word, "{code}");
    }
}

#[test]
fn a_reply_says_when_and_what_can_still_be_used() {
    let stage = Stage::new();
    let outcome = stage.attempt(
        Kind::Update,
        stage.shell(r#"echo '{"retry_after": 7}'; exit 75"#),
    );
    assert!(
        matches!(outcome, Outcome::Again { after: Some(after), .. } if after == Duration::from_secs(7)),
        "{outcome:?}"
    );
    let outcome = stage.attempt(
        Kind::Update,
        stage.shell(r#"echo '{"instance_usable":false,"update_repeatable":true}'; exit 3"#),
    );
    let Outcome::Failed(failure) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(
        (failure.instance_usable, failure.update_repeatable),
        (Some(false), Some(true))
    );
}

#[test]
fn the_environment_is_what_the_plan_gives() {
    let stage = Stage::new();
    let mut settings = stage.shell("cat /proc/$$/environ > $T/environment; echo >> $T/environment");
    let password = Secret::new("p w=1".to_owned());
    settings.env.push(("PASSWORD".to_owned(), password));
    stage.attempt(Kind::Provision, settings);
    let environment = stage.read("environment");
    let mut given: Vec<&str> = environment.split_terminator('\0').collect();
    given.sort_unstable();
    let folder = format!("T={}", stage.path("").display());
    assert_eq!(given, ["PASSWORD=p w=1", folder.trim_end_matches('/')]);
    // Ours is not empty.
    let ours = fs::read("/proc/self/environ").expect("an environment");
    assert!(String::from_utf8_lossy(&ours).contains("PATH="));
}

#[test]
fn arguments_never_see_a_shell() {
    let stage = Stage::new();
    let hostile = "a  b; $(touch x) * 'q'";
    let mut settings = stage.program(&["/bin/sh", "-c", r#"printf '%s\n' "$1" > "$T/argument""#]);
    let mut run = settings.run.into_exposed();
    run.extend(["sh".to_owned(), hostile.to_owned()]);
    settings.run = Secret::new(run);
    stage.attempt(Kind::Provision, settings);
    assert_eq!(stage.read("argument"), hostile);
}

#[test]
fn a_program_runs_in_an_empty_folder_of_its_own() {
    let stage = Stage::new();
    let script = "pwd > $T/where; ls -a | tr '\\n' ' ' > $T/what; echo >> $T/what; \
        mkdir -p a/b; : > a/b/c; stat -c %a . > $T/mode";
    stage.attempt(Kind::Provision, stage.shell(script));
    let place = stage.read("where");
    assert!(
        place.starts_with(stage.path("scratch").to_str().expect("text")),
        "{place}"
    );
    assert_eq!(stage.read("what"), ". ..");
    assert_eq!(stage.read("mode"), "700");
    assert!(!fs::exists(place).expect("an answer"), "it is removed");
}

#[test]
fn a_relative_program_is_in_the_folder_that_is_named() {
    let stage = Stage::new();
    let program = stage.path("program");
    fs::write(&program, "#!/bin/sh\necho ran > $T/ran\n").expect("a program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("rights");
    let settings = CommandSettings {
        folder: Some(stage.path("")),
        ..stage.program(&["program"])
    };
    assert_eq!(told(stage.attempt(Kind::Provision, settings)).0, "done");
    assert_eq!(stage.read("ran"), "ran");
    // Elsewhere it is not found: the counter-proof.
    let outcome = stage.attempt(Kind::Provision, stage.program(&["program"]));
    assert_eq!(told(outcome).0, "failed");
}

#[test]
fn what_cannot_be_started_has_failed_and_the_log_says_why() {
    let stage = Stage::new();
    fs::write(stage.path("text"), "no program").expect("a file");
    let text = stage.path("text").to_str().expect("text").to_owned();
    let executable = stage.path("executable").to_str().expect("text").to_owned();
    fs::write(&executable, "\0\0no program").expect("a file");
    fs::set_permissions(&executable, fs::Permissions::from_mode(0o700)).expect("rights");
    for (program, why) in [
        ("/nowhere/program", "No such file"),
        (&*text, "Permission denied"),
        ("/tmp", "Permission denied"),
        (&*executable, "Exec format error"),
    ] {
        let (word, sentence) = told(stage.attempt(Kind::Provision, stage.program(&[program])));
        assert_eq!(word, "failed", "{program}");
        assert!(
            !sentence.contains(program) && !sentence.contains(why),
            "{sentence}"
        );
        let log = stage.log().pop().expect("a line");
        assert!(log.contains(why), "{log}");
    }
}

#[test]
fn where_no_folder_can_be_made_another_attempt_may_go_better() {
    let stage = Stage::new();
    let settings = CommandSettings {
        scratch: "/nowhere".into(),
        ..stage.shell("true")
    };
    assert_eq!(told(stage.attempt(Kind::Provision, settings)).0, "again");
}

#[test]
fn standard_error_goes_to_the_log_and_progress_to_the_user() {
    let stage = Stage::new();
    let script = "echo one >&2; echo 'progress: half done' >&2; printf 'progress:no' >&2; exit 1";
    let (outcome, heard) = stage.heard(Kind::Provision, stage.shell(script));
    assert_eq!(heard, ["half done"]);
    let log = stage.log();
    assert_eq!(
        log[..3],
        ["one", "progress: half done", "progress:no"],
        "{log:?}"
    );
    let (_, sentence) = told(outcome);
    assert!(!sentence.contains("one"), "{sentence}");
}

#[test]
fn progress_is_told_while_the_program_runs_but_not_all_of_it() {
    let stage = Stage::new();
    let script =
        "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do echo progress: $n >&2; sleep 0.1; done";
    let (_, heard) = stage.heard(Kind::Provision, stage.shell(script));
    assert_eq!(heard.first().map(String::as_str), Some("1"), "{heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some("15"), "{heard:?}");
    assert!((3..=4).contains(&heard.len()), "{heard:?}");
}

#[test]
fn many_run_at_once_and_none_stays_as_a_zombie() {
    let stages: Vec<Stage> = (0..16).map(|_| Stage::new()).collect();
    let commands: Vec<Command> = stages
        .iter()
        .map(|stage| {
            let own = stage.operation.as_str();
            let script = format!("sleep 0.3; echo '{{\"description\":\"{own}\"}}'");
            Command::new(stage.shell(&script))
        })
        .collect();
    actix_web::rt::System::new().block_on(async {
        let heard = Heard::default();
        let both = stages.iter().zip(&commands);
        let begun = both.map(|(stage, command)| stage.acting(command, Kind::Provision, &heard));
        for (outcome, stage) in join(begun.collect()).await.into_iter().zip(&stages) {
            let expected = ("done", stage.operation.as_str().to_owned());
            assert_eq!(told(outcome), expected);
        }
        for _ in 0..500 {
            if zombies() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} supervisors were not waited for", zombies());
    });
}

async fn join(mut all: Vec<Acting<'_>>) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = all.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (acting, outcome) in all.iter_mut().zip(&mut outcomes) {
            if outcome.is_none()
                && let Poll::Ready(ready) = acting.as_mut().poll(context)
            {
                *outcome = Some(ready);
            }
        }
        if outcomes.iter().all(Option::is_some) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    outcomes.into_iter().flatten().collect()
}

/// Dead children of this process that nobody waited for.
fn zombies() -> usize {
    let parent = std::process::id().to_string();
    let processes = fs::read_dir("/proc").expect("processes").flatten();
    let stats = processes.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats
        .filter(|stat| {
            let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            let mut words = rest.split(' ');
            words.next() == Some("Z") && words.next() == Some(&*parent)
        })
        .count()
}
