//! The environment: read once, here and nowhere else; and the layer that it is.

use std::ffi::OsString;

use super::error::{Refused, SettingsError, SettingsErrors};
use super::layer::{Layer, Raw};
use super::nearest::nearest;
use super::table::{self, CONFIG_VARIABLE, LOGINS, PREFIX, SETTINGS, Setting};
use crate::document::{Environment, Reference, Resolved, Scheme, Sources};

const FILE_SUFFIX: &str = "_FILE";

/// The environment of the process. A variable that is not UTF-8 is left out; one of the broker's own is an error.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place where the environment is read"
)]
pub fn environment() -> Result<Environment, SettingsErrors> {
    gather(std::env::vars_os())
}

fn gather(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Environment, SettingsErrors> {
    let mut errors = Vec::new();
    let mut texts = Vec::new();
    for (name, value) in variables {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => texts.push((name, value)),
            (Ok(name), Err(_)) if is_ours(&name) => {
                let mend = "give it as UTF-8; what is binary goes in as base64";
                errors.push(SettingsError::new(name, "is not UTF-8", mend));
            }
            _ => {}
        }
    }
    SettingsErrors::check(errors)?;
    Ok(Environment::new(texts))
}

fn is_ours(name: &str) -> bool {
    let is_usual = |setting: &Setting| setting.usual.contains(&name);
    name.starts_with(PREFIX) || SETTINGS.iter().any(is_usual)
}

/// What the environment says.
pub(super) struct FromEnvironment {
    /// Under usual names.
    pub usual: Layer,
    /// Under names of the broker's own.
    pub own: Layer,
    /// Paths whose variables are wrong.
    pub broken: Vec<String>,
    /// What is likely a mistake.
    pub warnings: Vec<String>,
}

/// A variable that gives a setting.
struct Named {
    setting: &'static Setting,
    path: String,
    in_file: bool,
}

/// Reads every variable that is about a setting.
///
/// `logins` are those that the settings file has, `wanted` says whether a path is asked for at all, and
/// `is_document_variable` knows the variables that change the catalog document.
pub(super) fn read(
    sources: &Sources,
    environment: &Environment,
    logins: &[String],
    wanted: impl Fn(&str) -> bool,
    is_document_variable: fn(&str) -> bool,
    errors: &mut Vec<SettingsError>,
) -> FromEnvironment {
    let mut own = Layer::default();
    let mut broken = Vec::new();
    let mut unknown = Vec::new();
    for (variable, text) in environment.iter() {
        if !variable.starts_with(PREFIX) || variable == CONFIG_VARIABLE {
            continue;
        }
        let Some(named) = named(variable, logins) else {
            if !is_document_variable(variable) {
                unknown.push((variable, text));
            }
            continue;
        };
        if !wanted(&named.path) {
            continue;
        }
        if let Some(other) = own.origin(&named.path) {
            let message = format!("gives {}, and so does {other}", named.path);
            errors.push(SettingsError::new(variable, message, "keep one of them"));
            continue;
        }
        match value(&named, variable, text, sources) {
            Ok((raw, origin)) => own.set(named.path, raw, origin),
            Err(error) => {
                broken.push(named.path);
                errors.push(error);
            }
        }
    }
    let (wrong, strange): (Vec<_>, Vec<_>) = unknown
        .into_iter()
        .partition(|(name, _)| name.contains("__"));
    errors.extend(wrong.into_iter().map(|(name, _)| unknown_setting(name)));
    FromEnvironment {
        usual: usual(environment, wanted),
        own,
        broken,
        warnings: warnings(strange),
    }
}

