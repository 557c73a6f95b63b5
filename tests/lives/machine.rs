//! Goes through sequences: each step in the model and in the world, each answer and all that acts compared.

use std::collections::BTreeMap;
use std::time::Duration;

use catalog_broker::domain::backend::{Done, Failure, Outcome};
use catalog_broker::domain::id::{BindingId, InstanceId, OperationId};
use catalog_broker::domain::operation::{Kind as RealKind, Subject};
use catalog_broker::secret::Secret;
use serde_json::{Value, json};

use crate::backend::{Cue, Told};
use crate::calls::{Answer, Call};
use crate::clock::{advance, now};
use crate::model::{Acting, Flaw, Kind, Model, Op, Operation};
use crate::steps::{Act, Ask, Ends, HOUR, KEEP, LEASE, Named, PROCESSES, SECOND, Step};
use crate::tour;
use crate::work::token;
use crate::world::{Place, Process, World};

/// The processes, and what is kept over all sequences.
pub struct Machine {
    world: World,
    lives: usize,
    pub steps: usize,
    pub tally: BTreeMap<(&'static str, String), usize>,
}

/// One sequence.
struct Life {
    id: String,
    model: Model,
    /// The names that brokers have given to operations.
    ids: BTreeMap<Op, OperationId>,
    asked: Vec<(Ask, String)>,
}

impl Machine {
    pub fn new(place: Place) -> Self {
        Self {
            world: World::new(place),
            lives: 0,
            steps: 0,
            tally: BTreeMap::new(),
        }
    }

    /// Goes through a sequence, against a model with a flaw or without; `watch` sees each answer.
    pub fn live(
        &mut self,
        steps: &[Step],
        flaw: Option<Flaw>,
        watch: &mut dyn FnMut(&str),
    ) -> Result<(), String> {
        self.lives += 1;
        let mut life = Life {
            id: format!("life-{}-{}", std::process::id(), self.lives),
            model: Model {
                flaw,
                ..Model::default()
            },
            ids: BTreeMap::new(),
            asked: Vec::new(),
        };
        for by in 0..PROCESSES {
            self.look(&mut life, by)?;
        }
        for (at, step) in steps.iter().enumerate() {
            self.steps += 1;
            self.step(&mut life, step, watch)
                .map_err(|why| format!("step {at}, {step:?}: {why}"))?;
        }
        self.come_to_its_end(&mut life)
            .map_err(|why| format!("at the end: {why}"))?;
        for (note, times) in &life.model.seen {
            *self.tally.entry(("work", (*note).to_owned())).or_default() += times;
        }
        Ok(())
    }

    /// Goes for every answer on purpose, and forgets that it got them: they are returned.
    pub fn tour(&mut self) -> Result<BTreeMap<(&'static str, String), usize>, String> {
        for legs in tour::tour() {
            let steps: Vec<Step> = legs.iter().map(|(step, _)| step.clone()).collect();
            let mut due = legs.iter().filter(|(_, due)| !due.is_empty());
            let mut wrong = Vec::new();
            self.live(&steps, None, &mut |answered| {
                let (step, due) = due.next().expect("as many answers as calls");
                if class(answered) != *due {
                    wrong.push(format!("{answered} where {due} is due to {step:?}"));
                }
            })?;
            if !wrong.is_empty() || due.next().is_some() {
                return Err(format!("not answered as is due: {wrong:#?}"));
            }
        }
        Ok(std::mem::take(&mut self.tally))
    }

