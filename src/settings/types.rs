//! The settings as the other parts use them: parsed, checked, complete.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::network::Network;
use crate::password::PasswordHash;
use crate::secret::Secret;

/// How the broker runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The catalog document: a file or a folder.
    pub catalog: PathBuf,
    /// Vars files; a later one wins.
    pub vars: Vec<PathBuf>,
    /// What the catalog may break all the same.
    pub allow_breaking: Vec<Breaking>,
    /// What is remembered, and where.
    pub store: StoreSettings,
    /// The HTTP server.
    pub server: ServerSettings,
    /// Operations that take time.
    pub operations: OperationSettings,
    /// Bindings that have ended.
    pub bindings: BindingSettings,
    /// Changes of the catalog's files.
    pub reload: ReloadSettings,
    /// The page for operators.
    pub console: ConsoleSettings,
    /// The account of changes.
    pub audit: AuditSettings,
    /// Where spans are sent; nothing where they are not.
    pub traces: Option<TraceSettings>,
    /// Who may log in.
    pub logins: Vec<LoginSettings>,
    /// Log lines.
    pub log: LogSettings,
}

/// What a catalog may break where an operator says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaking {
    /// A plan leaves whose instances only its backend can take away.
    PlanInUse,
    /// A name has another id.
    IdChanged,
    /// Instances cannot be bound any more.
    BindableWithdrawn,
    /// A permission is not asked for any more.
    RequiresWithdrawn,
    /// Instances cannot move to another plan any more.
    UpdatesWithdrawn,
    /// Parameters that instances have are not allowed any more.
    SchemaNarrowed,
    /// Instances or bindings cannot be fetched any more.
    RetrievableWithdrawn,
    /// Instances would be taken away by something else than made them.
    BackendChanged,
    /// A key is gone that credentials of bindings are derived of.
    DeriveKeyGone,
}

impl Breaking {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::PlanInUse,
        Self::IdChanged,
        Self::BindableWithdrawn,
        Self::RequiresWithdrawn,
        Self::UpdatesWithdrawn,
        Self::SchemaNarrowed,
        Self::RetrievableWithdrawn,
        Self::BackendChanged,
        Self::DeriveKeyGone,
    ];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PlanInUse => "plan-in-use",
            Self::IdChanged => "id-changed",
            Self::BindableWithdrawn => "bindable-withdrawn",
            Self::RequiresWithdrawn => "requires-withdrawn",
            Self::UpdatesWithdrawn => "updates-withdrawn",
            Self::SchemaNarrowed => "schema-narrowed",
            Self::RetrievableWithdrawn => "retrievable-withdrawn",
            Self::BackendChanged => "backend-changed",
            Self::DeriveKeyGone => "derive-key-gone",
        }
    }
}

/// What is remembered, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The store.
    pub url: StoreUrl,
    /// Most connections to a database at a time.
    pub connections: usize,
    /// How long a database may take for a step.
    pub timeout: Duration,
    /// What it is sealed with: the first seals, all open. Without one nothing is sealed.
    pub keys: Vec<Secret<[u8; 32]>>,
    /// Whether sqlite may be used where the disk is lost at every restart.
    pub ephemeral_ok: bool,
}

/// A store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A PostgreSQL database, or one of an engine that speaks its language; the URL holds a password.
    Postgres(Secret<String>),
    /// Nothing is remembered.
    None,
}

/// How operations that take time are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationSettings {
    /// How long finished ones are remembered.
    pub keep: Duration,
    /// How long a lease lasts that is not renewed.
    pub lease: Duration,
    /// How many run at once in this process.
    pub at_once: u32,
    /// How often it looks for those that another process left.
    pub look_every: Duration,
}

/// What becomes of bindings that have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindingSettings {
    /// Which are unbound.
    pub unbind_expired: UnbindExpired,
    /// How long after their end.
    pub grace: Duration,
}

/// Which bindings are unbound that have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnbindExpired {
    /// Those of platforms that know the end.
    Told,
    /// All.
    All,
    /// None.
    Nothing,
}

/// The account of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// Where it is written.
    pub to: AuditTo,
    /// How long lines stay in the store; nothing where they do for ever.
    pub keep: Option<Duration>,
}

/// Where the account of changes is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditTo {
    /// None is kept.
    Nothing,
    /// To standard output, among the lines of the log.
    Stdout,
    /// To the end of a file.
    File(PathBuf),
    /// To a table of the store.
    Store,
}

