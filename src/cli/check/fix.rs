//! `check --fix`: mends in memory, round by round, checks what came of each, and only then writes.

use std::path::Path;
use std::sync::Arc;

use super::edits::Edited;
use super::write::replace;
use crate::catalog::{self, Loaded};
use crate::cli::loading::Surroundings;
use crate::document::{Edit, Finding, Findings};

/// More than any document needs: each round mends something, or is the last.
const ROUNDS: usize = 100;

/// A file of the document: its name and its text.
type File = (Arc<str>, String);

/// What came of it.
pub(super) struct Fixed {
    /// What was mended.
    pub mended: Vec<Finding>,
    /// The document as it is now.
    pub loaded: Loaded,
    /// Why a file could not be written.
    pub written: Result<(), String>,
}

/// Mends what can be mended.
pub(super) fn fix(loaded: Loaded, surroundings: &Surroundings) -> Fixed {
    let (vars, before) = files(&loaded, surroundings);
    let check = |files: &[File]| {
        let bytes = |(name, text): &File| (Arc::clone(name), text.clone().into_bytes());
        catalog::load_texts(
            files.iter().map(bytes).collect(),
            &surroundings.environment,
            vars.iter().map(bytes).collect(),
            surroundings.memory(),
        )
    };
    let mut fixed = Fixed {
        mended: Vec::new(),
        loaded,
        written: Ok(()),
    };
    let mut now = before.clone();
    for _ in 0..ROUNDS {
        let Some(step) = Step::best(&now, &fixed.loaded, check) else {
            break;
        };
        now = step.files;
        fixed.mended.extend(step.mended);
        fixed.loaded = step.loaded;
    }
    fixed.written = write(&before, &now);
    fixed
}

/// The vars files, and those of the document: only these are ever written.
fn files(loaded: &Loaded, surroundings: &Surroundings) -> (Vec<File>, Vec<File>) {
    let vars = surroundings.source().vars;
    let is_vars = |name: &str| vars.iter().any(|path| path.display().to_string() == name);
    let files = loaded.files.iter();
    files
        .map(|file| (Arc::clone(&file.name), file.text.clone()))
        .partition(|(name, _)| is_vars(name))
}

/// One round.
struct Step {
    files: Vec<File>,
    mended: Vec<Finding>,
    loaded: Loaded,
}

impl Step {
    /// All that can be mended at once; where that does not come out well, the first that does by itself.
    fn best(files: &[File], loaded: &Loaded, check: impl Fn(&[File]) -> Loaded) -> Option<Self> {
        let mendable: Vec<&Finding> = loaded
            .findings
            .iter()
            .filter(|finding| !finding.edits.is_empty())
            .collect();
        let one_by_one = mendable.iter().map(|finding| vec![*finding]);
        std::iter::once(mendable.clone())
            .chain(one_by_one)
            .find_map(|findings| Self::make(files, &findings, loaded, &check))
    }

    fn make(
        files: &[File],
        findings: &[&Finding],
        loaded: &Loaded,
        check: &impl Fn(&[File]) -> Loaded,
    ) -> Option<Self> {
        let mut edited = Vec::new();
        let mut mended = Vec::new();
        for (name, text) in files {
            let mut file = Edited::new(text);
            for finding in findings.iter().filter(|finding| is_in(name, finding)) {
                if file.take(finding) {
                    mended.push((*finding).clone());
                }
            }
            edited.push((Arc::clone(name), file.text()));
        }
        if mended.is_empty() {
            return None;
        }
        let after = check(&edited);
        let is_better = (after.document.is_some() || loaded.document.is_none())
            && mended
                .iter()
                .all(|finding| !is_still_there(finding, &after.findings));
        is_better.then_some(Self {
            files: edited,
            mended,
            loaded: after,
        })
    }
}

/// Whether all edits of the finding are in that file.
fn is_in(name: &str, finding: &Finding) -> bool {
    finding
        .edits
        .iter()
        .all(|Edit { file, .. }| &**file == name)
}

fn is_still_there(finding: &Finding, findings: &Findings) -> bool {
    let is_same = |other: &Finding| {
        (other.rule, &other.path, &other.message) == (finding.rule, &finding.path, &finding.message)
            && other.place.as_ref().map(|place| &place.file)
                == finding.place.as_ref().map(|place| &place.file)
    };
    findings.iter().any(is_same)
}

fn write(before: &[File], now: &[File]) -> Result<(), String> {
    for ((name, old), (_, new)) in before.iter().zip(now) {
        if old != new {
            replace(Path::new(&**name), old, new)
                .map_err(|error| format!("{name} cannot be mended: {error}"))?;
        }
    }
    Ok(())
}