    fn step(
        &mut self,
        life: &mut Life,
        step: &Step,
        watch: &mut dyn FnMut(&str),
    ) -> Result<(), String> {
        advance(1);
        match step {
            Step::Ask(by, ask) => {
                let plan = life.model.named(ask);
                self.ask(life, *by, ask.clone(), plan, watch)?;
            }
            Step::Again(by, back) => {
                if let Some((ask, plan)) = life.asked.iter().rev().nth(*back).cloned() {
                    self.ask(life, *by, ask, plan, watch)?;
                }
            }
            Step::End(at, ends) => {
                if let Some(at) = at.checked_rem(life.model.acting.len()) {
                    self.end(life, at, *ends)?;
                }
            }
            Step::Say(at) => {
                if let Some(at) = at.checked_rem(life.model.acting.len()) {
                    self.say(life, at)?;
                }
            }
            Step::Look(by) => self.look(life, *by)?,
            Step::Wait(millis) => advance(*millis),
            Step::Stop(by) => {
                life.model.stop(self.number(*by), now());
                self.world.stop(*by)?;
                self.look(life, *by)?;
            }
            Step::Crash(by) => {
                life.model.crash(self.number(*by));
                self.world.crash(*by);
                self.look(life, *by)?;
            }
            Step::CrashAll => {
                for by in 0..PROCESSES {
                    life.model.crash(self.number(by));
                }
                self.world.crash_all();
                for by in 0..PROCESSES {
                    self.look(life, by)?;
                }
            }
        }
        self.compare(life)
    }

    fn number(&self, by: usize) -> u32 {
        self.world.process(by).gauge.process
    }

    fn look(&mut self, life: &mut Life, by: usize) -> Result<(), String> {
        life.look(self.world.process(by))
    }

    fn ask(
        &mut self,
        life: &mut Life,
        by: usize,
        ask: Ask,
        plan: String,
        watch: &mut dyn FnMut(&str),
    ) -> Result<(), String> {
        self.look(life, by)?;
        let call = life.call(&ask, &plan);
        let ended = life.model.ended;
        let expected = life.model.ask(self.number(by), &ask, &plan, now());
        let process = self.world.process(by);
        process.gauge.counts().begun.clear();
        let broker = process.broker(expected.waits.is_some()).clone();
        let answer = match (expected.waits, ask.prompt) {
            (Some(_), Some(ends)) => {
                let ways = life.model.ended - ended;
                let cues = (ended..life.model.ended).map(move |at| {
                    let last = at + 1 == ended + ways;
                    Cue::End(outcome(if last { ends } else { Ends::Done }, at))
                });
                process.wait(&self.world.board, call.make(broker), cues)?
            }
            _ => process.block_on(call.make(broker))?,
        };
        let begun = std::mem::take(&mut process.gauge.counts().begun);
        if std::mem::take(&mut process.gauge.counts().handed) > 0 {
            life.model.note(tour::HANDED);
        }
        life.learn(&begun)?;
        let answered = life.answered(answer);
        if answered != expected.text {
            return Err(format!(
                "{answered}\nwhere {} was expected of {ask:?}",
                expected.text
            ));
        }
        watch(&answered);
        *self
            .tally
            .entry((ask.act.name(), class(&answered)))
            .or_default() += 1;
        life.asked.push((ask, plan));
        self.look(life, by)
    }

    fn end(&mut self, life: &mut Life, at: usize, ends: Ends) -> Result<(), String> {
        let told = life.told(&life.model.acting[at]);
        let tries = life.model.acting[at].tries;
        let process = self
            .world
            .numbered(told.process)
            .ok_or("its process is gone")?;
        // It looks before: what is due by now is not due in the middle of what follows.
        life.look(process)?;
        process.gauge.counts().due_again = None;
        process.cue(
            &self.world.board,
            &told,
            Cue::End(outcome(ends, life.model.ended)),
        )?;
        let due = process.gauge.counts().due_again;
        if let (Ends::Again(None), Some(due)) = (ends, due) {
            rested(due - now(), tries)?;
        }
        life.model.end(at, ends, due, now());
        life.model.look(told.process, now());
        Ok(())
    }

