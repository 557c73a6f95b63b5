//! Programs that plans have run: whether they are there, on the machine that the document is read on.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Report, texts};
use crate::catalog::draft::Draft;

/// `program-missing`: each program once, however many plans have it.
pub(super) fn are_there(draft: &Draft<'_>, report: &mut Report<'_>) {
    let mut seen = HashSet::new();
    for (_, plan) in draft.plans() {
        let command = plan
            .node
            .get("backend")
            .and_then(|node| node.get("command"));
        let Some(command) = command else {
            continue;
        };
        // What comes first is the program; arguments may be anything.
        let Some((0, _, program)) = texts(command, "run").next() else {
            continue;
        };
        if let Some(why) = unfit(Path::new(program))
            && seen.insert(program.to_owned())
        {
            let message = format!("the program {program} {why}");
            let mend =
                "put it there, with the right to be run, on each machine that a broker runs on";
            report.at_key(&plan.path, &plan.node, "backend", message, mend);
        }
    }
}

/// Why it would not be started, as far as that can be seen without starting it.
fn unfit(program: &Path) -> Option<String> {
    match fs::metadata(program) {
        Err(error) => Some(format!("cannot be found here: {error}")),
        Ok(found) if !found.is_file() => Some("is no file".to_owned()),
        Ok(found) if found.permissions().mode() & 0o111 == 0 => {
            Some("is not executable: nobody has the right to run it".to_owned())
        }
        Ok(_) => None,
    }
}
