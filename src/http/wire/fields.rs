//! The fields of a JSON object, each asked for by name and type. All that is wrong is said at once.

use serde_json::Value;

use crate::domain::json::Object;
use crate::http::error::{INVALID_FIELD, Refusal};

/// An object while it is read: what is asked for is taken out, what is not is ignored (specification, "Vendor Extension
/// Fields"). Null counts as absent.
pub(super) struct Fields<'p> {
    object: Object,
    /// Where the object is: empty, or `bind_resource.`.
    prefix: &'static str,
    problems: &'p mut Vec<String>,
}

impl<'p> Fields<'p> {
    pub(super) const fn new(
        object: Object,
        prefix: &'static str,
        problems: &'p mut Vec<String>,
    ) -> Self {
        Self {
            object,
            prefix,
            problems,
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.object.remove(name).filter(|value| !value.is_null())
    }

    fn complain<T>(&mut self, name: &str, why: &str) -> Option<T> {
        self.problems
            .push(format!("the field `{}{name}` {why}", self.prefix));
        None
    }

    /// Whatever is there, if anything is.
    pub(super) fn taken(&mut self, name: &str) -> Value {
        self.take(name).unwrap_or_default()
    }

    /// A string that is not empty; absent is fine.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) if text.is_empty() => self.complain(name, "must not be empty"),
            Value::String(text) => Some(text),
            _ => self.complain(name, "must be a string"),
        }
    }

    /// An id; absent is fine.
    pub(super) fn id<T, E: ToString>(
        &mut self,
        name: &str,
        parse: fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(name)?;
        match parse(&text) {
            Ok(id) => Some(id),
            Err(why) => self.complain(name, &why.to_string()),
        }
    }

    /// An object; absent is fine.
    pub(super) fn object(&mut self, name: &str) -> Option<Object> {
        match self.take(name)? {
            Value::Object(object) => Some(object),
            _ => self.complain(name, "must be an object"),
        }
    }

    /// Says that `name` is missing where `value` is, unless something was said of it already.
    pub(super) fn require<T>(&mut self, name: &str, value: Option<T>) -> Option<T> {
        if value.is_some() {
            return value;
        }
        let told = format!("the field `{}{name}` ", self.prefix);
        if self
            .problems
            .iter()
            .any(|problem| problem.starts_with(&told))
        {
            return None;
        }
        self.complain(name, "is missing")
    }

    /// The list for fields of an inner object.
    pub(super) fn problems(&mut self) -> &mut Vec<String> {
        self.problems
    }
}

/// One refusal of all that is wrong.
pub(super) fn refusal(problems: &[String]) -> Refusal {
    let mut text = problems.join("; ");
    if let Some(first) = text.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    Refusal::new(
        INVALID_FIELD,
        format!("{text}. See the specification of the request."),
    )
}