/// Where spans are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceSettings {
    /// The URL of the collector's traces.
    pub endpoint: String,
    /// Headers to send along: names in lower case, with their values.
    pub headers: Vec<(String, Secret)>,
    /// The authorities of the collector's certificate, where they are not those that browsers know.
    pub ca: Option<PathBuf>,
    /// What the broker is called.
    pub service_name: String,
    /// Of a million traces that nobody has decided on, how many are sent.
    pub sample: u32,
}

/// How changes of the catalog's files are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReloadSettings {
    /// How often the files are compared; zero: never.
    pub every: Duration,
}

/// The page for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsoleSettings {
    /// Whether there is one.
    pub enabled: bool,
    /// Whether its cookies are for HTTPS only, although nothing in a request says that it came by it.
    pub secure_cookie: bool,
}

/// The HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where to listen.
    pub address: IpAddr,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// Threads that serve requests.
    pub workers: usize,
    /// The largest request body in bytes.
    pub body_limit: usize,
    /// The longest URL in bytes.
    pub url_limit: usize,
    /// The largest request head in bytes.
    pub header_limit: usize,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// Most connections at a time.
    pub connections: usize,
    /// How long a connection may be without a request.
    pub keep_alive: Duration,
    /// How long to go on serving after a stop signal.
    pub drain_delay: Duration,
    /// How long running requests may take to finish.
    pub shutdown_timeout: Duration,
    /// Empty, or a path as `/a/b`.
    pub base_path: String,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// TLS, where the broker is to speak it.
    pub tls: Option<TlsSettings>,
}

/// The files of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate, with those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities of clients' certificates.
    pub client_ca: Option<PathBuf>,
}

/// One login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginSettings {
    /// What the operator calls it; `default` is that of `auth.username`.
    pub name: String,
    /// What a caller shows.
    pub kind: LoginKind,
    /// What it may do: at least one.
    pub roles: Vec<LoginRole>,
    /// The names or ids of the offerings that it is for; nothing where it is for all.
    pub offerings: Option<Vec<String>>,
}

/// What a login may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRole {
    /// Call the API, as platforms do.
    Platform,
    /// See and change what operators do.
    Operator,
    /// Read the metrics.
    Metrics,
    /// See what operators do.
    Viewer,
}

/// What a caller shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginKind {
    /// Username and password.
    Basic {
        /// The username: not empty, without a colon.
        username: String,
        /// The password: not empty.
        password: Secret<String>,
    },
    /// Username and password, of which the hash is given.
    Hashed {
        /// The username: not empty, without a colon.
        username: String,
        /// The hash of the password.
        password_hash: PasswordHash,
    },
    /// A certificate of the connection; one of both is given.
    Certificate {
        /// Parts of its subject: `CN=platform, O=Example`.
        subject: Option<String>,
        /// One of its alternative names.
        san: Option<String>,
    },
    /// A bearer token.
    Bearer {
        /// The token: not empty, fit for a header.
        token: Secret<String>,
    },
}

/// Log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// How they are written.
    pub format: LogFormat,
    /// What is logged, in the syntax of `RUST_LOG`.
    pub level: String,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person.
    Text,
    /// One JSON object a line.
    Json,
}

/// What the command line gives, as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--config`: the settings file.
    pub config: Option<PathBuf>,
    /// `--catalog`.
    pub catalog: Option<PathBuf>,
    /// `--vars`, once for each file; any takes the place of all other vars files.
    pub vars: Vec<PathBuf>,
    /// `--allow-breaking`, once for each; any takes the place of all others.
    pub allow_breaking: Vec<String>,
    /// `--store`.
    pub store: Option<String>,
    /// `--address`.
    pub address: Option<String>,
    /// `--port`.
    pub port: Option<String>,
    /// `--log-format`.
    pub log_format: Option<String>,
}

/// Settings, and what there is to say of them.
#[derive(Clone, Debug)]
pub struct LoadedSettings {
    /// The settings.
    pub settings: Settings,
    /// What is likely a mistake, one sentence each.
    pub warnings: Vec<String>,
    /// Every setting with its value and where that came from.
    pub explained: Vec<Explained>,
    /// The settings file, and those that settings name as a reference: whether they are there or not.
    pub files: BTreeSet<PathBuf>,
}

/// A setting's value, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The setting: `server.port`.
    pub path: String,
    /// Its value as given, `***` for a secret.
    pub value: String,
    /// Where that came from.
    pub origin: String,
}
