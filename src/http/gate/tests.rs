//! A panic behind the gate: an answer all the same, and the process goes on.

use std::fmt::Write as _;
use std::future::ready;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use actix_web::{App, HttpServer};
use arc_swap::ArcSwap;
use log::kv::{self, Key, Value, VisitSource};

use super::*;
use crate::access::{LiveLogins, Login, Logins, Proof, Role, Throttle};
use crate::domain::bells::Bells;
use crate::domain::binding::Binding;
use crate::domain::broker::Broker;
use crate::domain::catalog::Catalog;
use crate::domain::id::{BindingId, InstanceId, OperationId};
use crate::domain::instance::Instance;
use crate::domain::json::FingerprintKey;
use crate::domain::live::Live;
use crate::domain::operation::{Operation, Subject};
use crate::domain::store::{
    Answer, Begun, Change, Claim, End, Lease, Lookup, PlanInUse, Renewal, Store, Take, Taken,
    Unbound,
};
use crate::domain::time::Timestamp;
use crate::domain::witness::{Acted, Adopted, Attempted, Event, Expired, Intervened, Witness};
use crate::http::{Answered, Instruments, Page, Published, Trusted, routes};
use crate::http::{Asker, Reloading, Reloads};
use crate::secret::Secret;

/// Panics at once for an instance, and after it has waited for a binding.
struct Panics(FingerprintKey);

impl Store for Panics {
    fn begin(&self, _: Change) -> Answer<'_, Begun> {
        Box::pin(ready(Ok(Begun::Unrecorded)))
    }

    fn instance(&self, _: InstanceId) -> Answer<'_, Lookup<Instance>> {
        panic!("the store fell over, and the password was hunter2");
    }

    fn binding(
        &self,
        _: InstanceId,
        _: BindingId,
    ) -> Answer<'_, Lookup<(Instance, Option<Binding>)>> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            panic!("the store fell over later, and the password was hunter2");
        })
    }

    fn operation(&self, _: Subject, _: Option<OperationId>) -> Answer<'_, Lookup<Operation>> {
        Box::pin(ready(Ok(Lookup::Unknowable)))
    }

    fn take(&self, _: Take) -> Answer<'_, Vec<Taken>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn renew(&self, _: Renewal) -> Answer<'_, Lease> {
        Box::pin(ready(Ok(Lease::Lost)))
    }

    fn end(&self, _: End) -> Answer<'_, Lease> {
        Box::pin(ready(Ok(Lease::Lost)))
    }

    fn unbound(&self, _: Unbound) -> Answer<'_, Lease> {
        Box::pin(ready(Ok(Lease::Lost)))
    }

    fn bindings(&self, _: InstanceId) -> Answer<'_, Vec<Binding>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn plans_in_use(&self) -> Answer<'_, Vec<PlanInUse>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn give_back(&self, _: Arc<str>, _: Timestamp) -> Answer<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    fn claim_expired(&self, _: Claim) -> Answer<'_, Vec<(InstanceId, BindingId)>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn sweep(&self, _: Timestamp, _: u32) -> Answer<'_, u64> {
        Box::pin(ready(Ok(0)))
    }

    fn health(&self) -> Answer<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    fn fingerprint_key(&self) -> &FingerprintKey {
        &self.0
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}

struct Nobody;

