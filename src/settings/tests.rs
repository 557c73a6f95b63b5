//! The settings from outside: what each layer gives, what is refused, and in which words.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::secret::MASK;

mod traces;

const LOGIN: [(&str, &str); 2] = [
    ("BROKER_AUTH__USERNAME", "platform"),
    ("BROKER_AUTH__PASSWORD", "pass"),
];

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("catalog-broker-settings-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn is_document_variable(name: &str) -> bool {
    name.starts_with("BROKER_SERVICES__") || name == "BROKER_MINIMUM_API_VERSION"
}

fn try_load(
    yaml: &str,
    variables: &[(&str, &str)],
    flags: &Flags,
) -> Result<LoadedSettings, String> {
    let folder = Folder::new();
    let flags = Flags {
        config: Some(folder.file("broker.yaml", yaml).into()),
        ..flags.clone()
    };
    let environment = variables.iter().copied().collect();
    load(&flags, &environment, is_document_variable).map_err(|errors| {
        let text = errors.to_string();
        assert_eq!(
            text.lines().count(),
            errors.iter().count() + errors.warnings().len(),
            "one line each: {text}"
        );
        text
    })
}

fn with_login<'a>(variables: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    LOGIN.iter().chain(variables).copied().collect()
}

fn load_env(variables: &[(&str, &str)]) -> Result<Settings, String> {
    try_load("", &with_login(variables), &Flags::default()).map(|loaded| loaded.settings)
}

fn load_yaml(yaml: &str) -> Result<Settings, String> {
    try_load(yaml, &LOGIN, &Flags::default()).map(|loaded| loaded.settings)
}

fn error_of<T: std::fmt::Debug>(result: Result<T, String>) -> String {
    result.unwrap_err()
}

/// What `auth.password` is after loading.
fn password(result: Result<LoadedSettings, String>) -> String {
    match result.unwrap().settings.logins.swap_remove(0).kind {
        LoginKind::Basic { password, .. } => password.into_exposed(),
        kind => panic!("{kind:?} where a password is expected"),
    }
}

#[test]
fn nothing_said_gives_the_defaults() {
    let settings = load_env(&[]).unwrap();
    assert_eq!(settings.catalog, Path::new("catalog.yaml"));
    assert!(settings.vars.is_empty());
    assert_eq!(
        settings.store.url,
        StoreUrl::Sqlite("data/broker.db".into())
    );
    assert_eq!(settings.store.connections, 12);
    assert_eq!(settings.store.timeout, Duration::from_secs(5));
    assert!(!settings.store.ephemeral_ok);
    let server = &settings.server;
    assert_eq!(server.address.to_string(), "0.0.0.0");
    assert_eq!(server.port, 8080);
    assert_eq!(server.workers, cores());
    assert_eq!(server.body_limit, 1 << 20);
    assert_eq!(server.url_limit, 16 << 10);
    assert_eq!(server.header_limit, 64 << 10);
    assert_eq!(server.request_timeout, Duration::from_secs(50));
    assert_eq!(server.connections, 4096);
    assert_eq!(server.keep_alive, Duration::from_secs(95));
    assert_eq!(server.drain_delay, Duration::ZERO);
    assert_eq!(server.shutdown_timeout, Duration::from_secs(20));
    assert_eq!(server.base_path, "");
    assert!(server.trusted_proxies.is_empty());
    assert_eq!(settings.logins.len(), 1);
    assert_eq!(settings.logins[0].name, "default");
    assert_eq!(settings.log.format, LogFormat::Text);
    assert_eq!(settings.log.level, "info");
}

/// From the lowest to the highest: with one more layer each time, that layer wins.
#[test]
fn each_layer_wins_over_the_one_below() {
    let yaml = "server: { port: 1001 }\nlog: { format: json }\nstore: { url: none }";
    let port = |yaml: &str, variables: &[(&str, &str)], flag: Option<&str>| {
        let flags = Flags {
            port: flag.map(str::to_owned),
            ..Flags::default()
        };
        let loaded = try_load(yaml, &with_login(variables), &flags).unwrap();
        let mut explained = loaded.explained.into_iter();
        let explained = explained.find(|row| row.path == "server.port").unwrap();
        assert_eq!(explained.value, loaded.settings.server.port.to_string());
        (loaded.settings.server.port, explained.origin)
    };
    let variable = |name: &str| format!("the environment variable {name}");
    let vcap = ("VCAP_APP_PORT", "1002");
    let usual = ("PORT", "1003");
    let own = ("BROKER_SERVER__PORT", "1004");
    assert_eq!(port("", &[], None), (8080, "default".into()));
    let (number, origin) = port(yaml, &[], None);
    assert!(
        number == 1001 && origin.ends_with("broker.yaml:1:17"),
        "{origin}"
    );
    assert_eq!(port(yaml, &[vcap], None), (1002, variable("VCAP_APP_PORT")));
    assert_eq!(port(yaml, &[vcap, usual], None), (1003, variable("PORT")));
    assert_eq!(
        port(yaml, &[vcap, usual, own], None),
        (1004, variable("BROKER_SERVER__PORT"))
    );
    assert_eq!(
        port(yaml, &[vcap, usual, own], Some("1005")),
        (1005, "the flag --port".into())
    );
    assert_eq!(
        port(yaml, &[vcap, ("PORT", "")], None).0,
        1002,
        "an empty usual name is none"
    );
}

