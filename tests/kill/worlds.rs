//! What a client may believe of one instance after all that it was answered: every way that things may stand.
//!
//! An answer that never came leaves two ways, done and not done, and what runs may end at any time; an answer that comes
//! keeps the ways that explain it. Where none is left, something that was answered before was lost, or done twice, or is
//! not as it was answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a backend is told to do with an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mood {
    /// To do it.
    Well,
    /// To want another attempt first.
    Again,
    /// To fail, with nothing done.
    Fails,
    /// To refuse.
    Refuses,
}

/// An instance or a binding as it is asked for, or an instance as it shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Want {
    pub plan: &'static str,
    pub n: u32,
    pub mood: Mood,
    /// Whether the first delete of it fails.
    pub keeps: bool,
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    Provision(Want),
    Update(Want),
    Deprovision,
    Bind(&'static str, Want),
    Unbind(&'static str),
    Fetch,
    FetchBinding(&'static str),
    /// Of an operation on the instance, or on a binding of it.
    Poll(Option<&'static str>, String),
}

/// What it is answered, as far as the model looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    pub status: u16,
    /// `error` of a refusal, `state` of a poll.
    pub word: String,
    /// Of a 202.
    pub operation: Option<String>,
    /// Plan and parameter of an instance that is fetched.
    pub shows: Option<(String, u32)>,
}

type Told = Option<Arc<str>>;

/// An instance or a binding that was made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Has {
    first: Want,
    plan: &'static str,
    n: u32,
    /// Its delete has failed: it is there, and is not fetched.
    stuck: bool,
    /// Its last operation has failed.
    failed: bool,
}

/// How an instance or a binding stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Thing {
    Absent,
    Making(Want, Told),
    Broken(Want),
    There(Has),
    Changing(Has, Want, Told),
    Going(Box<Thing>, Told),
}

/// An instance with its bindings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct World {
    pub thing: Thing,
    pub bindings: BTreeMap<&'static str, Thing>,
}

/// All worlds that may be.
#[derive(Clone, Debug)]
pub struct Belief {
    worlds: BTreeSet<World>,
    /// Whether what was not answered may happen later than the next answer: another process holds the state, and has it
    /// in its hands still.
    haunted: bool,
    ghosts: Vec<Call>,
    told: Vec<String>,
}

/// Whose state a call is about.
#[derive(Clone, Copy)]
enum Part {
    Instance,
    Binding(&'static str),
}

/// What a call comes to in a world.
enum Start {
    /// This is so from then on, and the answer tells of its end, or that it goes on.
    Runs(World),
    /// It is there already.
    There,
    /// This is answered, and nothing happens.
    Refused(u16, &'static str),
}

impl Call {
    const fn part(&self) -> Part {
        match self {
            Self::Bind(id, _)
            | Self::Unbind(id)
            | Self::FetchBinding(id)
            | Self::Poll(Some(id), _) => Part::Binding(id),
            _ => Part::Instance,
        }
    }

    /// Whether what it makes needs an entry of a pool.
    fn borrows(&self) -> bool {
        match self {
            Self::Provision(want) => want.plan == "room-lent",
            Self::Bind(_, want) => want.plan == "seat-lent",
            _ => false,
        }
    }

    /// Whether it asks for a change.
    pub const fn changes(&self) -> bool {
        !matches!(self, Self::Fetch | Self::FetchBinding(_) | Self::Poll(..))
    }
}

impl Has {
    const fn made(want: Want) -> Self {
        Self {
            first: want,
            plan: want.plan,
            n: want.n,
            stuck: false,
            failed: false,
        }
    }

    const fn changed(&self, to: Want) -> Self {
        Self {
            first: self.first,
            plan: to.plan,
            n: to.n,
            stuck: false,
            failed: false,
        }
    }

    pub const fn plan(&self) -> &'static str {
        self.plan
    }

    pub const fn first(&self) -> Want {
        self.first
    }
}

impl Thing {
    pub const fn in_progress(&self) -> bool {
        matches!(
            self,
            Self::Making(..) | Self::Changing(..) | Self::Going(..)
        )
    }

    const fn first(&self) -> Option<Want> {
        match self {
            Self::Absent => None,
            Self::Making(want, _) | Self::Broken(want) => Some(*want),
            Self::There(has) | Self::Changing(has, ..) => Some(has.first),
            Self::Going(from, _) => from.first(),
        }
    }

