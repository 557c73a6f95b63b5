//! Whatever a platform and its users write: a statement makes what was meant and nothing else, in every `sql_mode` and
//! with every charset that a session can have. `PROPTEST_CASES` says how many lives there are.

mod sets;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};

use super::{Admin, Stage};
use crate::harness::{at_binding, at_instance};
use crate::server::Server;

/// Every filter, in every kind of place, and values of the user's in each; behind settings that read texts otherwise.
const CATALOG: &str = r#"
backends:
  my: { sql: { server: "${MY_ADMIN}" } }
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
        instance: { values: { database: "{{ instance.parameters.name }}" } }
        binding: { values: { user: "{{ binding.parameters.name }}" }, credentials: { user: "{{ binding.values.user }}" } }
        backend:
          use: my
          with: { note: "{{ instance.parameters.text }}" }
          statements:
            provision:
              - SET SESSION sql_mode = {{ instance.parameters.mode | literal }}
              - SET character_set_client = {{ instance.parameters.charset | literal }}
              - CREATE DATABASE {{ instance.values.database | ident }} CHARACTER SET utf8mb4
              - >-
                CREATE TABLE {{ instance.values.database | ident }}.`t``'\` (n int DEFAULT {{ 1 | int }}) # ' \
              - SET SESSION sql_mode = {{ instance.parameters.mode | literal }}
              - SET character_set_client = {{ instance.parameters.charset | literal }}
              - statement: >-
                  INSERT INTO said (id, text, n) VALUES({{ instance.id | literal }},
                  {{ with.note | literal }}, {{ instance.parameters.n | int }})
                unless: SELECT 1 FROM said WHERE id={{ instance.id | literal }}
            deprovision:
              - DROP DATABASE IF EXISTS {{ instance.values.database | ident }}
              - DELETE FROM said WHERE id = {{ instance.id | literal }}
            bind:
              - SET SESSION sql_mode = {{ instance.parameters.mode | literal }}
              - SET character_set_client = {{ instance.parameters.charset | literal }}
              - >-
                INSERT INTO said VALUES ({{ binding.id | literal }},
                CONCAT('it''s''', /* ' */ {{ binding.parameters.text | literal }}), 1)
              - >-
                CREATE USER {{ binding.values.user | user }}@'%' IDENTIFIED WITH mysql_native_password
                AS {{ binding.values.user | native_hash }}
              - >-
                GRANT SELECT ON {{ instance.values.database | pattern }}.* TO {{ binding.values.user | user }}@'%'
            unbind:
              - DROP USER IF EXISTS {{ binding.values.user | user }}@'%'
              - DELETE FROM said WHERE id = {{ binding.id | literal }}
"#;

/// What breaks out of a quote, here or elsewhere: in GBK the end of `你` and a backquote are one sign.
const PIECES: [&str; 44] = [
    "'",
    "''",
    "\"",
    "\"\"",
    "`",
    "``",
    "\\",
    "\\'",
    "\\\"",
    "\\`",
    "\\\\'",
    "$$",
    "--",
    "-- ",
    "#",
    "/*",
    "*/",
    "/*!",
    "/*M!",
    ";",
    "\n",
    "\r",
    "\0",
    "\t",
    "\u{1a}",
    "’",
    "ʼ",
    "＇",
    "你",
    "你`",
    "\u{df}'",
    "é",
    "e\u{301}",
    "😀",
    "_",
    "%",
    "\\_",
    "x'27'",
    "%00",
    "'); DROP TABLE said; -- ",
    "`; DROP TABLE said; -- ",
    "\"; DROP TABLE said; -- ",
    "said",
    " ",
];

const MODES: [&str; 5] = [
    "",
    "STRICT_ALL_TABLES",
    "NO_BACKSLASH_ESCAPES",
    "ANSI_QUOTES",
    "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,ANSI",
];

const CHARSETS: [&str; 5] = ["utf8mb4", "latin1", "gbk", "sjis", "big5"];

fn text(pieces: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), pieces)
        .prop_map(|pieces| pieces.concat())
}

#[derive(Clone, Debug)]
struct Life {
    instance: String,
    binding: String,
    database: String,
    user: String,
    text: String,
    n: Value,
    mode: &'static str,
    charset: &'static str,
}

