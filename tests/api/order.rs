//! The order of checks (design, "Order of checks"): one table. Of two mistakes in one request, the earlier is answered.
//!
//! Each mistake is made alone, then with every other one that touches other parts of the request: the neighbours are
//! among these. Rows 10 and 14 are of operations that take time.

use serde_json::{Value, json};

use crate::documents::{bind_of, provision_of, provisioned, serves, wide};
use crate::harness::{Broker, PASSWORD, USER, at_binding, at_instance, basic, with};
use crate::http::Request;

/// A request while mistakes are made in it.
#[derive(Clone)]
struct Asked {
    method: &'static str,
    instance: Option<&'static str>,
    binding: Option<&'static str>,
    tail: &'static str,
    query: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
    login: bool,
    version: Option<&'static str>,
    body: Option<Value>,
    garbage: bool,
    path: &'static str,
}

impl Asked {
    fn request(&self) -> Request {
        let mut path = match (self.instance, self.binding) {
            (Some(instance), Some(binding)) => at_binding(instance, binding),
            (Some(instance), None) => at_instance(instance),
            _ => self.path.to_owned(),
        };
        path.push_str(self.tail);
        for (at, (name, value)) in self.query.iter().enumerate() {
            path.push(if at == 0 { '?' } else { '&' });
            path.extend([*name, "=", value.as_str()]);
        }
        let mut request = Request::new(self.method, &path);
        if self.login {
            request = request.header("Authorization", &basic(USER, PASSWORD));
        }
        if let Some(version) = self.version {
            request = request.header("X-Broker-API-Version", version);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &self.body {
            let garbage = if self.garbage { "]" } else { "" };
            request = request.body(format!("{body}{garbage}"));
        }
        request
    }

    fn set(&mut self, field: &str, value: Value) {
        let body = self.body.take().expect("a request with a body");
        self.body = Some(with(body, field, value));
    }

    fn name(&mut self, name: &'static str, value: &str) {
        self.query.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            self.query.push((name, value.to_owned()));
        }
    }
}

/// One way to be wrong.
struct Mistake {
    name: &'static str,
    /// The parts of the request that it needs for itself.
    touches: &'static [&'static str],
    make: fn(&mut Asked),
    answer: (u16, &'static str),
}

const fn mistake(
    name: &'static str,
    touches: &'static [&'static str],
    make: fn(&mut Asked),
    answer: (u16, &'static str),
) -> Mistake {
    Mistake {
        name,
        touches,
        make,
        answer,
    }
}

/// Row 1.
const SIZES: [Mistake; 4] = [
    mistake(
        "headers of 70 KiB",
        &[],
        |asked| {
            for name in ["X-One", "X-Two", "X-Three", "X-Four", "X-Five"] {
                asked.headers.push((name, "x".repeat(14 << 10)));
            }
        },
        (431, "HeadersTooLarge"),
    ),
    mistake(
        "a URL of 20 KiB",
        &[],
        |asked| asked.query.push(("x", "y".repeat(20 << 10))),
        (414, "UrlTooLong"),
    ),
    mistake(
        "a declared body of 2 MiB",
        &[],
        |asked| {
            asked
                .headers
                .push(("Content-Length", (2 << 20).to_string()));
        },
        (413, "BodyTooLarge"),
    ),
    mistake(
        "a compressed body",
        &[],
        |asked| asked.headers.push(("Content-Encoding", "gzip".to_owned())),
        (415, "EncodingUnsupported"),
    ),
];

/// Rows 2 to 4.
const DOORS: [Mistake; 4] = [
    mistake(
        "no credentials",
        &[],
        |asked| asked.login = false,
        (401, "Unauthorized"),
    ),
    mistake(
        "an old version",
        &[],
        |asked| asked.version = Some("2.9"),
        (412, "ApiVersionUnsupported"),
    ),
    NO_PATH,
    NO_METHOD,
];

const NO_PATH: Mistake = mistake(
    "no such path",
    &["route"],
    |asked| asked.tail = "/nothing/here",
    (404, "NoSuchEndpoint"),
);

