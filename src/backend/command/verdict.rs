//! What an end means: exit code and reply on one side, an outcome and a line in the log on the other.
//!
//! The user is told what the program says in its reply, or a sentence of ours; never what it wrote elsewhere.

use super::output::{NoReply, Output};
use super::run::RunError;
use crate::backend::contract::Reply;
use crate::domain::backend::{Failure, Outcome, Work};
use crate::supervisor::Report;

/// The exit codes that mean something of their own, from `sysexits.h`.
const DONE: i32 = 0;
const REFUSED: i32 = 65;
const AGAIN: i32 = 75;

const REFUSES: &str =
    "The service refuses this. Ask the operator of the broker: its log may say why.";
const FAILED: &str =
    "The program that carries this out failed. Ask the operator of the broker: its log says more.";
const NOT_STARTED: &str = "The program that carries this out could not be started. Ask the operator of the broker: its log names the reason.";
const TOO_LONG: &str = "The program that carries this out said more than it may, and was stopped. Ask the operator of the broker.";
const MALFORMED: &str = "The program that carries this out did not answer in the form that the broker reads. Ask the operator of the broker.";
const STOPPED: &str = "The program that carries this out was stopped before its end.";
const OVERDUE: &str = "The program that carries this out took longer than it may, and was stopped.";

/// The outcome of an attempt; the log has the whole story.
pub(super) fn of(report: Result<Report, RunError>, output: &Output, work: &Work<'_>) -> Outcome {
    let reply = output.reply();
    match report {
        Ok(report) => {
            tell(&report, &reply, work);
            judge(report, reply)
        }
        Err(error) => {
            complain(work, &error.to_string());
            again(STOPPED)
        }
    }
}

fn judge(report: Report, reply: Result<Reply, NoReply>) -> Outcome {
    match (report, reply) {
        (Report::NotStarted { passing: true, .. }, _) => again(NOT_STARTED),
        (Report::NotStarted { passing: false, .. }, _) => failed(NOT_STARTED),
        (_, Err(NoReply::TooLong)) => failed(TOO_LONG),
        (Report::Overdue, _) => again(OVERDUE),
        (Report::Stopped | Report::Killed(_), _) => again(STOPPED),
        (Report::Exited(DONE), Err(NoReply::Malformed)) => failed(MALFORMED),
        (Report::Exited(DONE), Ok(reply)) => reply.done(),
        // What stands there is no reply: the code alone speaks.
        (Report::Exited(code), reply) => said(code, reply.unwrap_or_default()),
    }
}

fn said(code: i32, reply: Reply) -> Outcome {
    match code {
        AGAIN => reply.again(),
        REFUSED => reply.refused(REFUSES, false),
        _ => reply.failed(FAILED),
    }
}

fn again(description: &str) -> Outcome {
    Outcome::Again {
        after: None,
        description: Some(description.to_owned()),
    }
}

fn failed(description: &str) -> Outcome {
    Outcome::Failed(Failure {
        description: description.to_owned(),
        ..Failure::default()
    })
}

fn tell(report: &Report, reply: &Result<Reply, NoReply>, work: &Work<'_>) {
    let end = match report {
        Report::Exited(DONE) => None,
        Report::Exited(code) => Some(format!("the program ended with exit code {code}")),
        Report::Killed(signal) => Some(format!("the program was ended by signal {signal}")),
        Report::Overdue => Some("the program took longer than it may and was killed".to_owned()),
        Report::Stopped => Some("the program was killed".to_owned()),
        Report::NotStarted { why, .. } => Some(format!("the program was not started: {why}")),
    };
    let wrong = match reply {
        Ok(reply) if matches!(report, Report::Exited(DONE)) && !work.kind.removes() => {
            reply.oddity()
        }
        Ok(_) => None,
        Err(NoReply::TooLong) => Some("its output is longer than it may be".to_owned()),
        Err(NoReply::Malformed) => Some("its output is no JSON object of the contract".to_owned()),
    };
    for what in [end, wrong].iter().flatten() {
        complain(work, what);
    }
}

fn complain(work: &Work<'_>, what: &str) {
    log::warn!(
        target: "backend",
        operation = work.operation.as_str(),
        kind = work.kind.name(),
        attempt = work.attempt,
        trace = work.trace_id();
        "{what}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(outcome: Outcome) -> (&'static str, Option<String>) {
        match outcome {
            Outcome::Done(done) => ("done", done.description),
            Outcome::Refused(refusal) => ("refused", Some(refusal.description)),
            Outcome::Failed(failure) => ("failed", Some(failure.description)),
            Outcome::Again { description, .. } => ("again", description),
        }
    }

    fn judged(report: Report, reply: Result<&str, NoReply>) -> (&'static str, Option<String>) {
        let reply = reply.map(|text| serde_json::from_str(text).expect("a reply"));
        described(judge(report, reply))
    }

    #[test]
    fn an_exit_code_has_its_meaning() {
        for (code, word, silent) in [
            (0, "done", None),
            (65, "refused", Some(REFUSES)),
            (75, "again", None),
            (1, "failed", Some(FAILED)),
            (255, "failed", Some(FAILED)),
        ] {
            let spoken = judged(Report::Exited(code), Ok(r#"{"description": "so"}"#));
            assert_eq!(spoken, (word, Some("so".to_owned())), "{code}");
            let mute = judged(Report::Exited(code), Ok("{}"));
            assert_eq!(mute, (word, silent.map(str::to_owned)), "{code}");
            let garbled = judged(Report::Exited(code), Err(NoReply::Malformed)).0;
            let expected = if code == 0 { "failed" } else { word };
            assert_eq!(garbled, expected, "{code}");
            let flood = judged(Report::Exited(code), Err(NoReply::TooLong));
            assert_eq!(flood, ("failed", Some(TOO_LONG.to_owned())), "{code}");
        }
    }

    #[test]
    fn who_was_stopped_is_tried_again_whatever_it_said() {
        for report in [Report::Killed(9), Report::Overdue, Report::Stopped] {
            for reply in [Ok("{}"), Err(NoReply::Malformed)] {
                assert_eq!(judged(report.clone(), reply).0, "again", "{report:?}");
            }
        }
    }

    #[test]
    fn who_cannot_start_is_tried_again_only_where_that_may_pass() {
        for (passing, word) in [(true, "again"), (false, "failed")] {
            let report = Report::NotStarted {
                why: "secret".to_owned(),
                passing,
            };
            assert_eq!(
                judged(report, Ok("{}")),
                (word, Some(NOT_STARTED.to_owned()))
            );
        }
    }
}
