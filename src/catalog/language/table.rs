//! The table itself, in the order of the document.

use super::Reading::{Constants, References, Templates, Verbatim};
use super::Shape::{ApiVersion, Bool, Free, Integer, List, Schema, Text, Word};
use super::{Key, Others, Record, Shape};

/// Keys of later versions on offerings and plans.
const LATER: &[&str] = &[
    "respond",
    "answer_within",
    "poll_every",
    "max_attempts",
    "limits",
    "updates_to",
    "lifecycle",
    "adopt",
    "derive",
];

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
    Templates,
    "Private: what carries operations out; one kind. The default is `fixed`: `instance` and `binding` are the answer.",
);
const OFFERED: Key = Key::new(
    "offered",
    Bool,
    References,
    "Private: `false` leaves it out of the published catalog; its references are not asked for, its instances live on.",
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
    later: &["backends"],
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
    later: LATER,
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
        OFFERED,
        ACCEPT,
    ],
    others: Others::Refused,
    later: LATER,
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
        MAXIMUM_POLLING_DURATION,
        MAINTENANCE_INFO,
        METADATA,
        EXTENSIONS,
        VALUES,
        INSTANCE_KEY,
        BINDING_KEY,
        BACKEND_KEY,
        OFFERED,
        ACCEPT,
    ],
    others: Others::Extensions,
    later: LATER,
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
        MAXIMUM_POLLING_DURATION,
        MAINTENANCE_INFO,
        METADATA,
        EXTENSIONS,
        VALUES,
        INSTANCE_KEY,
        BINDING_KEY,
        BACKEND_KEY,
        OFFERED,
        ACCEPT,
    ],
    others: Others::Refused,
    later: LATER,
};

static METADATA_RECORD: Record = Record {
    name: "metadata",
    keys: &[Key::new(
        "shareable",
        Bool,
        References,
        "Cloud Foundry: whether instances can be shared between spaces.",
    )],
    others: Others::Passed,
    later: &[],
};

static DASHBOARD_CLIENT_RECORD: Record = Record {
    name: "dashboard_client",
    keys: &[
        Key::new(
            "id",
            Text,
            References,
            "The id of the OAuth client; unique.",
        )
        .required(),
        Key::new(
            "secret",
            Text,
            References,
            "The client's secret; the catalog publishes it.",
        )
        .required(),
        Key::new("redirect_uri", Text, References, "The dashboard's URI.").required(),
    ],
    others: Others::Passed,
    later: &[],
};

static SCHEMAS_RECORD: Record = Record {
    name: "schemas",
    keys: &[
        Key::new(
            "service_instance",
            Shape::Record(&SERVICE_INSTANCE_SCHEMAS),
            Verbatim,
            "For provision and update.",
        ),
        Key::new(
            "service_binding",
            Shape::Record(&SERVICE_BINDING_SCHEMAS),
            Verbatim,
            "For bind.",
        ),
    ],
    others: Others::Passed,
    later: &[],
};

static SERVICE_INSTANCE_SCHEMAS: Record = Record {
    name: "schemas.service_instance",
    keys: &[
        Key::new(
            "create",
            Shape::Record(&PARAMETERS),
            Verbatim,
            "For provision.",
        ),
        Key::new(
            "update",
            Shape::Record(&PARAMETERS),
            Verbatim,
            "For what an update sends.",
        ),
    ],
    others: Others::Passed,
    later: &[],
};

static SERVICE_BINDING_SCHEMAS: Record = Record {
    name: "schemas.service_binding",
    keys: &[Key::new(
        "create",
        Shape::Record(&PARAMETERS),
        Verbatim,
        "For bind.",
    )],
    others: Others::Passed,
    later: &[],
};

static PARAMETERS: Record = Record {
    name: "a schema of parameters",
    keys: &[Key::new(
        "parameters",
        Schema,
        Verbatim,
        "A JSON schema with `$schema`, without external references, up to 64 KiB.",
    )],
    others: Others::Passed,
    later: &[],
};

static MAINTENANCE_INFO_RECORD: Record = Record {
    name: "maintenance_info",
    keys: &[
        Key::new(
            "version",
            Text,
            References,
            "A semantic version, in quotes.",
        )
        .required(),
        Key::new(
            "description",
            Text,
            References,
            "What the maintenance would bring.",
        ),
    ],
    others: Others::Refused,
    later: &[],
};

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
    later: &["derive"],
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
    ],
    others: Others::Refused,
    later: &["ttl", "renew_before", "refresh", "derive"],
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

static BACKEND: Record = Record {
    name: "backend",
    keys: &[Key::new(
        "fixed",
        Shape::Record(&FIXED),
        Templates,
        "Nothing runs: `instance` and `binding` are the answer.",
    )],
    others: Others::Refused,
    later: &[
        "pool",
        "sql",
        "webhook",
        "command",
        "use",
        "statements",
        "with",
        "respond",
    ],
};

static FIXED: Record = Record {
    name: "backend.fixed",
    keys: &[],
    others: Others::Refused,
    later: &[],
};
