//! A platform that lives lives: provisions, binds, updates, asks again, changes its mind and takes away, and holds every
//! answer against what it was answered before.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::chance::Chance;
use crate::checker;
use crate::figures::Figures;
use crate::fleet::Fleet;
use crate::harness::{PASSWORD, USER, at_binding, at_instance, basic};
use crate::http::{Connection, Request, Response};
use crate::lendings::{Holders, pool_of};
use crate::worlds::{Belief, Call, Heard, Mood, Thing, Want, World};

/// What all clients of a run share.
pub struct Stage {
    pub fleet: Fleet,
    pub figures: Figures,
    pub stop: AtomicBool,
    pub faults: Mutex<Vec<String>>,
    /// The plans that an instance may have one after the other.
    pub plans: Plans,
    pub holders: Holders,
    /// How long anything may take that must come to its end.
    pub patience: Duration,
}

/// Groups of plans; an instance goes from one to the other within one of them.
pub type Plans = &'static [&'static [&'static str]];

impl Stage {
    pub fn fault(&self, what: String) {
        self.faults.lock().expect("a lock").push(what);
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Whether there are entries that clients have to share.
    fn lends(&self) -> bool {
        self.plans == LENDING
    }

    /// How many lives a client goes on with.
    fn most_lives(&self) -> usize {
        if self.lends() { 4 } else { usize::MAX }
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn is_lost(&self) -> bool {
        !self.faults.lock().expect("a lock").is_empty()
    }
}

/// What a client says in the end of each id that it used.
pub type Said = BTreeMap<String, World>;

/// Backends that keep a journal, and none.
pub const ACTING: Plans = &[
    &["fixed-now", "fixed-later"],
    &["command-sync", "command-async"],
    &["command-auto"],
    &["webhook-sync", "webhook-async"],
    &["webhook-auto"],
];

/// Backends that keep none: what was made and lent is looked at in the end.
pub const LENDING: Plans = &[
    &["sql-sync", "sql-async"],
    &["sql-auto"],
    &["sql-async", "sql-sync"],
    &["seat-lent"],
    &["room-lent"],
];

/// Whether the plan's backend is told by parameters how it should go, and writes down what it did.
pub fn keeps_journal(plan: &str) -> bool {
    plan.starts_with("command") || plan.starts_with("webhook")
}

const BINDINGS: &[&str] = &["b-1", "b-2"];

/// What becomes of a request.
enum Sent {
    /// Nobody listens.
    Not,
    /// There is no word of what came of it.
    Cut,
    Answered(Response),
}

/// A fault was found, and the run is over.
struct Lost;

type Lives<T> = Result<T, Lost>;

/// One instance id, and what is believed of it.
struct Life {
    id: String,
    belief: Belief,
    /// What bindings were answered with, as long as they are there.
    credentials: BTreeMap<&'static str, Value>,
    /// Whether 202 is taken where the plan leaves the choice.
    waits: bool,
}

struct Client<'a> {
    stage: &'a Stage,
    chance: Chance,
    n: u32,
}

/// Goes on until the run is over, and says then how things stand.
pub fn live(stage: &Stage, number: usize, chance: Chance) -> Said {
    let mut client = Client {
        stage,
        chance,
        n: 0,
    };
    let mut lives = Vec::new();
    for round in 0.. {
        if stage.is_over() {
            break;
        }
        let again = client.chance.one_in(3) || lives.len() >= stage.most_lives();
        if stage.lends() && !lives.is_empty() {
            // The oldest first: nobody keeps an entry that others wait for through all of the run.
            lives.rotate_left(1);
        }
        let life = match lives.pop() {
            Some(life) if again => life,
            other => {
                lives.extend(other);
                Life {
                    id: format!("i-{number}-{round}"),
                    belief: Belief::new(stage.fleet.is_shared()),
                    credentials: BTreeMap::new(),
                    waits: false,
                }
            }
        };
        lives.push(life);
        let life = lives.last_mut().expect("a life");
        if client.life(life).is_err() {
            break;
        }
    }
    lives
        .into_iter()
        .map_while(|life| client.end(life).ok())
        .collect()
}

/// Provisions and binds once more, and leaves it there: whoever looks for a login finds one, whatever became of the lives.
/// What goes wrong is a fault.
pub fn move_in(fleet: &Fleet) -> Vec<String> {
    let life = Life {
        id: "i-stays".to_owned(),
        belief: Belief::new(fleet.is_shared()),
        credentials: BTreeMap::new(),
        waits: true,
    };
    let want = Want {
        plan: "sql-sync",
        n: 0,
        mood: Mood::Well,
        keeps: false,
    };
    let calls = [Call::Provision(want), Call::Bind(BINDINGS[0], want)];
    let asked = calls.iter().map(|call| {
        let mut connection = Connection::open(fleet.address(0)?).ok()?;
        connection.send(&request(&life, call)).ok()
    });
    asked
        .filter(|answer| answer.as_ref().is_none_or(|answer| answer.status != 201))
        .map(|answer| {
            let said = answer.map(|answer| answer.text());
            format!("nobody moves in: {said:?}")
        })
        .collect()
}

impl Client<'_> {
    fn want(&mut self, plan: &'static str) -> Want {
        self.n += 1;
        let told = keeps_journal(plan);
        let mood = match self.chance.below(12) {
            0 if told => Mood::Again,
            1 if told => Mood::Fails,
            2 if told => Mood::Refuses,
            _ => Mood::Well,
        };
        Want {
            plan,
            n: self.n,
            mood,
            keeps: told && self.chance.one_in(8),
        }
    }

    /// From provision to deprovision, or until it is left alone.
    fn life(&mut self, life: &mut Life) -> Lives<()> {
        let plans = *self.chance.of(self.stage.plans);
        if is_absent(life) {
            life.waits = plans.len() == 1 && self.chance.one_in(3);
            let plan = *self.chance.of(plans);
            let want = self.want(plan);
            self.provision(life, want)?;
        }
        for _ in 0..self.chance.below(7) {
            let Some(world) = life.belief.settled() else {
                break;
            };
            let Thing::There(has) = &world.thing else {
                break;
            };
            let plan = has.plan();
            let groups = self.stage.plans.iter();
            let group = groups
                .clone()
                .find(|plans| plans.contains(&plan))
                .expect("a group");
            let binding = *self.chance.of(BINDINGS);
            match self.chance.below(10) {
                0..=3 => {
                    let want = Want {
                        keeps: false,
                        ..self.want(plan)
                    };
                    self.bind(life, binding, want)?;
                }
                4 | 5 => self.finish(life, &Call::Unbind(binding))?,
                6 | 7 => {
                    let to = *self.chance.of(group);
                    let want = Want {
                        keeps: false,
                        ..self.want(to)
                    };
                    self.finish(life, &Call::Update(want))?;
                }
                8 => {
                    // The same once more, and another under the same id.
                    let first = has.first();
                    self.finish(life, &Call::Provision(first))?;
                    let other = Want {
                        n: first.n + 1_000_000,
                        ..first
                    };
                    self.finish(life, &Call::Provision(other))?;
                }
                _ => {
                    self.finish(life, &Call::Fetch)?;
                }
            }
        }
        let left = if self.stage.lends() { 2 } else { 8 };
        if self.chance.below(left) > 0 || !is_there(life) {
            self.take_away(life)?;
        }
        Ok(())
    }

    fn provision(&mut self, life: &mut Life, want: Want) -> Lives<()> {
        self.make(life, &Call::Provision(want), &Call::Deprovision)?;
        let broken = life
            .belief
            .settled()
            .is_some_and(|world| matches!(world.thing, Thing::Broken(_)));
        if broken && self.chance.one_in(2) {
            if want.keeps {
                // The delete fails, and it stays what it is.
                self.finish(life, &Call::Deprovision)?;
            }
            if !is_absent(life) {
                self.make(life, &Call::Provision(want), &Call::Deprovision)?;
            }
        }
        self.finish(life, &Call::Fetch)
    }

    fn bind(&mut self, life: &mut Life, id: &'static str, want: Want) -> Lives<()> {
        self.make(life, &Call::Bind(id, want), &Call::Unbind(id))?;
        self.finish(life, &Call::FetchBinding(id))
    }

    /// Asks for something, twice at once now and then, to its end; or changes its mind.
    fn make(&mut self, life: &mut Life, call: &Call, undo: &Call) -> Lives<()> {
        let cancels = self.chance.one_in(6);
        let begun = Instant::now();
        if self.chance.one_in(6) {
            self.twice(life, call)?;
        }
        let mut cuts = 0;
        loop {
            let heard = self.ask(life, call)?;
            match heard {
                // As platforms do: what they do not know of, they take away.
                None if cancels || cuts > 20 => return self.finish(life, undo),
                None => cuts += 1,
                Some(heard) if heard.status == 202 || heard.word == "StillRunning" => {
                    if cancels {
                        self.rest(60);
                        return self.finish(life, undo);
                    }
                    if let Some(operation) = heard.operation
                        && self.await_end(life, call, operation)?
                    {
                        break;
                    }
                }
                Some(heard) if heard.word == "ConcurrencyError" => {}
                Some(_) => break,
            }
            self.within_reason(begun, life, call)?;
            self.rest(80);
        }
        self.stage.figures.took(begun.elapsed());
        Ok(())
    }

    /// Asks until there is an end.
    fn finish(&mut self, life: &mut Life, call: &Call) -> Lives<()> {
        let begun = Instant::now();
        loop {
            match self.ask(life, call)? {
                Some(heard) if heard.status == 202 => {
                    let operation = heard.operation.unwrap_or_default();
                    if self.await_end(life, call, operation)? {
                        break;
                    }
                }
                Some(heard) if matches!(&*heard.word, "StillRunning" | "ConcurrencyError") => {}
                Some(_) => break,
                None => {}
            }
            self.within_reason(begun, life, call)?;
            self.rest(80);
        }
        if call.changes() {
            self.stage.figures.took(begun.elapsed());
        }
        Ok(())
    }

    /// Polls an operation to its end, and asks for the same now and then; false where the rest is the caller's.
    fn await_end(&mut self, life: &mut Life, call: &Call, operation: String) -> Lives<bool> {
        let binding = match call {
            Call::Bind(id, _) | Call::Unbind(id) => Some(*id),
            _ => None,
        };
        let poll = Call::Poll(binding, operation);
        let begun = Instant::now();
        loop {
            self.rest(50);
            match self.ask(life, &poll)? {
                Some(heard) if heard.word != "in progress" => return Ok(true),
                _ => {}
            }
            if self.chance.one_in(8) {
                return Ok(false);
            }
            self.within_reason(begun, life, call)?;
        }
    }

    /// Nothing stays in progress for ever.
    fn within_reason(&self, begun: Instant, life: &Life, call: &Call) -> Lives<()> {
        if self.stage.is_lost() {
            return Err(Lost);
        }
        if begun.elapsed() > self.stage.patience {
            let what = format!(
                "{call:?} of {} does not end: {:?}",
                life.id,
                life.belief.settled()
            );
            self.stage.fault(what);
            return Err(Lost);
        }
        Ok(())
    }

    fn take_away(&mut self, life: &mut Life) -> Lives<()> {
        let begun = Instant::now();
        loop {
            self.finish(life, &Call::Deprovision)?;
            if is_absent(life) {
                return Ok(());
            }
            match life.belief.settled() {
                // Its delete has failed.
                Some(_) => {}
                // What was never answered may come yet: it is seen to in the end.
                None => return Ok(()),
            }
            self.within_reason(begun, life, &Call::Deprovision)?;
        }
    }

    /// Until there is one way only that things can stand.
    fn end(&mut self, mut life: Life) -> Lives<(String, World)> {
        let begun = Instant::now();
        loop {
            // All are ready: what was sent before is done, or never will be.
            self.rest(100);
            life.belief.lay_ghosts();
            for id in BINDINGS {
                self.finish(&mut life, &Call::FetchBinding(id))?;
            }
            self.finish(&mut life, &Call::Fetch)?;
            if let Some(world) = life.belief.settled()
                && (world.thing == Thing::Absent || is_there(&life) && is_quiet(&world))
            {
                return Ok((life.id, world));
            }
            self.take_away(&mut life)?;
            self.within_reason(begun, &life, &Call::Deprovision)?;
        }
    }

    fn rest(&mut self, most: u64) {
        thread::sleep(Duration::from_millis(5 + self.chance.below(most)));
    }

    /// The same request at two brokers at once: one of them is first, the other finds it.
    fn twice(&mut self, life: &mut Life, call: &Call) -> Lives<()> {
        let requests = [request(life, call), request(life, call)];
        let [one, other] = [self.address(), self.address()];
        let answers = thread::scope(|scope| {
            let first = scope.spawn(|| self.send(one, &requests[0], call));
            let second = self.send(other, &requests[1], call);
            [first.join().expect("an answer"), second]
        });
        let heard: Vec<Option<Heard>> = answers
            .iter()
            .filter_map(|sent| match sent {
                Sent::Not => None,
                Sent::Cut => Some(None),
                Sent::Answered(response) => Some(Some(heard(response))),
            })
            .collect();
        let turned = heard.iter().rev().cloned().collect();
        let mut complaint = String::new();
        for order in [heard, turned] {
            let mut belief = life.belief.clone();
            match order
                .iter()
                .try_for_each(|heard| belief.hear(call, heard.as_ref()))
            {
                Ok(()) => {
                    life.belief = belief;
                    return Ok(());
                }
                Err(why) => complaint = why,
            }
        }
        self.stage.fault(format!("{}: {complaint}", life.id));
        Err(Lost)
    }

    /// One call, and what the belief makes of its answer; nothing where there is none.
    fn ask(&mut self, life: &mut Life, call: &Call) -> Lives<Option<Heard>> {
        let request = request(life, call);
        if self.stage.is_lost() {
            return Err(Lost);
        }
        self.lets_go(life, call);
        let address = self.address();
        let sent = match self.send(address, &request, call) {
            Sent::Not => return Ok(None),
            Sent::Cut => None,
            Sent::Answered(response) => Some(response),
        };
        let told = sent.as_ref().map(heard);
        if let Err(complaint) = life.belief.hear(call, told.as_ref()) {
            let body = sent.map(|response| response.text());
            self.stage
                .fault(format!("{}: {complaint}\n  {body:?}", life.id));
            return Err(Lost);
        }
        self.compare(life, call, sent.as_ref())?;
        Ok(told)
    }

    /// Credentials are the same for every repeat and fetch, as long as the binding is there.
    fn compare(&self, life: &mut Life, call: &Call, sent: Option<&Response>) -> Lives<()> {
        let id = match call {
            Call::Bind(id, _) | Call::FetchBinding(id) => id,
            Call::Unbind(id) => {
                life.credentials.remove(id);
                return Ok(());
            }
            Call::Deprovision => {
                life.credentials.clear();
                return Ok(());
            }
            _ => return Ok(()),
        };
        let Some(response) = sent.filter(|response| matches!(response.status, 200 | 201)) else {
            return Ok(());
        };
        let now = response.json()["credentials"].clone();
        if let Some(entry) = now["entry"].as_str() {
            self.holds(life, id, entry)?;
        }
        let known = life.credentials.entry(id).or_insert_with(|| now.clone());
        if *known == now {
            return Ok(());
        }
        let what = format!("{} {id}: {known} was answered, then {now}", life.id);
        self.stage.fault(what);
        Err(Lost)
    }

    /// What was lent is nobody's from the moment that it is given back.
    fn lets_go(&self, life: &Life, call: &Call) {
        let binding = match call {
            Call::Unbind(id) => Some((*id).to_owned()),
            Call::Deprovision => None,
            _ => return,
        };
        self.stage.holders.goes(&(life.id.clone(), binding));
    }

    /// Nobody else has it. Where a request may come to its end later than the next one, who has it is not known.
    fn holds(&self, life: &Life, binding: &str, entry: &str) -> Lives<()> {
        if self.stage.fleet.is_shared() {
            return Ok(());
        }
        let binding = (pool_of(entry) == "seat").then(|| binding.to_owned());
        let holder = (life.id.clone(), binding);
        self.stage.holders.has(entry, &holder).map_err(|what| {
            self.stage.fault(what);
            Lost
        })
    }

    fn address(&mut self) -> usize {
        let size = self.stage.fleet.size() as u64;
        usize::try_from(self.chance.below(size)).expect("a number")
    }

    /// A store that is away says nothing of what came of it, either.
    fn send(&self, broker: usize, request: &Request, call: &Call) -> Sent {
        let figures = &self.stage.figures;
        let verb = verb(call);
        let connection = self.stage.fleet.address(broker).map(Connection::open);
        let Some(Ok(mut connection)) = connection else {
            figures.answered(verb, "not sent".to_owned());
            return Sent::Not;
        };
        let Ok(response) = connection.send(request) else {
            figures.answered(verb, "cut".to_owned());
            return Sent::Cut;
        };
        let word = response.word();
        let outcome = if word.is_empty() {
            String::new()
        } else {
            format!(" {word}")
        };
        figures.answered(verb, format!("{}{outcome}", response.status));
        if let Err(complaint) = checker::check(request, &response, &[]) {
            self.stage
                .fault(format!("{complaint}: {request:?} {}", response.text()));
        }
        if response.status == 503 {
            Sent::Cut
        } else {
            Sent::Answered(response)
        }
    }
}

fn request(life: &Life, call: &Call) -> Request {
    let (method, path, body) = asked(life, call);
    let request = Request::new(method, &path)
        .header("Authorization", &basic(USER, PASSWORD))
        .header("X-Broker-API-Version", "2.17");
    match body {
        Some(body) => request.json(&body),
        None => request,
    }
}

fn is_there(life: &Life) -> bool {
    let settled = life.belief.settled();
    settled.is_some_and(|world| matches!(world.thing, Thing::There(_)))
}

fn is_absent(life: &Life) -> bool {
    let settled = life.belief.settled();
    settled.is_some_and(|world| world.thing == Thing::Absent)
}

/// Whether each of its bindings is there, or was never made.
fn is_quiet(world: &World) -> bool {
    let mut bindings = world.bindings.values();
    bindings.all(|binding| matches!(binding, Thing::There(_)))
}

const fn verb(call: &Call) -> &'static str {
    match call {
        Call::Provision(_) => "provision",
        Call::Update(_) => "update",
        Call::Deprovision => "deprovision",
        Call::Bind(..) => "bind",
        Call::Unbind(_) => "unbind",
        Call::Fetch | Call::FetchBinding(_) => "fetch",
        Call::Poll(..) => "poll",
    }
}

