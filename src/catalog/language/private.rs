//! The table below the private keys: what is answered, and what carries operations out.

use super::Reading::{Constants, References, Statements, Templates};
use super::Shape::{Bool, Duration, Free, Integer, List, Text, TextOr, Word, WordOr};
use super::expiry::{INHERITS, REFRESH, RENEW_BEFORE, TTL};
use super::{Key, Others, Record, Shape};

/// `instance` of a plan.
pub(crate) static INSTANCE: Record = Record {
    name: "instance",
    keys: &[
        Key::new(
            "values",
            Free,
            Templates,
            "Rendered once at provision, stored, and seen by other templates as `instance.values`.",
        ),
        Key::new(
            "dashboard_url",
            Text,
            Templates,
            "Where a user manages the instance.",
        ),
        Key::new(
            "metadata",
            Shape::Record(&INSTANCE_METADATA),
            Templates,
            "`labels` and `attributes` of the instance.",
        ),
    ],
    others: Others::Refused,
    later: &[],
};

static INSTANCE_METADATA: Record = Record {
    name: "instance.metadata",
    keys: &[
        Key::new(
            "labels",
            Free,
            Templates,
            "For people: they change nothing on the platform.",
        ),
        Key::new(
            "attributes",
            Free,
            Templates,
            "They may change how the platform behaves.",
        ),
    ],
    others: Others::Refused,
    later: &[],
};

/// `binding` of a plan.
pub(crate) static BINDING: Record = Record {
    name: "binding",
    keys: &[
        Key::new(
            "values",
            Free,
            Templates,
            "Rendered once at bind, stored, and seen by the templates here as `binding.values`.",
        ),
        Key::new(
            "credentials",
            Free,
            Templates,
            "What an application or a service key gets.",
        ),
        Key::new(
            "syslog_drain_url",
            Text,
            Templates,
            "Where logs are streamed; needs `requires: [syslog_drain]`.",
        ),
        Key::new(
            "route_service_url",
            Text,
            Templates,
            "Where requests are sent through, https; needs `requires: [route_forwarding]`.",
        ),
        Key::new(
            "volume_mounts",
            List(&Shape::Record(&VOLUME_MOUNT)),
            Templates,
            "What is mounted; needs `requires: [volume_mount]`.",
        ),
        Key::new(
            "endpoints",
            List(&Shape::Record(&ENDPOINT)),
            Templates,
            "What an application connects to.",
        ),
        Key::new(
            "metadata",
            Shape::Record(&BINDING_METADATA),
            Templates,
            "When the binding expires.",
        ),
        Key::new(
            "requires",
            List(&Word(&["app", "route"])),
            References,
            "What a bind must be for: [app] refuses service keys.",
        ),
        TTL,
        RENEW_BEFORE,
        INHERITS,
        REFRESH,
    ],
    others: Others::Refused,
    later: &[],
};

static VOLUME_MOUNT: Record = Record {
    name: "a volume mount",
    keys: &[
        Key::new("driver", Text, Templates, "The volume driver.").required(),
        Key::new(
            "container_dir",
            Text,
            Templates,
            "Where it is mounted in the application's container.",
        )
        .required(),
        Key::new("mode", Word(&["r", "rw"]), Templates, "`r` or `rw`.").required(),
        Key::new("device_type", Text, Templates, "`shared`.").required(),
        Key::new(
            "device",
            Shape::Record(&DEVICE),
            Templates,
            "What is mounted.",
        )
        .required(),
    ],
    others: Others::Refused,
    later: &[],
};

static DEVICE: Record = Record {
    name: "a device",
    keys: &[
        Key::new("volume_id", Text, Templates, "The id of the volume.").required(),
        Key::new("mount_config", Free, Templates, "For the driver."),
    ],
    others: Others::Passed,
    later: &[],
};

static ENDPOINT: Record = Record {
    name: "an endpoint",
    keys: &[
        Key::new("host", Text, Templates, "A host name or an IP address.").required(),
        Key::new(
            "ports",
            List(&Text),
            Templates,
            "Ports or ranges, in quotes: [\"5432\", \"9000-9010\"].",
        )
        .required(),
        Key::new(
            "protocol",
            Word(&["tcp", "udp", "all"]),
            Templates,
            "`tcp` (the default), `udp` or `all`.",
        ),
    ],
    others: Others::Refused,
    later: &[],
};

