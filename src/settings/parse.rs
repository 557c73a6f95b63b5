//! Texts into values. No error repeats the text: it may be a secret in the wrong place.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::error::Refused;
use super::network::Network;
use super::types::{AuditTo, Breaking, LogFormat, LoginRole, StoreUrl, UnbindExpired};
use crate::document::measure;
use crate::secret::Secret;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

const UNITS_OF_SIZE: [(&str, u64); 4] = [
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

pub(super) fn path(text: &str) -> Result<PathBuf, Refused> {
    if text.is_empty() {
        return Err(Refused::new("is empty", "give the path of a file"));
    }
    Ok(text.into())
}

pub(super) fn breaking(text: &str) -> Result<Breaking, Refused> {
    let found = Breaking::ALL
        .into_iter()
        .find(|breaking| breaking.name() == text);
    found.ok_or_else(|| {
        Refused::new(
            "names nothing that a catalog may break",
            format!(
                "give one of {}",
                Breaking::ALL.map(Breaking::name).join(", ")
            ),
        )
    })
}

pub(super) fn role(text: &str) -> Result<LoginRole, Refused> {
    match text {
        "platform" => Ok(LoginRole::Platform),
        "operator" => Ok(LoginRole::Operator),
        "metrics" => Ok(LoginRole::Metrics),
        "viewer" => Ok(LoginRole::Viewer),
        _ => Err(Refused::new(
            "names what is no role",
            "give platform, operator, metrics or viewer, or a list of them, in a variable with commas between",
        )),
    }
}

pub(super) fn address(text: &str) -> Result<IpAddr, Refused> {
    text.parse().map_err(|_| {
        Refused::new(
            "is not an IP address",
            "give one, as 0.0.0.0 (all), 127.0.0.1 (this machine) or ::",
        )
    })
}

pub(super) fn network(text: &str) -> Result<Network, Refused> {
    text.parse().map_err(|_| {
        let mend = "give IP addresses or networks, as 10.0.0.0/8";
        Refused::new("is not a list of networks", mend)
    })
}

pub(super) fn port(text: &str) -> Result<u16, Refused> {
    digits(text)
        .and_then(|number| number.try_into().ok())
        .ok_or_else(|| Refused::new("is not a port", "give a number from 0 to 65535"))
}

pub(super) fn truth(text: &str) -> Result<bool, Refused> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Refused::new(
            "is neither true nor false",
            "give true or false",
        )),
    }
}

pub(super) fn count(text: &str, range: &RangeInclusive<usize>) -> Result<usize, Refused> {
    digits(text)
        .and_then(|number| number.try_into().ok())
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            let mend = format!("give a whole number from {least} to {most}");
            Refused::new("is not a number that can be", mend)
        })
}

/// Bytes, from `least` to 1 GiB.
pub(super) fn size(text: &str, least: usize) -> Result<usize, Refused> {
    let not = || {
        let mend = "give bytes or a number with KiB, MiB or GiB, as 65536 or 64KiB";
        Refused::new("is not a size", mend)
    };
    let (number, unit) = quantity(text).ok_or_else(not)?;
    let bytes = match unit.to_ascii_lowercase().as_str() {
        "" => number,
        unit => scaled(number, unit, &UNITS_OF_SIZE).ok_or_else(not)?,
    };
    usize::try_from(bytes)
        .ok()
        .filter(|bytes| (least..=1 << 30).contains(bytes))
        .ok_or_else(|| {
            let mend = format!("give a size from {least} bytes to 1GiB");
            Refused::new("is a size that cannot be", mend)
        })
}

/// A time from `least` to a day; a plain number is seconds.
pub(super) fn duration(text: &str, least: Duration) -> Result<Duration, Refused> {
    time(text, least, DAY, "24h")
}

/// A time from `least` to a year; a plain number is seconds.
pub(super) fn long_duration(text: &str, least: Duration) -> Result<Duration, Refused> {
    time(text, least, YEAR, "366d")
}

fn time(
    text: &str,
    least: Duration,
    most: Duration,
    most_in_words: &str,
) -> Result<Duration, Refused> {
    let not = || {
        let mend = "give seconds or a whole number with ms, s, m, h or d, as 50, 50s or 500ms";
        Refused::new("is not a time", mend)
    };
    let duration = measure::duration(text).ok_or_else(not)?;
    if duration < least || duration > most {
        let mend = format!("give a time from {least:?} to {most_in_words}");
        return Err(Refused::new("is a time that cannot be", mend));
    }
    Ok(duration)
}

