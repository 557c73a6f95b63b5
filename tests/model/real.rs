//! The steps of the model as calls of a real store, and what the store says in the words of the model.

use std::collections::HashMap;
use std::sync::Arc;

use catalog_broker::domain::id::OperationId;
use catalog_broker::domain::operation::{Report, State};
use catalog_broker::domain::store::{self, End, Lookup, Renewal, Store, StoreError, Take, Unbound};
use catalog_broker::domain::time::Timestamp;

use super::model::{Answer, Stands, Step};
use super::rows::{self, Seen};
use super::setup::{BROKERS, KEEP, LEASE, MAX_ATTEMPTS, OPS, Op, REST, Setup};
use super::store::{Begun, Ending, Taken};

/// How long a tick is.
const TICK: i64 = 1_000;

/// A real store, and all that its callers know.
pub struct Real {
    store: Box<dyn Store>,
    setup: Setup,
    now: Timestamp,
    /// How often each process has been started: each time it has another name.
    starts: [u32; BROKERS as usize],
    seen: [Option<Seen>; 2],
    taken: HashMap<(Op, u8), store::Taken>,
}

/// What can be seen of a store: how far each operation is that it remembers, where their subjects stand, and whether the
/// instance has a binding that waits to be unbound.
#[derive(Debug, PartialEq)]
pub struct View {
    pub operations: [Option<State>; 2],
    pub subjects: [Option<Stands>; 2],
    pub bound: bool,
}

impl Real {
    pub async fn new(store: Box<dyn Store>, setup: Setup) -> Result<Self, StoreError> {
        for change in rows::before(setup.pair) {
            let begun = store.begin(change).await?;
            assert!(matches!(begun, store::Begun::Done), "{begun:?}");
        }
        Ok(Self {
            store,
            setup,
            now: Timestamp(TICK),
            starts: [0; BROKERS as usize],
            seen: [const { None }; 2],
            taken: HashMap::new(),
        })
    }

    pub async fn close(self) -> Result<(), StoreError> {
        self.store.close().await
    }

    /// Carries a step out.
    pub async fn step(&mut self, step: Step) -> Result<Answer, StoreError> {
        Ok(match step {
            Step::Read(op) => self.read(op).await?,
            Step::Begin(op) => self.begin(op).await?,
            Step::Take(broker) => self.take(broker).await?,
            Step::Renew(op, number) => self.renew(op, number).await?,
            Step::Unbound(op, number) => self.unbound(op, number).await?,
            Step::End(op, number, ending) => self.end(op, number, ending).await?,
            Step::GiveBack(broker) => self.give_back(broker).await?,
            Step::Sweep => {
                self.store.sweep(self.ticks(-KEEP), 100).await?;
                Answer::Nothing
            }
            Step::Tick => {
                self.now = self.ticks(1);
                Answer::Nothing
            }
            Step::Crash(broker) => {
                self.starts[usize::from(broker)] += 1;
                Answer::Nothing
            }
            Step::Act(..) => Answer::Nothing,
        })
    }

    fn ticks(&self, ticks: i8) -> Timestamp {
        Timestamp(self.now.0 + i64::from(ticks) * TICK)
    }

    fn owner(&self, broker: u8) -> Arc<str> {
        let start = self.starts[usize::from(broker)];
        format!("broker {broker}, start {start}").into()
    }

    async fn read(&mut self, op: Op) -> Result<Answer, StoreError> {
        self.seen[op] = self.subject(op).await?;
        Ok(Answer::Read(self.seen[op].as_ref().map(standing)))
    }

    async fn subject(&self, op: Op) -> Result<Option<Seen>, StoreError> {
        let subject = rows::subject(self.setup.pair, op);
        let instance = subject.instance().clone();
        Ok(match subject.binding() {
            None => match self.store.instance(instance).await? {
                Lookup::Found(instance) => Some(Seen::Instance(Box::new(instance))),
                _ => None,
            },
            Some(binding) => match self.store.binding(instance, binding.clone()).await? {
                Lookup::Found((_, Some(binding))) => Some(Seen::Binding(Box::new(binding))),
                _ => None,
            },
        })
    }

