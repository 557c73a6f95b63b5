//! The model of those who carry operations out: what is taken up when, what comes of it, what is forgotten.

use serde_json::{Value, json};

use crate::model::{Acting, Binding, Flaw, Kind, Model, Op, Operation, Report, State, dashboard};
use crate::offer::{LIMIT, NARROW};
use crate::steps::{Ends, GRACE, HOUR, KEEP, LEASE, SECOND};

/// What is told of a bind that came to no credentials.
const NOTHING: &str = "The broker could not make the answer out of the plan's templates. Ask the operator of the broker: its log names the place.";

/// How often a process looks for what can be forgotten, at most.
const SWEEP_EVERY: i64 = 60 * SECOND;

impl Model {
    /// A process looks, until nothing is due.
    pub fn look(&mut self, process: u32, now: i64) {
        self.expire(process, now);
        while let Some(op) = self.next_due(now) {
            self.take(process, op, now);
        }
        if self
            .operations
            .iter()
            .any(|operation| operation.runs() && operation.due <= now)
        {
            self.note("held back by the limit");
        }
        self.sweep(process, now);
    }

    /// What has ended is unbound as if its platform had asked for it; what that comes to is seen after a rest.
    fn expire(&mut self, process: u32, now: i64) {
        let last = self.looked.get(&process);
        if last.is_some_and(|last| now < last + SECOND) {
            return;
        }
        self.looked.insert(process, now);
        if self.flaw == Some(Flaw::NothingEnds) {
            return;
        }
        let by = now - GRACE;
        let keys: Vec<(usize, usize)> = self.bindings.keys().copied().collect();
        for key in keys {
            let Some(binding) = self.bindings.get_mut(&key) else {
                continue;
            };
            let Some((end, due)) = binding.ends else {
                continue;
            };
            if due > by || self.operations[binding.last].runs() {
                continue;
            }
            binding.ends = Some((end, by + (by - end).clamp(60 * SECOND, HOUR)));
            let instance = &self.instances[&key.0];
            if self.operations[instance.last].runs() {
                self.note("what has ended waits for its instance");
                continue;
            }
            let (its, last) = (instance.plan, binding.last);
            let note = match self.operations[last].kind {
                Kind::Unbind => "unbound once more, for it has ended",
                _ => "unbound, for it has ended",
            };
            self.note(note);
            let op = self.record(Kind::Unbind, (key.0, Some(key.1)), its, None, now);
            if let Some(binding) = self.bindings.get_mut(&key) {
                binding.last = op;
            }
        }
    }

    /// Whether there is a binding that will end by itself.
    pub fn anything_ends(&self) -> bool {
        let ends = |binding: &Binding| binding.ends.is_some();
        self.flaw != Some(Flaw::NothingEnds) && self.bindings.values().any(ends)
    }

    fn next_due(&self, now: i64) -> Option<Op> {
        let in_narrow = |operation: &&Operation| operation.queue == NARROW && operation.leased(now);
        let full = self.operations.iter().filter(in_narrow).count() >= LIMIT;
        let due = |op: &Op| {
            let operation = &self.operations[*op];
            operation.runs() && operation.due <= now && !(full && operation.queue == NARROW)
        };
        (0..self.operations.len())
            .filter(due)
            .min_by_key(|op| (self.operations[*op].due, *op))
    }

    fn take(&mut self, process: u32, op: Op, now: i64) {
        self.note(match &self.operations[op] {
            operation if operation.attempt == 0 => "taken up",
            operation if operation.owner.is_some() => "taken up after a lease ran out",
            _ => "taken up once more",
        });
        let operation = &mut self.operations[op];
        operation.attempt += 1;
        operation.tries += 1;
        operation.owner = Some(process);
        operation.due = now + LEASE;
        let (attempt, tries) = (operation.attempt, operation.tries);
        if tries > operation.max_attempts && self.flaw != Some(Flaw::TriesForEver) {
            self.note("given up at its beginning");
            let report = given_up(self.operations[op].kind, tries - 1, None);
            self.over(op, attempt, State::Failed, report, None, now);
            return;
        }
        self.act(process, op, (attempt, tries), now + LEASE);
    }

