//! What an outcome leaves behind: the state, what is told of it, and the rows (design, "The life of an operation").

use std::time::Duration;

use super::attempt::trace_id;
use crate::domain::backend::{Done, Failure, Outcome};
use crate::domain::binding::{Binding, BindingDetails};
use crate::domain::catalog::Catalog;
use crate::domain::instance::Instance;
use crate::domain::json::Object;
use crate::domain::offering::Chosen;
use crate::domain::operation::{Kind, LastOperation, Report, State};
use crate::domain::render::{BindingScope, InstanceScope, waits_for_outputs};
use crate::domain::store::{Leaves, Taken};
use crate::domain::time::Timestamp;
use crate::secret::Secret;
use crate::template::RenderError;

/// The shortest and the longest rest before another attempt, where the backend names none.
const REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// What is to be written down.
pub(super) enum Concluded {
    Over {
        state: State,
        report: Report,
        leaves: Leaves,
    },
    Again {
        after: Duration,
        description: Option<String>,
    },
}

/// The instance as an update makes it; nothing for all other kinds.
pub(super) fn after(taken: &Taken) -> Option<Instance> {
    let target = taken.task.expose().update.as_ref()?;
    let mut details = target.details.clone();
    // Outputs and state are the backend's; what it left last counts.
    let now = taken.instance.details.expose();
    details.outputs.clone_from(&now.outputs);
    details.state.clone_from(&now.state);
    Some(Instance {
        plan_id: target.plan_id.clone(),
        details: Secret::new(details),
        ..taken.instance.clone()
    })
}

/// What an outcome means for an operation.
pub(super) fn of(catalog: &Catalog, taken: &Taken, outcome: Outcome, now: Timestamp) -> Concluded {
    match outcome {
        Outcome::Done(done) => match leaves_done(catalog, taken, &done, now) {
            Ok(leaves) => Concluded::Over {
                state: State::Succeeded,
                report: Report {
                    description: done.description,
                    ..Report::default()
                },
                leaves,
            },
            Err(error) => {
                log::error!(
                    trace = trace_id(taken);
                    "operation {}: a template could not be rendered: {error}",
                    taken.operation.id
                );
                let why = "The broker could not make the answer out of the plan's templates. Ask the operator of the broker: its log names the place.";
                failed(taken, Report::of(why), now)
            }
        },
        Outcome::Refused(mut refusal) => {
            // Nothing was done by this attempt; one before it may have done something.
            let nothing_done = taken.is_first().then_some(true);
            refusal.instance_usable = refusal.instance_usable.or(nothing_done);
            Concluded::Over {
                state: State::Failed,
                report: Report {
                    refused: true,
                    ..report(taken.operation.kind, refusal)
                },
                leaves: leaves_refused(taken, now),
            }
        }
        Outcome::Failed(failure) => failed(taken, report(taken.operation.kind, failure), now),
        Outcome::Again { after, description } => Concluded::Again {
            after: after.unwrap_or_else(|| rest(taken.tries)),
            description,
        },
    }
}

fn failed(taken: &Taken, report: Report, now: Timestamp) -> Concluded {
    Concluded::Over {
        state: State::Failed,
        report,
        leaves: as_before(taken, now),
    }
}

/// The flags only where the specification knows them.
fn report(kind: Kind, failure: Failure) -> Report {
    Report {
        description: Some(failure.description),
        instance_usable: failure
            .instance_usable
            .filter(|_| matches!(kind, Kind::Update | Kind::Deprovision)),
        update_repeatable: failure.update_repeatable.filter(|_| kind == Kind::Update),
        refused: false,
    }
}

fn leaves_done(
    catalog: &Catalog,
    taken: &Taken,
    done: &Done,
    now: Timestamp,
) -> Result<Leaves, RenderError> {
    let chosen = catalog
        .choose(&taken.instance.service_id, taken.plan_id())
        .ok();
    Ok(match (taken.operation.kind, &taken.binding) {
        (Kind::Provision | Kind::Update, _) => {
            Leaves::Instance(Box::new(instance_done(taken, chosen, done, now)?))
        }
        (Kind::Bind, Some(binding)) => {
            Leaves::Binding(Box::new(binding_done(taken, binding, chosen, done)?))
        }
        _ => Leaves::Nothing,
    })
}

fn instance_done(
    taken: &Taken,
    chosen: Option<Chosen<'_>>,
    done: &Done,
    now: Timestamp,
) -> Result<Instance, RenderError> {
    let kind = taken.operation.kind;
    let mut instance = after(taken).unwrap_or_else(|| taken.instance.clone());
    let mut details = std::mem::take(&mut instance.details).into_exposed();
    details.unmade = false;
    if kind == Kind::Provision || !done.outputs.expose().is_empty() {
        details.outputs.clone_from(done.outputs.expose());
    }
    if let Some(state) = &done.state {
        details.state = Some(state.expose().clone());
    }
    if let Some(chosen) = chosen.filter(|chosen| waits_for_outputs(chosen.plan, kind)) {
        let scope = scope(taken, &instance, chosen);
        details.answer = scope.answer(&details, taken.operation.started_at)?;
    }
    instance.details = Secret::new(details);
    Ok(stands(instance, taken, State::Succeeded, now))
}

