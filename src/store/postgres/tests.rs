//! What `postgres` promises beside the contract: many brokers at once, a server that goes and comes back, the ways to
//! it, and what a pooler asks of us.

mod adopt;
mod desk;
mod seal;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Bounds, OpenError, PostgresStore, place};
use crate::domain::operation::State;
use crate::domain::store::{Begun, Lease, Lookup, Store, StoreError, Take};
use crate::domain::time::Timestamp;
use crate::secret::Secret;
use crate::store::tests::cluster::Cluster;
use crate::store::tests::engines::{BOUNDS, Postgres, SERVER, keys};
use crate::store::tests::jobs::{self, asking, deprovision, end_of, over};
use crate::store::tests::proxy::{Cut, Proxy};
use crate::store::tests::{id, provision, run};

fn open(url: &str, bounds: Bounds) -> Result<PostgresStore, OpenError> {
    PostgresStore::open(Secret::new(url.to_owned()), bounds, &keys(&[1]))
}

fn refusal(url: &str) -> String {
    let refused = open(url, BOUNDS).err().expect("it is refused");
    let text = refused.to_string();
    assert!(!text.contains("p@ss") && !text.contains("p%40ss"), "{text}");
    text
}

/// Does something on several threads at the same moment.
fn together<T: Send>(count: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let gate = Barrier::new(count);
    thread::scope(|scope| {
        let running: Vec<_> = (0..count)
            .map(|number| {
                let (gate, act) = (&gate, &act);
                scope.spawn(move || {
                    gate.wait();
                    act(number)
                })
            })
            .collect();
        let ended = running.into_iter().map(thread::ScopedJoinHandle::join);
        ended.map(|result| result.expect("its result")).collect()
    })
}

#[test]
fn brokers_that_start_at_once_find_one_schema_and_one_key() {
    for _ in 0..5 {
        let engine = Postgres::fresh();
        let keys: BTreeSet<[u8; 32]> = together(5, |_| {
            let store = engine.store();
            store.fingerprint_key().of(&serde_json::json!(1)).0
        })
        .into_iter()
        .collect();
        assert_eq!(keys.len(), 1);
    }
}

#[test]
fn a_schema_that_asks_for_more_is_refused_and_one_that_merely_has_more_is_not() {
    let engine = Postgres::fresh();
    engine.store();
    let url = SERVER.socket_url(&engine.0);
    SERVER.sql(&engine.0, "UPDATE broker_schema SET version = 9, needs = 1");
    let store = open(&url, BOUNDS).expect("the last broker beside the next one");
    assert!(matches!(run(store.begin(provision("i"))), Ok(Begun::Done)));
    SERVER.sql(&engine.0, "UPDATE broker_schema SET needs = 9");
    assert!(refusal(&url).contains("they need schema 9"));
    assert_eq!(
        SERVER.sql(&engine.0, "SELECT version FROM broker_schema"),
        "9",
        "nothing was taken back"
    );
}

#[test]
fn of_many_that_want_one_id_one_wins() {
    let engine = Postgres::fresh();
    let stores: Vec<_> = (0..3).map(|_| engine.store()).collect();
    for round in 0..10 {
        let name = format!("i{round}");
        let begun = together(24, |number| {
            run(stores[number % 3].begin(provision(&name))).expect("an answer")
        });
        let won = begun.iter().filter(|begun| matches!(begun, Begun::Done));
        assert_eq!(won.count(), 1, "{begun:?}");
        let there = begun
            .iter()
            .filter(|begun| matches!(begun, Begun::InstanceThere(_)));
        assert_eq!(there.count(), 23, "{begun:?}");
    }
}

/// The same id is made and taken away by many at once: each operation has its turn, none fails of another.
#[test]
fn an_id_that_comes_and_goes_keeps_its_turns() {
    let engine = Postgres::fresh();
    let stores: Vec<_> = (0..3).map(|_| engine.store()).collect();
    together(9, |number| {
        let store = &stores[number % 3];
        for _ in 0..20 {
            run(store.begin(provision("i"))).expect("an answer");
            let Ok(Lookup::Found(there)) = run(store.instance(id("i"))) else {
                continue;
            };
            let gone = crate::store::tests::deprovision("i", there.version);
            run(store.begin(gone)).expect("an answer");
        }
    });
    let turns = SERVER.sql(
        &engine.0,
        "SELECT count(*) = max(turn), count(*) > 20 FROM broker_operations",
    );
    assert_eq!(turns, "t|t");
}

