//! A backend that the sequence plays: an attempt stands on a board until a step says what comes of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catalog_broker::domain::backend::{Acting, Backend, Outcome, Progress, Work};
use catalog_broker::domain::id::{BindingId, OperationId};
use catalog_broker::domain::operation::Kind;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::gauge::current;

/// What a backend is made to do.
#[derive(Debug)]
pub enum Cue {
    Say(String),
    End(Outcome),
}

/// One attempt at work, and what it was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The process that it runs in.
    pub process: u32,
    pub operation: String,
    pub attempt: u32,
    pub kind: Kind,
    pub instance: String,
    pub binding: Option<String>,
    /// `size` of the instance, as it will be.
    pub size: Value,
    /// What the backend left last time.
    pub state: Option<Value>,
}

impl Told {
    /// Whether it is work of this operation, or on a binding that goes on its way.
    pub fn is_of(&self, id: &OperationId) -> bool {
        let unbinds = self.binding.as_ref().is_some_and(|binding| {
            let binding = BindingId::parse(binding).expect("an id");
            id.for_binding(&binding).as_str() == self.operation
        });
        self.operation == id.as_str() || unbinds
    }
}

/// All that acts, in all processes.
#[derive(Debug, Default)]
pub struct Board(Mutex<Vec<(u64, Told, UnboundedSender<Cue>)>>);

impl Board {
    fn rows(&self) -> MutexGuard<'_, Vec<(u64, Told, UnboundedSender<Cue>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn all(&self) -> Vec<Told> {
        self.rows()
            .iter()
            .map(|(_, told, _)| told.clone())
            .collect()
    }

    /// Gives a cue to an attempt; whether it is there.
    pub fn cue(&self, told: &Told, cue: Cue) -> bool {
        let rows = self.rows();
        let row = rows.iter().find(|(_, other, _)| other == told);
        row.is_some_and(|(_, _, sender)| sender.send(cue).is_ok())
    }

    fn put(self: &Arc<Self>, told: Told, sender: UnboundedSender<Cue>) -> Place {
        let mut rows = self.rows();
        let number = rows.last().map_or(0, |(number, ..)| number + 1);
        rows.push((number, told, sender));
        Place(Arc::clone(self), number)
    }
}

/// A place on the board, that is free again when the work is dropped.
struct Place(Arc<Board>, u64);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.rows().retain(|(number, ..)| *number != self.1);
    }
}

/// The backend.
#[derive(Debug)]
pub struct Played {
    name: &'static str,
    limit: Option<u32>,
    board: Arc<Board>,
}

impl Played {
    pub fn new(name: &'static str, limit: Option<usize>, board: &Arc<Board>) -> Self {
        Self {
            name,
            limit: limit.and_then(|limit| u32::try_from(limit).ok()),
            board: Arc::clone(board),
        }
    }
}

impl Backend for Played {
    fn kind(&self) -> &'static str {
        "played"
    }

    fn name(&self) -> &str {
        self.name
    }

    fn concurrency(&self) -> Option<u32> {
        self.limit
    }

    fn carries_out(&self, _: Kind) -> bool {
        true
    }

    fn carry_out<'a>(&'a self, work: Work<'a>, progress: &'a dyn Progress) -> Acting<'a> {
        let gauge = current();
        let parameters = &work.instance.details.expose().parameters;
        let told = Told {
            process: gauge.process,
            operation: work.operation.as_str().to_owned(),
            attempt: work.attempt,
            kind: work.kind,
            instance: work.instance.id.as_str().to_owned(),
            binding: work.binding.map(|binding| binding.id.as_str().to_owned()),
            size: parameters.get("size").cloned().unwrap_or_default(),
            state: work.state().cloned(),
        };
        let (sender, mut cues) = unbounded_channel();
        Box::pin(async move {
            let place = self.board.put(told.clone(), sender);
            gauge.stands(&told);
            loop {
                match cues.recv().await {
                    Some(Cue::Say(text)) => progress.say(&text),
                    Some(Cue::End(outcome)) => {
                        drop(place);
                        return outcome;
                    }
                    None => std::future::pending().await,
                }
            }
        })
    }
}
