//! What can be wrong with a template: in its text, when the document is loaded; in its values, when it is rendered.

use std::error::Error;
use std::fmt;

use super::expression::Expression;
use super::tree::Tree;
use crate::secret::MASK;

/// An expression that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    sentence: String,
}

impl TemplateError {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
        }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.sentence)
    }
}

impl Error for TemplateError {}

/// A template that cannot be rendered with the values at hand.
///
/// It names the key, the expression as the operator wrote it but for the texts in it, and what is wrong; never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderError {
    path: String,
    expression: Option<String>,
    sentence: String,
    parameters: Vec<String>,
}

impl RenderError {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            expression: None,
            sentence: sentence.into(),
            parameters: Vec::new(),
        }
    }

    /// What `path` came to is not of the type that is asked for there.
    pub fn mistyped(path: &str, kind: &str) -> Self {
        Self::new(format!("did not come to {kind}")).below(path)
    }

    /// What `path` came to cannot be used there.
    pub fn unfit(path: &str, sentence: impl Into<String>) -> Self {
        Self::new(sentence).below(path)
    }

    /// What an expression came to cannot be used where it stands.
    pub fn unusable(expression: &Expression, sentence: impl Into<String>) -> Self {
        Self::new(sentence).in_expression(expression)
    }

    /// What an expression came to is wrong.
    pub(super) fn in_expression(mut self, expression: &Expression) -> Self {
        self.expression = Some(without_texts(expression.source().trim()));
        self.made_of(expression);
        self
    }

    /// What a tree came to is wrong as a whole.
    #[must_use]
    pub fn in_tree(mut self, tree: &Tree) -> Self {
        for (_, expression) in tree.expressions() {
            self.made_of(expression);
        }
        self
    }

    fn made_of(&mut self, expression: &Expression) {
        let names = expression.names().filter(|name| {
            ["instance.parameters", "binding.parameters"]
                .iter()
                .any(|root| name.starts_with(root))
        });
        self.parameters.extend(names.map(str::to_owned));
    }

    /// The names of a platform's parameters that it is made of: with others it may be right.
    pub fn parameters(&self) -> &[String] {
        &self.parameters
    }

    /// The same error, seen from outside: `uri` below `credentials` is `credentials.uri`, `[0]` below it is
    /// `credentials[0]`.
    #[must_use]
    pub fn below(mut self, step: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        self.path = format!("{step}{dot}{}", self.path);
        self
    }

    /// The way to the key: `credentials.uri`; empty where a whole tree is one text.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The expression as it is written, its texts masked, where one is to blame.
    pub fn expression(&self) -> Option<&str> {
        self.expression.as_deref()
    }

    /// What is wrong.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(out, "{}: ", self.path)?;
        }
        match &self.expression {
            Some(source) => write!(out, "{{{{ {source} }}}} {}", self.sentence),
            None => out.write_str(&self.sentence),
        }
    }
}

impl Error for RenderError {}

/// The source with `***` in place of every text between quotes: an operator may have written a password there.
pub fn without_texts(source: &str) -> String {
    let mut masked = String::with_capacity(source.len());
    let mut signs = source.chars();
    while let Some(sign) = signs.next() {
        masked.push(sign);
        if !matches!(sign, '\'' | '"') {
            continue;
        }
        let mut any = false;
        let mut closed = false;
        while let Some(inner) = signs.next() {
            if inner == sign {
                closed = true;
                break;
            }
            any = true;
            if inner == '\\' {
                signs.next();
            }
        }
        masked.push_str(if any { MASK } else { "" });
        masked.extend(closed.then_some(sign));
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::without_texts;

    #[test]
    fn an_expression_is_told_without_the_texts_in_it() {
        for (source, told) in [
            ("instance.id", "instance.id"),
            (
                "x | default('pass') ~ \"word\"",
                "x | default('***') ~ \"***\"",
            ),
            ("'it\\'s' ~ x", "'***' ~ x"),
            ("'a\"b' ~ \"c'd\"", "'***' ~ \"***\""),
            ("x | default('')", "x | default('')"),
            ("'cut off", "'***"),
        ] {
            assert_eq!(without_texts(source), told);
        }
    }
}
