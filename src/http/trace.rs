//! The trace of a request, from its headers: W3C's `traceparent`, or Zipkin's B3 as Cloud Foundry's router sends it. What is
//! not to the letter of its format is no trace, and no reason to refuse anything.

use actix_web::http::header::{HeaderMap, HeaderName};

use crate::domain::trace::Trace;

/// Whether a header may be about a trace: most requests have none, and nothing more is looked for then.
pub(super) fn is_of_trace(name: &HeaderName) -> bool {
    matches!(name.as_str(), "traceparent" | "b3" | "x-b3-traceid")
}

/// The trace that the headers name, W3C's before Zipkin's.
pub(super) fn trace(headers: &HeaderMap) -> Option<Trace> {
    w3c(headers)
        .or_else(|| single(headers))
        .or_else(|| several(headers))
}

/// The header, if it is there once.
fn once<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut all = headers.get_all(name);
    match (all.next(), all.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn w3c(headers: &HeaderMap) -> Option<Trace> {
    let trace = traceparent(once(headers, "traceparent")?)?;
    Some(trace.with_state(tracestate(headers)))
}

/// `version-id-parent-flags`. Of a version that is yet to come, what is known of all of them is read.
fn traceparent(text: &str) -> Option<Trace> {
    let (known, more) = text.split_at_checked(55)?;
    let mut parts = known.split('-');
    let (version, id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (version, flags) = (byte(version)?, byte(flags)?);
    let fits = match version {
        0 => more.is_empty(),
        0xff => false,
        _ => more.is_empty() || more.starts_with('-'),
    };
    if !fits || parts.next().is_some() {
        return None;
    }
    Trace::new(id, parent, flags & 1 == 1)
}

/// Two digits, lower case.
fn byte(text: &str) -> Option<u8> {
    let lower = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (text.len() == 2 && lower)
        .then(|| u8::from_str_radix(text, 16).ok())
        .flatten()
}

/// The longest that is handed on, and the most members (Trace Context, 3.3.1).
const LONGEST_STATE: usize = 512;
const MOST_MEMBERS: usize = 32;

/// All of its headers as one list, if it is one.
fn tracestate(headers: &HeaderMap) -> Option<String> {
    let values: Option<Vec<&str>> = headers
        .get_all("tracestate")
        .map(|value| value.to_str().ok())
        .collect();
    let members: Vec<&str> = values?
        .into_iter()
        .flat_map(|value| value.split(','))
        .map(|member| member.trim_matches([' ', '\t']))
        .filter(|member| !member.is_empty())
        .collect();
    let sound = !members.is_empty()
        && members.len() <= MOST_MEMBERS
        && members.iter().all(|member| is_member(member));
    let list = members.join(",");
    (sound && list.len() <= LONGEST_STATE).then_some(list)
}

/// `key=value`, each of the characters that it may have.
fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else {
        return false;
    };
    let (tenant, system) = match key.split_once('@') {
        Some((tenant, system)) => (tenant, Some(system)),
        None => (key, None),
    };
    let of_key = |text: &str, longest: usize| {
        let first = text.bytes().next();
        first.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && text.len() <= longest
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/".contains(&byte)
            })
    };
    let key_fits = match system {
        Some(system) => of_key(tenant, 241) && of_key(system, 14),
        None => of_key(tenant, 256),
    };
    let of_value = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
    key_fits
        && (1..=256).contains(&value.len())
        && value.bytes().all(of_value)
        && !value.ends_with(' ')
}

/// `b3: TRACE-SPAN[-SAMPLED[-PARENT]]`.
fn single(headers: &HeaderMap) -> Option<Trace> {
    let parts: Vec<&str> = once(headers, "b3")?.split('-').collect();
    match parts[..] {
        [id, span] => Some(b3(id, span, false)?.undecided()),
        [id, span, sampled] => b3(id, span, is_sampled(sampled)?),
        [id, span, sampled, parent] => {
            // What the parent was does not matter, but that it is one.
            b3(id, parent, false)?;
            b3(id, span, is_sampled(sampled)?)
        }
        _ => None,
    }
}

