//! The keys that credentials are derived of.

use std::collections::HashSet;

use super::Report;
use super::store::{dotted, trees};
use crate::catalog::derive::{self, Flaw};
use crate::catalog::draft::{Draft, follow};
use crate::document::{Path, Place};
use crate::template::Function;

/// `derive-keys`.
pub(super) fn keys(draft: &Draft<'_>, report: &mut Report<'_>) {
    let mut told = HashSet::new();
    if let Some(node) = draft.document.get("derive") {
        for flaw in derive::read(node).of_keys {
            tell(&Path::root(), flaw, &mut told, report);
        }
    }
    for (_, plan) in draft.plans() {
        if let Some(node) = plan.node.get("derive") {
            let read = derive::read(node);
            for flaw in read.of_keys.into_iter().chain(read.of_current) {
                tell(&plan.path, flaw, &mut told, report);
            }
        }
    }
}

/// What many plans inherit is told once, where it stands.
fn tell(around: &Path, flaw: Flaw, told: &mut HashSet<Place>, report: &mut Report<'_>) {
    if told.insert(flaw.place.clone()) {
        let path = around.key("derive");
        let path = flaw
            .path
            .into_iter()
            .fold(path, |path, step| path.key(step));
        report.add(&path, &flaw.place, flaw.message, flaw.mend);
    }
}

/// `derive-needs-key`.
pub(super) fn needs_key(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (_, plan) in draft.plans() {
        if plan.node.get("derive").is_some() {
            continue;
        }
        for (root, tree) in plan.answers.iter().flat_map(|answers| trees(answers, true)) {
            for (path, expression) in tree.expressions() {
                let mut functions = expression.functions().iter();
                if let Some(function) = functions.find(|function| Function::derives(**function)) {
                    let (path, place) = follow(&plan.node, &plan.path, &dotted(root, &path));
                    let message = format!("{function} has no key");
                    let mend = "write one in the document: derive: { keys: { v1: \"${file:/run/secrets/derive_v1}\" } }, made with `openssl rand -base64 32`";
                    report.add(&path, &place, message, mend);
                }
            }
        }
    }
}
