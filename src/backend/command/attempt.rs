//! One attempt: one run of the program, and what came of it.

use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

use super::CommandSettings;
use super::output::Output;
use super::run::{Run, RunError};
use super::said::Said;
use super::verdict;
use crate::backend::contract;
use crate::domain::backend::{Outcome, Progress, Work};
use crate::supervisor::{Order, Report};

/// How long the supervisor may take beyond the program's limit before it is taken for lost.
const GRACE: Duration = Duration::from_secs(15);

/// How long what was said is awaited after the end. It is in the pipes by then; they stay open only where the program
/// gave them away to a process that it did not start.
const DRAIN: Duration = Duration::from_secs(1);

pub(super) async fn attempt(
    settings: &CommandSettings,
    work: Work<'_>,
    progress: &dyn Progress,
) -> Outcome {
    let mut said = Said::new(&work, progress);
    let mut output = Output::new(settings.output_limit);
    let whole = timeout(
        settings.timeout.saturating_add(GRACE),
        follow(settings, work, &mut output, &mut said),
    );
    let report = whole.await.unwrap_or(Err(RunError::Lost));
    said.end();
    verdict::of(report, &output, &work)
}

/// Runs the program to its end and takes in all that it says.
async fn follow(
    settings: &CommandSettings,
    work: Work<'_>,
    output: &mut Output,
    said: &mut Said<'_>,
) -> Result<Report, RunError> {
    let (run, stdout, stderr) = Run::start(&settings.supervisor)?;
    run.hand_over(&order(settings, work)).await?;
    let mut report = pin!(run.report());
    let mut streams = pin!(async {
        tokio::join!(output.read(stdout, &run), said.hear(stderr));
    });
    tokio::select! {
        () = &mut streams => report.await,
        report = &mut report => {
            let _ = timeout(DRAIN, streams).await;
            report
        }
    }
}

fn order(settings: &CommandSettings, work: Work<'_>) -> Order {
    Order {
        run: program(settings),
        env: settings
            .env
            .iter()
            .map(|(name, value)| (name.clone(), value.expose().clone()))
            .collect(),
        scratch: settings.scratch.clone(),
        limit: settings.timeout,
        begin_before: work.until.0,
        input: contract::request(&work).to_string(),
    }
}

fn program(settings: &CommandSettings) -> Vec<String> {
    let mut run = settings.run.expose().clone();
    if let (Some(folder), Some(program)) = (&settings.folder, run.first_mut()) {
        *program = folder.join(&*program).to_string_lossy().into_owned();
    }
    run
}