#[test]
fn every_flag_wins_over_the_environment() {
    let flags = Flags {
        config: None,
        catalog: Some("flag.yaml".into()),
        vars: vec!["a,b.yaml".into(), "c.yaml".into()],
        allow_breaking: vec!["plan-in-use".to_owned()],
        store: Some("none".into()),
        address: Some("::1".into()),
        port: Some("0".into()),
        log_format: Some("json".into()),
    };
    let variables = with_login(&[
        ("BROKER_CATALOG", "env.yaml"),
        ("BROKER_VARS", "env.yaml"),
        ("BROKER_STORE__URL", "sqlite:env.db"),
        ("BROKER_SERVER__ADDRESS", "127.0.0.1"),
        ("BROKER_SERVER__PORT", "1"),
        ("BROKER_LOG__FORMAT", "text"),
    ]);
    let settings = try_load("", &variables, &flags).unwrap().settings;
    assert_eq!(settings.catalog, Path::new("flag.yaml"));
    assert_eq!(settings.vars, [Path::new("a,b.yaml"), Path::new("c.yaml")]);
    assert_eq!(settings.store.url, StoreUrl::None);
    assert_eq!(settings.server.address.to_string(), "::1");
    assert_eq!(settings.server.port, 0);
    assert_eq!(settings.log.format, LogFormat::Json);
}

#[test]
fn every_setting_can_be_given_in_the_file_and_in_the_environment() {
    let yaml = "
catalog: c.yaml
vars: [a.yaml, b.yaml]
allow_breaking: [plan-in-use]
store:
  url: none
  connections: 3
  timeout: 2s
  keys: [MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=, MjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjI=]
  ephemeral_ok: true
server:
  address: 127.0.0.1
  port: 9
  workers: 3
  body_limit: 2MiB
  url_limit: 1024
  header_limit: 8KiB
  request_timeout: 5
  connections: 77
  keep_alive: 620s
  drain_delay: 500ms
  shutdown_timeout: 2m
  base_path: a/b/
  trusted_proxies: [10.0.0.0/8, '::1']
  tls: { certificate: a.pem, key: a.key, client_ca: ca.pem }
operations: { keep: 7d, lease: 5s, at_once: 3, look_every: 100ms }
bindings: { unbind_expired: all, grace: 30d }
reload: { every: 7s }
console: { enabled: false, secure_cookie: true }
audit: { to: 'file:a.log', keep: 400d }
traces: { endpoint: none, headers: [a=b], ca: ca.pem, service_name: s, sample: 0.5 }
log: { format: json, level: debug }
";
    let variables = [
        ("BROKER_CATALOG", "c.yaml"),
        ("BROKER_VARS", "a.yaml, b.yaml"),
        ("BROKER_ALLOW_BREAKING", "plan-in-use"),
        ("BROKER_STORE__URL", "none"),
        ("BROKER_STORE__CONNECTIONS", "3"),
        ("BROKER_STORE__TIMEOUT", "2s"),
        (
            "BROKER_STORE__KEYS",
            "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=,MjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjI=",
        ),
        ("BROKER_STORE__EPHEMERAL_OK", "true"),
        ("BROKER_SERVER__ADDRESS", "127.0.0.1"),
        ("BROKER_SERVER__PORT", "9"),
        ("BROKER_SERVER__WORKERS", "3"),
        ("BROKER_SERVER__BODY_LIMIT", "2MiB"),
        ("BROKER_SERVER__URL_LIMIT", "1024"),
        ("BROKER_SERVER__HEADER_LIMIT", "8KiB"),
        ("BROKER_SERVER__REQUEST_TIMEOUT", "5"),
        ("BROKER_SERVER__CONNECTIONS", "77"),
        ("BROKER_SERVER__KEEP_ALIVE", "620s"),
        ("BROKER_SERVER__DRAIN_DELAY", "500ms"),
        ("BROKER_SERVER__SHUTDOWN_TIMEOUT", "2m"),
        ("BROKER_SERVER__BASE_PATH", "a/b/"),
        ("BROKER_SERVER__TRUSTED_PROXIES", "10.0.0.0/8,::1"),
        ("BROKER_SERVER__TLS__CERTIFICATE", "a.pem"),
        ("BROKER_SERVER__TLS__KEY", "a.key"),
        ("BROKER_SERVER__TLS__CLIENT_CA", "ca.pem"),
        ("BROKER_OPERATIONS__KEEP", "7d"),
        ("BROKER_OPERATIONS__LEASE", "5s"),
        ("BROKER_OPERATIONS__AT_ONCE", "3"),
        ("BROKER_OPERATIONS__LOOK_EVERY", "100ms"),
        ("BROKER_BINDINGS__UNBIND_EXPIRED", "all"),
        ("BROKER_BINDINGS__GRACE", "30d"),
        ("BROKER_RELOAD__EVERY", "7s"),
        ("BROKER_CONSOLE__ENABLED", "false"),
        ("BROKER_CONSOLE__SECURE_COOKIE", "true"),
        ("BROKER_AUDIT__TO", "file:a.log"),
        ("BROKER_AUDIT__KEEP", "400d"),
        ("BROKER_TRACES__ENDPOINT", "none"),
        ("BROKER_TRACES__HEADERS", "a=b"),
        ("BROKER_TRACES__CA", "ca.pem"),
        ("BROKER_TRACES__SERVICE_NAME", "s"),
        ("BROKER_TRACES__SAMPLE", "0.5"),
        ("BROKER_LOG__FORMAT", "json"),
        ("BROKER_LOG__LEVEL", "debug"),
    ];
    let plain = SETTINGS
        .iter()
        .filter(|setting| !setting.path.starts_with("auth."));
    assert_eq!(variables.len(), plain.count(), "every setting is tried");
    let from_file = load_yaml(yaml).unwrap();
    let from_environment = load_env(&variables).unwrap();
    assert_eq!(from_file, from_environment);
    assert_eq!(from_file.server.base_path, "/a/b");
    assert_eq!(from_file.server.drain_delay, Duration::from_millis(500));
    assert_eq!(from_file.server.trusted_proxies.len(), 2);
}

