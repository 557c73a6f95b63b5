//! The table below `backend`: what carries operations out.

use super::Reading::{Constants, References, Statements, Templates};
use super::Shape::{Bool, Duration, Free, Integer, List, Text, TextOr, Word, WordOr};
use super::private::KINDS;
use super::{Key, Others, Record, Shape};

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
};

/// One of `backends`.
pub(crate) static NAMED_BACKEND: Record = Record {
    name: "a backend",
    keys: &[FIXED_KEY, COMMAND_KEY, WEBHOOK_KEY, POOL_KEY, SQL_KEY],
    others: Others::Refused,
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
};

static FIXED: Record = Record {
    name: "backend.fixed",
    keys: &[],
    others: Others::Refused,
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
};
