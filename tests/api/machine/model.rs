//! A broker in plain Rust: what is answered to a call, and what is remembered of it. It is written from the order of
//! checks, not from the broker's code, and knows no store, no HTTP and no templates.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::checks::{
    Refused, bindable, canonical, chosen, creatable, gate, maintained, name, once, parameters,
    present, sent_resource, typed, updatable, version,
};
use super::offer::{self, Plan, SHOP, VAULT};
use super::steps::{Act, Ask, IDS, Slip, Step, binding_id, instance_id};

/// What is to be answered.
#[derive(Clone, Debug)]
pub struct Expected {
    pub status: u16,
    /// The word of a refusal; empty for a success.
    pub word: &'static str,
    /// The body of a success. A text with [`HOLE`] in it ends in chance there.
    pub body: Value,
    pub change: Change,
}

impl Expected {
    /// Status and word.
    pub fn answer(&self) -> String {
        format!("{} {}", self.status, self.word)
            .trim_end()
            .to_owned()
    }
}

/// Before a name: here something random begins, known by that name from now on.
pub const HOLE: char = '\0';
/// How long it is.
pub const HOLE_LENGTH: usize = 24;

/// What is remembered once the answer was as expected.
#[derive(Clone, Debug)]
pub enum Change {
    Nothing,
    Instance(Box<Instance>),
    NoInstance,
    Binding(Box<Binding>),
    NoBinding,
}

#[derive(Clone, Debug)]
pub struct Instance {
    plan: &'static Plan,
    former: Vec<&'static str>,
    asked: Value,
    parameters: Map<String, Value>,
    name: Option<Value>,
    space: String,
    maintenance: Option<&'static str>,
    /// Random: not known before it was shown.
    token: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Binding {
    plan: &'static Plan,
    asked: Value,
    parameters: Map<String, Value>,
    resource: Map<String, Value>,
    body: Value,
}

type Verdict = Result<(u16, Value, Change), Refused>;
/// An instance, or a binding of it.
type Subject = (String, Option<String>);

#[derive(Default)]
pub struct Model {
    instances: HashMap<String, Instance>,
    bindings: HashMap<(String, String), Binding>,
    /// Whether the last that happened to it took it away.
    last: HashMap<Subject, bool>,
}

impl Model {
    /// Offering and plan of an instance.
    pub fn names(&self, instance: &str) -> Option<(&'static str, &'static str)> {
        let plan = self.instances.get(instance)?.plan;
        Some((plan.service, plan.id))
    }

    /// The step turned to what is there; to what makes it, where nothing is.
    pub fn aim(&self, step: &Step, life: &str) -> Step {
        let mut step = step.clone();
        if !step.aimed || matches!(step.act, Act::Provision | Act::Poll) {
            return step;
        }
        let there = |index: usize| self.instances.contains_key(&instance_id(life, index));
        let Some(index) = nearest(step.instance, there) else {
            step.act = Act::Provision;
            return step;
        };
        step.instance = index;
        let instance = instance_id(life, step.instance);
        let bound = |index: usize| {
            let key = (instance.clone(), binding_id(life, index));
            self.bindings.contains_key(&key)
        };
        let rotates = self.instances[&instance].plan.rotatable;
        match (step.act, nearest(step.binding, bound)) {
            // A refusal for that is seen often enough.
            (Act::Rotate, _) if !rotates && step.target > 0 => step.act = Act::Bind,
            (Act::FetchBinding | Act::Unbind, Some(index)) => step.binding = index,
            (Act::Rotate, Some(index)) => {
                step.predecessor = index;
                let free = (0..IDS).find(|index| !bound(*index));
                step.binding = free.unwrap_or(step.binding);
            }
            (Act::FetchBinding | Act::Unbind | Act::Rotate, None) => step.act = Act::Bind,
            _ => {}
        }
        step
    }

    pub fn expect(&self, ask: &Ask) -> Expected {
        let verdict = gate(ask).and_then(|()| match ask.act {
            Act::Provision => self.provision(ask),
            Act::Update => self.update(ask),
            Act::Fetch => self.fetch(ask),
            Act::Deprovision => self.deprovision(ask),
            Act::Bind | Act::Rotate => self.bind(ask),
            Act::FetchBinding => self.fetch_binding(ask),
            Act::Unbind => self.unbind(ask),
            Act::Poll => self.poll(ask, None),
            Act::PollBinding => self.poll(ask, Some(ask.binding.clone())),
            Act::Again(_) | Act::Restart => unreachable!("not a call"),
        });
        match verdict {
            Ok((status, body, change)) => Expected {
                status,
                word: "",
                body,
                change,
            },
            Err((status, word)) => Expected {
                status,
                word,
                body: Value::Null,
                change: Change::Nothing,
            },
        }
    }

