//! What is made of the figures.

use std::fmt;
use std::time::Duration;

/// A quiet time of good clients, and the bad one after it.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// 99 of 100 good answers came within this.
    pub quiet: Duration,
    pub bad: Duration,
    /// And answers of a server that has no bad clients, at the same time as those among them.
    pub alone: Duration,
}

/// What was seen of a broker.
#[derive(Clone, Debug)]
pub struct Figures {
    /// What 99 of 100 answers may come within in any case: [`BUSY`] or [`ALONE`].
    pub noise: Duration,
    pub rounds: Vec<Round>,
    /// How many answers good clients had among bad ones.
    pub answers: usize,
    /// What good clients were answered that they should not be.
    pub wrong: Vec<String>,
    /// Most memory before bad clients came, and among them, in KiB.
    pub memory: (u64, u64),
    /// Files open before bad clients came, and after they had gone, or had been given up.
    pub files: (usize, usize),
}

/// What 99 of 100 good answers may come within, whatever it is in a quiet time: some milliseconds for each of the threads that
/// an answer goes through. Broker, good and bad clients share two cores with each other and with whatever else runs there, and
/// a thread that is not alone waits for its turn; that says nothing of the broker. Where bad clients keep it from good ones,
/// these wait for half a second and more. What the machine makes of a server without any bad client counts for the same reason.
pub const BUSY: Duration = Duration::from_millis(250);

/// The same where the machine has nothing else to do, as for the long proof.
pub const ALONE: Duration = Duration::from_millis(40);

/// How much slower, and how much larger, it may get.
const TIMES_SLOWER: u32 = 3;
const TIMES_LARGER: u64 = 2;

impl Figures {
    /// What there is to complain of.
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        if self.answers < 200 {
            complaints.push(format!("{} answers prove nothing", self.answers));
        }
        for wrong in self.wrong.iter().take(5) {
            complaints.push(format!("a good client was answered wrongly: {wrong}"));
        }
        if !self.is_quick() {
            complaints.push("good clients waited too long".to_owned());
        }
        let (before, most) = self.memory;
        if before == 0 || most > before * TIMES_LARGER {
            complaints.push("too much memory".to_owned());
        }
        let (before, after) = self.files;
        if before == 0 || after > before {
            complaints.push("files did not come back".to_owned());
        }
        complaints
    }

    /// In most rounds: one alone may have met with something else that the machine was busy with.
    fn is_quick(&self) -> bool {
        let quick = self
            .rounds
            .iter()
            .filter(|round| {
                let usual = round.quiet.max(round.alone);
                round.bad <= self.noise.max(usual * TIMES_SLOWER)
            })
            .count();
        quick * 2 > self.rounds.len()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "99 of 100 answers within, quiet, among bad clients, and of a server without:"
        )?;
        for Round { quiet, bad, alone } in &self.rounds {
            write!(out, " {quiet:.1?} {bad:.1?} {alone:.1?};")?;
        }
        write!(
            out,
            " {} answers, {} wrong; memory {} KiB, then {}; files {}, then {}",
            self.answers,
            self.wrong.len(),
            self.memory.0,
            self.memory.1,
            self.files.0,
            self.files.1,
        )
    }
}

/// What 99 of 100 took at most.
pub fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    let at = (took.len() * 99).div_ceil(100).saturating_sub(1);
    took.get(at).copied().unwrap_or(Duration::MAX)
}

#[test]
fn bad_figures_are_refused() {
    let round = |quiet, bad| Round {
        quiet: Duration::from_millis(quiet),
        bad: Duration::from_millis(bad),
        alone: Duration::from_millis(3),
    };
    let good = Figures {
        noise: BUSY,
        rounds: vec![round(2, 5), round(2, 249), round(90, 269)],
        answers: 1000,
        wrong: Vec::new(),
        memory: (20_000, 40_000),
        files: (30, 30),
    };
    assert_eq!(good.complaints(), Vec::<String>::new());
    let one_slow = Figures {
        rounds: vec![round(2, 5), round(2, 3000), round(20, 59)],
        ..good.clone()
    };
    assert_eq!(one_slow.complaints(), Vec::<String>::new());
    let busy = Figures {
        rounds: vec![Round {
            alone: Duration::from_millis(90),
            ..round(2, 269)
        }],
        ..good.clone()
    };
    assert_eq!(busy.complaints(), Vec::<String>::new());
    let rounds = |rounds: &[Round]| Figures {
        rounds: rounds.to_vec(),
        ..good.clone()
    };
    for (what, bad) in [
        (
            "slow",
            rounds(&[round(2, 251), round(2, 5), round(90, 271)]),
        ),
        ("slow", rounds(&[round(1000, 3001)])),
        ("half of them", rounds(&[round(2, 5), round(2, 300)])),
        ("no rounds", rounds(&[])),
        (
            "never answered",
            rounds(&[Round {
                quiet: Duration::from_millis(2),
                bad: p99(Vec::new()),
                alone: Duration::from_millis(2),
            }]),
        ),
        (
            "few answers",
            Figures {
                answers: 199,
                ..good.clone()
            },
        ),
        (
            "a wrong answer",
            Figures {
                wrong: vec!["GET /v2/catalog: 503".to_owned()],
                ..good.clone()
            },
        ),
        (
            "memory",
            Figures {
                memory: (20_000, 40_001),
                ..good.clone()
            },
        ),
        (
            "a file",
            Figures {
                files: (30, 31),
                ..good.clone()
            },
        ),
        (
            "no file at all",
            Figures {
                files: (0, 0),
                ..good.clone()
            },
        ),
    ] {
        assert_eq!(bad.complaints().len(), 1, "{what}: {:?}", bad.complaints());
    }
}

#[test]
fn of_a_hundred_answers_one_may_be_slower() {
    let took = |slow: usize| {
        let quick = vec![Duration::from_millis(1); 100 - slow];
        p99([quick, vec![Duration::from_secs(1); slow]].concat())
    };
    assert_eq!(took(1), Duration::from_millis(1));
    assert_eq!(took(2), Duration::from_secs(1));
}