    /// An attempt stands in the backend: of a deprovision first with each binding.
    fn act(&mut self, process: u32, op: Op, (attempt, tries): (u32, u32), until: i64) {
        let operation = &self.operations[op];
        let (i, b) = operation.subject;
        let instance = &self.instances[&i];
        let first = match operation.kind {
            Kind::Deprovision => self
                .bindings
                .iter()
                .filter(|(key, _)| key.0 == i)
                .min_by_key(|(_, binding)| binding.created)
                .map(|(key, _)| key.1),
            _ => None,
        };
        let left = match b.or(first) {
            Some(b) => self.bindings[&(i, b)].left.clone(),
            None => instance.left.clone(),
        };
        let size = match &operation.target {
            Some(target) => target.size.clone(),
            None => instance.size.clone(),
        };
        self.acting.push(Acting {
            process,
            op,
            attempt,
            tries,
            until,
            first,
            size,
            left,
        });
    }

    /// What comes of an attempt; `due` is when the broker wants to make the next one, where that is its own to say.
    pub fn end(&mut self, at: usize, ends: Ends, due: Option<i64>, now: i64) {
        let acting = self.acting.remove(at);
        let token = token(self.ended);
        self.ended += 1;
        let (op, attempt) = (acting.op, acting.attempt);
        if self.lapsed(&acting, now) {
            return;
        }
        if let Some(binding) = acting.first {
            match ends {
                Ends::Done | Ends::DoneBare => self.unbound(&acting, binding, now),
                Ends::Refused => {
                    let report = Report::of(format!("refused {token}"));
                    self.over(op, attempt, State::Failed, report, None, now);
                }
                _ => self.conclude(&acting, ends, &token, due, now),
            }
        } else {
            self.conclude(&acting, ends, &token, due, now);
        }
    }

    /// Whether an attempt has slept through its lease: whatever wakes it, it does nothing more, and nobody hears of it.
    fn lapsed(&mut self, acting: &Acting, now: i64) -> bool {
        let lapsed = acting.until <= now && self.flaw != Some(Flaw::LateResultCounts);
        if lapsed {
            self.note("ended with its lease");
        }
        lapsed
    }

    fn unbound(&mut self, acting: &Acting, binding: usize, now: i64) {
        let (op, attempt) = (acting.op, acting.attempt);
        self.note("unbound on the way of a deprovision");
        let instance = self.operations[op].subject.0;
        self.bindings.remove(&(instance, binding));
        self.operations.push(Operation {
            kind: Kind::Unbind,
            subject: (instance, Some(binding)),
            state: State::Succeeded,
            report: Report::default(),
            finished: Some(now),
            owner: None,
            named: false,
            ..self.operations[op].clone()
        });
        self.act(acting.process, op, (attempt, acting.tries), acting.until);
    }

    /// Whether an attempt is the latest of an operation that is not over.
    fn counts(&self, op: Op, attempt: u32) -> bool {
        let operation = &self.operations[op];
        operation.runs()
            && (operation.attempt == attempt || self.flaw == Some(Flaw::LateResultCounts))
    }