    /// Remembers; `body` is what was answered, `random` what came out of chance in it.
    pub fn remember(
        &mut self,
        ask: &Ask,
        change: Change,
        body: &Value,
        random: &HashMap<String, String>,
    ) {
        let key = (ask.instance.clone(), ask.binding.clone());
        let of_instance = (ask.instance.clone(), None);
        let of_binding = (ask.instance.clone(), Some(ask.binding.clone()));
        match change {
            Change::Nothing => {}
            Change::Instance(mut instance) => {
                instance.token = instance.token.or_else(|| random.get("token").cloned());
                self.instances.insert(ask.instance.clone(), *instance);
                self.last.insert(of_instance, false);
            }
            Change::NoInstance => {
                self.instances.remove(&ask.instance);
                self.last.insert(of_instance, true);
                let left = self.bindings.keys().filter(|key| key.0 == ask.instance);
                for (instance, binding) in left.cloned().collect::<Vec<_>>() {
                    self.last
                        .insert((instance.clone(), Some(binding.clone())), true);
                    self.bindings.remove(&(instance, binding));
                }
            }
            Change::Binding(mut binding) => {
                binding.body = body.clone();
                self.bindings.insert(key, *binding);
                self.last.insert(of_binding, false);
                if let (Some(instance), Some(token)) =
                    (self.instances.get_mut(&ask.instance), random.get("token"))
                {
                    instance.token = Some(token.clone());
                }
            }
            Change::NoBinding => {
                self.bindings.remove(&key);
                self.last.insert(of_binding, true);
            }
        }
    }

    fn binding(&self, ask: &Ask) -> Option<(&Instance, &Binding)> {
        let instance = self.instances.get(&ask.instance)?;
        let binding = self
            .bindings
            .get(&(ask.instance.clone(), ask.binding.clone()))?;
        Some((instance, binding))
    }

    fn provision(&self, ask: &Ask) -> Verdict {
        once(ask)?;
        present(ask.service.as_ref())?;
        present(ask.plan.as_ref())?;
        typed(ask)?;
        let plan = chosen(ask.service.as_deref(), ask.plan.as_deref())?;
        let asked = canonical(&json!([
            ask.service,
            ask.plan,
            ask.space,
            parameters(ask.parameters.as_ref())
        ]));
        if let Some(there) = self.instances.get(&ask.instance) {
            if there.asked != asked {
                return Err((409, "InstanceConflict"));
            }
            maintained(plan, ask)?;
            let body = there.answer(&ask.instance);
            return Ok((200, body, Change::Nothing));
        }
        maintained(plan, ask)?;
        let parameters = parameters(ask.parameters.as_ref());
        if plan.schemas && !creatable(&parameters) {
            return Err((400, "ParametersInvalid"));
        }
        let instance = Instance {
            plan,
            former: Vec::new(),
            asked,
            parameters,
            name: name(ask.context.as_ref()),
            space: ask.space.clone(),
            maintenance: plan.maintenance,
            token: None,
        };
        let body = instance.answer(&ask.instance);
        Ok((201, body, Change::Instance(Box::new(instance))))
    }

