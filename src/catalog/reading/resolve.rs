//! References, over the whole document. What is not offered is not asked for, but for what its backend needs to take away
//! what is left of it.

use crate::catalog::language::{DOCUMENT, OFFERING, PLAN, Reading, Record, Shape};
use crate::catalog::trail::Trail;
use crate::document::{
    Finding, Findings, Map, Node, Origin, Piece, Place, ResolvedValue, Scheme, Sources, Text,
    Value, cut, resolve_text,
};

/// Resolves every reference of the document. A text whose references bring nothing in stays as it is written, so that
/// nobody complains of its type besides.
pub(crate) fn resolve(document: &mut Node, sources: &Sources, findings: &mut Findings) {
    let mut resolver = Resolver { sources, findings };
    resolver.offered(document);
    let defaults = document.get("service_defaults");
    let inherited = Inherited {
        offering: defaults.and_then(offered),
        plan: defaults.and_then(|defaults| offered(defaults.get("plan_defaults")?)),
        acts: defaults.and_then(acts_by_default).unwrap_or_default(),
    };
    let Some(map) = document.as_map_mut() else {
        return;
    };
    for entry in map.iter_mut() {
        let trail = Trail::ROOT.key(&entry.key);
        match (&*entry.key, &mut entry.node.value) {
            ("services", Value::List(services)) => {
                for (index, service) in services.iter_mut().enumerate() {
                    resolver.offering(service, inherited, &trail.index(index));
                }
            }
            (key, _) => {
                if let Some((shape, reading)) = DOCUMENT.entry(key, Reading::References) {
                    resolver.node(&mut entry.node, shape, reading, &trail);
                }
            }
        }
    }
}

/// Whether the node is text that was not resolved: its type is not known.
pub(crate) fn is_unresolved(node: &Node) -> bool {
    matches!(&node.value, Value::Text(Text::Written(text)) if text.contains("${"))
}

/// What `service_defaults` say of `offered` and `backend`.
#[derive(Clone, Copy)]
struct Inherited {
    offering: Option<bool>,
    plan: Option<bool>,
    acts: bool,
}

/// What a backend needs to know of a plan that is not offered.
const ACTING: &[&str] = &[
    "id",
    "name",
    "backend",
    "values",
    "respond",
    "answer_within",
    "poll_every",
    "max_attempts",
];

struct Resolver<'a> {
    sources: &'a Sources,
    findings: &'a mut Findings,
}

