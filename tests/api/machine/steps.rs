//! What a platform may do, as data: so that proptest can make it, print it and shrink it.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::offer::{PLANS, SHOP, VAULT};
use crate::harness::{PASSWORD, USER, at_binding, at_instance, basic};
use crate::http::Request;

/// How long a sequence is.
pub const STEPS: usize = 30;

/// One call, or what stands for one. A small number for everything that can collide.
#[derive(Clone, Debug)]
pub struct Step {
    pub act: Act,
    /// Whether it goes for what is there; else it takes the ids as they come.
    pub aimed: bool,
    /// The plan that new instances of the sequence are mostly of.
    pub home: usize,
    pub instance: usize,
    pub binding: usize,
    pub naming: Naming,
    pub space: usize,
    pub parameters: usize,
    pub context: usize,
    pub maintenance: usize,
    pub target: usize,
    pub predecessor: usize,
    pub slip: Slip,
}

impl Step {
    /// A good call for the first ids, and the first plan.
    pub const fn plain(act: Act) -> Self {
        Self {
            act,
            aimed: false,
            home: 0,
            instance: 0,
            binding: 0,
            naming: Naming::Its,
            space: 0,
            parameters: 0,
            context: 0,
            maintenance: 0,
            target: 0,
            predecessor: 0,
            slip: Slip::Nothing,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Provision,
    Bind,
    /// A bind with a predecessor.
    Rotate,
    Update,
    Fetch,
    FetchBinding,
    Poll,
    PollBinding,
    Unbind,
    Deprovision,
    /// The call before the last few once more, to the letter.
    Again(usize),
    /// The broker is killed and started again.
    Restart,
}

impl Act {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provision => "provision",
            Self::Bind => "bind",
            Self::Rotate => "rotate",
            Self::Update => "update",
            Self::Fetch => "fetch",
            Self::FetchBinding => "fetch binding",
            Self::Poll => "poll",
            Self::PollBinding => "poll binding",
            Self::Unbind => "unbind",
            Self::Deprovision => "deprovision",
            Self::Again(_) => "again",
            Self::Restart => "restart",
        }
    }

    const fn method(self) -> &'static str {
        match self {
            Self::Provision | Self::Bind | Self::Rotate => "PUT",
            Self::Update => "PATCH",
            Self::Unbind | Self::Deprovision => "DELETE",
            _ => "GET",
        }
    }

    pub fn has_body(self) -> bool {
        matches!(self.method(), "PUT" | "PATCH")
    }
}

/// How offering and plan are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// As the instance has them; the home plan's where there is none.
    Its,
    /// This plan's.
    Of(usize),
    /// The instance's offering alone.
    ServiceAlone,
    /// One offering with a plan of the other.
    Crossed,
    UnknownService,
    UnknownPlan,
    PlanAlone,
    EmptyService,
    EmptyPlan,
    Neither,
}

/// What is wrong with a call as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slip {
    Nothing,
    NoLogin,
    WrongPassword,
    NoVersion,
    Version(&'static str),
    NotJson,
    NotAnObject,
    ParametersAreAList,
    NameTwice,
}

pub fn sequence() -> impl Strategy<Value = Vec<Step>> {
    // The flag is there to be shrunk: a step that goes takes no other with it.
    let steps = prop::collection::vec((prop::bool::weighted(1.0), step()), STEPS);
    (home(), steps).prop_map(|(home, steps)| {
        let kept = steps
            .into_iter()
            .filter_map(|(kept, step)| kept.then_some(step));
        kept.map(|step| Step {
            home: (home + step.instance) % PLANS.len(),
            ..step
        })
        .collect()
    })
}

fn step() -> impl Strategy<Value = Step> {
    let of = (act(), prop::bool::weighted(0.8), few(), few(), naming());
    let with = (
        often_first(1),
        parameters(),
        0..3_usize,
        often_first(3),
        0..TARGETS,
        few(),
    );
    (of, with, slip()).prop_map(
        |(
            (act, aimed, instance, binding, naming),
            (space, parameters, context, maintenance, target, predecessor),
            slip,
        )| Step {
            aimed,
            instance,
            binding,
            naming,
            space,
            parameters,
            context,
            maintenance,
            target,
            predecessor,
            slip,
            ..Step::plain(act)
        },
    )
}

/// Any plan; more often one that rotates or does not change, for little is of those.
fn home() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 0..PLANS.len(), 4 => 1..=2_usize, 1 => Just(5_usize)]
}

/// How many ids there are of a kind.
pub const IDS: usize = 3;

pub fn instance_id(life: &str, index: usize) -> String {
    format!("{life}-i{index}")
}

pub fn binding_id(life: &str, index: usize) -> String {
    format!("{life}-b{index}")
}

