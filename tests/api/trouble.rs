//! A disk that is full, read-only or broken while the broker runs, and a database that somebody else holds: 503 and
//! nothing half-written, and all goes on by itself when the trouble is over.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{
    Broker, CATALOG, Folder, PLAN, SERVICE, Setup, at_instance, bind_body, provision_body,
};
use crate::http::{Connection, Response};
use crate::running::wait_until;
use crate::store::{assert_sound, database};

const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const EIO: i32 = 5;

/// A broker on a disk whose faults are switched by a file.
struct Faulty {
    broker: Broker,
    control: PathBuf,
}

impl Faulty {
    fn start() -> Self {
        let folder = Arc::new(Folder::new());
        let control = folder.path().join("fault");
        let broker = Setup::new(CATALOG)
            .env("LD_PRELOAD", &shim(&folder))
            .env("FAULT_CONTROL", &control.display().to_string())
            .start_in(&folder);
        Self { broker, control }
    }

    fn break_disk(&self, what: &str, number: i32) {
        // By a rename, so that the broker never reads half of it.
        let new = self.control.with_extension("new");
        fs::write(&new, format!("{what} {number}")).expect("the switch");
        fs::rename(new, &self.control).expect("the switch");
    }

    fn mend_disk(&self) {
        fs::remove_file(&self.control).expect("the switch");
    }
}

/// Compiles the shim; where it is then.
fn shim(folder: &Folder) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/fault.c");
    let library = folder.path().join("fault.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .status();
    assert!(compiled.expect("a C compiler").success());
    library.display().to_string()
}

/// What a platform reads while the store is away.
fn assert_away(answer: &Response) {
    assert_eq!(
        (answer.status, answer.word().as_str()),
        (503, "StoreUnavailable"),
        "{}",
        answer.text()
    );
    let after = answer.header("retry-after").expect("when to come again");
    assert!(after.parse::<u32>().is_ok_and(|after| after > 0), "{after}");
    let text = answer.text();
    for inside in ["disk", "I/O", "SQL", "broker.db", "locked", "readonly"] {
        assert!(!text.contains(inside), "{inside:?} is said outside: {text}");
    }
}

fn is_ready(broker: &Broker) -> bool {
    broker.get("/readyz").status == 200
}

/// One instance and one binding, from before the trouble.
fn with_one_of_each(broker: &Broker) {
    assert_eq!(broker.provision("old", &provision_body()).status, 201);
    assert_eq!(broker.bind("old", "b", &bind_body()).status, 201);
    assert!(is_ready(broker));
}

/// In trouble every change is 503 and has not happened, what was read before can be read still, and the broker says
/// that it lives but is not ready.
fn assert_in_trouble(broker: &Broker) {
    let move_to = json!({ "service_id": SERVICE, "parameters": { "a": 1 } });
    assert_away(&broker.provision("new", &provision_body()));
    assert_away(&broker.bind("old", "new", &bind_body()));
    assert_away(&broker.update("old", &move_to));
    assert_away(&broker.unbind("old", "b", SERVICE, PLAN));
    assert_away(&broker.deprovision("old", SERVICE, PLAN));
    assert!(!is_ready(broker), "it is ready though it cannot write");
    assert_eq!(broker.get("/healthz").status, 200);
    assert_eq!(broker.catalog().status, 200);
    assert_untouched(broker);
}

fn assert_untouched(broker: &Broker) {
    assert_eq!(broker.fetch("new").status, 404);
    assert_eq!(broker.poll("new").status, 404);
    assert_eq!(broker.fetch_binding("old", "new").status, 404);
    assert_eq!(broker.fetch("old").json()["parameters"], json!({}));
    assert_eq!(broker.fetch_binding("old", "b").status, 200);
    assert_eq!(broker.poll("old").json()["state"], "succeeded");
}

/// Afterwards the broker is ready by itself, nothing of what was refused is there, and everything can be done again.
fn assert_over(broker: Broker) {
    wait_until(&broker, "never ready again", || is_ready(&broker));
    assert_untouched(&broker);
    let broker = broker.restarted();
    assert_sound(&broker.folder);
    assert_untouched(&broker);
    assert_eq!(broker.provision("new", &provision_body()).status, 201);
    assert_eq!(broker.bind("old", "new", &bind_body()).status, 201);
    assert_eq!(broker.deprovision("old", SERVICE, PLAN).status, 200);
}

#[test]
fn a_disk_that_fails_is_503_until_it_is_mended() {
    for (what, number) in [
        ("write", ENOSPC),
        ("write", EROFS),
        ("write", EIO),
        ("sync", EIO),
        ("sync", ENOSPC),
    ] {
        let disk = Faulty::start();
        with_one_of_each(&disk.broker);
        disk.break_disk(what, number);
        assert_in_trouble(&disk.broker);
        disk.mend_disk();
        // Without a single change in between: the broker finds out by itself.
        wait_until(&disk.broker, "never ready again", || is_ready(&disk.broker));
        let retried = disk.broker.provision("retried", &provision_body());
        assert_eq!(retried.status, 201, "{what} {number}");
        let log = disk.broker.log();
        assert!(log.contains("the store cannot be used"), "{log}");
        assert_over(disk.broker);
    }
}

