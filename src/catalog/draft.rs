//! The document after the merge, as the rules look at it: nothing is sure of it yet.

use super::answers::{Answers, Compiler, Schemas};
use super::memory::Memory;
use super::statements;
use super::trail::Trail;
use super::{merge, pool};
use crate::backend::Steps;
use crate::document::{Environment, Findings, Node, Path, Place};

/// The whole.
pub struct Draft<'a> {
    /// The document before the merge.
    pub(crate) document: &'a Node,
    /// What the store can promise.
    pub(crate) memory: Memory,
    pub(crate) offerings: Vec<OfferingDraft>,
    /// Makes ids for mends.
    pub(crate) guid: &'a dyn Fn() -> String,
    pub(crate) environment: &'a Environment,
}

/// An offering with what it inherits.
pub(crate) struct OfferingDraft {
    pub index: usize,
    pub node: Node,
    pub plans: Vec<PlanDraft>,
    /// Whether it is published: it is offered, or one of its plans is.
    pub offered: bool,
}

/// A plan with what it inherits.
pub(crate) struct PlanDraft {
    pub path: Path,
    pub node: Node,
    pub offered: bool,
    /// Of what is offered.
    pub answers: Option<Answers>,
    /// What its backend runs, where that is `sql`; also of what is not offered, for it takes away what is left of it.
    pub steps: Option<Steps>,
    /// Those that are valid.
    pub schemas: Schemas,
}

impl<'a> Draft<'a> {
    /// Merges and compiles.
    pub(crate) fn new(
        document: &'a Node,
        memory: Memory,
        environment: &'a Environment,
        guid: &'a dyn Fn() -> String,
        findings: &mut Findings,
    ) -> Self {
        let mut compiler = Compiler::default();
        let services = document
            .get("services")
            .and_then(Node::as_list)
            .unwrap_or_default();
        let offerings = services
            .iter()
            .enumerate()
            .filter(|(_, node)| node.as_map().is_some())
            .map(|(index, node)| OfferingDraft::new(document, index, node, &mut compiler))
            .collect();
        compiler.findings(findings);
        Self {
            document,
            memory,
            offerings,
            guid,
            environment,
        }
    }

    /// The offerings that are published.
    pub(crate) fn offered(&self) -> impl Iterator<Item = &OfferingDraft> {
        self.offerings.iter().filter(|offering| offering.offered)
    }

    /// The plans that are published, each with its offering.
    pub(crate) fn plans(&self) -> impl Iterator<Item = (&OfferingDraft, &PlanDraft)> {
        self.offered().flat_map(|offering| {
            offering
                .plans
                .iter()
                .filter(|plan| plan.offered)
                .map(move |plan| (offering, plan))
        })
    }

    /// The plans whose backends have to be whole: those that are published, and those that are not but have a backend
    /// that takes their instances away.
    pub(crate) fn with_backends(&self) -> impl Iterator<Item = &PlanDraft> {
        let hidden = self.offerings.iter().flat_map(|offering| &offering.plans);
        let hidden = hidden.filter(|plan| !plan.offered && plan.node.get("backend").is_some());
        self.plans().map(|(_, plan)| plan).chain(hidden)
    }

    /// Offerings and plans that are published, each with its path.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Path, &Node)> {
        self.offered().flat_map(|offering| {
            let plans = offering.plans.iter().filter(|plan| plan.offered);
            std::iter::once((offering.path(), &offering.node))
                .chain(plans.map(|plan| (plan.path.clone(), &plan.node)))
        })
    }
}

impl OfferingDraft {
    fn new(document: &Node, index: usize, node: &Node, compiler: &mut Compiler) -> Self {
        let written = node;
        let node = merge::offering(document, written);
        let base = merge::plan_base(document, &node);
        let services = Trail::ROOT.key("services");
        let trail = services.index(index);
        let trail = trail.key("plans");
        let plans: Vec<PlanDraft> = written
            .get("plans")
            .and_then(Node::as_list)
            .unwrap_or_default()
            .iter()
            .enumerate()
            .filter(|(_, plan)| plan.as_map().is_some())
            .map(|(at, plan)| {
                let plan = merge::with_named_backend(document, merge::plan(&base, plan));
                let plan = pool::with_answer(plan);
                let plan = statements::gathered(plan);
                PlanDraft::new(plan, &trail.index(at), compiler)
            })
            .collect();
        let own = is_offered(&node);
        let offered = if plans.is_empty() {
            own
        } else {
            plans.iter().any(|plan| plan.offered)
        };
        Self {
            index,
            node,
            plans,
            offered,
        }
    }

    /// The way to it.
    pub fn path(&self) -> Path {
        Path::root().key("services").index(self.index)
    }

    /// Whether the plan can be bound: its own word, else the offering's.
    pub fn bindable(&self, plan: &PlanDraft) -> bool {
        [&plan.node, &self.node]
            .iter()
            .find_map(|node| node.get("bindable")?.as_bool())
            .unwrap_or_default()
    }

    /// Whether it asks users for that permission.
    pub fn requires(&self, permission: &str) -> bool {
        let list = self
            .node
            .get("requires")
            .and_then(Node::as_list)
            .unwrap_or_default();
        list.iter().any(|word| word.as_text() == Some(permission))
    }
}

impl PlanDraft {
    fn new(node: Node, trail: &Trail<'_>, compiler: &mut Compiler) -> Self {
        let offered = is_offered(&node);
        let mut answers = offered.then(|| compiler.plan(&node, trail));
        let steps = match &mut answers {
            Some(answers) => answers.steps.take(),
            None => compiler.hidden(&node, trail),
        };
        let schemas = compiler.schemas(&node);
        Self {
            path: trail.path(),
            node,
            offered,
            answers,
            steps,
            schemas,
        }
    }
}

fn is_offered(node: &Node) -> bool {
    node.get("offered").and_then(Node::as_bool) != Some(false)
}

/// Path and place of what a dotted path below `node` leads to; as far as it leads.
pub(crate) fn follow(node: &Node, path: &Path, dotted: &str) -> (Path, Place) {
    let rest = dotted.trim_start_matches('.');
    if let (Some(items), Some(inner)) = (node.as_list(), rest.strip_prefix('['))
        && let Some((index, rest)) = inner.split_once(']')
        && let Ok(index) = index.parse::<usize>()
        && let Some(item) = items.get(index)
    {
        return follow(item, &path.index(index), rest);
    }
    let entries = node
        .as_map()
        .into_iter()
        .flat_map(crate::document::Map::iter);
    let found = entries
        .filter(|entry| !entry.node.is_null())
        .find_map(|entry| {
            let behind = rest.strip_prefix(&*entry.key)?;
            (behind.is_empty() || behind.starts_with(['.', '['])).then_some((entry, behind))
        });
    match found {
        Some((entry, behind)) => follow(
            &entry.node,
            &path.key(std::sync::Arc::clone(&entry.key)),
            behind,
        ),
        None => (path.clone(), node.place.clone()),
    }
}
