//! Whom a change hits: instances, by organization.

use std::collections::BTreeMap;
use std::fmt;

/// How many organizations a sentence names.
const NAMED: usize = 5;

/// Instances, by organization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hits(BTreeMap<String, u64>);

impl Hits {
    /// How many instances.
    pub fn instances(&self) -> u64 {
        self.0.values().sum()
    }

    /// How many of which organization, those with most of them first.
    pub fn organizations(&self) -> Vec<(&str, u64)> {
        let organizations = self.0.iter();
        let mut all: Vec<(&str, u64)> = organizations
            .map(|(name, count)| (&**name, *count))
            .collect();
        all.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
        all
    }

    /// So many more of an organization.
    pub fn add(&mut self, organization: &str, instances: u64) {
        *self.0.entry(organization.to_owned()).or_default() += instances;
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `3 service instances of 2 organizations: o2 (2), o1 (1)`.
impl fmt::Display for Hits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.organizations();
        let s = |count: u64| if count == 1 { "" } else { "s" };
        let (instances, organizations) = (self.instances(), all.len() as u64);
        write!(
            out,
            "{instances} service instance{} of {organizations} organization{}",
            s(instances),
            s(organizations)
        )?;
        for (at, (name, count)) in all.iter().take(NAMED).enumerate() {
            let before = if at == 0 { ": " } else { ", " };
            write!(out, "{before}{name} ({count})")?;
        }
        match all.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(out, " and {more} more"),
        }
    }
}
