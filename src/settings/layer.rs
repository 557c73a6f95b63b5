//! One layer of settings: what one source says, and where it says it.

use std::collections::BTreeMap;
use std::path::Path;

use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};

use super::error::SettingsError;
use super::table::{SETTINGS, Setting};
use super::types::Flags;

/// Texts by the path of their setting. Text stays text: no layer guesses at a type.
#[derive(Clone, Default)]
pub(super) struct Layer(BTreeMap<String, Given>);

#[derive(Clone)]
struct Given {
    value: Raw,
    origin: String,
}

/// What is given for a setting.
#[derive(Clone)]
pub(super) enum Raw {
    /// One text.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Layer {
    pub(super) fn set(&mut self, path: impl Into<String>, value: Raw, origin: impl Into<String>) {
        let origin = origin.into();
        self.0.insert(path.into(), Given { value, origin });
    }

    /// Where the value of `path` is given in this layer, if it is.
    pub(super) fn origin(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(|given| given.origin.as_str())
    }

    /// What holds where nobody says anything.
    pub(super) fn defaults(cores: usize) -> Self {
        let mut layer = Self::default();
        for setting in SETTINGS {
            if let Some(default) = setting.default {
                layer.set(setting.path, Raw::read(setting, default), "default");
            }
        }
        layer.set("server.workers", Raw::One(cores.to_string()), "default");
        layer
    }

    /// What the command line says.
    pub(super) fn flags(flags: &Flags, errors: &mut Vec<SettingsError>) -> Self {
        let mut layer = Self::default();
        let mut path = |path: &Path, flag: &str| {
            let text = path.to_str().map(str::to_owned);
            if text.is_none() {
                let mend = "name the file with UTF-8 alone";
                errors.push(SettingsError::new(flag, "is not UTF-8", mend));
            }
            text
        };
        let one = |text: &Option<String>| text.clone().map(Raw::One);
        let catalog = flags.catalog.as_deref();
        let catalog = catalog.and_then(|file| path(file, "--catalog"));
        let vars: Vec<_> = flags
            .vars
            .iter()
            .filter_map(|file| path(file, "--vars"))
            .collect();
        let given = [
            ("catalog", catalog.map(Raw::One)),
            ("vars", (!vars.is_empty()).then_some(Raw::Many(vars))),
            (
                "allow_breaking",
                (!flags.allow_breaking.is_empty()).then(|| Raw::Many(flags.allow_breaking.clone())),
            ),
            ("store.url", one(&flags.store)),
            ("server.address", one(&flags.address)),
            ("server.port", one(&flags.port)),
            ("log.format", one(&flags.log_format)),
        ];
        for setting in SETTINGS {
            let value = given.iter().find(|(path, _)| *path == setting.path);
            if let (Some(flag), Some((path, Some(value)))) = (setting.flag, value) {
                layer.set(*path, value.clone(), format!("the flag {flag}"));
            }
        }
        layer
    }
}

impl Raw {
    /// What one text says for a setting.
    pub(super) fn read(setting: &Setting, text: &str) -> Self {
        if setting.is_list() {
            Self::separated(text)
        } else {
            Self::One(text.to_owned())
        }
    }

    /// Texts between commas, or on lines of their own; nothing between them is nothing.
    fn separated(text: &str) -> Self {
        let parts = text
            .split([',', '\n'])
            .map(str::trim)
            .filter(|part| !part.is_empty());
        Self::Many(parts.map(str::to_owned).collect())
    }
}

impl From<Raw> for Value {
    fn from(raw: Raw) -> Self {
        match raw {
            Raw::One(text) => text.into(),
            Raw::Many(texts) => texts.into(),
        }
    }
}

impl Provider for Layer {
    /// Interpolates a path to where its value is given.
    fn metadata(&self) -> Metadata {
        let origins: BTreeMap<_, _> = self
            .0
            .iter()
            .map(|(path, given)| (path.clone(), given.origin.clone()))
            .collect();
        Metadata::named("settings").interpolater(move |_: &Profile, keys: &[&str]| {
            origins.get(&keys.join(".")).cloned().unwrap_or_default()
        })
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut root = Dict::new();
        for (path, given) in &self.0 {
            nest(&mut root, path, given.value.clone().into());
        }
        Ok(Map::from([(Profile::Default, root)]))
    }
}

fn nest(dict: &mut Dict, path: &str, value: Value) {
    let Some((first, rest)) = path.split_once('.') else {
        dict.insert(path.to_owned(), value);
        return;
    };
    let below = dict
        .entry(first.to_owned())
        .or_insert_with(|| Dict::new().into());
    if let Value::Dict(_, below) = below {
        nest(below, rest, value);
    }
}
