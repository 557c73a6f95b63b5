//! The table itself, in the order of the document.

use super::Reading::{Constants, References, Templates, Verbatim};
use super::Shape::{ApiVersion, Bool, Free, Integer, List, Text, Word};
use super::backends::{BACKEND, NAMED_BACKEND};
use super::private::{ADOPT, BINDING, DERIVE, INSTANCE, LIFECYCLE, LIMITS, RESPOND, RESPONDS};
use super::published::{
    DASHBOARD_CLIENT_RECORD, MAINTENANCE_INFO_RECORD, METADATA_RECORD, SCHEMAS_RECORD,
};
use super::{Key, Others, Record, Shape};

const ACCEPT: Key = Key::new(
    "accept",
    List(&Text),
    References,
    "Names of rules whose warnings are silenced here and below. Errors cannot be accepted.",
);
const VALUES: Key = Key::new(
    "values",
    Free,
    Constants,
    "Private: constants for templates, seen as `values`. References are read here, templates are not.",
);
const INSTANCE_KEY: Key = Key::new(
    "instance",
    Shape::Record(&INSTANCE),
    Templates,
    "Private: what a provision returns, in the specification's shape.",
);
const BINDING_KEY: Key = Key::new(
    "binding",
    Shape::Record(&BINDING),
    Templates,
    "Private: what a bind returns, in the specification's shape.",
);
const BACKEND_KEY: Key = Key::new(
    "backend",
    Shape::Record(&BACKEND),
    References,
    "Private: what carries operations out; one kind. The default is `fixed`: `instance` and `binding` are the answer.",
);
const RESPOND_KEY: Key = Key::new(
    "respond",
    Shape::WordOr(RESPONDS, &RESPOND),
    References,
    "Private: sync, async or auto (the default); or a map of these by operation.",
);
const ANSWER_WITHIN: Key = Key::new(
    "answer_within",
    Shape::Duration,
    References,
    "Private: how long `auto` waits before it answers 202. Default: 2s.",
);
const POLL_EVERY: Key = Key::new(
    "poll_every",
    Shape::Duration,
    References,
    "Private: how long a platform is asked to wait between two polls (Retry-After).",
);
const MAX_ATTEMPTS: Key = Key::new(
    "max_attempts",
    Integer,
    References,
    "Private: after so many attempts an operation fails. Default: 10.",
);
const ADOPT_KEY: Key = Key::new(
    "adopt",
    Shape::BoolOr(&ADOPT),
    References,
    "Private: whether what a bind, an update or a delete names and the store does not know counts as existing. Default: false.",
);
const LIMITS_KEY: Key = Key::new(
    "limits",
    Shape::Record(&LIMITS),
    References,
    "Private: how much there may be of a plan; on an offering, of all its plans together.",
);
const LIFECYCLE_KEY: Key = Key::new(
    "lifecycle",
    Shape::Record(&LIFECYCLE),
    References,
    "Private: how far the life of a plan is; what users need to know of it is published.",
);
const DERIVE_KEY: Key = Key::new(
    "derive",
    Shape::Record(&DERIVE),
    References,
    "Private: the keys that `derive('label', n)` in templates makes credentials of, without a store.",
);
const OFFERED: Key = Key::new(
    "offered",
    Bool,
    References,
    "Private: `false` leaves it out of the published catalog; its references are not asked for (but those that its backend needs), its instances live on.",
);
const EXTENSIONS: Key = Key::new(
    "extensions",
    Free,
    References,
    "Vendor keys: each is published beside the known keys.",
);
const METADATA: Key = Key::new(
    "metadata",
    Shape::Record(&METADATA_RECORD),
    References,
    "For people and their tools (profile, Service Metadata); published as it is.",
);
const DESCRIPTION: &str =
    "A short description, not empty; up to 255 characters are safe on any platform.";
const PLAN_UPDATEABLE: Key = Key::new(
    "plan_updateable",
    Bool,
    References,
    "Whether an instance may move to another plan; a plan's own word wins over the offering's. Default: false.",
);

