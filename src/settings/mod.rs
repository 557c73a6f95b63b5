//! How the broker runs: defaults, then the settings file, then the environment, then flags.
//!
//! Each layer is a figment provider of texts; the types come afterwards, from parsers of our own, so that no layer
//! guesses at them. [`SETTINGS`] is the one list of all names and defaults. The environment is read here and nowhere
//! else. What changes the catalog document (`BROKER_SERVICES__...`) is the catalog's: it is passed over.

mod environment;
mod error;
mod file;
mod keys;
mod layer;
mod logins;
mod merged;
mod nearest;
mod network;
mod parse;
mod table;
mod tls;
mod traces;
mod types;

pub use environment::environment;
pub use error::{SettingsError, SettingsErrors};
pub use network::{Network, NotANetwork};
pub use table::{Kind, SETTINGS, Setting};
pub use types::{
    AuditSettings, AuditTo, BindingSettings, Breaking, ConsoleSettings, Explained, Flags,
    LoadedSettings, LogFormat, LogSettings, LoginKind, LoginRole, LoginSettings, OperationSettings,
    ReloadSettings, ServerSettings, Settings, StoreSettings, StoreUrl, TlsSettings, TraceSettings,
    UnbindExpired,
};

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use crate::document::{Environment, Sources};
use error::Refused;
use file::SettingsFile;
use layer::Layer;
use merged::Merged;

/// Whether a variable changes the catalog document: `BROKER_SERVICES__...`, `BROKER_MINIMUM_API_VERSION`.
pub type IsDocumentVariable = fn(&str) -> bool;

/// Loads the settings; at least one login must be given.
pub fn load(
    flags: &Flags,
    environment: &Environment,
    is_document_variable: IsDocumentVariable,
) -> Result<LoadedSettings, SettingsErrors> {
    load_with(flags, environment, is_document_variable, Purpose::Serve)
}

/// Loads the settings for a command that opens the store and serves nobody: what is said of logins is not even read, so
/// that a password need not be there.
pub fn load_for_store(
    flags: &Flags,
    environment: &Environment,
    is_document_variable: IsDocumentVariable,
) -> Result<LoadedSettings, SettingsErrors> {
    load_with(flags, environment, is_document_variable, Purpose::Store)
}

/// Loads the settings for a command that reads the document alone: neither are the keys of the store read.
pub fn load_for_document(
    flags: &Flags,
    environment: &Environment,
    is_document_variable: IsDocumentVariable,
) -> Result<LoadedSettings, SettingsErrors> {
    load_with(flags, environment, is_document_variable, Purpose::Document)
}

/// What the settings are loaded for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Serve,
    Store,
    Document,
}

impl Purpose {
    /// Whether a setting is asked for.
    fn wants(self, path: &str) -> bool {
        match self {
            Self::Serve => true,
            Self::Store => !file::is_auth(path) && !is_of_traces(path),
            Self::Document => Self::Store.wants(path) && path != table::KEYS,
        }
    }
}

fn is_of_traces(path: &str) -> bool {
    path.split('.').next() == Some(table::TRACES)
}

fn load_with(
    flags: &Flags,
    environment: &Environment,
    is_document_variable: IsDocumentVariable,
    purpose: Purpose,
) -> Result<LoadedSettings, SettingsErrors> {
    let with_login = purpose == Purpose::Serve;
    let mut errors = Vec::new();
    let sources = Sources::new(environment.clone(), Vec::new());
    let (config, named_by) = config(flags, environment)?;
    let file = file::read(
        &config,
        named_by.as_deref(),
        with_login,
        &sources,
        &mut errors,
    );
    let wanted = |path: &str| purpose.wants(path);
    let mut given = environment::read(
        &sources,
        environment,
        &file.logins,
        wanted,
        is_document_variable,
        &mut errors,
    );
    let flags = Layer::flags(flags, &mut errors);
    let above = [given.usual, given.own, flags];
    let mut broken = given.broken;
    let from_file = resolve(&file, &above, wanted, &sources, &mut broken, &mut errors);
    let defaults = Layer::defaults(cores());
    let mut merged = Merged::new([defaults, from_file].into_iter().chain(above), errors);
    merged.broken.extend(broken);
    let logins = if with_login {
        logins::read(&mut merged, &file, &mut given.warnings)
    } else {
        Vec::new()
    };
    let traces = if with_login {
        traces::read(&mut merged, &mut given.warnings)
    } else {
        None
    };
    let settings = assemble(&mut merged, &sources, logins, traces);
    if let Some(settings) = &settings {
        tls::refuse_strangers(&mut merged, settings);
        if with_login {
            refuse_nowhere(&mut merged, settings);
        }
    }
    let mut explained = vec![Explained {
        path: "config".to_owned(),
        value: config.display().to_string(),
        origin: named_by.unwrap_or_else(|| "default".to_owned()),
    }];
    explained.extend(merged.explain());
    let mut files = sources.named();
    files.insert(config);
    SettingsErrors::check(merged.errors).map_err(|errors| {
        let errors = errors.with_warnings(&given.warnings);
        errors.of_files(files.clone())
    })?;
    let settings = settings.ok_or_else(|| SettingsErrors::one(incomplete()))?;
    Ok(LoadedSettings {
        settings,
        warnings: given.warnings,
        explained,
        files,
    })
}