    const fn told(&mut self) -> Option<&mut Told> {
        match self {
            Self::Making(_, told) | Self::Changing(_, _, told) | Self::Going(_, told) => Some(told),
            _ => None,
        }
    }

    /// Every way in which what runs may end.
    fn ends(&self) -> Vec<Self> {
        match self {
            Self::Making(want, _) => match want.mood {
                Mood::Well | Mood::Again => vec![Self::There(Has::made(*want))],
                Mood::Fails => vec![Self::Broken(*want)],
                Mood::Refuses => vec![Self::Absent, Self::Broken(*want)],
            },
            Self::Changing(has, to, _) => match to.mood {
                Mood::Well | Mood::Again => vec![Self::There(has.changed(*to))],
                Mood::Fails | Mood::Refuses => vec![Self::There(Has {
                    stuck: false,
                    failed: true,
                    ..has.clone()
                })],
            },
            Self::Going(from, _) => {
                let mut ends = vec![Self::Absent];
                if from.first().is_some_and(|want| want.keeps) {
                    ends.push(from.kept());
                }
                ends
            }
            _ => Vec::new(),
        }
    }

    /// After a delete that failed.
    fn kept(&self) -> Self {
        match self {
            Self::There(has) => Self::There(Has {
                stuck: true,
                failed: true,
                ..has.clone()
            }),
            Self::Making(want, _) | Self::Broken(want) => Self::Broken(*want),
            other => other.clone(),
        }
    }
}

impl World {
    fn part(&self, part: Part) -> &Thing {
        match part {
            Part::Instance => &self.thing,
            Part::Binding(id) => self.bindings.get(id).unwrap_or(&Thing::Absent),
        }
    }

    fn with(&self, part: Part, thing: Thing) -> Self {
        let mut world = self.clone();
        match (part, thing) {
            (Part::Instance, thing) => {
                // Bindings go before their instance, also where that stays in the end.
                if matches!(self.thing, Thing::Going(..)) {
                    world.bindings.clear();
                }
                world.thing = thing;
            }
            (Part::Binding(id), Thing::Absent) => {
                world.bindings.remove(id);
            }
            (Part::Binding(id), thing) => {
                world.bindings.insert(id, thing);
            }
        }
        world
    }

    fn parts(&self) -> Vec<Part> {
        let bindings = self.bindings.keys().map(|id| Part::Binding(id));
        [Part::Instance].into_iter().chain(bindings).collect()
    }

    fn ends(&self) -> Vec<Self> {
        let parts = self.parts().into_iter();
        parts
            .flat_map(|part| {
                let ends = self.part(part).ends().into_iter();
                ends.map(move |thing| self.with(part, thing))
            })
            .collect()
    }

    fn binding_in_progress(&self) -> bool {
        self.bindings.values().any(Thing::in_progress)
    }

    fn start(&self, call: &Call) -> Start {
        match call {
            Call::Provision(want) => self.create(Part::Instance, *want, "InstanceConflict"),
            Call::Bind(id, want) => self.bind(id, *want),
            Call::Update(want) => self.update(*want),
            Call::Deprovision if self.binding_in_progress() => BUSY,
            Call::Deprovision => self.remove(Part::Instance),
            Call::Unbind(_) if self.thing == Thing::Absent => GONE,
            Call::Unbind(id) if !self.bindings.contains_key(id) => GONE,
            Call::Unbind(_) if self.thing.in_progress() => BUSY,
            Call::Unbind(id) => self.remove(Part::Binding(id)),
            Call::Fetch | Call::FetchBinding(_) | Call::Poll(..) => Start::There,
        }
    }

    fn create(&self, part: Part, want: Want, conflict: &'static str) -> Start {
        let thing = self.part(part);
        match thing {
            Thing::Absent => {}
            other if other.first() != Some(want) => return Start::Refused(409, conflict),
            Thing::Broken(_) => {}
            Thing::Making(..) => return Start::Runs(self.clone()),
            Thing::There(_) | Thing::Changing(..) => return Start::There,
            Thing::Going(..) => return BUSY,
        }
        Start::Runs(self.with(part, Thing::Making(want, None)))
    }