static BINDING_METADATA: Record = Record {
    name: "binding.metadata",
    keys: &[
        Key::new(
            "expires_at",
            Text,
            Templates,
            "When the binding ends: 2030-01-31T12:00:00.0Z.",
        ),
        Key::new(
            "renew_before",
            Text,
            Templates,
            "When it is to be renewed: not after `expires_at`.",
        ),
    ],
    others: Others::Refused,
    later: &[],
};

/// What may be said of how an operation is answered.
pub(crate) const RESPONDS: &[&str] = &["sync", "async", "auto"];

/// What operations are called in the document.
pub(crate) const KINDS: &[&str] = &["provision", "update", "deprovision", "bind", "unbind"];

const RESPOND_DOC: &str =
    "sync: in place. async: with 202. auto: in place if it is done soon, else with 202.";

/// `respond` of a plan, operation by operation.
pub(crate) static RESPOND: Record = Record {
    name: "respond",
    keys: &[
        Key::new("provision", Word(RESPONDS), References, RESPOND_DOC),
        Key::new("update", Word(RESPONDS), References, RESPOND_DOC),
        Key::new("deprovision", Word(RESPONDS), References, RESPOND_DOC),
        Key::new("bind", Word(RESPONDS), References, RESPOND_DOC),
        Key::new("unbind", Word(RESPONDS), References, RESPOND_DOC),
    ],
    others: Others::Refused,
    later: &[],
};

/// `adopt` of a plan, where it ends.
pub(crate) static ADOPT: Record = Record {
    name: "adopt",
    keys: &[Key::new(
        "until",
        Text,
        References,
        "When it ends: a date, 2027-03-31, to its end (UTC), or a time, 2027-03-31T12:00:00Z.",
    )],
    others: Others::Refused,
    later: &[],
};

/// `lifecycle` of a plan.
pub(crate) static LIFECYCLE: Record = Record {
    name: "lifecycle",
    keys: &[
        Key::new(
            "state",
            Word(&["active", "deprecated", "retired"]),
            References,
            "active: as ever. deprecated: users are told. retired: no new instance, and none from another plan.",
        )
        .required(),
        Key::new(
            "note",
            Text,
            References,
            "What users are told behind the description.",
        ),
        Key::new(
            "successor",
            Text,
            References,
            "The name of the plan of the same service to take instead.",
        ),
        Key::new(
            "after",
            Text,
            References,
            "When a deprecated plan is retired by itself: after a date, 2027-03-31 (UTC), or a time, 2027-03-31T12:00:00Z.",
        ),
    ],
    others: Others::Refused,
    later: &[],
};

/// `derive` of the document, an offering or a plan.
pub(crate) static DERIVE: Record = Record {
    name: "derive",
    keys: &[
        Key::new(
            "keys",
            Free,
            Constants,
            "Keys by their versions, each 32 bytes or more in base64, by reference; a folder of them is \"${dir:/path}\".",
        ),
        Key::new(
            "current",
            Text,
            References,
            "The version that new bindings are made with. Default: the only one.",
        ),
    ],
    others: Others::Refused,
    later: &[],
};

/// `limits` of an offering or a plan.
pub(crate) static LIMITS: Record = Record {
    name: "limits",
    keys: &[
        Key::new(
            "instances",
            Integer,
            References,
            "How many instances there may be.",
        ),
        Key::new(
            "per_organization",
            Integer,
            References,
            "How many instances there may be in one organization.",
        ),
        Key::new(
            "per_space",
            Integer,
            References,
            "How many instances there may be in one space.",
        ),
        Key::new(
            "bindings_per_instance",
            Integer,
            References,
            "How many bindings one instance may have.",
        ),
        Key::new(
            "contact",
            Text,
            References,
            "Whom to ask for more, as users are told it. Default: the operator of the broker.",
        ),
    ],
    others: Others::Refused,
    later: &[],
};

/// `backend` of a plan: one kind, or the name of one of `backends`.
pub(crate) static BACKEND: Record = Record {
    name: "backend",
    keys: &[
        FIXED_KEY,
        COMMAND_KEY,
        WEBHOOK_KEY,
        POOL_KEY,
        SQL_KEY,
        Key::new(
            "use",
            Text,
            References,
            "The name of one of `backends`: its connections and its `concurrency` are shared.",
        ),
        STATEMENTS_KEY,
        WITH_KEY,
    ],
    others: Others::Refused,
    later: &["respond"],
};

