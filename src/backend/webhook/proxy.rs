//! Whom no proxy stands before: `NO_PROXY` as curl reads it, without networks in `/` form.

use super::address::Origin;

/// Whether `origin` is to be reached directly.
pub(super) fn bypasses(no_proxy: &str, origin: &Origin) -> bool {
    no_proxy
        .split([',', ' '])
        .any(|entry| matches(&entry.trim().to_ascii_lowercase(), origin))
}

fn matches(entry: &str, origin: &Origin) -> bool {
    let name = entry.trim_start_matches('*').trim_start_matches('.');
    let host = origin.host().trim_matches(['[', ']']);
    match host.strip_suffix(name) {
        _ if entry == "*" => true,
        Some(_) if name.is_empty() => false,
        Some(rest) => rest.is_empty() || rest.ends_with('.'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::Address;
    use super::*;

    #[test]
    fn names_their_subdomains_and_all() {
        let address = Address::parse("https://hook.inner.example:8443/x").expect("an address");
        for yes in [
            "*",
            "hook.inner.example",
            "a, .inner.example",
            "*.inner.example",
            "Example",
        ] {
            assert!(bypasses(yes, address.origin()), "{yes}");
        }
        for no in ["", ",", "inner", "ook.inner.example", "10.0.0.0/8", "."] {
            assert!(!bypasses(no, address.origin()), "{no}");
        }
    }
}
