//! JSON schemas of parameters (specification, "Input Parameters Schema Object").

use std::fmt;
use std::sync::Arc;

use jsonschema::Validator;
use serde_json::Value;

/// A schema that parameters can be held against. External references are never fetched: the crate is built without its
/// resolvers, and the catalog's rules refuse such schemas besides. Cloning it is cheap: plans share what they inherit.
#[derive(Clone)]
pub struct Schema(Arc<Compiled>);

struct Compiled {
    source: Value,
    validator: Validator,
}

/// One way in which parameters do not fit: place and rule, never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// A JSON pointer into the parameters; empty for the whole.
    pub place: String,
    /// The keyword that says no, and where it stands in the schema.
    pub rule: String,
}

/// Most violations that one answer names.
const MOST: usize = 20;

impl Schema {
    /// Reads a schema of any draft from 4 to 2020-12, by its `$schema`. The error is a sentence for the operator.
    pub fn compile(source: &Value) -> Result<Self, String> {
        match jsonschema::validator_for(source) {
            Ok(validator) => Ok(Self(Arc::new(Compiled {
                source: source.clone(),
                validator,
            }))),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The schema as it was written: what the catalog publishes.
    pub fn source(&self) -> &Value {
        &self.0.source
    }

    /// Every violation, up to 20.
    pub fn violations(&self, parameters: &Value) -> Vec<Violation> {
        self.0
            .validator
            .iter_errors(parameters)
            .take(MOST)
            .map(|error| Violation {
                place: error.instance_path().to_string(),
                rule: error.schema_path().to_string(),
            })
            .collect()
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Schema")
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.place.is_empty() {
            "/"
        } else {
            &self.place
        };
        write!(out, "`{place}` breaks `{}`", self.rule)
    }
}
