//! What of the catalog a login is for: two foundations on one broker see two catalogs, and touch their own instances only.

use std::sync::Arc;

use super::catalog::Catalog;
use super::id::ServiceId;

/// The offerings that a caller may see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All there are.
    #[default]
    All,
    /// Those with one of these names or ids; what is of any other is for the caller as if it were not there.
    Only(Arc<[String]>),
}

impl Scope {
    /// Those with these names or ids.
    pub fn only(offerings: impl IntoIterator<Item = String>) -> Self {
        Self::Only(offerings.into_iter().collect())
    }

    /// Whether an offering is in it. Of one that has left the catalog nobody knows the name any more: there its id counts.
    pub fn holds(&self, catalog: &Catalog, service: &ServiceId) -> bool {
        match self {
            Self::All => true,
            Self::Only(offerings) => {
                let name = catalog.name_of(service);
                offerings
                    .iter()
                    .any(|known| known == service.as_str() || Some(&**known) == name)
            }
        }
    }

    /// Its names and ids that mean nothing in the catalog.
    pub fn unknown<'s>(&'s self, catalog: &Catalog) -> Vec<&'s str> {
        match self {
            Self::All => Vec::new(),
            Self::Only(offerings) => offerings
                .iter()
                .map(|known| &**known)
                .filter(|known| !catalog.knows_offering(known))
                .collect(),
        }
    }
}
