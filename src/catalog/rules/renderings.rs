//! Every private template rendered as platforms would make it: for an app, a service key, a route, with empty
//! parameters, on Cloud Foundry and on Kubernetes.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::store::{dotted, trees};
use crate::catalog::answers::Answers;
use crate::catalog::draft::{Draft, OfferingDraft, PlanDraft, follow};
use crate::catalog::pool;
use crate::catalog::responding::acts;
use crate::document::{Node, Path, Place};
use crate::domain::answer::BindTarget;
use crate::template::{
    BindingScope, Deriving, Draw, InstanceScope, Key, Keys, Named, RenderError, Scope, Tree,
};

/// What came of all of them.
#[derive(Default)]
pub(crate) struct Renderings {
    /// What could not be rendered.
    pub errors: Vec<Failed>,
    /// What was, where rules look at it.
    pub fields: Vec<Rendered>,
}

/// A template that could not be rendered.
pub(crate) struct Failed {
    pub path: Path,
    pub place: Place,
    pub message: String,
    pub is_null: bool,
}

/// A field of an answer.
pub(crate) struct Rendered {
    pub path: Path,
    /// Where its parts stand.
    pub node: Node,
    pub key: &'static str,
    pub value: Json,
}

/// One way in which a platform may ask.
#[derive(Clone, Copy)]
struct Case {
    platform: &'static str,
    target: Target,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    App,
    Key,
    Route,
}

type Object = Map<String, Json>;

/// Chance that is none: the same letters each time, of every kind; and a key that is none.
fn draw() -> Draw {
    Draw::with_chance(0, |bytes| {
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::try_from(index * 37 % 248).unwrap_or_default();
        }
        Ok(())
    })
    .deriving(deriving())
}

fn deriving() -> Option<Deriving> {
    let version: Arc<str> = "v1".into();
    let key = Key::parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").ok()?;
    let keys = Keys::new(&version, [(Arc::clone(&version), key)].into())?;
    Some(Deriving {
        keys: Arc::new(keys),
        version,
        instance: "9c3a5b1e-6f0d-4a8e-8f4b-2d7c1e0a9b58".into(),
        binding: "4f6e8a0c-2b1d-4e3f-a5c7-8b9d0e1f2a3b".into(),
    })
}

/// Renders all plans that are whole.
pub(crate) fn all(draft: &Draft<'_>) -> Renderings {
    let mut renderings = Renderings::default();
    let draw = draw();
    let mut seen = HashSet::new();
    for (offering, plan) in draft.plans() {
        if let Some(answers) = plan.answers.as_ref().filter(|answers| answers.is_whole) {
            let mut renderer = Renderer {
                offering,
                plan,
                answers,
                draw: &draw,
                seen: &mut seen,
                out: &mut renderings,
                refuses_empty: [
                    refuses_empty(plan.schemas.instance_create.as_ref()),
                    refuses_empty(plan.schemas.binding_create.as_ref()),
                ],
            };
            renderer.cases();
        }
    }
    renderings
}

/// Whether a schema asks for parameters: then empty ones never get as far as a template.
fn refuses_empty(schema: Option<&crate::domain::schema::Schema>) -> bool {
    schema.is_some_and(|schema| !schema.violations(&json!({})).is_empty())
}

struct Renderer<'a> {
    offering: &'a OfferingDraft,
    plan: &'a PlanDraft,
    answers: &'a Answers,
    draw: &'a Draw,
    /// Places of what failed already: what many plans inherit is told once.
    seen: &'a mut HashSet<(Place, String)>,
    out: &'a mut Renderings,
    /// Of instance and binding.
    refuses_empty: [bool; 2],
}