#[test]
fn each_operation_is_taken_once_and_never_more_than_the_limit() {
    const MANY: i64 = 60;
    const LIMIT: u32 = 5;
    let engine = Postgres::fresh();
    let stores: Vec<_> = (0..3).map(|_| engine.store()).collect();
    run(async {
        for number in 0..MANY {
            jobs::begin(&stores[0], jobs::provision(&format!("i{number}"), number)).await;
        }
    });
    let (held, ended) = (AtomicI64::new(0), AtomicI64::new(0));
    let done = together(3, |number| {
        let store = &stores[number];
        let mut done = 0;
        while ended.load(Ordering::SeqCst) < MANY {
            let take = Take {
                limits: vec![("queue".into(), LIMIT)],
                ..asking(&format!("broker {number}"), 1000, 4)
            };
            let taken = run(store.take(take)).expect("an answer");
            let count = i64::try_from(taken.len()).expect("a few");
            let before = held.fetch_add(count, Ordering::SeqCst);
            assert!(before + count <= LIMIT.into(), "{before} and {count} more");
            thread::sleep(Duration::from_millis(3));
            for taken in taken {
                held.fetch_sub(1, Ordering::SeqCst);
                let end = end_of(&taken, 1001, over(&taken, State::Succeeded));
                assert_eq!(run(store.end(end)).ok(), Some(Lease::Held));
                ended.fetch_add(1, Ordering::SeqCst);
                done += 1;
            }
        }
        done
    });
    assert_eq!(done.iter().sum::<i64>(), MANY, "{done:?}");
    let again = "SELECT count(*) FROM broker_operations WHERE attempt <> 1";
    assert_eq!(SERVER.sql(&engine.0, again), "0");
}

/// A delete that cancels and the end of what it cancels, at the same moment: one of them wins, neither waits for the
/// other in a circle.
#[test]
fn a_cancelling_delete_and_an_end_do_not_lock_each_other() {
    let engine = Postgres::fresh();
    let stores: Vec<_> = (0..2).map(|_| engine.store()).collect();
    for round in 0..40 {
        let name = format!("i{round}");
        let first = run(jobs::begin(&stores[0], jobs::provision(&name, 1)));
        let taken = run(stores[0].take(asking("a", 1, 10))).expect("an answer");
        let taken = taken
            .into_iter()
            .find(|taken| taken.operation.id == first)
            .expect("it is taken");
        let began = Instant::now();
        let results = together(2, |number| {
            if number == 0 {
                let gone = run(stores[0].begin(deprovision(&name, 2, &first)));
                matches!(gone.expect("an answer"), Begun::Done)
            } else {
                let end = end_of(&taken, 3, over(&taken, State::Succeeded));
                run(stores[1].end(end)).expect("an answer") == Lease::Held
            }
        });
        assert_eq!(results.iter().filter(|won| **won).count(), 1, "{results:?}");
        assert!(began.elapsed() < Duration::from_millis(900), "a deadlock");
    }
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(SERVER.sql(&engine.0, deadlocks), "0");
}

#[test]
fn a_server_that_goes_is_told_and_found_again() {
    let mut server = Cluster::start(&[]);
    let name = server.database();
    let url = server.url(&name);
    let bounds = Bounds {
        timeout: Duration::from_secs(2),
        ..BOUNDS
    };
    let store = open(&url, bounds).expect("a store");
    for round in 0..2 {
        let name = format!("i{round}");
        assert!(matches!(
            run(store.begin(provision(&name))),
            Ok(Begun::Done)
        ));
        server.stop();
        let refused = run(store.begin(provision("away")));
        assert!(
            matches!(refused, Err(StoreError::Unavailable(_))),
            "{refused:?}"
        );
        assert!(run(store.health()).is_err());
        assert!(run(store.instance(id(&name))).is_err());
        server.restart();
        run(store.health()).expect("it is back");
        assert!(matches!(
            run(store.instance(id(&name))),
            Ok(Lookup::Found(_))
        ));
    }

    // It answers nothing, and takes no connection away.
    let stopped = pids(&server);
    signal("-STOP", &stopped);
    let began = Instant::now();
    let refused = run(store.begin(provision("slow")));
    let took = began.elapsed();
    signal("-CONT", &stopped);
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert!(run(store.instance(id("i0"))).is_ok(), "and it goes on");

    // The old server after a failover: it answers, but takes no writes.
    let old = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    server.sql("postgres", &old);
    let store = open(&url, bounds).expect("a schema that is there already");
    assert!(run(store.health()).is_err());
    let refused = run(store.begin(provision("late")));
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    assert!(matches!(
        run(store.instance(id("i1"))),
        Ok(Lookup::Found(_))
    ));
}