/// Three ids, one of them most of the time.
fn few() -> impl Strategy<Value = usize> {
    prop_oneof![6 => Just(0_usize), 3 => Just(1_usize), 1 => Just(2_usize)]
}

fn often_first(last: usize) -> impl Strategy<Value = usize> {
    prop_oneof![7 => Just(0_usize), 1 => 1..=last]
}

fn parameters() -> impl Strategy<Value = usize> {
    prop_oneof![6 => Just(0_usize), 4 => Just(2_usize), 6 => 0..PARAMETERS]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        20 => Just(Act::Provision),
        26 => Just(Act::Bind),
        24 => Just(Act::Rotate),
        18 => Just(Act::Update),
        10 => Just(Act::Fetch),
        12 => Just(Act::FetchBinding),
        11 => Just(Act::Poll),
        11 => Just(Act::PollBinding),
        11 => Just(Act::Unbind),
        9 => Just(Act::Deprovision),
        16 => Just(Act::Again(0)),
        8 => (1..4_usize).prop_map(Act::Again),
        3 => Just(Act::Restart),
    ]
}

fn naming() -> impl Strategy<Value = Naming> {
    prop_oneof![
        60 => Just(Naming::Its),
        20 => (0..PLANS.len()).prop_map(Naming::Of),
        6 => Just(Naming::ServiceAlone),
        3 => Just(Naming::Crossed),
        2 => Just(Naming::UnknownService),
        2 => Just(Naming::UnknownPlan),
        2 => Just(Naming::PlanAlone),
        2 => Just(Naming::EmptyService),
        2 => Just(Naming::EmptyPlan),
        5 => Just(Naming::Neither),
    ]
}

fn slip() -> impl Strategy<Value = Slip> {
    prop_oneof![
        120 => Just(Slip::Nothing),
        3 => Just(Slip::NoLogin),
        2 => Just(Slip::WrongPassword),
        2 => Just(Slip::NoVersion),
        3 => prop::sample::select(vec!["2", "2.9", "3.0", "2.x", "02,17"]).prop_map(Slip::Version),
        1 => Just(Slip::NotJson),
        1 => Just(Slip::NotAnObject),
        1 => Just(Slip::ParametersAreAList),
        6 => Just(Slip::NameTwice),
    ]
}

const PARAMETERS: usize = 9;

fn instance_parameters(index: usize) -> Option<Value> {
    match index {
        0 => None,
        1 => Some(json!({})),
        2 => Some(json!({ "size": 1 })),
        3 => Some(json!({ "size": 1.0 })),
        4 => Some(json!({ "size": 2, "color": "red" })),
        5 => Some(json!({ "color": "red", "size": 2 })),
        6 => Some(json!({ "color": "blue" })),
        7 => Some(json!({ "size": 0 })),
        _ => Some(json!({ "size": "big" })),
    }
}

fn binding_parameters(index: usize) -> Option<Value> {
    match index {
        0..4 => None,
        4 => Some(json!({})),
        5 => Some(json!({ "level": 1 })),
        6 => Some(json!({ "level": 2, "extra": [true] })),
        _ => Some(json!({ "level": 9 })),
    }
}

const TARGETS: usize = 7;

/// `app_guid` and `bind_resource`.
fn target(index: usize) -> (Option<Value>, Option<Value>) {
    match index {
        0 => (None, None),
        1 => (None, Some(json!({}))),
        2 => (Some(json!("app-0")), Some(json!({ "app_guid": "app-0" }))),
        3 => (Some(json!("app-0")), None),
        4 => (None, Some(json!({ "app_guid": "app-1" }))),
        5 => (None, Some(json!({ "route": "one.example.com" }))),
        _ => (None, Some(json!({ "route": "two.example.com" }))),
    }
}

/// A call as it is made: a step with its names looked up. It can be made again.
#[derive(Clone, Debug)]
pub struct Ask {
    pub act: Act,
    pub instance: String,
    pub binding: String,
    /// As named; absent where it is not, which is not the same as empty.
    pub service: Option<String>,
    pub plan: Option<String>,
    pub space: String,
    pub parameters: Option<Value>,
    /// The instance's name in it; the whole absent or without the name, where there is none.
    pub context: Option<Value>,
    pub maintenance: Option<Value>,
    pub app_guid: Option<Value>,
    pub bind_resource: Option<Value>,
    pub predecessor: Option<String>,
    pub slip: Slip,
}