#[test]
fn a_password_is_taken_to_the_letter_wherever_it_comes_from() {
    let printable: String = (' '..='~').collect();
    let long = printable.chars().cycle().take(200).collect::<String>();
    let passwords = [
        "0123",
        "true",
        "null",
        "~",
        "1e3",
        "1.0",
        "a:b",
        "\"q\"",
        "'q'",
        " lead",
        "trail ",
        "[a]",
        "{a: b}",
        "{a=b}",
        "a,b",
        "$HOME",
        "${HOME}",
        "{{ x }}",
        "#x",
        "-",
        "pä$$wörd",
        &long,
    ];
    let folder = Folder::new();
    let user = ("BROKER_AUTH__USERNAME", "platform");
    let flags = Flags::default();
    for text in passwords {
        let own = [user, ("BROKER_AUTH__PASSWORD", text)];
        assert_eq!(password(try_load("", &own, &flags)), text);
        let usual = [
            ("SECURITY_USER_NAME", "platform"),
            ("SECURITY_USER_PASSWORD", text),
        ];
        assert_eq!(password(try_load("", &usual, &flags)), text);
        let path = folder.file("password", &format!("{text}\n"));
        let in_file = [user, ("BROKER_AUTH__PASSWORD_FILE", path.as_str())];
        assert_eq!(password(try_load("", &in_file, &flags)), text);
        let yaml = format!("auth: {{ username: platform, password: '${{file:{path}}}' }}");
        assert_eq!(password(try_load(&yaml, &[], &flags)), text);
        let yaml = "auth: { username: platform, password: '${SOME}' }";
        assert_eq!(password(try_load(yaml, &[("SOME", text)], &flags)), text);
        let quoted = serde_json::to_string(&text.replace("${", "$${")).unwrap();
        let yaml = format!("auth: {{ username: platform, password: {quoted} }}");
        assert_eq!(password(try_load(&yaml, &[], &flags)), text);
    }
    let path = folder.file("two", "line\n\n");
    let variables = [user, ("BROKER_AUTH__PASSWORD_FILE", path.as_str())];
    let loaded = try_load("", &variables, &flags);
    assert!(loaded.as_ref().unwrap().warnings[0].contains("control character"));
    assert_eq!(
        password(loaded),
        "line\n",
        "one line break is dropped, not two"
    );
}

