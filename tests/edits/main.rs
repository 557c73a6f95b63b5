//! Random edits: one that the guard passes never changes what fetch, bind, unbind and deprovision of a live instance do.
//!
//! Meant, and left out: nobody binds any more to a plan that is hidden or has left with a warning; and what was refused
//! before may be let. A bind has no parameters here: a schema for them may become narrower at any time, for each bind
//! brings its own, and a refusal names the parameter. Of the guard's rules three are about what is not looked at here:
//! `updates-withdrawn` and `schema-narrowed` about updates, and `requires-withdrawn` about what the platform itself does
//! with an answer.

#![expect(clippy::expect_used, reason = "what is missing here fails the test")]

mod document;
mod world;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use catalog_broker::settings::Breaking;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::{Builder, Runtime};

use document::{Backend, Document, Edit, Plan, Service};
use world::Came;

/// A folder that goes when the test does, and a runtime.
struct Bench {
    path: PathBuf,
    runtime: Runtime,
    next: Cell<u32>,
}

impl Bench {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("edits-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder of the test's own");
        let runtime = Builder::new_current_thread().enable_all().build();
        Self {
            path,
            runtime: runtime.expect("a runtime"),
            next: Cell::new(0),
        }
    }

    fn try_out(&self, old: &Document, new: &Document, allowed: &[Breaking]) -> Came {
        let number = self.next.get();
        self.next.set(number + 1);
        let folder = self.path.join(number.to_string());
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("broker.db");
        let came = self
            .runtime
            .block_on(world::lived(&file, old, new, allowed));
        fs::remove_dir_all(&folder).expect("no folder any more");
        came
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// An eighth of the usual number: each case is some dozen calls on a store of its own.
#[test]
fn an_edit_that_passes_changes_nothing_for_what_lives() {
    let bench = Bench::new("random");
    let cases = Config::default().cases.div_ceil(8);
    let config = Config {
        failure_persistence: None,
        cases,
        max_shrink_iters: 400,
        ..Config::default()
    };
    let tally: RefCell<BTreeMap<&str, u32>> = RefCell::default();
    let strategy = (document::document(), document::edits());
    let outcome = TestRunner::new(config).run(&strategy, |(old, edits)| {
        let came = bench.try_out(&old, &old.edited(&edits), &[]);
        let word = match &came {
            Came::Unsound => "unsound",
            Came::Refused => "refused",
            Came::Served => "served",
            Came::Changed(_) => "changed",
        };
        *tally.borrow_mut().entry(word).or_default() += 1;
        match came {
            Came::Changed(what) => Err(TestCaseError::fail(what)),
            _ => Ok(()),
        }
    });
    if let Err(why) = outcome {
        panic!("{why}");
    }
    let tally = tally.into_inner();
    println!("{cases} sequences of edits: {tally:?}");
    for word in ["refused", "served"] {
        assert!(tally.contains_key(word), "never {word}: {tally:?}");
    }
}

fn base() -> Document {
    let plan = |id: u16, backend| Plan {
        id,
        name: id,
        bindable: None,
        plan_updateable: None,
        offered: true,
        largest: Some(9),
        backend,
    };
    Document {
        services: vec![Service {
            id: 10,
            name: 10,
            bindable: true,
            syslog_drain: true,
            route_forwarding: true,
            plan_updateable: true,
            instances_retrievable: true,
            bindings_retrievable: true,
            plans: vec![
                plan(11, Backend::Fixed),
                plan(12, Backend::Named(document::NAMES[0])),
            ],
        }],
    }
}

/// The counter-proof: with one rule switched off, the edit that it is for passes, and something is another thing.
#[test]
fn without_a_rule_its_edit_changes_what_lives() {
    let bench = Bench::new("counter");
    let two = Backend::Named(document::NAMES[1]);
    for (rule, edit) in [
        (Breaking::IdChanged, Edit::PlanId(0, 0)),
        (Breaking::IdChanged, Edit::ServiceId(0)),
        (Breaking::BindableWithdrawn, Edit::Bindable(0)),
        (
            Breaking::BindableWithdrawn,
            Edit::PlanBindable(0, 1, Some(false)),
        ),
        (
            Breaking::RetrievableWithdrawn,
            Edit::InstancesRetrievable(0),
        ),
        (
            Breaking::BackendChanged,
            Edit::Backend(0, 0, Backend::Command),
        ),
        (
            Breaking::BackendChanged,
            Edit::Backend(0, 1, Backend::Fixed),
        ),
        (Breaking::BackendChanged, Edit::Backend(0, 1, two)),
        (Breaking::PlanInUse, Edit::RemovePlan(0, 1)),
    ] {
        let (old, new) = (base(), base().edited(&[edit]));
        assert_eq!(bench.try_out(&old, &new, &[]), Came::Refused, "{edit:?}");
        // An id that changes is a plan that leaves, too.
        let allowed = match rule {
            Breaking::IdChanged => vec![rule, Breaking::PlanInUse],
            _ => vec![rule],
        };
        let came = bench.try_out(&old, &new, &allowed);
        assert!(matches!(came, Came::Changed(_)), "{edit:?}: {came:?}");
    }
    for edit in [
        Edit::RenamePlan(0, 0),
        Edit::Schema(0, 0, Some(5)),
        Edit::Offered(0, 1),
    ] {
        let (old, new) = (base(), base().edited(&[edit]));
        assert_eq!(bench.try_out(&old, &new, &[]), Came::Served, "{edit:?}");
    }
}
