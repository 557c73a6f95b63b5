//! A value with templates in it, in the shape of the JSON that it renders.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::draw::{Draw, Function};
use super::engine::{MAP_IN_TEXT, NULL_IN_TEXT};
use super::error::RenderError;
use super::expression::Expression;
use super::scope::Scope;

/// How much the expressions of one tree may bring in, in bytes of text.
const MAX_RENDERED: usize = 1024 * 1024;

/// A piece of a text.
#[derive(Clone, Debug)]
pub enum Part {
    /// As it stands, for ever.
    Literal(String),
    /// What stood between `{{` and `}}`.
    Expression(Expression),
}

/// A text with at least one expression in it.
#[derive(Clone, Debug)]
pub struct Template(Vec<Part>);

/// A value with templates in it. Make it with [`Tree::text`], [`Tree::list`] and [`Tree::map`]: they keep what has no
/// template as one ready [`Tree::Value`].
#[derive(Clone, Debug)]
pub enum Tree {
    /// No template from here on.
    Value(Json),
    /// A text with expressions.
    Text(Template),
    /// A list with a template somewhere below.
    List(Vec<Tree>),
    /// A map with a template somewhere below, in the order of the document.
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// A text of parts; literals alone make a constant.
    pub fn text(parts: Vec<Part>) -> Self {
        if parts.iter().any(|part| matches!(part, Part::Expression(_))) {
            return Self::Text(Template(parts));
        }
        Self::Value(
            parts
                .into_iter()
                .map(|part| {
                    if let Part::Literal(text) = part {
                        text
                    } else {
                        String::new()
                    }
                })
                .collect::<String>()
                .into(),
        )
    }

    /// A list; constants alone make a constant.
    pub fn list(items: Vec<Self>) -> Self {
        let constants: Option<Vec<Json>> = items
            .iter()
            .map(|item| item.as_constant().cloned())
            .collect();
        constants.map_or(Self::List(items), |items| Self::Value(Json::Array(items)))
    }

    /// A map; constants alone make a constant.
    pub fn map(entries: Vec<(String, Self)>) -> Self {
        let constants: Option<Map<String, Json>> = entries
            .iter()
            .map(|(key, value)| Some((key.clone(), value.as_constant()?.clone())))
            .collect();
        constants.map_or(Self::Map(entries), |entries| {
            Self::Value(Json::Object(entries))
        })
    }

    /// The value, where there is no template in it.
    pub const fn as_constant(&self) -> Option<&Json> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }

    /// All expressions, each with the path of its key: `credentials.uri`, `endpoints[0].host`.
    pub fn expressions(&self) -> Vec<(String, &Expression)> {
        let mut found = vec![];
        self.collect("", &mut found);
        found
    }

    fn collect<'t>(&'t self, path: &str, found: &mut Vec<(String, &'t Expression)>) {
        match self {
            Self::Value(_) => {}
            Self::Text(template) => found.extend(
                template
                    .expressions()
                    .map(|expression| (path.to_owned(), expression)),
            ),
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.collect(&format!("{path}[{index}]"), found);
                }
            }
            Self::Map(entries) => {
                let dot = if path.is_empty() { "" } else { "." };
                for (key, value) in entries {
                    value.collect(&format!("{path}{dot}{key}"), found);
                }
            }
        }
    }

    /// The functions that its expressions call.
    pub fn functions(&self) -> BTreeSet<Function> {
        self.expressions()
            .into_iter()
            .flat_map(|(_, expression)| expression.functions())
            .copied()
            .collect()
    }

    /// The value: `None` where the whole is one expression that gives null. A null leaves out its key or its list
    /// element; constants stay as they are, nulls too.
    pub fn render(&self, scope: &Scope<'_>, draw: &Draw) -> Result<Option<Json>, RenderError> {
        Rendering {
            scope,
            draw,
            left: MAX_RENDERED,
        }
        .tree(self)
    }
}

impl Template {
    /// A text of parts; `None` where all are literal: that is a constant.
    pub fn new(parts: Vec<Part>) -> Option<Self> {
        parts
            .iter()
            .any(|part| matches!(part, Part::Expression(_)))
            .then_some(Self(parts))
    }

    /// Its expressions.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.0.iter().filter_map(|part| match part {
            Part::Expression(expression) => Some(expression),
            Part::Literal(_) => None,
        })
    }

    /// The value; see [`Tree::render`].
    pub fn render(&self, scope: &Scope<'_>, draw: &Draw) -> Result<Option<Json>, RenderError> {
        Rendering {
            scope,
            draw,
            left: MAX_RENDERED,
        }
        .template(self)
    }
}

struct Rendering<'a> {
    scope: &'a Scope<'a>,
    draw: &'a Draw,
    left: usize,
}

impl Rendering<'_> {
    fn tree(&mut self, tree: &Tree) -> Result<Option<Json>, RenderError> {
        match tree {
            Tree::Value(value) => Ok(Some(value.clone())),
            Tree::Text(template) => self.template(template),
            Tree::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    list.extend(
                        self.tree(item)
                            .map_err(|error| error.below(&format!("[{index}]")))?,
                    );
                }
                Ok(Some(Json::Array(list)))
            }
            Tree::Map(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (key, value) in entries {
                    if let Some(value) = self.tree(value).map_err(|error| error.below(key))? {
                        map.insert(key.clone(), value);
                    }
                }
                Ok(Some(Json::Object(map)))
            }
        }
    }

    fn template(&mut self, template: &Template) -> Result<Option<Json>, RenderError> {
        if let [Part::Expression(expression)] = template.0.as_slice() {
            let value = self.eval(expression)?;
            return Ok(Some(value).filter(|value| !value.is_null()));
        }
        let mut text = String::new();
        for part in &template.0 {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Expression(expression) => match self.eval(expression)? {
                    Json::String(value) => text.push_str(&value),
                    Json::Null => {
                        return Err(cannot(NULL_IN_TEXT, expression));
                    }
                    Json::Array(_) | Json::Object(_) => {
                        return Err(cannot(MAP_IN_TEXT, expression));
                    }
                    scalar => text.push_str(&scalar.to_string()),
                },
            }
        }
        Ok(Some(Json::String(text)))
    }

    fn eval(&mut self, expression: &Expression) -> Result<Json, RenderError> {
        let value = expression.eval(self.scope, self.draw)?;
        let left = self.left.checked_sub(size(&value));
        self.left = left.ok_or_else(|| cannot("makes the whole longer than 1 MiB", expression))?;
        Ok(value)
    }
}

fn cannot(sentence: &str, expression: &Expression) -> RenderError {
    RenderError::new(sentence).in_expression(expression)
}

/// About how long the value is as JSON.
fn size(value: &Json) -> usize {
    match value {
        Json::Null | Json::Bool(_) | Json::Number(_) => 8,
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(|item| 8 + size(item)).sum(),
        Json::Object(entries) => entries
            .iter()
            .map(|(key, value)| 8 + key.len() + size(value))
            .sum(),
    }
}
