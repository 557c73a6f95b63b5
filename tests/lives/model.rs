//! A broker with time in plain Rust: what is answered to a call, and what is remembered of it. It is written from the
//! contract, not from the broker's code, and knows no store and no queue but a list of operations.
//!
//! What platforms ask is here; what workers make of it is in [`crate::work`].

use std::collections::BTreeMap;

use catalog_broker::template::time::format_utc;
use serde_json::{Value, json};

use crate::offer::{self, PLANS, Plan, Respond};
use crate::steps::{Act, Ask, Ends, Named, Naming};

/// An operation, by its place in the order of their recording.
pub type Op = usize;
/// An instance, or a binding of it.
pub type Subject = (usize, Option<usize>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Provision,
    Update,
    Deprovision,
    Bind,
    Unbind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    InProgress,
    Succeeded,
    Failed,
}

/// What is told of an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub text: Option<String>,
    pub usable: Option<bool>,
    pub repeatable: Option<bool>,
    pub refused: bool,
}

impl Report {
    pub fn of(text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::default()
        }
    }
}

#[derive(Clone, Debug)]
pub struct Operation {
    pub kind: Kind,
    pub subject: Subject,
    pub state: State,
    pub report: Report,
    /// Of an update, as it was asked for.
    pub asked: Value,
    pub target: Option<Target>,
    pub finished: Option<i64>,
    pub queue: &'static str,
    pub max_attempts: u32,
    pub attempt: u32,
    pub tries: u32,
    /// The process that has a lease of it.
    pub owner: Option<u32>,
    /// When it may be taken up; of a leased one, when the lease ends.
    pub due: i64,
    pub waits_for: Option<Op>,
    /// Whether its subject was there before it: as what failed.
    pub remade: bool,
    /// Whether a broker made its name, so that polls can name it.
    pub named: bool,
    pub forgotten: bool,
}

impl Operation {
    pub fn runs(&self) -> bool {
        self.state == State::InProgress
    }

    /// Whether somebody may still act for it.
    pub fn leased(&self, now: i64) -> bool {
        self.owner.is_some() && self.due > now
    }
}

/// What an update makes of an instance.
#[derive(Clone, Debug)]
pub struct Target {
    pub plan: &'static Plan,
    pub size: Value,
}

#[derive(Clone, Debug)]
pub struct Instance {
    pub plan: &'static Plan,
    /// Plans that it had or was asked to have.
    pub former: Vec<&'static str>,
    asked: Value,
    pub size: Value,
    /// The latest operation.
    pub last: Op,
    pub dashboard: Option<String>,
    pub outputs: Value,
    pub left: Option<Value>,
    /// Its provision has not come to a good end yet.
    pub unmade: bool,
}

#[derive(Clone, Debug)]
pub struct Binding {
    plan: &'static Plan,
    asked: Value,
    level: Value,
    /// When it was asked for first: the oldest goes first, with its instance.
    pub created: i64,
    pub last: Op,
    pub credentials: Option<Value>,
    pub left: Option<Value>,
    /// When it ends, and when it is unbound for that, but for the grace.
    pub ends: Option<(i64, i64)>,
    /// Its bind has not come to a good end yet.
    unmade: bool,
}

impl Binding {
    /// What its plan's templates come to; what is nothing is left out.
    pub fn rendered(&self, token: &Value, instance: &Instance) -> serde_json::Map<String, Value> {
        let mut credentials = serde_json::Map::new();
        for (key, value) in [
            ("made", token),
            ("home", &instance.outputs),
            ("size", &instance.size),
            ("level", &self.level),
        ] {
            if !value.is_null() {
                credentials.insert(key.to_owned(), value.clone());
            }
        }
        credentials
    }

    pub fn made(&mut self, token: &Value, instance: &Instance) {
        self.credentials = Some(self.rendered(token, instance).into());
        self.unmade = false;
    }
}