impl Resolver<'_> {
    fn node(&mut self, node: &mut Node, shape: Shape, reading: Reading, trail: &Trail<'_>) {
        match &mut node.value {
            Value::Text(Text::Written(_)) => self.text(node, reading, trail),
            Value::List(items) => {
                let item = match shape {
                    Shape::List(item) => *item,
                    _ => Shape::Any,
                };
                for (index, node) in items.iter_mut().enumerate() {
                    self.node(node, item, reading, &trail.index(index));
                }
            }
            Value::Map(_) => self.map(node, shape, reading, trail),
            _ => {}
        }
    }

    fn map(&mut self, node: &mut Node, shape: Shape, reading: Reading, trail: &Trail<'_>) {
        let Some(map) = node.as_map_mut() else { return };
        for entry in map.iter_mut() {
            let below = match shape {
                Shape::Record(record)
                | Shape::WordOr(_, record)
                | Shape::TextOr(record)
                | Shape::BoolOr(record) => record.entry(&entry.key, reading),
                Shape::Named(record) => Some((Shape::Record(record), reading)),
                _ => Some((Shape::Any, reading)),
            };
            if let Some((shape, reading)) = below {
                self.node(&mut entry.node, shape, reading, &trail.key(&entry.key));
            }
        }
    }

    /// An offering without the plans that are not offered; nothing of it where none is.
    fn offering(&mut self, node: &mut Node, inherited: Inherited, trail: &Trail<'_>) {
        let Some(map) = node.as_map_mut() else { return };
        let own = map
            .get("offered")
            .and_then(Node::as_bool)
            .or(inherited.offering);
        let default = map
            .get("plan_defaults")
            .and_then(offered)
            .or(inherited.plan)
            .or(own);
        let acts = map
            .get("plan_defaults")
            .and_then(acts)
            .or_else(|| map.get("backend").map(is_acting))
            .unwrap_or(inherited.acts);
        let plans_trail = trail.key("plans");
        let (mut some, mut some_act) = (false, false);
        if let Some(Value::List(plans)) = map.get_mut("plans").map(|plans| &mut plans.value) {
            for (index, plan) in plans.iter_mut().enumerate() {
                if plan_offered(plan).or(default) != Some(false) {
                    some = true;
                    let shape = Shape::Record(&PLAN);
                    self.node(plan, shape, Reading::References, &plans_trail.index(index));
                } else if self::acts(plan).unwrap_or(acts) {
                    some_act = true;
                    self.acting(plan, &PLAN, &plans_trail.index(index));
                }
            }
        }
        if !some && own == Some(false) {
            if some_act {
                self.acting(node, &OFFERING, trail);
                if let Some(defaults) = node
                    .as_map_mut()
                    .and_then(|map| map.get_mut("plan_defaults"))
                {
                    self.acting(defaults, &PLAN, &trail.key("plan_defaults"));
                }
            }
            return;
        }
        for entry in map
            .iter_mut()
            .filter(|entry| &*entry.key != "plans" || entry.node.as_list().is_none())
        {
            if let Some((shape, reading)) = OFFERING.entry(&entry.key, Reading::References) {
                self.node(&mut entry.node, shape, reading, &trail.key(&entry.key));
            }
        }
    }

    /// What a backend needs to know of an entry that is not offered.
    fn acting(&mut self, node: &mut Node, record: &'static Record, trail: &Trail<'_>) {
        let Some(map) = node.as_map_mut() else { return };
        let needed = map.iter_mut().filter(|entry| ACTING.contains(&&*entry.key));
        for entry in needed {
            if let Some((shape, reading)) = record.entry(&entry.key, Reading::References) {
                self.node(&mut entry.node, shape, reading, &trail.key(&entry.key));
            }
        }
    }

    /// Every `offered`, for they settle what else is asked for.
    fn offered(&mut self, document: &mut Node) {
        let mut each = |node: &mut Node, trail: &Trail<'_>| {
            if let Some(offered) = node.as_map_mut().and_then(|map| map.get_mut("offered")) {
                self.node(
                    offered,
                    Shape::Bool,
                    Reading::References,
                    &trail.key("offered"),
                );
            }
        };
        let mut with_defaults = |node: &mut Node, trail: &Trail<'_>| {
            each(node, trail);
            if let Some(defaults) = node
                .as_map_mut()
                .and_then(|map| map.get_mut("plan_defaults"))
            {
                each(defaults, &trail.key("plan_defaults"));
            }
            let plans = node.as_map_mut().and_then(|map| map.get_mut("plans"));
            if let Some(Value::List(plans)) = plans.map(|plans| &mut plans.value) {
                let trail = trail.key("plans");
                for (index, plan) in plans.iter_mut().enumerate() {
                    each(plan, &trail.index(index));
                }
            }
        };
        let Some(map) = document.as_map_mut() else {
            return;
        };
        if let Some(defaults) = map.get_mut("service_defaults") {
            with_defaults(defaults, &Trail::ROOT.key("service_defaults"));
        }
        if let Some(Value::List(services)) = map.get_mut("services").map(|node| &mut node.value) {
            for (index, service) in services.iter_mut().enumerate() {
                with_defaults(service, &Trail::ROOT.key("services").index(index));
            }
        }
    }

    fn text(&mut self, node: &mut Node, reading: Reading, trail: &Trail<'_>) {
        let Value::Text(Text::Written(text)) = &mut node.value else {
            return;
        };
        let has_template = text.contains("{{");
        let is_plain = !text.contains("${") && !has_template;
        if reading == Reading::Verbatim || is_plain {
            node.value = Value::Text(Text::Literal(std::mem::take(text)));
            return;
        }
        if has_template && !reading.renders() {
            self.misplaced(&node.place, text, reading, trail);
        }
        if reading == Reading::Statements && self.has_reference(&node.place, text, trail) {
            return;
        }
        match resolve_text(text, reading.renders(), self.sources) {
            Ok(mut resolved) => {
                if let Some(value) = typed_default(text, &resolved.value) {
                    resolved.value = ResolvedValue::Typed(value);
                }
                let written = node.written.take();
                let origin = std::mem::replace(&mut node.origin, Origin::File);
                *node = resolved.into_node(&node.place);
                node.written = written;
                if node.origin == Origin::File {
                    node.origin = origin;
                }
            }
            Err(errors) => self.findings.extend(errors.into_iter().map(|error| {
                let message = error.to_string();
                Finding::error(
                    error.rule(),
                    &trail.path(),
                    &node.place,
                    message,
                    error.mend(),
                )
            })),
        }
    }

    /// A reference in a statement, where what it brings in would be read as SQL.
    fn has_reference(&mut self, place: &Place, text: &str, trail: &Trail<'_>) -> bool {
        let pieces = cut(text, true).unwrap_or_default();
        let Some(reference) = pieces.iter().find_map(Piece::as_reference) else {
            return false;
        };
        self.findings.push(Finding::error(
            "statement-reference",
            &trail.path(),
            place,
            format!("what {} brings in would be read as SQL", reference.source),
            "put it in `values`, and write `{{ values.NAME | ident }}` or `| literal` here",
        ));
        true
    }

    /// A template where none is rendered.
    fn misplaced(&mut self, place: &Place, text: &str, reading: Reading, trail: &Trail<'_>) {
        let is_template = cut(text, true).is_ok_and(|pieces| {
            pieces
                .iter()
                .any(|piece| matches!(piece, Piece::Template(_)))
        });
        if !is_template {
            return;
        }
        let path = trail.path();
        self.findings.push(if reading == Reading::Constants {
            Finding::error(
                "template-in-constant",
                &path,
                place,
                "this is a constant: no template is rendered here",
                "write the value, or move the template to `instance.values` or `binding.values`",
            )
        } else {
            Finding::warning(
                "template-published",
                &path,
                place,
                "this is published as it stands: templates are rendered in `instance` and `binding` only",
                "write the text out, or accept the rule where the braces are meant",
            )
        });
    }
}