fn binding_done(
    taken: &Taken,
    binding: &Binding,
    chosen: Option<Chosen<'_>>,
    done: &Done,
) -> Result<Binding, RenderError> {
    let mut details = binding.details.expose().clone();
    details.unmade = false;
    details.outputs.clone_from(done.outputs.expose());
    details.state = done.state.as_ref().map(|state| state.expose().clone());
    if let Some(chosen) = chosen {
        let scope = BindingScope {
            instance: scope(taken, &taken.instance, chosen),
            details: taken.instance.details.expose(),
            id: &binding.id,
        };
        details.answer = scope.answer(&details, taken.operation.started_at)?;
        came_to_something(chosen, &details)?;
    }
    Ok(Binding {
        last_operation: last(taken, State::Succeeded),
        details: Secret::new(details),
        ..binding.clone()
    })
}

/// Credentials that are made of outputs and nothing else are none where there are no outputs: nobody could use them, and
/// nobody would hear why.
fn came_to_something(chosen: Chosen<'_>, details: &BindingDetails) -> Result<(), RenderError> {
    let credentials = details.answer.0.get("credentials");
    let is_empty = credentials
        .and_then(|value| value.as_object())
        .is_some_and(Object::is_empty);
    if !is_empty || !details.outputs.is_empty() {
        return Ok(());
    }
    let fields = chosen.plan.binding.fields.iter();
    let mut credentials = fields.filter(|(field, _)| field.name() == "credentials");
    let missing = credentials.find_map(|(field, tree)| {
        let all = tree.expressions().into_iter();
        let mut needing = all.filter(|(_, expression)| {
            let mut names = expression.names();
            names.any(|name| name.starts_with("binding.outputs."))
        });
        needing.next().map(|(path, expression)| {
            let error =
                RenderError::unusable(expression, "is nothing: the backend returned no outputs");
            error.below(&path).below(field.path())
        })
    });
    missing.map_or(Ok(()), Err)
}

fn scope<'a>(taken: &'a Taken, instance: &'a Instance, chosen: Chosen<'a>) -> InstanceScope<'a> {
    InstanceScope {
        identity: taken.task.expose().asker.originating_identity.as_ref(),
        chosen,
        id: &taken.instance.id,
        organization: &instance.organization,
        space: &instance.space,
    }
}

/// Nothing was done, so nothing stays of what was to be made; unless an attempt before may have done something.
fn leaves_refused(taken: &Taken, now: Timestamp) -> Leaves {
    let made_now = match &taken.binding {
        Some(binding) => binding.created_at == taken.operation.started_at,
        None => taken.instance.created_at == taken.operation.started_at,
    };
    match taken.operation.kind {
        Kind::Provision | Kind::Bind if taken.is_first() && made_now => Leaves::Nothing,
        _ => as_before(taken, now),
    }
}

/// The subject as it was, but for its latest operation, which failed.
fn as_before(taken: &Taken, now: Timestamp) -> Leaves {
    match &taken.binding {
        Some(binding) => Leaves::Binding(Box::new(Binding {
            last_operation: last(taken, State::Failed),
            ..binding.clone()
        })),
        None => Leaves::Instance(Box::new(stands(
            taken.instance.clone(),
            taken,
            State::Failed,
            now,
        ))),
    }
}

fn stands(instance: Instance, taken: &Taken, state: State, now: Timestamp) -> Instance {
    Instance {
        last_operation: last(taken, state),
        version: taken.instance.version + 1,
        updated_at: now,
        ..instance
    }
}

fn last(taken: &Taken, state: State) -> LastOperation {
    LastOperation {
        id: taken.operation.id.clone(),
        kind: taken.operation.kind,
        state,
    }
}

/// Twice as long each time, and never quite the same, so that what failed together is not tried together.
fn rest(tries: u32) -> Duration {
    let whole = REST
        .saturating_mul(1 << tries.saturating_sub(1).min(6))
        .min(LONGEST_REST);
    let mut chance = [0];
    // Without chance it is a quarter shorter: no reason to fail.
    let _ = getrandom::fill(&mut chance);
    whole.mul_f64(0.75 + f64::from(chance[0]) / 1024.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_rest_is_about_twice_the_last_and_none_quite_the_same() {
        for (tries, whole) in [
            (1, 1),
            (2, 2),
            (3, 4),
            (6, 32),
            (7, 60),
            (8, 60),
            (u32::MAX, 60),
        ] {
            let whole = Duration::from_secs(whole);
            let drawn: BTreeSet<Duration> = (0..64).map(|_| rest(tries)).collect();
            assert!(drawn.len() > 8, "{tries}: {drawn:?}");
            for rest in drawn {
                assert!(
                    rest >= whole.mul_f64(0.75) && rest <= whole,
                    "{tries}: {rest:?}"
                );
            }
        }
    }
}
