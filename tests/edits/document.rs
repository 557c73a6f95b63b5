//! Small catalogs, and edits of them.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

#[derive(Clone, Debug)]
pub struct Document {
    pub services: Vec<Service>,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "the flags of the specification, each by its name"
)]
#[derive(Clone, Debug)]
pub struct Service {
    pub id: u16,
    pub name: u16,
    pub bindable: bool,
    pub syslog_drain: bool,
    pub route_forwarding: bool,
    pub plan_updateable: bool,
    pub instances_retrievable: bool,
    pub bindings_retrievable: bool,
    pub plans: Vec<Plan>,
}

#[expect(clippy::struct_field_names, reason = "the names of the specification")]
#[derive(Clone, Debug)]
pub struct Plan {
    pub id: u16,
    pub name: u16,
    pub bindable: Option<bool>,
    pub plan_updateable: Option<bool>,
    pub offered: bool,
    /// The largest `size` that its schema allows, where it has one.
    pub largest: Option<u8>,
    pub backend: Backend,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Fixed,
    Pool,
    /// Of the plan alone.
    Command,
    /// One that plans share by name.
    Named(&'static str),
}

pub const NAMES: [&str; 2] = ["one", "two"];

/// One edit; the places are taken modulo what is there.
#[derive(Clone, Copy, Debug)]
pub enum Edit {
    RenameService(u8),
    RenamePlan(u8, u8),
    ServiceId(u8),
    PlanId(u8, u8),
    /// Two plans of one offering change places, by their ids.
    SwapIds(u8),
    /// The same by their names.
    SwapNames(u8),
    Bindable(u8),
    PlanBindable(u8, u8, Option<bool>),
    SyslogDrain(u8),
    RouteForwarding(u8),
    Updateable(u8),
    PlanUpdateable(u8, u8, Option<bool>),
    InstancesRetrievable(u8),
    BindingsRetrievable(u8),
    Schema(u8, u8, Option<u8>),
    Backend(u8, u8, Backend),
    Offered(u8, u8),
    AddPlan(u8),
    RemovePlan(u8, u8),
    RemoveService(u8),
}

fn backend() -> impl Strategy<Value = Backend> {
    prop_oneof![
        3 => Just(Backend::Fixed),
        1 => Just(Backend::Pool),
        2 => Just(Backend::Command),
        1 => Just(Backend::Named(NAMES[0])),
        1 => Just(Backend::Named(NAMES[1])),
    ]
}

fn schema() -> impl Strategy<Value = Option<u8>> {
    prop_oneof![Just(None), Just(Some(5)), Just(Some(9))]
}

fn plan() -> impl Strategy<Value = Plan> {
    let flag = || prop_oneof![3 => Just(None), 1 => any::<bool>().prop_map(Some)];
    (flag(), flag(), schema(), backend()).prop_map(
        |(bindable, plan_updateable, largest, backend)| Plan {
            id: 0,
            name: 0,
            bindable,
            plan_updateable,
            offered: true,
            largest,
            backend,
        },
    )
}

fn service() -> impl Strategy<Value = Service> {
    let mostly = || prop::bool::weighted(0.8);
    let flags = (mostly(), mostly(), mostly(), mostly(), mostly());
    (flags, prop::collection::vec(plan(), 1..4)).prop_map(|(flags, plans)| Service {
        id: 0,
        name: 0,
        bindable: flags.0,
        syslog_drain: flags.1,
        route_forwarding: flags.2,
        plan_updateable: flags.3,
        instances_retrievable: flags.4,
        // What acts may answer later, and asks for it.
        bindings_retrievable: true,
        plans,
    })
}

/// A catalog without a mistake.
pub fn document() -> impl Strategy<Value = Document> {
    prop::collection::vec(service(), 1..3).prop_map(|mut services| {
        for (at, service) in (1..).zip(&mut services) {
            (service.id, service.name) = (at * 10, at * 10);
            for (below, plan) in (1..).zip(&mut service.plans) {
                (plan.id, plan.name) = (at * 10 + below, at * 10 + below);
            }
        }
        Document { services }
    })
}

pub fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let (s, p) = (0u8..2, 0u8..3);
    let at = (s.clone(), p);
    let flag = prop_oneof![Just(None), any::<bool>().prop_map(Some)];
    let narrow = prop_oneof![Just(None), Just(Some(4)), Just(Some(5)), Just(Some(9))];
    let of_service: [fn(u8) -> Edit; 9] = [
        Edit::RenameService,
        Edit::SwapIds,
        Edit::SwapNames,
        Edit::Bindable,
        Edit::SyslogDrain,
        Edit::RouteForwarding,
        Edit::Updateable,
        Edit::InstancesRetrievable,
        Edit::BindingsRetrievable,
    ];
    let rare: [fn(u8) -> Edit; 3] = [Edit::ServiceId, Edit::RemoveService, Edit::AddPlan];
    let of_plan: [fn(u8, u8) -> Edit; 4] = [
        Edit::RenamePlan,
        Edit::PlanId,
        Edit::Offered,
        Edit::RemovePlan,
    ];
    let edit = prop_oneof![
        4 => (s.clone(), prop::sample::select(of_service.to_vec())).prop_map(|(s, edit)| edit(s)),
        1 => (s, prop::sample::select(rare.to_vec())).prop_map(|(s, edit)| edit(s)),
        4 => (at.clone(), prop::sample::select(of_plan.to_vec())).prop_map(|((s, p), edit)| edit(s, p)),
        1 => (at.clone(), flag.clone()).prop_map(|((s, p), flag)| Edit::PlanBindable(s, p, flag)),
        1 => (at.clone(), flag).prop_map(|((s, p), flag)| Edit::PlanUpdateable(s, p, flag)),
        1 => (at.clone(), narrow).prop_map(|((s, p), largest)| Edit::Schema(s, p, largest)),
        2 => (at, backend()).prop_map(|((s, p), backend)| Edit::Backend(s, p, backend)),
    ];
    prop::collection::vec(edit, 1..4)
}

