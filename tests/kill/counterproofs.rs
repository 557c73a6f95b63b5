//! What the judges of the lives would not let pass: bad journals and bad histories, each refused.

use crate::figures::Blows;
use crate::journal::{self, Line, Sleep};
use crate::worlds::{Belief, Call, Heard, Mood, Want};

/// `EVENT KIND OPERATION ATTEMPT STARTED SAW [BINDING]`, all about one instance.
fn journal(lines: &[&str]) -> Vec<Line> {
    lines
        .iter()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let [event, kind, operation, attempt, started, saw] = words[..6] else {
                panic!("{line}");
            };
            let binding = words.get(6).unwrap_or(&"-");
            let text = format!("{event} {kind} i {binding} {operation} {attempt} {started} {saw}");
            Line::parse(&text).expect("a line")
        })
        .collect()
}

fn faults(lines: &[&str]) -> Vec<String> {
    journal::judge(&journal(lines), Sleep::Nobody).0
}

const LIFE: &[&str] = &[
    "begin provision p 1 1 -",
    "begin provision p 2 1 -",
    "effect provision p 2 1 -",
    "begin provision p 3 1 -",
    "effect provision p 3 1 -",
    "end provision p 3 1 -",
    "begin bind b 1 2 - x",
    "effect bind b 1 2 - x",
    "begin update u 1 3 p",
    "effect update u 1 3 p",
    "begin unbind d-x 1 4 - x",
    "effect unbind d-x 1 4 - x",
    "begin deprovision d 1 4 u",
    "effect deprovision d 1 4 u",
    "begin provision q 1 5 -",
    "effect provision q 1 5 -",
];