fn life() -> impl Strategy<Value = Life> {
    let id = || text(1..6).prop_map(|text| format!("i{}", text.replace(char::is_control, "")));
    let number = prop_oneof![
        5 => any::<i64>().prop_map(|n| json!(n)),
        1 => Just(json!("7")),
        1 => text(1..3).prop_map(Value::String),
        1 => Just(json!("1); DROP TABLE said; -- ")),
    ];
    let name = || text(1..5).prop_map(|name| format!("{name}."));
    let setting = (
        prop::sample::select(&MODES[..]),
        prop::sample::select(&CHARSETS[..]),
    );
    (id(), id(), name(), name(), text(0..12), number, setting).prop_map(
        |(instance, binding, database, user, text, n, (mode, charset))| Life {
            instance,
            binding,
            database,
            user,
            text,
            n,
            mode,
            charset,
        },
    )
}

/// A name that the server can have.
fn can_be_named(name: &str, longest: usize) -> bool {
    let signs = || name.chars();
    signs().count() <= longest && !signs().any(|sign| sign == '\0' || sign.len_utf8() > 3)
}

fn can_be_granted(name: &str) -> bool {
    let twice = name
        .chars()
        .filter(|sign| ['_', '%', '\\'].contains(sign))
        .count();
    name.chars().count() + twice <= 64
}

