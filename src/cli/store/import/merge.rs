//! Pieces of several files about one instance or binding as one: what a later file says wins, field by field.

use std::collections::HashMap;

use serde_json::Value;

use super::read::{Piece, What};
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
            Some(at) => {
                let entries = piece
                    .object
                    .into_iter()
                    .filter(|(_, value)| !value.is_null());
                whole[*at].object.extend(entries);
            }
        }
    }
    whole
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
