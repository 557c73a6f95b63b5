//! Operations that take time: what it costs to take one up with 10,000 waiting against 10, on each store; and a poll of
//! one against a fetch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog_broker::domain::caller::Asker;
use catalog_broker::domain::id::{InstanceId, OperationId, PlanId, ServiceId};
use catalog_broker::domain::instance::{Instance, InstanceDetails};
use catalog_broker::domain::json::Fingerprint;
use catalog_broker::domain::operation::{Kind, Operation, Report, State, Subject, Task};
use catalog_broker::domain::store::{Act, Change, End, Ending, Job, Leaves, Store, Take, Taken};
use catalog_broker::domain::time::Timestamp;
use catalog_broker::secret::Secret;
use catalog_broker::store::Keys;
use catalog_broker::store::postgres::{Bounds, PostgresStore};
use catalog_broker::store::sqlite::SqliteStore;
use tokio::runtime::{Builder, Runtime};

use crate::broker::{self, CATALOG, Folder, PLAN, SERVICE, provision, request};
use crate::cluster::Cluster;
use crate::load::{drive, guid};
use crate::report::{at_most, median, note};

const FEW: u64 = 10;
const MANY: u64 = 10_000;
const ROUNDS: u64 = 301;
const BACKEND: &str = "buckets";
const NOW: Timestamp = Timestamp(1_000);
const POLLS: usize = 3_000;

pub fn run() {
    sqlite();
    postgres();
    polls();
}

fn sqlite() {
    let (few, many) = (Folder::new(), Folder::new());
    let open = |folder: &Folder| -> Box<dyn Store> {
        Box::new(SqliteStore::open(&folder.0.join("broker.db"), &Keys::default()).expect("a store"))
    };
    compare("sqlite", &open(&few), &open(&many));
}

fn postgres() {
    let server = Cluster::start(&["-c", "fsync=on"]);
    let open = || -> Box<dyn Store> {
        let bounds = Bounds {
            connections: 2,
            timeout: Duration::from_secs(30),
        };
        let url = Secret::new(server.socket_url(&server.database()));
        Box::new(
            PostgresStore::open(url, bounds, &Keys::new(&[Secret::new([7; 32])])).expect("a store"),
        )
    };
    compare("postgres", &open(), &open());
}

fn compare(engine: &str, few: &dyn Queue, many: &dyn Queue) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    few.fill(&runtime, FEW);
    many.fill(&runtime, MANY);
    let mut ratios = Vec::new();
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let short = few.take_one(&runtime, MANY + round);
        let long = many.take_one(&runtime, MANY + round);
        ratios.push(long.as_secs_f64() / short.as_secs_f64());
        times.push(short.as_secs_f64());
    }
    at_most(
        &format!("{engine}: taking an operation up, 10,000 waiting / 10 waiting"),
        median(ratios),
        2.0,
        None,
        "",
    );
    note(
        &format!("{engine}: taking an operation up, 10 waiting"),
        &format!("{:.2} ms", median(times) * 1e3),
    );
}

/// A store with operations that wait.
trait Queue {
    /// So many wait from now on.
    fn fill(&self, runtime: &Runtime, count: u64);

    /// How long one takes that is taken up and ends; another one comes in its place.
    fn take_one(&self, runtime: &Runtime, next: u64) -> Duration;
}

impl Queue for Box<dyn Store> {
    fn fill(&self, runtime: &Runtime, count: u64) {
        for number in 0..count {
            let begun = runtime.block_on(self.begin(waiting(number)));
            begun.expect("an operation that waits");
        }
    }

    fn take_one(&self, runtime: &Runtime, next: u64) -> Duration {
        let began = Instant::now();
        let taken = runtime.block_on(self.take(take())).expect("an operation");
        let took = began.elapsed();
        let [taken] = taken.as_slice() else {
            panic!("one was to be taken up, {} were", taken.len());
        };
        runtime.block_on(async {
            self.end(done(taken)).await.expect("its end");
            self.begin(waiting(next)).await.expect("another one");
        });
        took
    }
}

fn take() -> Take {
    Take {
        owner: Arc::from("bench"),
        now: NOW,
        until: Timestamp(NOW.0 + 30_000),
        most: 1,
        limits: vec![(Arc::from(BACKEND), 4)],
    }
}

/// A provision that is to be carried out.
fn waiting(number: u64) -> Change {
    let id = InstanceId::parse(&guid(number)).expect("an id");
    let mut bits = [0; 16];
    bits[..8].copy_from_slice(&number.to_be_bytes());
    let operation = Operation {
        id: OperationId::from_random(bits),
        kind: Kind::Provision,
        subject: Subject::Instance(id.clone()),
        state: State::InProgress,
        report: Report::default(),
        fingerprint: None,
        started_at: Timestamp(0),
        finished_at: None,
    };
    let instance = Instance {
        id,
        service_id: ServiceId::parse(SERVICE).expect("an id"),
        plan_id: PlanId::parse(PLAN).expect("an id"),
        organization: "organization".to_owned(),
        space: "space".to_owned(),
        last_operation: operation.standing(),
        version: 1,
        backend: Some(Arc::from(BACKEND)),
        fingerprint: Fingerprint([1; 32]),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        details: Secret::new(InstanceDetails::default()),
    };
    let task = Task {
        asker: Asker {
            login: "bench".to_owned(),
            originating_identity: None,
            request_identity: None,
            trace: None,
        },
        update: None,
    };
    Change {
        operation,
        act: Act::Provision {
            instance: Box::new(instance),
            replaces: None,
        },
        job: Some(Job {
            backend: Arc::from(BACKEND),
            limited: false,
            hold: None,
            task: Secret::new(task),
            cancels: None,
        }),
        guards: Vec::new(),
    }
}

fn done(taken: &Taken) -> End {
    let mut instance = taken.instance.clone();
    instance.last_operation.state = State::Succeeded;
    instance.version += 1;
    End {
        operation: taken.operation.id.clone(),
        subject: taken.operation.subject.clone(),
        attempt: taken.attempt,
        at: NOW,
        ending: Ending::Over {
            state: State::Succeeded,
            report: Report::default(),
            leaves: Leaves::Instance(Box::new(instance)),
        },
    }
}

/// A poll against a fetch of the same instance, in rounds.
fn polls() {
    let folder = Folder::with(CATALOG);
    let (process, address) = broker::start(&folder, "off");
    drive(address, 1, 1, 201, |_, _| provision("polled"));
    let ask = |path: &'static str| {
        drive(address, 1, POLLS, 200, move |_, _| request("GET", path)).as_secs_f64()
    };
    let ratio = |_| {
        ask("/v2/service_instances/polled/last_operation") / ask("/v2/service_instances/polled")
    };
    ratio(0);
    at_most(
        "last_operation / fetch of an instance",
        median((0..9).map(ratio).collect()),
        1.5,
        None,
        "",
    );
    drop(process);
}