    fn say(&mut self, life: &mut Life, at: usize) -> Result<(), String> {
        let told = life.told(&life.model.acting[at]);
        let process = self
            .world
            .numbered(told.process)
            .ok_or("its process is gone")?;
        life.look(process)?;
        let text = format!("at {}", now());
        process.cue(&self.world.board, &told, Cue::Say(text.clone()))?;
        life.model.say(at, &text, now());
        life.model.look(told.process, now());
        Ok(())
    }

    /// What acts is what should, and was told what it should be told.
    fn compare(&self, life: &Life) -> Result<(), String> {
        let mut acts = self.world.board.all();
        let mut should: Vec<Told> = life
            .model
            .acting
            .iter()
            .map(|acting| life.told(acting))
            .collect();
        let key = |told: &Told| (told.process, told.operation.clone(), told.attempt);
        acts.sort_by_key(key);
        should.sort_by_key(key);
        if acts == should {
            return Ok(());
        }
        Err(format!(
            "these act: {acts:#?}\nwhere these should: {should:#?}"
        ))
    }

    /// All comes to an end, and is found as it was left, until it is forgotten.
    fn come_to_its_end(&mut self, life: &mut Life) -> Result<(), String> {
        self.all_done(life, |model| !model.operations.iter().any(Operation::runs))?;
        self.see_all(life)?;
        advance(KEEP + HOUR);
        self.look(life, 0)?;
        // No binding is left behind that ends in the next life.
        self.all_done(life, |model| {
            !model.operations.iter().any(Operation::runs) && !model.anything_ends()
        })?;
        self.see_all(life)?;
        advance(KEEP + HOUR);
        self.look(life, 0)?;
        self.see_all(life)
    }

    fn all_done(&mut self, life: &mut Life, done: impl Fn(&Model) -> bool) -> Result<(), String> {
        for _ in 0..100 {
            while !life.model.acting.is_empty() {
                self.end(life, 0, Ends::Done)?;
                self.compare(life)?;
            }
            if done(&life.model) {
                return Ok(());
            }
            advance(LEASE + SECOND);
            self.look(life, 0)?;
        }
        Err("something goes on for ever".to_owned())
    }

    fn see_all(&mut self, life: &mut Life) -> Result<(), String> {
        for (instance, binding) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let acts = [Act::Fetch, Act::Poll, Act::FetchBinding, Act::PollBinding];
            for act in acts
                .into_iter()
                .filter(|act| binding == 0 || matches!(act, Act::FetchBinding | Act::PollBinding))
            {
                let ask = Ask {
                    instance,
                    binding,
                    ..Ask::plain(act)
                };
                let plan = life.model.named(&ask);
                self.ask(life, 0, ask, plan, &mut |_| {})?;
            }
        }
        Ok(())
    }
}

impl Life {
    fn instance(&self, at: usize) -> String {
        format!("{}-i{at}", self.id)
    }

    fn call(&self, ask: &Ask, plan: &str) -> Call {
        let named = match ask.named {
            Named::Nothing => None,
            Named::Known(back) => self.model.back(back).map(|op| self.ids[&op].clone()),
            Named::Unknown => Some(OperationId::from_random([7; 16])),
        };
        Call {
            ask: ask.clone(),
            plan: plan.to_owned(),
            instance: InstanceId::parse(&self.instance(ask.instance)).expect("an id"),
            binding: binding(ask.binding),
            named,
        }
    }

    /// A process looks for what is due and for what has ended, in the world and in the model.
    fn look(&mut self, process: &Process) -> Result<(), String> {
        process.gauge.counts().begun.clear();
        process.settle()?;
        let begun = std::mem::take(&mut process.gauge.counts().begun);
        self.model.look(process.gauge.process, now());
        self.learn(&begun)
    }