    fn conclude(&mut self, acting: &Acting, ends: Ends, token: &str, due: Option<i64>, now: i64) {
        let (op, attempt) = (acting.op, acting.attempt);
        let kind = self.operations[op].kind;
        match ends {
            Ends::Done => {
                let report = Report::of(format!("done {token}"));
                self.over(
                    op,
                    attempt,
                    State::Succeeded,
                    report,
                    Some(json!(token)),
                    now,
                );
            }
            Ends::DoneBare if self.comes_to_nothing(op) => {
                self.note("bound to nothing");
                self.over(op, attempt, State::Failed, Report::of(NOTHING), None, now);
            }
            Ends::DoneBare => {
                self.over(
                    op,
                    attempt,
                    State::Succeeded,
                    Report::default(),
                    Some(Value::Null),
                    now,
                );
            }
            Ends::Refused => {
                let first = attempt <= 1 && acting.tries <= 1;
                let untouched = first && matches!(kind, Kind::Update | Kind::Deprovision);
                let report = Report {
                    refused: true,
                    usable: untouched.then_some(true),
                    ..Report::of(format!("refused {token}"))
                };
                self.over(op, attempt, State::Failed, report, None, now);
            }
            Ends::Failed => {
                let report = Report::of(format!("failed {token}"));
                self.over(op, attempt, State::Failed, report, None, now);
            }
            Ends::FailedFlags(usable, repeatable) => {
                let report = Report {
                    usable: Some(usable)
                        .filter(|_| matches!(kind, Kind::Update | Kind::Deprovision)),
                    repeatable: Some(repeatable).filter(|_| kind == Kind::Update),
                    ..Report::of(format!("failed {token}"))
                };
                self.over(op, attempt, State::Failed, report, None, now);
            }
            Ends::Again(after) => {
                let said = format!("again {token}");
                if acting.tries >= self.operations[op].max_attempts
                    && self.flaw != Some(Flaw::TriesForEver)
                {
                    self.note("given up at its end");
                    let report = given_up(kind, acting.tries, Some(&said));
                    self.over(op, attempt, State::Failed, report, None, now);
                } else if self.counts(op, attempt) {
                    let after = after.map(|after| now + i64::from(after));
                    let operation = &mut self.operations[op];
                    operation.owner = None;
                    operation.due = after.or(due).unwrap_or(now);
                    operation.report = Report::of(said);
                } else {
                    self.note("late again refused");
                    self.stopped(op, attempt, now);
                }
            }
        }
    }

    /// Whether a bind that returns no outputs has no credentials at all: that is no binding which anybody can use.
    fn comes_to_nothing(&self, op: Op) -> bool {
        let (i, b) = self.operations[op].subject;
        let bound = b.and_then(|b| self.bindings.get(&(i, b)));
        let instance = self.instances.get(&i);
        self.operations[op].kind == Kind::Bind
            && bound
                .zip(instance)
                .is_some_and(|(binding, its)| binding.rendered(&Value::Null, its).is_empty())
    }

    fn over(
        &mut self,
        op: Op,
        attempt: u32,
        state: State,
        report: Report,
        done: Option<Value>,
        now: i64,
    ) {
        if !self.counts(op, attempt) {
            self.note("late result refused");
            self.stopped(op, attempt, now);
            return;
        }
        let operation = &mut self.operations[op];
        operation.state = state;
        operation.finished = Some(now);
        operation.owner = None;
        let first = operation.tries <= 1 && operation.attempt <= 1;
        let nothing_was_done = report.refused && first && !operation.remade;
        let refused = report.refused;
        operation.report = report;
        let (kind, (i, b)) = (operation.kind, operation.subject);
        let creates = matches!(kind, Kind::Provision | Kind::Bind);
        self.note(match (done.is_some(), refused) {
            (true, _) => "done",
            (_, true) if creates && nothing_was_done => "refused, and nothing stays",
            (_, true) => "refused, and something stays",
            (_, false) => "failed",
        });
        match (done, kind) {
            (Some(_), Kind::Deprovision) => {
                self.instances.remove(&i);
            }
            (Some(_), Kind::Unbind) => {
                self.bindings.remove(&(i, b.unwrap_or_default()));
            }
            (Some(token), Kind::Bind) => self.bound((i, b.unwrap_or_default()), &token),
            (Some(token), _) => self.made(op, i, &token),
            (None, Kind::Provision)
                if nothing_was_done || self.flaw == Some(Flaw::FailedCreateGoes) =>
            {
                self.instances.remove(&i);
            }
            (None, Kind::Bind) if nothing_was_done || self.flaw == Some(Flaw::FailedCreateGoes) => {
                self.bindings.remove(&(i, b.unwrap_or_default()));
            }
            (None, _) => {}
        }
    }

    fn bound(&mut self, key: (usize, usize), token: &Value) {
        let (Some(instance), Some(binding)) =
            (self.instances.get(&key.0), self.bindings.get_mut(&key))
        else {
            return;
        };
        binding.made(token, instance);
        binding.left = state(token);
    }

