//! `config/broker.yaml`: read with places, unknown keys refused, references resolved where a value is used.

use std::io::ErrorKind;
use std::path::Path;

use super::environment::{folded, is_login_name};
use super::error::SettingsError;
use super::layer::Raw;
use super::nearest::nearest;
use super::table::{self, AUTH, Kind, LOGINS, SETTINGS, Setting};
use crate::document::{
    Budget, Entry, Node, Origin, Sources, Text, TextError, Value, parse_bytes, resolve_text,
};

/// What the settings file says.
#[derive(Default)]
pub(super) struct SettingsFile {
    /// Values as written.
    pub leaves: Vec<Leaf>,
    /// The names of its logins.
    pub logins: Vec<String>,
    /// Whether it says anything of logins.
    pub has_auth: bool,
}

/// One value of the file.
pub(super) struct Leaf {
    setting: &'static Setting,
    /// The path, with the login's name in it.
    pub path: String,
    node: Node,
}

/// Reads the file; `origin` says who names it. Absent is fine where nobody does.
pub(super) fn read(
    path: &Path,
    origin: Option<&str>,
    with_login: bool,
    sources: &Sources,
    errors: &mut Vec<SettingsError>,
) -> SettingsFile {
    let name = path.display().to_string();
    let mut file = SettingsFile::default();
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound && origin.is_none() => return file,
        Err(error) => {
            let message = format!("the settings file cannot be read: {}", error.kind());
            let mend = "name a file that the broker's user may read, or none";
            let error = SettingsError::new(name, message, mend);
            errors.push(match origin {
                Some(origin) => error.given_by(origin),
                None => error,
            });
            return file;
        }
    };
    match parse_bytes(&name, &bytes, &Budget::default()) {
        Ok(root) => {
            let mut walk = Walk {
                file: &mut file,
                with_login,
                sources,
                errors,
            };
            walk.section(&root, "", "");
        }
        Err(findings) => errors.extend(findings.iter().map(SettingsError::from)),
    }
    file
}

struct Walk<'a> {
    file: &'a mut SettingsFile,
    with_login: bool,
    sources: &'a Sources,
    errors: &'a mut Vec<SettingsError>,
}

impl Walk<'_> {
    /// A map of settings. `pattern` is `path` with a `*` for the name of a login.
    fn section(&mut self, node: &Node, path: &str, pattern: &str) {
        let resolved;
        let node = match &node.value {
            Value::Null => return,
            Value::Text(Text::Written(_)) if is_auth(path) && !self.with_login => return,
            Value::Text(Text::Written(text)) => match resolve(text, node, false, self.sources) {
                Ok(node) => {
                    resolved = node;
                    &resolved
                }
                Err(errors) => return self.errors.extend(errors),
            },
            _ => node,
        };
        let Some(map) = node.as_map() else {
            let message = format!("{} where a map of settings is expected", node.kind());
            let mend = "write KEY: VALUE, indented below";
            let subject = subject(node, path);
            return self.errors.push(SettingsError::new(subject, message, mend));
        };
        for entry in map {
            self.entry(entry, path, pattern);
        }
    }

    fn entry(&mut self, entry: &Entry, path: &str, pattern: &str) {
        let key = &*entry.key;
        let path_below = joined(path, key);
        self.file.has_auth |= is_auth(path) && !entry.node.is_null();
        if pattern == LOGINS {
            if self.login(entry) {
                self.section(&entry.node, &path_below, &joined(pattern, "*"));
            }
            return;
        }
        let pattern = joined(pattern, key);
        let section = format!("{pattern}.");
        if let Some(setting) = table::find(&pattern) {
            if !entry.node.is_null() {
                let node = entry.node.clone();
                self.file.leaves.push(Leaf {
                    setting,
                    path: path_below,
                    node,
                });
            }
        } else if SETTINGS
            .iter()
            .any(|setting| setting.path.starts_with(&section))
        {
            self.section(&entry.node, &path_below, &pattern);
        } else {
            self.unknown(entry, path, &pattern);
        }
    }

    /// Whether the login may have its name.
    fn login(&mut self, entry: &Entry) -> bool {
        let name = &*entry.key;
        let (message, mend) = if !is_login_name(name) {
            let mend = "use letters, digits and single - or _ between them";
            ("is no name for a login".to_owned(), mend)
        } else if folded(name) == "default" {
            let message = "is the name of the login auth.username".to_owned();
            (message, "give the login another name")
        } else if let Some(other) = self
            .file
            .logins
            .iter()
            .find(|other| folded(other) == folded(name))
        {
            let message = format!("is the same name as {other} in the environment");
            (message, "give the login another name")
        } else {
            if !entry.node.is_null() {
                self.file.logins.push(name.to_owned());
            }
            return true;
        };
        let subject = format!("{} {LOGINS}.{name}", entry.key_place);
        self.errors.push(SettingsError::new(subject, message, mend));
        false
    }

    fn unknown(&mut self, entry: &Entry, path: &str, pattern: &str) {
        let subject = format!("{} {}", entry.key_place, joined(path, &entry.key));
        let known = siblings(pattern);
        let mend = match nearest(&entry.key, known.iter().copied()) {
            Some(name) => format!("did you mean {name}?"),
            None => format!("known here: {}", known.join(", ")),
        };
        self.errors
            .push(SettingsError::new(subject, "is no setting", mend));
    }
}

