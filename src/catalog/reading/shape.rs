//! Keys and types, held against the table.

use super::moves::{self, Texts};
use super::resolve::is_unresolved;
use crate::catalog::language::{BINDING, DOCUMENT, INSTANCE, Key, Others, Record, Shape, nearest};
use crate::catalog::trail::Trail;
use crate::document::measure::duration;
use crate::document::{Edit, Entry, Finding, Findings, Map, Node, Origin, Piece, Text, Value};

/// Every key that is not known and every value of another type than the table asks for.
pub(crate) fn check(document: &Node, texts: &Texts, findings: &mut Findings) {
    Checker { texts, findings }.value(document, Shape::Record(&DOCUMENT), &Trail::ROOT);
}

/// Whether the node is one template alone: what it comes to is not known before it is rendered.
pub(crate) fn is_one_template(node: &Node) -> bool {
    matches!(&node.value, Value::Text(Text::Pieces(pieces)) if matches!(pieces.as_slice(), [Piece::Template(_)]))
}

struct Checker<'a> {
    texts: &'a Texts,
    findings: &'a mut Findings,
}

impl Checker<'_> {
    fn value(&mut self, node: &Node, shape: Shape, trail: &Trail<'_>) {
        if is_unresolved(node) || is_one_template(node) {
            return;
        }
        match (shape, &node.value) {
            (Shape::Any, _)
            | (Shape::Free | Shape::Schema, Value::Map(_))
            | (Shape::Bool | Shape::BoolOr(_), Value::Bool(_))
            | (Shape::Text | Shape::TextOr(_) | Shape::ApiVersion, Value::Text(_)) => {}
            (Shape::Integer, Value::Number(number)) if number.is_u64() => {}
            (Shape::Word(words) | Shape::WordOr(words, _), Value::Text(text)) => {
                self.word(node, text, words, trail);
            }
            (Shape::List(item), Value::List(items)) => {
                for (index, node) in items.iter().enumerate() {
                    self.value(node, *item, &trail.index(index));
                }
            }
            (
                Shape::Record(record)
                | Shape::WordOr(_, record)
                | Shape::TextOr(record)
                | Shape::BoolOr(record),
                Value::Map(map),
            ) => self.record(node, map, record, trail),
            (Shape::Duration, Value::Text(text))
                if text.as_plain().is_none_or(|text| duration(text).is_some()) => {}
            (Shape::Duration, Value::Number(number)) if number.is_u64() => {}
            (Shape::Named(record), Value::Map(map)) => {
                for entry in map {
                    self.value(&entry.node, Shape::Record(record), &trail.key(&entry.key));
                }
            }
            _ => self.mistyped(node, shape, trail),
        }
    }

    fn record(&mut self, node: &Node, map: &Map, record: &'static Record, trail: &Trail<'_>) {
        let mut vendor = Vec::new();
        for entry in map {
            let trail = trail.key(&entry.key);
            match record.key(&entry.key) {
                Some(_) if entry.node.is_null() => {}
                Some(key) if is_templated_constants(key, &entry.node) => {
                    self.mistyped(&entry.node, key.shape, &trail);
                }
                Some(key) => self.value(&entry.node, key.shape, &trail),
                None if record.other(&entry.key).is_some() => {}
                None if is_vendor(record, &entry.key) => vendor.push(entry),
                None => self.unknown(entry, record, &trail),
            }
        }
        self.vendor(node, &vendor, trail);
    }

    fn unknown(&mut self, entry: &Entry, record: &'static Record, trail: &Trail<'_>) {
        let known = record.keys.iter().map(|key| key.name);
        let mend = match (nearest(&entry.key, known.clone()), home(&entry.key)) {
            (_, Some(home)) if home.ends_with(&format!(".{}", entry.key)) => {
                format!("it looks like `{home}`: put it there")
            }
            (Some(near), _) if record.others == Others::Extensions => {
                format!("did you mean `{near}`? A key of a vendor goes under `extensions`")
            }
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, Some(home)) => format!("it looks like `{home}`: put it there"),
            (None, None) if record.keys.is_empty() => {
                "remove it: no keys are known here".to_owned()
            }
            (None, None) => format!("known here: {}", known.collect::<Vec<_>>().join(", ")),
        };
        self.findings.push(Finding::error(
            "unknown-key",
            &trail.path(),
            &entry.key_place,
            format!("{} has no key `{}`", record.name, entry.key),
            mend,
        ));
    }

    /// Keys that only a vendor can have meant. One edit moves them all, so it stands with the first.
    fn vendor(&mut self, node: &Node, entries: &[&Entry], trail: &Trail<'_>) {
        let mut edits = moves::under_extensions(node, entries, self.texts);
        for entry in entries {
            let finding = Finding::error(
                "unknown-key",
                &trail.key(&entry.key).path(),
                &entry.key_place,
                format!(
                    "`{}` is no key of the specification and none of the broker",
                    entry.key
                ),
                "move it under `extensions` to publish it, or remove it",
            );
            self.findings
                .push(finding.with_edits(std::mem::take(&mut edits)));
        }
    }

    fn word(&mut self, node: &Node, text: &Text, words: &[&str], trail: &Trail<'_>) {
        let Some(text) = text.as_plain() else { return };
        if words.contains(&text) {
            return;
        }
        let all = words.join(", ");
        self.findings.push(Finding::error(
            "unknown-word",
            &trail.path(),
            &node.place,
            "this is none of the words that can stand here",
            match nearest(text, words.iter().copied()) {
                Some(near) => format!("did you mean `{near}`? The words are {all}"),
                None => format!("the words are {all}"),
            },
        ));
    }

    fn mistyped(&mut self, node: &Node, shape: Shape, trail: &Trail<'_>) {
        let (mend, edits) = mend(node, shape, self.texts);
        let message = match &node.origin {
            Origin::References(references) => {
                format!(
                    "{} is wanted here, and {} brings {}",
                    shape.kind(),
                    references.join(""),
                    node.kind()
                )
            }
            Origin::Override { variable } => {
                format!(
                    "{} is wanted here, and the variable {variable} brings {}",
                    shape.kind(),
                    node.kind()
                )
            }
            _ => format!(
                "{} is wanted here, and this is {}",
                shape.kind(),
                node.kind()
            ),
        };
        let finding = Finding::error("wrong-type", &trail.path(), &node.place, message, mend);
        self.findings.push(finding.with_edits(edits));
    }
}

