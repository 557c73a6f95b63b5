//! Every setting there is: the one source of names, defaults and what is said of them.

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its path in the settings file; a `*` stands for the name of a login.
    pub path: &'static str,
    /// How it is written.
    pub kind: Kind,
    /// The flag of the command line.
    pub flag: Option<&'static str>,
    /// Variables of other names that are read too, the first that is there; `BROKER_` names win over them.
    pub usual: &'static [&'static str],
    /// What holds where nobody says anything; absent where that is nothing, or only known at run time.
    pub default: Option<&'static str>,
    /// What it does, in one line.
    pub doc: &'static str,
}

/// How a setting is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text, taken to the letter.
    Text,
    /// Text that is never shown.
    Secret,
    /// A URL that may hold a password: of one that names a host, only the scheme is shown.
    Url,
    /// The path of a file or a folder.
    Path,
    /// A number, perhaps with a unit: a port, a size, a time.
    Measure,
    /// `true` or `false`.
    Truth,
    /// Several texts: a list in the file, separated by commas in the environment.
    List,
    /// The same, never shown.
    Secrets,
}

impl Setting {
    /// Whether it may be given as `NAME_FILE=/path`.
    ///
    /// A path may not: `BROKER_CATALOG_FILE=catalog.yaml` would mean a file that holds the path of a catalog.
    pub const fn is_text(&self) -> bool {
        matches!(
            self.kind,
            Kind::Text | Kind::Secret | Kind::Url | Kind::Secrets
        )
    }

    /// Whether it may hold what nobody should read.
    pub const fn is_confidential(&self) -> bool {
        matches!(self.kind, Kind::Secret | Kind::Url | Kind::Secrets)
    }

    /// Whether it is several texts.
    pub const fn is_list(&self) -> bool {
        matches!(self.kind, Kind::List | Kind::Secrets)
    }

    /// The last step of its path.
    pub fn key(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// The environment variable; a `*` in it stands for the name of a login.
    pub fn variable(&self) -> String {
        variable(self.path)
    }
}

/// The environment variable of a path.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"))
}

/// The setting with that path, or with that pattern.
pub(super) fn find(path: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.path == path)
}

/// What the variables of the broker begin with.
pub(super) const PREFIX: &str = "BROKER_";

/// The variable that names the settings file.
pub(super) const CONFIG_VARIABLE: &str = "BROKER_CONFIG";

/// The settings file, where none is named.
pub(super) const CONFIG_FILE: &str = "config/broker.yaml";

/// What belongs to the logins.
pub(super) const AUTH: &str = "auth";

/// The map of named logins.
pub(super) const LOGINS: &str = "auth.logins";

/// What is said of traces: only who serves sends any.
pub(super) const TRACES: &str = "traces";

/// What only those need who open the store.
pub(super) const KEYS: &str = "store.keys";

