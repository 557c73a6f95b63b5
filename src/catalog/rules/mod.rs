//! What is wrong with a document, a rule for each way: everything the specification says MUST, everything that a
//! platform is known to refuse, and what an operator most likely did not mean.

mod accept;
mod adopting;
mod answers;
mod derive;
mod expiry;
mod ids;
mod lifecycle;
mod limits;
mod moves;
mod plans;
mod pools;
mod programs;
mod published;
mod renderings;
mod responding;
mod schemas;
mod secrets;
mod statements;
mod store;
mod table;

use std::cell::OnceCell;

pub(crate) use store::trees;
pub use table::RULES;

use super::draft::Draft;
use crate::document::{Finding, Findings, Node, Path, Place, Severity};
use renderings::Renderings;

/// Where a rule comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A section of the specification.
    Specification(&'static str),
    /// A platform is known to refuse it, or to need it.
    Platform(&'static str),
    /// The catalog language itself: a part of it.
    Language(&'static str),
    /// What a store can promise.
    Store(&'static str),
}

/// One rule.
pub struct Rule {
    /// Its name in findings and in `accept`.
    pub name: &'static str,
    /// Where it comes from.
    pub source: Source,
    /// How much its findings weigh.
    pub severity: Severity,
    /// What holds where it is kept, in one sentence.
    pub about: &'static str,
    check: Check,
}

/// How a rule is held.
enum Check {
    /// While the document is read.
    Reading,
    /// On the draft.
    Draft(fn(&Draft<'_>, &mut Report<'_>)),
}

/// Takes what one rule finds.
pub(crate) struct Report<'a> {
    rule: &'static Rule,
    findings: &'a mut Findings,
    /// Made when the first rule asks for them.
    renderings: &'a OnceCell<Renderings>,
}

impl<'a> Report<'a> {
    /// All private templates, rendered.
    fn renderings(&self, draft: &Draft<'_>) -> &'a Renderings {
        self.renderings.get_or_init(|| renderings::all(draft))
    }

    /// One finding of the rule.
    pub fn add(
        &mut self,
        path: &Path,
        place: &Place,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) {
        let name = self.rule.name;
        self.findings.push(match self.rule.severity {
            Severity::Error => Finding::error(name, path, place, message, mend),
            Severity::Warning => Finding::warning(name, path, place, message, mend),
            Severity::Note => Finding::note(name, path, place, message, mend),
        });
    }

    /// The same at a key of a node.
    pub fn at_key(
        &mut self,
        path: &Path,
        node: &Node,
        key: &str,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) {
        let place = node.get(key).map_or(&node.place, |node| &node.place);
        self.add(&path.key(key), place, message, mend);
    }
}

/// The rule of that name.
pub fn named(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

/// Holds every rule, then takes out what the document accepts.
pub(crate) fn run(draft: &Draft<'_>, findings: &mut Findings) {
    let renderings = OnceCell::new();
    for rule in RULES {
        if let Check::Draft(check) = rule.check {
            let mut report = Report {
                rule,
                findings,
                renderings: &renderings,
            };
            check(draft, &mut report);
        }
    }
    accept::silence(draft, findings);
}

/// A list's texts, each with its node.
fn texts<'a>(node: &'a Node, key: &str) -> impl Iterator<Item = (usize, &'a Node, &'a str)> {
    let items = node.get(key).and_then(Node::as_list).unwrap_or_default();
    items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| Some((index, item, item.as_text()?)))
}