/// The settings file, and who names it.
fn config(
    flags: &Flags,
    environment: &Environment,
) -> Result<(PathBuf, Option<String>), SettingsErrors> {
    let variable = table::CONFIG_VARIABLE;
    match (&flags.config, environment.get(variable)) {
        (Some(path), _) => Ok((path.clone(), Some("the flag --config".to_owned()))),
        (None, Some(path)) => {
            let path = parse::path(path)
                .map_err(|refused: Refused| SettingsErrors::one(refused.of(variable)))?;
            Ok((path, Some(format!("the environment variable {variable}"))))
        }
        (None, None) => Ok((table::CONFIG_FILE.into(), None)),
    }
}

/// The layer of the file. What a layer above gives is not looked at: its references need not be there.
fn resolve(
    file: &SettingsFile,
    above: &[Layer],
    wanted: impl Fn(&str) -> bool,
    sources: &Sources,
    broken: &mut Vec<String>,
    errors: &mut Vec<SettingsError>,
) -> Layer {
    let mut layer = Layer::default();
    let is_given = |path: &str| above.iter().any(|layer| layer.origin(path).is_some());
    let leaves = file.leaves.iter();
    for leaf in leaves.filter(|leaf| wanted(&leaf.path) && !is_given(&leaf.path)) {
        match leaf.resolve(sources) {
            Ok((raw, origin)) => layer.set(&leaf.path, raw, origin),
            Err(wrong) => {
                broken.push(leaf.path.clone());
                errors.extend(wrong);
            }
        }
    }
    layer
}

/// Every setting is read before the first that is missing ends it: all errors come at once.
fn assemble(
    merged: &mut Merged,
    sources: &Sources,
    logins: Vec<LoginSettings>,
    traces: Option<TraceSettings>,
) -> Option<Settings> {
    let catalog = merged.one("catalog", parse::path);
    let vars = merged.many("vars", parse::path);
    let allow_breaking = merged.many("allow_breaking", parse::breaking);
    let store = store(merged, sources);
    let server = server(merged);
    let operations = operations(merged);
    let bindings = bindings(merged);
    let reload = reload(merged);
    let console = console(merged);
    let audit = audit(merged);
    let format = merged.one("log.format", parse::log_format);
    let level = merged.one("log.level", parse::log_level);
    Some(Settings {
        catalog: catalog?,
        vars: vars?,
        allow_breaking: allow_breaking?,
        store: store?,
        server: server?,
        operations: operations?,
        bindings: bindings?,
        reload: reload?,
        console: console?,
        audit: audit?,
        traces,
        logins,
        log: LogSettings {
            format: format?,
            level: level?,
        },
    })
}

fn store(merged: &mut Merged, sources: &Sources) -> Option<StoreSettings> {
    let url = merged.one("store.url", parse::store_url);
    let connections = merged.one("store.connections", |text| parse::count(text, &(1..=1000)));
    let timeout = merged.one("store.timeout", |text| {
        parse::duration(text, Duration::from_millis(100))
    });
    let keys = keys::read(merged, sources);
    let ephemeral_ok = merged.one("store.ephemeral_ok", parse::truth);
    Some(StoreSettings {
        url: url?,
        connections: connections?,
        timeout: timeout?,
        keys: keys?,
        ephemeral_ok: ephemeral_ok?,
    })
}

/// More threads than this the server does not start.
const MOST_WORKERS: usize = 512;

/// More than this no address has ports for.
const MOST_CONNECTIONS: usize = 1_000_000;