/// The document.
pub(crate) static DOCUMENT: Record = Record {
    name: "the document",
    keys: &[
        Key::new(
            "minimum_api_version",
            ApiVersion,
            References,
            "The oldest API version that is served, in quotes: \"2.10\". Older platforms get 412. Default: \"2.0\".",
        ),
        Key::new(
            "service_defaults",
            Shape::Record(&SERVICE_DEFAULTS),
            References,
            "Private: what every offering begins with.",
        ),
        VALUES,
        DERIVE_KEY,
        Key::new(
            "backends",
            Shape::Named(&NAMED_BACKEND),
            References,
            "Private: backends by name, for plans that share one: `backend: { use: NAME }`.",
        ),
        ACCEPT,
        Key::new(
            "services",
            List(&Shape::Record(&OFFERING)),
            References,
            "The service offerings.",
        )
        .required(),
    ],
    others: Others::Anchors,
};

const TAGS: Key = Key::new(
    "tags",
    List(&Text),
    References,
    "Classification: mysql, relational, ...; on Cloud Foundry 2048 characters together.",
);
const REQUIRES: Key = Key::new(
    "requires",
    List(&Word(&["syslog_drain", "route_forwarding", "volume_mount"])),
    References,
    "Permissions that a bind needs: syslog_drain, route_forwarding, volume_mount.",
);
const INSTANCES_RETRIEVABLE: Key = Key::new(
    "instances_retrievable",
    Bool,
    References,
    "Whether instances can be fetched. Default: false.",
);
const BINDINGS_RETRIEVABLE: Key = Key::new(
    "bindings_retrievable",
    Bool,
    References,
    "Whether bindings can be fetched. Default: false.",
);
const ALLOW_CONTEXT_UPDATES: Key = Key::new(
    "allow_context_updates",
    Bool,
    References,
    "Whether a platform may send an update of the context alone. Default: false.",
);
const DASHBOARD_CLIENT: Key = Key::new(
    "dashboard_client",
    Shape::Record(&DASHBOARD_CLIENT_RECORD),
    References,
    "Cloud Foundry's single sign-on for dashboards. It is published, its secret too.",
);
const PLAN_DEFAULTS_KEY: Key = Key::new(
    "plan_defaults",
    Shape::Record(&PLAN_DEFAULTS),
    References,
    "Private: what every plan of the offering begins with.",
);
const BINDABLE_DOC: &str = "Whether instances can be bound: the default of the plans.";

/// One entry of `services`.
pub(crate) static OFFERING: Record = Record {
    name: "an offering",
    keys: &[
        Key::new(
            "id",
            Text,
            References,
            "A GUID that never changes and is used nowhere else.",
        )
        .required(),
        Key::new(
            "name",
            Text,
            References,
            "What users type: letters, digits, periods, hyphens; unique.",
        )
        .required(),
        Key::new("description", Text, References, DESCRIPTION).required(),
        Key::new("bindable", Bool, References, BINDABLE_DOC).required(),
        PLAN_UPDATEABLE,
        TAGS,
        REQUIRES,
        INSTANCES_RETRIEVABLE,
        BINDINGS_RETRIEVABLE,
        ALLOW_CONTEXT_UPDATES,
        METADATA,
        DASHBOARD_CLIENT,
        EXTENSIONS,
        PLAN_DEFAULTS_KEY,
        VALUES,
        INSTANCE_KEY,
        BINDING_KEY,
        BACKEND_KEY,
        RESPOND_KEY,
        ANSWER_WITHIN,
        POLL_EVERY,
        MAX_ATTEMPTS,
        ADOPT_KEY,
        LIMITS_KEY,
        DERIVE_KEY,
        OFFERED,
        ACCEPT,
        Key::new(
            "plans",
            List(&Shape::Record(&PLAN)),
            References,
            "The plans, at least one.",
        ),
    ],
    others: Others::Extensions,
};

