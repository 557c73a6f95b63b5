//! Edits put into a text: all of a finding's, or none of them; never two that meet; never one that loses a comment.

use std::ops::Range;

use crate::document::{Edit, Finding};

/// A text with the edits of findings gathered for it.
pub(super) struct Edited<'t> {
    text: &'t str,
    edits: Vec<&'t Edit>,
}

impl<'t> Edited<'t> {
    /// The text as it is.
    pub(super) const fn new(text: &'t str) -> Self {
        Self {
            text,
            edits: Vec::new(),
        }
    }

    /// Takes the edits of one finding; false where they cannot be made beside those that are there already.
    pub(super) fn take(&mut self, finding: &'t Finding) -> bool {
        let own: Vec<&Edit> = in_order(finding.edits.iter());
        let fits = own.iter().all(|edit| self.is_sound(edit))
            && own
                .windows(2)
                .all(|pair| pair[0].range.end <= pair[1].range.start)
            && !own.iter().any(|edit| {
                self.edits
                    .iter()
                    .any(|other| meet(&edit.range, &other.range))
            })
            && keeps_comments(self.text, &own);
        if fits {
            self.edits.extend(own);
        }
        fits
    }

    fn is_sound(&self, edit: &Edit) -> bool {
        self.text.get(edit.range.clone()).is_some()
    }

    /// The text with the edits made.
    pub(super) fn text(&self) -> String {
        let mut edited = String::with_capacity(self.text.len());
        let mut at = 0;
        for edit in in_order(self.edits.iter().copied()) {
            edited.push_str(&self.text[at..edit.range.start]);
            edited.push_str(&edit.text);
            at = edit.range.end;
        }
        edited + &self.text[at..]
    }
}

/// By where they begin; what is put in goes before what is taken out at the same place.
fn in_order<'e>(edits: impl Iterator<Item = &'e Edit>) -> Vec<&'e Edit> {
    let mut edits: Vec<&Edit> = edits.collect();
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    edits
}

/// Whether two ranges overlap or touch: of two that touch nobody knows which goes first.
const fn meet(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start <= other.end && other.start <= one.end
}

/// Whether every comment in what goes is in what comes. What only looks like a comment is held so too: then a person
/// has to look.
fn keeps_comments(text: &str, edits: &[&Edit]) -> bool {
    let gone = edits
        .iter()
        .flat_map(|edit| comments(text, edit.range.clone()));
    let come: String = edits
        .iter()
        .map(|edit| edit.text.as_str())
        .collect::<Vec<_>>()
        .join("\n");
    gone.filter(|comment| !comment.is_empty())
        .all(|comment| come.contains(comment))
}

/// From each `#` behind a blank or at the beginning of a line, to the end of the line or of the range.
fn comments(text: &str, range: Range<usize>) -> impl Iterator<Item = &str> {
    let end = range.end;
    let starts = range.clone().filter(move |at| {
        let before = text[..*at].chars().next_back();
        text.as_bytes()[*at] == b'#' && before.is_none_or(char::is_whitespace)
    });
    starts.map(move |at| text[at..end].lines().next().unwrap_or_default().trim_end())
}

#[cfg(test)]
mod tests {
    use crate::document::{Path, Place};

    use super::*;

    fn finding(edits: &[(Range<usize>, &str)]) -> Finding {
        let place = Place {
            file: "f.yaml".into(),
            line: 1,
            column: 1,
            start: 0,
            end: 0,
        };
        let edit = |(range, text): &(Range<usize>, &str)| Edit {
            file: "f.yaml".into(),
            range: range.clone(),
            text: (*text).to_owned(),
        };
        Finding::error("rule", &Path::root(), &place, "message", "mend")
            .with_edits(edits.iter().map(edit).collect())
    }

    fn edited(text: &str, findings: &[(&[(Range<usize>, &str)], bool)]) -> String {
        let findings: Vec<_> = findings
            .iter()
            .map(|(edits, taken)| (finding(edits), *taken))
            .collect();
        let mut edited = Edited::new(text);
        for (finding, taken) in &findings {
            assert_eq!(edited.take(finding), *taken, "{:?}", finding.edits);
        }
        edited.text()
    }

    #[test]
    fn edits_that_do_not_meet_are_all_made() {
        assert_eq!(
            edited(
                "a: 1\nb: 2\n",
                &[(&[(8..9, "\"2\"")], true), (&[(3..4, "\"1\"")], true)]
            ),
            "a: \"1\"\nb: \"2\"\n"
        );
        // One finding may put in and take out at one place.
        assert_eq!(edited("ab", &[(&[(0..1, ""), (0..0, "x")], true)]), "xb");
    }

    #[test]
    fn of_edits_that_meet_the_first_is_made_and_a_finding_is_whole_or_not_at_all() {
        for second in [0..2, 1..3, 2..2, 0..0, 0..9] {
            let both: &[(Range<usize>, &str)] = &[(second.clone(), "y"), (4..5, "z")];
            assert_eq!(
                edited("abcde", &[(&[(0..2, "x")], true), (both, false)]),
                "xcde",
                "{second:?}"
            );
        }
        assert_eq!(
            edited("abc", &[(&[(0..2, "x"), (1..3, "y")], false)]),
            "abc"
        );
        assert_eq!(edited("ä", &[(&[(1..2, "x")], false)]), "ä");
    }

    #[test]
    fn a_comment_goes_only_where_it_comes_again() {
        let text = "a: 1 # one\n# two\nb: 2\n";
        for (range, put, taken) in [
            (0..11, "", false),
            (0..11, "a: \"1\"  # one\n", true),
            (11..17, "", false),
            (5..7, "", false),
            (17..21, "b: \"2\"", true),
        ] {
            let mut edited = Edited::new(text);
            assert_eq!(
                edited.take(&finding(&[(range.clone(), put)])),
                taken,
                "{range:?}"
            );
        }
        assert!(
            Edited::new("a: b#c").take(&finding(&[(3..6, "d")])),
            "no comment"
        );
    }
}
