//! The first reading: structure and places, event by event, stopped as soon as a budget is spent.
//!
//! Nothing is built here but a flat list of what was seen. Whatever would make the second reading unbounded (depth,
//! aliases that multiply) is refused before that reading begins.

mod told;

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::Budget;
use super::lines::Lines;
use super::spans;
use super::unquoted;
use super::watched::{Watch, Watched};
use crate::document::{Finding, Findings};

/// One thing seen, in the order of the document.
pub(super) struct Item {
    pub what: What,
    /// The bytes it is written in; of a collection, up to the end of its last child.
    pub start: usize,
    pub end: usize,
}

/// What was seen.
pub(super) enum What {
    Scalar {
        text: Box<str>,
        /// Unquoted, and no block scalar.
        plain: bool,
        tagged: bool,
    },
    List,
    Map,
    /// The end of the list or map that is open.
    End,
    /// What the item of that number is, and all below it.
    Alias(usize),
}

/// More findings than anyone reads; a file of nothing but mistakes must not fill the memory with them.
const FINDINGS: usize = 1000;

/// The reading must not go on; why is among the findings.
struct Stop;

/// Reads `lines` into a flat list: empty if there is no document in it.
pub(super) fn read(lines: &Lines<'_>, budget: &Budget) -> Result<Vec<Item>, Findings> {
    let watch = Watch::default();
    let mut parser = Parser::new(Watched::new(lines.text, watch.clone()));
    let mut reader = Reader::new(lines, budget);
    while let Some(event) = parser.next_event() {
        if watch.exceeded() {
            reader.too_far_ahead();
            break;
        }
        watch.event();
        let went_on = match event {
            Ok((event, span)) => reader.event(event, span),
            Err(error) => reader.syntax(&error),
        };
        if went_on.is_err() || reader.has_enough() {
            break;
        }
    }
    if reader.findings.has_errors() {
        Err(reader.findings)
    } else {
        Ok(reader.items)
    }
}

/// What lies below an anchor, counted as often as an alias would repeat it.
#[derive(Clone, Copy, Default)]
struct Weight {
    nodes: usize,
    bytes: usize,
    /// Collections inside each other.
    depth: usize,
}

struct Anchor {
    item: usize,
    /// Absent while the anchored collection is still open.
    weight: Option<Weight>,
}

/// A collection that is open.
struct Frame {
    item: usize,
    anchor: usize,
    is_map: bool,
    is_flow: bool,
    /// In a map: what comes next is a key.
    at_key: bool,
    /// The key that was read last, or in a list how many entries there were.
    keys: Vec<usize>,
    entries: usize,
    /// The keyed item for the path; absent where the key is none.
    key: Option<usize>,
    weight: Weight,
    end: usize,
}

struct Reader<'a> {
    lines: &'a Lines<'a>,
    budget: &'a Budget,
    items: Vec<Item>,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Anchor>,
    spent: Weight,
    aliased: bool,
    documents: usize,
    findings: Findings,
}

impl<'a> Reader<'a> {
    fn new(lines: &'a Lines<'a>, budget: &'a Budget) -> Self {
        Self {
            lines,
            budget,
            items: Vec::new(),
            frames: Vec::new(),
            anchors: HashMap::new(),
            spent: Weight::default(),
            aliased: false,
            documents: 0,
            findings: Findings::default(),
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        match event {
            Event::DocumentStart(_) => self.document(span),
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, anchor, tag.as_deref(), span)
            }
            Event::SequenceStart(anchor, tag) => self.open(false, anchor, tag.as_deref(), span),
            Event::MappingStart(anchor, tag) => self.open(true, anchor, tag.as_deref(), span),
            Event::SequenceEnd | Event::MappingEnd => {
                self.close(span);
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::DocumentEnd | Event::StreamStart | Event::StreamEnd | Event::Nothing => Ok(()),
        }
    }