fn server(merged: &mut Merged) -> Option<ServerSettings> {
    let address = merged.one("server.address", parse::address);
    let port = merged.one("server.port", parse::port);
    let workers = merged.one("server.workers", |text| {
        parse::count(text, &(1..=MOST_WORKERS))
    });
    let body_limit = merged.one("server.body_limit", |text| parse::size(text, 1024));
    let url_limit = merged.one("server.url_limit", |text| parse::size(text, 256));
    let header_limit = merged.one("server.header_limit", |text| parse::size(text, 1024));
    let request_timeout = merged.one("server.request_timeout", |text| {
        parse::duration(text, Duration::from_millis(100))
    });
    let connections = merged.one("server.connections", |text| {
        parse::count(text, &(1..=MOST_CONNECTIONS))
    });
    let keep_alive = merged.one("server.keep_alive", |text| {
        parse::duration(text, Duration::from_secs(1))
    });
    let drain_delay = merged.one("server.drain_delay", from_zero);
    let shutdown_timeout = merged.one("server.shutdown_timeout", from_zero);
    let base_path = merged.one("server.base_path", parse::base_path);
    let trusted_proxies = merged.many("server.trusted_proxies", parse::network);
    let tls = tls::read(merged);
    Some(ServerSettings {
        address: address?,
        port: port?,
        workers: workers?,
        body_limit: body_limit?,
        url_limit: url_limit?,
        header_limit: header_limit?,
        request_timeout: request_timeout?,
        connections: connections?,
        keep_alive: keep_alive?,
        drain_delay: drain_delay?,
        shutdown_timeout: shutdown_timeout?,
        base_path: base_path?,
        trusted_proxies: trusted_proxies?,
        tls,
    })
}

fn operations(merged: &mut Merged) -> Option<OperationSettings> {
    let keep = merged.one("operations.keep", |text| {
        parse::long_duration(text, Duration::from_secs(1))
    });
    let lease = merged.one("operations.lease", |text| {
        parse::duration(text, Duration::from_secs(1))
    });
    let at_once = merged.one("operations.at_once", |text| parse::count(text, &(1..=1024)));
    let look_every = merged.one("operations.look_every", |text| {
        parse::duration(text, Duration::from_millis(10))
    });
    Some(OperationSettings {
        keep: keep?,
        lease: lease?,
        at_once: u32::try_from(at_once?).unwrap_or(u32::MAX),
        look_every: look_every?,
    })
}

fn bindings(merged: &mut Merged) -> Option<BindingSettings> {
    let unbind_expired = merged.one("bindings.unbind_expired", parse::unbind_expired);
    let grace = merged.one("bindings.grace", |text| {
        parse::long_duration(text, Duration::ZERO)
    });
    Some(BindingSettings {
        unbind_expired: unbind_expired?,
        grace: grace?,
    })
}

fn reload(merged: &mut Merged) -> Option<ReloadSettings> {
    let every = merged.one("reload.every", from_zero);
    Some(ReloadSettings { every: every? })
}

fn console(merged: &mut Merged) -> Option<ConsoleSettings> {
    let enabled = merged.one("console.enabled", parse::truth);
    let secure_cookie = merged.one("console.secure_cookie", parse::truth);
    Some(ConsoleSettings {
        enabled: enabled?,
        secure_cookie: secure_cookie?,
    })
}

fn audit(merged: &mut Merged) -> Option<AuditSettings> {
    let to = merged.one("audit.to", parse::audit_to);
    let keep = merged.one("audit.keep", parse::audit_keep);
    Some(AuditSettings {
        to: to?,
        keep: keep?,
    })
}

/// Refuses an account that is to be kept in a store which keeps nothing.
fn refuse_nowhere(merged: &mut Merged, settings: &Settings) {
    if settings.audit.to == AuditTo::Store && settings.store.url == StoreUrl::None {
        let message = "is the store, and store.url is none, which keeps nothing";
        let mend = "give stdout or file:PATH as audit.to, or another store";
        merged.refuse("audit.to", Refused::new(message, mend));
    }
}

fn from_zero(text: &str) -> Result<Duration, Refused> {
    parse::duration(text, Duration::ZERO)
}

/// Every setting has a default, or an error says what is wrong with it.
fn incomplete() -> SettingsError {
    let message = "a setting has neither a value nor a default";
    SettingsError::new("settings", message, "report this as a fault of the broker")
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Refuses sqlite where Cloud Foundry runs the broker: an app's disk is lost at every restart.
pub fn refuse_ephemeral(
    settings: &Settings,
    environment: &Environment,
) -> Result<(), SettingsErrors> {
    let is_lost = environment.get("VCAP_APPLICATION").is_some()
        && matches!(settings.store.url, StoreUrl::Sqlite(_))
        && !settings.store.ephemeral_ok;
    if !is_lost {
        return Ok(());
    }
    let message = "sqlite on Cloud Foundry forgets all instances and bindings at every restart, \
                   for the disk of an app does not last";
    let mend = "set BROKER_STORE__URL=none, which needs no memory for fixed catalogs; or, where \
                the file lies on a volume or may be lost, BROKER_STORE__EPHEMERAL_OK=true";
    Err(SettingsErrors::one(SettingsError::new(
        "store.url",
        message,
        mend,
    )))
}

#[cfg(test)]
mod tests;