const NO_METHOD: Mistake = mistake(
    "no such method",
    &["route"],
    |asked| asked.method = "POST",
    (405, "MethodNotAllowed"),
);

/// Row 5.
const INSTANCE_ID: Mistake = mistake(
    "a zero byte in the instance's id",
    &["instance"],
    |asked| asked.instance = Some("i%00"),
    (400, "InvalidId"),
);
const BINDING_ID: Mistake = mistake(
    "a zero byte in the binding's id",
    &["binding"],
    |asked| asked.binding = Some("b%00"),
    (400, "InvalidId"),
);
const NO_JSON: Mistake = mistake(
    "no JSON",
    &[],
    |asked| asked.garbage = true,
    (400, "InvalidBody"),
);
const TWICE: Mistake = mistake(
    "a query name twice",
    &["accepts_incomplete"],
    |asked| {
        for _ in 0..2 {
            asked.query.push(("accepts_incomplete", "true".to_owned()));
        }
    },
    (400, "InvalidQuery"),
);
const FIELD: Mistake = mistake(
    "a context that is a number",
    &["context"],
    |asked| asked.set("context", json!(7)),
    (400, "InvalidField"),
);
const NO_ORGANIZATION: Mistake = mistake(
    "no organization",
    &["organization"],
    |asked| asked.set("organization_guid", Value::Null),
    (400, "InvalidField"),
);

/// Row 6.
const NO_SERVICE: Mistake = mistake(
    "a service that is none",
    &["service"],
    |asked| asked.set("service_id", json!("none")),
    (400, "ServiceNotInCatalog"),
);
const NO_PLAN: Mistake = mistake(
    "a plan that is none",
    &["plan"],
    |asked| asked.set("plan_id", json!("none")),
    (400, "PlanNotInCatalog"),
);
const PLAN_OF_ANOTHER: Mistake = mistake(
    "a plan of another service",
    &["plan"],
    |asked| asked.set("plan_id", json!("narrow-plan")),
    (400, "PlanNotInCatalog"),
);
const NOT_BINDABLE: Mistake = mistake(
    "a plan that cannot be bound",
    &["plan"],
    |asked| asked.set("plan_id", json!("unbound")),
    (400, "NotBindable"),
);
const NOT_ROTATABLE: Mistake = mistake(
    "a plan without successors",
    &["plan", "predecessor"],
    |asked| {
        asked.set("plan_id", json!("other"));
        asked.set("predecessor_binding_id", json!("b-there"));
    },
    (400, "NotRotatable"),
);

/// Row 7.
const NO_INSTANCE: Mistake = mistake(
    "an instance that is not there",
    &["instance"],
    |asked| asked.instance = Some("i-none"),
    (404, "InstanceNotFound"),
);
const NO_BINDING: Mistake = mistake(
    "a binding that is not there",
    &["binding"],
    |asked| asked.binding = Some("b-none"),
    (404, "BindingNotFound"),
);

/// Row 8.
const INSTANCE_THERE: Mistake = mistake(
    "an instance that is there with another space",
    &["instance"],
    |asked| asked.instance = Some("i-strict"),
    (409, "InstanceConflict"),
);
const BINDING_THERE: Mistake = mistake(
    "a binding that is there for another application",
    &["binding"],
    |asked| asked.binding = Some("b-there"),
    (409, "BindingConflict"),
);

/// Row 9.
const OTHER_SERVICE: Mistake = mistake(
    "the service of another instance",
    &["service", "plan"],
    |asked| {
        asked.set("service_id", json!("narrow"));
        asked.set("plan_id", json!("narrow-plan"));
    },
    (400, "ServiceMismatch"),
);
const OTHER_PLAN: Mistake = mistake(
    "the plan of another instance",
    &["plan"],
    |asked| asked.set("plan_id", json!("rotated")),
    (400, "PlanMismatch"),
);

/// Row 11.
const MAINTENANCE: Mistake = mistake(
    "an outdated maintenance version",
    &["maintenance"],
    |asked| asked.set("maintenance_info", json!({ "version": "3.0.9" })),
    (422, "MaintenanceInfoConflict"),
);