#[test]
fn logins_come_from_all_layers_by_name() {
    let yaml = "
auth:
  username: platform
  password: first
  logins:
    blue-green: { username: platform, password: '${NOT_THERE}' }
    robot: { token: abc.def, role: [viewer, metrics], offerings: [a, b] }
";
    let variables = [
        ("BROKER_AUTH__LOGINS__BLUE_GREEN__PASSWORD", "second"),
        ("BROKER_AUTH__LOGINS__NEW__USERNAME", "0"),
        ("BROKER_AUTH__LOGINS__NEW__PASSWORD", "1"),
    ];
    let loaded = try_load(yaml, &variables, &Flags::default()).unwrap();
    let basic = |name: &str, username: &str, password: &str| LoginSettings {
        name: name.to_owned(),
        kind: LoginKind::Basic {
            username: username.to_owned(),
            password: password.to_owned().into(),
        },
        roles: vec![LoginRole::Platform],
        offerings: None,
    };
    let robot = LoginSettings {
        name: "robot".to_owned(),
        kind: LoginKind::Bearer {
            token: "abc.def".to_owned().into(),
        },
        roles: vec![LoginRole::Viewer, LoginRole::Metrics],
        offerings: Some(vec!["a".to_owned(), "b".to_owned()]),
    };
    let expected = [
        basic("default", "platform", "first"),
        basic("blue-green", "platform", "second"),
        basic("new", "0", "1"),
        robot,
    ];
    assert_eq!(loaded.settings.logins, expected);
    let shown = |path: &str| {
        let row = loaded.explained.iter().find(|row| row.path == path);
        row.map(|row| (row.value.as_str(), row.origin.as_str()))
            .unwrap()
    };
    let variable = "the environment variable BROKER_AUTH__LOGINS__BLUE_GREEN__PASSWORD";
    assert_eq!(shown("auth.logins.blue-green.password"), (MASK, variable));
    assert_eq!(shown("auth.logins.robot.token").0, MASK);
    assert_eq!(shown("auth.username").0, "platform");
}

#[test]
fn logins_that_cannot_be_are_refused() {
    let cases = [
        ("", "no login is given"),
        ("auth: { username: a }", "auth.username: has no password"),
        ("auth: { password: a }", "auth.password: has no username"),
        ("auth: { username: 'a:b', password: c }", "has a colon"),
        (
            "auth: { username: a, password: '' }",
            "auth.password: is empty",
        ),
        (
            "auth: { username: '', password: a }",
            "auth.username: is empty",
        ),
        ("auth: { username: a, password: 123 }", "put it in quotes"),
        (
            "auth: { username: a, token: b }",
            "auth.token: is no setting",
        ),
        (
            "auth: { logins: { a: {} } }",
            "auth.logins.a: has nothing to log in with",
        ),
        (
            "auth: { logins: { a: { token: b, password: c } } }",
            "keep one of them",
        ),
        (
            "auth: { logins: { a: { token: b, username: c } } }",
            "needs none",
        ),
        (
            "auth: { logins: { a: { token: 'b c' } } }",
            "cannot stand in a header",
        ),
        (
            "auth: { logins: { a: { token: '' } } }",
            "auth.logins.a.token: is empty",
        ),
        (
            "auth: { logins: { a: { tokn: b } } }",
            "did you mean token?",
        ),
        (
            "auth: { logins: { a.b: { token: c } } }",
            "is no name for a login",
        ),
        (
            "auth: { logins: { default: { token: c } } }",
            "is the name of the login auth.username",
        ),
        (
            "auth: { logins: { a-b: { token: c }, a_b: { token: d } } }",
            "is the same name as a-b",
        ),
        ("auth: { logins: {} }", "no login is given"),
        ("auth: { logins: blue }", "a map of settings is expected"),
    ];
    for (yaml, expected) in cases {
        let error = error_of(try_load(yaml, &[], &Flags::default()));
        assert!(error.contains(expected), "{yaml}: {error}");
        assert_eq!(
            error.contains("no login is given"),
            expected == "no login is given",
            "{yaml}: {error}"
        );
    }
}

/// What `openssl rand -base64 32` would print.
fn key(byte: u8) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [byte; 32])
}

fn keys_of(result: Result<LoadedSettings, String>) -> Vec<u8> {
    let keys = result.unwrap().settings.store.keys;
    keys.iter().map(|key| key.expose()[7]).collect()
}

