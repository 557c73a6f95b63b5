//! Pieces of several files about one instance or binding as one, field by field: what the operator says wins over the
//! platform's lists, and a later file over an earlier one.

use std::collections::HashMap;

use serde_json::Value;

use super::piece::{Piece, What};
use crate::document::{Finding, Findings, Path};

/// The pieces by what they are of, in the order in which each was first named.
pub(super) fn merged(pieces: Vec<Piece>, findings: &mut Findings) -> Vec<Piece> {
    let mut whole: Vec<Piece> = Vec::new();
    let mut by_id: HashMap<(What, String), Vec<usize>> = HashMap::new();
    for piece in pieces {
        let Some(id) = text(&piece, "id") else {
            // The field will be complained of.
            whole.push(piece);
            continue;
        };
        let known = by_id.entry((piece.what, id.to_owned())).or_default();
        match known.iter().find(|at| same(&whole[**at], &piece)) {
            None => {
                known.push(whole.len());
                whole.push(piece);
            }
            Some(at) if whole[*at].place.file == piece.place.file => {
                findings.push(twice(&whole[*at], &piece));
            }
            Some(at) => whole[*at].take_in(piece),
        }
    }
    whole
}

impl Piece {
    fn take_in(&mut self, other: Self) {
        let entries = other.object.into_iter();
        for (key, value) in entries.filter(|(_, value)| !value.is_null()) {
            let known = self.object.entry(key).or_insert(Value::Null);
            if known.is_null() || self.listed || !other.listed {
                *known = value;
            }
        }
        self.listed &= other.listed;
    }
}

/// A binding's id is unique within its instance; a line that names no instance means the one binding of that id.
fn same(one: &Piece, other: &Piece) -> bool {
    match (text(one, "instance_id"), text(other, "instance_id")) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

fn twice(first: &Piece, again: &Piece) -> Finding {
    let what = again.what.name();
    let message = format!("this {what} stands in line {} already", first.place.line);
    let mend = "keep one of the two lines: only lines of different files are merged";
    Finding::error("import-twice", &Path::root(), &again.place, message, mend)
}

fn text<'a>(piece: &'a Piece, key: &str) -> Option<&'a str> {
    piece.object.get(key).and_then(Value::as_str)
}