fn offered(node: &Node) -> Option<bool> {
    node.get("offered")?.as_bool()
}

/// Whether a backend acts, by the word of this entry itself.
fn acts(node: &Node) -> Option<bool> {
    node.as_map()?.get("backend").map(is_acting)
}

/// The same of what stands under `service_defaults`.
fn acts_by_default(defaults: &Node) -> Option<bool> {
    defaults
        .get("plan_defaults")
        .and_then(acts)
        .or_else(|| acts(defaults))
}

/// Whether that is a backend that acts, or the name of one.
fn is_acting(backend: &Node) -> bool {
    let kinds = backend.as_map().into_iter().flat_map(Map::iter);
    kinds.into_iter().any(|entry| &*entry.key != "fixed")
}

/// A plan's own word: `null` there removes what it would inherit.
fn plan_offered(plan: &Node) -> Option<bool> {
    let own = plan.as_map()?.get("offered")?;
    own.as_bool().or_else(|| own.is_null().then_some(true))
}

/// The default of `${json:NAME:-true}` has a type as well, where it is JSON. What `json:` found itself is typed already.
fn typed_default(text: &str, value: &ResolvedValue) -> Option<serde_json::Value> {
    let ResolvedValue::Text(Text::Literal(default)) = value else {
        return None;
    };
    let pieces = cut(text, false).ok()?;
    let [Piece::Reference(reference)] = pieces.as_slice() else {
        return None;
    };
    let is_json = matches!(reference.scheme, Scheme::JsonName | Scheme::JsonFile);
    let is_default = reference.encoding.is_none() && reference.default.as_deref() == Some(default);
    (is_json && is_default).then(|| serde_json::from_str(default).ok())?
}