#[test]
fn keys_come_from_wherever_a_list_of_secrets_may() {
    let folder = Folder::new();
    let flags = Flags::default();
    let (one, two) = (key(1), key(2));
    let file = format!("file:{}", folder.file("one", &format!("{one}\r\n")));
    let both = folder.file("both", &format!("{two}\n{file}\n"));
    let lists = [
        (format!("{one},{two}"), &[1, 2][..]),
        (format!(" {two} , {file}"), &[2, 1]),
        (file.clone(), &[1]),
        (String::new(), &[]),
    ];
    for (text, expected) in &lists {
        let variables = with_login(&[("BROKER_STORE__KEYS", text)]);
        assert_eq!(keys_of(try_load("", &variables, &flags)), *expected);
        let yaml = "store: { keys: '${GIVEN:-}' }";
        let variables = with_login(&[("GIVEN", text)]);
        assert_eq!(keys_of(try_load(yaml, &variables, &flags)), *expected);
    }
    let variables = with_login(&[("BROKER_STORE__KEYS_FILE", &both)]);
    assert_eq!(keys_of(try_load("", &variables, &flags)), [2, 1]);
    let yaml = format!("store: {{ keys: ['${{TWO}}', '{file}', '${{{file}}}'] }}");
    let variables = with_login(&[("TWO", &two)]);
    assert_eq!(keys_of(try_load(&yaml, &variables, &flags)), [2, 1, 1]);
    let loaded = try_load(&yaml, &variables, &flags).unwrap();
    let shown = loaded.explained.iter().find(|row| row.path == "store.keys");
    assert_eq!(shown.unwrap().value, format!("{MASK}, {MASK}, {MASK}"));
}

#[test]
fn what_is_no_key_is_told_without_it() {
    let folder = Folder::new();
    let short = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "MARKED");
    let (good, long) = (key(1), format!("{}{}", key(1), key(2)));
    let hex = "0123456789abcdef".repeat(4);
    let file = format!("file:{}", folder.file("key", "MARKED"));
    for (texts, said) in [
        ("MARKED", "number 1 is no key, which is 32 bytes in base64"),
        (&*short, "`openssl rand -base64 32` makes one"),
        (&long, "number 1"),
        (&hex, "number 1"),
        (&format!("{good},MARKED"), "number 2"),
        (&file, "number 1"),
        ("file:/not/there", "/not/there"),
        ("file:", "provide the file"),
    ] {
        let error = error_of(load_env(&[("BROKER_STORE__KEYS", texts)]));
        assert!(error.starts_with("store.keys: "), "{error}");
        assert!(error.contains(said), "{texts}: {error}");
        for hidden in ["MARKED", &short, &good, &hex] {
            assert!(!error.contains(hidden), "{error}");
        }
    }
}

/// The document can be checked where the keys are not; what opens the store needs them.
#[test]
fn keys_are_read_for_what_opens_the_store() {
    let environment = Environment::new([("BROKER_STORE__KEYS", "file:/not/there")]);
    let flags = Flags::default();
    assert!(load_for_document(&flags, &environment, is_document_variable).is_ok());
    let error = load_for_store(&flags, &environment, is_document_variable).unwrap_err();
    assert!(error.to_string().contains("/not/there"), "{error}");
}

#[test]
fn without_login_nothing_of_logins_is_read() {
    let folder = Folder::new();
    let yaml = "
auth: { username: a, password: '${NOT_THERE}', logins: '${json:NOT_THERE}' }
server: { port: '${SOME:-77}' }
";
    let flags = Flags {
        config: Some(folder.file("broker.yaml", yaml).into()),
        ..Flags::default()
    };
    let environment = Environment::new([("BROKER_AUTH__PASSWORD_FILE", "/not/there")]);
    let loaded = load_for_document(&flags, &environment, is_document_variable).unwrap();
    assert!(loaded.settings.logins.is_empty());
    assert_eq!(loaded.settings.server.port, 77);
    assert!(load(&flags, &environment, is_document_variable).is_err());
}