/// The setting that a variable gives.
fn named(variable: &str, logins: &[String]) -> Option<Named> {
    let find = |variable: &str| {
        let login = login(variable, logins);
        SETTINGS.iter().find_map(|setting| match &login {
            Some((name, key)) => (setting.path.starts_with(LOGINS) && setting.key() == key)
                .then(|| (setting, setting.path.replace('*', name))),
            None => (setting.variable() == variable).then(|| (setting, setting.path.to_owned())),
        })
    };
    if let Some((setting, path)) = find(variable) {
        let in_file = false;
        return Some(Named {
            setting,
            path,
            in_file,
        });
    }
    let (setting, path) = find(variable.strip_suffix(FILE_SUFFIX)?)?;
    let in_file = true;
    setting.is_text().then_some(Named {
        setting,
        path,
        in_file,
    })
}

/// Name and key of a login: an existing name in any case and with `-` written `_`, or a new one in lower case.
fn login(variable: &str, logins: &[String]) -> Option<(String, String)> {
    let prefix = format!("{}__", table::variable(LOGINS));
    let (name, key) = variable.strip_prefix(&prefix)?.split_once("__")?;
    let is_upper = |text: &str| !text.chars().any(|character| character.is_ascii_lowercase());
    let name = name.to_lowercase();
    let name = match logins.iter().find(|login| folded(login) == name) {
        Some(login) => login.clone(),
        None if is_login_name(&name) => name,
        None => return None,
    };
    is_upper(key).then(|| (name, key.to_lowercase()))
}