/// The keys that are known where the last step of `pattern` stands.
fn siblings(pattern: &str) -> Vec<&'static str> {
    let above = pattern
        .rsplit_once('.')
        .map_or(String::new(), |(above, _)| format!("{above}."));
    let mut keys: Vec<_> = SETTINGS
        .iter()
        .filter_map(|setting| setting.path.strip_prefix(&above)?.split('.').next())
        .collect();
    keys.dedup();
    keys
}

impl Leaf {
    /// The value, with its references resolved, and where it came from.
    pub(super) fn resolve(&self, sources: &Sources) -> Result<(Raw, String), Vec<SettingsError>> {
        let node = self.resolved(&self.node, sources)?;
        let origin = match &node.origin {
            Origin::References(references) => {
                format!("{} through {}", node.place, references.join(", "))
            }
            _ => node.place.to_string(),
        };
        let raw = match &node.value {
            Value::List(items) if self.setting.is_list() => {
                let texts = items
                    .iter()
                    .map(|item| self.text(&self.resolved(item, sources)?, Kind::Text));
                Raw::Many(texts.collect::<Result<_, _>>()?)
            }
            _ => Raw::read(self.setting, &self.text(&node, self.setting.kind)?),
        };
        Ok((raw, origin))
    }

    fn resolved(&self, node: &Node, sources: &Sources) -> Result<Node, Vec<SettingsError>> {
        match &node.value {
            Value::Text(Text::Written(text)) => {
                resolve(text, node, self.setting.is_confidential(), sources)
            }
            _ => Ok(node.clone()),
        }
    }

    fn text(&self, node: &Node, kind: Kind) -> Result<String, Vec<SettingsError>> {
        match &node.value {
            Value::Text(text) => Ok(text.to_source()),
            Value::Number(number) if kind == Kind::Measure => Ok(number.to_string()),
            Value::Bool(truth) if kind == Kind::Truth => Ok(truth.to_string()),
            _ => Err(vec![self.unfit(node, kind)]),
        }
    }

    fn unfit(&self, node: &Node, kind: Kind) -> SettingsError {
        let expected = match kind {
            Kind::Measure => "a number, perhaps with a unit,",
            Kind::Truth => "true or false",
            Kind::List | Kind::Secrets => "a list of strings",
            Kind::Text | Kind::Secret | Kind::Url | Kind::Path => "a string",
        };
        let mend = match (&node.value, kind) {
            (
                Value::Number(_) | Value::Bool(_),
                Kind::Text | Kind::Secret | Kind::Url | Kind::Path | Kind::List | Kind::Secrets,
            ) => "put it in quotes: without them YAML reads something else",
            _ => "config/broker.yaml shows how it is written",
        };
        let message = format!("{} where {expected} is expected", node.kind());
        SettingsError::new(subject(node, &self.path), message, mend)
    }
}

/// The node with its references resolved. What stands in a secret is not repeated in an error.
fn resolve(
    text: &str,
    node: &Node,
    secret: bool,
    sources: &Sources,
) -> Result<Node, Vec<SettingsError>> {
    let resolved = resolve_text(text, false, sources).map_err(|errors| {
        let tell = |error: &TextError| match error {
            TextError::Cut(_) if secret => (
                "holds a ${ that begins no reference".to_owned(),
                "write $${ for a literal ${".to_owned(),
            ),
            _ => (error.to_string(), error.mend()),
        };
        let tell = |error: &TextError| {
            let (message, mend) = tell(error);
            SettingsError::new(node.place.to_string(), message, mend)
        };
        errors.iter().map(tell).collect::<Vec<_>>()
    })?;
    Ok(resolved.into_node(&node.place))
}

fn subject(node: &Node, path: &str) -> String {
    format!("{} {path}", node.place).trim_end().to_owned()
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Whether a path is about logins.
pub(super) fn is_auth(path: &str) -> bool {
    path == AUTH
        || path
            .strip_prefix(AUTH)
            .is_some_and(|rest| rest.starts_with('.'))
}
