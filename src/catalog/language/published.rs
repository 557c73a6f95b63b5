//! The table below the published keys of offerings and plans.

use super::Reading::{References, Verbatim};
use super::Shape::{Bool, Schema, Text};
use super::{Key, Others, Record, Shape};

pub(crate) static METADATA_RECORD: Record = Record {
    name: "metadata",
    keys: &[Key::new(
        "shareable",
        Bool,
        References,
        "Cloud Foundry: whether instances can be shared between spaces.",
    )],
    others: Others::Passed,
};

pub(crate) static DASHBOARD_CLIENT_RECORD: Record = Record {
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
};

pub(crate) static SCHEMAS_RECORD: Record = Record {
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
};

pub(crate) static MAINTENANCE_INFO_RECORD: Record = Record {
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
};
