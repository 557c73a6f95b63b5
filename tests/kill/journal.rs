//! What a backend writes down of itself, and what is wrong with it.
//!
//! A line is an event: an attempt begins, has its effect, ends with a word. The operation's id is the backend's idempotency
//! key: of several effects under one key the first counts.

use std::collections::{BTreeMap, BTreeSet};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Begin,
    Effect,
    End,
}

/// One line: `begin provision INSTANCE BINDING OPERATION ATTEMPT STARTED SAW`, `-` for nothing; at an end, its word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub event: Event,
    pub kind: String,
    pub instance: String,
    pub binding: Option<String>,
    pub operation: String,
    pub attempt: u32,
    pub started: String,
    /// The operation that left the state that the backend was handed.
    pub saw: Option<String>,
    pub word: Option<String>,
}

/// Whether processes have slept: then an attempt may go on beside its successor, and its effects come late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleep {
    Nobody,
    Somebody,
}

/// What the backend has in the end: instances, and bindings of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    pub instances: BTreeSet<String>,
    pub bindings: BTreeSet<(String, String)>,
}

impl Line {
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let event = match words.next()? {
            "begin" => Event::Begin,
            "effect" => Event::Effect,
            "end" => Event::End,
            _ => return None,
        };
        let optional = |word: &str| (word != "-").then(|| word.to_owned());
        Some(Self {
            event,
            kind: words.next()?.to_owned(),
            instance: words.next()?.to_owned(),
            binding: optional(words.next()?),
            operation: words.next()?.to_owned(),
            attempt: words.next()?.parse().ok()?,
            started: words.next()?.to_owned(),
            saw: optional(words.next()?),
            word: words.next().map(str::to_owned),
        })
    }

    fn subject(&self) -> (String, Option<String>) {
        (self.instance.clone(), self.binding.clone())
    }

    /// Whether both are about one thing, or one is about a binding of the other's instance.
    fn meets(&self, other: &Self) -> bool {
        self.instance == other.instance
            && (self.binding == other.binding || self.binding.is_none() || other.binding.is_none())
    }
}

/// All that is wrong with a journal, in words; and what its backend has in the end.
pub fn judge(lines: &[Line], sleep: Sleep) -> (Vec<String>, Made) {
    let mut reader = Reader {
        sleep,
        faults: Vec::new(),
        made: Made::default(),
        first: BTreeMap::new(),
        attempts: BTreeMap::new(),
        done: BTreeSet::new(),
        instances: BTreeMap::new(),
    };
    for line in lines {
        reader.read(line);
    }
    (reader.faults, reader.made)
}

struct Reader {
    sleep: Sleep,
    faults: Vec<String>,
    made: Made,
    /// The first line of each operation, by its id, and its place among them.
    first: BTreeMap<String, (usize, Line)>,
    /// The last attempt of each operation.
    attempts: BTreeMap<String, u32>,
    /// Which operations have had their effect.
    done: BTreeSet<String>,
    instances: BTreeMap<String, Past>,
}

/// What went on about one instance.
#[derive(Default)]
struct Past {
    /// The first line of the operation that began last, on the instance itself and on each binding, and its place.
    latest: BTreeMap<Option<String>, (usize, Line)>,
    /// When the last delete was asked for that has had its effect.
    deleted: Option<String>,
    /// Kind and id of the operation that has left its state.
    left: Option<(String, String)>,
    /// Whether a delete has failed: what it cancelled may be there, and be made again.
    kept: bool,
}

impl Reader {
    fn fault(&mut self, line: &Line, what: &str) {
        self.faults.push(format!("{what}: {line:?}"));
    }

    fn read(&mut self, line: &Line) {
        let place = self.first.len();
        let first = self
            .first
            .entry(line.operation.clone())
            .or_insert_with(|| (place, line.clone()));
        let first = &first.1;
        if (&first.kind, first.subject()) != (&line.kind, line.subject()) {
            self.fault(line, "an operation is another one under the same id");
        }
        match line.event {
            Event::Begin => self.begins(line),
            Event::Effect => self.acts(line),
            Event::End => self.ends(line),
        }
    }

