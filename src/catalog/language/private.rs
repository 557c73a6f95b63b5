//! The table below the private keys: what is answered, how, and for how long.

use super::Reading::{Constants, References, Templates};
use super::Shape::{Free, Integer, List, Text, Word};
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
};

static DEVICE: Record = Record {
    name: "a device",
    keys: &[
        Key::new("volume_id", Text, Templates, "The id of the volume.").required(),
        Key::new("mount_config", Free, Templates, "For the driver."),
    ],
    others: Others::Passed,
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
};