/// `X-B3-TraceId`, `X-B3-SpanId`, and perhaps `X-B3-Sampled` and `X-B3-Flags`.
fn several(headers: &HeaderMap) -> Option<Trace> {
    let id = once(headers, "x-b3-traceid")?;
    let span = once(headers, "x-b3-spanid")?;
    let sampled = match once(headers, "x-b3-sampled") {
        Some("1" | "true") => Some(true),
        Some("0" | "false") => Some(false),
        Some(_) => return None,
        None if headers.contains_key("x-b3-sampled") => return None,
        None => None,
    };
    let debug = match once(headers, "x-b3-flags") {
        Some("1") => true,
        Some("0") => false,
        Some(_) => return None,
        None if headers.contains_key("x-b3-flags") => return None,
        None => false,
    };
    match sampled {
        _ if debug => b3(id, span, true),
        Some(sampled) => b3(id, span, sampled),
        None => Some(b3(id, span, false)?.undecided()),
    }
}

fn is_sampled(text: &str) -> Option<bool> {
    match text {
        "1" | "d" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

/// Zipkin's ids of traces may have half as many digits: the other half is zeros then.
fn b3(id: &str, span: &str, sampled: bool) -> Option<Trace> {
    if id.len() == 16 {
        return Trace::new(&format!("{id:0>32}"), span, sampled);
    }
    Trace::new(id, span, sampled)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn read(pairs: &[(&'static str, &str)]) -> Option<Trace> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header");
            headers.append(HeaderName::from_static(name), value);
        }
        assert!(headers.keys().any(is_of_trace) || trace(&headers).is_none());
        trace(&headers)
    }

    fn told(pairs: &[(&'static str, &str)]) -> Option<String> {
        read(pairs).map(|trace| trace.traceparent())
    }

    fn sampled() -> String {
        format!("00-{ID}-{SPAN}-01")
    }

    fn unsampled() -> String {
        format!("00-{ID}-{SPAN}-00")
    }

    #[test]
    fn w3c_is_read_to_the_letter() {
        let parent = |text: String| told(&[("traceparent", &text)]);
        assert_eq!(parent(format!("00-{ID}-{SPAN}-01")), Some(sampled()));
        assert_eq!(parent(format!("00-{ID}-{SPAN}-00")), Some(unsampled()));
        // Flags that are not known are not handed on; a version to come has more to say.
        assert_eq!(parent(format!("00-{ID}-{SPAN}-ff")), Some(sampled()));
        assert_eq!(
            parent(format!("cc-{ID}-{SPAN}-01-more.of-it")),
            Some(sampled())
        );
        for bad in [
            String::new(),
            format!("00-{ID}-{SPAN}"),
            format!("00-{ID}-{SPAN}-1"),
            format!("00-{ID}-{SPAN}-01-more"),
            format!("00-{ID}-{SPAN}-01 "),
            format!("ff-{ID}-{SPAN}-01"),
            format!("cc-{ID}-{SPAN}-01more"),
            format!("00-{}-{SPAN}-01", ID.to_uppercase()),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{ID}-{}-01", "0".repeat(16)),
            format!("00-{ID}-{SPAN}-0g"),
            format!("0G-{ID}-{SPAN}-01"),
            format!("00_{ID}_{SPAN}_01"),
            format!("00-{ID}{SPAN}-01-"),
            format!("00-{}é-{SPAN}-01", &ID[..30]),
            format!("+0-{ID}-{SPAN}-01"),
        ] {
            assert_eq!(parent(bad.clone()), None, "{bad:?}");
        }
        let twice = format!("00-{ID}-{SPAN}-01");
        assert_eq!(
            told(&[("traceparent", &twice), ("traceparent", &twice)]),
            None
        );
    }

    #[test]
    fn b3_is_read_in_both_forms() {
        let one = |text: String| told(&[("b3", &text)]);
        assert_eq!(one(format!("{ID}-{SPAN}-1")), Some(sampled()));
        assert_eq!(one(format!("{ID}-{SPAN}-d")), Some(sampled()));
        assert_eq!(one(format!("{ID}-{SPAN}-0")), Some(unsampled()));
        assert_eq!(one(format!("{ID}-{SPAN}")), Some(unsampled()));
        assert_eq!(
            one(format!("{ID}-{SPAN}-1-05e3ac9a4f6e3b90")),
            Some(sampled())
        );
        let half = Some(format!("00-{}{SPAN}-{SPAN}-01", "0".repeat(16)));
        assert_eq!(one(format!("{SPAN}-{SPAN}-1")), half);
        for bad in ["", "0", "1", "d", "-", "a-b-c-d-e"] {
            assert_eq!(one(bad.to_owned()), None, "{bad:?}");
        }
        for bad in [
            format!("{ID}-{SPAN}-2"),
            format!("{ID}-{SPAN}-"),
            format!("{ID}-{SPAN}-1-x"),
            format!("{ID}-{SPAN}-1-05e3ac9a4f6e3b90-1"),
            format!("{}-{SPAN}-1", &ID[..31]),
            format!("{}-{SPAN}-1", ID.to_uppercase()),
        ] {
            assert_eq!(one(bad.clone()), None, "{bad:?}");
        }
        let many = |more: &[(&'static str, &str)]| {
            let mut pairs = vec![("x-b3-traceid", ID), ("x-b3-spanid", SPAN)];
            pairs.extend_from_slice(more);
            told(&pairs)
        };
        assert_eq!(many(&[]), Some(unsampled()));
        assert_eq!(many(&[("x-b3-sampled", "1")]), Some(sampled()));
        assert_eq!(many(&[("x-b3-sampled", "0")]), Some(unsampled()));
        assert_eq!(many(&[("x-b3-flags", "1")]), Some(sampled()));
        for bad in [
            ("x-b3-sampled", "yes"),
            ("x-b3-flags", "2"),
            ("x-b3-spanid", SPAN),
            ("x-b3-traceid", ID),
        ] {
            assert_eq!(many(&[bad]), None, "{bad:?}");
        }
        assert_eq!(many(&[("x-b3-sampled", "1"), ("x-b3-sampled", "1")]), None);
        assert_eq!(told(&[("x-b3-traceid", ID)]), None);
    }

    #[test]
    fn w3c_comes_before_b3_where_it_is_sound() {
        let b3 = format!("{ID}-{SPAN}-0");
        let parent = format!("00-{ID}-{SPAN}-01");
        assert_eq!(
            told(&[("b3", &b3), ("traceparent", &parent)]),
            Some(sampled())
        );
        assert_eq!(
            told(&[("b3", &b3), ("traceparent", "junk")]),
            Some(unsampled())
        );
    }

    #[test]
    fn what_vendors_say_is_handed_on_if_it_is_a_list() {
        let parent = format!("00-{ID}-{SPAN}-01");
        let state = |states: &[&str]| {
            let mut pairs = vec![("traceparent", parent.as_str())];
            pairs.extend(states.iter().map(|state| ("tracestate", *state)));
            read(&pairs)?.tracestate().map(str::to_owned)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(state(&["a=1"]), some("a=1"));
        assert_eq!(
            state(&["a=1, b@c=x y", "", "d_-*/=!"]),
            some("a=1,b@c=x y,d_-*/=!")
        );
        for bad in [
            "", ",", "a", "A=1", "a=", "a=b=c", "=1", "a@=1", "@a=1", "a=\u{e9}", "é=1",
        ] {
            assert_eq!(state(&[bad]), None, "{bad:?}");
        }
        let many = vec!["a=1"; 33].join(",");
        assert_eq!(state(&[&many]), None);
        assert_eq!(state(&[&format!("a={}", "x".repeat(257))]), None);
        let long = format!("a={0},b={0},c={0}", "x".repeat(200));
        assert_eq!(state(&[&long]), None);
    }
}