/// Row 12.
const PLAN_CHANGE: Mistake = mistake(
    "an instance whose plan cannot be changed",
    &["instance"],
    |asked| asked.instance = Some("i-still"),
    (422, "PlanChangeNotSupported"),
);

/// What a bind must be for, and row 13.
const NO_PREDECESSOR: Mistake = mistake(
    "a predecessor that is not there",
    &["predecessor"],
    |asked| asked.set("predecessor_binding_id", json!("b-none")),
    (400, "PredecessorInvalid"),
);
const NO_APP: Mistake = mistake(
    "no application",
    &["app"],
    |asked| asked.set("bind_resource", Value::Null),
    (422, "RequiresApp"),
);
const PARAMETERS: Mistake = mistake(
    "parameters that the schema refuses",
    &["parameters"],
    |asked| asked.set("parameters", json!({ "size": "L", "level": 5 })),
    (400, "ParametersInvalid"),
);

/// Row 7 of a removal, and rows 5 and 9 behind it: what is gone must not be held up by a name.
const GONE_INSTANCE: Mistake = mistake(
    "an instance that is not there",
    &["instance"],
    |asked| asked.instance = Some("i-none"),
    (410, "Gone"),
);
const GONE_BINDING: Mistake = mistake(
    "a binding that is not there",
    &["binding"],
    |asked| asked.binding = Some("b-none"),
    (410, "Gone"),
);
const UNNAMED_SERVICE: Mistake = mistake(
    "no service in the query",
    &["service"],
    |asked| asked.name("service_id", ""),
    (400, "InvalidQuery"),
);
const UNNAMED_PLAN: Mistake = mistake(
    "no plan in the query",
    &["plan"],
    |asked| asked.name("plan_id", ""),
    (400, "InvalidQuery"),
);
const NAMED_TWICE: Mistake = mistake(
    "the plan twice in the query",
    &["plan"],
    |asked| asked.query.push(("plan_id", "strict".to_owned())),
    (400, "InvalidQuery"),
);
const NAMED_OTHER_SERVICE: Mistake = mistake(
    "another service in the query",
    &["service"],
    |asked| asked.name("service_id", "narrow"),
    (400, "ServiceMismatch"),
);
const NAMED_OTHER_PLAN: Mistake = mistake(
    "another plan in the query",
    &["plan"],
    |asked| asked.name("plan_id", "rotated"),
    (400, "PlanMismatch"),
);

const NEVER_POLLED: Mistake = mistake(
    "an instance that never was",
    &["instance"],
    |asked| asked.instance = Some("i-none"),
    (404, "OperationNotFound"),
);
const NEVER_POLLED_BINDING: Mistake = mistake(
    "a binding that never was",
    &["binding"],
    |asked| asked.binding = Some("b-none"),
    (404, "OperationNotFound"),
);
const NOT_RETRIEVABLE: Mistake = mistake(
    "an instance that cannot be fetched",
    &["instance"],
    |asked| asked.instance = Some("i-narrow"),
    (404, "NotRetrievable"),
);
const BINDING_NOT_RETRIEVABLE: Mistake = mistake(
    "a binding that cannot be fetched",
    &["instance", "binding"],
    |asked| {
        asked.instance = Some("i-narrow");
        asked.binding = Some("b-narrow");
    },
    (404, "NotRetrievable"),
);

/// A good request, and what can be wrong with it, in the order in which it is answered.
struct Endpoint {
    good: Asked,
    status: u16,
    mistakes: Vec<Mistake>,
}

fn asked(method: &'static str, instance: &'static str, body: Option<Value>) -> Asked {
    Asked {
        method,
        instance: Some(instance),
        binding: None,
        tail: "",
        query: Vec::new(),
        headers: Vec::new(),
        login: true,
        version: Some("2.17"),
        body,
        garbage: false,
        path: "",
    }
}

fn at(path: &'static str) -> Asked {
    Asked {
        instance: None,
        path,
        ..asked("GET", "", None)
    }
}

