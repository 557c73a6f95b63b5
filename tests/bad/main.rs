//! Bad clients, thousands of them, of every sort: slow ones, silent ones, those that read no answer, that send anything, that
//! guess at logins. Good clients are answered as before and in about the same time, and of the bad ones nothing stays: no
//! memory that grows, and no file that is not closed, also where a client never closes its own end.
//!
//! Quiet times and bad ones take turns, so that what else goes on at the machine meets both. `BAD=600 cargo test --test bad`
//! makes the bad times together ten minutes long, a third of that over TLS, for a machine that has nothing else to do. The test needs some three thousand open files,
//! and so does the broker: both have what `ulimit -Hn` says.

#![expect(clippy::expect_used, reason = "what is missing here fails the test")]

#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../webhooks/certificates.rs"]
mod certificates;
#[path = "../api/checker.rs"]
mod checker;
#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../postgres/cluster.rs"]
mod cluster;
mod good;
#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../api/harness.rs"]
mod harness;
mod horde;
#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../api/http.rs"]
mod http;
mod judge;
mod limits;
mod ruler;
mod serving;

use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use good::{Seen, look};
use horde::{ADDRESSES, Counts, GUESSING, Horde, OVER_TLS, PLAIN, Sort};
use judge::{ALONE, BUSY, Figures, Round, p99};
use ruler::Ruler;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serving::{Serving, setup};

/// How many good clients there are.
const GOOD: usize = 4;

/// How long a quiet time is.
const QUIET: Duration = Duration::from_secs(4);

/// How long it may take until the last connection of a client that never closes is given up: as long as answers may be unread
/// (30 s), and some more for a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long all bad times together are.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment of the tests, not of the broker"
)]
fn bad_times() -> Duration {
    let seconds = std::env::var("BAD").map_or(30, |text| text.parse().expect("BAD is a number"));
    Duration::from_secs(seconds)
}

/// As many files as may be open, for this process and the brokers that it starts.
fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("what is allowed");
}

/// Times are measured by one test at a time, and while no other one runs.
static MACHINE: RwLock<()> = RwLock::new(());

#[test]
fn bad_clients_keep_no_good_one_waiting() {
    let _alone = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
    raise_limit();
    prove(
        Serving::start(&setup()),
        PLAIN,
        bad_times() * 2 / 3,
        "plain",
    );
}

#[test]
fn bad_clients_keep_no_good_one_waiting_over_tls() {
    let _alone = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
    raise_limit();
    prove(
        Serving::start_with_tls(&setup()),
        OVER_TLS,
        bad_times() / 3,
        "TLS",
    );
}

fn prove(mut serving: Serving, sorts: &'static [(Sort, usize)], time: Duration, what: &str) {
    let is_long = time > Duration::from_secs(120);
    let mut figures = Figures {
        noise: if is_long { ALONE } else { BUSY },
        rounds: Vec::new(),
        answers: 0,
        wrong: Vec::new(),
        memory: (0, 0),
        files: (0, 0),
    };
    let mut counts = Counts::default();
    // What is made once, for the first request of a kind, is made before anything is measured.
    note(
        look(&serving, GOOD, Instant::now() + Duration::from_secs(1)),
        &mut figures,
    );
    let rounds = if is_long { 10 } else { 3 };
    for round in 1..=rounds {
        let quiet = look(&serving, GOOD, Instant::now() + QUIET);
        if round == 1 {
            let files = serving
                .let_go(0, Duration::ZERO)
                .expect_err("its own files");
            figures.files.0 = files;
            figures.memory.0 = serving.memory();
        }
        let horde = Horde::come(&serving, sorts);
        let ruler = Ruler::lay();
        let (seen, memory) = among(&serving, time / rounds);
        let alone = ruler.read();
        figures.memory.1 = figures.memory.1.max(memory);
        figures.answers += seen.took.len();
        let quiet = note(quiet, &mut figures);
        let bad = note(seen, &mut figures);
        figures.rounds.push(Round { quiet, bad, alone });
        if round == rounds {
            // They stay, and it is the broker that gives them up.
            horde.hold();
            let let_go = serving.let_go(figures.files.0, PATIENCE);
            println!("{what}: those that stay were given up: {let_go:?}");
            figures.files.1 = let_go.map_or_else(|left| left, |_| figures.files.0);
        }
        counts.add(&horde.go());
        let gone = serving.let_go(figures.files.0, PATIENCE);
        assert!(gone.is_ok(), "{what}: after they had gone: {gone:?}");
    }
    if sorts == PLAIN {
        // Each address comes once at least, also where the machine was too busy for that.
        while counts.guesses() < ADDRESSES {
            let horde = Horde::come(&serving, GUESSING);
            thread::sleep(Duration::from_secs(5));
            counts.add(&horde.go());
        }
    }
    println!("{what}: {figures}\n{what}:{counts}");
    assert_eq!(figures.complaints(), Vec::<String>::new(), "{figures}");
    for (sort, many) in sorts {
        let came = counts.0.get(sort).map_or(0, |count| count.came);
        assert!(came >= *many, "only {came} {sort:?}");
    }
    stops_among_them(&mut serving, sorts, what);
}

/// Wrong answers are noted; within what time 99 of 100 were given.
fn note(seen: Seen, figures: &mut Figures) -> Duration {
    figures.wrong.extend(seen.wrong);
    p99(seen.took)
}

/// What good clients see for so long, and how much memory the broker has meanwhile at most.
fn among(serving: &Serving, time: Duration) -> (Seen, u64) {
    let until = Instant::now() + time;
    thread::scope(|scope| {
        let good = scope.spawn(move || look(serving, GOOD, until));
        let mut most = 0;
        while Instant::now() < until {
            most = serving.memory().max(most);
            thread::sleep(Duration::from_millis(200));
        }
        (good.join().expect("good clients"), most)
    })
}

/// A broker that is asked to stop does not wait for bad clients, but for those that read no answer: one is under way to them,
/// for all that it can know.
fn stops_among_them(serving: &mut Serving, sorts: &'static [(Sort, usize)], what: &str) {
    let horde = Horde::come(serving, sorts);
    thread::sleep(Duration::from_secs(3));
    let (status, took) = serving.stop();
    println!("{what}: stopped after {took:.1?}");
    drop(horde);
    assert!(status.success(), "{status}\n{}", serving.log());
    assert!(took < Duration::from_secs(60), "it took {took:?}");
}