impl Renderer<'_> {
    fn cases(&mut self) {
        let requires = &self.answers.binding.requires;
        let targets = [Target::App, Target::Key, Target::Route]
            .into_iter()
            .filter(|target| match target {
                Target::App => !requires.contains(&BindTarget::Route),
                Target::Key => requires.is_empty(),
                Target::Route => !requires.contains(&BindTarget::App),
            });
        let mut cases: Vec<Case> = targets
            .flat_map(|target| {
                ["cloudfoundry", "kubernetes"].map(|platform| Case { platform, target })
            })
            .collect();
        if cases.is_empty() {
            cases.push(Case {
                platform: "cloudfoundry",
                target: Target::App,
            });
        }
        if !self.depends_on_case() {
            cases.truncate(1);
        }
        for case in cases {
            self.case(case);
        }
    }

    /// Whether an expression looks at what differs from case to case.
    fn depends_on_case(&self) -> bool {
        trees(self.answers, true)
            .into_iter()
            .flat_map(|(_, tree)| tree.expressions())
            .any(|(_, expression)| {
                expression.names().any(|name| {
                    let differs = [
                        "platform",
                        "instance.context",
                        "binding.context",
                        "binding.app_guid",
                        "binding.bind_resource",
                    ];
                    differs.iter().any(|prefix| name.starts_with(prefix))
                })
            })
    }

    fn case(&mut self, case: Case) {
        let (context, empty) = (context(case.platform), Object::new());
        let id = |node: &Node| {
            node.get("id")
                .and_then(Node::as_text)
                .unwrap_or_default()
                .to_owned()
        };
        let name = |node: &Node| {
            node.get("name")
                .and_then(Node::as_text)
                .unwrap_or_default()
                .to_owned()
        };
        let (service, plan) = (&self.offering.node, &self.plan.node);
        let maintenance = plan.get("maintenance_info");
        let maintenance = maintenance.and_then(|info| info.get("version")?.as_text());
        let ids = [id(service), name(service), id(plan), name(plan)];
        let mut scope = Scope {
            service: Named {
                id: &ids[0],
                name: &ids[1],
            },
            plan: Named {
                id: &ids[2],
                name: &ids[3],
            },
            values: &self.answers.values,
            platform: Some(case.platform),
            instance: InstanceScope {
                id: "9c3a5b1e-6f0d-4a8e-8f4b-2d7c1e0a9b58",
                parameters: Some(&empty),
                context: Some(&context),
                organization: Some("1b8f6c1d-0e1a-4b0f-9a3c-5d2e7f4a6b90"),
                space: Some("e2d4c6b8-1a3f-4c5e-8d7b-9f0a2b4c6d8e"),
                values: Some(&empty),
                outputs: None,
                maintenance_version: maintenance,
            },
            binding: None,
            statement: None,
        };
        let template = &self.answers.instance;
        let Some(values) = self.object(template.values.as_ref(), "instance.values", &scope, case)
        else {
            return;
        };
        scope.instance.values = Some(&values);
        if let Some(tree) = &template.dashboard_url {
            self.field(
                tree,
                "instance.dashboard_url",
                Json::is_string,
                "a string",
                &scope,
                case,
            );
        }
        if let Some(tree) = &template.metadata {
            self.field(
                tree,
                "instance.metadata",
                Json::is_object,
                "a map",
                &scope,
                case,
            );
        }
        self.binding(&scope, &context, case);
    }

    fn binding<'s>(&mut self, scope: &Scope<'s>, context: &'s Object, case: Case) {
        let (empty, resource) = (Object::new(), resource(case.target));
        let mut binding = BindingScope {
            id: "4f6e8a0c-2b1d-4e3f-a5c7-8b9d0e1f2a3b",
            parameters: Some(&empty),
            context: Some(context),
            app_guid: resource.get("app_guid").and_then(Json::as_str),
            bind_resource: Some(&resource),
            values: None,
            outputs: None,
        };
        let template = &self.answers.binding;
        let before = Scope {
            binding: Some(binding),
            ..*scope
        };
        let Some(values) = self.object(template.values.as_ref(), "binding.values", &before, case)
        else {
            return;
        };
        binding.values = Some(&values);
        let scope = Scope {
            binding: Some(binding),
            ..*scope
        };
        for (field, tree) in &template.fields {
            self.field(
                tree,
                field.path(),
                |value| field.takes(value),
                field.kind(),
                &scope,
                case,
            );
        }
    }

    fn object(
        &mut self,
        tree: Option<&Tree>,
        path: &'static str,
        scope: &Scope<'_>,
        case: Case,
    ) -> Option<Object> {
        match tree.map_or(Ok(None), |tree| tree.render(scope, self.draw)) {
            Ok(Some(Json::Object(object))) => Some(object),
            Ok(None) => Some(Object::new()),
            Ok(Some(_)) => {
                self.failed(&RenderError::mistyped(path, "a map"), case);
                None
            }
            Err(error) => {
                self.failed(&error.below(path), case);
                None
            }
        }
    }

    fn field(
        &mut self,
        tree: &Tree,
        path: &'static str,
        takes: impl Fn(&Json) -> bool,
        kind: &str,
        scope: &Scope<'_>,
        case: Case,
    ) {
        match tree.render(scope, self.draw) {
            Ok(None) => {}
            // Of a free map there is nothing more to ask.
            Ok(Some(value)) if takes(&value) && path == "binding.credentials" => {}
            Ok(Some(value)) if takes(&value) => self.rendered(path, value),
            // A constant of a wrong type was told when it was read.
            Ok(Some(_)) if tree.as_constant().is_some() => {}
            Ok(Some(_)) => self.failed(&RenderError::mistyped(path, kind), case),
            Err(error) => self.failed(&error.below(path), case),
        }
    }

    fn rendered(&mut self, path: &'static str, value: Json) {
        let mut node = &self.plan.node;
        let mut at = self.plan.path.clone();
        for key in path.split('.') {
            let Some(below) = node.get(key) else { return };
            node = below;
            at = at.key(key);
        }
        self.out.fields.push(Rendered {
            path: at,
            node: node.clone(),
            key: path,
            value,
        });
    }

    fn failed(&mut self, error: &RenderError, case: Case) {
        if self.never_happens(error) {
            return;
        }
        let (path, place) = follow(&self.plan.node, &self.plan.path, &dotted("", error.path()));
        let what = error
            .expression()
            .map_or_else(String::new, |source| format!("{{{{ {source} }}}} "));
        if !self.seen.insert((place.clone(), what.clone())) {
            return;
        }
        let target = match case.target {
            Target::App => "an app",
            Target::Key => "a service key",
            Target::Route => "a route",
        };
        let platform = if case.platform == "kubernetes" {
            "Kubernetes"
        } else {
            "Cloud Foundry"
        };
        let is_null = error.sentence().contains("null");
        let message = format!(
            "{what}{} (for {target} on {platform}, with empty parameters)",
            error.sentence()
        );
        self.out.errors.push(Failed {
            path,
            place,
            message,
            is_null,
        });
    }

    /// Whether the schema of parameters refuses a request before this template is rendered, or a backend has answered by
    /// then.
    fn never_happens(&self, error: &RenderError) -> bool {
        let uses = |name: &str| {
            error
                .expression()
                .is_some_and(|source| source.contains(name))
        };
        let [instance, binding] = self.refuses_empty;
        let gives = acts(&self.plan.node) || pool::of(&self.plan.node).is_some();
        let awaited = gives && uses(".outputs");
        awaited
            || (instance && uses("instance.parameters"))
            || (binding && uses("binding.parameters"))
    }
}

fn context(platform: &str) -> Object {
    let context = if platform == "kubernetes" {
        json!({ "platform": platform, "namespace": "default", "clusterid": "c1", "instance_name": "db" })
    } else {
        json!({
            "platform": platform,
            "organization_guid": "1b8f6c1d-0e1a-4b0f-9a3c-5d2e7f4a6b90", "organization_name": "org", "organization_annotations": {},
            "space_guid": "e2d4c6b8-1a3f-4c5e-8d7b-9f0a2b4c6d8e", "space_name": "dev", "space_annotations": {},
            "instance_name": "db", "instance_annotations": {},
        })
    };
    object(context)
}

fn resource(target: Target) -> Object {
    object(match target {
        Target::App => json!({
            "app_guid": "7a5d3c1b-9e8f-4a6b-8c2d-0f1e3a5b7c9d",
            "space_guid": "e2d4c6b8-1a3f-4c5e-8d7b-9f0a2b4c6d8e",
        }),
        Target::Key => json!({}),
        Target::Route => json!({ "route": "app.example.com" }),
    })
}

fn object(value: Json) -> Object {
    match value {
        Json::Object(object) => object,
        _ => Object::new(),
    }
}