    /// The name that a broker has given to what it has just recorded.
    fn learn(&mut self, begun: &[(OperationId, Subject)]) -> Result<(), String> {
        let operations = self.model.operations.iter().enumerate();
        let named =
            operations.filter(|(op, operation)| operation.named && !self.ids.contains_key(op));
        let new: Vec<Op> = named.map(|(op, _)| op).collect();
        if new.len() != begun.len() {
            return Err(format!(
                "{} operations were recorded where {} should be",
                begun.len(),
                new.len()
            ));
        }
        for op in new {
            let (instance, of) = self.model.operations[op].subject;
            let (instance, of) = (self.instance(instance), of.map(binding));
            let its = begun.iter().find(|(_, subject)| {
                subject.instance().as_str() == instance && subject.binding() == of.as_ref()
            });
            let (id, _) =
                its.ok_or_else(|| format!("nothing was recorded of {instance} {of:?}"))?;
            self.ids.insert(op, id.clone());
        }
        Ok(())
    }

    /// An answer in the words of the model.
    fn answered(&self, answer: Answer) -> String {
        let Some(id) = answer.operation else {
            return answer.text;
        };
        let op = self
            .ids
            .iter()
            .find(|(_, other)| **other == id)
            .map(|(op, _)| op);
        let op = op.map_or(id.as_str().to_owned(), ToString::to_string);
        format!("202 {op} {}", answer.text).trim_end().to_owned()
    }

    fn told(&self, acting: &Acting) -> Told {
        let operation = &self.model.operations[acting.op];
        let (instance, subject) = operation.subject;
        let id = &self.ids[&acting.op];
        let first = acting.first.map(binding);
        let own = match &first {
            Some(first) => id.for_binding(first),
            None => id.clone(),
        };
        let kind = match operation.kind {
            _ if first.is_some() => RealKind::Unbind,
            Kind::Provision => RealKind::Provision,
            Kind::Update => RealKind::Update,
            Kind::Deprovision => RealKind::Deprovision,
            Kind::Bind => RealKind::Bind,
            Kind::Unbind => RealKind::Unbind,
        };
        let of = first.or(subject.map(binding));
        Told {
            process: acting.process,
            operation: own.as_str().to_owned(),
            attempt: acting.attempt,
            kind,
            instance: self.instance(instance),
            binding: of.map(|of| of.as_str().to_owned()),
            size: acting.size.clone(),
            state: acting.left.clone(),
        }
    }
}

fn binding(at: usize) -> BindingId {
    BindingId::parse(&format!("b{at}")).expect("an id")
}

/// What a backend gives back.
fn outcome(ends: Ends, ended: u32) -> Outcome {
    let token = token(ended);
    match ends {
        Ends::Done => Outcome::Done(Done {
            outputs: Secret::new(std::iter::once(("token".to_owned(), json!(token))).collect()),
            state: Some(Secret::new(Value::from(token.clone()))),
            description: Some(format!("done {token}")),
        }),
        Ends::DoneBare => Outcome::Done(Done::default()),
        Ends::Refused => Outcome::Refused(format!("refused {token}").into()),
        Ends::Failed => Outcome::Failed(Failure {
            description: format!("failed {token}"),
            ..Failure::default()
        }),
        Ends::FailedFlags(usable, repeatable) => Outcome::Failed(Failure {
            description: format!("failed {token}"),
            instance_usable: Some(usable),
            update_repeatable: Some(repeatable),
        }),
        Ends::Again(after) => Outcome::Again {
            after: after.map(|after| Duration::from_millis(after.into())),
            description: Some(format!("again {token}")),
        },
    }
}

/// Twice as long each time, and up to a quarter less.
fn rested(rest: i64, tries: u32) -> Result<(), String> {
    let whole = SECOND << tries.saturating_sub(1);
    if rest * 4 < whole * 3 - 4 || rest > whole {
        return Err(format!("a rest of {rest} ms after {tries} attempts"));
    }
    Ok(())
}

/// The answer without what is in it.
fn class(answer: &str) -> String {
    let mut words = answer.split(' ');
    let first = words.next().unwrap_or_default();
    match words.next() {
        Some(state @ ("InProgress" | "Succeeded" | "Failed")) => format!("{first} {state}"),
        _ => first.to_owned(),
    }
}
