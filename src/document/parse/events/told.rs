//! What the first reading has to say.

use saphyr_parser::{ScanError, Tag};

use super::{Frame, Item, Reader, Stop, What};
use crate::document::parse::unquoted::{self, Trap};
use crate::document::{Finding, Path, Place};

impl Reader<'_> {
    pub(super) fn equal_keys(&mut self, frame: &Frame) {
        let mut keys = frame.keys.clone();
        keys.sort_by(|&a, &b| self.text(a).cmp(self.text(b)).then(a.cmp(&b)));
        let mut first = 0;
        for next in 1..keys.len() {
            if self.has_enough() {
                return;
            }
            if self.text(keys[next]) == self.text(keys[first]) {
                self.equal_key(keys[first], keys[next]);
            } else {
                first = next;
            }
        }
    }

    pub(super) fn equal_key(&mut self, first: usize, second: usize) {
        let key = self.text(second).to_owned();
        let place = |item: usize| {
            self.lines
                .place(self.items[item].start, self.items[item].end)
        };
        let Place { line, column, .. } = place(first);
        let message = format!("the key `{key}` stands here and in line {line}, column {column}");
        let mend = if key == "<<" {
            "write one `<<` with a list of aliases"
        } else {
            "remove one of the two"
        };
        let finding = Finding::error(
            "yaml-equal-keys",
            &self.path().key(key),
            &place(second),
            message,
            mend,
        );
        self.findings.push(finding);
    }

    pub(super) fn text(&self, item: usize) -> &str {
        text(&self.items, item)
    }

    pub(super) fn check_tag(&mut self, tag: Option<&Tag>, known: &[&str], start: usize) {
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && known.contains(&tag.suffix.as_str()))
        {
            let mend = "remove it; a string that begins with `!` needs quotes";
            self.error(
                "yaml-tag",
                start,
                start,
                "the value has a tag, and tags mean nothing here",
                mend,
            );
        }
    }

    pub(super) fn path(&self) -> Path {
        path(&self.frames, &self.items)
    }

    /// The path of the scalar that was read last, if it begins at `start`: `$`, where `${A}` was meant.
    pub(super) fn path_of_last(&self, start: usize) -> Path {
        let is_last = self
            .items
            .last()
            .is_some_and(|last| last.start == start && matches!(last.what, What::Scalar { .. }));
        match self.frames.split_last() {
            Some((
                Frame {
                    is_map: true,
                    at_key: true,
                    key: Some(key),
                    ..
                },
                around,
            )) if is_last => path(around, &self.items).key(self.text(*key)),
            Some((
                Frame {
                    is_map: false,
                    entries,
                    ..
                },
                around,
            )) if is_last => path(around, &self.items).index(entries.saturating_sub(1)),
            _ => self.path(),
        }
    }

    pub(super) fn trap(&mut self, trap: &Trap) {
        self.trap_at(&self.path(), trap);
    }

    pub(super) fn trap_at(&mut self, path: &Path, trap: &Trap) {
        let place = self.lines.place(trap.start, trap.end);
        let edits = trap
            .quotes
            .iter()
            .map(|(range, text)| self.lines.edit(range.clone(), text.clone()))
            .collect();
        let finding = Finding::error(
            trap.rule,
            path,
            &place,
            trap.message,
            "put quotes around it",
        );
        self.findings.push(finding.with_edits(edits));
    }

    pub(super) fn error(
        &mut self,
        rule: &'static str,
        start: usize,
        end: usize,
        message: &str,
        mend: &str,
    ) {
        let place = self.lines.place(start, end);
        self.findings
            .push(Finding::error(rule, &self.path(), &place, message, mend));
    }

    pub(super) fn stop(
        &mut self,
        rule: &'static str,
        start: usize,
        message: impl AsRef<str>,
        mend: &str,
    ) -> Result<(), Stop> {
        self.error(rule, start, start, message.as_ref(), mend);
        Err(Stop)
    }

    pub(super) fn too_deep(&mut self, start: usize) -> Result<(), Stop> {
        let message = format!(
            "more than {} lists and maps inside each other",
            self.budget.depth
        );
        self.stop("yaml-depth", start, message, "write it flatter")
    }

    pub(super) fn too_far_ahead(&mut self) {
        let start = self.items.last().map_or(0, |item| item.end);
        let message = "a value in brackets or quotes is too large";
        self.error(
            "yaml-size",
            start,
            start,
            message,
            "write it as a block, or split it into several files",
        );
    }

    pub(super) fn syntax(&mut self, error: &ScanError) -> Result<(), Stop> {
        let at = self.lines.byte(error.marker().index());
        if error.info() == "recursion limit exceeded" {
            return self.too_deep(at);
        }
        let in_flow = self.frames.last().is_some_and(|frame| frame.is_flow);
        let line = self.lines.line_around(at);
        let is_told = self.findings.iter().any(|finding| {
            finding
                .place
                .as_ref()
                .is_some_and(|place| self.lines.place(line.start, line.start).line == place.line)
        });
        if is_told {
            return Err(Stop);
        }
        if let Some(trap) = unquoted::in_broken_line(self.lines.text, &line, in_flow) {
            self.trap_at(&self.path_of_last(trap.start), &trap);
            return Err(Stop);
        }
        let indent = self.lines.text[line]
            .chars()
            .take_while(|c| c.is_whitespace())
            .collect::<String>();
        let mend = if indent.contains('\t') {
            "indent with spaces; YAML takes no tabs"
        } else {
            "look at the indentation, the quotes and the brackets here and in the line above"
        };
        self.stop(
            "yaml-syntax",
            at,
            format!("not valid YAML: {}", error.info()),
            mend,
        )
    }
}

fn path(frames: &[Frame], items: &[Item]) -> Path {
    frames
        .iter()
        .fold(Path::root(), |path, frame| match frame.key {
            _ if !frame.is_map => path.index(frame.entries),
            Some(key) if !frame.at_key => path.key(text(items, key)),
            _ => path,
        })
}

fn text(items: &[Item], item: usize) -> &str {
    match &items[item].what {
        What::Scalar { text, .. } => text,
        _ => "",
    }
}
