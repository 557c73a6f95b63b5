//! What a plan answers: the private `instance` and `binding` of the document as templates, and as rendered.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::expiry::Ttl;
use super::json::Object;
use crate::template::Tree;

/// `instance` of a plan: what a provision returns.
#[derive(Clone, Debug, Default)]
pub struct InstanceTemplate {
    /// Rendered once at provision, stored, then seen by all other templates as `instance.values`.
    pub values: Option<Tree>,
    /// Where a user manages the instance.
    pub dashboard_url: Option<Tree>,
    /// `labels` and `attributes` (specification, "Service Instance Metadata").
    pub metadata: Option<Tree>,
}

/// `binding` of a plan: what a bind returns.
#[derive(Clone, Debug, Default)]
pub struct BindingTemplate {
    /// Rendered once at bind, stored, then seen by the templates below as `binding.values`.
    pub values: Option<Tree>,
    /// The fields of the answer.
    pub fields: Vec<(BindingField, Tree)>,
    /// What a bind must be for.
    pub requires: Vec<BindTarget>,
    /// How long bindings live, where they end.
    pub ttl: Option<Ttl>,
    /// The names of those `values` that a successor has of its predecessor.
    pub inherits: Vec<String>,
    /// Whether a fetch renders the fields anew, of what is stored.
    pub refresh: bool,
}

/// The fields of a bind's answer (specification, "Binding", body of 200 and 201), in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindingField {
    /// When it expires and is to be renewed.
    Metadata,
    /// A free-form map.
    Credentials,
    /// Where logs are streamed.
    SyslogDrainUrl,
    /// Where requests are sent through.
    RouteServiceUrl,
    /// What is mounted.
    VolumeMounts,
    /// What the application connects to.
    Endpoints,
}

/// What a plan may ask a bind to be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindTarget {
    /// An application: `app_guid`.
    App,
    /// A route: `bind_resource.route`.
    Route,
}

impl BindingField {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Metadata,
        Self::Credentials,
        Self::SyslogDrainUrl,
        Self::RouteServiceUrl,
        Self::VolumeMounts,
        Self::Endpoints,
    ];

    /// The field's name in the API and in the document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Credentials => "credentials",
            Self::SyslogDrainUrl => "syslog_drain_url",
            Self::RouteServiceUrl => "route_service_url",
            Self::VolumeMounts => "volume_mounts",
            Self::Endpoints => "endpoints",
        }
    }

    /// The way to it from the plan.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Metadata => "binding.metadata",
            Self::Credentials => "binding.credentials",
            Self::SyslogDrainUrl => "binding.syslog_drain_url",
            Self::RouteServiceUrl => "binding.route_service_url",
            Self::VolumeMounts => "binding.volume_mounts",
            Self::Endpoints => "binding.endpoints",
        }
    }

    /// The type that the specification gives it, for a person.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Metadata | Self::Credentials => "a map",
            Self::SyslogDrainUrl | Self::RouteServiceUrl => "a string",
            Self::VolumeMounts | Self::Endpoints => "a list",
        }
    }

    /// Whether a rendered value is of the type that the specification gives the field.
    pub fn takes(self, value: &Value) -> bool {
        match self {
            Self::Metadata | Self::Credentials => value.is_object(),
            Self::SyslogDrainUrl | Self::RouteServiceUrl => value.is_string(),
            Self::VolumeMounts | Self::Endpoints => value.is_array(),
        }
    }
}

/// What a provision or an update returned and a fetch returns again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceAnswer {
    /// Where a user manages the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dashboard_url: Option<String>,
    /// `labels` and `attributes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Object>,
}

/// What a bind returned and every repeat and fetch returns again: the fields of the API, rendered and of the right type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BindingAnswer(pub Object);