    fn bind(&self, id: &'static str, want: Want) -> Start {
        if self.thing == Thing::Absent {
            return Start::Refused(404, "InstanceNotFound");
        }
        let start = self.create(Part::Binding(id), want, "BindingConflict");
        let begins = matches!(&start, Start::Runs(world) if world != self);
        match self.thing {
            Thing::Broken(_) if begins => Start::Refused(400, "InstanceNotUsable"),
            _ if begins && self.thing.in_progress() => BUSY,
            _ => start,
        }
    }

    fn update(&self, want: Want) -> Start {
        match &self.thing {
            Thing::Absent => Start::Refused(404, "InstanceNotFound"),
            Thing::Broken(_) => Start::Refused(400, "InstanceNotUsable"),
            Thing::Changing(_, to, _) if *to == want => Start::Runs(self.clone()),
            Thing::There(_) if self.binding_in_progress() => BUSY,
            Thing::There(has) => {
                let changing = Thing::Changing(has.clone(), want, None);
                Start::Runs(self.with(Part::Instance, changing))
            }
            _ => BUSY,
        }
    }

    fn remove(&self, part: Part) -> Start {
        match self.part(part) {
            Thing::Absent => GONE,
            Thing::Changing(..) => BUSY,
            Thing::Going(..) => Start::Runs(self.clone()),
            thing => {
                let going = Thing::Going(Box::new(thing.clone()), None);
                Start::Runs(self.with(part, going))
            }
        }
    }

    /// The worlds after an answer, none where it is no answer in this world.
    fn explain(&self, call: &Call, heard: &Heard) -> Vec<Self> {
        match call {
            Call::Fetch => self.fetched(heard),
            Call::FetchBinding(id) => {
                let there = matches!(self.part(Part::Binding(id)), Thing::There(has) if !has.stuck);
                self.if_so((heard.status == 200) == there && matches!(heard.status, 200 | 404))
            }
            Call::Poll(..) => self.if_so(Self::polled(self.part(call.part()), heard)),
            _ => match self.start(call) {
                Start::There => self.if_so(heard.status == 200),
                Start::Refused(status, word) => {
                    self.if_so(heard.status == status && heard.word == word)
                }
                Start::Runs(world) if heard.word == "PoolExhausted" => {
                    self.if_so(heard.status == 400 && world != *self && call.borrows())
                }
                Start::Runs(world) => world.ran(call, heard),
            },
        }
    }

    fn if_so(&self, so: bool) -> Vec<Self> {
        if so { vec![self.clone()] } else { Vec::new() }
    }

    fn fetched(&self, heard: &Heard) -> Vec<Self> {
        let so = match &self.thing {
            Thing::There(has) if !has.stuck => {
                let shows = Some((has.plan.to_owned(), has.n));
                heard.status == 200 && heard.shows == shows
            }
            Thing::Changing(..) => heard.status == 422 && heard.word == "ConcurrencyError",
            _ => heard.status == 404,
        };
        self.if_so(so)
    }

    fn polled(thing: &Thing, heard: &Heard) -> bool {
        match (heard.status, &*heard.word) {
            (200, "in progress") => thing.in_progress(),
            (200, "succeeded") => matches!(thing, Thing::There(has) if !has.failed),
            // What was refused is gone, and a failed operation is remembered of it.
            (200, "failed") => match thing {
                Thing::There(has) => has.failed,
                other => !other.in_progress(),
            },
            (410, _) => *thing == Thing::Absent,
            _ => false,
        }
    }

    /// The answer to what runs, or has just run.
    fn ran(&self, call: &Call, heard: &Heard) -> Vec<Self> {
        let part = call.part();
        let ends = || {
            let ends = self.part(part).ends().into_iter();
            ends.map(|thing| self.with(part, thing))
        };
        let kept =
            |keep: fn(&Thing) -> bool| ends().filter(|world| keep(world.part(part))).collect();
        let removes = matches!(call, Call::Deprovision | Call::Unbind(_));
        match (heard.status, &*heard.word) {
            (202, _) => self.goes_on(part, heard),
            (200, _) if removes => kept(|thing| *thing == Thing::Absent),
            (200 | 201, _) => ends()
                .filter(|world| matches!((world.part(part), call), (Thing::There(has), Call::Update(want)) if has.n == want.n && has.plan == want.plan)
                    || matches!((world.part(part), call), (Thing::There(_), Call::Provision(_) | Call::Bind(..))))
                .collect(),
            (500, "OperationFailed") if removes => kept(|thing| *thing != Thing::Absent),
            (500, "OperationFailed") if self.is_to(part, Mood::Fails) => kept(|_| true),
            (400, "OperationRefused") | (422, "UpdateRefused")
                if self.is_to(part, Mood::Refuses) =>
            {
                kept(|_| true)
            }
            (500, "StillRunning") => vec![self.clone()],
            _ => Vec::new(),
        }
    }