#[test]
fn unknown_names_are_told_with_the_nearest() {
    let wrong = [
        ("BROKER_SERVER__PROT", "did you mean BROKER_SERVER__PORT?"),
        (
            "BROKER_AUTH__PASWORD",
            "did you mean BROKER_AUTH__PASSWORD?",
        ),
        (
            "BROKER_AUTH__LOGINS__BLUE__PASSWRD",
            "did you mean BROKER_AUTH__LOGINS__BLUE__PASSWORD?",
        ),
        (
            "BROKER_SERVER__PORT_FILE",
            "did you mean BROKER_SERVER__PORT?",
        ),
        (
            "BROKER_WHAT__EVER__THIS__IS",
            "config/broker.yaml has every setting",
        ),
        ("BROKER_AUTH__LOGINS__A_", "names no setting"),
        ("BROKER_STORE__KEYS__0", "did you mean BROKER_STORE__KEYS?"),
        ("BROKER_STORE__KEY", "did you mean BROKER_STORE__KEYS?"),
        ("BROKER_server__port", "did you mean BROKER_SERVER__PORT?"),
    ];
    for (name, expected) in wrong {
        let error = error_of(load_env(&[(name, "MARKED")]));
        assert!(
            error.starts_with(name) && error.contains(expected),
            "{error}"
        );
        assert!(!error.contains("MARKED"), "{error}");
    }
    let error = error_of(try_load(
        "",
        &[("BROKER_AUTH_USERNAME", "a")],
        &Flags::default(),
    ));
    assert!(error.contains("no login is given"), "{error}");
    assert!(
        error.contains("did you mean BROKER_AUTH__USERNAME?"),
        "{error}"
    );
    let variables = with_login(&[
        ("BROKER_PORT", "tcp://10.0.0.1:80"),
        ("BROKER_SERVICE_HOST", "10.0.0.1"),
        ("BROKER_CATALOGUE", "c.yaml"),
        ("BROKER_SERVICES__X__NAME", "y"),
        ("BROKER_MINIMUM_API_VERSION", "2.13"),
        ("OTHER__THING", "x"),
    ]);
    let loaded = try_load("", &variables, &Flags::default()).unwrap();
    assert_eq!(loaded.settings.server.port, 8080);
    let warnings = loaded.warnings.join("\n");
    assert_eq!(loaded.warnings.len(), 2, "{warnings}");
    assert!(
        warnings.contains("BROKER_PORT, BROKER_SERVICE_HOST ignored"),
        "{warnings}"
    );
    assert!(
        warnings.contains("did you mean BROKER_CATALOG?"),
        "{warnings}"
    );
}

#[test]
fn what_is_wrong_in_the_file_is_told_with_its_place() {
    let cases = [
        (
            "server:\n  prot: 1",
            "broker.yaml:2:3 server.prot: is no setting; did you mean port?",
        ),
        (
            "colour: red",
            "broker.yaml:1:1 colour: is no setting; known here: catalog, vars, allow_breaking, store",
        ),
        (
            "store: { keys: [a] }",
            "store.keys: number 1 is no key, which is 32 bytes in base64",
        ),
        (
            "store: { keys: [1] }",
            "store.keys: a number where a string is expected",
        ),
        ("server: 5", "a number where a map of settings is expected"),
        ("- a", "a list where a map of settings is expected"),
        (
            "catalog: { a: b }",
            "broker.yaml:1:10 catalog: a map where a string is expected",
        ),
        (
            "vars: [1]",
            "broker.yaml:1:8 vars: a number where a string is expected",
        ),
        (
            "server: { port: [1] }",
            "a list where a number, perhaps with a unit, is expected",
        ),
        (
            "store: { ephemeral_ok: 1 }",
            "a number where true or false is expected",
        ),
        (
            "server: { port: x }",
            "server.port: is not a port; give a number from 0 to 65535 (from ",
        ),
        (
            "server: { port: '${NOT_THERE}' }",
            "the environment variable NOT_THERE is missing",
        ),
        ("catalog: a\ncatalog: b", "broker.yaml:2:1"),
        ("a: [", "broker.yaml:"),
    ];
    for (yaml, expected) in cases {
        let error = error_of(load_yaml(yaml));
        assert!(error.contains(expected), "{yaml}: {error}");
    }
    let all = error_of(load_yaml(
        "server: { port: x, workers: 0, a: 1 }\nlog: { level: inof }",
    ));
    assert_eq!(all.lines().count(), 4, "{all}");
}

#[test]
fn nulls_in_the_file_are_absent() {
    let yaml = "catalog:\nstore:\nserver: { port: null, workers: ~ }\nauth: { logins: { a: } }";
    assert_eq!(load_yaml(yaml), load_env(&[]));
}

#[test]
fn what_is_overridden_need_not_resolve() {
    let yaml = "server: { port: '${NOT_THERE}' }";
    let variables = with_login(&[("PORT", "5")]);
    let loaded = try_load(yaml, &variables, &Flags::default()).unwrap();
    assert_eq!(loaded.settings.server.port, 5);
}

#[test]
fn references_bring_in_values_and_are_named() {
    let yaml = "
server: { port: '${json:MANY#/port}', trusted_proxies: '${json:MANY#/proxies}' }
auth: { logins: '${json:MANY#/logins}' }
vars: ['${NAME}.yaml', '${FILES}']
";
    let many = r#"{"port": 81, "proxies": ["::1"], "logins": {"a": {"token": "${x}"}}}"#;
    let variables = with_login(&[("MANY", many), ("NAME", "n"), ("FILES", "a,b")]);
    let loaded = try_load(yaml, &variables, &Flags::default()).unwrap();
    let settings = loaded.settings;
    assert_eq!(settings.server.port, 81);
    assert_eq!(settings.server.trusted_proxies.len(), 1);
    assert_eq!(settings.vars, [Path::new("n.yaml"), Path::new("a,b")]);
    let token = LoginKind::Bearer {
        token: "${x}".to_owned().into(),
    };
    assert_eq!(
        settings.logins[1].kind, token,
        "what came in is literal for ever"
    );
    let row = loaded
        .explained
        .iter()
        .find(|row| row.path == "server.port")
        .unwrap();
    assert!(
        row.origin.ends_with("through ${json:MANY#/port}"),
        "{}",
        row.origin
    );
}

