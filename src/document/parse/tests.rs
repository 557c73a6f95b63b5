//! Documents as they are read: places, traps, and what must not take memory or time without bound.

use std::time::Instant;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::document::Severity;

fn read(text: &str) -> Node {
    parse("f.yaml", text, &Budget::default())
        .unwrap_or_else(|findings| panic!("{text}\n{findings:#?}"))
}

fn refused(text: &str) -> Vec<Finding> {
    match parse("f.yaml", text, &Budget::default()) {
        Ok(node) => panic!("read {}", node.to_json()),
        Err(findings) => findings.into_iter().collect(),
    }
}

/// `rule line:column path` of each finding.
fn told(text: &str) -> Vec<String> {
    let told = |finding: &Finding| {
        let place = finding.place.as_ref().unwrap();
        assert!(
            finding.severity == Severity::Error && !finding.mend.is_empty(),
            "{finding:?}"
        );
        format!(
            "{} {}:{} {}",
            finding.rule, place.line, place.column, finding.path
        )
        .trim_end()
        .to_owned()
    };
    refused(text).iter().map(told).collect()
}

/// The text after the edits of its findings.
fn mended(text: &str) -> String {
    let mut edits: Vec<_> = refused(text)
        .into_iter()
        .flat_map(|finding| finding.edits)
        .collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.range.start));
    let mut text = text.to_owned();
    for edit in edits {
        text.replace_range(edit.range, &edit.text);
    }
    text
}

/// Every text that a node or key is written in, by its place.
fn sources<'a>(text: &'a str, node: &Node) -> Vec<&'a str> {
    let mut found = vec![&text[node.place.start..node.place.end]];
    match &node.value {
        Value::List(nodes) => found.extend(nodes.iter().flat_map(|node| sources(text, node))),
        Value::Map(map) => {
            for entry in map {
                found.push(&text[entry.key_place.start..entry.key_place.end]);
                found.extend(sources(text, &entry.node));
            }
        }
        _ => {}
    }
    found
}