/// The server and all that it forked.
fn pids(server: &Cluster) -> Vec<String> {
    let of = format!("{}/data", server.folder().display());
    let found = Command::new("pgrep").args(["-f", &of]).output();
    let main = String::from_utf8(found.expect("pgrep runs").stdout).expect("numbers");
    let main = main.lines().next().expect("the server").to_owned();
    let forked = Command::new("pgrep").args(["-P", &main]).output();
    let forked = String::from_utf8(forked.expect("pgrep runs").stdout).expect("numbers");
    let mut all: Vec<String> = forked.lines().map(str::to_owned).collect();
    all.push(main);
    all
}

fn signal(name: &str, pids: &[String]) {
    let done = Command::new("kill").arg(name).args(pids).status();
    assert!(done.expect("kill runs").success());
}

/// Who asks again after a commit of which nobody knows whether it was done finds out.
#[test]
fn a_commit_whose_answer_is_lost_is_told_and_its_repeat_is_right() {
    let engine = Postgres::fresh();
    let proxy = Proxy::to(SERVER.port);
    let direct = SERVER.url(&engine.0);
    let url = direct.replace(&SERVER.port.to_string(), &proxy.port.to_string());
    let store = open(&url, BOUNDS).expect("a store");
    for (cut, there) in [(Cut::After, true), (Cut::Before, false)] {
        let name = format!("{cut:?}");
        proxy.cut(cut);
        let unknown = run(store.begin(provision(&name)));
        let Err(StoreError::Unavailable(why)) = unknown else {
            panic!("{unknown:?}");
        };
        assert!(why.contains("may have been done or not"), "{why}");
        let again = run(store.begin(provision(&name))).expect("an answer");
        match again {
            Begun::InstanceThere(_) => assert!(there, "{cut:?}"),
            Begun::Done => assert!(!there, "{cut:?}"),
            other => panic!("{cut:?}: {other:?}"),
        }
    }
    let recorded = "SELECT count(*) FROM broker_operations";
    assert_eq!(SERVER.sql(&engine.0, recorded), "2");

    // The end of an attempt, done once whatever its first answer.
    for (number, cut) in [Cut::After, Cut::Before].into_iter().enumerate() {
        let name = format!("i{number}");
        run(jobs::begin(&store, jobs::provision(&name, 1)));
        let taken = run(store.take(asking("a", 1, 1))).expect("an answer");
        let end = || end_of(&taken[0], 2, over(&taken[0], State::Succeeded));
        proxy.cut(cut);
        assert!(run(store.end(end())).is_err());
        let expected = if cut == Cut::After {
            Lease::Lost
        } else {
            Lease::Held
        };
        assert_eq!(run(store.end(end())).ok(), Some(expected), "{cut:?}");
        let Ok(Lookup::Found(there)) = run(store.instance(id(&name))) else {
            panic!("it is gone");
        };
        assert_eq!(there.last_operation.state, State::Succeeded);
    }
}

/// A distributed engine says so at any statement, the commit among them.
#[test]
fn a_transaction_that_lost_is_carried_out_anew() {
    for (when, failures, code, good) in [
        ("", 3, "40001", true),
        ("", 3, "40P01", true),
        ("CONSTRAINT", 3, "40001", true),
        ("", 99, "40001", false),
        ("", 1, "53100", false),
    ] {
        let engine = Postgres::fresh();
        let store = engine.store();
        let deferred = if when.is_empty() {
            ""
        } else {
            "DEFERRABLE INITIALLY DEFERRED"
        };
        let trap = format!(
            "CREATE SEQUENCE tried;
             CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF nextval('tried') <= {failures} THEN RAISE 'trapped' USING ERRCODE = '{code}'; END IF;
                 RETURN NEW;
             END $$;
             CREATE {when} TRIGGER trap AFTER INSERT ON broker_operations {deferred} FOR EACH ROW EXECUTE FUNCTION trap()"
        );
        SERVER.sql(&engine.0, &trap);
        let begun = run(store.begin(provision("i")));
        if good {
            assert!(matches!(begun, Ok(Begun::Done)), "{when} {code}: {begun:?}");
        } else {
            let refused = matches!(begun, Err(StoreError::Unavailable(_)));
            assert!(refused, "{when} {code}: {begun:?}");
        }
        let count = "SELECT (SELECT count(*) FROM broker_instances), (SELECT count(*) FROM broker_operations)";
        let expected = if good { "1|1" } else { "0|0" };
        assert_eq!(SERVER.sql(&engine.0, count), expected, "{when} {code}");
    }
}

