//! What carried the operations of a plan out, and whether what does so now would find what was made: it is of the same kind
//! and name, acts in the same place by the same statements, and removes what it removed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::offering::Plan;
use crate::domain::operation::Kind;
use crate::domain::pool::Lend;

/// What carries the operations of a plan out. Of what an older version of the broker kept not all is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServedBackend {
    /// The word for it in the document.
    pub kind: String,
    /// Its name, where it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What tells the place where it acts from others, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Whose statements it runs, where it runs some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statements: Option<String>,
    /// Whom it lends to, where it lends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lends_to: Option<String>,
    /// What it removes outside of the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removes: Option<Vec<String>>,
}

impl ServedBackend {
    pub(super) fn of(plan: &Plan) -> Self {
        let backend = &plan.backend;
        let (kind, name) = (backend.kind(), backend.name());
        // Without a name of its own it queues under its plan's id.
        let is_own = name != kind && name != format!("plan {}", plan.id);
        let removals = [Kind::Unbind, Kind::Deprovision].into_iter();
        let removes = removals.filter(|kind| backend.carries_out(*kind));
        let lends_to = backend.pool().map(|pool| match pool.lend {
            Lend::Binding => "binding",
            Lend::Instance => "instance",
        });
        Self {
            kind: kind.to_owned(),
            name: is_own.then(|| name.to_owned()),
            place: backend.place(),
            statements: backend.statements().map(str::to_owned),
            lends_to: lends_to.map(str::to_owned),
            removes: Some(removes.map(|kind| kind.name().to_owned()).collect()),
        }
    }

    /// Whether it does anything outside of the broker.
    pub(super) fn acts(&self) -> bool {
        !["fixed", "pool"].contains(&&*self.kind)
    }

    /// What is another thing about the one that takes its place, in a sentence without an end; nothing where that may be the
    /// same one, with a name that it was given.
    pub(super) fn change(&self, new: &Self) -> Option<String> {
        let kinds = (Some(&self.kind), Some(&new.kind));
        if differ(kinds)
            .or(differ((self.name.as_ref(), new.name.as_ref())))
            .is_some()
        {
            return Some(format!("its backend was {self} and is {new}"));
        }
        let mut changes = Vec::new();
        if differ((self.place.as_ref(), new.place.as_ref())).is_some() {
            let place = match &*new.kind {
                "sql" => "on another server, or in another database of it",
                _ => "at another host",
            };
            changes.push(format!("its backend is {new} {place}"));
        }
        let statements = (self.statements.as_ref(), new.statements.as_ref());
        if let Some((old, new)) = differ(statements) {
            changes.push(format!("its statements were {old} and are {new}"));
        }
        if let Some((old, new)) = differ((self.lends_to.as_ref(), new.lends_to.as_ref())) {
            changes.push(format!("it lent to each {old} and lends to each {new}"));
        }
        if let (Some(old), Some(new)) = (&self.removes, &new.removes) {
            let gone = old.iter().filter(|kind| !new.contains(kind));
            changes.extend(gone.map(|kind| format!("its backend carries out no {kind} any more")));
        }
        (!changes.is_empty()).then(|| changes.join(", and "))
    }
}

/// Both, where both are known and are not the same.
fn differ<'s>((old, new): (Option<&'s String>, Option<&'s String>)) -> Option<(&'s str, &'s str)> {
    let (old, new) = (old?, new?);
    (old != new).then_some((old, new))
}

impl fmt::Display for ServedBackend {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(out, "{} `{name}`", self.kind),
            None => out.write_str(&self.kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an older version of the broker kept has a kind and perhaps a name: nothing else of it is known, nor complained of.
    #[test]
    fn what_is_not_known_is_no_change() {
        let kept = |text: &str| serde_json::from_str::<ServedBackend>(text).expect("a backend");
        let old = kept(r#"{ "kind": "sql", "name": "pg" }"#);
        let new = kept(
            r#"{ "kind": "sql", "name": "pg", "place": "x", "statements": "own", "removes": [] }"#,
        );
        assert_eq!(old.change(&new), None);
        assert_eq!(new.change(&old), None);
        let renamed = kept(r#"{ "kind": "sql", "name": "other" }"#);
        let told = old.change(&renamed).expect("a change");
        assert_eq!(told, "its backend was sql `pg` and is sql `other`");
    }
}
