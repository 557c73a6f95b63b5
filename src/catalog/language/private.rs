//! The table below the private keys: what is answered, and what carries operations out.

use super::Reading::{References, Templates};
use super::Shape::{Free, List, Text, Word};
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

pub(crate) static BACKEND: Record = Record {
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