    fn document(&mut self, span: Span) -> Result<(), Stop> {
        let start = self.lines.byte(span.start.index());
        self.documents += 1;
        if self.documents > 1 {
            let message = "a second document begins here; a file holds one";
            return self.stop(
                "yaml-one-document",
                start,
                message,
                "put it into a file of its own, or remove the `---`",
            );
        }
        // A tag directive renames tags, and there are none but the core ones. libyaml holds each of them against all
        // the others, so a file of nothing else would take it hours.
        let head = &self.lines.text[..start];
        if let Some(at) = find_directive(head) {
            return self.stop(
                "yaml-tag",
                at,
                "tags are not read, so a %TAG directive means nothing",
                "remove the line",
            );
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Stop> {
        let has_properties = anchor > 0 || tag.is_some();
        let (start, end) = spans::scalar(self.lines, span, style, has_properties);
        let plain = style == ScalarStyle::Plain;
        let item = self.push(
            What::Scalar {
                text: text.into(),
                plain,
                tagged: tag.is_some(),
            },
            start,
            end,
        );
        let weight = Weight {
            nodes: 1,
            bytes: text.len(),
            depth: 0,
        };
        self.spend(weight, start)?;
        if self.awaits_key() {
            self.key(item, text, plain);
        }
        if plain && tag.is_none() {
            self.plain(text, start, end);
        }
        self.check_tag(tag, &["str", "int", "float", "bool", "null"], start);
        self.anchor(anchor, item, Some(weight));
        self.done(weight, end);
        Ok(())
    }

    /// What an unquoted scalar may be that it does not look like.
    fn plain(&mut self, text: &str, start: usize, end: usize) {
        if let Some(trap) = unquoted::in_plain_scalar(self.lines.text, start, end) {
            self.trap(&trap);
        }
        if unquoted::is_inexact_integer(text) {
            let place = self.lines.place(start, end);
            let quotes = self.lines.edit(start..end, format!("\"{text}\""));
            let message = "the number is larger than a number here can be";
            let finding = Finding::error(
                "yaml-number",
                &self.path(),
                &place,
                message,
                "put quotes around it",
            );
            self.findings.push(finding.with_edits(vec![quotes]));
        }
    }

    fn open(
        &mut self,
        is_map: bool,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Stop> {
        let (start, is_flow) =
            spans::collection_start(self.lines, span, anchor > 0 || tag.is_some());
        if self.frames.len() >= self.budget.depth {
            return self.too_deep(start);
        }
        self.spend(
            Weight {
                nodes: 1,
                bytes: 0,
                depth: 0,
            },
            start,
        )?;
        if self.awaits_key() {
            self.collection_as_key(start);
        }
        self.check_tag(tag, if is_map { &["map"] } else { &["seq"] }, start);
        let item = self.push(if is_map { What::Map } else { What::List }, start, start);
        self.anchor(anchor, item, None);
        self.frames.push(Frame {
            item,
            anchor,
            is_map,
            is_flow,
            at_key: is_map,
            keys: Vec::new(),
            entries: 0,
            key: None,
            weight: Weight {
                nodes: 1,
                bytes: 0,
                depth: 0,
            },
            end: start,
        });
        Ok(())
    }

    fn close(&mut self, span: Span) {
        let Some(mut frame) = self.frames.pop() else {
            return;
        };
        let end = spans::collection_end(self.lines, span, frame.is_flow).unwrap_or(frame.end);
        self.items[frame.item].end = end;
        self.push(What::End, end, end);
        self.equal_keys(&frame);
        frame.weight.depth += 1;
        if let Some(anchor) = self.anchors.get_mut(&frame.anchor) {
            anchor.weight = Some(frame.weight);
        }
        self.done(frame.weight, end);
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Stop> {
        let (start, end) = (
            self.lines.byte(span.start.index()),
            self.lines.byte(span.end.index()),
        );
        let Some(&Anchor { item, weight }) = self.anchors.get(&anchor) else {
            return self.stop(
                "yaml-syntax",
                start,
                "the alias names no anchor",
                "name an anchor that stands before it",
            );
        };
        let Some(weight) = weight else {
            let message = "the alias stands inside of what it repeats";
            return self.stop(
                "yaml-aliases",
                start,
                message,
                "write out what it should be",
            );
        };
        if self.awaits_key() {
            let message = "an alias cannot be a key";
            self.error("yaml-key", start, end, message, "write the key out");
        }
        self.aliased = true;
        if self.frames.len() + weight.depth > self.budget.depth {
            return self.too_deep(start);
        }
        self.spend(weight, start)?;
        self.push(What::Alias(item), start, end);
        self.done(weight, end);
        Ok(())
    }

    fn has_enough(&self) -> bool {
        self.findings.iter().len() >= FINDINGS
    }

    fn push(&mut self, what: What, start: usize, end: usize) -> usize {
        self.items.push(Item { what, start, end });
        self.items.len() - 1
    }

    fn anchor(&mut self, anchor: usize, item: usize, weight: Option<Weight>) {
        if anchor > 0 {
            self.anchors.insert(anchor, Anchor { item, weight });
        }
    }

    fn awaits_key(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.at_key)
    }

    /// A child is complete: the collection around it goes on to what comes next.
    fn done(&mut self, weight: Weight, end: usize) {
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        frame.weight.nodes += weight.nodes;
        frame.weight.bytes += weight.bytes;
        frame.weight.depth = frame.weight.depth.max(weight.depth);
        frame.end = frame.end.max(end);
        if frame.is_map {
            frame.at_key = !frame.at_key;
        }
        if !frame.is_map {
            frame.entries += 1;
        }
    }

    fn spend(&mut self, weight: Weight, start: usize) -> Result<(), Stop> {
        self.spent.nodes += weight.nodes;
        self.spent.bytes += weight.bytes;
        if self.spent.nodes <= self.budget.nodes && self.spent.bytes <= self.budget.text {
            return Ok(());
        }
        if self.aliased {
            let message = "with its aliases written out the document is too large";
            self.stop("yaml-aliases", start, message, "repeat less by aliases")
        } else {
            let message = format!("the document has more than {} values", self.budget.nodes);
            self.stop("yaml-size", start, message, "split it into several files")
        }
    }

    fn key(&mut self, item: usize, text: &str, plain: bool) {
        let is_null = plain && matches!(text, "" | "~" | "null" | "Null" | "NULL");
        if is_null {
            let Item { start, end, .. } = self.items[item];
            self.error(
                "yaml-key",
                start,
                end,
                "a key is missing or null",
                "write the key, in quotes if it is a word like null",
            );
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.key = (!is_null).then_some(item);
            frame.keys.extend(frame.key);
        }
    }

    fn collection_as_key(&mut self, start: usize) {
        let outer = self.frames.pop();
        let trap = outer.as_ref().and_then(|outer| {
            let open = self.items[outer.item].start;
            let in_flow = self.frames.last().is_some_and(|frame| frame.is_flow);
            let is_template = open + 1 == start && self.lines.text[open..].starts_with("{{");
            is_template.then(|| unquoted::template(self.lines.text, open, in_flow))
        });
        if let Some(trap) = trap {
            self.trap(&trap);
        } else {
            self.error(
                "yaml-key",
                start,
                start + 1,
                "a key is text, not a list or a map",
                "put quotes around the key",
            );
        }
        self.frames
            .extend(outer.map(|outer| Frame { key: None, ..outer }));
    }
}

fn find_directive(head: &str) -> Option<usize> {
    let mut at = 0;
    head.split_inclusive(['\n', '\r']).find_map(|line| {
        let start = at;
        at += line.len();
        line.starts_with("%TAG").then_some(start)
    })
}