#[test]
fn text_may_come_from_a_file_once() {
    let folder = Folder::new();
    let path = folder.file("url", "sqlite:a.db\n");
    let settings = load_env(&[("BROKER_STORE__URL_FILE", &path)]).unwrap();
    assert_eq!(settings.store.url, StoreUrl::Sqlite("a.db".into()));
    let both = [
        ("BROKER_STORE__URL_FILE", path.as_str()),
        ("BROKER_STORE__URL", "none"),
    ];
    assert!(error_of(load_env(&both)).contains("keep one of them"));
    let password = [
        ("BROKER_AUTH__PASSWORD_FILE", "/not/there"),
        ("SECURITY_USER_NAME", "a"),
    ];
    let error = error_of(try_load("", &password, &Flags::default()));
    assert_eq!(error.lines().count(), 1, "{error}");
    for (path, expected) in [("/not/there", "/not/there is missing"), ("", "is empty")] {
        let error = error_of(load_env(&[("BROKER_STORE__URL_FILE", path)]));
        assert!(
            error.contains(expected) && !error.contains("default"),
            "{error}"
        );
    }
}

#[test]
fn the_settings_file_is_asked_for_only_where_it_is_named() {
    let environment = |config: &'static str| {
        let config = (!config.is_empty()).then_some(("BROKER_CONFIG", config));
        LOGIN.into_iter().chain(config).collect::<Environment>()
    };
    let load =
        |flags: &Flags, environment: &Environment| load(flags, environment, is_document_variable);
    assert!(load(&Flags::default(), &environment("")).is_ok());
    let error = load(&Flags::default(), &environment("/not/there.yaml")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("/not/there.yaml: the settings file cannot be read")
    );
    assert!(error.to_string().contains("BROKER_CONFIG"), "{error}");
    let folder = Folder::new();
    let config = Some(folder.file("b.yaml", "catalog: x").into());
    let flags = Flags {
        config,
        ..Flags::default()
    };
    let loaded = load(&flags, &environment("/not/there.yaml")).unwrap();
    assert_eq!(loaded.settings.catalog, Path::new("x"), "the flag wins");
}

#[test]
fn a_database_url_is_the_store_and_its_password_is_never_shown() {
    let variables = with_login(&[("DATABASE_URL", "postgres://u:MARKED@h/d?password=MARKED")]);
    let loaded = try_load("", &variables, &Flags::default()).unwrap();
    assert!(matches!(loaded.settings.store.url, StoreUrl::Postgres(_)));
    let url = loaded.explained.iter().find(|one| one.path == "store.url");
    let url = url.expect("the store is explained");
    assert_eq!(url.value, "postgres://***");
    assert!(url.origin.contains("DATABASE_URL"), "{}", url.origin);
    let both = [
        ("DATABASE_URL", "postgres://u:p@h/d"),
        ("BROKER_STORE__URL", "none"),
    ];
    assert_eq!(load_env(&both).unwrap().store.url, StoreUrl::None);
}

#[test]
fn sqlite_on_a_disk_that_is_lost_is_refused() {
    let on_cf = Environment::new([("VCAP_APPLICATION", "{}")]);
    let elsewhere = Environment::default();
    let cases = [("", true), ("none", false), ("sqlite:x.db", true)];
    for (url, refused) in cases {
        let yaml = if url.is_empty() {
            String::new()
        } else {
            format!("store: {{ url: '{url}' }}")
        };
        let mut settings = load_yaml(&yaml).unwrap();
        let result = refuse_ephemeral(&settings, &on_cf);
        assert_eq!(result.is_err(), refused, "{url}");
        if let Err(errors) = result {
            assert!(errors.to_string().contains("BROKER_STORE__URL=none"));
        }
        assert!(refuse_ephemeral(&settings, &elsewhere).is_ok());
        settings.store.ephemeral_ok = true;
        assert!(refuse_ephemeral(&settings, &on_cf).is_ok());
    }
}

