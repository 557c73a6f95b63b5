//! The programs of `config/examples/backends`, run as they are.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use catalog_broker::backend::{Webhook, WebhookSettings};
use catalog_broker::domain::operation::Kind;
use serde_json::json;

use crate::harness::{Task, done, refused, secret};

const SECRET: &str = "geheim";

struct Example {
    child: Child,
    url: String,
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(name: &str) -> String {
    format!(
        "{}/config/examples/backends/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

fn example() -> Example {
    let mut child = Command::new("python3")
        .arg(program("webhook.py"))
        .env("WEBHOOK_SECRET", SECRET)
        .env("PORT", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("python3 is installed");
    let mut said = String::new();
    BufReader::new(child.stdout.take().expect("its output"))
        .read_line(&mut said)
        .expect("a line");
    let url = said.trim().strip_prefix("listening on ").expect("a URL");
    Example {
        url: url.to_owned(),
        child,
    }
}

fn hook(example: &Example, key: &str) -> Webhook {
    let mut settings = WebhookSettings::new("python", &example.url);
    settings.secret = Some(secret(key));
    Webhook::new(settings).expect("a webhook")
}

#[test]
fn the_python_one_lives_a_life() {
    let example = example();
    let hook = hook(&example, SECRET);
    let made = done(Task::new(Kind::Provision).today().by(&hook));
    assert_eq!(made.outputs.expose()["host"], "db.example");
    done(Task::new(Kind::Update).today().by(&hook));
    let bind = Task::new(Kind::Bind).today();
    let first = done(bind.by(&hook));
    assert!(first.outputs.expose()["password"].is_string());
    let second = done(bind.by(&hook));
    assert_eq!(first, second, "the same key is the same binding");
    done(Task::new(Kind::Unbind).today().by(&hook));
    done(Task::new(Kind::Deprovision).today().by(&hook));

    let large = Task::with(Kind::Provision, &json!({ "size": 101 })).today();
    assert_eq!(refused(large.by(&hook)), "A database has 100 GB at most.");
}

#[test]
fn the_python_one_answers_later() {
    let example = example();
    let slow = Task::with(Kind::Provision, &json!({ "takes": 1.5 })).today();
    let made = done(slow.by(&hook(&example, SECRET)));
    assert_eq!(made.outputs.expose()["port"], 5432);
    let said = slow.said();
    assert!(
        said[0].starts_with("The database is being made"),
        "{said:?}"
    );
}

#[test]
fn the_python_one_lets_nobody_else_in() {
    let example = example();
    let why = refused(
        Task::new(Kind::Provision)
            .today()
            .by(&hook(&example, "another")),
    );
    assert!(why.contains("does not let the broker in"), "{why}");
}

#[test]
fn the_shell_one_calls_as_the_broker_does() {
    let example = example();
    let call = |secret: &str, age: &str| {
        let called = Command::new("sh")
            .arg(program("webhook.sh"))
            .arg(&example.url)
            .env("WEBHOOK_SECRET", secret)
            .env("AGE", age)
            .output()
            .expect("a shell");
        assert!(called.status.success(), "{called:?}");
        String::from_utf8(called.stdout).expect("text")
    };
    let let_in = call(SECRET, "0");
    assert!(
        let_in.starts_with("HTTP/1.1 200") && let_in.contains("db.example"),
        "{let_in}"
    );
    for refused in [call("another", "0"), call(SECRET, "3600")] {
        assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    }
}