impl Witness for Nobody {
    fn happened(&self, _: &Event<'_>) {}

    fn attempted(&self, _: &Attempted<'_>) {}

    fn acted(&self, _: &Acted<'_>) {}

    fn adopted(&self, _: &Adopted<'_>) {}

    fn expired(&self, _: &Expired<'_>) {}
    fn intervened(&self, _: &Intervened<'_>) {}
}

impl Instruments for Nobody {
    fn answered(&self, _: Answered<'_>) {}

    fn page_type(&self) -> &'static str {
        "text/plain"
    }

    fn page(&self) -> Page<'_> {
        Box::pin(ready(String::new()))
    }
}

impl Reloads for Nobody {
    fn reload(&self, _: Asker) -> Reloading<'_> {
        Box::pin(ready(None))
    }
}

fn api() -> Data<Api> {
    let catalog = Arc::new(Catalog::new(ApiVersion { major: 2, minor: 0 }, vec![]));
    let store = Arc::new(Panics(FingerprintKey::new(&[0; 32])));
    let login = Proof::Bearer(Secret::new("token".to_owned()));
    Data::new(Api {
        published: ArcSwap::from_pointee(Published::new(&catalog, [], UNIX_EPOCH)),
        broker: Broker::new(
            Arc::new(Live::new(catalog)),
            store,
            Arc::new(Nobody),
            || Timestamp(0),
            Arc::new(Bells::default()),
            Duration::from_secs(5),
        ),
        logins: Arc::new(LiveLogins::new(
            Logins::new(
                vec![Login::new(
                    "login",
                    [Role::Platform].into_iter().collect(),
                    login,
                )],
                &[0; 16],
            )
            .unwrap(),
        )),
        throttle: Arc::new(Throttle::new(std::time::Instant::now())),
        trusted: Trusted::new(|_| false),
        has_console: true,
        limits: Limits {
            body: 1024,
            url: 1024,
            headers: 1024,
            time: Duration::from_secs(5),
        },
        base_path: String::new(),
        instruments: Arc::new(Nobody),
        tracing: None,
        reloads: Arc::new(Nobody),
        stopping: Arc::new(AtomicBool::new(false)),
        clock: || Timestamp(0),
    })
}

/// The lines of requests; the log is the process's, and other tests may write to it.
struct Log(Mutex<Vec<String>>);

static LOG: Log = Log(Mutex::new(Vec::new()));

impl log::Log for Log {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target() == "request"
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut line = Told(record.args().to_string());
        record.key_values().visit(&mut line).expect("pairs");
        self.0.lock().expect("the lines").push(line.0);
    }

    fn flush(&self) {}
}

struct Told(String);

impl<'kvs> VisitSource<'kvs> for Told {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        if key.as_str() != "ms" {
            write!(self.0, " {key}={value}").expect("room");
        }
        Ok(())
    }
}

/// Serves with one worker, so that one which died is missed, until the test's process ends.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let api = api();
            HttpServer::new(move || {
                App::new()
                    .app_data(api.clone())
                    .configure(routes(""))
                    .wrap(Gate(api.clone()))
            })
            .workers(1)
            .disable_signals()
            .listen(listener)
            .expect("a listener")
            .run()
            .await
        })
    });
    address
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: b\r\nConnection: close\r\nAuthorization: bearer token\r\n\
         X-Broker-API-Version: 2.17\r\nX-Broker-API-Request-Identity: who\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text
}

#[test]
fn a_panic_is_answered_and_the_process_goes_on() {
    log::set_logger(&LOG).expect("no other log");
    log::set_max_level(log::LevelFilter::Info);
    let address = serve();
    for path in [
        "/v2/service_instances/i",
        "/v2/service_instances/i/service_bindings/b",
    ] {
        for _ in 0..3 {
            let told = get(address, path);
            assert!(told.starts_with("HTTP/1.1 500 "), "{told}");
            for part in [
                "\r\nx-broker-api-request-identity: who\r\n",
                "\r\ncontent-type: application/json\r\n",
                "{\"error\":\"InternalError\",\"description\":\"",
            ] {
                assert!(told.contains(part), "{part} is not in {told}");
            }
            assert!(!told.contains("hunter2"), "{told}");
        }
        assert!(get(address, "/v2/catalog").starts_with("HTTP/1.1 200 "));
    }
    let lines = LOG.0.lock().expect("the lines");
    let panicked =
        "answered method=GET route=- status=500 error=InternalError request_identity=who";
    assert_eq!(
        lines.iter().filter(|line| *line == panicked).count(),
        6,
        "{lines:#?}"
    );
}