    fn is_to(&self, part: Part, mood: Mood) -> bool {
        match self.part(part) {
            Thing::Making(want, _) | Thing::Changing(_, want, _) => want.mood == mood,
            _ => false,
        }
    }

    fn goes_on(&self, part: Part, heard: &Heard) -> Vec<Self> {
        let mut thing = self.part(part).clone();
        let (Some(told), Some(named)) = (thing.told(), &heard.operation) else {
            return Vec::new();
        };
        if told.as_ref().is_some_and(|known| **known != **named) {
            return Vec::new();
        }
        *told = Some(named.as_str().into());
        let mut world = self.clone();
        match part {
            Part::Instance => world.thing = thing,
            Part::Binding(id) => {
                world.bindings.insert(id, thing);
            }
        }
        vec![world]
    }
}

const BUSY: Start = Start::Refused(422, "ConcurrencyError");
const GONE: Start = Start::Refused(410, "Gone");

impl Belief {
    /// Of an instance that was never asked for.
    pub fn new(haunted: bool) -> Self {
        let nothing = World {
            thing: Thing::Absent,
            bindings: BTreeMap::new(),
        };
        Self {
            worlds: BTreeSet::from([nothing]),
            haunted,
            ghosts: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Takes in what was answered to a call, or that nobody knows. An error where no world explains it.
    pub fn hear(&mut self, call: &Call, heard: Option<&Heard>) -> Result<(), String> {
        self.told.push(format!("{call:?} -> {heard:?}"));
        let now = self.now();
        let Some(heard) = heard else {
            let begun = now.iter().filter_map(|world| begun(world, call));
            self.worlds = begun.chain(now.iter().cloned()).collect();
            if self.haunted && call.changes() {
                self.ghosts.push(call.clone());
            }
            return Ok(());
        };
        let explained: BTreeSet<_> = now
            .iter()
            .flat_map(|world| world.explain(call, heard))
            .collect();
        if explained.is_empty() {
            return Err(self.complaint(&now));
        }
        self.worlds = explained;
        if call.changes() && matches!(heard.status, 200..=202) {
            // It has waited for whatever was under way before it.
            self.ghosts.clear();
        }
        Ok(())
    }

    /// Nothing that was not answered can be under way any more.
    pub fn lay_ghosts(&mut self) {
        self.worlds = self.now();
        self.ghosts.clear();
    }

    /// How things stand, where there is one way only.
    pub fn settled(&self) -> Option<World> {
        let mut now = self.now().into_iter();
        now.next().filter(|_| now.next().is_none())
    }

    /// All worlds, with whatever may have ended meanwhile.
    fn now(&self) -> BTreeSet<World> {
        let mut all = self.worlds.clone();
        let mut new: Vec<World> = all.iter().cloned().collect();
        while let Some(world) = new.pop() {
            let haunts = self.ghosts.iter().filter_map(|ghost| begun(&world, ghost));
            let next: Vec<World> = world.ends().into_iter().chain(haunts).collect();
            for world in next {
                if all.insert(world.clone()) {
                    new.push(world);
                }
            }
        }
        all
    }

    fn complaint(&self, now: &BTreeSet<World>) -> String {
        let from = self.told.len().saturating_sub(25);
        format!(
            "no world explains the last of\n  {}\nbefore it these were possible:\n  {now:?}",
            self.told[from..].join("\n  ")
        )
    }
}

fn begun(world: &World, call: &Call) -> Option<World> {
    match world.start(call) {
        Start::Runs(begun) => Some(begun),
        _ => None,
    }
}

impl Belief {
    /// A plan that the instance has, had or may have been asked to have.
    pub fn any_plan(&self) -> Option<&'static str> {
        let now = self.now();
        let first = now.iter().find_map(|world| world.thing.first());
        first.map(|want| want.plan)
    }
}