/// A number and what follows it.
fn quantity(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    Some((digits(&text[..end])?, text[end..].trim_start_matches(' ')))
}

fn scaled(number: u64, unit: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*factor)
}

/// A whole number without a sign.
fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

pub(super) fn store_url(text: &str) -> Result<StoreUrl, Refused> {
    const MEND: &str = "give sqlite:PATH, postgres://USER:PASSWORD@HOST:PORT/DATABASE or none (BROKER_STORE__URL \
                        wins over DATABASE_URL)";
    if text == "none" {
        return Ok(StoreUrl::None);
    }
    let is_postgres = ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    if is_postgres {
        return Ok(StoreUrl::Postgres(Secret::new(text.to_owned())));
    }
    let path = text
        .strip_prefix("sqlite://")
        .or_else(|| text.strip_prefix("sqlite:"))
        .ok_or_else(|| Refused::new("is not a store", MEND))?;
    if path.is_empty() || path.starts_with(':') || path.contains('?') {
        let message = "does not name a file";
        let mend = "give sqlite:PATH, without options; none remembers nothing";
        return Err(Refused::new(message, mend));
    }
    Ok(StoreUrl::Sqlite(path.into()))
}

pub(super) fn audit_to(text: &str) -> Result<AuditTo, Refused> {
    const MEND: &str = "give none, stdout, file:PATH, or store";
    match text {
        "none" => Ok(AuditTo::Nothing),
        "stdout" => Ok(AuditTo::Stdout),
        "store" => Ok(AuditTo::Store),
        _ => match text.strip_prefix("file:") {
            Some("") => Err(Refused::new("does not name a file", MEND)),
            Some(path) => Ok(AuditTo::File(path.into())),
            None => Err(Refused::new("is no place for an audit", MEND)),
        },
    }
}

/// How long lines of the account stay; nothing where they do for ever.
pub(super) fn audit_keep(text: &str) -> Result<Option<Duration>, Refused> {
    let keep = time(text, Duration::ZERO, YEAR * 10, "3660d")?;
    Ok((!keep.is_zero()).then_some(keep))
}

/// Empty, or with a slash in front and none behind.
pub(super) fn base_path(text: &str) -> Result<String, Refused> {
    if matches!(text, "" | "/") {
        return Ok(String::new());
    }
    let inner = text.strip_prefix('/').unwrap_or(text);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "-._~".contains(character);
    let is_step = |step: &str| !matches!(step, "" | "." | "..") && step.chars().all(is_plain);
    if inner.split('/').all(is_step) {
        Ok(format!("/{inner}"))
    } else {
        let mend = "give steps of letters, digits, - . _ ~ with single slashes, as /brokers/blue";
        Err(Refused::new("is not a path", mend))
    }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, Refused> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(Refused::new("is not a format", "give text or json")),
    }
}

pub(super) fn unbind_expired(text: &str) -> Result<UnbindExpired, Refused> {
    match text {
        "told" => Ok(UnbindExpired::Told),
        "all" => Ok(UnbindExpired::All),
        "none" => Ok(UnbindExpired::Nothing),
        _ => Err(Refused::new(
            "is none of the words for this",
            "give told, all or none",
        )),
    }
}

/// Directives as `RUST_LOG` has them. The logger drops what it cannot read; here it is an error.
pub(super) fn log_level(text: &str) -> Result<String, Refused> {
    let directives = text.split_once('/').map_or(text, |(before, _)| before);
    let mut given = directives.split(',').map(str::trim).peekable();
    if given.peek().is_some_and(|first| first.is_empty()) || !given.all(is_directive) {
        let levels = LEVELS.join(", ");
        let mend = format!("give one of {levels}, or info,MODULE=LEVEL");
        return Err(Refused::new("is not a log level", mend));
    }
    Ok(text.to_owned())
}

fn is_directive(directive: &str) -> bool {
    let is_module = |text: &str| {
        let is_plain =
            |character: char| character.is_ascii_alphanumeric() || "_:-".contains(character);
        !text.is_empty() && text.chars().all(is_plain)
    };
    let is_level = |text: &str| LEVELS.iter().any(|level| text.eq_ignore_ascii_case(level));
    match directive.split_once('=') {
        Some((module, level)) => is_module(module) && (level.is_empty() || is_level(level)),
        None if directive.is_empty() || is_level(directive) => true,
        None => is_module(directive) && !is_misspelt(directive),
    }
}

