//! Two published catalogs, compared as a platform does: by id; a name whose id has changed is told as that.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::json::canonical;
use super::text::{masked, plain};

/// One thing that a platform would see.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// What kind of thing.
    pub kind: Kind,
    /// The offering's name; of one that was renamed, the old one.
    pub service: String,
    /// The plan's name, where it is about a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The field, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What it was; absent where there was nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// What it is; absent where there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
/// What kind of thing it is.
pub enum Kind {
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
    /// The same id has another name.
    Renamed,
    /// The same name has another id.
    IdChanged,
    /// A field is another one.
    Changed,
}

impl Kind {
    /// The words for it.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Renamed => "renamed",
            Self::IdChanged => "id changed",
            Self::Changed => "changed",
        }
    }
}

type Object = Map<String, Value>;

/// An offering, or a plan of one.
#[derive(Clone, Copy)]
struct Entry<'a> {
    /// The offering's name, where this is a plan.
    service: Option<&'a str>,
    object: &'a Object,
}

/// All differences, in the order of the new catalog; what is gone comes last.
pub fn compare(old: &Value, new: &Value) -> Vec<Difference> {
    let mut differences = Vec::new();
    entries(
        &Entry::all(None, old.get("services")),
        &Entry::all(None, new.get("services")),
        &mut differences,
    );
    differences
}

fn entries(old: &[Entry<'_>], new: &[Entry<'_>], differences: &mut Vec<Difference>) {
    let mut left: Vec<Option<Entry<'_>>> = old.iter().copied().map(Some).collect();
    let mut take = |is_it: &dyn Fn(&Entry<'_>) -> bool| {
        left.iter_mut()
            .find(|entry| entry.as_ref().is_some_and(is_it))
            .and_then(Option::take)
    };
    // Ids first, all of them: a name may have moved to another id that was there before.
    let by_id: Vec<_> = new
        .iter()
        .map(|entry| take(&|old| old.id() == entry.id()))
        .collect();
    let pairs: Vec<_> = new
        .iter()
        .zip(by_id)
        .map(|(entry, found)| {
            (
                entry,
                found.or_else(|| take(&|old| old.name() == entry.name())),
            )
        })
        .collect();
    for (new, old) in pairs {
        match old {
            Some(old) => old.compare(new, differences),
            None => differences.push(new.difference(Kind::Added, None, Some(new.text("id")))),
        }
    }
    for gone in left.iter().flatten() {
        differences.push(gone.difference(Kind::Removed, Some(gone.text("id")), None));
    }
}

impl<'a> Entry<'a> {
    fn all(service: Option<&'a str>, list: Option<&'a Value>) -> Vec<Self> {
        let items = list.and_then(Value::as_array).into_iter().flatten();
        items
            .filter_map(Value::as_object)
            .map(|object| Self { service, object })
            .collect()
    }

    fn id(&self) -> &'a str {
        self.str("id")
    }

    fn name(&self) -> &'a str {
        self.str("name")
    }

    fn str(&self, key: &str) -> &'a str {
        let text = self.object.get(key).and_then(Value::as_str);
        text.unwrap_or_default()
    }

    fn text(&self, key: &str) -> Value {
        self.str(key).into()
    }

    /// This, the old one, with the new one.
    fn compare(&self, new: &Entry<'_>, differences: &mut Vec<Difference>) {
        for (key, kind) in [("id", Kind::IdChanged), ("name", Kind::Renamed)] {
            if self.str(key) != new.str(key) {
                differences.push(self.difference(kind, Some(self.text(key)), Some(new.text(key))));
            }
        }
        let is_own = |key: &str| ["id", "name", "plans"].contains(&key);
        self.fields("", self.object, new.object, &is_own, differences);
        if self.service.is_none() {
            entries(
                &Self::all(Some(self.name()), self.object.get("plans")),
                &Entry::all(Some(new.name()), new.object.get("plans")),
                differences,
            );
        }
    }

    /// Field by field, as deep as both are objects; null is the same as nothing.
    fn fields(
        &self,
        path: &str,
        old: &Object,
        new: &Object,
        is_told: &dyn Fn(&str) -> bool,
        differences: &mut Vec<Difference>,
    ) {
        let only_new = new.keys().filter(|key| !old.contains_key(*key));
        for key in old.keys().chain(only_new).filter(|key| !is_told(key)) {
            let of = |object: &'_ Object| object.get(key).filter(|value| !value.is_null()).cloned();
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            match (of(old), of(new)) {
                (Some(Value::Object(old)), Some(Value::Object(new))) => {
                    self.fields(&path, &old, &new, &|_| false, differences);
                }
                (old, new) if is_same(old.as_ref(), new.as_ref()) => {}
                (old, new) => {
                    let shown = |value: Option<Value>| value.map(|value| masked(key, value));
                    let mut difference = self.difference(Kind::Changed, shown(old), shown(new));
                    difference.path = Some(path);
                    differences.push(difference);
                }
            }
        }
    }

    fn difference(&self, kind: Kind, old: Option<Value>, new: Option<Value>) -> Difference {
        Difference {
            kind,
            service: self.service.unwrap_or_else(|| self.name()).to_owned(),
            plan: self.service.map(|_| self.name().to_owned()),
            path: None,
            old,
            new,
        }
    }
}

fn is_same(old: Option<&Value>, new: Option<&Value>) -> bool {
    old.map(canonical) == new.map(canonical)
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (noun, name) = match &self.plan {
            Some(plan) => ("plan", plain(&format!("{}/{plan}", self.service))),
            None => ("service", plain(&self.service)),
        };
        let text = |value: &Option<Value>| match value {
            Some(Value::String(text)) if self.kind != Kind::Changed => plain(text),
            Some(value) => value.to_string(),
            None => "nothing".to_owned(),
        };
        let (old, new) = (text(&self.old), text(&self.new));
        match self.kind {
            Kind::Added => write!(out, "{noun} {name}: added, id {new}"),
            Kind::Removed => write!(
                out,
                "{noun} {name}: removed, id {old}; platforms keep what has instances and complain"
            ),
            Kind::Renamed => write!(out, "{noun} {name}: renamed to {new}, same id"),
            Kind::IdChanged => write!(
                out,
                "{noun} {name}: id changed from {old} to {new}; to a platform it is another {noun}, \
                 and instances of the old one are left behind"
            ),
            Kind::Changed => {
                let path = plain(self.path.as_deref().unwrap_or_default());
                write!(out, "{noun} {name}: {path} changed from {old} to {new}")
            }
        }
    }
}
