//! What the names in a template stand for while it is rendered. Everything is borrowed; only what a template uses is
//! ever converted.

use serde_json::{Map, Value as Json};

use super::error::RenderError;
use super::scan::Path;

/// The names of one rendering. It holds parameters and credentials in the open, so it cannot be printed.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// `service`.
    pub service: Named<'a>,
    /// `plan`.
    pub plan: Named<'a>,
    /// `values`: the plan's constants. A name that is not in them is an error.
    pub values: &'a Json,
    /// `platform`: `cloudfoundry`, `kubernetes`, ...
    pub platform: Option<&'a str>,
    /// `instance`.
    pub instance: InstanceScope<'a>,
    /// `binding`; absent while an instance is rendered.
    pub binding: Option<BindingScope<'a>>,
    /// `with`, `server`, `previous`; absent but in what a server is told.
    pub statement: Option<&'a StatementScope<'a>>,
}

/// What only statements see.
#[derive(Clone, Copy)]
pub struct StatementScope<'a> {
    /// `with`: the knobs, rendered.
    pub with: &'a Map<String, Json>,
    /// `server`: where the statements run, nothing of it confidential.
    pub server: &'a Map<String, Json>,
    /// `previous`: plan, parameters and maintenance before an update.
    pub previous: &'a Map<String, Json>,
    /// `row`: what a question gave, in a statement that is run for each row of its answer.
    pub row: Option<&'a str>,
}

/// `service.id`, `service.name`; `plan.id`, `plan.name`.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    /// The id.
    pub id: &'a str,
    /// The name.
    pub name: &'a str,
}

/// `instance.*`. What is absent is null, and so is every path below it.
#[derive(Clone, Copy, Default)]
pub struct InstanceScope<'a> {
    /// The instance's id.
    pub id: &'a str,
    /// The parameters as last asked for.
    pub parameters: Option<&'a Map<String, Json>>,
    /// The context as last known.
    pub context: Option<&'a Map<String, Json>>,
    /// The organization's GUID.
    pub organization: Option<&'a str>,
    /// The space's GUID.
    pub space: Option<&'a str>,
    /// The values made at provision.
    pub values: Option<&'a Map<String, Json>>,
    /// What the backend returned.
    pub outputs: Option<&'a Map<String, Json>>,
    /// The version of the maintenance that it has.
    pub maintenance_version: Option<&'a str>,
}

/// `binding.*`. What is absent is null, and so is every path below it.
#[derive(Clone, Copy, Default)]
pub struct BindingScope<'a> {
    /// The binding's id.
    pub id: &'a str,
    /// The parameters of this bind.
    pub parameters: Option<&'a Map<String, Json>>,
    /// The context of this bind.
    pub context: Option<&'a Map<String, Json>>,
    /// The app's GUID, from either of its places.
    pub app_guid: Option<&'a str>,
    /// The resource that is bound to.
    pub bind_resource: Option<&'a Map<String, Json>>,
    /// The values made at bind.
    pub values: Option<&'a Map<String, Json>>,
    /// What the backend returned.
    pub outputs: Option<&'a Map<String, Json>>,
}

/// What a path leads to.
#[derive(Clone, Copy)]
pub(super) enum Found<'a> {
    Json(&'a Json),
    Map(&'a Map<String, Json>),
    Text(&'a str),
    Null,
}

impl<'a> Scope<'a> {
    pub(super) fn look_up(&self, path: &Path) -> Result<Found<'a>, RenderError> {
        self.find(&path.steps).ok_or_else(|| {
            RenderError::new(format!("names `{}`, which is not known here", path.dotted))
        })
    }

    fn find(&self, steps: &[String]) -> Option<Found<'a>> {
        let (root, below) = steps.split_first()?;
        match root.as_str() {
            "values" => below
                .iter()
                .try_fold(self.values, |value, step| value.get(step))
                .map(Found::Json),
            "platform" => scalar(self.platform, below),
            "service" => self.service.find(below),
            "plan" => self.plan.find(below),
            "instance" => self.instance.find(below),
            "binding" => self.binding.as_ref()?.find(below),
            "with" => Some(free(Some(self.statement?.with), below)),
            "server" => Some(free(Some(self.statement?.server), below)),
            "row" => scalar(Some(self.statement?.row?), below),
            "previous" => Some(free(Some(self.statement?.previous), below)),
            _ => None,
        }
    }
}

impl<'a> Named<'a> {
    fn find(&self, steps: &[String]) -> Option<Found<'a>> {
        let (field, below) = steps.split_first()?;
        match field.as_str() {
            "id" => scalar(Some(self.id), below),
            "name" => scalar(Some(self.name), below),
            _ => None,
        }
    }
}

impl<'a> InstanceScope<'a> {
    fn find(&self, steps: &[String]) -> Option<Found<'a>> {
        let (field, below) = steps.split_first()?;
        match field.as_str() {
            "id" => scalar(Some(self.id), below),
            "organization" => scalar(self.organization, below),
            "space" => scalar(self.space, below),
            "parameters" => Some(free(self.parameters, below)),
            "context" => Some(free(self.context, below)),
            "values" => Some(free(self.values, below)),
            "outputs" => Some(free(self.outputs, below)),
            "maintenance_info" => match below.split_first()? {
                (field, below) if field == "version" => scalar(self.maintenance_version, below),
                _ => None,
            },
            _ => None,
        }
    }
}

impl<'a> BindingScope<'a> {
    fn find(&self, steps: &[String]) -> Option<Found<'a>> {
        let (field, below) = steps.split_first()?;
        match field.as_str() {
            "id" => scalar(Some(self.id), below),
            "app_guid" => scalar(self.app_guid, below),
            "parameters" => Some(free(self.parameters, below)),
            "context" => Some(free(self.context, below)),
            "bind_resource" => Some(free(self.bind_resource, below)),
            "values" => Some(free(self.values, below)),
            "outputs" => Some(free(self.outputs, below)),
            _ => None,
        }
    }
}

fn scalar<'a>(text: Option<&'a str>, below: &[String]) -> Option<Found<'a>> {
    below
        .is_empty()
        .then(|| text.map_or(Found::Null, Found::Text))
}

fn free<'a>(map: Option<&'a Map<String, Json>>, below: &[String]) -> Found<'a> {
    let Some(map) = map else { return Found::Null };
    let Some((first, rest)) = below.split_first() else {
        return Found::Map(map);
    };
    rest.iter()
        .try_fold(map.get(first), |value, step| {
            value.map(|value| value.get(step))
        })
        .flatten()
        .map_or(Found::Null, Found::Json)
}
