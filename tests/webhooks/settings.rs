//! What makes no webhook, and what is said of it.

use std::time::Duration;

use catalog_broker::backend::{Auth, ClientCertificate, Webhook, WebhookError, WebhookSettings};

use crate::certificates::Authority;
use crate::harness::{secret, settings};

fn wrong(change: impl FnOnce(&mut WebhookSettings)) -> WebhookError {
    let mut settings = settings("https://hook.example/x");
    change(&mut settings);
    Webhook::new(settings).expect_err("it is wrong")
}

#[test]
fn urls() {
    for (url, error) in [
        ("", WebhookError::Url),
        ("hook.example/x", WebhookError::Url),
        ("https://", WebhookError::Url),
        ("https://a b/", WebhookError::Url),
        ("ftp://hook.example/", WebhookError::Scheme),
        (
            "https://user:s3cret@hook.example/",
            WebhookError::LoginInUrl,
        ),
        ("http://hook.example/", WebhookError::NotEncrypted),
        ("http://127.0.0.1.hook.example/", WebhookError::NotEncrypted),
    ] {
        let found = wrong(|settings| settings.url = secret(url));
        assert_eq!((&found, found.key()), (&error, "url"), "{url}");
        assert!(!found.to_string().contains("s3cret"));
    }
    for (url, allow_http) in [
        ("https://hook.example", false),
        ("http://localhost:8080/x", false),
        ("http://[::1]/", false),
        ("http://hook.example/", true),
    ] {
        let mut settings = settings(url);
        settings.allow_http = allow_http;
        Webhook::new(settings).expect(url);
    }
}

#[test]
fn logins_keys_and_times() {
    let basic = |username: &str| Auth::Basic {
        username: username.to_owned(),
        password: secret("p"),
    };
    let bearer = |token: &str| Auth::Bearer {
        token: secret(token),
    };
    let authority = Authority::new();
    let signed = authority.sign("broker", 2);
    let certificate = |chain: &[u8], key: &[u8]| {
        Some(ClientCertificate {
            chain: chain.to_vec(),
            key: key.to_vec().into(),
        })
    };
    let (chain, key) = (signed.chain(), signed.key());
    let [no_chain, no_key, no_pair] = [
        certificate(&key, &key),
        certificate(&chain, &chain),
        certificate(&chain, &authority.sign("another", 2).key()),
    ];
    let found = [
        ("auth", wrong(|settings| settings.auth = basic("a:b"))),
        ("auth", wrong(|settings| settings.auth = bearer("s3cret\n"))),
        ("auth", wrong(|settings| settings.auth = bearer("s3crét"))),
        (
            "secret",
            wrong(|settings| settings.secret = Some(secret(""))),
        ),
        (
            "ca",
            wrong(|settings| settings.ca = Some(b"s3cret".to_vec())),
        ),
        (
            "client_certificate",
            wrong(|settings| settings.client_certificate = no_chain),
        ),
        (
            "client_certificate",
            wrong(|settings| settings.client_certificate = no_key),
        ),
        (
            "client_certificate",
            wrong(|settings| settings.client_certificate = no_pair),
        ),
        (
            "proxy",
            wrong(|settings| settings.proxy = Some(secret("socks5://s3cret@h"))),
        ),
        (
            "proxy",
            wrong(|settings| settings.proxy = Some(secret("http://"))),
        ),
        (
            "timeout",
            wrong(|settings| settings.timeout = Duration::ZERO),
        ),
        ("limit", wrong(|settings| settings.limit = Duration::ZERO)),
    ];
    for (key, error) in found {
        assert_eq!(error.key(), key, "{error}");
        let said = format!("{error} {error:?}");
        assert!(said.contains(": ") && !said.contains("s3cr"), "{said}");
    }
}
