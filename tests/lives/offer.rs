//! What is offered: the plans as a table, and the catalog made of it, with a backend that the sequence plays.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use catalog_broker::catalog::{Memory, load_texts};
use catalog_broker::document::Environment;
use catalog_broker::domain::catalog::Catalog;
use catalog_broker::domain::offering::{Offering, Plan as Offered};

use crate::backend::{Board, Played};
use crate::steps::SECOND;

pub const SERVICE: &str = "6f2b6f54-9d7c-4c39-9a36-5f7f0e0e7000";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Respond {
    Sync,
    Async,
    Auto,
}

/// A plan, as far as the model needs it.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    pub id: &'static str,
    pub name: &'static str,
    pub respond: Respond,
    pub poll_every: Option<u64>,
    pub max_attempts: u32,
    /// Its queue.
    pub backend: &'static str,
    /// How long its bindings live, in milliseconds.
    pub ttl: Option<i64>,
}

pub const PLANS: [Plan; 5] = [
    Plan {
        id: "6f2b6f54-9d7c-4c39-9a36-5f7f0e0e7001",
        name: "later",
        respond: Respond::Async,
        poll_every: Some(7),
        max_attempts: 3,
        backend: "wide",
        ttl: None,
    },
    Plan {
        id: "6f2b6f54-9d7c-4c39-9a36-5f7f0e0e7002",
        name: "either",
        respond: Respond::Auto,
        poll_every: None,
        max_attempts: 2,
        backend: "wide",
        ttl: None,
    },
    Plan {
        id: "6f2b6f54-9d7c-4c39-9a36-5f7f0e0e7003",
        name: "waits",
        respond: Respond::Sync,
        poll_every: Some(11),
        max_attempts: 2,
        backend: "wide",
        ttl: None,
    },
    Plan {
        id: "6f2b6f54-9d7c-4c39-9a36-5f7f0e0e7004",
        name: "narrow",
        respond: Respond::Async,
        poll_every: None,
        max_attempts: 3,
        backend: NARROW,
        ttl: None,
    },
    Plan {
        id: "6f2b6f54-9d7c-4c39-9a36-5f7f0e0e7005",
        name: "ends",
        respond: Respond::Async,
        poll_every: None,
        max_attempts: 2,
        backend: "wide",
        ttl: Some(90 * 60 * SECOND),
    },
];

/// The queue that has a limit.
pub const NARROW: &str = "narrow";
pub const LIMIT: usize = 1;

pub fn plan(id: &str) -> Option<&'static Plan> {
    PLANS.iter().find(|plan| plan.id == id)
}

fn document() -> String {
    let mut text = format!(
        r#"services:
  - id: {SERVICE}
    name: timed
    description: Everything takes time
    bindable: true
    plan_updateable: true
    instances_retrievable: true
    bindings_retrievable: true
    backend: {{ command: {{ run: [/bin/true] }} }}
    answer_within: 10m
    instance:
      dashboard_url: "https://dash.example.com/{{{{ plan.name }}}}/{{{{ instance.parameters.size | default('none') }}}}"
    binding:
      credentials:
        made: "{{{{ binding.outputs.token }}}}"
        home: "{{{{ instance.outputs.token }}}}"
        size: "{{{{ instance.parameters.size }}}}"
        level: "{{{{ binding.parameters.level }}}}"
    plans:"#
    );
    for plan in &PLANS {
        let respond = match plan.respond {
            Respond::Sync => "sync",
            Respond::Async => "async",
            Respond::Auto => "auto",
        };
        let _ = write!(
            text,
            "\n      - id: {}\n        name: {}\n        description: A plan\n        respond: {respond}\n        max_attempts: {}",
            plan.id, plan.name, plan.max_attempts
        );
        if let Some(seconds) = plan.poll_every {
            let _ = write!(text, "\n        poll_every: {seconds}s");
        }
        if let Some(ttl) = plan.ttl {
            let ttl = ttl / SECOND;
            let _ = write!(
                text,
                "\n        binding: {{ ttl: {ttl}s, renew_before: 60s }}"
            );
        }
    }
    text.push('\n');
    text
}

/// The catalog, all of its work put on a board.
pub fn catalog(board: &Arc<Board>) -> Arc<Catalog> {
    let environment = Environment::new(Vec::<(String, String)>::new());
    let none: Vec<(&str, &str)> = Vec::new();
    let text = document();
    let loaded = load_texts(
        vec![("catalog.yaml", text.as_str())],
        &environment,
        none,
        Memory::Remembers,
    );
    let Some(catalog) = loaded.catalog else {
        panic!("{:?}", loaded.findings);
    };
    let oldest = catalog.minimum_api_version();
    let offerings = catalog.offerings().to_vec();
    drop(catalog);
    let offerings = offerings.into_iter().map(|offering| {
        let mut offering: Offering = Arc::into_inner(offering).expect("the only one");
        let plans = offering.plans.into_iter().map(|plan| {
            let mut plan: Offered = Arc::into_inner(plan).expect("the only one");
            let ours = self::plan(plan.id.as_str()).expect("a plan of the table");
            let limit = (ours.backend == NARROW).then_some(LIMIT);
            plan.backend = Arc::new(Played::new(ours.backend, limit, board));
            Arc::new(plan)
        });
        offering.plans = plans.collect();
        Arc::new(offering)
    });
    Arc::new(Catalog::new(oldest, offerings.collect()))
}

/// The patience of a platform that waits for what is done at once.
pub const PATIENT: Duration = Duration::from_secs(300);