#[test]
fn a_lock_that_is_held_for_long_is_given_up() {
    let engine = Postgres::fresh();
    let bounds = Bounds {
        timeout: Duration::from_millis(300),
        ..BOUNDS
    };
    let store = open(&SERVER.socket_url(&engine.0), bounds).expect("a store");
    run(store.begin(provision("i"))).expect("an answer");
    let holds = "BEGIN; SELECT 1 FROM broker_instances FOR UPDATE; SELECT pg_sleep(2)";
    thread::scope(|scope| {
        scope.spawn(|| SERVER.sql(&engine.0, holds));
        thread::sleep(Duration::from_millis(500));
        let began = Instant::now();
        let refused = run(store.begin(crate::store::tests::deprovision("i", 1)));
        let Err(StoreError::Unavailable(why)) = refused else {
            panic!("{refused:?}");
        };
        assert!(why.contains("57014"), "the server ends it: {why}");
        assert!(began.elapsed() < Duration::from_secs(1));
    });
    let gone = run(store.begin(crate::store::tests::deprovision("i", 1)));
    assert!(matches!(gone, Ok(Begun::Done)), "{gone:?}");
}

#[test]
fn what_cannot_be_reached_is_refused_in_time_with_words_that_help() {
    let name = SERVER.database();
    let good = SERVER.url(&name);
    let bounds = Bounds {
        timeout: Duration::from_millis(500),
        ..BOUNDS
    };
    let away = open("postgres://u:p@127.0.0.1:1/d", bounds).err();
    let away = away.expect("it is refused").to_string();
    assert!(
        away.contains("refused") && away.contains("start it"),
        "{away}"
    );
    let wrong = refusal(&good.replace("p%40ss", "wrong"));
    assert!(wrong.contains("password authentication failed"), "{wrong}");
    let missing = refusal(&SERVER.url("nothing_here"));
    assert!(missing.contains("does not exist"), "{missing}");
    let plain = refusal(&format!("{good}?sslmode=require"));
    assert!(plain.contains("TLS"), "{plain}");
    let place = place(&Secret::new(good));
    assert_eq!(
        place,
        format!("postgres://127.0.0.1:{}/{name}", SERVER.port)
    );
}

/// A certificate of an authority of our own, for `localhost` alone.
const CERTIFICATES: &str = r"
set -e
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.pem -subj /CN=ours
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout other.key -out other.pem -subj /CN=others
openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost
printf 'subjectAltName=DNS:localhost\n' > names
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem
";