    fn update(&self, ask: &Ask) -> Verdict {
        once(ask)?;
        present(ask.service.as_ref())?;
        if ask.plan.as_deref() == Some("") {
            return Err((400, "InvalidField"));
        }
        typed(ask)?;
        let known = [Some(SHOP), Some(VAULT)].contains(&ask.service.as_deref());
        if !known {
            return Err((400, "ServiceNotInCatalog"));
        }
        if ask.plan.is_some() {
            let own = self.names(&ask.instance);
            if own != ask.service.as_deref().zip(ask.plan.as_deref()) {
                chosen(ask.service.as_deref(), ask.plan.as_deref())?;
            }
        }
        let instance = self.instances.get(&ask.instance);
        let mut instance = instance.ok_or((404, "InstanceNotFound"))?.clone();
        if ask.service.as_deref() != Some(instance.plan.service) {
            return Err((400, "ServiceMismatch"));
        }
        let target = match &ask.plan {
            Some(plan) => offer::plan(plan).ok_or((400, "PlanNotInCatalog"))?,
            None => instance.plan,
        };
        maintained(target, ask)?;
        let moves = target.id != instance.plan.id;
        if moves && !instance.plan.updateable {
            return Err((422, "PlanChangeNotSupported"));
        }
        let sent = parameters(ask.parameters.as_ref());
        let mut union = instance.parameters.clone();
        union.extend(sent.clone());
        if target.schemas {
            let fits = ask.parameters.is_none() || updatable(&sent);
            let whole = (ask.parameters.is_none() && !moves) || creatable(&union);
            if !fits || !whole {
                return Err((400, "ParametersInvalid"));
            }
        }
        instance.parameters = union;
        if ask.context.is_some() {
            instance.name = name(ask.context.as_ref());
        }
        if moves || version(ask).is_some() {
            instance.maintenance = target.maintenance;
        }
        if moves {
            instance.former.push(instance.plan.id);
            instance.plan = target;
        }
        let body = instance.answer(&ask.instance);
        Ok((200, body, Change::Instance(Box::new(instance))))
    }

    fn fetch(&self, ask: &Ask) -> Verdict {
        let instance = self.instances.get(&ask.instance);
        let instance = instance.ok_or((404, "InstanceNotFound"))?;
        if instance.plan.service == VAULT {
            return Err((404, "NotRetrievable"));
        }
        let mut body = instance.answer(&ask.instance);
        body["service_id"] = instance.plan.service.into();
        body["plan_id"] = instance.plan.id.into();
        body["parameters"] = instance.parameters.clone().into();
        if let Some(version) = instance.maintenance {
            body["maintenance_info"] = json!({ "version": version });
        }
        Ok((200, body, Change::Nothing))
    }

    fn deprovision(&self, ask: &Ask) -> Verdict {
        let instance = self.instances.get(&ask.instance).ok_or((410, "Gone"))?;
        instance.agrees(ask)?;
        Ok((200, json!({}), Change::NoInstance))
    }

    fn bind(&self, ask: &Ask) -> Verdict {
        once(ask)?;
        typed(ask)?;
        let named = ask.service.is_some() || ask.plan.is_some() || ask.predecessor.is_none();
        let mut plan = None;
        if named {
            present(ask.service.as_ref())?;
            present(ask.plan.as_ref())?;
            let chosen = chosen(ask.service.as_deref(), ask.plan.as_deref())?;
            bindable(chosen, ask)?;
            plan = Some(chosen);
        }
        let instance = self.instances.get(&ask.instance);
        let instance = instance.ok_or((404, "InstanceNotFound"))?;
        let sent = sent_resource(ask);
        if let Some((_, there)) = self.binding(ask) {
            if there.asked != bind_asked(ask, plan.unwrap_or(there.plan), sent.as_ref()) {
                return Err((409, "BindingConflict"));
            }
            return Ok((200, there.body.clone(), Change::Nothing));
        }
        if let Some(plan) = plan {
            if plan.service != instance.plan.service {
                return Err((400, "ServiceMismatch"));
            }
            if plan.id != instance.plan.id {
                return Err((400, "PlanMismatch"));
            }
        }
        bindable(instance.plan, ask)?;
        let predecessor = match &ask.predecessor {
            None => None,
            Some(id) => {
                let key = (ask.instance.clone(), id.clone());
                let there = self.bindings.get(&key).filter(|binding| {
                    // Those with a time have one in the past.
                    binding.body["metadata"]["expires_at"].is_null()
                });
                Some(there.ok_or((400, "PredecessorInvalid"))?)
            }
        };
        let resource = sent
            .clone()
            .or_else(|| predecessor.map(|binding| binding.resource.clone()));
        let resource = resource.unwrap_or_default();
        match instance.plan.requires {
            Some("app") if !resource.contains_key("app_guid") => {
                return Err((422, "RequiresApp"));
            }
            Some("route") if !resource.contains_key("route") => {
                return Err((400, "RequiresRoute"));
            }
            _ => {}
        }
        let parameters = match (&ask.parameters, predecessor) {
            (None, Some(binding)) => binding.parameters.clone(),
            (sent, _) => {
                let sent = parameters(sent.as_ref());
                if instance.plan.schemas && sent.get("level") == Some(&json!(9)) {
                    return Err((400, "ParametersInvalid"));
                }
                sent
            }
        };
        let binding = Binding {
            plan: instance.plan,
            asked: bind_asked(ask, instance.plan, sent.as_ref()),
            body: credentials(ask, instance, &parameters, &resource),
            parameters,
            resource,
        };
        Ok((
            201,
            binding.body.clone(),
            Change::Binding(Box::new(binding)),
        ))
    }