/// An attempt that acts, as far as a process can tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Acting {
    pub process: u32,
    pub op: Op,
    pub attempt: u32,
    pub tries: u32,
    /// When its lease ends, as far as it knows.
    pub until: i64,
    /// The binding that it is about to take away, on the way of a deprovision.
    pub first: Option<usize>,
    /// What it was told.
    pub size: Value,
    pub left: Option<Value>,
}

#[derive(Default)]
pub struct Model {
    pub operations: Vec<Operation>,
    pub instances: BTreeMap<usize, Instance>,
    pub bindings: BTreeMap<(usize, usize), Binding>,
    pub acting: Vec<Acting>,
    /// How often an attempt came to an end: what backends return is told apart by it.
    pub ended: u32,
    /// What happened, and how often.
    pub seen: BTreeMap<&'static str, usize>,
    /// When each process has last forgotten something.
    pub swept: BTreeMap<u32, i64>,
    /// When each process has last looked for what has ended.
    pub looked: BTreeMap<u32, i64>,
    /// What is wrong with it on purpose.
    pub flaw: Option<Flaw>,
}

/// What a model may get wrong, to see that its word counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// What a delete cancels is waited for no longer.
    CancelDoesNotWait,
    /// The result of an attempt counts that comes after its lease.
    LateResultCounts,
    /// Attempts are not counted.
    TriesForEver,
    /// What is over is kept for ever.
    NeverSweeps,
    /// Of a failed create nothing stays.
    FailedCreateGoes,
    /// A delete that fails makes what was never made.
    FailedDeleteMakes,
    /// No binding ends.
    NothingEnds,
}

impl Flaw {
    pub const ALL: [Self; 7] = [
        Self::CancelDoesNotWait,
        Self::LateResultCounts,
        Self::TriesForEver,
        Self::NeverSweeps,
        Self::FailedCreateGoes,
        Self::FailedDeleteMakes,
        Self::NothingEnds,
    ];
}

/// How a call is answered; and where the platform waits in place for what it began, for which operation.
pub struct Answered {
    pub text: String,
    pub waits: Option<Op>,
}

type Verdict = Result<Reply, &'static str>;

/// What is answered by now.
enum Reply {
    Text(String),
    /// For an operation that has just been recorded.
    Began(Op),
    /// For one that runs already.
    Joined(Op),
}

/// What makes of an answer what is compared.
fn text(status: &str, body: &Value) -> Reply {
    Reply::Text(format!("{status} {body}"))
}

impl Model {
    pub fn ask(&mut self, process: u32, ask: &Ask, plan: &str, now: i64) -> Answered {
        let verdict = match ask.act {
            Act::Provision => self.provision(ask, plan, now),
            Act::Update => self.update(ask, plan, now),
            Act::Deprovision => self.deprovision(ask, plan, now),
            Act::Bind => self.bind(ask, plan, now),
            Act::Unbind => self.unbind(ask, plan, now),
            Act::Fetch => self.fetch(ask),
            Act::FetchBinding => self.fetch_binding(ask),
            Act::Poll => self.poll(ask, (ask.instance, None)),
            Act::PollBinding => self.poll(ask, (ask.instance, Some(ask.binding))),
        };
        let mut waits = None;
        let text = match verdict {
            Err(word) => word.to_owned(),
            Ok(Reply::Text(text)) => text,
            Ok(Reply::Joined(op)) => self.later(ask, op),
            Ok(Reply::Began(op)) => {
                self.look(process, now);
                let acts = self
                    .acting
                    .iter()
                    .any(|acting| acting.op == op && acting.process == process);
                match ask.prompt {
                    Some(ends) if acts && self.respond(op) != Respond::Async => {
                        waits = Some(op);
                        self.prompt(op, ends, now)
                    }
                    _ => self.later(ask, op),
                }
            }
        };
        Answered { text, waits }
    }

