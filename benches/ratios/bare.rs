//! The peer of the catalog request: an actix-web program that sends the same head and body, and does nothing else.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED, VARY};
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};

use crate::broker::Folder;
use crate::http::Response;
use crate::process::Process;

/// What makes this program that one.
pub const ARGUMENT: &str = "serve-bare";

/// Starts it with what the broker answered.
pub fn start(folder: &Folder, like: &Response) -> (Process, SocketAddr) {
    Process::listening(&mut command(folder, like))
}

pub fn command(folder: &Folder, like: &Response) -> Command {
    let body = folder.0.join("bare-body");
    fs::write(&body, &like.body).expect("a body");
    let head = ["etag", "last-modified"]
        .map(|name| like.header(name).expect(name))
        .join("\n");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg(ARGUMENT).arg(head).arg(body);
    command
}

pub fn serve(head: &str, body: &str) {
    let body: Bytes = fs::read(body).expect("a body").into();
    let (etag, date) = head.split_once('\n').expect("two headers");
    let (etag, date) = (
        HeaderValue::from_str(etag).expect("a tag"),
        HeaderValue::from_str(date).expect("a date"),
    );
    let served = actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            let (body, etag, date) = (body.clone(), etag.clone(), date.clone());
            App::new().route(
                "/v2/catalog",
                web::get().to(move || {
                    let answer = HttpResponse::Ok()
                        .insert_header((ETAG, etag.clone()))
                        .insert_header((LAST_MODIFIED, date.clone()))
                        .insert_header((VARY, HeaderValue::from_static("Accept-Encoding")))
                        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
                        .body(body.clone());
                    std::future::ready(answer)
                }),
            )
        })
        .workers(2)
        .bind("127.0.0.1:0")?;
        println!("listening on http://{}", server.addrs()[0]);
        server.run().await
    });
    served.expect("it serves");
}