#[test]
fn a_good_journal_passes() {
    let (faults, made) = journal::judge(&journal(LIFE), Sleep::Nobody);
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(made.instances.len(), 1);
    assert!(made.bindings.is_empty());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_bad_journal_is_refused() {
    let cases: &[(&str, &[&str])] = &[
        (
            "made twice",
            &[
                "begin provision p 1 1 -",
                "effect provision p 1 1 -",
                "begin provision q 1 2 -",
                "effect provision q 1 2 -",
            ],
        ),
        (
            "made after it was deleted",
            &[
                "begin deprovision d 1 2 -",
                "effect deprovision d 1 2 -",
                "begin provision p 1 1 -",
                "effect provision p 1 1 -",
            ],
        ),
        (
            "a later operation has begun",
            &[
                "begin provision p 1 1 -",
                "begin deprovision d 1 2 -",
                "effect deprovision d 1 2 -",
                "effect provision p 1 1 -",
            ],
        ),
        (
            "a later operation has begun",
            &[
                "begin provision p 1 1 -",
                "effect provision p 1 1 -",
                "begin bind b 1 2 - x",
                "begin update u 1 3 p",
                "effect bind b 1 2 - x",
            ],
        ),
        (
            "a number that is not new",
            &["begin provision p 1 1 -", "begin provision p 1 1 -"],
        ),
        (
            "a number that is not new",
            &["begin provision p 2 1 -", "begin provision p 1 1 -"],
        ),
        ("has not begun", &["effect provision p 1 1 -"]),
        (
            "under the same id",
            &["begin provision p 1 1 -", "begin update p 2 1 -"],
        ),
        (
            "what is not there",
            &["begin update u 1 1 -", "effect update u 1 1 -"],
        ),
        (
            "what is not there",
            &["begin bind b 1 1 - x", "effect bind b 1 1 - x"],
        ),
        (
            "bound twice",
            &[
                "begin provision p 1 1 -",
                "effect provision p 1 1 -",
                "begin bind b 1 2 - x",
                "effect bind b 1 2 - x",
                "begin bind c 1 3 - x",
                "effect bind c 1 3 - x",
            ],
        ),
        (
            "with bindings left",
            &[
                "begin provision p 1 1 -",
                "effect provision p 1 1 -",
                "begin bind b 1 2 - x",
                "effect bind b 1 2 - x",
                "begin deprovision d 1 3 p",
                "effect deprovision d 1 3 p",
            ],
        ),
        (
            "another state",
            &[
                "begin provision p 1 1 -",
                "effect provision p 1 1 -",
                "begin update u 1 2 -",
                "effect update u 1 2 -",
            ],
        ),
        (
            "another state",
            &[
                "begin provision p 1 1 -",
                "effect provision p 1 1 -",
                "begin update u 1 2 p",
                "effect update u 1 2 p",
                "begin deprovision d 1 3 p",
                "effect deprovision d 1 3 p",
            ],
        ),
    ];
    for (why, lines) in cases {
        let faults = faults(lines);
        assert!(
            faults.iter().any(|fault| fault.contains(why)),
            "{why}: {faults:?}"
        );
    }
}

/// A process that slept may act beside its successor, but what is gone stays gone.
#[test]
fn sleep_excuses_no_resurrection() {
    let late = ["begin provision p 2 1 -", "begin provision p 1 1 -"];
    let judged = |lines: &[&str]| journal::judge(&journal(lines), Sleep::Somebody).0;
    assert!(judged(&late).is_empty());
    let risen = judged(&[
        "begin provision p 1 1 -",
        "begin deprovision d 1 2 -",
        "effect deprovision d 1 2 -",
        "effect provision p 1 1 -",
    ]);
    assert_eq!(risen.len(), 1, "{risen:?}");
}

const WANT: Want = Want {
    plan: "p",
    n: 1,
    mood: Mood::Well,
    keeps: false,
};
const OTHER: Want = Want { n: 2, ..WANT };
const FAILS: Want = Want {
    mood: Mood::Fails,
    ..WANT
};

fn said(status: u16) -> Heard {
    Heard {
        status,
        ..Heard::default()
    }
}

fn word(status: u16, word: &str) -> Heard {
    Heard {
        status,
        word: word.to_owned(),
        ..Heard::default()
    }
}

fn accepted(operation: &str) -> Heard {
    Heard {
        status: 202,
        operation: Some(operation.to_owned()),
        ..Heard::default()
    }
}

fn shows(n: u32) -> Heard {
    Heard {
        status: 200,
        shows: Some(("p".to_owned(), n)),
        ..Heard::default()
    }
}

type History = Vec<(Call, Option<Heard>)>;

/// A call that was answered.
fn heard(call: Call, heard: Heard) -> (Call, Option<Heard>) {
    (call, Some(heard))
}

/// The first answer that no world explains.
fn stumbles(haunted: bool, history: &History) -> Option<usize> {
    let mut belief = Belief::new(haunted);
    history
        .iter()
        .position(|(call, heard)| belief.hear(call, heard.as_ref()).is_err())
}

fn poll() -> Call {
    Call::Poll(None, "o".to_owned())
}

#[test]
fn a_good_history_passes() {
    use Call::{Bind, Deprovision, Fetch, Provision, Unbind, Update};
    let histories: Vec<History> = vec![
        vec![
            (Provision(WANT), None),
            heard(Provision(WANT), said(200)),
            heard(Bind("b", WANT), said(201)),
            (Update(OTHER), None),
            heard(Fetch, word(422, "ConcurrencyError")),
            heard(Fetch, shows(2)),
            heard(Unbind("b"), said(200)),
            (Deprovision, None),
            heard(Deprovision, word(410, "Gone")),
        ],
        vec![
            heard(Provision(WANT), accepted("o")),
            heard(poll(), word(200, "in progress")),
            heard(Deprovision, accepted("d")),
            heard(poll(), said(410)),
            heard(Provision(OTHER), said(201)),
        ],
        vec![
            heard(Provision(FAILS), word(500, "OperationFailed")),
            heard(Bind("b", WANT), word(400, "InstanceNotUsable")),
            heard(Provision(FAILS), accepted("o")),
        ],
    ];
    for history in &histories {
        assert_eq!(stumbles(false, history), None, "{history:?}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_bad_history_is_refused_at_its_last_answer() {
    use Call::{Bind, Deprovision, Fetch, FetchBinding, Provision, Unbind, Update};
    let histories: Vec<(&str, History)> = vec![
        (
            "an answered instance is lost",
            vec![heard(Provision(WANT), said(201)), heard(Fetch, said(404))],
        ),
        (
            "an answered instance is another's",
            vec![
                heard(Provision(WANT), said(201)),
                heard(Provision(WANT), word(409, "InstanceConflict")),
            ],
        ),
        (
            "a delete that was answered is undone",
            vec![
                heard(Provision(WANT), said(201)),
                heard(Deprovision, said(200)),
                heard(Fetch, shows(1)),
            ],
        ),
        (
            "an update that was answered is lost",
            vec![
                heard(Provision(WANT), said(201)),
                heard(Update(OTHER), said(200)),
                heard(Fetch, shows(1)),
            ],
        ),
        (
            "a binding that was answered is lost",
            vec![
                heard(Provision(WANT), said(201)),
                heard(Bind("b", WANT), said(201)),
                heard(FetchBinding("b"), said(404)),
            ],
        ),
        (
            "an unbind that was answered is undone",
            vec![
                heard(Provision(WANT), said(201)),
                heard(Bind("b", WANT), said(201)),
                heard(Unbind("b"), said(200)),
                heard(FetchBinding("b"), said(200)),
            ],
        ),
        (
            "one request has two operations",
            vec![
                heard(Provision(WANT), accepted("o")),
                heard(Provision(WANT), accepted("x")),
            ],
        ),
        (
            "an operation that was over is in progress",
            vec![
                heard(Provision(WANT), accepted("o")),
                heard(poll(), word(200, "succeeded")),
                heard(poll(), word(200, "in progress")),
            ],
        ),
        (
            "it failed though nobody told it to",
            vec![
                heard(Provision(WANT), accepted("o")),
                heard(poll(), word(200, "failed")),
            ],
        ),
        (
            "it was made though it was told to fail",
            vec![
                heard(Provision(FAILS), accepted("o")),
                heard(poll(), word(200, "succeeded")),
            ],
        ),
        (
            "an instance is there that nobody asked for",
            vec![heard(Provision(WANT), word(409, "InstanceConflict"))],
        ),
        (
            "a failed delete makes what was never made",
            vec![
                heard(
                    Provision(Want {
                        keeps: true,
                        ..FAILS
                    }),
                    word(500, "OperationFailed"),
                ),
                heard(Deprovision, word(500, "OperationFailed")),
                heard(
                    Provision(Want {
                        keeps: true,
                        ..FAILS
                    }),
                    said(200),
                ),
            ],
        ),
    ];
    for (why, history) in &histories {
        assert_eq!(stumbles(false, history), Some(history.len() - 1), "{why}");
    }
}

/// What was not answered may happen later where another process has it in its hands, but not for ever.
#[test]
fn a_ghost_walks_until_a_change_is_answered() {
    use Call::{Deprovision, Fetch, Provision};
    let late = |before: &[(Call, Option<Heard>)]| -> History {
        let mut history = vec![(Provision(WANT), None)];
        history.extend_from_slice(before);
        history.push(heard(Fetch, shows(1)));
        history
    };
    let absent = [heard(Fetch, said(404))];
    assert_eq!(stumbles(false, &late(&absent)), None, "it may run");
    let deleted = [heard(Deprovision, word(410, "Gone"))];
    assert_eq!(stumbles(false, &late(&deleted)), Some(2));
    assert_eq!(stumbles(true, &late(&deleted)), None);
    let made_and_deleted = [
        heard(Provision(WANT), said(200)),
        heard(Deprovision, said(200)),
    ];
    assert_eq!(stumbles(true, &late(&made_and_deleted)), Some(3));
}

#[test]
fn blows_in_the_air_are_told() {
    let blows = |hit| Blows { dealt: 20, hit };
    assert!(blows(16).are_well_aimed());
    assert!(!blows(15).are_well_aimed());
    assert!(blows(15).to_string().contains("75 %"));
}
