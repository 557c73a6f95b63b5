//! The layers on top of each other, read setting by setting.

use std::collections::BTreeSet;

use figment::value::Value;
use figment::{Figment, Profile};

use super::error::{Refused, SettingsError};
use super::layer::Layer;
use super::table::{Kind, LOGINS, SETTINGS, Setting};
use super::types::Explained;
use crate::secret::MASK;

/// All layers.
pub(super) struct Merged {
    figment: Figment,
    /// What is wrong so far.
    pub errors: Vec<SettingsError>,
    /// Paths that something is wrong with already.
    pub broken: BTreeSet<String>,
}

impl Merged {
    /// The first layer is the lowest.
    pub(super) fn new(layers: impl IntoIterator<Item = Layer>, errors: Vec<SettingsError>) -> Self {
        Self {
            figment: layers.into_iter().fold(Figment::new(), Figment::merge),
            errors,
            broken: BTreeSet::new(),
        }
    }

    /// One text, as given.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        match self.figment.find_value(path).ok()? {
            Value::String(_, text) => Some(text),
            _ => None,
        }
    }

    /// Several texts, as given.
    pub(super) fn texts(&self, path: &str) -> Vec<String> {
        match self.figment.find_value(path) {
            Ok(Value::Array(_, items)) => {
                items.into_iter().filter_map(Value::into_string).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The names of all logins beside `auth.username`.
    pub(super) fn logins(&self) -> Vec<String> {
        match self.figment.find_value(LOGINS) {
            Ok(Value::Dict(_, logins)) => logins.into_keys().collect(),
            _ => Vec::new(),
        }
    }

    /// Where the value came from.
    pub(super) fn origin(&self, path: &str) -> Option<String> {
        let keys: Vec<_> = path.split('.').collect();
        let metadata = self.figment.find_metadata(path)?;
        Some(metadata.interpolate(&Profile::Default, &keys))
    }

    /// One value, read by `parse`; absent where it is not given or wrong.
    pub(super) fn one<T>(
        &mut self,
        path: &str,
        parse: impl Fn(&str) -> Result<T, Refused>,
    ) -> Option<T> {
        let text = self.text(path)?;
        parse(&text)
            .map_err(|refused| self.refuse(path, refused))
            .ok()
    }

    /// Several values, each read by `parse`; absent where one is wrong.
    pub(super) fn many<T>(
        &mut self,
        path: &str,
        parse: impl Fn(&str) -> Result<T, Refused>,
    ) -> Option<Vec<T>> {
        let read: Result<_, _> = self.texts(path).iter().map(|text| parse(text)).collect();
        read.map_err(|refused| self.refuse(path, refused)).ok()
    }

    pub(super) fn refuse(&mut self, path: &str, refused: Refused) {
        let error = refused.of(path);
        let origin = self.origin(path).filter(|origin| !origin.is_empty());
        self.errors.push(match origin {
            Some(origin) => error.given_by(origin),
            None => error,
        });
    }

    /// Every setting that has a value, with it and where it came from.
    pub(super) fn explain(&self) -> Vec<Explained> {
        let logins = self.logins();
        let one = [String::new()];
        let paths = SETTINGS.iter().flat_map(|setting| {
            let names = if setting.path.contains('*') {
                logins.as_slice()
            } else {
                &one
            };
            let path = |name: &String| (setting, setting.path.replace('*', name));
            names.iter().map(path).collect::<Vec<_>>()
        });
        paths
            .filter_map(|(setting, path)| self.explained(setting, path))
            .collect()
    }

    fn explained(&self, setting: &Setting, path: String) -> Option<Explained> {
        let value = match setting.kind {
            Kind::Secret => self.text(&path).map(|_| MASK.to_owned())?,
            Kind::Url => shown(self.text(&path)?),
            Kind::List => self.texts(&path).join(", "),
            Kind::Secrets => vec![MASK; self.texts(&path).len()].join(", "),
            _ => self.text(&path)?,
        };
        let origin = self.origin(&path)?;
        Some(Explained {
            path,
            value,
            origin,
        })
    }
}

/// A URL without its user, password, host and parameters; a file is shown.
fn shown(url: String) -> String {
    match url.split_once("://") {
        Some((scheme, _)) if scheme != "sqlite" => format!("{scheme}://{MASK}"),
        _ => url,
    }
}