/// One of `backends`.
pub(crate) static NAMED_BACKEND: Record = Record {
    name: "a backend",
    keys: &[FIXED_KEY, COMMAND_KEY, WEBHOOK_KEY, POOL_KEY, SQL_KEY],
    others: Others::Refused,
    later: &[],
};

const FIXED_KEY: Key = Key::new(
    "fixed",
    Shape::Record(&FIXED),
    References,
    "Nothing runs: `instance` and `binding` are the answer.",
);
const COMMAND_KEY: Key = Key::new(
    "command",
    Shape::Record(&COMMAND),
    References,
    "A program is run: JSON on its input, JSON on its output.",
);
const WEBHOOK_KEY: Key = Key::new(
    "webhook",
    Shape::Record(&WEBHOOK),
    References,
    "An HTTP endpoint is asked: JSON is posted, JSON comes back.",
);
const SQL_KEY: Key = Key::new(
    "sql",
    Shape::Record(&SQL),
    References,
    "Statements are run on a PostgreSQL, MySQL or MariaDB server.",
);
const STATEMENTS_KEY: Key = Key::new(
    "statements",
    WordOr(SETS, &STATEMENTS),
    References,
    "Of `sql`: a ready-made set by its name, or statements by operation.",
);
const WITH_KEY: Key = Key::new(
    "with",
    Free,
    Templates,
    "Of `sql`: what the statements see as `with`; the knobs of a ready-made set.",
);

/// The ready-made sets of statements.
pub(crate) const SETS: &[&str] = &[
    "postgresql/database",
    "postgresql/schema",
    "postgresql/read-only",
    "mysql/database",
    "mysql/read-only",
];

const POOL_KEY: Key = Key::new(
    "pool",
    Shape::Record(&POOL),
    References,
    "Prepared credentials: each is lent to one binding, or one instance, and taken back.",
);

static POOL: Record = Record {
    name: "backend.pool",
    keys: &[
        Key::new(
            "entries",
            List(&Shape::Record(&POOL_ENTRY)),
            References,
            "What there is to lend; a list in a file is \"${json:file:/path}\".",
        ),
        Key::new(
            "folder",
            Free,
            Constants,
            "Files by name, each with a JSON object: \"${dir:/path}\".",
        ),
        Key::new(
            "lend",
            Word(&["binding", "instance"]),
            References,
            "Whether each binding has its own, or each instance. Default: binding.",
        ),
        Key::new(
            "reuse",
            Shape::WordOr(&["at_once", "never"], &REUSE),
            References,
            "When what came back is lent again: at_once (the default), never, or { after: 24h }.",
        ),
    ],
    others: Others::Refused,
    later: &[],
};

static POOL_ENTRY: Record = Record {
    name: "an entry of a pool",
    keys: &[
        Key::new(
            "name",
            Text,
            References,
            "A name that stays: the store remembers by it who has the entry. It is no secret.",
        )
        .required(),
        Key::new(
            "credentials",
            Free,
            Constants,
            "What it gives: binding.outputs, or instance.outputs.",
        )
        .required(),
    ],
    others: Others::Refused,
    later: &[],
};

static REUSE: Record = Record {
    name: "reuse",
    keys: &[Key::new(
        "after",
        Duration,
        References,
        "How long an entry rests that came back.",
    )
    .required()],
    others: Others::Refused,
    later: &[],
};

static FIXED: Record = Record {
    name: "backend.fixed",
    keys: &[],
    others: Others::Refused,
    later: &[],
};

const CONCURRENCY: Key = Key::new(
    "concurrency",
    Integer,
    References,
    "How many attempts run at once, over all brokers of one store. Default: no limit.",
);
const OPERATIONS: Key = Key::new(
    "operations",
    List(&Word(KINDS)),
    References,
    "The operations that it carries out; all others are over at once. Default: all five.",
);

static COMMAND: Record = Record {
    name: "backend.command",
    keys: &[
        Key::new(
            "run",
            List(&Text),
            References,
            "The program and its arguments. No shell reads them.",
        )
        .required(),
        Key::new(
            "env",
            Free,
            References,
            "The environment of the program: nothing else is in it.",
        ),
        Key::new(
            "timeout",
            Duration,
            References,
            "How long one run may take; then it is killed and tried again. Default: 10m.",
        ),
        Key::new(
            "output_limit",
            Integer,
            References,
            "The most bytes that it may print. Default: 1048576.",
        ),
        OPERATIONS,
        CONCURRENCY,
    ],
    others: Others::Refused,
    later: &[],
};