impl Ask {
    /// `its` is offering and plan of the instance, where there is one; `life` keeps sequences apart.
    pub fn new(step: &Step, life: &str, its: Option<(&str, &str)>) -> Self {
        let (service, plan) = named(
            step.naming,
            its.unwrap_or((PLANS[step.home].service, PLANS[step.home].id)),
        );
        let (app_guid, bind_resource) = target(step.target);
        let binds = matches!(step.act, Act::Bind | Act::Rotate);
        Self {
            act: step.act,
            instance: instance_id(life, step.instance),
            binding: binding_id(life, step.binding),
            service,
            plan,
            space: format!("space-{}", step.space),
            parameters: if binds {
                binding_parameters(step.parameters)
            } else {
                instance_parameters(step.parameters)
            },
            context: [
                None,
                Some(json!({ "platform": "cloudfoundry", "instance_name": "one" })),
                Some(json!({ "platform": "kubernetes", "instance_name": "two" })),
            ][step.context]
                .clone(),
            maintenance: [
                None,
                Some(json!({})),
                Some(json!({ "version": "1.2.3" })),
                Some(json!({ "version": "9.9.9", "description": "old" })),
            ][step.maintenance]
                .clone(),
            app_guid,
            bind_resource,
            predecessor: (step.act == Act::Rotate).then(|| binding_id(life, step.predecessor)),
            slip: step.slip,
        }
    }

    pub fn request(&self) -> Request {
        let request = Request::new(
            self.act.method(),
            &format!("{}{}", self.path(), self.query()),
        );
        let request = match self.slip {
            Slip::NoLogin => request,
            Slip::WrongPassword => request.header("Authorization", &basic(USER, "wrong")),
            _ => request.header("Authorization", &basic(USER, PASSWORD)),
        };
        let request = match self.slip {
            Slip::NoVersion => request,
            Slip::Version(version) => request.header("X-Broker-API-Version", version),
            _ => request.header("X-Broker-API-Version", "2.17"),
        };
        match self.slip {
            _ if !self.act.has_body() => request,
            Slip::NotJson => request.body("{\"service_id\": "),
            Slip::NotAnObject => request.body("[]"),
            _ => request.json(&self.body()),
        }
    }

    fn path(&self) -> String {
        match self.act {
            Act::Poll => format!("{}/last_operation", at_instance(&self.instance)),
            Act::PollBinding => {
                format!(
                    "{}/last_operation",
                    at_binding(&self.instance, &self.binding)
                )
            }
            Act::Bind | Act::Rotate | Act::FetchBinding | Act::Unbind => {
                at_binding(&self.instance, &self.binding)
            }
            _ => at_instance(&self.instance),
        }
    }

    fn query(&self) -> String {
        let mut pairs = Vec::new();
        if !self.act.has_body() {
            let names = [("service_id", &self.service), ("plan_id", &self.plan)];
            for (name, value) in names {
                pairs.extend(value.iter().map(|value| format!("{name}={value}")));
            }
        }
        if self.slip == Slip::NameTwice {
            let name = if self.act.method() == "DELETE" {
                "plan_id"
            } else {
                "accepts_incomplete"
            };
            pairs.extend([format!("{name}=true"), format!("{name}=true")]);
        }
        format!("?{}", pairs.join("&"))
    }

    fn body(&self) -> Value {
        let mut body = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        };
        put("service_id", self.service.clone().map(Value::from));
        put("plan_id", self.plan.clone().map(Value::from));
        put("context", self.context.clone());
        put(
            "parameters",
            if self.slip == Slip::ParametersAreAList {
                Some(json!(["size"]))
            } else {
                self.parameters.clone()
            },
        );
        match self.act {
            Act::Provision => {
                put("organization_guid", Some("org".into()));
                put("space_guid", Some(self.space.clone().into()));
                put("maintenance_info", self.maintenance.clone());
            }
            Act::Update => {
                put("maintenance_info", self.maintenance.clone());
                put("previous_values", Some(json!({ "plan_id": 7 })));
            }
            _ => {
                put("app_guid", self.app_guid.clone());
                put("bind_resource", self.bind_resource.clone());
                let predecessor = self.predecessor.clone().map(Value::from);
                put("predecessor_binding_id", predecessor);
            }
        }
        body.into()
    }
}

fn named(naming: Naming, its: (&str, &str)) -> (Option<String>, Option<String>) {
    let (service, plan) = its;
    let other = if service == SHOP { VAULT } else { SHOP };
    let (service, plan) = match naming {
        Naming::Its => (Some(service), Some(plan)),
        Naming::Of(index) => (Some(PLANS[index].service), Some(PLANS[index].id)),
        Naming::ServiceAlone => (Some(service), None),
        Naming::Crossed => (Some(other), Some(plan)),
        Naming::UnknownService => (Some("no-such-service"), Some(plan)),
        Naming::UnknownPlan => (Some(service), Some("no-such-plan")),
        Naming::PlanAlone => (None, Some(plan)),
        Naming::EmptyService => (Some(""), Some(plan)),
        Naming::EmptyPlan => (Some(service), Some("")),
        Naming::Neither => (None, None),
    };
    (service.map(str::to_owned), plan.map(str::to_owned))
}
