//! Whatever a platform and its users write, in ids, names and parameters: a statement makes what was meant and nothing
//! else. `PROPTEST_CASES` says how many lives there are; `tests/long.sh` has 10,000.

mod sets;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::harness::{at_binding, at_instance};
use crate::stage::{Admin, Stage};

/// Every filter, in every kind of place, and values of the user's in each.
const CATALOG: &str = r#"
backends:
  pg: { sql: { server: "${PG_ADMIN}" } }
services:
  - id: db
    name: db
    description: What users write, in statements
    bindable: true
    respond: sync
    max_attempts: 1
    plans:
      - id: nasty
        name: nasty
        description: d
        instance: { values: { schema: "{{ instance.parameters.name }}" } }
        binding: { values: { role: "{{ binding.parameters.name }}" }, credentials: { role: "{{ binding.values.role }}" } }
        backend:
          use: pg
          with: { note: "{{ instance.parameters.text }}" }
          statements:
            provision:
              - CREATE SCHEMA {{ instance.values.schema | ident }}
              - COMMENT ON SCHEMA {{ instance.values.schema | ident }} IS {{ with.note | literal }}
              - statement: >-
                  INSERT INTO public.said (id, text, n) VALUES({{ instance.id | literal }},
                  {{ with.note | literal }}::text, {{ instance.parameters.n | int }})
                unless: SELECT FROM public.said WHERE id={{ instance.id | literal }}
            update:
              - statement: UPDATE public.said SET text = {{ with.note | literal }} WHERE id = {{ row | literal }}
                each: SELECT id FROM public.said WHERE id = {{ instance.id | literal }}
                only_if: SELECT FROM pg_namespace WHERE nspname = {{ instance.values.schema | literal }}
            deprovision:
              - DROP SCHEMA IF EXISTS {{ instance.values.schema | ident }} CASCADE
              - DELETE FROM public.said WHERE id = {{ instance.id | literal }}
            bind:
              # Also where a backslash means something to the server.
              - SET LOCAL standard_conforming_strings = off
              - statement: INSERT INTO public.said VALUES ({{ binding.id | literal }}, {{ binding.parameters.text | literal }}, 1)
              - CREATE ROLE {{ binding.values.role | ident }} PASSWORD {{ binding.values.role | scram }}
              - SET LOCAL standard_conforming_strings = on
              - statement: >-
                  CREATE TABLE {{ instance.values.schema | ident }}.{{ binding.values.role | ident }} (n) AS
                  SELECT 'it''s' || E'\\' || /* ' */ {{ binding.parameters.text | literal }} -- '
              - SELECT pg_catalog.set_config('broker.' || 'role', {{ binding.values.role | literal }}, true)
            unbind:
              - DROP TABLE IF EXISTS {{ instance.values.schema | ident }}.{{ binding.values.role | ident }}
              - DROP ROLE IF EXISTS {{ binding.values.role | ident }}
              - DELETE FROM public.said WHERE id = {{ binding.id | literal }}
"#;

/// What breaks out of a quote, here or elsewhere.
const PIECES: [&str; 40] = [
    "'",
    "''",
    "\"",
    "\"\"",
    "\\",
    "\\'",
    "\\\"",
    "\\\\'",
    "$$",
    "$a$",
    "$1",
    "--",
    "/*",
    "*/",
    ";",
    "\n",
    "\r",
    "\0",
    "\t",
    "\u{7f}",
    "’",
    "ʼ",
    "＇",
    "\u{202e}",
    "\u{feff}",
    "😀",
    "é",
    "e\u{301}",
    "E'",
    "U&'",
    "\\x27",
    "\\047",
    "%00",
    "'); DROP TABLE public.said; --",
    "\"; DROP TABLE public.said; --",
    "$$; DROP TABLE public.said; $$",
    "{{ 1 }}",
    "${HOME}",
    "said",
    " ",
];

fn text(pieces: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), pieces)
        .prop_map(|pieces| pieces.concat())
}

#[derive(Clone, Debug)]
struct Life {
    instance: String,
    binding: String,
    schema: String,
    role: String,
    text: String,
    n: Value,
}

fn life() -> impl Strategy<Value = Life> {
    let id = || text(1..6).prop_map(|text| format!("i{}", text.replace(char::is_control, "")));
    let number = prop_oneof![
        5 => any::<i64>().prop_map(|n| json!(n)),
        1 => Just(json!("7")),
        1 => text(1..3).prop_map(Value::String),
        1 => Just(json!(1.5)),
        1 => Just(json!("1); DROP TABLE public.said; --")),
    ];
    let name = || prop_oneof![6 => text(1..5), 1 => text(0..30)];
    (id(), id(), name(), name(), text(0..12), number).prop_map(
        |(instance, binding, schema, role, text, n)| Life {
            instance,
            binding,
            schema,
            role,
            text,
            n,
        },
    )
}