fn endpoint(good: Asked, status: u16, mistakes: impl IntoIterator<Item = Mistake>) -> Endpoint {
    let doors = SIZES.into_iter().chain(DOORS);
    Endpoint {
        good,
        status,
        mistakes: doors.chain(mistakes).collect(),
    }
}

fn strict_provision() -> Value {
    let body = provision_of("wide", "strict");
    let body = with(body, "parameters", json!({ "size": 1 }));
    with(body, "maintenance_info", json!({ "version": "3.1.0" }))
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn endpoints() -> Vec<Endpoint> {
    let provision = with(strict_provision(), "space_guid", json!("space-2"));
    let update = json!({
        "service_id": "wide", "plan_id": "strict",
        "parameters": { "size": 2 }, "maintenance_info": { "version": "3.1.0" },
    });
    let mut bind = bind_of("wide", "strict");
    bind["bind_resource"]["app_guid"] = json!("app-2");
    let bound = |method, binding, body| Asked {
        binding: Some(binding),
        ..asked(method, "i-strict", body)
    };
    let named = |mut asked: Asked| {
        asked.name("service_id", "wide");
        asked.name("plan_id", "strict");
        asked
    };
    let polled = |asked: Asked| Asked {
        tail: "/last_operation",
        ..asked
    };
    vec![
        endpoint(at("/v2/catalog"), 200, []),
        endpoint(
            asked("GET", "i-strict", None),
            200,
            [INSTANCE_ID, NO_INSTANCE, NOT_RETRIEVABLE],
        ),
        endpoint(
            bound("GET", "b-there", None),
            200,
            [INSTANCE_ID, BINDING_ID, BINDING_NOT_RETRIEVABLE, NO_BINDING],
        ),
        endpoint(
            polled(asked("GET", "i-strict", None)),
            200,
            [INSTANCE_ID, TWICE, NEVER_POLLED],
        ),
        endpoint(
            polled(bound("GET", "b-there", None)),
            200,
            [INSTANCE_ID, BINDING_ID, TWICE, NEVER_POLLED_BINDING],
        ),
        endpoint(
            asked("PUT", "i-new", Some(provision)),
            201,
            [
                INSTANCE_ID,
                NO_JSON,
                TWICE,
                FIELD,
                NO_ORGANIZATION,
                NO_SERVICE,
                NO_PLAN,
                PLAN_OF_ANOTHER,
                INSTANCE_THERE,
                MAINTENANCE,
                PARAMETERS,
            ],
        ),
        endpoint(
            bound("PUT", "b-new", Some(bind)),
            201,
            [
                INSTANCE_ID,
                BINDING_ID,
                NO_JSON,
                TWICE,
                FIELD,
                NO_SERVICE,
                NO_PLAN,
                PLAN_OF_ANOTHER,
                NOT_BINDABLE,
                NOT_ROTATABLE,
                NO_INSTANCE,
                BINDING_THERE,
                OTHER_SERVICE,
                OTHER_PLAN,
                NO_PREDECESSOR,
                NO_APP,
                PARAMETERS,
            ],
        ),
        endpoint(
            asked("PATCH", "i-plain", Some(update)),
            200,
            [
                INSTANCE_ID,
                NO_JSON,
                TWICE,
                FIELD,
                NO_SERVICE,
                NO_PLAN,
                PLAN_OF_ANOTHER,
                NO_INSTANCE,
                OTHER_SERVICE,
                MAINTENANCE,
                PLAN_CHANGE,
                PARAMETERS,
            ],
        ),
        endpoint(
            named(bound("DELETE", "b-there", None)),
            200,
            [
                INSTANCE_ID,
                BINDING_ID,
                GONE_INSTANCE,
                GONE_BINDING,
                UNNAMED_SERVICE,
                UNNAMED_PLAN,
                NAMED_TWICE,
                NAMED_OTHER_SERVICE,
                NAMED_OTHER_PLAN,
            ],
        ),
        endpoint(
            named(asked("DELETE", "i-strict", None)),
            200,
            [
                INSTANCE_ID,
                GONE_INSTANCE,
                UNNAMED_SERVICE,
                UNNAMED_PLAN,
                NAMED_TWICE,
                NAMED_OTHER_SERVICE,
                NAMED_OTHER_PLAN,
            ],
        ),
    ]
}

#[test]
fn of_two_mistakes_the_earlier_is_answered() {
    let broker = wide();
    for (instance, service, plan) in [
        ("i-strict", "wide", "strict"),
        ("i-plain", "wide", "plain"),
        ("i-still", "wide", "still"),
        ("i-narrow", "narrow", "narrow-plan"),
    ] {
        provisioned(&broker, instance, service, plan);
    }
    let bound = broker.bind("i-strict", "b-there", &bind_of("wide", "strict"));
    assert_eq!(bound.status, 201);
    let bound = broker.bind("i-narrow", "b-narrow", &bind_of("narrow", "narrow-plan"));
    assert_eq!(bound.status, 201);
    let mut pairs = 0;
    for endpoint in endpoints() {
        let before = state(&broker);
        pairs += refused(&broker, &endpoint);
        assert_eq!(state(&broker), before, "a refusal changes nothing");
        let good = broker.send(&endpoint.good.request());
        assert_eq!(good.status, endpoint.status, "{}", good.text());
    }
    assert!(pairs > 800, "only {pairs} pairs: is the table blind?");
    serves(&broker);
}

/// What is refused of an endpoint, alone and in pairs; how many pairs there were.
fn refused(broker: &Broker, endpoint: &Endpoint) -> usize {
    let mut pairs = 0;
    for (at, first) in endpoint.mistakes.iter().enumerate() {
        let mut one = endpoint.good.clone();
        (first.make)(&mut one);
        answered(broker, &one, first, first.name);
        let later = &endpoint.mistakes[at + 1..];
        for second in later.iter().filter(|second| apart(first, second)) {
            let mut both = endpoint.good.clone();
            (first.make)(&mut both);
            (second.make)(&mut both);
            answered(broker, &both, first, second.name);
            pairs += 1;
        }
    }
    pairs
}

fn apart(first: &Mistake, second: &Mistake) -> bool {
    !first
        .touches
        .iter()
        .any(|part| second.touches.contains(part))
}

fn answered(broker: &Broker, asked: &Asked, first: &Mistake, second: &str) {
    let response = broker.send(&asked.request());
    assert_eq!(
        (response.status, response.word().as_str()),
        first.answer,
        "{} of {:?} {:?}: {} and {second}\n{}",
        asked.method,
        asked.instance,
        asked.binding,
        first.name,
        response.text()
    );
}

/// All that the requests of the table could change.
fn state(broker: &Broker) -> Vec<Value> {
    let instances = ["i-strict", "i-plain", "i-still", "i-new", "i%00"];
    let bindings = ["b-there", "b-new"];
    let instances = instances.iter().map(|id| broker.fetch(id).json());
    let bindings = bindings
        .iter()
        .map(|id| broker.fetch_binding("i-strict", id).json());
    instances.chain(bindings).collect()
}

/// Health knows row 1 and its own method, but neither login nor version: a router asks it.
#[test]
fn health_is_asked_without_credentials() {
    let broker = wide();
    for path in ["/healthz", "/readyz"] {
        let mut bare = at(path);
        (bare.login, bare.version) = (false, None);
        assert_eq!(
            broker.send(&bare.request()).json(),
            json!({ "status": "ok" })
        );
        for wrong in SIZES {
            let mut asked = bare.clone();
            (wrong.make)(&mut asked);
            answered(&broker, &asked, &wrong, "nothing else");
        }
        let mut asked = bare.clone();
        (NO_METHOD.make)(&mut asked);
        answered(&broker, &asked, &NO_METHOD, "nothing else");
        let mut asked = bare;
        asked.tail = "/more";
        assert_eq!(
            broker.send(&asked.request()).status,
            401,
            "{path}/more is not health"
        );
    }
}
