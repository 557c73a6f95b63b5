//! One expression between `{{` and `}}`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use serde_json::Value as Json;

use super::draw::{Draw, Function};
use super::engine::{Frame, environment, from_engine, sentence, to_engine};
use super::error::{RenderError, TemplateError};
use super::scan::{ALONE, JOINED, NO_LISTS, Path, last_filter, scan, word_count};
use super::scope::{Found, Scope};

/// How many words and signs an expression may have. The library reads and drops its parts recursively; this bounds how
/// deep.
const MAX_WORDS: usize = 200;

/// What the library compiled.
type Runnable = minijinja::Expression<'static, 'static>;

/// A compiled expression. Cloning it is cheap.
#[derive(Clone)]
pub struct Expression(Arc<Compiled>);

struct Compiled {
    source: String,
    paths: Vec<Path>,
    functions: BTreeSet<Function>,
    program: Program,
}

enum Program {
    /// It is the same whatever the scope.
    Constant(Json),
    /// It is one path alone, and looked up without the library.
    Lookup,
    /// The library runs it.
    Run(Runnable),
    /// The same for one with a `*`, which may see no lists.
    RunWithoutLists(Runnable),
}

impl Expression {
    /// Compiles the text between the braces. Names are not checked here: see [`KnownNames`](super::KnownNames).
    pub fn compile(source: &str) -> Result<Self, TemplateError> {
        if source.trim().is_empty() {
            return Err(TemplateError::new("nothing stands between `{{` and `}}`"));
        }
        if word_count(source) > MAX_WORDS {
            return Err(TemplateError::new(format!(
                "has more than {MAX_WORDS} words and signs: make it two, with one in `values`"
            )));
        }
        let unread = |error: minijinja::Error| {
            TemplateError::new(format!(
                "cannot be read: {}",
                error.detail().unwrap_or("a syntax error")
            ))
        };
        environment()
            .compile_expression_owned(source.to_owned())
            .map_err(unread)?;
        let read = scan(source)?;
        let compiled = environment()
            .compile_expression_owned(read.rewritten.clone())
            .map_err(unread)?;
        let ours = |name: &str| {
            let is_path = (0..read.paths.len()).any(|index| {
                [ALONE, JOINED]
                    .iter()
                    .any(|kind| name == format!("{kind}{index}"))
            });
            is_path
                || read
                    .functions
                    .iter()
                    .any(|function| function.name() == name)
        };
        if let Some(name) = compiled
            .undeclared_variables(false)
            .iter()
            .find(|name| !ours(name))
        {
            return Err(TemplateError::new(format!(
                "cannot be read at `{name}`: put spaces between the words"
            )));
        }
        let program = if read.paths.is_empty() && read.functions.is_empty() {
            let value = run(
                &compiled,
                Frame {
                    values: vec![],
                    draw: None,
                },
            );
            Program::Constant(
                value.map_err(|error| TemplateError::new(error.sentence().to_owned()))?,
            )
        } else if read.rewritten.trim() == format!("{ALONE}0") {
            Program::Lookup
        } else if read.multiplies {
            Program::RunWithoutLists(compiled)
        } else {
            Program::Run(compiled)
        };
        let compiled = Compiled {
            source: source.to_owned(),
            paths: read.paths,
            functions: read.functions,
            program,
        };
        Ok(Self(Arc::new(compiled)))
    }

    /// What stands before the last filter of an expression, and that one's name: for filters that are another's, which
    /// take the whole of what stands before them. Nothing where no filter stands last.
    pub fn split_filter(source: &str) -> Option<(&str, &str)> {
        last_filter(source)
    }

    /// The text between the braces.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The names that it looks up, each once: `instance.parameters.size`, `values.host` (also for `values['host']`).
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.paths.iter().map(|path| path.dotted.as_str())
    }

    pub(super) fn paths(&self) -> &[Path] {
        &self.0.paths
    }

    /// The functions that it calls.
    pub fn functions(&self) -> &BTreeSet<Function> {
        &self.0.functions
    }

    /// Whether it calls for chance.
    pub fn uses_chance(&self) -> bool {
        self.0.functions.iter().any(|function| function.is_chance())
    }

    /// Whether it calls `now()`.
    pub fn uses_time(&self) -> bool {
        self.0.functions.contains(&Function::Now)
    }

    /// Its value; null for what is absent.
    pub fn eval(&self, scope: &Scope<'_>, draw: &Draw) -> Result<Json, RenderError> {
        let value = match &self.0.program {
            Program::Constant(value) => Ok(value.clone()),
            Program::Lookup => self
                .look_up(scope)
                .next()
                .unwrap_or(Ok(Found::Null))
                .map(Found::to_json),
            Program::Run(compiled) => self.run(compiled, scope, draw),
            Program::RunWithoutLists(compiled) => {
                let has_list = |found| matches!(found, Ok(Found::Json(value)) if has_list(value));
                if self.look_up(scope).any(has_list) {
                    Err(RenderError::new(NO_LISTS))
                } else {
                    self.run(compiled, scope, draw)
                }
            }
        };
        value.map_err(|error| error.in_expression(self))
    }

    fn look_up<'a>(
        &self,
        scope: &Scope<'a>,
    ) -> impl Iterator<Item = Result<Found<'a>, RenderError>> {
        self.0.paths.iter().map(|path| scope.look_up(path))
    }

    fn run(
        &self,
        compiled: &Runnable,
        scope: &Scope<'_>,
        draw: &Draw,
    ) -> Result<Json, RenderError> {
        let values: Result<Vec<Value>, _> = self
            .look_up(scope)
            .map(|found| found.map(Found::to_engine))
            .collect();
        let draw = (!self.0.functions.is_empty()).then(|| draw.clone());
        run(
            compiled,
            Frame {
                values: values?,
                draw,
            },
        )
    }
}

fn has_list(value: &Json) -> bool {
    match value {
        Json::Array(_) => true,
        Json::Object(entries) => entries.values().any(has_list),
        _ => false,
    }
}

fn run(compiled: &Runnable, frame: Frame) -> Result<Json, RenderError> {
    let value = compiled
        .eval(Value::from_object(frame))
        .map_err(|error| RenderError::new(sentence(&error)))?;
    from_engine(&value).ok_or_else(|| RenderError::new("gives what JSON has no word for"))
}

impl fmt::Debug for Expression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{{{{{}}}}}", self.source())
    }
}

impl Found<'_> {
    fn to_json(self) -> Json {
        match self {
            Self::Json(value) => value.clone(),
            Self::Map(map) => Json::Object(map.clone()),
            Self::Text(text) => Json::String(text.to_owned()),
            Self::Null => Json::Null,
        }
    }

    fn to_engine(self) -> Value {
        match self {
            Self::Json(value) => to_engine(value),
            Self::Map(map) => to_engine(&Json::Object(map.clone())),
            Self::Text(text) => Value::from(text),
            Self::Null => Value::from(()),
        }
    }
}
