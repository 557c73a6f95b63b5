//! The private keys of a plan as templates: compiled once, their names checked.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::expiring;
use super::reading::resolve::is_unresolved;
use super::trail::Trail;
use crate::backend::Steps;
use crate::document::{Finding, Findings, Map, Node, Piece, Place, Text, Value};
use crate::domain::answer::{BindTarget, BindingField, BindingTemplate, InstanceTemplate};
use crate::domain::schema::Schema;
use crate::template::{Expression, KnownNames, Part, Tree, Where, check_names, without_texts};

/// What a plan answers, as the domain takes it.
#[derive(Debug)]
pub(crate) struct Answers {
    pub values: Json,
    pub instance: InstanceTemplate,
    pub binding: BindingTemplate,
    /// What its backend runs, where that is `sql`.
    pub steps: Option<Steps>,
    /// Whether every text of it could be read: only then it says anything to render it.
    pub is_whole: bool,
}

/// The schemas of a plan that are valid.
#[derive(Default)]
pub(crate) struct Schemas {
    pub instance_create: Option<Schema>,
    pub instance_update: Option<Schema>,
    pub binding_create: Option<Schema>,
}

/// Compiles the templates and schemas of all plans; equal ones once.
#[derive(Default)]
pub(crate) struct Compiler {
    /// By where they stand: what is inherited stands once.
    schemas: HashMap<Place, Option<Schema>>,
    cache: HashMap<String, Result<Expression, String>>,
    pub(super) findings: Vec<Finding>,
}

/// The names that are known at one place.
pub(super) struct Names<'a> {
    values: &'a Json,
    /// Nothing where they could not be read.
    instance: Option<Vec<&'a str>>,
    /// The same.
    binding: Option<Vec<&'a str>>,
    pub(super) with: Vec<&'a str>,
}

/// One tree on its way: what is known there, and whether all could be read.
pub(super) struct Reading<'a> {
    pub(super) known: KnownNames<'a>,
    pub(super) is_whole: bool,
}

impl Compiler {
    /// What was wrong with the templates so far.
    pub fn findings(self, findings: &mut Findings) {
        findings.extend(self.findings);
    }

    /// The schemas of a merged plan.
    pub fn schemas(&mut self, plan: &Node) -> Schemas {
        let schemas = plan.get("schemas");
        let mut compiled = |of: &str, action: &str| {
            let node = schemas?.get(of)?.get(action)?.get("parameters")?;
            let known = self.schemas.entry(node.place.clone());
            known
                .or_insert_with(|| Schema::compile(&node.to_json()).ok())
                .clone()
        };
        Schemas {
            instance_create: compiled("service_instance", "create"),
            instance_update: compiled("service_instance", "update"),
            binding_create: compiled("service_binding", "create"),
        }
    }

    /// The answers of a merged plan.
    pub fn plan(&mut self, plan: &Node, trail: &Trail<'_>) -> Answers {
        let values = constants(plan);
        let mut answers = Answers {
            values: Json::Null,
            instance: InstanceTemplate::default(),
            binding: BindingTemplate::default(),
            steps: None,
            is_whole: plan.get("values").is_none_or(is_read),
        };
        let (instance, binding) = (plan.get("instance"), plan.get("binding"));
        let mut names = Names {
            values: &values,
            instance: Some(vec![]),
            binding: Some(vec![]),
            with: vec![],
        };
        if let Some(instance) = instance {
            self.instance(instance, &mut answers, &names, &trail.key("instance"));
        }
        names.instance = keys(instance);
        if let Some(binding) = binding {
            self.binding(binding, &mut answers, &mut names, &trail.key("binding"));
        }
        names.binding = keys(binding);
        answers.steps = self.steps(plan, &mut names, &mut answers.is_whole, trail);
        answers.values = values;
        answers
    }

    /// What the backend of a merged plan that is not offered runs, where that is `sql`. Nothing else of it is compiled.
    pub fn hidden(&mut self, plan: &Node, trail: &Trail<'_>) -> Option<Steps> {
        let values = constants(plan);
        let mut names = Names {
            values: &values,
            instance: keys(plan.get("instance")),
            binding: keys(plan.get("binding")),
            with: vec![],
        };
        self.steps(plan, &mut names, &mut true, trail)
    }

    fn instance(
        &mut self,
        node: &Node,
        answers: &mut Answers,
        names: &Names<'_>,
        trail: &Trail<'_>,
    ) {
        let template = &mut answers.instance;
        let is_whole = &mut answers.is_whole;
        template.values = self.field(
            node,
            "values",
            names.known(Where::Instance),
            is_whole,
            trail,
        );
        let own = keys(Some(node));
        let known = KnownNames {
            instance_values: own.as_deref(),
            ..names.known(Where::Instance)
        };
        template.dashboard_url = self.field(node, "dashboard_url", known, is_whole, trail);
        template.metadata = self.field(node, "metadata", known, is_whole, trail);
    }

