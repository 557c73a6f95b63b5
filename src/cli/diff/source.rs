//! One side of a diff: a broker's URL, a published catalog as JSON, or a catalog document to render.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::{Arguments, fetch};
use crate::catalog::{self, Source};
use crate::cli::loading::Surroundings;
use crate::cli::remote;
use crate::cli::render::sound;
use crate::domain::breaking::Served;
use crate::domain::catalog::Catalog;
use crate::http::wire;
use crate::settings::Flags;

/// A catalog, as far as it is known.
pub(super) struct Side {
    /// What platforms see.
    pub published: Value,
    /// What may be lived by.
    pub served: Served,
    /// All of it, where it comes from a document.
    pub catalog: Option<Arc<Catalog>>,
}

impl Side {
    fn published(published: Value) -> Self {
        Self {
            served: Served::of_published(&published),
            published,
            catalog: None,
        }
    }
}

/// Reads either side.
pub(super) struct Reader<'a> {
    pub flags: &'a Flags,
    pub arguments: &'a Arguments,
}

impl Reader<'_> {
    /// The catalog that `side` names.
    pub(super) fn read(&self, side: &str) -> Result<Side, String> {
        if side.starts_with("http://") || side.starts_with("https://") {
            return fetch::catalog(side, self.arguments).map(Side::published);
        }
        let path = Path::new(side);
        match published(path)? {
            Some(catalog) => Ok(Side::published(catalog)),
            None => self.rendered(path),
        }
    }

    fn rendered(&self, path: &Path) -> Result<Side, String> {
        let unreadable = |_| format!("{} cannot be rendered", path.display());
        let surroundings = Surroundings::read(self.flags).map_err(unreadable)?;
        let source = Source {
            path: path.to_owned(),
            ..surroundings.source()
        };
        let loaded = catalog::load(&source, &surroundings.environment, surroundings.memory());
        let catalog = sound(loaded).map_err(unreadable)?;
        Ok(Side {
            published: wire::answer::catalog(&catalog),
            served: Served::of(&catalog),
            catalog: Some(catalog),
        })
    }
}

/// The file as a published catalog, if it is one.
fn published(path: &Path) -> Result<Option<Value>, String> {
    let wrong = |why: String| format!("{}: {why}", path.display());
    let metadata = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
    if metadata.is_dir() || metadata.len() > remote::LARGEST {
        return Ok(None);
    }
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let Ok(catalog) = serde_json::from_slice::<Value>(&bytes) else {
        return Ok(None);
    };
    Ok(Some(catalog).filter(|catalog| !is_document(catalog)))
}

/// Whether it is written in the broker's own language, or is no catalog at all: rendering tells what is wrong with it. What has
/// a private key is never compared as it stands, for that would be shown.
fn is_document(catalog: &Value) -> bool {
    let has_private = |value: &Value| {
        let mut keys = value
            .as_object()
            .into_iter()
            .flat_map(|object| object.keys());
        keys.any(|key| catalog::is_private(key))
    };
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned();
    let Some(services) = list(catalog, "services") else {
        return true;
    };
    has_private(catalog)
        || services.iter().any(|service| {
            let plans = list(service, "plans").unwrap_or_default();
            has_private(service) || plans.iter().any(has_private)
        })
}
