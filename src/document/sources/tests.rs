//! What references bring in from each source, to the letter.

use serde_json::json;

use super::*;
use crate::document::{Budget, Origin, parse};

/// Values that look like templates or references and must stay what they are.
const ODD: [&str; 5] = ["pa{{ss", "{{ instance.id }}", "a{%b", "${HOME}", "$${HOME}"];

struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("catalog-broker-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn sources(variables: &[(&str, &str)], vars: &[&str]) -> Sources {
    let vars = vars
        .iter()
        .map(|text| parse("vars.yaml", text, &Budget::default()).unwrap())
        .collect();
    Sources::new(Environment::new(variables.iter().copied()), vars)
}

/// The text as JSON, templates as written; or what is wrong, a line each.
fn resolved(text: &str, sources: &Sources) -> Result<Json, String> {
    match resolve_text(text, true, sources) {
        Ok(resolved) => Ok(resolved.into_node(&place()).to_json()),
        Err(errors) => {
            let told = |error: &TextError| format!("{error}; {}", error.mend());
            Err(errors.iter().map(told).collect::<Vec<_>>().join("\n"))
        }
    }
}

fn place() -> crate::document::Place {
    parse("f.yaml", "", &Budget::default()).unwrap().place
}

#[test]
fn names_are_looked_for_in_the_environment_and_then_in_vars_files() {
    let sources = sources(
        &[
            ("A", "env"),
            ("EMPTY", ""),
            ("JSON", "{\"p\": [1, true, \"x\"]}"),
            ("smtp.port", "26"),
        ],
        &[
            "A: vars\nB: b\nsmtp: {host: h, port: 25}\nn: 1",
            "n: 2\nnothing: ~\na.b: {c.d: deep}",
        ],
    );
    for (text, expected) in [
        ("${A}", json!("env")),
        ("${B}", json!("b")),
        ("x-${A}-${B}", json!("x-env-b")),
        ("${EMPTY}", json!("")),
        ("${EMPTY:-d}", json!("d")),
        ("${EMPTY:-}", json!("")),
        ("${NONE:-a b}", json!("a b")),
        ("${NONE|urlencode:-a b}", json!("a%20b")),
        ("${smtp}", json!({"host": "h", "port": 25})),
        ("${smtp#/port}", json!(25)),
        ("${smtp.host}", json!("h")),
        ("${smtp.port}", json!("26")),
        ("${n}", json!(2)),
        ("n=${n}", json!("n=2")),
        ("${n|base64}", json!("Mg==")),
        ("${nothing:-d}", json!("d")),
        ("${a.b.c.d}", json!("deep")),
        ("${json:JSON}", json!({"p": [1, true, "x"]})),
        ("${json:JSON#/p/0}", json!(1)),
        ("${json:JSON#/p/1|base64}", json!("dHJ1ZQ==")),
        ("${json:JSON#/p/9:-d}", json!("d")),
        ("${json:EMPTY:-d}", json!("d")),
        ("$${A}", json!("${A}")),
        ("{{ x }}${A}", json!("{{ x }}env")),
        ("", json!("")),
        ("${EMPTY}${EMPTY}", json!("")),
    ] {
        assert_eq!(resolved(text, &sources), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_all_at_once_and_without_values() {
    let sources = sources(
        &[
            ("JSON", "{\"p\": {}, \"q\": null}"),
            ("BAD", "hunter2 {"),
            ("TEXT", "hunter2"),
        ],
        &["bare: '${TEXT}'\nbad: '${'"],
    );
    for (text, expected) in [
        (
            "${PG_HOST}",
            &["set the environment variable PG_HOST, or give a default: ${PG_HOST:-value}"][..],
        ),
        (
            "${A}${B}${TEXT}",
            &["variable A is missing", "variable B is missing"],
        ),
        (
            "${smtp.host}",
            &["value smtp.host of the vars files is missing"],
        ),
        ("${TEXT#/a}", &["has no parts"]),
        (
            "${json:BAD}",
            &["${json:BAD} names is not JSON: line 1, column 1"],
        ),
        ("${json:JSON#/z}", &["nothing is there for ${json:JSON#/z}"]),
        ("${json:JSON|base64}", &["no text"]),
        ("${json:JSON#/q|base64}", &["no text"]),
        ("x${json:JSON#/p}", &["stands in a longer text"]),
        ("x${json:JSON#/q}", &["stands in a longer text"]),
        ("${vcap:db}", &["bind the bound service db"]),
        ("${file:/no/such}", &["the file /no/such is missing"]),
        ("${dir:/no/such}", &["the folder /no/such is missing"]),
        ("${file:/}", &["the file / cannot be read"]),
        ("${dir:/dev/null}", &["the folder /dev/null cannot be read"]),
        ("${file:/dev/zero}", &["more than 1048576 bytes"]),
        ("${bare}", &["a vars file uses ${TEXT}"]),
        ("${bad}", &["a string of a vars file cannot be read"]),
        ("${ A }", &["no name"]),
    ] {
        let told = resolved(text, &sources).unwrap_err();
        assert!(!told.contains("hunter2"), "{told}");
        assert_eq!(told.lines().count(), expected.len(), "{told}");
        for part in expected {
            assert!(told.contains(part), "{text}: {told}");
        }
    }
}

#[test]
fn files_give_text_and_folders_give_maps() {
    let folder = Folder::new("files");
    folder.write("unix", "a\n\n");
    folder.write("dos", "b\r\n");
    folder.write(".hidden", "c");
    folder.write("json", "{\"k\": 1}");
    std::fs::create_dir_all(folder.0.join("sub")).unwrap();
    std::fs::create_dir_all(folder.0.join("..2024")).unwrap();
    std::fs::write(folder.0.join("..2024/linked"), "d").unwrap();
    std::os::unix::fs::symlink("..2024", folder.0.join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/linked", folder.0.join("linked")).unwrap();
    let sources = Sources::default();
    let at = |text: &str| resolved(&text.replace('@', folder.path()), &sources);
    assert_eq!(at("${file:@/unix}"), Ok(json!("a\n")));
    assert_eq!(at("${file:@/dos}"), Ok(json!("b")));
    assert_eq!(at("${json:file:@/json#/k}"), Ok(json!(1)));
    assert_eq!(at("${dir:@#/linked}"), Ok(json!("d")));
    let whole = json!({"dos": "b", "json": "{\"k\": 1}", "linked": "d", "unix": "a\n"});
    assert_eq!(at("${dir:@/}"), Ok(whole));
    folder.write("binary", [0xFF]);
    assert!(at("${file:@/binary:-x}").unwrap_err().contains("not UTF-8"));
    assert!(at("${dir:@}").unwrap_err().contains("binary"));
}

#[test]
fn bound_services_have_two_names() {
    let services = json!({
        "pg": [
            {"name": "one", "instance_name": "one", "credentials": {"uri": "u1"}},
            {"name": "two", "binding_name": "two", "instance_name": "shared", "credentials": {"uri": "u2", "port": 5}},
            {"name": "three", "binding_name": "three", "instance_name": "shared", "credentials": {}},
        ],
        "user-provided": [{"name": "mine", "credentials": {"uri": "u3"}}],
    })
    .to_string();
    let folder = Folder::new("vcap");
    let path = folder.write("services.json", &services);
    for variables in [
        [("VCAP_SERVICES", &*services), ("X", "")],
        [("VCAP_SERVICES", ""), ("VCAP_SERVICES_FILE_PATH", &path)],
    ] {
        let sources = sources(&variables, &[]);
        assert_eq!(
            resolved("${vcap:one#/credentials/uri}", &sources),
            Ok(json!("u1"))
        );
        assert_eq!(
            resolved("${vcap:two#/credentials/port}", &sources),
            Ok(json!(5))
        );
        assert_eq!(
            resolved("${vcap:mine#/credentials}", &sources),
            Ok(json!({"uri": "u3"}))
        );
        assert_eq!(
            resolved("${vcap:none#/credentials:-d}", &sources),
            Ok(json!("d"))
        );
        assert!(
            resolved("${vcap:shared}", &sources)
                .unwrap_err()
                .contains("two bound services")
        );
    }
    let broken = sources(&[("VCAP_SERVICES", "hunter2")], &[]);
    assert!(
        resolved("${vcap:one:-d}", &broken)
            .unwrap_err()
            .contains("not a JSON object")
    );
}

#[test]
fn vars_files_may_use_references_with_a_scheme() {
    let folder = Folder::new("vars");
    let path = folder.write("pw", "secret\n");
    let vars = format!(
        "db: {{password: '${{file:{path}}}', uri: 'x:${{file:{path}}}', all: ['${{json:J}}', '{{{{ x }}}}']}}"
    );
    let sources = sources(&[("J", "{\"a\": 1}")], &[&vars]);
    let expected = json!({"password": "secret", "uri": "x:secret", "all": [{"a": 1}, "{{ x }}"]});
    assert_eq!(resolved("${db}", &sources), Ok(expected));
}

#[test]
fn what_comes_in_is_literal_for_ever() {
    let folder = Folder::new("literal");
    for odd in ODD {
        let path = folder.write("value", odd);
        let quoted = Json::from(odd).to_string();
        let in_json = json!({"k": odd, "l": [odd]}).to_string();
        let services = json!({"x": [{"name": "s", "k": odd, "l": [odd]}]}).to_string();
        // A vars file is the operator's own: a `${` there is written `$${`.
        let vars = format!(
            "k: {0}\nm: {{k: {0}, l: [{0}]}}",
            quoted.replace("${", "$${")
        );
        let variables = [
            ("E", odd),
            ("J", &in_json),
            ("Q", &quoted),
            ("VCAP_SERVICES", &services),
        ];
        let sources = sources(&variables, &[&vars]);
        let texts = [
            "${E}".to_owned(),
            format!("${{file:{path}}}"),
            format!("${{dir:{}#/value}}", folder.path()),
            "${json:J#/k}".to_owned(),
            "${json:J#/l/0}".to_owned(),
            "${json:Q}".to_owned(),
            "${vcap:s#/k}".to_owned(),
        ];
        let vars = ["${k}", "${m.k}", "${m#/l/0}"].map(str::to_owned);
        let vars = if odd.contains("$${") { &[][..] } else { &vars };
        for text in texts.iter().chain(vars) {
            let node = resolve_text(text, true, &sources)
                .unwrap()
                .into_node(&place());
            assert!(
                matches!(&node.value, Value::Text(Text::Literal(text)) if text == odd),
                "{text} {odd}"
            );
            assert!(
                matches!(&node.origin, Origin::References(all) if **all == [text.as_str().into()])
            );
            // Beside a template, too.
            let node = resolve_text(&format!("{{{{ t }}}}{text}"), true, &sources)
                .unwrap()
                .into_node(&place());
            let Value::Text(Text::Pieces(pieces)) = &node.value else {
                panic!("{text} lost its template")
            };
            let crate::document::Piece::Literal(literal) = &pieces[1] else {
                panic!("{text} is not literal")
            };
            assert_eq!(literal, odd);
        }
        let node = resolve_text("${json:J}", true, &sources)
            .unwrap()
            .into_node(&place());
        let all_literal = [
            node.get("k").unwrap(),
            &node.get("l").unwrap().as_list().unwrap()[0],
        ]
        .iter()
        .all(|node| matches!(&node.value, Value::Text(Text::Literal(text)) if text == odd));
        assert!(all_literal, "{odd}");
    }
}

#[test]
fn nothing_prints_what_it_holds() {
    let sources = sources(&[("A", "hunter2")], &["b: hunter2"]);
    let resolved = sources.resolve(&"A".parse().unwrap());
    let printed = format!("{sources:?} {resolved:?}");
    assert!(
        printed.contains('A') && !printed.contains("hunter2"),
        "{printed}"
    );
}

#[test]
fn origins_name_the_references_without_their_defaults() {
    let resolved = resolve_text("${A:-hunter2} ${B|base64:-x}", true, &Sources::default()).unwrap();
    assert_eq!(resolved.references, ["${A}".into(), "${B|base64}".into()]);
    assert_eq!(
        resolve_text("plain", true, &Sources::default())
            .unwrap()
            .into_node(&place())
            .origin,
        Origin::File
    );
}
