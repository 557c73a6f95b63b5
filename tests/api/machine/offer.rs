//! What the state machine's broker offers: the plans as a table, and the document made of it.

use std::fmt::Write as _;

pub const SHOP: &str = "5b1d2a0e-71f4-4a43-9d0b-1f5f2ad3c001";
pub const VAULT: &str = "5b1d2a0e-71f4-4a43-9d0b-1f5f2ad3c002";

/// A plan, as far as the model needs it.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the catalog's own flags")]
pub struct Plan {
    pub service: &'static str,
    pub id: &'static str,
    pub name: &'static str,
    pub bindable: bool,
    pub updateable: bool,
    pub rotatable: bool,
    pub schemas: bool,
    pub maintenance: Option<&'static str>,
    /// `app` or `route`.
    pub requires: Option<&'static str>,
    /// Its bindings have expired as soon as they are made.
    pub expires_at: Option<&'static str>,
}

const PLAIN: Plan = Plan {
    service: SHOP,
    id: "5b1d2a0e-71f4-4a43-9d0b-1f5f2ad3d000",
    name: "plain",
    bindable: true,
    updateable: true,
    rotatable: false,
    schemas: false,
    maintenance: None,
    requires: None,
    expires_at: None,
};

pub const PLANS: &[Plan] = &[
    PLAIN,
    Plan {
        id: "5b1d2a0e-71f4-4a43-9d0b-1f5f2ad3d001",
        name: "rotatable",
        rotatable: true,
        ..PLAIN
    },
    Plan {
        id: "5b1d2a0e-71f4-4a43-9d0b-1f5f2ad3d002",
        name: "schemas",
        schemas: true,
        rotatable: true,
        ..PLAIN
    },
    Plan {
        id: "5b1d2a0e-71f4-4a43-9d0b-1f5f2ad3d003",
        name: "maintained",
        maintenance: Some("1.2.3"),
        ..PLAIN
    },
    Plan {
        id: "5b1d2a0e-71f4-4a43-9d0b-1f5f2ad3d004",
        name: "unbindable",
        bindable: false,
        ..PLAIN
    },
    Plan {
        id: "5b1d2a0e-71f4-4a43-9d0b-1f5f2ad3d005",
        name: "fixed",
        updateable: false,
        ..PLAIN
    },
    Plan {
        id: "5b1d2a0e-71f4-4a43-9d0b-1f5f2ad3d006",
        name: "apps-only",
        requires: Some("app"),
        ..PLAIN
    },
    Plan {
        id: "5b1d2a0e-71f4-4a43-9d0b-1f5f2ad3d007",
        name: "routes-only",
        requires: Some("route"),
        ..PLAIN
    },
    Plan {
        id: "5b1d2a0e-71f4-4a43-9d0b-1f5f2ad3d008",
        name: "expiring",
        rotatable: true,
        expires_at: Some("2020-01-01T00:00:00.0Z"),
        ..PLAIN
    },
    Plan {
        service: VAULT,
        id: "5b1d2a0e-71f4-4a43-9d0b-1f5f2ad3d009",
        name: "sealed",
        updateable: false,
        ..PLAIN
    },
];

pub fn plan(id: &str) -> Option<&'static Plan> {
    PLANS.iter().find(|plan| plan.id == id)
}

/// The document of the table.
pub fn document() -> String {
    let mut text = format!(
        r#"minimum_api_version: "2.10"
service_defaults:
  bindable: true
  instance:
    values: {{ token: "{{{{ random_password(24) }}}}" }}
  binding:
    values: {{ password: "{{{{ random_password(24) }}}}" }}
    credentials:
      user: "u_{{{{ binding.id }}}}"
      password: "{{{{ binding.values.password }}}}"
      token: "{{{{ instance.values.token }}}}"
      plan: "{{{{ plan.name }}}}"
      size: "{{{{ instance.parameters.size }}}}"
      level: "{{{{ binding.parameters.level }}}}"
      app: "{{{{ binding.app_guid }}}}"
      route: "{{{{ binding.bind_resource.route }}}}"
services:
  - id: {VAULT}
    name: vault
    description: Nothing of it can be fetched, and its plans do not change
    plans:{}
  - id: {SHOP}
    name: shop
    description: Everything of it can be fetched
    plan_updateable: true
    instances_retrievable: true
    bindings_retrievable: true
    instance:
      dashboard_url: "https://dash.example.com/{{{{ plan.name }}}}/{{{{ instance.id }}}}/{{{{ instance.values.token }}}}"
      metadata:
        labels: {{ space: "{{{{ instance.space }}}}", name: "{{{{ instance.context.instance_name }}}}" }}
    plans:{}
"#,
        plans(VAULT),
        plans(SHOP),
    );
    text.push('\n');
    text
}

fn plans(service: &str) -> String {
    let mut text = String::new();
    for plan in PLANS.iter().filter(|plan| plan.service == service) {
        write_plan(plan, &mut text);
    }
    text
}

fn write_plan(plan: &Plan, text: &mut String) {
    let _ = write!(
        text,
        "\n      - id: {}\n        name: {}\n        description: A plan\n        bindable: {}",
        plan.id, plan.name, plan.bindable
    );
    let mut put = |line: &str| {
        let _ = write!(text, "\n        {line}");
    };
    if plan.service == SHOP && !plan.updateable {
        put("plan_updateable: false");
    }
    if plan.rotatable {
        put("binding_rotatable: true");
    }
    if let Some(version) = plan.maintenance {
        put(&format!(
            "maintenance_info: {{ version: \"{version}\", description: Better }}"
        ));
    }
    if let Some(target) = plan.requires {
        put(&format!("binding: {{ requires: [{target}] }}"));
    }
    if let Some(time) = plan.expires_at {
        put(&format!(
            "binding: {{ metadata: {{ expires_at: \"{time}\" }} }}"
        ));
    }
    if plan.schemas {
        put(SCHEMAS);
    }
}

const SCHEMAS: &str = r#"schemas:
          service_instance:
            create:
              parameters:
                $schema: "http://json-schema.org/draft-04/schema#"
                type: object
                required: [size]
                properties: { size: { type: number, minimum: 1 } }
            update:
              parameters:
                $schema: "http://json-schema.org/draft-04/schema#"
                type: object
                additionalProperties: false
                properties: { size: { type: number } }
          service_binding:
            create:
              parameters:
                $schema: "http://json-schema.org/draft-04/schema#"
                type: object
                properties: { level: { type: number, maximum: 3 } }"#;
