//! Tables for people: columns as wide as they must be, and what comes from others shown as plain text.

use std::fmt::Write as _;

use serde_json::Value;

use super::output::plain;

/// A header and rows below it.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = header.iter().map(|name| name.to_uppercase()).collect();
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| plain(cell)).collect())
        .collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in std::iter::once(&header).chain(&rows) {
        for (at, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(at) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for row in std::iter::once(&header).chain(&rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// An object as lines of names and values; lists of objects below it, one block each. What is null is left out.
pub(super) fn fields(json: &Value) -> String {
    let mut text = String::new();
    let Some(object) = json.as_object() else {
        return format!("{json}\n");
    };
    let lists = |value: &Value| {
        value
            .as_array()
            .is_some_and(|list| list.iter().all(Value::is_object))
    };
    let lines = object
        .iter()
        .filter(|(_, value)| !value.is_null() && !lists(value));
    let width = lines.clone().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in lines {
        let _ = writeln!(text, "{name:<width$}  {}", cell(value));
    }
    for (name, value) in object.iter().filter(|(_, value)| lists(value)) {
        for item in value.as_array().into_iter().flatten() {
            let _ = writeln!(text, "\n{name}:");
            for line in fields(item).lines() {
                let _ = writeln!(text, "  {line}");
            }
        }
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(value) => plain(value),
        other => plain(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [
            vec!["a".to_owned(), "long one".to_owned()],
            vec!["bcd\n".to_owned(), "ä".to_owned()],
        ];
        let expected = "ID     NAME\na      long one\nbcd\\n  ä\n";
        assert_eq!(table(&["id", "name"], &rows), expected);
    }

    #[test]
    fn an_object_is_lines_and_its_lists_are_blocks() {
        let json = json!({ "id": "i", "gone": null, "parameters": { "a": "***" }, "bindings": [{ "id": "b" }], "none": [] });
        let expected = "id          i\nparameters  {\"a\":\"***\"}\n\nbindings:\n  id  b\n";
        assert_eq!(fields(&json), expected);
    }
}