/// A secret in the wrong place, or wrong in its own, is in no error, and in nothing that is printed.
#[test]
fn no_error_holds_a_value() {
    let folder = Folder::new();
    let path = folder.file("marked", "MARKED:MARKED\n");
    for setting in SETTINGS {
        let variable = setting.variable().replace('*', "BLUE");
        for text in [
            "MARKED",
            "MARKED:MARKED",
            "sqlite:?MARKED",
            "MARKED\n1",
            "postgres://MARKED",
        ] {
            if let Err(errors) = load_env(&[(&variable, text)]) {
                assert!(!errors.contains("MARKED"), "{errors}");
            }
            let keys: Vec<_> = setting.path.split('.').collect();
            let nested = |leaf: &str| {
                let open = keys
                    .iter()
                    .map(|key| format!("{{{}: ", key.replace('*', "blue")));
                format!(
                    "{}{leaf}{}",
                    open.collect::<String>(),
                    "}".repeat(keys.len())
                )
            };
            let quoted = serde_json::to_string(text).unwrap();
            for leaf in [
                quoted.as_str(),
                "'${X}'",
                "[{MARKED: x}]",
                "{a: MARKED}",
                "'${ MARKED }'",
            ] {
                let is_ours = leaf != "'${ MARKED }'" || setting.is_confidential();
                let result = try_load(
                    &nested(leaf),
                    &with_login(&[("X", text)]),
                    &Flags::default(),
                );
                if let (true, Err(errors)) = (is_ours, result) {
                    assert!(!errors.contains("MARKED"), "{leaf}: {errors}");
                }
            }
        }
        if setting.is_text() {
            let variable = format!("{variable}_FILE");
            if let Err(errors) = load_env(&[(&variable, &path)]) {
                assert!(!errors.replace(&path, "").contains("MARKED"), "{errors}");
            }
        }
    }
    let secrets = [
        ("BROKER_AUTH__PASSWORD", "MARKED"),
        ("BROKER_AUTH__USERNAME", "u"),
        ("BROKER_AUTH__LOGINS__A__TOKEN", "MARKED"),
    ];
    let loaded = try_load("", &secrets, &Flags::default()).unwrap();
    if !cfg!(feature = "unredacted") {
        assert!(!format!("{loaded:?}").contains("MARKED"));
    }
}

/// `config/broker.yaml` as it is shipped changes nothing, and with every comment sign taken away neither.
#[test]
fn the_shipped_file_lists_every_setting_with_its_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/broker.yaml");
    let shipped = std::fs::read_to_string(path).unwrap();
    let whole: String = shipped
        .lines()
        .map(|line| {
            let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
            match rest.strip_prefix('#') {
                Some(setting) if setting.starts_with(|sign: char| sign.is_ascii_lowercase()) => {
                    format!("{indent}{setting}\n")
                }
                _ => format!("{line}\n"),
            }
        })
        .collect();
    let defaults = load_env(&[]).unwrap();
    assert_eq!(load_yaml(&shipped).unwrap(), defaults);
    let folder = Folder::new();
    let flags = Flags {
        config: Some(folder.file("broker.yaml", &whole).into()),
        ..Flags::default()
    };
    let whole_settings = load_for_store(&flags, &Environment::default(), |_| false).unwrap();
    let logins = defaults.logins.clone();
    assert_eq!(
        Settings {
            logins,
            ..whole_settings.settings
        },
        defaults
    );

    let tree: serde_yaml::Value = serde_yaml::from_str(&whole).unwrap();
    let lines: Vec<_> = shipped.lines().map(str::trim).collect();
    for setting in SETTINGS {
        let path = setting.path.replace('*', "blue");
        let found = path.split('.').try_fold(&tree, |node, key| node.get(key));
        assert!(found.is_some(), "{path} is not listed");
        let default = match (setting.kind, setting.default) {
            (Kind::List | Kind::Secrets, Some("")) => " []".to_owned(),
            (_, Some("")) => " \"\"".to_owned(),
            (_, Some(default)) => format!(" {default}"),
            (_, None) => String::new(),
        };
        let doc = format!("# {}", setting.doc);
        let at = lines.iter().position(|line| *line == doc);
        let below = &lines[at.unwrap_or_else(|| panic!("{path} has no line {doc}"))..];
        let line = below
            .iter()
            .find(|line| line.starts_with('#') && !line.starts_with("# "));
        assert_eq!(*line.unwrap(), format!("#{}:{default}", setting.key()));
        for name in setting.usual.iter().chain(&setting.flag) {
            let about = below.iter().take_while(|line| line.starts_with("# "));
            assert!(
                about.into_iter().any(|line| line.contains(name)),
                "{path}: {name} is not said"
            );
        }
    }
    let stated = lines
        .iter()
        .filter(|line| line.starts_with('#') && line.contains(':') && !line.starts_with("# "));
    assert_eq!(
        stated.count(),
        SETTINGS.len() + 1,
        "every setting once, and a login's name"
    );
}