/// The disk breaks and heals over and over under load: an answer is yes or 503, and each yes is kept.
#[test]
fn a_disk_that_comes_and_goes_loses_nothing() {
    const CLIENTS: usize = 16;
    let disk = Faulty::start();
    let going = AtomicBool::new(true);
    let broker = &disk.broker;
    let (made, refused): (Vec<Vec<String>>, usize) = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let going = &going;
                scope.spawn(move || provision_while(broker, client, going))
            })
            .collect();
        for round in 0..20 {
            let (what, number) = [("write", ENOSPC), ("sync", EIO), ("write", EIO)][round % 3];
            thread::sleep(Duration::from_millis(30));
            disk.break_disk(what, number);
            thread::sleep(Duration::from_millis(30));
            disk.mend_disk();
        }
        going.store(false, Ordering::Relaxed);
        let clients: Vec<_> = clients
            .into_iter()
            .map(|client| client.join().expect("what it was answered"))
            .collect();
        let refused = clients.iter().map(|(_, refused)| refused).sum();
        (clients.into_iter().map(|(made, _)| made).collect(), refused)
    });
    let made: Vec<String> = made.into_iter().flatten().collect();
    assert!(made.len() > 100 && refused > 20, "{} {refused}", made.len());
    let broker = disk.broker.restarted();
    assert_sound(&broker.folder);
    let mut connection = Connection::open(broker.address).expect("a connection");
    for instance in &made {
        let request = broker.request("GET", &at_instance(instance));
        let answer = connection.send(&request).expect("an answer");
        assert_eq!(answer.status, 200, "{instance} was answered with 201");
    }
}

fn provision_while(broker: &Broker, client: usize, going: &AtomicBool) -> (Vec<String>, usize) {
    let mut connection = Connection::open(broker.address).expect("a connection");
    let (mut made, mut refused) = (Vec::new(), 0);
    for number in (0..).take_while(|_| going.load(Ordering::Relaxed)) {
        let id = format!("i-{client}-{number}");
        let request = broker
            .request("PUT", &at_instance(&id))
            .json(&provision_body());
        let answer = connection.send(&request).expect("an answer");
        if answer.status == 201 {
            made.push(id);
        } else {
            assert_away(&answer);
            refused += 1;
        }
    }
    (made, refused)
}

/// A small disk of memory, and full: as root; elsewhere the shim has to do.
#[test]
fn a_full_disk_is_503_until_there_is_room() {
    let folder = Arc::new(Folder::new());
    let Some(disk) = SmallDisk::mount(&folder.path().join("data")) else {
        println!("NOT SHOWN on a real disk: this user cannot mount one; the shim stands in for it");
        return;
    };
    let broker = Setup::new(CATALOG).start_in(&folder);
    with_one_of_each(&broker);
    let ballast = disk.fill();
    let mut filled = 0;
    // What the log has already may be written over, so it takes a few.
    while broker
        .provision(&format!("filler-{filled}"), &provision_body())
        .status
        == 201
    {
        filled += 1;
        assert!(filled < 1000, "the disk never was full");
    }
    assert_in_trouble(&broker);
    fs::remove_file(ballast).expect("room again");
    for number in 0..filled {
        let kept = broker.fetch(&format!("filler-{number}")).status;
        assert_eq!(kept, 200, "filler-{number} was answered with 201");
    }
    assert_over(broker);
    drop(disk);
}

struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path) -> Option<Self> {
        fs::create_dir_all(path).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "none"])
            .arg(path)
            .output();
        mounted
            .is_ok_and(|mounted| mounted.status.success())
            .then(|| Self(path.to_owned()))
    }

    /// Takes all the room there is.
    fn fill(&self) -> PathBuf {
        let filler = self.0.join("filler");
        let full = fs::write(&filler, vec![1; 4 * 1024 * 1024]);
        assert!(full.is_err(), "the disk is not small");
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Somebody else (a backup, a person with `sqlite3`) holds the database: for a moment changes wait, for longer they are
/// 503, reading goes on, and afterwards all is as before.
#[test]
fn a_database_that_somebody_holds_is_waited_for() {
    let broker = Setup::new(CATALOG).start();
    with_one_of_each(&broker);
    let holder = database(&broker.folder);

    holder.execute_batch("BEGIN EXCLUSIVE").expect("the lock");
    let waited = thread::scope(|scope| {
        let provisioned = scope.spawn(|| broker.provision("patient", &provision_body()).status);
        thread::sleep(Duration::from_millis(500));
        holder.execute_batch("ROLLBACK").expect("its end");
        provisioned.join().expect("its answer")
    });
    assert_eq!(waited, 201);

    holder.execute_batch("BEGIN EXCLUSIVE").expect("the lock");
    let asked = Instant::now();
    assert_away(&broker.provision("new", &provision_body()));
    let took = asked.elapsed();
    assert!(
        took < Duration::from_secs(10),
        "no platform waits: {took:?}"
    );
    assert!(!is_ready(&broker));
    assert_untouched(&broker);
    holder.execute_batch("ROLLBACK").expect("its end");
    assert_over(broker);
}
