//! The one file beside the pages: their looks, in the binary, under a name that changes with what is in it.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::web::Bytes;
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("style.css");

/// Its page: `/style-HASH.css`.
pub(super) static PAGE: LazyLock<String> = LazyLock::new(|| {
    let hash = Sha256::digest(STYLE.as_bytes());
    let hash = hash
        .iter()
        .take(8)
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    format!("/style-{hash}.css")
});

/// Under this name it never changes.
pub(super) async fn fetch() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((
            CONTENT_TYPE,
            HeaderValue::from_static("text/css; charset=utf-8"),
        ))
        .insert_header((
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        ))
        .insert_header(("x-content-type-options", "nosniff"))
        .insert_header(("cross-origin-resource-policy", "same-origin"))
        .body(Bytes::from_static(STYLE.as_bytes()))
}