impl Document {
    /// With the edits, one after the other; one whose place has gone does nothing.
    pub fn edited(&self, edits: &[Edit]) -> Self {
        let mut edited = self.clone();
        for (new, edit) in (900..).step_by(2).zip(edits) {
            let _ = edited.edit(*edit, new);
        }
        edited
    }

    fn service(&mut self, at: u8) -> Option<&mut Service> {
        let count = self.services.len();
        self.services.get_mut(usize::from(at).checked_rem(count)?)
    }

    fn plan(&mut self, service: u8, at: u8) -> Option<&mut Plan> {
        let plans = &mut self.service(service)?.plans;
        let count = plans.len();
        plans.get_mut(usize::from(at).checked_rem(count)?)
    }

    fn edit(&mut self, edit: Edit, new: u16) -> Option<()> {
        let not = |flag: &mut bool| *flag = !*flag;
        match edit {
            Edit::RenameService(s) => self.service(s)?.name = new,
            Edit::RenamePlan(s, p) => self.plan(s, p)?.name = new,
            Edit::ServiceId(s) => self.service(s)?.id = new,
            Edit::PlanId(s, p) => self.plan(s, p)?.id = new,
            Edit::SwapIds(s) => {
                if let [one, other, ..] = &mut self.service(s)?.plans[..] {
                    std::mem::swap(&mut one.id, &mut other.id);
                }
            }
            Edit::SwapNames(s) => {
                if let [one, other, ..] = &mut self.service(s)?.plans[..] {
                    std::mem::swap(&mut one.name, &mut other.name);
                }
            }
            Edit::Bindable(s) => not(&mut self.service(s)?.bindable),
            Edit::PlanBindable(s, p, flag) => self.plan(s, p)?.bindable = flag,
            Edit::SyslogDrain(s) => not(&mut self.service(s)?.syslog_drain),
            Edit::RouteForwarding(s) => not(&mut self.service(s)?.route_forwarding),
            Edit::Updateable(s) => not(&mut self.service(s)?.plan_updateable),
            Edit::PlanUpdateable(s, p, flag) => self.plan(s, p)?.plan_updateable = flag,
            Edit::InstancesRetrievable(s) => not(&mut self.service(s)?.instances_retrievable),
            Edit::BindingsRetrievable(s) => not(&mut self.service(s)?.bindings_retrievable),
            Edit::Schema(s, p, largest) => self.plan(s, p)?.largest = largest,
            Edit::Backend(s, p, backend) => self.plan(s, p)?.backend = backend,
            Edit::Offered(s, p) => not(&mut self.plan(s, p)?.offered),
            Edit::AddPlan(s) => {
                let mut plan = self.plan(s, 0)?.clone();
                (plan.id, plan.name) = (new, new);
                self.service(s)?.plans.push(plan);
            }
            Edit::RemovePlan(s, p) => {
                let plans = &mut self.service(s)?.plans;
                let at = usize::from(p).checked_rem(plans.len())?;
                plans.remove(at);
            }
            Edit::RemoveService(s) => {
                let at = usize::from(s).checked_rem(self.services.len())?;
                self.services.remove(at);
            }
        }
        Some(())
    }

