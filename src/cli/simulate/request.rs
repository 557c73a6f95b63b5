//! What is asked for, as flags have it, and the bodies that a platform would send.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::render::preview::{ORGANIZATION, SPACE, object};
use crate::domain::id::{BindingId, InstanceId};
use crate::domain::json::Object;

#[derive(Args, Clone, Debug)]
pub(super) struct Request {
    /// Parameters of the bind
    #[arg(long, value_name = "JSON", value_parser = object)]
    parameters: Option<Object>,
    /// Parameters of the provision
    #[arg(long, value_name = "JSON", value_parser = object)]
    instance_parameters: Option<Object>,
    /// The app that is bound, by its id; what happens where nothing else is said
    #[arg(
        long,
        value_name = "GUID",
        default_value = "00000000-0000-4000-8000-00000000000c"
    )]
    app: String,
    /// Bind a route in place of an app: a host with a path
    #[arg(long, value_name = "ROUTE", conflicts_with_all = ["app", "key"])]
    route: Option<String>,
    /// Make a service key: a binding for no app
    #[arg(long, conflicts_with = "app")]
    key: bool,
    /// The platform that asks
    #[arg(long, value_name = "NAME", default_value = "cloudfoundry")]
    pub platform: String,
    /// The id of the instance
    #[arg(long, value_name = "ID", default_value = "00000000-0000-4000-8000-000000000001", value_parser = InstanceId::parse)]
    pub instance_id: InstanceId,
    /// The id of the binding
    #[arg(long, value_name = "ID", default_value = "00000000-0000-4000-8000-000000000002", value_parser = BindingId::parse)]
    pub binding_id: BindingId,
}

impl Request {
    /// The body of the provision, with the maintenance that the catalog publishes.
    pub(super) fn provision(
        &self,
        service: &str,
        plan: &str,
        maintenance: Option<&Value>,
    ) -> Value {
        let mut body = json!({
            "service_id": service,
            "plan_id": plan,
            "organization_guid": ORGANIZATION,
            "space_guid": SPACE,
            "context": self.context(),
        });
        if let Some(parameters) = &self.instance_parameters {
            body["parameters"] = json!(parameters);
        }
        if let Some(version) = maintenance {
            body["maintenance_info"] = json!({ "version": version });
        }
        body
    }

    /// The body of the bind.
    pub(super) fn bind(&self, service: &str, plan: &str) -> Value {
        let mut body = json!({
            "service_id": service,
            "plan_id": plan,
            "context": self.context(),
        });
        if let Some(route) = &self.route {
            body["bind_resource"] = json!({ "route": route });
        } else if !self.key {
            body["app_guid"] = json!(self.app);
            body["bind_resource"] = json!({ "app_guid": self.app, "space_guid": SPACE });
        }
        if let Some(parameters) = &self.parameters {
            body["parameters"] = json!(parameters);
        }
        body
    }

    fn context(&self) -> Value {
        if self.platform == "cloudfoundry" {
            json!({ "platform": self.platform, "organization_guid": ORGANIZATION, "space_guid": SPACE })
        } else {
            json!({ "platform": self.platform })
        }
    }
}