fn encoded(id: &str) -> String {
    percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn hex(text: &str) -> String {
    let bytes = text.bytes();
    bytes.fold(String::new(), |hex, byte| hex + &format!("{byte:02X}"))
}

/// All that could have been made: databases, tables, logins, rights, routines, and the rows.
fn everything(server: &Server) -> Vec<String> {
    let all = server.sql(
        "SELECT CONCAT('database ', HEX(CONVERT(schema_name USING utf8mb4))) FROM information_schema.schemata
         UNION ALL SELECT CONCAT('table ', HEX(CONVERT(table_schema USING utf8mb4)), ' ', HEX(CONVERT(table_name USING utf8mb4)))
           FROM information_schema.tables WHERE table_schema NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema')
         UNION ALL SELECT CONCAT('login ', HEX(CONVERT(user USING utf8mb4)), ' ', HEX(CONVERT(host USING utf8mb4)), super_priv) FROM mysql.user
         UNION ALL SELECT CONCAT('right ', HEX(CONVERT(db USING utf8mb4)), ' ', HEX(CONVERT(user USING utf8mb4)), insert_priv) FROM mysql.db
         UNION ALL SELECT CONCAT('routines ', COUNT(*)) FROM mysql.proc
         UNION ALL SELECT CONCAT('row ', HEX(id), ' ', HEX(text), ' ', n) FROM shared.said",
    );
    let mut lines: Vec<String> = all.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// One life; how many of its two subjects were made.
fn live(stage: &Stage, empty: &[String], life: &Life) -> Result<u32, TestCaseError> {
    let Stage { server, broker } = stage;
    let (instance, binding) = (encoded(&life.instance), encoded(&life.binding));
    let parameters = json!({ "name": life.database, "text": life.text, "n": life.n, "mode": life.mode, "charset": life.charset });
    let made = broker.provision(
        &instance,
        &json!({ "service_id": "db", "plan_id": "nasty", "organization_guid": "o", "space_guid": "s", "parameters": parameters }),
    );
    let n = match &life.n {
        Value::Number(n) => n.as_i64(),
        Value::String(n) => n.parse().ok(),
        _ => None,
    };
    let fits = can_be_named(&life.database, 64) && !life.text.contains('\0') && n.is_some();
    prop_assert_eq!(
        made.status,
        if fits { 201 } else { 400 },
        "{}",
        broker.log()
    );
    let mut count = 0;
    if made.status == 201 {
        count += 1;
        let mut expected = empty.to_vec();
        let database = hex(&life.database);
        expected.push(format!("database {database}"));
        expected.push(format!("table {database} {}", hex(r"t`'\")));
        let (id, text) = (hex(&life.instance), hex(&life.text));
        expected.push(format!("row {id} {text} {}", n.unwrap_or_default()));
        expected.sort();
        prop_assert_eq!(everything(server), expected.clone());
        count += bound(stage, &instance, &binding, life, &expected)?;
    } else {
        prop_assert_eq!(everything(server), empty);
    }
    let path = format!("{}?service_id=db&plan_id=nasty", at_instance(&instance));
    let gone = broker.delete(&path);
    // Of what no statement can name nothing is left, not even a record.
    let expected = if made.status == 400 { 410 } else { 200 };
    prop_assert_eq!(gone.status, expected, "{}", gone.text());
    prop_assert_eq!(everything(server), empty);
    Ok(count)
}

fn bound(
    Stage { server, broker }: &Stage,
    instance: &str,
    binding: &str,
    life: &Life,
    before: &[String],
) -> Result<u32, TestCaseError> {
    let asked = json!({ "service_id": "db", "plan_id": "nasty", "parameters": { "name": life.user, "text": life.text } });
    let made = broker.bind(instance, binding, &asked);
    let fits = can_be_named(&life.user, 32) && can_be_granted(&life.database);
    prop_assert_eq!(
        made.status,
        if fits { 201 } else { 400 },
        "{}",
        broker.log()
    );
    if made.status == 201 {
        let mut expected = before.to_vec();
        let user = hex(&life.user);
        expected.push(format!("login {user} 25N"));
        let escaped = ['\\', '_', '%']
            .iter()
            .fold(life.database.clone(), |name, sign| {
                name.replace(*sign, &format!("\\{sign}"))
            });
        expected.push(format!("right {} {user}N", hex(&escaped)));
        let text = hex(&format!("it's'{}", life.text));
        expected.push(format!("row {} {text} 1", hex(&life.binding)));
        expected.sort();
        prop_assert_eq!(everything(server), expected);
        prop_assert_eq!(&made.json()["credentials"]["user"], &json!(life.user));
    } else {
        prop_assert_eq!(everything(server), before);
    }
    let gone = broker.delete(&format!(
        "{}?service_id=db&plan_id=nasty",
        at_binding(instance, binding)
    ));
    let expected = if made.status == 400 { 410 } else { 200 };
    prop_assert_eq!(gone.status, expected, "{}\n{}", gone.text(), broker.log());
    prop_assert_eq!(everything(server), before);
    Ok(u32::from(made.status == 201))
}

fn stage() -> Stage {
    let stage = Stage::with(Server::start(&[]), Admin::Super, CATALOG);
    stage.server.sql(
        "CREATE TABLE shared.said (id varchar(700), text longtext, n bigint) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    );
    stage
}

#[test]
fn statements_make_what_was_meant_and_nothing_else() {
    let stage = stage();
    let empty = everything(&stage.server);
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
    let empty = everything(&stage.server);
    let life = Life {
        instance: "long".to_owned(),
        binding: "long too".to_owned(),
        database: "a`b".to_owned(),
        user: "r'\\".to_owned(),
        text: r"'\".repeat(150_000),
        n: json!(1),
        mode: "NO_BACKSLASH_ESCAPES",
        charset: "utf8mb4",
    };
    let made = live(&stage, &empty, &life).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(made, 2);
}

/// A text that breaks out of its quotes is seen; so is a name that does with the charset of another session.
#[test]
fn the_search_is_not_blind() {
    let stage = stage();
    for breaks_out in [
        "'); CREATE USER more; -- ",
        "'); CREATE DATABASE more; -- ",
        "'); CREATE TABLE shared.more (n int); -- ",
        "'); GRANT SELECT ON shared.* TO root@localhost; -- ",
    ] {
        let before = everything(&stage.server);
        let unquoted = format!("INSERT INTO shared.said (text) VALUES ('{breaks_out}')");
        stage.server.sql(&unquoted);
        assert_ne!(everything(&stage.server), before, "{breaks_out}");
    }
    let before = everything(&stage.server);
    // Its quotes are doubled, as they should be.
    let swallowed = "SET NAMES gbk; CREATE DATABASE `你``; CREATE DATABASE swallowed; -- `";
    stage.server.sql(swallowed);
    assert_ne!(everything(&stage.server), before);
}