    async fn begin(&mut self, op: Op) -> Result<Answer, StoreError> {
        let seen = self.seen[op].take();
        let change = rows::change(self.setup.pair, op, seen.as_ref(), self.now);
        Ok(Answer::Begun(match self.store.begin(change).await? {
            store::Begun::Done => Begun::Done,
            store::Begun::InstanceThere(_) | store::Begun::BindingThere(_) => Begun::There,
            store::Begun::Stale => Begun::Stale,
            store::Begun::Absent => Begun::Absent,
            other => panic!("no store says {other:?} to these"),
        }))
    }

    async fn take(&mut self, broker: u8) -> Result<Answer, StoreError> {
        let take = Take {
            owner: self.owner(broker),
            now: self.now,
            until: self.ticks(LEASE),
            most: 1,
            limits: self
                .setup
                .limit
                .map(|limit| (rows::BACKEND.into(), limit.into()))
                .into_iter()
                .collect(),
        };
        let taken = self.store.take(take).await?.pop();
        Ok(Answer::Taken(taken.map(|taken| {
            let op = op_of(&taken.operation.id).expect("an operation of the model");
            let attempt = small(taken.attempt);
            let tries = small(taken.tries).min(MAX_ATTEMPTS + 1);
            self.taken.insert((op, attempt), taken);
            Taken { op, attempt, tries }
        })))
    }

    async fn renew(&mut self, op: Op, number: u8) -> Result<Answer, StoreError> {
        let renewal = Renewal {
            operation: rows::operation_id(op),
            subject: rows::subject(self.setup.pair, op),
            attempt: number.into(),
            now: self.now,
            until: self.ticks(LEASE),
            description: None,
        };
        self.store.renew(renewal).await.map(Answer::Lease)
    }

    async fn unbound(&mut self, op: Op, number: u8) -> Result<Answer, StoreError> {
        let unbound = Unbound {
            operation: rows::operation_id(op),
            attempt: number.into(),
            unbind: rows::unbind(op, self.now),
        };
        self.store.unbound(unbound).await.map(Answer::Lease)
    }

    async fn end(&mut self, op: Op, number: u8, ending: Ending) -> Result<Answer, StoreError> {
        let end = End {
            operation: rows::operation_id(op),
            subject: rows::subject(self.setup.pair, op),
            attempt: number.into(),
            at: self.now,
            ending: match ending {
                Ending::Done => self.over(op, number, State::Succeeded),
                Ending::Failed => self.over(op, number, State::Failed),
                Ending::Again => store::Ending::Again {
                    due_at: self.ticks(REST),
                    description: None,
                },
                Ending::Stopped => store::Ending::Stopped,
            },
        };
        self.store.end(end).await.map(Answer::Lease)
    }

    fn over(&self, op: Op, number: u8, state: State) -> store::Ending {
        store::Ending::Over {
            state,
            report: Report::default(),
            leaves: rows::leaves(&self.taken[&(op, number)], state),
        }
    }

    async fn give_back(&mut self, broker: u8) -> Result<Answer, StoreError> {
        let owner = self.owner(broker);
        self.starts[usize::from(broker)] += 1;
        self.store.give_back(owner, self.now).await?;
        Ok(Answer::Nothing)
    }

    /// What can be seen now.
    pub async fn view(&self) -> Result<View, StoreError> {
        let mut view = View {
            operations: [None; 2],
            subjects: [None; 2],
            bound: false,
        };
        for op in OPS {
            let (id, subject) = (rows::operation_id(op), rows::subject(self.setup.pair, op));
            let found = self.store.operation(subject, Some(id.clone())).await?;
            if let Lookup::Found(found) = found
                && found.id == id
            {
                view.operations[op] = Some(found.state);
            }
            let place = self.setup.pair.subject(op);
            view.subjects[place] = self.subject(op).await?.as_ref().map(standing);
        }
        if self.setup.pair.unbinds() {
            view.bound = !self.store.bindings(rows::instance_id()).await?.is_empty();
        }
        Ok(view)
    }
}

fn standing(seen: &Seen) -> Stands {
    let last = seen.last();
    Stands {
        last: op_of(&last.id),
        in_progress: last.in_progress(),
    }
}

fn op_of(id: &OperationId) -> Option<Op> {
    OPS.into_iter().find(|op| rows::operation_id(*op) == *id)
}

fn small(number: u32) -> u8 {
    u8::try_from(number).expect("a small number")
}