#[test]
fn tls_means_what_it_means_to_everybody() {
    let folder = crate::store::tests::Folder::new();
    let here = folder.file();
    let here = here.parent().expect("a folder");
    let made = Command::new("sh")
        .args(["-c", CERTIFICATES])
        .current_dir(here)
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{made:?}");
    let mut server = Cluster::start(&[]);
    for name in ["server.key", "server.pem"] {
        server.write(name, &std::fs::read(here.join(name)).expect(name));
    }
    for (name, value) in [
        ("ssl_key_file", server.folder().join("server.key")),
        ("ssl_cert_file", server.folder().join("server.pem")),
    ] {
        let set = format!("ALTER SYSTEM SET {name} = '{}'", value.display());
        server.sql("postgres", &set);
    }
    server.sql("postgres", "ALTER SYSTEM SET ssl = on");
    let database = server.database();
    server.stop();
    server.restart();

    let address = server.url(&database);
    let localhost = address.replace("127.0.0.1", "localhost");
    let ca = format!("sslrootcert={}", here.join("ca.pem").display());
    let other = format!("sslrootcert={}", here.join("other.pem").display());
    for (url, parameters, encrypted) in [
        (&address, "sslmode=disable".to_owned(), Some("f")),
        (&address, String::new(), Some("t")),
        (&address, "sslmode=require".to_owned(), Some("t")),
        (&address, format!("sslmode=require&{other}"), None),
        (&address, format!("sslmode=verify-ca&{ca}"), Some("t")),
        (&address, format!("sslmode=verify-ca&{other}"), None),
        (&address, "sslmode=verify-ca".to_owned(), None),
        (&address, format!("sslmode=verify-full&{ca}"), None),
        (&localhost, format!("sslmode=verify-full&{ca}"), Some("t")),
        (&localhost, format!("sslmode=verify-full&{other}"), None),
        (
            &localhost,
            "sslmode=verify-full&sslrootcert=/not/there".to_owned(),
            None,
        ),
    ] {
        let opened = open(
            &format!("{url}?{parameters}"),
            Bounds {
                timeout: Duration::from_secs(2),
                ..BOUNDS
            },
        );
        let uses = "SELECT bool_or(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                    WHERE application_name = 'catalog-broker'";
        match (opened, encrypted) {
            (Ok(store), Some(expected)) => {
                assert_eq!(server.sql(&database, uses), expected, "{parameters}");
                run(store.close()).expect("its end");
            }
            (Err(_), None) => {}
            (Ok(_), None) => panic!("{url} {parameters} was let in"),
            (Err(error), Some(_)) => panic!("{url} {parameters}: {error}"),
        }
    }
}

/// Every look-up by an index, however large the tables are.
#[test]
fn no_statement_reads_a_table_from_end_to_end() {
    let engine = Postgres::fresh();
    engine.store();
    let sources = [
        ("changes.rs", include_str!("changes.rs")),
        ("rows.rs", include_str!("rows.rs")),
        ("jobs.rs", include_str!("jobs.rs")),
        ("steps.rs", include_str!("steps.rs")),
        ("transfer.rs", include_str!("transfer.rs")),
    ];
    let mut statements = 0;
    for (name, source) in sources {
        for statement in texts(source).iter().filter(|text| is_whole(text)) {
            statements += 1;
            let explained = format!(
                "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; PREPARE s AS {statement};
                 EXPLAIN EXECUTE s({})",
                vec!["NULL"; parameters(statement)].join(", ")
            )
            .replace("s()", "s");
            let plan = SERVER.sql(&engine.0, &explained);
            assert!(!plan.contains("Seq Scan"), "{name}: {statement}\n{plan}");
        }
    }
    assert!(statements >= 35, "is the search blind? {statements}");
}

/// The texts of a source; what stands side by side, in `concat!`, is one.
fn texts(source: &str) -> Vec<String> {
    let source = source
        .replace("operation_columns!()", "\"o.id\"")
        .replace("instance_columns!()", "\"i.id\"")
        .replace("binding_columns!()", "\"b.id\"")
        .replace("entry_columns!()", "\"id\"");
    let mut texts: Vec<String> = Vec::new();
    for (at, piece) in source.split('"').enumerate() {
        let is_between = piece.trim_matches([',', ' ', '\n']).is_empty();
        match texts.last_mut() {
            Some(text) if at % 2 == 1 => text.push_str(piece),
            _ if at % 2 == 0 && !is_between => texts.push(String::new()),
            _ => {}
        }
    }
    texts
}

/// A statement that has tables.
fn is_whole(text: &str) -> bool {
    ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "]
        .iter()
        .any(|verb| text.starts_with(verb))
        && text.contains("broker_")
}

fn parameters(statement: &str) -> usize {
    (1..30)
        .rev()
        .find(|number| statement.contains(&format!("${number}")))
        .unwrap_or(0)
}

/// What a pooler in transaction mode would trip over.
#[test]
fn nothing_outlives_a_transaction() {
    let engine = Postgres::fresh();
    let url = SERVER.socket_url(&engine.0);
    let one = Bounds {
        connections: 1,
        ..BOUNDS
    };
    let store = open(&url, one).expect("a store");
    for name in ["i", "j"] {
        run(store.begin(provision(name))).expect("an answer");
        run(store.take(asking("a", 1, 1))).expect("an answer");
        run(store.sweep(Timestamp(0), 1)).expect("an answer");
    }
    let idle = "SELECT state, query ~ 'COMMIT|SELECT|DELETE' FROM pg_stat_activity
                WHERE application_name = 'catalog-broker' AND datname = current_database()";
    assert_eq!(SERVER.sql(&engine.0, idle), "idle|t");
}