/// A module's name is a directive, too; one so close to a level is a level misspelt.
fn is_misspelt(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let is_near = |level: &&str| strsim::damerau_levenshtein(&word, level) <= 2;
    word == "warning" || word.len() > 2 && LEVELS.iter().any(is_near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let read = |text| duration(text, Duration::ZERO).ok();
        let cases = [
            ("50s", Some(Duration::from_secs(50))),
            ("500ms", Some(Duration::from_millis(500))),
            ("2m", Some(Duration::from_secs(120))),
            ("1h", Some(Duration::from_secs(3600))),
            ("50", Some(Duration::from_secs(50))),
            ("50 s", Some(Duration::from_secs(50))),
            ("0", Some(Duration::ZERO)),
            ("", None),
            ("s", None),
            ("-5s", None),
            ("+5s", None),
            ("0.5s", None),
            ("5 days", None),
            ("25h", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
        assert!(duration("0", Duration::from_secs(1)).is_err());
    }

    #[test]
    fn sizes_have_units() {
        let cases = [
            ("1MiB", Some(1 << 20)),
            ("64KiB", Some(64 << 10)),
            ("64 kib", Some(64 << 10)),
            ("1GiB", Some(1 << 30)),
            ("4096", Some(4096)),
            ("4096B", Some(4096)),
            ("1MB", None),
            ("2GiB", None),
            ("10", None),
            ("", None),
            ("1.5MiB", None),
            ("18446744073709551615GiB", None),
        ];
        for (text, expected) in cases {
            assert_eq!(size(text, 1024).ok(), expected, "{text}");
        }
    }

    #[test]
    fn numbers_and_truths_are_exact() {
        for (text, expected) in [
            ("0", Some(0)),
            ("65535", Some(65535)),
            ("65536", None),
            ("", None),
            ("+80", None),
            ("8O80", None),
        ] {
            assert_eq!(port(text).ok(), expected, "{text}");
        }
        for (text, expected) in [
            ("1", Some(1)),
            ("8", Some(8)),
            ("0", None),
            ("9", None),
            ("two", None),
        ] {
            assert_eq!(count(text, &(1..=8)).ok(), expected, "{text}");
        }
        for (text, expected) in [
            ("true", Some(true)),
            ("false", Some(false)),
            ("yes", None),
            ("True", None),
            ("", None),
        ] {
            assert_eq!(truth(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_store_is_sqlite_postgres_or_none() {
        let file = |path: &str| Some(StoreUrl::Sqlite(path.into()));
        let cases = [
            ("none", Some(StoreUrl::None)),
            ("sqlite:data/broker.db", file("data/broker.db")),
            ("sqlite:/var/lib/broker.db", file("/var/lib/broker.db")),
            ("sqlite:///var/lib/broker.db", file("/var/lib/broker.db")),
            ("sqlite:", None),
            ("sqlite://", None),
            ("sqlite::memory:", None),
            ("sqlite:a.db?mode=ro", None),
            ("data/broker.db", None),
            ("postgres:u:p@h/d", None),
            ("mysql://u:p@h/d", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(store_url(text).ok(), expected, "{text}");
        }
        for text in ["postgres://u:MARKED@h/d", "postgresql://u:MARKED@h/d"] {
            let url = store_url(text).unwrap();
            assert_eq!(url, StoreUrl::Postgres(Secret::new(text.to_owned())));
            if !cfg!(feature = "unredacted") {
                assert!(!format!("{url:?}").contains("MARKED"));
            }
        }
    }

    #[test]
    fn base_paths_come_out_in_one_shape() {
        let cases = [
            ("", Some("")),
            ("/", Some("")),
            ("a", Some("/a")),
            ("/a/b/", Some("/a/b")),
            ("/a.b/~c", Some("/a.b/~c")),
            ("//", None),
            ("/a//b", None),
            ("/a/../b", None),
            ("/{x}", None),
            ("/a b", None),
            ("/a%20b", None),
            ("/a?b", None),
        ];
        for (text, expected) in cases {
            assert_eq!(base_path(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn log_levels_are_read_as_the_logger_reads_them() {
        for text in [
            "info",
            "INFO",
            "off",
            "info,actix_server=warn",
            "catalog_broker",
            "info,actix_router::resource=trace",
            "debug/needle",
            "info, a=debug",
            "actix_web=",
        ] {
            assert_eq!(log_level(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            "inof",
            "wran",
            "info,a=loud",
            "=info",
            "in fo",
            "a=b=c",
            ",info",
            "warning",
        ] {
            assert!(log_level(text).is_err(), "{text}");
        }
    }
}