#[test]
fn types_are_those_of_the_core_schema() {
    let text = "
a: [no, yes, on, 010, 0x1F, 0o17, 1e3, 1.50, ~, null, true, False, '', \"1\", 2024-01-01, 12:30:45, 1_000, +1, -2]
b: !!str 5
c: !!int '7'
d:
e: |
  two
  lines
f: >-
  one
  line
g: &g {x: 1}
404: not found
true: yes
1.0: one
";
    let expected = json!({
        "a": ["no", "yes", "on", "010", 31, 15, 1000.0, 1.5, null, null, true, false, "", "1", "2024-01-01",
              "12:30:45", "1_000", 1, -2],
        "b": "5", "c": 7, "d": null, "e": "two\nlines\n", "f": "one line", "g": {"x": 1},
        "404": "not found", "true": "yes", "1.0": "one",
    });
    assert_eq!(read(text).to_json(), expected);
}

#[test]
fn nothing_is_null() {
    for text in [
        "",
        "\n",
        "# only a comment\n",
        "---\n",
        "\u{FEFF}",
        "~",
        "--- # x\n...\n",
    ] {
        let node = read(text);
        assert!(node.is_null(), "{text:?}");
    }
}

#[test]
fn places_are_exact() {
    let text = "ä: 'ö it''s'  # x\n\"k\\\"\": &n !!str \"v\\\"\" \nl:\n  - plain text # c\n  - |2-\n    body\n  - {a: [1,  2 ] , \"b\":é}\n";
    let node = read(text);
    let seen = sources(text, &node);
    let block = "|2-\n    body\n  ";
    let expected = [
        "ä",
        "'ö it''s'",
        "\"k\\\"\"",
        "\"v\\\"\"",
        "l",
        "plain text",
        "a",
        "1",
        "2",
        "\"b\"",
        "é",
        "[1,  2 ]",
        "{a: [1,  2 ] , \"b\":é}",
    ];
    for source in expected {
        assert!(seen.contains(&source), "{source} is not among {seen:#?}");
    }
    assert!(
        seen.iter()
            .any(|source| block.starts_with(source.trim_end()) && source.starts_with("|2-")),
        "{seen:#?}"
    );
    let item = &node.get("l").unwrap().as_list().unwrap()[2];
    assert_eq!((item.place.line, item.place.column), (7, 5));
    let b = item.as_map().unwrap().entry("b").unwrap();
    assert_eq!((b.node.place.line, b.node.place.column), (7, 24));
}

#[test]
fn a_byte_order_mark_counts_as_bytes_alone() {
    let text = "\u{FEFF}a: b";
    let node = parse_bytes("f", text.as_bytes(), &Budget::default()).unwrap();
    let entry = node.as_map().unwrap().entry("a").unwrap();
    assert_eq!(&text[entry.node.place.start..entry.node.place.end], "b");
    assert_eq!(
        (
            entry.key_place.line,
            entry.key_place.column,
            entry.key_place.start
        ),
        (1, 1, 3)
    );
}

#[test]
fn lines_may_end_in_cr_lf() {
    let node = read("a: 1\r\nb: |\r\n  x\r\n  y\r\nc: \"p\r\n  q\"\r\n");
    assert_eq!(node.to_json(), json!({"a": 1, "b": "x\ny\n", "c": "p q"}));
    assert_eq!(node.get("c").unwrap().place.line, 5);
}

#[test]
fn plain_scalars_keep_their_source() {
    let node = read("a: 2.10\nb: '2.10'\nc: x y\nd: |\n  z\ne:\nf: &f 1.0\ng: *f\n");
    let source = |key: &str| node.as_map().unwrap().get(key).unwrap().plain_source();
    assert_eq!(source("a"), Some("2.10"));
    assert_eq!(source("b"), None);
    assert_eq!(source("c"), Some("x y"));
    assert_eq!(source("d"), None);
    assert_eq!(source("e"), Some(""));
    assert_eq!(source("f"), Some("1.0"));
    assert_eq!(source("g"), Some("1.0"));
}

#[test]
fn aliases_and_merge_keys_are_applied() {
    let text = "
x-a: &a {p: 1, q: 2}
x-b: &b
  q: 3
  r: 4
one: {<<: *a, q: 9}
two:
  <<: [*a, *b]
  s: null
three: *b
four: {'<<': *a}
five: {<<: {t: 1}}
";
    let node = read(text);
    let json = node.to_json();
    assert_eq!(json["one"], json!({"q": 9, "p": 1}));
    assert_eq!(json["two"], json!({"s": null, "p": 1, "q": 2, "r": 4}));
    assert_eq!(json["three"], json!({"q": 3, "r": 4}));
    assert_eq!(json["four"], json!({"<<": {"p": 1, "q": 2}}));
    assert_eq!(json["five"], json!({"t": 1}));
    assert_eq!(node.get("three").unwrap().place.line, 4);
    assert_eq!(node.get("two").unwrap().get("r").unwrap().place.line, 5);
}

#[test]
fn what_cannot_be_read_says_where_and_why() {
    for (text, expected) in [
        (
            "a: 1\nb: 2\na: 3\nb: 4\na: 5\n",
            &[
                "yaml-equal-keys 3:1 a",
                "yaml-equal-keys 4:1 b",
                "yaml-equal-keys 5:1 a",
            ][..],
        ),
        ("x:\n  - {a: 1, 'a': 2}\n", &["yaml-equal-keys 2:12 x[0].a"]),
        ("1: a\n\"1\": b\n", &["yaml-equal-keys 2:1 1"]),
        ("a:\n  <<: *b\n", &["yaml-syntax 2:7 a.<<"]),
        (
            "a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a\n",
            &["yaml-equal-keys 4:3 b.<<"],
        ),
        ("a: {<<: 1}\n", &["yaml-merge 1:9 a.<<"]),
        ("a: &a [*a]\n", &["yaml-aliases 1:8 a[0]"]),
        ("a: 1\n---\nb: 2\n", &["yaml-one-document 2:1"]),
        (
            "a: !x 1\nb: !!binary aGk=\nc: !!set {}\nd: ! x\n",
            &[
                "yaml-tag 1:7 a",
                "yaml-tag 2:13 b",
                "yaml-tag 3:10 c",
                "yaml-tag 4:6 d",
            ],
        ),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", &["yaml-tag 1:1"]),
        ("[a]: 1\n", &["yaml-key 1:1"]),
        ("? {a: 1}\n: 2\n", &["yaml-key 1:3"]),
        ("~: 1\n", &["yaml-key 1:1"]),
        ("a: &a b\n*a : 1\n", &["yaml-key 2:1"]),
        ("a:\n\t- b\n", &["yaml-syntax 2:2 a"]),
        ("a: \"x\n", &["yaml-syntax 1:4 a"]),
        ("a: [1, 2\n", &["yaml-syntax 2:1 a[2]"]),
        ("a: b: c\n", &["yaml-syntax 1:5"]),
        ("a: 18446744073709551616\n", &["yaml-number 1:4 a"]),
        ("a: .inf\n", &["yaml-number 1:4 a"]),
        (
            "a: &x 1\nb: &x 2\nc: &y 3\nd: *x\n",
            &["yaml-two-readings 2:7 d"],
        ),
        ("1: a\n0x1: b\n", &["yaml-two-readings 1:1"]),
        ("# x\u{2028}a: 1", &["yaml-two-readings 1:1"]),
        ("a: !!int hunter2\n", &["yaml-two-readings 1:4"]),
        ("a: 1\u{0}", &["yaml-syntax 1:5"]),
    ] {
        assert_eq!(told(text), expected, "{text}");
    }
}

#[test]
fn a_tab_is_told_to_be_one() {
    assert!(refused("a:\n\t- b\n")[0].mend.contains("spaces"));
}

#[test]
fn messages_hold_no_values() {
    for text in [
        "a: !!int hunter2",
        "a: hunter2\nhunter2",
        "a: [hunter2",
        "a: hunter2: x",
        "b: \"hunter2",
    ] {
        let told = format!("{:?}", refused(text));
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn what_is_not_utf8_says_where() {
    for (bytes, line, column, start) in [
        (&b"a: 1\nb: \xC3\xA4\xFF\n"[..], 2, 5, 10),
        (b"\xEF\xBB\xBFa\xFF", 1, 2, 4),
        (b"\xFF\xFEa\0", 1, 1, 0),
        (b"\xFE\xFF\0a", 1, 1, 0),
    ] {
        let finding = parse_bytes("f", bytes, &Budget::default())
            .unwrap_err()
            .into_iter()
            .next()
            .unwrap();
        let place = finding.place.unwrap();
        assert_eq!(
            (finding.rule, place.line, place.column, place.start),
            ("yaml-encoding", line, column, start)
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn texts_without_quotes_are_told_and_mended() {
    for (text, expected, mend) in [
        (
            "p: {{ x }}\n",
            "template-unquoted 1:4 p",
            "p: \"{{ x }}\"\n",
        ),
        (
            "p: {{ x }} # c\n",
            "template-unquoted 1:4 p",
            "p: \"{{ x }}\" # c\n",
        ),
        (
            "p: {{ x['a'] }}\n",
            "template-unquoted 1:4 p",
            "p: \"{{ x['a'] }}\"\n",
        ),
        (
            "p: {{ x[\"a\"] }}\n",
            "template-unquoted 1:4 p",
            "p: '{{ x[\"a\"] }}'\n",
        ),
        (
            "p: {{ f(1, 2) | g }}\n",
            "template-unquoted 1:4 p",
            "p: \"{{ f(1, 2) | g }}\"\n",
        ),
        (
            "p: {{ x }}/{{ y }}\n",
            "template-unquoted 1:4 p",
            "p: \"{{ x }}/{{ y }}\"\n",
        ),
        (
            "- {{ x }}\n- b\n",
            "template-unquoted 1:3 [0]",
            "- \"{{ x }}\"\n- b\n",
        ),
        (
            "p: [{{ x }}, b]\n",
            "template-unquoted 1:5 p[0]",
            "p: [\"{{ x }}\", b]\n",
        ),
        (
            "{ p: {{ x }}, q: 1 }\n",
            "template-unquoted 1:6 p",
            "{ p: \"{{ x }}\", q: 1 }\n",
        ),
        (
            "{ host: ${PG_HOST}, port: 5 }\n",
            "reference-unquoted 1:9 host",
            "{ host: \"${PG_HOST}\", port: 5 }\n",
        ),
        (
            "a: { uri: http://${H}:${P}/x }\n",
            "reference-unquoted 1:11",
            "a: { uri: \"http://${H}:${P}/x\" }\n",
        ),
        (
            "a: [x, ${A}]\n",
            "reference-unquoted 1:8",
            "a: [x, \"${A}\"]\n",
        ),
        (
            "a: [x,\n  ${A}\n]\n",
            "reference-unquoted 2:3",
            "a: [x,\n  \"${A}\"\n]\n",
        ),
        (
            "a: [ {{ x }}\n  , b ]\n",
            "template-unquoted 1:6",
            "a: [ \"{{ x }}\"\n  , b ]\n",
        ),
        (
            "p: ${A:- #1}\n",
            "reference-unquoted 1:4 p",
            "p: \"${A:- #1}\"\n",
        ),
        (
            "p: ${A:-x #1}/y\n",
            "reference-unquoted 1:4 p",
            "p: ${A:-x #1}/y\n",
        ),
        ("p: x ${A\n", "reference-unquoted 1:4 p", "p: x ${A\n"),
        (
            "p: ${A:- b: c}\n",
            "reference-unquoted 1:4 p",
            "p: \"${A:- b: c}\"\n",
        ),
        (
            "p: x {{ a # b }}\n",
            "template-unquoted 1:4 p",
            "p: \"x {{ a # b }}\"\n",
        ),
    ] {
        let told = told(text);
        assert!(
            told.len() == 1 && told[0].starts_with(expected),
            "{text}: {told:?}"
        );
        let mended = mended(text);
        assert_eq!(mended, mend);
        if mended != text {
            read(&mended);
        }
    }
    for fine in [
        "p: ${A}",
        "p: x{{ y }}z",
        "p: $${",
        "p: '${A:- #1}'",
        "p: a {{ b",
        "{p: '{{ x }}'}",
        "p: ${A} # ${B}",
    ] {
        read(fine);
    }
}

#[test]
fn budgets_hold() {
    let laughs: String = std::iter::once("a0: &a0 [x]\n".to_owned())
        .chain((1..30).map(|level| {
            format!(
                "a{level}: &a{level} [{0}, {0}, {0}, {0}]\n",
                format!("*a{}", level - 1)
            )
        }))
        .collect();
    let long = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(1 << 20),
        "*a, ".repeat(1000)
    );
    let deep_alias = format!(
        "a: &a {}{}\nb: {}*a {}\n",
        "[".repeat(40),
        "]".repeat(40),
        "[".repeat(40),
        "]".repeat(40)
    );
    for (text, rule) in [
        (laughs, "yaml-aliases"),
        (long, "yaml-aliases"),
        (deep_alias, "yaml-depth"),
        (
            format!("{}{}", "[".repeat(65), "]".repeat(65)),
            "yaml-depth",
        ),
        ("[".repeat(1_000_000), "yaml-depth"),
        ("{".repeat(1_000_000), "yaml-depth"),
        ("{a: ".repeat(1_000_000), "yaml-depth"),
        ("- ".repeat(100_000), "yaml-depth"),
        ("? ".repeat(100_000), "yaml-depth"),
        ("a:\n".repeat(3), "yaml-equal-keys"),
        (format!("[{}", "a,".repeat(2_000_000)), "yaml-size"),
        (format!("[{}", "? ".repeat(2_000_000)), "yaml-size"),
        (format!("[{}", "&a ".repeat(2_000_000)), "yaml-size"),
        (format!("a: [{}", ": ".repeat(2_000_000)), "yaml-depth"),
        (
            format!("{}[{}", "[".repeat(60), "'',".repeat(2_000_000)),
            "yaml-size",
        ),
        ("- a\n".repeat(1_100_000), "yaml-size"),
        (
            format!("a: x{}y{}", " ".repeat(1 << 20), " y".repeat(1 << 20)),
            "yaml-size",
        ),
        (" ".repeat((16 << 20) + 1), "yaml-size"),
        ("&a ".repeat(1 << 20), "yaml-syntax"),
        ("%TAG !a! b\n".repeat(1 << 17), "yaml-syntax"),
    ] {
        let started = Instant::now();
        let findings = refused(&text);
        assert!(
            findings.iter().any(|finding| finding.rule == rule),
            "{rule}: {findings:?}"
        );
        println!(
            "{rule} {:?} {:?} {}",
            &text[..text.len().min(12)],
            started.elapsed(),
            findings[0].message
        );
    }
    let depth = Budget {
        depth: 3,
        ..Budget::default()
    };
    assert!(parse("f", "[[[1]]]", &depth).is_ok());
    assert!(parse("f", "[[[[1]]]]", &depth).is_err());
}

#[test]
fn large_texts_are_read() {
    let line = format!("a: {}\n", "x".repeat(4 << 20));
    let words = format!("a: {}\n", "xy ".repeat(1 << 20));
    let comments = "# comment\n".repeat(1 << 18);
    let one_line = format!("[{}1]", "{\"ä\": 1}, ".repeat(20_000));
    for text in [line, words, comments, one_line] {
        let started = Instant::now();
        read(&text);
        println!("{:?} {:?}", &text[..12], started.elapsed());
    }
}

fn tree() -> impl Strategy<Value = Json> {
    let text = prop_oneof![
        "[ -~]{0,12}",
        "[a-z \n\"'\\\\#:{}\\[\\],&*!|>%@`$-]{0,12}",
        "(no|yes|null|~|true|0x1f|1e3|010|=|<<|\\.inf|- a|é😀|\\t)",
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        text.clone().prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        let key = text
            .clone()
            .prop_filter("merge keys are applied", |key| key != "<<");
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn both_readings_see_what_was_written(tree in tree()) {
        let yaml = serde_yaml::to_string(&tree).unwrap();
        let alone: Json = serde_yaml::from_str(&yaml).unwrap();
        match parse("f", &yaml, &Budget::default()) {
            Ok(node) => prop_assert_eq!(node.to_json(), alone),
            Err(findings) => prop_assert!(findings.iter().all(is_told), "{}\n{:?}", yaml, findings),
        }
    }

    #[test]
    fn json_is_yaml(tree in tree(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) }.unwrap();
        match parse("f", &text, &Budget::default()) {
            Ok(node) => prop_assert_eq!(node.to_json(), tree),
            Err(findings) => prop_assert!(findings.iter().all(is_told), "{}\n{:?}", text, findings),
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        agrees(&text)?;
    }

    #[test]
    fn any_yaml_like_text_is_read_or_refused(
        text in "(a|b|: |:|- |\n|\n  |\n    |\\[|\\]|\\{|\\}|, |,|\"|'|\\||>|#| #|&a |\\*a|!!str |!x |<<: |\\? |\\$\\{|\\{\\{|\\}\\}|~|1|%|---|\t| |é|\u{2028}|\u{85}|\r){0,40}"
    ) {
        agrees(&text)?;
    }
}

/// What the readers of YAML are known to differ in, or what is refused on purpose.
fn is_told(finding: &Finding) -> bool {
    matches!(
        finding.rule,
        "yaml-two-readings"
            | "yaml-syntax"
            | "yaml-key"
            | "reference-unquoted"
            | "template-unquoted"
    )
}

/// Where the text is read, `serde_yaml` alone reads the same, merge keys aside.
fn agrees(text: &str) -> Result<(), TestCaseError> {
    if let Ok(node) = parse("f", text, &Budget::default()) {
        let mut alone: serde_yaml::Value = serde_yaml::from_str(text).unwrap_or_default();
        let is_same_language = alone.apply_merge().is_ok() && has_text_keys(&alone);
        if is_same_language && !text.contains("'<<") && !text.contains("\"<<") {
            prop_assert_eq!(node.to_json(), serde_json::to_value(alone).unwrap());
        }
        let _ = sources(text, &node);
    }
    Ok(())
}

/// Other keys are the text that is written, which JSON made of the value does not show.
fn has_text_keys(value: &serde_yaml::Value) -> bool {
    match value {
        serde_yaml::Value::Sequence(items) => items.iter().all(has_text_keys),
        serde_yaml::Value::Mapping(map) => map
            .iter()
            .all(|(key, value)| key.is_string() && has_text_keys(value)),
        _ => true,
    }
}

#[test]
#[ignore = "a look at speed: cargo test --release -- --ignored --nocapture ten_thousand"]
fn ten_thousand_plans() {
    let plan = |n: usize| {
        format!(
            "      - id: 0c1e3a0e-4a2b-4f38-9a3e-0f6a4f{n:06}\n        name: plan-{n}\n        description: {}\n        free: false\n        metadata: {{ displayName: Plan {n}, bullets: [one, two, three], costs: [{{amount: {{usd: 1.5}}, unit: MONTHLY}}] }}\n        binding:\n          credentials:\n            uri: \"postgres://app:{{{{ binding.values.password }}}}@${{PG_HOST:-localhost}}/db\"\n",
            "A description that is long enough. ".repeat(4)
        )
    };
    let text: String = std::iter::once("services:\n  - name: s\n    plans:\n".to_owned())
        .chain((0..10_000).map(plan))
        .collect();
    let json = read(&text).to_json().to_string();
    for text in [text, json] {
        let started = Instant::now();
        let node = parse("f", &text, &Budget::default()).unwrap();
        println!(
            "{} bytes, {} nodes: {:?}",
            text.len(),
            sources(&text, &node).len(),
            started.elapsed()
        );
    }
    println!("a node has {} bytes", size_of::<Node>());
}
