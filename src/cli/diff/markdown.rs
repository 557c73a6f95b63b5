//! `diff --format markdown`: a table for the page of a pull request, as GitHub and GitLab show it.
//!
//! What comes from a catalog stands between backquotes: there it is text, whatever is in it.

use std::fmt::Write as _;

use serde_json::Value;

use super::verdict::{NAMED, Outcome, Told};
use crate::cli::output::plain;
use crate::domain::difference::Difference;

/// The longest value that a cell shows whole, in characters.
const LONGEST: usize = 160;

/// The page.
pub(super) fn page(differences: &[Difference], told: Option<&Told>) -> String {
    let mut text = match differences.len() {
        0 => "### Catalog: no difference\n".to_owned(),
        1 => "### Catalog: 1 difference\n".to_owned(),
        count => format!("### Catalog: {count} differences\n"),
    };
    if !differences.is_empty() {
        text.push_str("\n| | Service | Plan | Field | Old | New |\n|---|---|---|---|---|---|\n");
        for difference in differences {
            let cell = |value: Option<&Value>| value.map(shown).unwrap_or_default();
            let name = |name: Option<&str>| name.map(code).unwrap_or_default();
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                difference.kind.in_words(),
                code(&difference.service),
                name(difference.plan.as_deref()),
                name(difference.path.as_deref()),
                cell(difference.old.as_ref()),
                cell(difference.new.as_ref()),
            );
        }
    }
    if let Some(told) = told {
        lives(&mut text, told);
    }
    text
}

fn lives(text: &mut String, told: &Told) {
    text.push_str(match (told.refused, told.breaches.is_empty()) {
        (true, _) => "\n### What lives: a broker refuses this catalog\n",
        (false, false) => "\n### What lives: a broker serves this catalog\n",
        (false, true) => "\n### What lives: nothing breaks\n",
    });
    if told.breaches.is_empty() {
        return;
    }
    text.push_str("\n| | Rule | Service | Plan | What | Instances | Organizations |\n|---|---|---|---|---|---:|---|\n");
    for breach in &told.breaches {
        let outcome = match breach.outcome {
            Outcome::Refused => "**refused**",
            other => other.name(),
        };
        let _ = writeln!(
            text,
            "| {outcome} | `{}` | {} | {} | {} | {} | {} |",
            breach.rule,
            code(&breach.service),
            code(&breach.plan),
            code(&breach.change),
            breach.instances,
            organizations(breach),
        );
    }
    if told.refused {
        let _ = writeln!(text, "\nTo serve it all the same: `{}`", told.way_out());
    }
}

fn organizations(breach: &super::verdict::Breach) -> String {
    let named = breach.hits.iter().take(NAMED);
    let named = named.map(|hit| format!("{} ({})", code(&hit.organization), hit.instances));
    let more = match breach.hits.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    named.collect::<Vec<_>>().join(", ") + &more
}

/// A value as JSON, but no longer than a page can bear: `--format json` has it whole.
fn shown(value: &Value) -> String {
    let whole = match value {
        Value::String(text) => format!("\"{}\"", plain(text)),
        other => other.to_string(),
    };
    if whole.chars().count() <= LONGEST {
        return code(&whole);
    }
    let beginning: String = whole.chars().take(LONGEST).collect();
    code(&(beginning + "…"))
}

/// Text of others as code in a cell: no line ends, no end of the code, no end of the cell.
fn code(text: &str) -> String {
    let text = plain(text).replace("\\|", "\\\\u007c").replace('|', "\\|");
    let longest = text
        .split(|char| char != '`')
        .map(str::len)
        .max()
        .unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if text.is_empty() {
        return String::new();
    }
    let pad = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_cell() {
        for (text, cell) in [
            ("small", "`small`"),
            ("a|b", "`a\\|b`"),
            ("a\\|b", "`a\\\\u007cb`"),
            ("`x`", "`` `x` ``"),
            ("a``b", "```a``b```"),
            ("a\nb", "`a\\nb`"),
            ("<img>", "`<img>`"),
            ("", ""),
        ] {
            assert_eq!(code(text), cell);
        }
    }
}