/// A login's name as the environment can write it, in lower case.
pub(super) fn folded(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

/// Whether a login may have that name: it must be one step of a variable's name.
pub(super) fn is_login_name(name: &str) -> bool {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    let is_separate =
        |name: &str| !name.starts_with('_') && !name.ends_with('_') && !name.contains("__");
    !name.is_empty() && name.chars().all(is_plain) && is_separate(&folded(name))
}

fn value(
    named: &Named,
    variable: &str,
    text: &str,
    sources: &Sources,
) -> Result<(Raw, String), SettingsError> {
    if named.in_file {
        let origin = format!("the file {text} that {variable} names");
        let text = file(variable, text, sources)?;
        return Ok((Raw::read(named.setting, &text), origin));
    }
    Ok((
        Raw::read(named.setting, text),
        format!("the environment variable {variable}"),
    ))
}

fn file(variable: &str, path: &str, sources: &Sources) -> Result<String, SettingsError> {
    if path.is_empty() {
        let mend = "name a file, or unset the variable";
        return Err(SettingsError::new(variable, "is empty", mend));
    }
    contents(path, sources).map_err(|refused| refused.of(variable))
}

/// The text of a file, without one newline at its end.
pub(super) fn contents(path: &str, sources: &Sources) -> Result<String, Refused> {
    let reference = Reference {
        source: format!("${{file:{path}}}").into(),
        scheme: Scheme::File,
        address: path.to_owned(),
        pointer: None,
        encoding: None,
        default: None,
    };
    match sources.resolve(&reference).map(Resolved::into_text) {
        Ok(text) => Ok(text.unwrap_or_default()),
        Err(missing) => {
            let mend = "provide the file, or name another";
            Err(Refused::new(missing.message, mend))
        }
    }
}

/// An empty variable of a usual name is as good as none: others than the operator set them.
fn usual(environment: &Environment, wanted: impl Fn(&str) -> bool) -> Layer {
    let mut layer = Layer::default();
    for setting in SETTINGS.iter().filter(|setting| wanted(setting.path)) {
        let found = setting.usual.iter().find_map(|name| {
            let text = environment.get(name).filter(|text| !text.is_empty())?;
            Some((name, text))
        });
        if let Some((name, text)) = found {
            let origin = format!("the environment variable {name}");
            layer.set(setting.path, Raw::read(setting, text), origin);
        }
    }
    layer
}

fn unknown_setting(variable: &str) -> SettingsError {
    let message = "names no setting and nothing of the catalog document";
    let mend = match nearest(variable, names(variable)) {
        Some(name) => format!("did you mean {name}?"),
        None => "config/broker.yaml has every setting; BROKER_SERVICES__OFFERING__... reaches \
                 into the catalog document"
            .to_owned(),
    };
    SettingsError::new(variable, message, mend)
}

/// The names that there are; of logins, those of the login that `variable` names.
fn names(variable: &str) -> Vec<String> {
    let prefix = format!("{}__", table::variable(LOGINS));
    let login = variable
        .strip_prefix(&prefix)
        .and_then(|rest| rest.split_once("__"));
    let login = login.map_or("NAME", |(name, _)| name);
    let plain = SETTINGS
        .iter()
        .map(|setting| (setting, setting.variable().replace('*', login)));
    let mut names: Vec<String> = Vec::new();
    for (setting, name) in plain {
        if setting.is_text() {
            names.push(format!("{name}{FILE_SUFFIX}"));
        }
        names.push(name);
    }
    names
}

/// One line for all that Kubernetes puts there, one for each other.
fn warnings(variables: Vec<(&str, &str)>) -> Vec<String> {
    let (injected, others): (Vec<_>, Vec<_>) = variables
        .into_iter()
        .partition(|(name, text)| is_service_link(name, text));
    let injected: Vec<_> = injected.into_iter().map(|(name, _)| name).collect();
    let mut warnings = Vec::new();
    if !injected.is_empty() {
        warnings.push(format!(
            "{} ignored: no settings, but what Kubernetes sets beside a service of that name; \
             enableServiceLinks: false leaves them out",
            injected.join(", ")
        ));
    }
    warnings.extend(others.into_iter().map(|(name, _)| {
        let mend = match nearest(name, self::names(name)) {
            Some(known) => format!("; did you mean {known}?"),
            None => String::new(),
        };
        format!("{name} ignored: it names no setting{mend}")
    }));
    warnings
}

/// `BROKER_PORT`, `BROKER_SERVICE_HOST`, `BROKER_PORT_80_TCP_ADDR` and their like.
fn is_service_link(name: &str, text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = |rest: &str| {
        let mut steps = rest.split('_');
        steps.next().is_some_and(is_number) && matches!(steps.next(), Some("TCP" | "UDP" | "SCTP"))
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.ends_with("_PORT") && text.contains("://")
        || name.contains("_SERVICE_PORT_")
        || name
            .split_once("_PORT_")
            .is_some_and(|(_, rest)| port(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_is_not_utf_8_is_an_error_if_it_is_ours() {
        use std::os::unix::ffi::OsStringExt;
        let bad = || OsString::from_vec(b"MARKED\xFF".to_vec());
        let ours = ["BROKER_AUTH__PASSWORD", "SECURITY_USER_PASSWORD"];
        for name in ours {
            let errors = gather([(name.into(), bad())]).unwrap_err().to_string();
            assert!(
                errors.contains(name) && !errors.contains("MARKED"),
                "{errors}"
            );
        }
        let environment = gather([("OTHER".into(), bad()), ("A".into(), "b".into())]).unwrap();
        assert_eq!(environment.iter().collect::<Vec<_>>(), [("A", "b")]);
    }

    #[test]
    fn what_kubernetes_sets_is_known() {
        for name in [
            "BROKER_PORT",
            "BROKER_SERVICE_HOST",
            "BROKER_SERVICE_PORT",
            "BROKER_SERVICE_PORT_HTTP",
            "BROKER_PORT_8080_TCP",
            "BROKER_PORT_8080_TCP_ADDR",
        ] {
            assert!(is_service_link(name, "tcp://10.0.0.1:80"), "{name}");
        }
        for name in ["BROKER_SERVER_PORT", "BROKER_USERNAME", "BROKER_PORT_HTTP"] {
            assert!(!is_service_link(name, "80"), "{name}");
        }
    }

    #[test]
    fn a_logins_name_is_one_step_of_a_variable() {
        for (name, fits) in [
            ("blue", true),
            ("blue-green", true),
            ("Blue_2", true),
            ("", false),
            ("a__b", false),
            ("a-_b", false),
            ("_a", false),
            ("a-", false),
            ("a.b", false),
            ("a*", false),
        ] {
            assert_eq!(is_login_name(name), fits, "{name}");
        }
    }
}