    fn made(&mut self, op: Op, i: usize, token: &Value) {
        let target = self.operations[op].target.clone();
        let Some(instance) = self.instances.get_mut(&i) else {
            return;
        };
        if let Some(target) = &target {
            if target.plan != instance.plan {
                instance.former.push(instance.plan.id);
            }
            instance.plan = target.plan;
            instance.size = target.size.clone();
        }
        if target.is_none() || !token.is_null() {
            instance.outputs = token.clone();
        }
        instance.unmade = false;
        instance.left = state(token).or(instance.left.take());
        instance.dashboard = Some(dashboard(instance.plan, &instance.size));
    }

    /// An attempt acts no more: what waited for its lease goes on.
    fn stopped(&mut self, op: Op, attempt: u32, now: i64) {
        let operation = &mut self.operations[op];
        if operation.attempt == attempt && !operation.runs() && operation.owner.is_some() {
            operation.owner = None;
            self.release(op, now);
        }
    }

    fn release(&mut self, cancelled: Op, now: i64) {
        let mut released = false;
        for operation in &mut self.operations {
            let waits = operation.waits_for == Some(cancelled)
                && operation.runs()
                && operation.attempt == 0;
            if waits && operation.due > now {
                operation.due = now;
                released = true;
            }
        }
        if released {
            self.note("what a delete cancels lets it go");
        }
    }

    /// An attempt says how far it is.
    pub fn say(&mut self, at: usize, said: &str, now: i64) {
        let acting = self.acting[at].clone();
        if self.lapsed(&acting, now) {
            self.acting.remove(at);
            return;
        }
        let (op, attempt) = (acting.op, acting.attempt);
        let operation = &mut self.operations[op];
        if operation.runs() && operation.attempt == attempt && operation.leased(now) {
            operation.due = now + LEASE;
            operation.report = Report::of(said);
            self.acting[at].until = now + LEASE;
            self.note("lease renewed");
        } else {
            self.note("lease lost");
            self.acting.remove(at);
            self.stopped(op, attempt, now);
        }
    }

    /// A process dies: its leases stay behind.
    pub fn crash(&mut self, process: u32) {
        self.acting.retain(|acting| acting.process != process);
        self.swept.remove(&process);
        self.looked.remove(&process);
    }

    /// A process stops: its attempts do not count, and others go on at once.
    pub fn stop(&mut self, process: u32, now: i64) {
        self.crash(process);
        for op in 0..self.operations.len() {
            let operation = &mut self.operations[op];
            if operation.owner != Some(process) {
                continue;
            }
            operation.owner = None;
            if operation.runs() {
                operation.due = now;
                operation.tries -= 1;
                self.note("given back");
            } else {
                self.release(op, now);
            }
        }
    }

    fn sweep(&mut self, process: u32, now: i64) {
        let swept = self.swept.entry(process).or_insert(now);
        if now < *swept + SWEEP_EVERY || self.flaw == Some(Flaw::NeverSweeps) {
            return;
        }
        *swept = now;
        let before = now - KEEP;
        let mut forgotten = 0;
        for operation in &mut self.operations {
            let over = operation.finished.is_some_and(|finished| finished < before);
            if over && (operation.owner.is_none() || operation.due < before) {
                forgotten += usize::from(!operation.forgotten);
                operation.forgotten = true;
            }
        }
        *self.seen.entry("forgotten").or_default() += forgotten;
    }
}

/// What a backend returns is told apart by this.
pub fn token(ended: u32) -> String {
    format!("t{ended}")
}

/// What a backend leaves for itself.
fn state(token: &Value) -> Option<Value> {
    (!token.is_null()).then(|| token.clone())
}

fn given_up(kind: Kind, tries: u32, said: Option<&str>) -> Report {
    let text = match said {
        Some(said) => format!("{said} (given up after {tries} attempts)"),
        None => format!("The operation was given up after {tries} attempts."),
    };
    Report {
        repeatable: (kind == Kind::Update).then_some(true),
        ..Report::of(text)
    }
}