    pub fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// The plan that a call names: `its` is for where there is none.
    pub fn named(&self, ask: &Ask) -> String {
        match ask.naming {
            Naming::Its(home) => self
                .instances
                .get(&ask.instance)
                .map_or(PLANS[home].id, |instance| instance.plan.id),
            Naming::Of(plan) => PLANS[plan].id,
            Naming::Unknown => "no-such-plan",
        }
        .to_owned()
    }

    fn plan_of(&self, op: Op) -> &'static Plan {
        let operation = &self.operations[op];
        match &operation.target {
            Some(target) => target.plan,
            None => self.instances[&operation.subject.0].plan,
        }
    }

    fn respond(&self, op: Op) -> Respond {
        self.plan_of(op).respond
    }

    /// What a platform is answered that does not wait.
    fn later(&self, ask: &Ask, op: Op) -> String {
        match self.respond(op) {
            Respond::Sync => "StillRunning".to_owned(),
            Respond::Auto if !ask.accepts => "StillRunning".to_owned(),
            _ if matches!(ask.act, Act::Provision | Act::Update) => {
                format!("202 {op} {}", self.shown(ask.instance))
            }
            _ => format!("202 {op}"),
        }
    }

    /// What a platform is answered that waits until all is over.
    fn prompt(&mut self, op: Op, ends: Ends, now: i64) -> String {
        while let Some(at) = self.acting.iter().position(|acting| acting.op == op) {
            let ends = if self.acting[at].first.is_some() {
                Ends::Done
            } else {
                ends
            };
            self.end(at, ends, None, now);
        }
        let operation = &self.operations[op];
        match operation.state {
            State::Failed if operation.report.refused => "OperationRefused".to_owned(),
            State::Failed => "OperationFailed".to_owned(),
            _ => match (operation.kind, operation.subject) {
                (Kind::Provision, (i, _)) => format!("201 {}", self.shown(i)),
                (Kind::Update, (i, _)) => format!("200 {}", self.shown(i)),
                (Kind::Bind, (i, b)) => {
                    format!("201 {}", self.credentials(i, b.unwrap_or_default()))
                }
                _ => "200 {}".to_owned(),
            },
        }
    }

    fn shown(&self, instance: usize) -> Value {
        let dashboard = self
            .instances
            .get(&instance)
            .and_then(|instance| instance.dashboard.clone());
        dashboard.map_or(json!({}), |url| json!({ "dashboard_url": url }))
    }

    fn credentials(&self, instance: usize, binding: usize) -> Value {
        match self
            .bindings
            .get(&(instance, binding))
            .and_then(|binding| Some((binding.credentials.clone()?, binding.ends)))
        {
            Some((credentials, None)) => json!({ "credentials": credentials }),
            Some((credentials, Some((end, _)))) => json!({
                "metadata": { "expires_at": format_utc(end), "renew_before": format_utc(end - 60_000) },
                "credentials": credentials,
            }),
            None => json!({}),
        }
    }

    /// Row 14.
    fn agreed(plan: &Plan, ask: &Ask) -> Result<(), &'static str> {
        if plan.respond == Respond::Async && !ask.accepts {
            return Err("AsyncRequired");
        }
        Ok(())
    }

    fn joined(&self, op: Op, ask: &Ask) -> Verdict {
        Self::agreed(self.plan_of(op), ask)?;
        Ok(Reply::Joined(op))
    }

    fn last(&self, op: Op) -> (Kind, State) {
        let operation = &self.operations[op];
        (operation.kind, operation.state)
    }

    /// Whether something was never made, and nothing runs that may make it: a delete that failed does not change that.
    fn broken(&self, last: Op, unmade: bool) -> bool {
        let (kind, state) = self.last(last);
        let creates = matches!(kind, Kind::Provision | Kind::Bind);
        let stays = creates || self.flaw != Some(Flaw::FailedDeleteMakes);
        state == State::Failed && unmade && stays
    }

    fn provision(&mut self, ask: &Ask, plan: &str, now: i64) -> Verdict {
        let plan = offer::plan(plan).ok_or("PlanNotInCatalog")?;
        let asked = json!([plan.id, ask.space, ask.size]);
        let mut remade = false;
        if let Some(there) = self.instances.get(&ask.instance) {
            if there.asked != asked {
                return Err("InstanceConflict");
            }
            match self.last(there.last) {
                (Kind::Provision, State::InProgress) => return self.joined(there.last, ask),
                (Kind::Deprovision, State::InProgress) => return Err("ConcurrencyError"),
                _ if self.broken(there.last, there.unmade) => remade = true,
                _ => return Ok(text("200", &self.shown(ask.instance))),
            }
        }
        Self::agreed(plan, ask)?;
        let op = self.record(Kind::Provision, (ask.instance, None), plan, None, now);
        self.operations[op].remade = remade;
        let size = ask.size.map_or(Value::Null, Value::from);
        let left = self
            .instances
            .get(&ask.instance)
            .and_then(|there| there.left.clone());
        let instance = Instance {
            plan,
            former: Vec::new(),
            asked,
            // A platform that waits in place is shown it when it is made.
            dashboard: (plan.respond != Respond::Sync).then(|| dashboard(plan, &size)),
            size,
            last: op,
            outputs: Value::Null,
            left,
            unmade: true,
        };
        self.instances.insert(ask.instance, instance);
        Ok(Reply::Began(op))
    }

    fn update(&mut self, ask: &Ask, plan: &str, now: i64) -> Verdict {
        // The plan that it has counts as none.
        let named = offer::plan(plan).ok_or("PlanNotInCatalog")?;
        let instance = self
            .instances
            .get(&ask.instance)
            .ok_or("InstanceNotFound")?;
        let asked = json!([named.id, ask.size]);
        match self.last(instance.last) {
            (Kind::Update, State::InProgress) if self.operations[instance.last].asked == asked => {
                return self.joined(instance.last, ask);
            }
            (_, State::InProgress) => return Err("ConcurrencyError"),
            _ if self.broken(instance.last, instance.unmade) => return Err("InstanceNotUsable"),
            _ => {}
        }
        Self::agreed(named, ask)?;
        if self.binding_runs(ask.instance) {
            return Err("ConcurrencyError");
        }
        let size = ask.size.map_or(instance.size.clone(), Value::from);
        let target = Target { plan: named, size };
        let op = self.record(Kind::Update, (ask.instance, None), named, Some(target), now);
        self.operations[op].asked = asked;
        if let Some(instance) = self.instances.get_mut(&ask.instance) {
            instance.last = op;
            instance.former.push(named.id);
        }
        Ok(Reply::Began(op))
    }

    fn binding_runs(&self, instance: usize) -> bool {
        self.bindings
            .iter()
            .any(|(key, binding)| key.0 == instance && self.operations[binding.last].runs())
    }

    fn deprovision(&mut self, ask: &Ask, plan: &str, now: i64) -> Verdict {
        let Some(instance) = self.instances.get(&ask.instance) else {
            return Err("410");
        };
        if !instance.knows(plan) {
            return Err("PlanMismatch");
        }
        let (its, last) = (instance.plan, instance.last);
        let cancels = match self.last(last) {
            (Kind::Deprovision, State::InProgress) => return self.joined(last, ask),
            (Kind::Provision, State::InProgress) => Some(last),
            (_, State::InProgress) => return Err("ConcurrencyError"),
            _ => None,
        };
        Self::agreed(its, ask)?;
        if self.binding_runs(ask.instance) {
            return Err("ConcurrencyError");
        }
        self.cancel(cancels, now);
        let op = self.record(Kind::Deprovision, (ask.instance, None), its, None, now);
        self.waits(op, cancels, now);
        if let Some(instance) = self.instances.get_mut(&ask.instance) {
            instance.last = op;
        }
        Ok(Reply::Began(op))
    }

    fn bind(&mut self, ask: &Ask, plan: &str, now: i64) -> Verdict {
        let named = offer::plan(plan).ok_or("PlanNotInCatalog")?;
        let key = (ask.instance, ask.binding);
        let instance = self
            .instances
            .get(&ask.instance)
            .ok_or("InstanceNotFound")?;
        let asked = json!([named.id, ask.level]);
        let goes = self.last(instance.last) == (Kind::Deprovision, State::InProgress);
        let mut remade = false;
        if let Some(there) = self.bindings.get(&key) {
            if there.asked != asked {
                return Err("BindingConflict");
            }
            match self.last(there.last) {
                (Kind::Bind, State::InProgress) => return self.joined(there.last, ask),
                (_, State::InProgress) => return Err("ConcurrencyError"),
                _ if goes => return Err("ConcurrencyError"),
                _ if self.broken(there.last, there.unmade) => remade = true,
                _ => return Ok(text("200", &self.credentials(ask.instance, ask.binding))),
            }
        }
        if named.id != instance.plan.id {
            return Err("PlanMismatch");
        }
        match self.last(instance.last) {
            (_, State::InProgress) => return Err("ConcurrencyError"),
            _ if self.broken(instance.last, instance.unmade) => return Err("InstanceNotUsable"),
            _ => {}
        }
        Self::agreed(named, ask)?;
        let op = self.record(
            Kind::Bind,
            (ask.instance, Some(ask.binding)),
            named,
            None,
            now,
        );
        self.operations[op].remade = remade;
        let created = self.bindings.get(&key).map_or(now, |failed| failed.created);
        let binding = Binding {
            plan: named,
            asked,
            level: ask.level.map_or(Value::Null, Value::from),
            created,
            last: op,
            credentials: None,
            left: None,
            ends: named.ttl.map(|ttl| (now + ttl, now + ttl)),
            unmade: true,
        };
        self.bindings.insert(key, binding);
        Ok(Reply::Began(op))
    }

    fn unbind(&mut self, ask: &Ask, plan: &str, now: i64) -> Verdict {
        let key = (ask.instance, ask.binding);
        let (Some(instance), Some(binding)) =
            (self.instances.get(&ask.instance), self.bindings.get(&key))
        else {
            return Err("410");
        };
        if binding.plan.id != plan && !instance.knows(plan) {
            return Err("PlanMismatch");
        }
        if self.operations[instance.last].runs() {
            return Err("ConcurrencyError");
        }
        let (its, last) = (instance.plan, binding.last);
        let cancels = match self.last(last) {
            (Kind::Unbind, State::InProgress) => return self.joined(last, ask),
            (_, State::InProgress) => Some(last),
            _ => None,
        };
        Self::agreed(its, ask)?;
        self.cancel(cancels, now);
        let op = self.record(
            Kind::Unbind,
            (ask.instance, Some(ask.binding)),
            its,
            None,
            now,
        );
        self.waits(op, cancels, now);
        if let Some(binding) = self.bindings.get_mut(&key) {
            binding.last = op;
        }
        Ok(Reply::Began(op))
    }

    fn cancel(&mut self, cancels: Option<Op>, now: i64) {
        if let Some(op) = cancels {
            let operation = &mut self.operations[op];
            operation.state = State::Failed;
            operation.finished = Some(now);
            operation.report = Report::of("It was cancelled by a delete.");
        }
    }

    pub fn record(
        &mut self,
        kind: Kind,
        subject: Subject,
        plan: &'static Plan,
        target: Option<Target>,
        now: i64,
    ) -> Op {
        self.operations.push(Operation {
            kind,
            subject,
            state: State::InProgress,
            report: Report::default(),
            asked: Value::Null,
            target,
            finished: None,
            queue: plan.backend,
            max_attempts: plan.max_attempts,
            attempt: 0,
            tries: 0,
            owner: None,
            due: now,
            waits_for: None,
            remade: false,
            named: true,
            forgotten: false,
        });
        self.operations.len() - 1
    }

    /// What takes over acts only when the other's lease was given back or has run out.
    fn waits(&mut self, op: Op, cancels: Option<Op>, now: i64) {
        if self.flaw == Some(Flaw::CancelDoesNotWait) {
            return;
        }
        let Some(cancelled) = cancels else { return };
        if self.operations[cancelled].leased(now) {
            self.operations[op].due = self.operations[cancelled].due;
            self.note("a delete waits for what it cancels");
        }
        self.operations[op].waits_for = cancels;
    }

    fn fetch(&self, ask: &Ask) -> Verdict {
        let instance = self
            .instances
            .get(&ask.instance)
            .ok_or("InstanceNotFound")?;
        match self.last(instance.last) {
            (Kind::Update, State::InProgress) => return Err("ConcurrencyError"),
            (Kind::Update, _) | (_, State::Succeeded) => {}
            _ => return Err("InstanceNotFound"),
        }
        let body = json!([instance.plan.id, instance.size, self.shown(ask.instance)]);
        Ok(text("200", &body))
    }

    fn fetch_binding(&self, ask: &Ask) -> Verdict {
        let binding = self
            .bindings
            .get(&(ask.instance, ask.binding))
            .ok_or("BindingNotFound")?;
        let instance = &self.instances[&ask.instance];
        let goes = self.last(instance.last) == (Kind::Deprovision, State::InProgress);
        if goes || self.operations[binding.last].state != State::Succeeded {
            return Err("BindingNotFound");
        }
        Ok(text("200", &self.credentials(ask.instance, ask.binding)))
    }

    fn poll(&self, ask: &Ask, subject: Subject) -> Verdict {
        let found = match ask.named {
            Named::Known(back) => self.back(back).filter(|op| {
                let operation = &self.operations[*op];
                operation.subject == subject && !operation.forgotten
            }),
            Named::Nothing | Named::Unknown => None,
        };
        let of_it =
            |op: &Op| self.operations[*op].subject == subject && !self.operations[*op].forgotten;
        let found = found.or_else(|| (0..self.operations.len()).rev().find(of_it));
        let Some(op) = found else {
            return self.standing(subject);
        };
        let operation = &self.operations[op];
        if matches!(operation.kind, Kind::Deprovision | Kind::Unbind)
            && operation.state == State::Succeeded
        {
            return Err("410");
        }
        let every = self
            .instances
            .get(&subject.0)
            .and_then(|instance| instance.plan.poll_every);
        let after = every.filter(|_| operation.runs());
        Ok(Reply::Text(polled(
            operation.state,
            &operation.report,
            after,
        )))
    }

    /// What lives longer than its operations are kept still stands where the last one left it.
    fn standing(&self, (instance, binding): Subject) -> Verdict {
        let last = match binding {
            None => self.instances.get(&instance).map(|instance| instance.last),
            Some(binding) => self
                .bindings
                .get(&(instance, binding))
                .map(|binding| binding.last),
        };
        let last = last.ok_or("OperationNotFound")?;
        Ok(Reply::Text(polled(
            self.operations[last].state,
            &Report::default(),
            None,
        )))
    }

    /// The operation so far back that a broker has a name for.
    pub fn back(&self, back: usize) -> Option<Op> {
        let named = (0..self.operations.len())
            .rev()
            .filter(|op| self.operations[*op].named);
        named.clone().nth(back)
    }
}

impl Instance {
    fn knows(&self, plan: &str) -> bool {
        self.plan.id == plan || self.former.contains(&plan)
    }
}

pub fn dashboard(plan: &Plan, size: &Value) -> String {
    let size = if size.is_null() {
        "none".to_owned()
    } else {
        size.to_string()
    };
    format!("https://dash.example.com/{}/{size}", plan.name)
}

/// A poll's answer in one line.
pub fn polled(state: State, report: &Report, after: Option<u64>) -> String {
    format!(
        "200 {state:?} {:?} {:?} {:?} {} {after:?}",
        report.text, report.usable, report.repeatable, report.refused
    )
}