/// Every setting, in the order of `config/broker.yaml`.
pub const SETTINGS: &[Setting] = &[
    Setting {
        path: "catalog",
        kind: Kind::Path,
        flag: Some("--catalog"),
        usual: &[],
        default: Some("catalog.yaml"),
        doc: "The catalog document: a file, or a folder of files.",
    },
    Setting {
        path: "vars",
        kind: Kind::List,
        flag: Some("--vars"),
        usual: &[],
        default: Some(""),
        doc: "Files of values for references in the catalog document; a later one wins.",
    },
    Setting {
        path: "allow_breaking",
        kind: Kind::List,
        flag: Some("--allow-breaking"),
        usual: &[],
        default: Some(""),
        doc: "What a catalog may break all the same: plan-in-use, id-changed, ...",
    },
    Setting {
        path: "store.url",
        kind: Kind::Url,
        flag: Some("--store"),
        usual: &["DATABASE_URL"],
        default: Some("sqlite:data/broker.db"),
        doc: "Where instances and bindings are remembered: sqlite:PATH, postgres://..., or none.",
    },
    Setting {
        path: "store.connections",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("12"),
        doc: "Most connections to PostgreSQL at a time.",
    },
    Setting {
        path: "store.timeout",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("5s"),
        doc: "How long PostgreSQL may take to connect, to lend a connection, or to carry out a statement.",
    },
    Setting {
        path: KEYS,
        kind: Kind::Secrets,
        flag: None,
        usual: &[],
        default: Some(""),
        doc: "Keys that the store is sealed with, 32 bytes in base64 or file:/path: the first seals, all open.",
    },
    Setting {
        path: "store.ephemeral_ok",
        kind: Kind::Truth,
        flag: None,
        usual: &[],
        default: Some("false"),
        doc: "Whether sqlite may be used where the disk is lost at every restart (Cloud Foundry).",
    },
    Setting {
        path: "server.address",
        kind: Kind::Text,
        flag: Some("--address"),
        usual: &[],
        default: Some("0.0.0.0"),
        doc: "The IP address to listen on.",
    },
    Setting {
        path: "server.port",
        kind: Kind::Measure,
        flag: Some("--port"),
        usual: &["PORT", "VCAP_APP_PORT"],
        default: Some("8080"),
        doc: "The port to listen on; 0 takes a free one.",
    },
    Setting {
        path: "server.workers",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: None,
        doc: "Threads that serve requests; one for each core where nothing is said.",
    },
    Setting {
        path: "server.body_limit",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("1MiB"),
        doc: "The largest request body that is read.",
    },
    Setting {
        path: "server.url_limit",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("16KiB"),
        doc: "The longest URL that is read.",
    },
    Setting {
        path: "server.header_limit",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("64KiB"),
        doc: "The largest request head (all headers together) that is read.",
    },
    Setting {
        path: "server.request_timeout",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("50s"),
        doc: "How long a request may take; less than the platform waits (Cloud Foundry: 60s).",
    },
    Setting {
        path: "server.connections",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("4096"),
        doc: "Most connections at a time, fewer where the process may not open so many files; further ones wait.",
    },
    Setting {
        path: "server.keep_alive",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("95s"),
        doc: "How long a connection may be without a request; longer than routers before it keep theirs (Cloud Foundry: 90s).",
    },
    Setting {
        path: "server.drain_delay",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("0s"),
        doc: "How long to go on serving after a stop signal, until load balancers have noticed.",
    },
    Setting {
        path: "server.shutdown_timeout",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("20s"),
        doc: "How long requests that run may take to finish once the broker stops.",
    },
    Setting {
        path: "server.base_path",
        kind: Kind::Text,
        flag: None,
        usual: &[],
        default: Some(""),
        doc: "A path in front of /v2, as /brokers/blue.",
    },
    Setting {
        path: "server.trusted_proxies",
        kind: Kind::List,
        flag: None,
        usual: &[],
        default: Some(""),
        doc: "Addresses or networks (10.0.0.0/8) whose X-Forwarded-For is believed.",
    },
    Setting {
        path: "server.tls.certificate",
        kind: Kind::Path,
        flag: None,
        usual: &[],
        default: None,
        doc: "The broker's certificate in PEM, and those between it and its authority; read anew when it changes.",
    },
    Setting {
        path: "server.tls.key",
        kind: Kind::Path,
        flag: None,
        usual: &[],
        default: None,
        doc: "The key of the certificate, in PEM.",
    },
    Setting {
        path: "server.tls.client_ca",
        kind: Kind::Path,
        flag: None,
        usual: &[],
        default: None,
        doc: "Authorities, in PEM, whose certificates clients may log in by.",
    },
    Setting {
        path: "operations.keep",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("14d"),
        doc: "How long finished operations are remembered for those who poll.",
    },
    Setting {
        path: "operations.lease",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("30s"),
        doc: "How long after a broker has died another one takes its operations up.",
    },
    Setting {
        path: "operations.at_once",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("64"),
        doc: "How many operations this broker carries out at once; the others wait.",
    },
    Setting {
        path: "operations.look_every",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("1s"),
        doc: "How often this broker looks for operations that another one left.",
    },
    Setting {
        path: "bindings.unbind_expired",
        kind: Kind::Text,
        flag: None,
        usual: &[],
        default: Some("told"),
        doc: "Which bindings the broker unbinds after the end of their plan's ttl: told (those of platforms that speak 2.17, and so know the end), all, or none.",
    },
    Setting {
        path: "bindings.grace",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("1h"),
        doc: "How long after their end.",
    },
    Setting {
        path: "reload.every",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("2s"),
        doc: "How often the catalog's files are looked at; a change is served at once. 0 for SIGHUP alone.",
    },
    Setting {
        path: "console.enabled",
        kind: Kind::Truth,
        flag: None,
        usual: &[],
        default: Some("true"),
        doc: "Whether there is a page for operators at /console.",
    },
    Setting {
        path: "console.secure_cookie",
        kind: Kind::Truth,
        flag: None,
        usual: &[],
        default: Some("false"),
        doc: "Whether its cookies are for HTTPS only where no X-Forwarded-Proto says that a request came by it.",
    },
    Setting {
        path: "audit.to",
        kind: Kind::Text,
        flag: None,
        usual: &[],
        default: Some("none"),
        doc: "Where a line is written for each change, chained by hashes: none, stdout, file:PATH, or store.",
    },
    Setting {
        path: "audit.keep",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("0"),
        doc: "How long lines stay in the store, as 400d; 0 for ever. The chain then begins later.",
    },
    Setting {
        path: "traces.endpoint",
        kind: Kind::Text,
        flag: None,
        usual: &["OTEL_EXPORTER_OTLP_ENDPOINT"],
        default: Some("none"),
        doc: "The OpenTelemetry collector that spans are sent to, as http://collector:4318, or none. Takes a build with `--features otlp`.",
    },
    Setting {
        path: "traces.headers",
        kind: Kind::Secrets,
        flag: None,
        usual: &["OTEL_EXPORTER_OTLP_HEADERS"],
        default: Some(""),
        doc: "Headers to send along, each name=value with the value percent-encoded, as Authorization=Bearer%20${file:/path}.",
    },
    Setting {
        path: "traces.ca",
        kind: Kind::Path,
        flag: None,
        usual: &["OTEL_EXPORTER_OTLP_CERTIFICATE"],
        default: None,
        doc: "Authorities, in PEM, that the collector's certificate may be of, in place of those that browsers know.",
    },
    Setting {
        path: "traces.service_name",
        kind: Kind::Text,
        flag: None,
        usual: &["OTEL_SERVICE_NAME"],
        default: Some("catalog-broker"),
        doc: "What the broker is called in traces.",
    },
    Setting {
        path: "traces.sample",
        kind: Kind::Measure,
        flag: None,
        usual: &[],
        default: Some("1"),
        doc: "The part of traces to send, from 0 to 1, where who sent the request does not say whether its trace is sampled.",
    },
    Setting {
        path: "auth.username",
        kind: Kind::Text,
        flag: None,
        usual: &["SECURITY_USER_NAME"],
        default: None,
        doc: "The name that a platform logs in with. There is no default.",
    },
    Setting {
        path: "auth.password",
        kind: Kind::Secret,
        flag: None,
        usual: &["SECURITY_USER_PASSWORD"],
        default: None,
        doc: "Its password; better ${file:/path} than the password itself. There is no default.",
    },
    Setting {
        path: "auth.logins.*.username",
        kind: Kind::Text,
        flag: None,
        usual: &[],
        default: None,
        doc: "One more login, by a name of your own: its username; two logins may share one.",
    },
    Setting {
        path: "auth.logins.*.password",
        kind: Kind::Secret,
        flag: None,
        usual: &[],
        default: None,
        doc: "Its password.",
    },
    Setting {
        path: "auth.logins.*.password_hash",
        kind: Kind::Secret,
        flag: None,
        usual: &[],
        default: None,
        doc: "The argon2id hash of its password, in place of the password: `catalog-broker login hash` makes one.",
    },
    Setting {
        path: "auth.logins.*.token",
        kind: Kind::Secret,
        flag: None,
        usual: &[],
        default: None,
        doc: "A bearer token, in place of username and password.",
    },
    Setting {
        path: "auth.logins.*.certificate_subject",
        kind: Kind::Text,
        flag: None,
        usual: &[],
        default: None,
        doc: "In place of username and password: parts that the subject of the client's certificate has, as CN=platform.",
    },
    Setting {
        path: "auth.logins.*.certificate_san",
        kind: Kind::Text,
        flag: None,
        usual: &[],
        default: None,
        doc: "The same, or besides: an alternative name that it has, of a host, an address, a mail address, or a URI.",
    },
    Setting {
        path: "auth.logins.*.role",
        kind: Kind::List,
        flag: None,
        usual: &[],
        default: None,
        doc: "What it may do: platform (where nothing is said), operator, metrics, viewer; or several of them.",
    },
    Setting {
        path: "auth.logins.*.offerings",
        kind: Kind::List,
        flag: None,
        usual: &[],
        default: None,
        doc: "The offerings that it may see, by name or id, and touch instances of; all where nothing is said.",
    },
    Setting {
        path: "log.format",
        kind: Kind::Text,
        flag: Some("--log-format"),
        usual: &[],
        default: Some("text"),
        doc: "How log lines are written: text or json.",
    },
    Setting {
        path: "log.level",
        kind: Kind::Text,
        flag: None,
        usual: &["RUST_LOG"],
        default: Some("info"),
        doc: "What is logged: off, error, warn, info, debug, trace; or info,actix_server=warn.",
    },
];