    fn fetch_binding(&self, ask: &Ask) -> Verdict {
        let (instance, binding) = self.binding(ask).ok_or((404, "BindingNotFound"))?;
        if instance.plan.service == VAULT {
            return Err((404, "NotRetrievable"));
        }
        let mut body = binding.body.clone();
        body["parameters"] = binding.parameters.clone().into();
        Ok((200, body, Change::Nothing))
    }

    fn unbind(&self, ask: &Ask) -> Verdict {
        let (instance, binding) = self.binding(ask).ok_or((410, "Gone"))?;
        let as_bound = ask.slip != Slip::NameTwice
            && ask.service.as_deref() == Some(binding.plan.service)
            && ask.plan.as_deref() == Some(binding.plan.id);
        if !as_bound {
            instance.agrees(ask)?;
        }
        Ok((200, json!({}), Change::NoBinding))
    }

    fn poll(&self, ask: &Ask, binding: Option<String>) -> Verdict {
        once(ask)?;
        match self.last.get(&(ask.instance.clone(), binding)) {
            None => Err((404, "OperationNotFound")),
            Some(true) => Err((410, "Gone")),
            Some(false) => Ok((200, json!({ "state": "succeeded" }), Change::Nothing)),
        }
    }
}

impl Instance {
    fn answer(&self, id: &str) -> Value {
        if self.plan.service == VAULT {
            return json!({});
        }
        let mut labels = json!({ "space": self.space });
        if let Some(name) = &self.name {
            labels["name"] = name.clone();
        }
        json!({
            "dashboard_url": format!("https://dash.example.com/{}/{id}/{}", self.plan.name, self.token()),
            "metadata": { "labels": labels },
        })
    }

    fn token(&self) -> String {
        self.token.clone().unwrap_or_else(|| format!("{HOLE}token"))
    }

    fn agrees(&self, ask: &Ask) -> Result<(), Refused> {
        let missing = |name: Option<&String>| name.is_none_or(String::is_empty);
        let twice = ask.slip == Slip::NameTwice;
        if twice || missing(ask.service.as_ref()) || missing(ask.plan.as_ref()) {
            return Err((400, "InvalidQuery"));
        }
        if ask.service.as_deref() != Some(self.plan.service) {
            return Err((400, "ServiceMismatch"));
        }
        let known = |plan: &str| plan == self.plan.id || self.former.contains(&plan);
        if ask.plan.as_deref().is_some_and(known) {
            Ok(())
        } else {
            Err((400, "PlanMismatch"))
        }
    }
}

/// `index` if it is there, else the first that is.
fn nearest(index: usize, there: impl Fn(usize) -> bool) -> Option<usize> {
    std::iter::once(index)
        .chain(0..IDS)
        .find(|index| there(*index))
}

fn bind_asked(ask: &Ask, plan: &Plan, resource: Option<&Map<String, Value>>) -> Value {
    canonical(&json!([
        plan.id,
        parameters(ask.parameters.as_ref()),
        resource.cloned().unwrap_or_default(),
        ask.predecessor,
    ]))
}

fn credentials(
    ask: &Ask,
    instance: &Instance,
    parameters: &Map<String, Value>,
    resource: &Map<String, Value>,
) -> Value {
    let mut credentials = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            credentials.insert(key.to_owned(), value);
        }
    };
    put("user", Some(format!("u_{}", ask.binding).into()));
    put("password", Some(format!("{HOLE}password").into()));
    put("token", Some(instance.token().into()));
    put("plan", Some(instance.plan.name.into()));
    put("size", instance.parameters.get("size").cloned());
    put("level", parameters.get("level").cloned());
    put("app", resource.get("app_guid").cloned());
    put("route", resource.get("route").cloned());
    let mut body = json!({ "credentials": credentials });
    if let Some(time) = instance.plan.expires_at {
        body["metadata"] = json!({ "expires_at": time });
    }
    body
}
