//! The programs of `config/examples/backends`: a whole life with each, and every step twice.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command as Program;

use catalog_broker::backend::CommandSettings;
use catalog_broker::domain::id::{BindingId, InstanceId, OperationId, PlanId};
use catalog_broker::domain::operation::Kind;
use serde_json::{Value, json};

use crate::stage::{Stage, done, ours, told};

/// Each with what it is started by.
fn each(life: impl Fn(&str, &[&str])) {
    let (sh, py) = (
        ours("config/examples/backends/bucket.sh"),
        ours("config/examples/backends/bucket.py"),
    );
    life("bucket.sh", &[&sh]);
    life("bucket.py", &[&python(), &py]);
}

/// The interpreter itself: what stands in the PATH may be a script that needs more of an environment.
fn python() -> String {
    let asked = Program::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .expect("python3");
    String::from_utf8(asked.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

struct Buckets {
    stage: Stage,
    run: Vec<String>,
    next: u8,
}

impl Buckets {
    fn new(run: &[&str]) -> Self {
        let stage = Stage::new();
        fs::create_dir(stage.path("buckets")).expect("a folder");
        Self {
            stage,
            run: run.iter().map(|word| (*word).to_owned()).collect(),
            next: 0,
        }
    }

    fn settings(&self) -> CommandSettings {
        let run: Vec<&str> = self.run.iter().map(String::as_str).collect();
        let root = self.root().to_str().expect("text").to_owned();
        CommandSettings {
            env: vec![
                ("BUCKETS".to_owned(), root.into()),
                (
                    "PATH".to_owned(),
                    "/usr/local/bin:/usr/bin:/bin".to_owned().into(),
                ),
            ],
            ..self.stage.program(&run)
        }
    }

    fn root(&self) -> PathBuf {
        self.stage.path("buckets")
    }

    fn bucket(&self) -> PathBuf {
        self.root().join(self.stage.instance.id.as_str())
    }

    fn key(&self) -> PathBuf {
        self.bucket().join(".keys").join("b-1")
    }

    /// A new operation, tried twice: as if the broker had died before it could write the first result down.
    fn carry_out(&mut self, kind: Kind) -> Value {
        self.next += 1;
        self.stage.operation = OperationId::from_random([self.next; 16]);
        let (outputs, state) = done(self.stage.attempt(kind, self.settings()));
        let again = done(self.stage.attempt(kind, self.settings()));
        assert_eq!(again, (outputs.clone(), state), "{kind}, repeated");
        outputs
    }
}

#[test]
fn a_bucket_has_a_whole_life() {
    each(|name, run| {
        let mut buckets = Buckets::new(run);
        let reply = buckets.carry_out(Kind::Provision);
        assert_eq!(
            reply,
            json!({ "bucket": buckets.bucket(), "quota": 5 }),
            "{name}"
        );
        let mode = fs::metadata(buckets.bucket())
            .expect("a bucket")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700, "{name}");

        let bound = buckets.carry_out(Kind::Bind);
        let key = fs::read_to_string(buckets.key()).expect("a key");
        assert_eq!(
            bound,
            json!({ "access_key": "b-1", "secret_key": key }),
            "{name}"
        );
        assert_eq!(key.len(), 32, "{name}: {key}");

        buckets.stage.previous = Some(buckets.stage.instance.clone());
        buckets.stage.instance.plan_id = PlanId::parse("q").expect("an id");
        let updated = buckets.carry_out(Kind::Update);
        assert_eq!(updated["quota"], 50, "{name}");
        assert!(
            buckets.key().exists(),
            "{name}: an update takes no key away"
        );

        assert_eq!(buckets.carry_out(Kind::Unbind), json!({}), "{name}");
        assert!(!buckets.key().exists(), "{name}");
        assert_eq!(buckets.carry_out(Kind::Deprovision), json!({}), "{name}");
        assert!(!buckets.bucket().exists(), "{name}");
    });
}

#[test]
fn what_was_stopped_in_the_middle_is_done_again() {
    each(|name, run| {
        let mut buckets = Buckets::new(run);
        buckets.carry_out(Kind::Provision);
        let first = buckets.carry_out(Kind::Bind);
        // As it is when the program dies after its work and before its answer.
        let journal = buckets
            .root()
            .join(".done")
            .join(buckets.stage.operation.as_str());
        fs::remove_file(journal).expect("the journal of the bind");
        let (second, _) = done(buckets.stage.attempt(Kind::Bind, buckets.settings()));
        assert_eq!(first, second, "{name}: the same key");
    });
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_done() {
    each(|name, run| {
        let mut buckets = Buckets::new(run);
        let bind = buckets.stage.attempt(Kind::Bind, buckets.settings());
        let expected = ("refused", "The bucket is not there.".to_owned());
        assert_eq!(told(bind), expected, "{name}");
        for id in ["../escape", "a/b", "..", "$(touch x)", "-rf /"] {
            buckets.stage.instance.id = InstanceId::parse(id).expect("an id");
            for kind in Kind::ALL {
                let outcome = buckets.stage.attempt(kind, buckets.settings());
                let (word, why) = told(outcome);
                assert_eq!(word, "refused", "{name}, {id}");
                assert!(why.starts_with("This service takes ids"), "{why}");
            }
        }
        assert!(!buckets.stage.path("escape").exists(), "{name}");

        buckets.stage.instance.id = InstanceId::parse("i-1").expect("an id");
        buckets.carry_out(Kind::Provision);
        buckets.stage.operation = OperationId::from_random([99; 16]);
        buckets.stage.binding.id = BindingId::parse("../../x").expect("an id");
        let bind = buckets.stage.attempt(Kind::Bind, buckets.settings());
        assert_eq!(told(bind).0, "refused", "{name}");
    });
}

#[test]
fn progress_is_shown() {
    each(|name, run| {
        let buckets = Buckets::new(run);
        let (_, heard) = buckets.stage.heard(Kind::Provision, buckets.settings());
        assert_eq!(heard, ["making the bucket"], "{name}");
    });
}