fn service(plan: &str) -> &str {
    plan.split('-').next().unwrap_or_default()
}

/// The plan that a call about what is there names: any that it had will do.
fn plan_of(life: &Life) -> &'static str {
    life.belief.any_plan().unwrap_or("fixed-now")
}

fn asked(life: &Life, call: &Call) -> (&'static str, String, Option<Value>) {
    let instance = at_instance(&life.id);
    let accepting = if life.waits {
        ""
    } else {
        "accepts_incomplete=true"
    };
    let named = |plan: &str| format!("service_id={}&plan_id={plan}", service(plan));
    let parameters = |want: &Want| json!({ "n": want.n, "mood": format!("{:?}", want.mood) });
    match call {
        Call::Provision(want) => {
            let mut parameters = parameters(want);
            parameters["keeps"] = json!(want.keeps);
            let body = json!({
                "service_id": service(want.plan), "plan_id": want.plan, "organization_guid": "org",
                "space_guid": "space", "parameters": parameters,
            });
            ("PUT", format!("{instance}?{accepting}"), Some(body))
        }
        Call::Update(want) => {
            let body = json!({
                "service_id": service(want.plan), "plan_id": want.plan, "parameters": parameters(want),
            });
            ("PATCH", format!("{instance}?{accepting}"), Some(body))
        }
        Call::Deprovision => {
            let query = named(plan_of(life));
            ("DELETE", format!("{instance}?{query}&{accepting}"), None)
        }
        Call::Bind(id, want) => {
            let body = json!({
                "service_id": service(want.plan), "plan_id": want.plan, "parameters": parameters(want),
                "bind_resource": { "app_guid": "app" },
            });
            (
                "PUT",
                format!("{}?{accepting}", at_binding(&life.id, id)),
                Some(body),
            )
        }
        Call::Unbind(id) => {
            let query = named(plan_of(life));
            (
                "DELETE",
                format!("{}?{query}&{accepting}", at_binding(&life.id, id)),
                None,
            )
        }
        Call::Fetch => ("GET", instance, None),
        Call::FetchBinding(id) => ("GET", at_binding(&life.id, id), None),
        Call::Poll(binding, operation) => {
            let at = binding.map_or(instance, |id| at_binding(&life.id, id));
            (
                "GET",
                format!("{at}/last_operation?operation={operation}"),
                None,
            )
        }
    }
}

fn heard(response: &Response) -> Heard {
    let body = response.json();
    let text = |key: &str| body[key].as_str().map(str::to_owned);
    let n = body["parameters"]["n"]
        .as_u64()
        .and_then(|n| u32::try_from(n).ok());
    Heard {
        status: response.status,
        word: text("error").or_else(|| text("state")).unwrap_or_default(),
        operation: text("operation"),
        shows: text("plan_id").zip(n),
    }
}