/// `values` given as one template: then nobody knows which names there are.
fn is_templated_constants(key: &Key, node: &Node) -> bool {
    key.name == "values" && is_one_template(node)
}

/// Whether a key can only be a vendor's: near to nothing that is known anywhere, for a misspelt private key must not
/// be published.
fn is_vendor(record: &'static Record, key: &str) -> bool {
    record.others == Others::Extensions
        && nearest(key, record.keys.iter().map(|key| key.name)).is_none()
        && home(key).is_none()
        && !DOCUMENT.keys.iter().any(|known| known.name == key)
}

/// Where a key of that name or a near one lives.
fn home(key: &str) -> Option<String> {
    [("binding", &BINDING), ("instance", &INSTANCE)]
        .iter()
        .find_map(|(parent, record)| {
            nearest(key, record.keys.iter().map(|key| key.name))
                .map(|near| format!("{parent}.{near}"))
        })
}

fn mend(node: &Node, shape: Shape, texts: &Texts) -> (String, Vec<Edit>) {
    match (&node.origin, &node.value) {
        _ if matches!(shape, Shape::Duration) => {
            let mend = "write a whole number with ms, s, m, h or d, as 500ms, 2s or 10m";
            (mend.to_owned(), vec![])
        }
        (Origin::References(references), Value::Text(_))
            if references.len() == 1 && !shape.is_text() =>
        {
            typed_reference(node, &references[0], texts)
        }
        (Origin::References(_), _) if shape.is_text() => {
            ("pick a text with a pointer: `#/key`".to_owned(), vec![])
        }
        (Origin::File, Value::Text(text)) => untexted(node, text, shape, texts),
        (Origin::File, Value::Bool(_) | Value::Number(_)) if shape.is_text() => {
            let quoted = node.plain_source().map(|source| format!("\"{source}\""));
            let edits = quoted
                .iter()
                .map(|quoted| moves::replace(node, quoted))
                .collect();
            (
                match (shape, &quoted) {
                    (Shape::ApiVersion, Some(quoted)) => format!("put quotes around it: {quoted}"),
                    _ => "put quotes around it".to_owned(),
                },
                edits,
            )
        }
        (_, Value::Number(_)) if matches!(shape, Shape::Integer) => (
            "write a whole number that is not negative".to_owned(),
            vec![],
        ),
        (_, Value::Null) => ("write the value, or leave the entry out".to_owned(), vec![]),
        _ if matches!(shape, Shape::List(_)) => ("write a list: [...]".to_owned(), vec![]),
        _ => (format!("write {}", shape.kind()), vec![]),
    }
}

/// What may stand for a boolean.
fn true_or_false(shape: Shape) -> String {
    let keys = match shape {
        Shape::BoolOr(record) => record.keys,
        _ => &[],
    };
    let maps = keys
        .iter()
        .map(|key| format!(" or {{ {}: ... }}", key.name));
    format!("write `true` or `false`{}", maps.collect::<String>())
}

/// `${FREE}` is text; `${json:FREE}` has a type.
fn typed_reference(node: &Node, reference: &str, texts: &Texts) -> (String, Vec<Edit>) {
    let name = reference.trim_start_matches("${").trim_end_matches('}');
    let typed = match name.split_once(':') {
        None => format!("${{json:{name}}}"),
        Some(("file", path)) => format!("${{json:file:{path}}}"),
        Some(_) => {
            return (
                "let the reference bring a value of that type".to_owned(),
                vec![],
            );
        }
    };
    let written = texts.of(&node.place).trim_matches(['"', '\'']);
    let edits = if written == reference {
        vec![moves::replace(node, &format!("\"{typed}\""))]
    } else {
        vec![]
    };
    (
        format!("a reference brings text; {typed} keeps the type"),
        edits,
    )
}

/// Text where something else is wanted.
fn untexted(node: &Node, text: &Text, shape: Shape, texts: &Texts) -> (String, Vec<Edit>) {
    let text = text.as_plain().unwrap_or_default();
    match shape {
        Shape::Bool | Shape::BoolOr(_) => match text.to_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => (
                "write `true`".to_owned(),
                vec![moves::replace(node, "true")],
            ),
            "false" | "no" | "off" | "n" => (
                "write `false`".to_owned(),
                vec![moves::replace(node, "false")],
            ),
            _ => (true_or_false(shape), vec![]),
        },
        Shape::Integer if text.parse::<u64>().is_ok() => (
            "remove the quotes".to_owned(),
            vec![moves::replace(node, text)],
        ),
        Shape::List(_) => {
            let written = texts.of(&node.place);
            let edits = if written.is_empty() || written.contains(['\n', ',', '[', ']', '{', '}']) {
                vec![]
            } else {
                vec![moves::replace(node, &format!("[{written}]"))]
            };
            ("write a list: [...]".to_owned(), edits)
        }
        _ => (format!("write {}", shape.kind()), vec![]),
    }
}
