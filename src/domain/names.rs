//! What people call things: of a context what is a name or a GUID, and nothing else (profile, "Context Object").

use super::instance::Instance;
use super::json::Object;

/// How long a name may be before it is cut: platforms allow 255 characters.
const LONGEST: usize = 255;

/// What people call an instance and the place that it is in, as far as its platform has said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The platform's kind: `cloudfoundry`, `kubernetes`.
    pub platform: Option<String>,
    /// The instance.
    pub instance: Option<String>,
    /// Its organization.
    pub organization: Option<String>,
    /// Its space.
    pub space: Option<String>,
    /// On Kubernetes, the namespace.
    pub namespace: Option<String>,
    /// On Kubernetes, the cluster.
    pub cluster: Option<String>,
}

impl Names {
    /// Of an instance. Its context may hold anything, and may be secret: no other field of it is read.
    pub fn of(instance: &Instance) -> Self {
        Self::read(&instance.details.expose().context)
    }

    fn read(context: &Object) -> Self {
        let name = |key: &str| {
            let text = context.get(key)?.as_str()?;
            let text: String = text.chars().take(LONGEST).collect();
            (!text.trim().is_empty()).then_some(text)
        };
        Self {
            platform: name("platform"),
            instance: name("instance_name"),
            organization: name("organization_name"),
            space: name("space_name"),
            namespace: name("namespace"),
            cluster: name("clusterid"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_read_and_nothing_else() {
        let context = json!({
            "platform": "cloudfoundry", "instance_name": "orders", "organization_name": " ", "space_name": 7,
            "password": "MARKED", "organization_annotations": { "a": "MARKED" }, "namespace": "n".repeat(300),
        });
        let names = Names::read(context.as_object().unwrap());
        assert_eq!(names.instance.as_deref(), Some("orders"));
        assert_eq!((&names.organization, &names.space), (&None, &None));
        assert_eq!(names.namespace.as_ref().map(String::len), Some(255));
        assert!(!format!("{names:?}").contains("MARKED"));
    }
}
