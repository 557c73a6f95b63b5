//! Where spans are sent. Every build knows these settings; one without the feature `otlp` refuses them, for it sends none.

use percent_encoding::percent_decode_str;

use super::error::Refused;
use super::merged::Merged;
use super::parse;
use super::table::{self, TRACES};
use super::types::TraceSettings;
use crate::secret::Secret;

const ENDPOINT: &str = "traces.endpoint";
const HEADERS: &str = "traces.headers";
const CA: &str = "traces.ca";
const SERVICE_NAME: &str = "traces.service_name";
const SAMPLE: &str = "traces.sample";

/// What stands for no collector.
const NONE: &str = "none";

/// What every collector has its spans at.
const PATH: &str = "/v1/traces";

/// Headers that say what is sent, and how.
const TAKEN: [&str; 6] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
];

/// How spans are sent; nothing where no collector is named, or where something is wrong.
pub(super) fn read(merged: &mut Merged, warnings: &mut Vec<String>) -> Option<TraceSettings> {
    if merged.text(ENDPOINT).is_none_or(|text| text == NONE) {
        return None;
    }
    if !cfg!(feature = "otlp") {
        refuse(merged, warnings);
        return None;
    }
    let endpoint = merged.one(ENDPOINT, endpoint);
    let headers = headers(merged);
    let ca = merged.origin(CA).map(|_| merged.one(CA, parse::path));
    let service_name = merged.one(SERVICE_NAME, service_name);
    let sample = merged.one(SAMPLE, share);
    Some(TraceSettings {
        endpoint: endpoint?,
        headers: headers?,
        ca: match ca {
            Some(path) => Some(path?),
            None => None,
        },
        service_name: service_name?,
        sample: sample?,
    })
}

/// A variable of the usual name may be there for all programs of a machine: that one is told of, and passed over.
fn refuse(merged: &mut Merged, warnings: &mut Vec<String>) {
    let lacks = "this broker was built without `--features otlp`, and sends no spans";
    let origin = merged.origin(ENDPOINT).unwrap_or_default();
    let usual = table::find(ENDPOINT).map_or(&[][..], |setting| setting.usual);
    match usual.iter().find(|name| origin.ends_with(**name)) {
        Some(name) => warnings.push(format!("{name} ignored: {lacks}")),
        None => merged.refuse(
            ENDPOINT,
            Refused::new(
                format!("names a collector, and {lacks}"),
                format!("build it with `cargo build --release --features otlp`, or leave out all of `{TRACES}`"),
            ),
        ),
    }
}

/// The URL of the collector's traces: what is named may be its base, as in OpenTelemetry's own variable.
fn endpoint(text: &str) -> Result<String, Refused> {
    let not = |message: &str| {
        let mend = "give http://HOST:PORT or https://HOST:PORT, as http://collector:4318";
        Err(Refused::new(message, mend))
    };
    let Some(rest) = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"))
    else {
        return not("is no URL of a collector");
    };
    if text.contains(['?', '#']) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return not("has more in it than a host, a port and a path");
    }
    let host = rest.split('/').next().unwrap_or_default();
    if host.contains('@') {
        return Err(Refused::new(
            "has a login in it, which would be shown",
            format!("give it as `Authorization=...` in {HEADERS}"),
        ));
    }
    if host.is_empty() || host.starts_with(':') {
        return not("names no host");
    }
    let base = text.trim_end_matches('/');
    let base = base.strip_suffix(PATH).unwrap_or(base);
    Ok(format!("{base}{PATH}"))
}

/// All headers in their order; absent where one is wrong.
fn headers(merged: &mut Merged) -> Option<Vec<(String, Secret)>> {
    let texts = merged.texts(HEADERS);
    let read: Result<_, _> = (1..)
        .zip(&texts)
        .map(|(number, text)| header(number, text))
        .collect();
    read.map_err(|refused| merged.refuse(HEADERS, refused)).ok()
}

/// `name=value`, the value percent-encoded, as in OpenTelemetry's own variable.
fn header(number: usize, text: &str) -> Result<(String, Secret), Refused> {
    let not = |message: &str| {
        let mend = "give `name=value`, and what is no letter or digit in the value percent-encoded";
        Refused::new(format!("number {number} {message}"), mend)
    };
    let (name, value) = text.split_once('=').ok_or_else(|| not("has no `=`"))?;
    let name = name.trim().to_ascii_lowercase();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(not("begins with no name of a header"));
    }
    if TAKEN.contains(&name.as_str()) {
        return Err(not("is a header that the broker sets itself"));
    }
    let value = percent_decode_str(value.trim()).decode_utf8();
    let value = value.map_err(|_| not("has a value that is not UTF-8"))?;
    if !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(not("has a value that no header can have"));
    }
    Ok((name, Secret::new(value.into_owned())))
}

fn service_name(text: &str) -> Result<String, Refused> {
    if text.trim().is_empty() {
        return Err(Refused::new("is empty", "give a name, as catalog-broker"));
    }
    Ok(text.to_owned())
}

/// A part of all, in millionths.
fn share(text: &str) -> Result<u32, Refused> {
    let number: Option<f64> = text.parse().ok();
    match number.filter(|number| (0.0..=1.0).contains(number)) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to a million"
        )]
        Some(number) => Ok((number * 1e6).round() as u32),
        None => Err(Refused::new(
            "is no part of all",
            "give a number from 0 (none) to 1 (all), as 0.1",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_named_by_its_base_or_by_its_traces() {
        for (text, url) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("http://collector:4318/", "http://collector:4318/v1/traces"),
            (
                "https://example.com/otlp/v1/traces",
                "https://example.com/otlp/v1/traces",
            ),
            ("https://[::1]/otlp/", "https://[::1]/otlp/v1/traces"),
        ] {
            assert_eq!(endpoint(text).unwrap(), url);
        }
        for bad in [
            "",
            "collector:4318",
            "grpc://collector:4317",
            "http://",
            "http://:4318",
            "http:///v1/traces",
            "http://user:pass@collector",
            "https://collector?key=1",
            "https://collector/#a",
            "http://coll ector",
            "http://coll\u{e9}ctor",
        ] {
            assert!(endpoint(bad).is_err(), "{bad:?}");
        }
        // A path is no login.
        assert!(endpoint("https://collector/a@b").is_ok());
    }

    #[test]
    fn a_header_is_a_name_and_a_value() {
        let read = |text: &str| {
            let (name, value) = header(1, text)?;
            Ok::<_, Refused>((name, value.into_exposed()))
        };
        let good = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read("api-key=abc").unwrap(), good("api-key", "abc"));
        assert_eq!(
            read("Authorization=Basic%20YTpi==").unwrap(),
            good("authorization", "Basic YTpi==")
        );
        assert_eq!(read(" a = b ").unwrap(), good("a", "b"));
        for bad in [
            "",
            "api-key",
            "=abc",
            "a b=c",
            "a=%0d%0ab",
            "a=%ff",
            "a=\u{e9}",
            "Host=example.com",
        ] {
            let refused = read(bad).unwrap_err();
            assert!(refused.message.starts_with("number 1 "), "{bad:?}");
        }
    }

    #[test]
    fn a_share_is_from_nothing_to_all() {
        for (text, millionths) in [("0", 0), ("1", 1_000_000), ("0.1", 100_000), ("1e-6", 1)] {
            assert_eq!(share(text).unwrap(), millionths);
        }
        for bad in ["", "-0.1", "1.1", "10%", "NaN", "inf"] {
            assert!(share(bad).is_err(), "{bad:?}");
        }
    }
}