    fn begins(&mut self, line: &Line) {
        let before = self.attempts.get(&line.operation).copied().unwrap_or(0);
        if line.attempt == before || (line.attempt < before && self.sleep == Sleep::Nobody) {
            self.fault(line, "an attempt has a number that is not new");
        }
        self.attempts
            .insert(line.operation.clone(), before.max(line.attempt));
        self.is_in_turn(line);
        let first = self.first[&line.operation].clone();
        self.past(line).latest.insert(line.binding.clone(), first);
    }

    fn past(&mut self, line: &Line) -> &mut Past {
        self.instances.entry(line.instance.clone()).or_default()
    }

    /// Nobody acts beside or after a successor on the same thing.
    fn is_in_turn(&mut self, line: &Line) {
        let place = self.first[&line.operation].0;
        let later = self
            .past(line)
            .latest
            .values()
            .any(|(other, first)| first.meets(line) && *other > place);
        if later && self.sleep == Sleep::Nobody {
            self.fault(line, "it acts though a later operation has begun");
        }
    }

    fn has_begun(&mut self, line: &Line) {
        let begun = self.attempts.get(&line.operation).copied().unwrap_or(0);
        if begun < line.attempt {
            self.fault(line, "an attempt acts that has not begun");
        }
        self.is_in_turn(line);
    }

    fn ends(&mut self, line: &Line) {
        self.has_begun(line);
        if line.kind == "deprovision" && line.word.as_deref() == Some("failed") {
            self.past(line).kept = true;
        }
    }

    fn acts(&mut self, line: &Line) {
        self.has_begun(line);
        // The key has been seen: nothing is done twice.
        if !self.done.insert(line.operation.clone()) {
            return;
        }
        self.is_told_what_was_left(line);
        let instance = line.instance.clone();
        let there = self.made.instances.contains(&instance);
        let bound =
            |binding: &Option<String>| (instance.clone(), binding.clone().unwrap_or_default());
        match &*line.kind {
            "provision" if there && !self.past(line).kept => self.fault(line, "made twice"),
            "provision" if self.past(line).deleted.as_ref() > Some(&line.started) => {
                self.fault(line, "made after it was deleted");
            }
            "provision" => {
                self.made.instances.insert(instance.clone());
            }
            "update" | "bind" if !there => self.fault(line, "done to what is not there"),
            "bind" if !self.made.bindings.insert(bound(&line.binding)) => {
                self.fault(line, "bound twice");
            }
            "unbind" => {
                self.made.bindings.remove(&bound(&line.binding));
            }
            "deprovision" => {
                if self.made.bindings.iter().any(|(of, _)| *of == instance) {
                    self.fault(line, "deleted with bindings left");
                }
                self.made.instances.remove(&instance);
                let past = self.past(line);
                (past.deleted, past.kept) = (Some(line.started.clone()), false);
            }
            _ => {}
        }
        if line.binding.is_none() {
            self.past(line).left = Some((line.kind.clone(), line.operation.clone()));
        }
    }

    fn is_told_what_was_left(&mut self, line: &Line) {
        if !matches!(&*line.kind, "update" | "deprovision") {
            return;
        }
        let right = match &self.past(line).left {
            // It may have been cancelled before its end was written down.
            Some((kind, id)) if kind == "provision" && line.kind == "deprovision" => {
                line.saw.is_none() || line.saw.as_ref() == Some(id)
            }
            Some((kind, id)) if kind != "deprovision" => line.saw.as_ref() == Some(id),
            _ => line.saw.is_none(),
        };
        if !right {
            self.fault(line, "it was handed another state than the last one left");
        }
    }
}

/// Figures of journals: operations, attempts, and the most attempts of one operation.
pub fn count(journals: &[Vec<Line>]) -> (usize, usize, u32) {
    let lines = || journals.iter().flatten();
    let operations: BTreeSet<_> = lines().map(|line| &line.operation).collect();
    let begun = lines().filter(|line| line.event == Event::Begin);
    let most = lines().map(|line| line.attempt).max().unwrap_or(0);
    (operations.len(), begun.count(), most)
}
