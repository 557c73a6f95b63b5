//! What Kubernetes takes without a word and what does not work all the same: selectors of nothing, ports and keys that are not
//! there, times that are too short.

use serde_yaml::Value;

use crate::parts::{default, instruction, is_setting, list, seconds, stages, text};

/// The connections of PostgreSQL but for those that it keeps to itself.
const CONNECTIONS: u64 = 97;

struct Objects<'a> {
    all: &'a [Value],
    complaints: Vec<String>,
}

/// All that does not fit.
pub fn complaints(all: &[Value]) -> Vec<String> {
    let mut objects = Objects {
        all,
        complaints: Vec::new(),
    };
    objects.namespaces();
    objects.selectors();
    objects.ports();
    objects.mounts();
    objects.variables();
    objects.probes();
    objects.times_and_counts();
    objects.rights();
    objects.complaints
}

impl<'a> Objects<'a> {
    fn of(&self, kind: &str) -> &'a Value {
        let mut found = self.all.iter().filter(|object| object["kind"] == kind);
        found.next().unwrap_or_else(|| panic!("no {kind}"))
    }

    fn spec(&self) -> &'a Value {
        &self.of("Deployment")["spec"]["template"]["spec"]
    }

    fn container(&self) -> &'a Value {
        let containers = list(&self.spec()["containers"]);
        assert_eq!(containers.len(), 1);
        &containers[0]
    }

    /// The settings of the ConfigMap.
    fn settings(&self) -> Value {
        let text = text(&self.of("ConfigMap")["data"]["broker.yaml"]);
        serde_yaml::from_str(text).expect("YAML")
    }

    fn hold(&mut self, holds: bool, complaint: impl Into<String>) {
        if !holds {
            self.complaints.push(complaint.into());
        }
    }

    fn namespaces(&mut self) {
        let name = &self.of("Namespace")["metadata"]["name"];
        for object in self
            .all
            .iter()
            .filter(|object| object["kind"] != "Namespace")
        {
            let wanted = &object["metadata"]["namespace"];
            self.hold(wanted == name, format!("no Namespace {}", text(wanted)));
        }
        let wanted = &self.spec()["serviceAccountName"];
        let there = &self.of("ServiceAccount")["metadata"]["name"];
        self.hold(
            there == wanted,
            format!("no ServiceAccount {}", text(wanted)),
        );
    }

    fn selectors(&mut self) {
        let deployment = self.of("Deployment");
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        let spread = &self.spec()["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"];
        for (who, selector) in [
            ("Deployment", &deployment["spec"]["selector"]["matchLabels"]),
            ("spread", spread),
            ("Service", &self.of("Service")["spec"]["selector"]),
            (
                "PodDisruptionBudget",
                &self.of("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
            ),
            (
                "NetworkPolicy",
                &self.of("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
            ),
        ] {
            let selector = selector.as_mapping().expect(who);
            assert!(!selector.is_empty(), "{who}");
            let selected = selector
                .iter()
                .all(|(key, value)| labels.get(key) == Some(value));
            self.hold(selected, format!("{who} selects none of the pods"));
        }
    }

    fn has_port(&self, wanted: &Value) -> bool {
        let ports = list(&self.container()["ports"]);
        ports
            .iter()
            .any(|port| port["name"] == *wanted || port["containerPort"] == *wanted)
    }

    fn ports(&mut self) {
        let container = self.container();
        let mut wanted: Vec<&Value> = list(&self.of("Service")["spec"]["ports"])
            .iter()
            .map(|port| &port["targetPort"])
            .collect();
        for rule in list(&self.of("NetworkPolicy")["spec"]["ingress"]) {
            wanted.extend(list(&rule["ports"]).iter().map(|port| &port["port"]));
        }
        for probe in PROBES {
            wanted.push(&container[probe]["httpGet"]["port"]);
        }
        assert!(wanted.len() > 4);
        for port in wanted {
            let name = serde_yaml::to_string(port).expect("YAML");
            self.hold(self.has_port(port), format!("no port {}", name.trim()));
        }
        let stages = stages();
        let exposed = instruction(stages.last().expect("a stage"), "EXPOSE");
        let port = container["ports"][0]["containerPort"].as_u64();
        self.hold(
            port.is_some_and(|port| port.to_string() == exposed),
            "the container's port is not the image's",
        );
        let listens = self.settings()["server"]["port"].as_u64();
        let complaint = format!("the broker listens on {}", listens.unwrap_or_default());
        self.hold(listens == port, complaint);
    }

    /// The object that a volume is made of, and the keys that are asked of it.
    fn mounts(&mut self) {
        for volume in list(&self.spec()["volumes"]) {
            let secret = volume.get("secret").is_some();
            let (kind, name) = if secret {
                ("Secret", &volume["secret"]["secretName"])
            } else {
                ("ConfigMap", &volume["configMap"]["name"])
            };
            let there = self.of(kind);
            let complaint = format!("there is no {kind} {}", text(name));
            self.hold(there["metadata"]["name"] == *name, complaint);
            for item in list(&volume["configMap"]["items"]) {
                let key = text(&item["key"]);
                let held = there["data"].get(key).is_some();
                self.hold(held, format!("{kind} has no key {key}"));
            }
            let mounts = list(&self.container()["volumeMounts"]);
            let mounted = mounts.iter().any(|mount| mount["name"] == volume["name"]);
            self.hold(mounted, format!("{} is of no use", text(&volume["name"])));
        }
    }

    /// Each is a setting; a file is there. The catalog's files, too.
    fn variables(&mut self) {
        let stages = stages();
        let image = stages.last().expect("a stage");
        let variables = list(&self.container()["env"]);
        assert!(variables.len() > 3);
        let mut paths: Vec<&str> = Vec::new();
        for variable in variables {
            let name = text(&variable["name"]);
            let setting = name.strip_suffix("_FILE").unwrap_or(name);
            self.hold(
                is_setting(setting),
                format!("there is no setting {setting}"),
            );
            if name.ends_with("_FILE") {
                paths.push(text(&variable["value"]));
            }
        }
        // Without its comments.
        let document = text(&self.of("ConfigMap")["data"]["catalog.yaml"]);
        let document: Value = serde_yaml::from_str(document).expect("YAML");
        let document = serde_yaml::to_string(&document).expect("YAML");
        let named = document.split("${file:").skip(1);
        paths.extend(named.filter_map(|rest| rest.split(['}', ':', '|']).next()));
        let mounts = list(&self.container()["volumeMounts"]);
        let of_secret = mounts.iter().find(|mount| mount["name"] == "secrets");
        let place = text(&of_secret.expect("a mount")["mountPath"]);
        for path in paths {
            let Some(key) = path.strip_prefix(&format!("{place}/")) else {
                self.hold(false, format!("{path} is not mounted"));
                continue;
            };
            let held = self.of("Secret")["data"].get(key).is_some();
            self.hold(held, format!("Secret has no key {key}"));
        }
        let workdir = instruction(image, "WORKDIR");
        let at_work = mounts.iter().any(|mount| mount["mountPath"] == workdir);
        self.hold(at_work, "the document is not where the broker looks for it");
    }

    fn probes(&mut self) {
        let container = self.container();
        for (probe, path) in PROBES.into_iter().zip(["/healthz", "/healthz", "/readyz"]) {
            let asked = text(&container[probe]["httpGet"]["path"]);
            self.hold(asked == path, format!("{probe} asks {asked}"));
        }
        let patience = container["readinessProbe"]["timeoutSeconds"].as_u64();
        let settings = self.settings();
        let store = settings["store"]["timeout"].as_str();
        let store = seconds(store.unwrap_or_else(|| default("store.timeout")));
        self.hold(
            patience.is_some_and(|patience| patience > store),
            "readinessProbe gives up before the store's time is over",
        );
    }

    fn times_and_counts(&mut self) {
        let settings = self.settings();
        let time = |name: &str| seconds(text(&settings["server"][name]));
        let stops = time("drain_delay") + time("shutdown_timeout");
        let grace = self.spec()["terminationGracePeriodSeconds"].as_u64();
        let grace = grace.expect("a number");
        let complaint = format!("stopping takes {stops} s at most, and {grace} are given");
        self.hold(grace > stops, complaint);
        // A probe every 2 s has to fail, and the news has to get around.
        self.hold(time("drain_delay") >= 3, "drain_delay is too short");

        let spec = &self.of("Deployment")["spec"];
        let rolling = &spec["strategy"]["rollingUpdate"];
        self.hold(
            rolling["maxUnavailable"] == 0,
            "a roll-out takes a broker away before there is another one",
        );
        let number = |value: &Value| value.as_u64().expect("a number");
        let replicas = number(&spec["replicas"]);
        let budget = &self.of("PodDisruptionBudget")["spec"]["maxUnavailable"];
        self.hold(
            replicas >= 2 && number(budget) < replicas,
            "who empties a node leaves none",
        );
        let most =
            (replicas + number(&rolling["maxSurge"])) * number(&settings["store"]["connections"]);
        let complaint = format!("{most} connections are more than PostgreSQL has");
        self.hold(most <= CONNECTIONS, complaint);
    }

    /// What the namespace's standard, `restricted`, asks of a pod, and a root file system that nobody writes to.
    fn rights(&mut self) {
        let stages = stages();
        let image = stages.last().expect("a stage");
        let (user, group) = instruction(image, "USER").split_once(':').expect("a user");
        let pod = &self.spec()["securityContext"];
        for (key, wanted) in [
            ("runAsUser", user),
            ("runAsGroup", group),
            ("fsGroup", group),
        ] {
            let is = pod[key].as_u64().map(|id| id.to_string());
            let complaint = format!("{key} is not the image's user or group");
            self.hold(is.as_deref() == Some(wanted), complaint);
        }
        let container = &self.container()["securityContext"];
        let capabilities = serde_yaml::to_string(&container["capabilities"]).expect("YAML");
        for (key, holds) in [
            ("runAsNonRoot", pod["runAsNonRoot"] == true),
            (
                "seccompProfile",
                pod["seccompProfile"]["type"] == "RuntimeDefault",
            ),
            (
                "readOnlyRootFilesystem",
                container["readOnlyRootFilesystem"] == true,
            ),
            (
                "allowPrivilegeEscalation",
                container["allowPrivilegeEscalation"] == false,
            ),
            ("capabilities", capabilities == "drop:\n- ALL\n"),
            (
                "token",
                self.spec()["automountServiceAccountToken"] == false,
            ),
            (
                "limits",
                self.container()["resources"]["limits"]["memory"].is_string(),
            ),
        ] {
            self.hold(holds, format!("{key} is not as it is to be"));
        }
    }
}

const PROBES: [&str; 3] = ["startupProbe", "livenessProbe", "readinessProbe"];