static WEBHOOK: Record = Record {
    name: "backend.webhook",
    keys: &[
        Key::new(
            "url",
            Text,
            References,
            "Where to: https, or http on this machine.",
        )
        .required(),
        Key::new(
            "allow_http",
            Bool,
            References,
            "Whether http is allowed to other machines too. Default: false.",
        ),
        Key::new(
            "secret",
            Text,
            References,
            "The key that requests are signed with, in X-Broker-Signature.",
        ),
        Key::new("username", Text, References, "For basic authentication."),
        Key::new("password", Text, References, "For basic authentication."),
        Key::new("token", Text, References, "A bearer token."),
        Key::new(
            "client_certificate",
            Text,
            References,
            "A client certificate with its chain, PEM: \"${file:/path}\".",
        ),
        Key::new("client_key", Text, References, "Its key, PEM."),
        Key::new(
            "ca",
            Text,
            References,
            "The authority that the endpoint's certificate is of, PEM, in place of the public ones.",
        ),
        Key::new(
            "proxy",
            Text,
            References,
            "An HTTP proxy; \"${HTTPS_PROXY:-}\" takes the usual one.",
        ),
        Key::new(
            "timeout",
            Duration,
            References,
            "How long one request may take. Default: 30s.",
        ),
        Key::new(
            "limit",
            Duration,
            References,
            "How long one attempt may take, polls and all. Default: 10m.",
        ),
        OPERATIONS,
        CONCURRENCY,
    ],
    others: Others::Refused,
    later: &[],
};

static SQL: Record = Record {
    name: "backend.sql",
    keys: &[
        Key::new(
            "server",
            Text,
            References,
            "postgres://USER:PASSWORD@HOST:PORT/DATABASE or mysql://..., as whoever may make logins and databases.",
        )
        .required(),
        Key::new(
            "connections",
            Integer,
            References,
            "Most connections of this broker to the server at a time. Default: 4.",
        ),
        Key::new(
            "timeout",
            Duration,
            References,
            "How long connecting and each statement may take. Default: 60s.",
        ),
        CONCURRENCY,
        STATEMENTS_KEY,
        WITH_KEY,
    ],
    others: Others::Refused,
    later: &[],
};

const STEPS: Shape = List(&TextOr(&STEP));
const STEPS_DOC: &str = "Statements, run in this order; each stands being run again.";

/// `statements`, operation by operation.
pub(crate) static STATEMENTS: Record = Record {
    name: "statements",
    keys: &[
        Key::new(
            "set",
            Word(SETS),
            References,
            "The ready-made set whose statements these stand over.",
        ),
        Key::new("provision", STEPS, Statements, STEPS_DOC),
        Key::new("update", STEPS, Statements, STEPS_DOC),
        Key::new("deprovision", STEPS, Statements, STEPS_DOC),
        Key::new("bind", STEPS, Statements, STEPS_DOC),
        Key::new("unbind", STEPS, Statements, STEPS_DOC),
    ],
    others: Others::Refused,
    later: &[],
};

static STEP: Record = Record {
    name: "a statement",
    keys: &[
        Key::new(
            "statement",
            Text,
            Statements,
            "One statement; each `{{ value | filter }}` in it ends with a filter: ident, literal, int, scram; of MySQL ident, user, pattern, literal, int, native_hash.",
        )
        .required(),
        Key::new(
            "transaction",
            Bool,
            References,
            "Whether it runs in a transaction, with those beside it; MySQL commits by itself what makes or drops something. Default: true.",
        ),
        Key::new(
            "database",
            Text,
            Templates,
            "The database that it runs in. Default: the one that the server's URL names.",
        ),
        Key::new(
            "only_if",
            Text,
            Statements,
            "A question before it: without a row in its answer the statement is passed over.",
        ),
        Key::new(
            "unless",
            Text,
            Statements,
            "A question before it: with a row in its answer the statement is passed over.",
        ),
        Key::new(
            "each",
            Text,
            Statements,
            "A question before it: the statement is run once for each row of its answer, and knows the first column as `row`.",
        ),
    ],
    others: Others::Refused,
    later: &[],
};
