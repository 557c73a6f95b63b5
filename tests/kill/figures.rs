//! What is counted while lives go on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Counts of answers, and how long operations took their clients.
#[derive(Default)]
pub struct Figures {
    answers: Mutex<BTreeMap<(&'static str, String), usize>>,
    took: Mutex<Vec<Duration>>,
}

/// How blows went: how many, and how many of them hit an operation that was being carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blows {
    pub dealt: usize,
    pub hit: usize,
}

impl Figures {
    pub fn answered(&self, verb: &'static str, outcome: String) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry((verb, outcome)).or_default() += 1;
    }

    pub fn took(&self, time: Duration) {
        let mut took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        took.push(time);
    }

    /// Whether a verb was answered so.
    pub fn has(&self, verb: &str, outcome: &str) -> bool {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = answers.keys();
        known.any(|(asked, answered)| *asked == verb && answered == outcome)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut verb = "";
        for ((asked, outcome), count) in answers.iter() {
            if *asked != verb {
                write!(
                    out,
                    "{}answers | {asked}:",
                    if verb.is_empty() { "" } else { "\n" }
                )?;
                verb = asked;
            }
            write!(out, " {count} {outcome};")?;
        }
        let mut took = self
            .took
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        took.sort();
        let at =
            |part: usize| took.get((took.len() * part / 100).min(took.len().saturating_sub(1)));
        write!(
            out,
            "\ndurations | {} calls to their end: median {:?}, 95 of 100 within {:?}, longest {:?}",
            took.len(),
            at(50).copied().unwrap_or_default(),
            at(95).copied().unwrap_or_default(),
            took.last().copied().unwrap_or_default()
        )
    }
}

impl Blows {
    /// Whether at least 80 of 100 hit; of a few one may miss, but not the only one.
    pub const fn are_well_aimed(self) -> bool {
        let missed = self.dealt - self.hit;
        self.hit > 0 && (missed <= 1 || missed * 100 <= self.dealt * 20)
    }
}

impl fmt::Display for Blows {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = (self.hit * 100).checked_div(self.dealt).unwrap_or(0);
        write!(
            out,
            "{} dealt, {} of them ({share} %) hit an operation in progress",
            self.dealt, self.hit
        )
    }
}

#[test]
fn blows_that_hit_nothing_prove_nothing() {
    for (dealt, hit, well) in [
        (3, 3, true),
        (3, 2, true),
        (3, 1, false),
        (1, 0, false),
        (0, 0, false),
        (20, 16, true),
        (20, 15, false),
        (200, 160, true),
        (200, 159, false),
    ] {
        let blows = Blows { dealt, hit };
        assert_eq!(blows.are_well_aimed(), well, "{blows}");
    }
}