/// A name that the server can have, and that is nobody's.
fn can_be_named(name: &str) -> bool {
    !name.is_empty() && name.len() <= 63 && !name.contains('\0')
}

fn encoded(id: &str) -> String {
    percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn hex(text: &str) -> String {
    let bytes = text.bytes();
    bytes.fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// All that could have been made: schemas, roles, databases, relations, functions, and the rows.
fn everything(cluster: &Cluster) -> String {
    cluster.sql(
        "shared",
        "SELECT 'schema ' || encode(convert_to(nspname, 'UTF8'), 'hex') || ' ' || coalesce(encode(convert_to(obj_description(oid, 'pg_namespace'), 'UTF8'), 'hex'), '') || '.' FROM pg_namespace
           WHERE nspname !~ '^pg_(toast_)?temp'
         UNION ALL SELECT 'role ' || encode(convert_to(rolname, 'UTF8'), 'hex') || rolsuper || rolcreaterole FROM pg_roles
         UNION ALL SELECT 'database ' || encode(convert_to(datname, 'UTF8'), 'hex') FROM pg_database
         UNION ALL SELECT 'relation ' || count(*) FROM pg_class WHERE relnamespace <> 'pg_toast'::regnamespace
         UNION ALL SELECT 'function ' || count(*) FROM pg_proc
         UNION ALL SELECT 'row ' || encode(convert_to(id, 'UTF8'), 'hex') || ' ' || encode(convert_to(text, 'UTF8'), 'hex') || ' ' || n FROM public.said
         ORDER BY 1",
    )
}

/// One life; how many of its two subjects were made.
fn live(stage: &Stage, empty: &str, life: &Life) -> Result<u32, TestCaseError> {
    let Stage { cluster, broker } = stage;
    let instance = encoded(&life.instance);
    let binding = encoded(&life.binding);
    let parameters = json!({ "name": life.schema, "text": life.text, "n": life.n });
    let made = broker.provision(
        &instance,
        &json!({ "service_id": "db", "plan_id": "nasty", "organization_guid": "o", "space_guid": "s", "parameters": parameters }),
    );
    let n = match &life.n {
        Value::Number(n) => n.as_i64(),
        Value::String(n) => n.parse().ok(),
        _ => None,
    };
    let fits = can_be_named(&life.schema) && !life.text.contains('\0') && n.is_some();
    // A schema of the system's is there already.
    let free = life.schema != "public" && !life.schema.starts_with("pg_");
    let expected = match (fits, free) {
        (false, _) => 400,
        (true, false) => 500,
        (true, true) => 201,
    };
    prop_assert_eq!(made.status, expected, "{}", broker.log());
    let mut count = 0;
    let mut expected: Vec<String> = empty.lines().map(str::to_owned).collect();
    if made.status == 201 {
        count += 1;
        let note = hex(&life.text);
        expected.push(format!("schema {} {note}.", hex(&life.schema)));
        let n = n.unwrap_or_default();
        expected.push(format!("row {} {note} {n}", hex(&life.instance)));
        expected.sort();
        prop_assert_eq!(sorted(&everything(cluster)), expected.clone());
        let moved = json!({ "service_id": "db", "parameters": { "text": life.binding } });
        let moved = broker.update(&instance, &moved);
        prop_assert_eq!(moved.status, 200, "{}", moved.text());
        let row = format!("row {} ", hex(&life.instance));
        expected.retain(|line| !line.starts_with(&row));
        expected.push(format!("{row}{} {n}", hex(&life.binding)));
        expected.sort();
        prop_assert_eq!(sorted(&everything(cluster)), expected.clone());
        count += bound(stage, &instance, &binding, life, &expected)?;
    } else {
        prop_assert_eq!(everything(cluster), empty);
    }
    let gone = broker.delete(&format!(
        "{}?service_id=db&plan_id=nasty",
        at_instance(&instance)
    ));
    // Of what no statement can name nothing is left, not even a record.
    let expected = if made.status == 400 { 410 } else { 200 };
    prop_assert_eq!(gone.status, expected, "{}", gone.text());
    prop_assert_eq!(everything(cluster), empty);
    Ok(count)
}

fn bound(
    Stage { cluster, broker }: &Stage,
    instance: &str,
    binding: &str,
    life: &Life,
    before: &[String],
) -> Result<u32, TestCaseError> {
    let asked = json!({ "service_id": "db", "plan_id": "nasty", "parameters": { "name": life.role, "text": life.text } });
    let made = broker.bind(instance, binding, &asked);
    if made.status == 201 {
        prop_assert!(can_be_named(&life.role));
        prop_assert_eq!(&made.json()["credentials"]["role"], &json!(life.role));
        let mut expected = before.to_vec();
        expected.push(format!("role {}falsefalse", hex(&life.role)));
        expected.push(format!("row {} {} 1", hex(&life.binding), hex(&life.text)));
        let now = sorted(&everything(cluster));
        for line in &expected {
            let is_count = line.starts_with("relation ");
            prop_assert!(is_count || now.contains(line), "{} is missing", line);
        }
        prop_assert_eq!(now.len(), expected.len());
        let table = cluster.sql(
            "shared",
            &format!(
                "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE encode(convert_to(nspname, 'UTF8'), 'hex') = '{}' AND encode(convert_to(relname, 'UTF8'), 'hex') = '{}'",
                hex(&life.schema),
                hex(&life.role)
            ),
        );
        prop_assert_eq!(table, "1");
    } else {
        prop_assert!(
            !can_be_named(&life.role),
            "{}\n{}",
            made.text(),
            broker.log()
        );
        prop_assert_eq!(made.status, 400);
        prop_assert_eq!(sorted(&everything(cluster)), before.to_vec());
    }
    let place = at_binding(instance, binding);
    let gone = broker.delete(&format!("{place}?service_id=db&plan_id=nasty"));
    let expected = if made.status == 400 { 410 } else { 200 };
    prop_assert_eq!(gone.status, expected, "{}", gone.text());
    prop_assert_eq!(sorted(&everything(cluster)), before.to_vec());
    Ok(u32::from(made.status == 201))
}

fn sorted(lines: &str) -> Vec<String> {
    let mut lines: Vec<String> = lines.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn stage() -> Stage {
    stage_of(CATALOG)
}

fn stage_of(catalog: &str) -> Stage {
    let stage = Stage::with(Cluster::start(&[]), Admin::Super, catalog);
    stage.cluster.sql(
        "shared",
        "CREATE TABLE public.said (id text, text text, n bigint)",
    );
    stage
}

#[test]
fn statements_make_what_was_meant_and_nothing_else() {
    let stage = stage();
    let empty = everything(&stage.cluster);
    let made = std::cell::Cell::new(0);
    let next = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config {
        cases: Config::default().cases.min(100_000),
        failure_persistence: None,
        // What a life that failed has left would be in the way of a smaller one.
        max_shrink_iters: 0,
        ..Config::default()
    });
    let outcome = runner.run(&life(), |mut life| {
        // An instance that cannot be removed stays in the broker: each life has ids of its own.
        next.set(next.get() + 1);
        life.instance += &next.get().to_string();
        life.binding = format!("{}b{}", life.binding, next.get());
        made.set(made.get() + live(&stage, &empty, &life)?);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    println!(
        "{} lives, {} subjects made of what users wrote, nothing else",
        next.get(),
        made.get()
    );
    assert!(
        made.get() > next.get() / 2,
        "hardly anything was made: {}",
        made.get()
    );
}

/// A text of nearly 1 MiB, all of it quotes and backslashes.
#[test]
fn a_long_text_comes_to_the_server_as_it_was_written() {
    let stage = stage();
    let empty = everything(&stage.cluster);
    let text = r"'\".repeat(150_000);
    let life = Life {
        instance: "long".to_owned(),
        binding: "long too".to_owned(),
        schema: "a\"b".to_owned(),
        role: "r'\\".to_owned(),
        text,
        n: json!(1),
    };
    let made = live(&stage, &empty, &life).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(made, 2);
}

/// A text that breaks out of its quotes is seen: as what it makes, and as what it does not.
#[test]
fn the_search_is_not_blind() {
    let stage = stage();
    for breaks_out in [
        "'); CREATE ROLE more; --",
        "'); CREATE SCHEMA more; --",
        "'); CREATE TABLE public.more (n int); --",
        "'); CREATE FUNCTION public.more() RETURNS int LANGUAGE sql AS 'SELECT 1'; --",
    ] {
        let before = everything(&stage.cluster);
        let unquoted = format!("INSERT INTO public.said (text) VALUES ('{breaks_out}')");
        stage.cluster.sql("shared", &unquoted);
        assert_ne!(everything(&stage.cluster), before, "{breaks_out}");
    }
}
