//! The keys of `binding` that say how long a binding lives, and what comes after it.

use super::Key;
use super::Reading::References;
use super::Shape::{Bool, Duration, List, Text};

pub(super) const TTL: Key = Key::new(
    "ttl",
    Duration,
    References,
    "How long a binding lives: its metadata says when it ends, and then the broker unbinds it.",
);

pub(super) const RENEW_BEFORE: Key = Key::new(
    "renew_before",
    Duration,
    References,
    "How long before the end of `ttl` a binding is to be renewed.",
);

pub(super) const INHERITS: Key = Key::new(
    "inherits",
    List(&Text),
    References,
    "Names of `values` that a successor (`binding_rotatable`) has of its predecessor; all others are made anew.",
);

pub(super) const REFRESH: Key = Key::new(
    "refresh",
    Bool,
    References,
    "Whether a fetch renders the binding anew, of the values that are stored, as the document is now. Default: false.",
);