    /// As an operator would write it.
    pub fn text(&self) -> String {
        let named = |name: &str| {
            (
                name.to_owned(),
                json!({ "command": { "run": ["/bin/true"] } }),
            )
        };
        let backends: Map<String, Value> = NAMES.into_iter().map(named).collect();
        let services: Vec<Value> = self.services.iter().map(Service::json).collect();
        json!({ "backends": backends, "services": services }).to_string()
    }
}

pub fn id(number: u16) -> String {
    format!("6f2b6f54-9d7c-4c39-9a36-5f7f0e0e{number:04}")
}

impl Service {
    fn json(&self) -> Value {
        let mut requires = Vec::new();
        requires.extend(self.syslog_drain.then_some("syslog_drain"));
        requires.extend(self.route_forwarding.then_some("route_forwarding"));
        let plans: Vec<Value> = self.plans.iter().map(Plan::json).collect();
        json!({
            "id": id(self.id), "name": format!("service-{}", self.name), "description": "A service",
            "bindable": self.bindable, "requires": requires, "plan_updateable": self.plan_updateable,
            "instances_retrievable": self.instances_retrievable,
            "bindings_retrievable": self.bindings_retrievable, "plans": plans,
        })
    }
}

impl Plan {
    fn json(&self) -> Value {
        let mut plan = json!({
            "id": id(self.id), "name": format!("plan-{}", self.name), "description": "A plan",
            "offered": self.offered, "respond": "sync",
        });
        if let Some(bindable) = self.bindable {
            plan["bindable"] = json!(bindable);
        }
        if let Some(updateable) = self.plan_updateable {
            plan["plan_updateable"] = json!(updateable);
        }
        if let Some(largest) = self.largest {
            plan["schemas"]["service_instance"]["create"]["parameters"] = json!({
                "$schema": "http://json-schema.org/draft-04/schema#", "type": "object",
                "properties": { "size": { "type": "integer", "maximum": largest } },
            });
        }
        match self.backend {
            Backend::Fixed => {}
            Backend::Pool => {
                let entry = |at: u8| json!({ "name": format!("entry-{at}"), "credentials": { "user": at } });
                let entries: Vec<Value> = (0..8).map(entry).collect();
                plan["backend"] = json!({ "pool": { "entries": entries } });
            }
            Backend::Command => plan["backend"] = json!({ "command": { "run": ["/bin/true"] } }),
            Backend::Named(name) => plan["backend"] = json!({ "use": name }),
        }
        plan
    }
}
