//! Which names there are: checked when a document is loaded, so that a misspelt one never reaches a platform.

use std::fmt;

use serde_json::Value as Json;

use super::draw::Function;
use super::expression::Expression;

/// Where a template stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// In what a provision returns: there is no `binding` yet.
    Instance,
    /// In what a bind returns.
    Binding,
    /// In what a server is told on behalf of an instance.
    InstanceStatement,
    /// In what it is told on behalf of a binding.
    BindingStatement,
}

/// The names that a template may use.
#[derive(Clone, Copy, Debug)]
pub struct KnownNames<'a> {
    /// The plan's constants: `values.*` is followed into them.
    pub values: &'a Json,
    /// The keys of `instance.values`; none while those are rendered themselves. Nothing where they could not be read:
    /// then any may be meant.
    pub instance_values: Option<&'a [&'a str]>,
    /// The same of `binding.values`.
    pub binding_values: Option<&'a [&'a str]>,
    /// The keys of `with`; none while those are rendered themselves.
    pub with: &'a [&'a str],
    /// Where the template stands.
    pub place: Where,
}

/// A name that does not exist where it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    /// The name as it is used: `values.hots`.
    pub name: String,
    /// What may have been meant: `values.host`.
    pub nearest: Option<String>,
}

impl fmt::Display for UnknownName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` is not known here", self.name)?;
        self.nearest
            .as_ref()
            .map_or(Ok(()), |near| write!(out, "; did you mean `{near}`?"))
    }
}

/// What may stand below a name.
#[derive(Clone, Copy)]
enum Shape {
    Scalar,
    /// Any path; what is missing is null.
    Free,
    Fields(&'static [(&'static str, Shape)]),
    Constants,
    InstanceValues,
    BindingValues,
    With,
}

const NAMED: Shape = Shape::Fields(&[("id", Shape::Scalar), ("name", Shape::Scalar)]);

const INSTANCE: Shape = Shape::Fields(&[
    ("id", Shape::Scalar),
    ("parameters", Shape::Free),
    ("context", Shape::Free),
    ("organization", Shape::Scalar),
    ("space", Shape::Scalar),
    ("values", Shape::InstanceValues),
    ("outputs", Shape::Free),
    ("maintenance_info", MAINTENANCE),
]);

const BINDING: Shape = Shape::Fields(&[
    ("id", Shape::Scalar),
    ("parameters", Shape::Free),
    ("context", Shape::Free),
    ("app_guid", Shape::Scalar),
    ("bind_resource", Shape::Free),
    ("values", Shape::BindingValues),
    ("outputs", Shape::Free),
]);

const SERVER: Shape = Shape::Fields(&[
    ("host", Shape::Scalar),
    ("port", Shape::Scalar),
    ("database", Shape::Scalar),
    ("username", Shape::Scalar),
]);

const MAINTENANCE: Shape = Shape::Fields(&[("version", Shape::Scalar)]);

const PREVIOUS: Shape = Shape::Fields(&[
    ("plan", NAMED),
    ("parameters", Shape::Free),
    ("maintenance_info", MAINTENANCE),
]);

/// Statements see all; an answer does without the first three, an instance's without the last.
const ROOTS: &[(&str, Shape)] = &[
    ("with", Shape::With),
    ("server", SERVER),
    ("previous", PREVIOUS),
    ("service", NAMED),
    ("plan", NAMED),
    ("values", Shape::Constants),
    ("platform", Shape::Scalar),
    ("instance", INSTANCE),
    ("binding", BINDING),
];

/// How many of the roots only statements see.
const OF_STATEMENTS: usize = 3;

/// The names of `expression` that do not exist where it stands.
pub fn check_names(expression: &Expression, known: &KnownNames<'_>) -> Vec<UnknownName> {
    let paths = expression.paths().iter();
    paths
        .filter_map(|path| {
            let nearest = known.check(&path.steps).err()?;
            Some(UnknownName {
                name: path.dotted.clone(),
                nearest,
            })
        })
        .collect()
}

impl KnownNames<'_> {
    /// `Err` with what may have been meant where `steps` lead nowhere.
    fn check(&self, steps: &[String]) -> Result<(), Option<String>> {
        let roots = match self.place {
            Where::Instance => &ROOTS[OF_STATEMENTS..ROOTS.len() - 1],
            Where::Binding => &ROOTS[OF_STATEMENTS..],
            Where::InstanceStatement => &ROOTS[..ROOTS.len() - 1],
            Where::BindingStatement => ROOTS,
        };
        if let [name] = steps
            && let Some(function) = Function::named(name)
        {
            return Err(Some(function.to_string()));
        }
        self.follow(fields(roots, &[], steps)?, steps, 1)
    }

    fn follow(&self, shape: Shape, steps: &[String], at: usize) -> Result<(), Option<String>> {
        let (before, below) = steps.split_at(at);
        match shape {
            Shape::Free => Ok(()),
            Shape::Scalar if below.is_empty() => Ok(()),
            Shape::Scalar => Err(Some(before.join("."))),
            // `instance` alone would hide what it uses; its fields are named.
            Shape::Fields(known) if below.is_empty() => Err(known
                .first()
                .map(|(field, _)| format!("{}.{field}", before.join(".")))),
            Shape::Fields(known) => self.follow(fields(known, before, below)?, steps, at + 1),
            Shape::Constants => constants(self.values, before, below),
            Shape::InstanceValues => one_of(self.instance_values, before, below),
            Shape::BindingValues => one_of(self.binding_values, before, below),
            Shape::With => one_of(Some(self.with), before, below),
        }
    }
}

fn fields(
    known: &[(&str, Shape)],
    before: &[String],
    below: &[String],
) -> Result<Shape, Option<String>> {
    let wanted = below.first().map_or("", String::as_str);
    let found = known
        .iter()
        .find(|(name, _)| *name == wanted)
        .map(|(_, shape)| *shape);
    found.ok_or_else(|| {
        suggestion(
            before,
            wanted,
            known.iter().map(|(name, _)| *name),
            &below[1..],
        )
    })
}

fn constants(value: &Json, before: &[String], below: &[String]) -> Result<(), Option<String>> {
    let Some((wanted, rest)) = below.split_first() else {
        return Ok(());
    };
    let Some(map) = value.as_object() else {
        return Err(Some(before.join(".")));
    };
    let found = map.get(wanted);
    let found =
        found.ok_or_else(|| suggestion(before, wanted, map.keys().map(String::as_str), rest))?;
    constants(
        found,
        &[before, std::slice::from_ref(wanted)].concat(),
        rest,
    )
}

fn one_of(
    known: Option<&[&str]>,
    before: &[String],
    below: &[String],
) -> Result<(), Option<String>> {
    match (below.split_first(), known) {
        (Some((wanted, rest)), Some(known)) if !known.contains(&wanted.as_str()) => {
            Err(suggestion(before, wanted, known.iter().copied(), rest))
        }
        _ => Ok(()),
    }
}

fn suggestion<'k>(
    before: &[String],
    wanted: &str,
    known: impl Iterator<Item = &'k str>,
    rest: &[String],
) -> Option<String> {
    let near = nearest(wanted, known)?;
    let steps = before
        .iter()
        .map(String::as_str)
        .chain([near])
        .chain(rest.iter().map(String::as_str));
    Some(steps.collect::<Vec<_>>().join("."))
}

/// The known word that is nearest, if one is near.
pub(super) fn nearest<'k>(wanted: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let scored = known.map(|word| (strsim::normalized_damerau_levenshtein(wanted, word), word));
    scored
        .filter(|(score, _)| *score >= 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}