    fn binding<'a>(
        &mut self,
        node: &'a Node,
        answers: &mut Answers,
        names: &mut Names<'a>,
        trail: &Trail<'_>,
    ) {
        let template = &mut answers.binding;
        let is_whole = &mut answers.is_whole;
        template.values = self.field(node, "values", names.known(Where::Binding), is_whole, trail);
        names.binding = keys(Some(node));
        let known = names.known(Where::Binding);
        for field in BindingField::ALL {
            if let Some(tree) = self.field(node, field.name(), known, is_whole, trail) {
                template.fields.push((field, tree));
            }
        }
        let requires = node
            .get("requires")
            .and_then(Node::as_list)
            .unwrap_or_default();
        template.requires = requires.iter().filter_map(target).collect();
        template.ttl = expiring::ttl(node);
        template.inherits = expiring::inherits(node);
        template.refresh = expiring::refresh(node);
    }

    fn field(
        &mut self,
        node: &Node,
        key: &str,
        known: KnownNames<'_>,
        is_whole: &mut bool,
        trail: &Trail<'_>,
    ) -> Option<Tree> {
        let mut reading = Reading {
            known,
            is_whole: true,
        };
        let tree = self.tree(node.get(key)?, &mut reading, &trail.key(key));
        *is_whole &= reading.is_whole;
        Some(tree)
    }

    pub(super) fn tree(
        &mut self,
        node: &Node,
        reading: &mut Reading<'_>,
        trail: &Trail<'_>,
    ) -> Tree {
        match &node.value {
            Value::Text(Text::Pieces(pieces)) => Tree::text(
                pieces
                    .iter()
                    .map(|piece| self.part(piece, node, reading, trail))
                    .collect(),
            ),
            Value::List(items) => Tree::list(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.tree(item, reading, &trail.index(index)))
                    .collect(),
            ),
            Value::Map(map) => Tree::map(
                map.iter()
                    .filter(|entry| !entry.node.is_null())
                    .map(|entry| {
                        let tree = self.tree(&entry.node, reading, &trail.key(&entry.key));
                        (entry.key.to_string(), tree)
                    })
                    .collect(),
            ),
            _ => {
                reading.is_whole &= !is_unresolved(node);
                Tree::Value(node.to_json())
            }
        }
    }

    fn part(
        &mut self,
        piece: &Piece,
        node: &Node,
        reading: &mut Reading<'_>,
        trail: &Trail<'_>,
    ) -> Part {
        let Piece::Template(source) = piece else {
            return Part::Literal(piece.source());
        };
        if !self.cache.contains_key(source) {
            let compiled = Expression::compile(source).map_err(|error| error.to_string());
            self.cache.insert(source.clone(), compiled);
        }
        // A text between quotes may be a password.
        let shown = without_texts(source);
        let wrong = match self.cache.get(source) {
            Some(Ok(expression)) => {
                let unknown = check_names(expression, &reading.known);
                if unknown.is_empty() {
                    return Part::Expression(expression.clone());
                }
                unknown.into_iter().map(|name| {
                    let mend = match &name.nearest {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "use a name that is known here: service, plan, values, platform, instance, and in `binding` also binding".to_owned(),
                    };
                    ("template-name", format!("`{}` is not known in {{{{{shown}}}}}", name.name), mend)
                }).collect()
            }
            Some(Err(sentence)) => vec![(
                "template-syntax",
                format!("{{{{{shown}}}}} {sentence}"),
                "write an expression of names, filters and operators; a literal `{{` is {{ '{{' }}"
                    .to_owned(),
            )],
            None => vec![],
        };
        reading.is_whole = false;
        let path = trail.path();
        self.findings.extend(
            wrong.into_iter().map(|(rule, message, mend)| {
                Finding::error(rule, &path, &node.place, message, mend)
            }),
        );
        Part::Literal(String::new())
    }
}

impl<'a> Names<'a> {
    pub(super) fn known(&'a self, place: Where) -> KnownNames<'a> {
        KnownNames {
            values: self.values,
            instance_values: self.instance.as_deref(),
            binding_values: self.binding.as_deref(),
            with: &self.with,
            place,
        }
    }
}

/// The `values` of a plan.
fn constants(plan: &Node) -> Json {
    plan.get("values")
        .map_or_else(|| Json::Object(serde_json::Map::new()), Node::to_json)
}

/// The keys of the `values` of an instance or a binding; nothing where a reference that was not asked for, or that leads
/// nowhere, stands in their place.
fn keys(node: Option<&Node>) -> Option<Vec<&str>> {
    let values = node.and_then(|node| node.get("values"));
    if [node, values].into_iter().flatten().any(is_unresolved) {
        return None;
    }
    let entries = values.and_then(Node::as_map).into_iter();
    let entries = entries.flat_map(Map::iter);
    let said = entries.filter(|entry| !entry.node.is_null());
    Some(said.map(|entry| &*entry.key).collect())
}

fn target(node: &Node) -> Option<BindTarget> {
    match node.as_text()? {
        "app" => Some(BindTarget::App),
        "route" => Some(BindTarget::Route),
        _ => None,
    }
}

/// Whether every text below was resolved.
fn is_read(node: &Node) -> bool {
    match &node.value {
        Value::List(items) => items.iter().all(is_read),
        Value::Map(map) => map.iter().all(|entry| is_read(&entry.node)),
        _ => !is_unresolved(node),
    }
}