/// An offering without what names it.
static SERVICE_DEFAULTS: Record = Record {
    name: "service_defaults",
    keys: &[
        Key::new("description", Text, References, DESCRIPTION),
        Key::new("bindable", Bool, References, BINDABLE_DOC),
        PLAN_UPDATEABLE,
        TAGS,
        REQUIRES,
        INSTANCES_RETRIEVABLE,
        BINDINGS_RETRIEVABLE,
        ALLOW_CONTEXT_UPDATES,
        METADATA,
        DASHBOARD_CLIENT,
        EXTENSIONS,
        PLAN_DEFAULTS_KEY,
        VALUES,
        INSTANCE_KEY,
        BINDING_KEY,
        BACKEND_KEY,
        RESPOND_KEY,
        ANSWER_WITHIN,
        POLL_EVERY,
        MAX_ATTEMPTS,
        ADOPT_KEY,
        LIMITS_KEY,
        DERIVE_KEY,
        OFFERED,
        ACCEPT,
    ],
    others: Others::Refused,
};

const FREE: Key = Key::new(
    "free",
    Bool,
    References,
    "Whether it costs nothing. Default: true.",
);
const PLAN_BINDABLE: Key = Key::new("bindable", Bool, References, "Wins over the offering's.");
const BINDING_ROTATABLE: Key = Key::new(
    "binding_rotatable",
    Bool,
    References,
    "Whether a binding may have a successor. Default: false.",
);
const UPDATES_TO: Key = Key::new(
    "updates_to",
    List(&Text),
    References,
    "Private: the names of the plans that an instance may move to, where `plan_updateable` allows it. Default: all of the offering.",
);
const SCHEMAS: Key = Key::new(
    "schemas",
    Shape::Record(&SCHEMAS_RECORD),
    Verbatim,
    "JSON schemas of parameters, taken to the letter.",
);
const MAXIMUM_POLLING_DURATION: Key = Key::new(
    "maximum_polling_duration",
    Integer,
    References,
    "How long a platform polls, in seconds.",
);
const MAINTENANCE_INFO: Key = Key::new(
    "maintenance_info",
    Shape::Record(&MAINTENANCE_INFO_RECORD),
    References,
    "What a maintenance of an instance would bring.",
);

/// One entry of `plans`.
pub(crate) static PLAN: Record = Record {
    name: "a plan",
    keys: &[
        Key::new(
            "id",
            Text,
            References,
            "A GUID that never changes and is used nowhere else.",
        )
        .required(),
        Key::new(
            "name",
            Text,
            References,
            "What users type; unique within the offering.",
        )
        .required(),
        Key::new("description", Text, References, DESCRIPTION).required(),
        FREE,
        PLAN_BINDABLE,
        BINDING_ROTATABLE,
        PLAN_UPDATEABLE,
        SCHEMAS,
        UPDATES_TO,
        MAXIMUM_POLLING_DURATION,
        MAINTENANCE_INFO,
        METADATA,
        EXTENSIONS,
        VALUES,
        INSTANCE_KEY,
        BINDING_KEY,
        BACKEND_KEY,
        RESPOND_KEY,
        ANSWER_WITHIN,
        POLL_EVERY,
        MAX_ATTEMPTS,
        ADOPT_KEY,
        LIMITS_KEY,
        LIFECYCLE_KEY,
        DERIVE_KEY,
        OFFERED,
        ACCEPT,
    ],
    others: Others::Extensions,
};

/// A plan without what names it.
static PLAN_DEFAULTS: Record = Record {
    name: "plan_defaults",
    keys: &[
        Key::new("description", Text, References, DESCRIPTION),
        FREE,
        PLAN_BINDABLE,
        BINDING_ROTATABLE,
        PLAN_UPDATEABLE,
        SCHEMAS,
        UPDATES_TO,
        MAXIMUM_POLLING_DURATION,
        MAINTENANCE_INFO,
        METADATA,
        EXTENSIONS,
        VALUES,
        INSTANCE_KEY,
        BINDING_KEY,
        BACKEND_KEY,
        RESPOND_KEY,
        ANSWER_WITHIN,
        POLL_EVERY,
        MAX_ATTEMPTS,
        ADOPT_KEY,
        LIMITS_KEY,
        LIFECYCLE_KEY,
        DERIVE_KEY,
        OFFERED,
        ACCEPT,
    ],
    others: Others::Refused,
};
