//! `deploy/prometheus` and `deploy/grafana`, held against the real promtool, and against the metrics that a whole life has
//! left: each name, label and value that a rule or a panel asks for was really seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::acting::Stage;
use crate::documents::{bind_of, provision_of};
use crate::harness::{Broker, Folder, WATCH, at_instance};
use crate::later::{accepted, accepting, awaited};
use crate::page::Page;
use crate::running::wait_until;
use crate::tls;

/// Labels that Prometheus adds.
const ADDED: &[&str] = &["instance", "job"];

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(deploy(name)).expect(name)
}

fn promtool(arguments: &[&str], folder: &Path, input: &str) -> Output {
    let mut child = Command::new("promtool")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, which tests/run installs");
    let mut stdin = child.stdin.take().expect("its input");
    // One that refuses early reads no further.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("its end")
}

fn passes(arguments: &[&str], folder: &Path, input: &str) -> Result<(), String> {
    let output = promtool(arguments, folder, input);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() {
        Ok(())
    } else {
        Err(said)
    }
}

/// One of everything: requests that go well and badly, every kind of operation, an attempt that fails, one that is made
/// again, one that goes on while the page is read, an entry that is lent, an account of it; and a certificate, of a second
/// broker, which speaks TLS.
fn a_whole_life() -> Page {
    let stage = Stage::made(
        |document| {
            let pool = "backends:\n  seats: { pool: { entries: [{ name: a, credentials: { n: 1 } }, { name: b, credentials: { n: 2 } }] } }\n";
            let offering = "  - { id: seats, name: seats, description: Seats, bindable: true, backend: { use: seats }, plans: [{ id: seat, name: seat, description: A seat }, { id: old, name: old, description: An old one, lifecycle: { state: deprecated, after: 2099-12-31, successor: seat } }] }\n";
            format!("{}{offering}", document.replacen("backends:\n", pool, 1))
        },
        |setup| setup.env("BROKER_AUDIT__TO", "file:audit.log"),
    );
    let broker = &stage.broker;
    assert_eq!(
        broker.provision("s", &provision_of("seats", "seat")).status,
        201
    );
    assert_eq!(broker.bind("s", "b", &bind_of("seats", "seat")).status, 201);
    assert_eq!(
        broker
            .provision("i", &provision_of("acting", "auto"))
            .status,
        201
    );
    assert_eq!(
        broker.bind("i", "b", &bind_of("acting", "auto")).status,
        201
    );
    assert_eq!(
        broker.bind("i", "c", &bind_of("acting", "auto")).status,
        201
    );
    let update = serde_json::json!({ "service_id": "acting", "parameters": { "a": 1 } });
    assert_eq!(broker.update("i", &update).status, 200);
    assert_eq!(broker.unbind("i", "c", "acting", "auto").status, 200);
    stage.does("bind", "fail");
    assert_eq!(
        broker.bind("i", "d", &bind_of("acting", "auto")).status,
        500
    );
    stage.does("provision", "thrice");
    assert_eq!(
        broker
            .provision("j", &provision_of("acting", "auto"))
            .status,
        201
    );
    assert_eq!(broker.deprovision("j", "acting", "auto").status, 200);
    stage.does("provision", "wait");
    let made = broker.put(
        &accepting(&at_instance("k")),
        &provision_of("acting", "async"),
    );
    let goes = accepted(&made);
    stage.wait_for_calls("provision", 5);
    assert_eq!(broker.fetch_binding("i", "b").status, 200);
    broker.signal("HUP");
    broker.wait_for_log("reloaded the catalog");
    let page = settled(broker);
    stage.go();
    awaited(broker, &at_instance("k"), &goes);
    Page::read(&format!("{}{}", page.text, certificates()))
}

/// What a broker that speaks TLS shows of its certificate.
fn certificates() -> String {
    let serving = tls::Serving::start(&tls::setup().watched(), tls::folder());
    let page = tls_page(&serving);
    let lines = page
        .lines()
        .filter(|line| line.contains("catalog_broker_certificate_"));
    lines.fold(String::new(), |all, line| all + line + "\n")
}

/// The page of a broker that speaks TLS.
fn tls_page(serving: &tls::Serving) -> String {
    let port = serving.port;
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--fail", "--max-time", "60"])
        .args(["--noproxy", "*", "--cacert", "ca.pem"])
        .args(["--resolve", &format!("broker:{port}:127.0.0.1")])
        .args(["--header", &format!("Authorization: Bearer {WATCH}")])
        .arg(format!("https://broker:{port}/metrics"))
        .current_dir(serving.folder.path())
        .output()
        .expect("curl is installed");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8(output.stdout).expect("text")
}

/// The end that is shown is that of the certificate which holds: another one by the time that its successor is taken.
#[test]
fn the_end_of_the_certificate_is_that_of_the_one_that_holds() {
    let folder = tls::folder();
    tls::sign(folder.path(), "ca", "next", "/CN=broker", "DNS:broker", 9);
    let serving = tls::Serving::start(&tls::setup().watched(), folder);
    let shown = || {
        let page = Page::read(&tls_page(&serving));
        let labels = [("file", "tls.crt")];
        page.sum("certificate_expiry_timestamp_seconds", &labels)
            .expect("an end")
    };
    let stated = |name: &str| {
        let output = Command::new("openssl")
            .args(["x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in"])
            .arg(serving.path(name))
            .output()
            .expect("openssl is installed");
        let text = String::from_utf8(output.stdout).expect("text");
        let date = text.trim().strip_prefix("notAfter=").expect("an end");
        let output = Command::new("date")
            .args(["+%s", "-d", date])
            .output()
            .expect("date");
        let text = String::from_utf8(output.stdout).expect("text");
        text.trim().parse::<f64>().expect("seconds")
    };
    let before = shown();
    assert!((before - stated("broker.pem")).abs() < 1.0, "{before}");
    tls::install(serving.folder.path(), "next");
    serving.wait_for_log("the new files hold from now on");
    let after = shown();
    assert!((after - stated("next.pem")).abs() < 1.0, "{after}");
    assert!(after > before);
}

/// The page on which the operation that goes on is to be seen.
fn settled(broker: &Broker) -> Page {
    wait_until(broker, "nothing goes on", || {
        Page::of(broker)
            .sum("operations_in_progress", &[])
            .is_some()
    });
    Page::of(broker)
}

/// What an expression asks for of one metric.
#[derive(Debug, Default)]
struct Asked {
    labels: BTreeSet<String>,
    values: BTreeMap<String, Vec<String>>,
}

/// The metrics that an expression names, with the labels in the braces behind them.
fn asked(expression: &str) -> Vec<(String, Asked)> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(at) = rest.find("catalog_broker_") {
        let from = &rest[at..];
        let name: String = from.chars().take_while(|char| is_word(*char)).collect();
        rest = &from[name.len()..];
        let mut asked = Asked::default();
        if let Some(braces) = rest.strip_prefix('{') {
            let (inside, behind) = braces.split_once('}').expect("the end of the braces");
            for matcher in inside.split(',') {
                let label: String = matcher.chars().take_while(|char| is_word(*char)).collect();
                let test = matcher[label.len()..].trim();
                let value = test.trim_start_matches(['=', '~', '!']).trim_matches('"');
                if test.starts_with('=') && !value.contains(['$', '.']) {
                    let values = value.split('|').map(str::to_owned).collect();
                    asked.values.insert(label.clone(), values);
                }
                asked.labels.insert(label);
            }
            rest = behind;
        }
        found.push((name, asked));
    }
    found
}

fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

/// The labels that are grouped by, and those that a text shows.
fn grouped(text: &str) -> BTreeSet<String> {
    let groups = text
        .split("by (")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let words = groups.flat_map(|group| group.split(','));
    words.map(|word| word.trim().to_owned()).collect()
}

/// What of it was not seen on the page.
fn unseen(page: &Page, expression: &str) -> Vec<String> {
    let mut unseen = Vec::new();
    let asked = asked(expression);
    let mut known: BTreeSet<String> = ADDED.iter().map(ToString::to_string).collect();
    for (name, asked) in &asked {
        let samples: Vec<_> = page
            .samples
            .iter()
            .filter(|sample| sample.name == *name)
            .collect();
        if samples.is_empty() {
            unseen.push(format!("{name}: no such metric"));
        }
        known.extend(
            samples
                .iter()
                .flat_map(|sample| sample.labels.keys().cloned()),
        );
        let has = |label: &String| {
            samples
                .iter()
                .any(|sample| sample.labels.contains_key(label))
        };
        for label in &asked.labels {
            if !ADDED.contains(&label.as_str()) && !has(label) {
                unseen.push(format!("{name}: no label {label}"));
            }
        }
        for (label, values) in &asked.values {
            for value in values {
                if !samples
                    .iter()
                    .any(|sample| sample.labels.get(label) == Some(value))
                {
                    unseen.push(format!("{name}: no {label}={value}"));
                }
            }
        }
    }
    if asked.is_empty() {
        unseen.push(format!("{expression}: asks for nothing of the broker's"));
    }
    let strange = grouped(expression)
        .into_iter()
        .filter(|label| !known.contains(label));
    unseen.extend(strange.map(|label| format!("{expression}: grouped by {label}")));
    unseen
}

/// The expressions of the rules, and of the panels.
fn expressions() -> Vec<String> {
    let rules: serde_yaml::Value =
        serde_yaml::from_str(&read("prometheus/alerts.yaml")).expect("YAML");
    let rules = rules["groups"][0]["rules"].as_sequence().expect("rules");
    let rules = rules
        .iter()
        .map(|rule| rule["expr"].as_str().expect("an expression").to_owned());
    let board: Value = serde_json::from_str(&read("grafana/catalog-broker.json")).expect("JSON");
    let panels = board["panels"].as_array().expect("panels");
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let targets = targets.map(|target| target["expr"].as_str().expect("an expression").to_owned());
    let all: Vec<String> = rules.chain(targets).collect();
    assert!(
        all.len() > 30,
        "only {} expressions: is the search blind?",
        all.len()
    );
    all
}

#[test]
fn what_rules_and_panels_ask_for_was_seen_in_a_whole_life() {
    let page = a_whole_life();
    let missing: Vec<_> = expressions()
        .iter()
        .flat_map(|text| unseen(&page, text))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}\n{}", page.text);
    // The other way round: what is shown and never looked at is nobody's.
    let all = expressions().join("\n");
    let families: BTreeSet<&str> = page
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    assert!(families.len() > 12, "{families:?}");
    let idle: Vec<_> = families
        .iter()
        .filter(|family| !all.contains(**family))
        .collect();
    assert!(idle.is_empty(), "in no rule and no panel: {idle:?}");
    passes(&["check", "metrics"], Path::new("/"), &page.text).expect("a page by the conventions");
}

#[test]
fn the_search_for_what_was_not_seen_is_not_blind() {
    let page = Page::read("catalog_broker_a_total{kind=\"x\"} 1\n");
    assert_eq!(
        unseen(
            &page,
            "sum by (kind) (rate(catalog_broker_a_total{kind=\"x\"}[5m]))"
        ),
        [""; 0]
    );
    for (wrong, said) in [
        ("catalog_broker_b_total", "no such metric"),
        ("catalog_broker_a_total{plan=\"x\"}", "no label plan"),
        ("catalog_broker_a_total{kind=~\"x|y\"}", "no kind=y"),
        ("sum by (plan) (catalog_broker_a_total)", "grouped by plan"),
        ("up == 0", "asks for nothing"),
    ] {
        let unseen = unseen(&page, wrong).join("\n");
        assert!(unseen.contains(said), "{wrong}: {unseen}");
    }
}

#[test]
fn the_alerts_are_sound_and_do_as_they_should() {
    let folder = deploy("prometheus");
    passes(&["check", "rules", "alerts.yaml"], &folder, "").expect("sound rules");
    passes(&["test", "rules", "alerts.test.yaml"], &folder, "").expect("what they should do");
    // Each alert is tested both ways.
    let (rules, tests) = (
        read("prometheus/alerts.yaml"),
        read("prometheus/alerts.test.yaml"),
    );
    let alerts: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(alerts.len() >= 12, "{alerts:?}");
    for alert in alerts {
        let quiet = format!("alertname: {alert} }}");
        let raised = format!("alertname: {alert}\n        exp_alerts:");
        assert!(tests.contains(&quiet) && tests.contains(&raised), "{alert}");
    }
}

/// promtool refuses what is wrong: a rule that is none, an alert that does not come, a page against the conventions.
#[test]
fn promtool_refuses_what_is_wrong() {
    let folder = Folder::new();
    let (rules, tests) = (
        read("prometheus/alerts.yaml"),
        read("prometheus/alerts.test.yaml"),
    );
    let broken = rules.replacen(
        "absent(catalog_broker_build_info)",
        "absent(catalog_broker_build_info",
        1,
    );
    assert_ne!(broken, rules);
    folder.write("alerts.yaml", &broken);
    let said = passes(&["check", "rules", "alerts.yaml"], folder.path(), "")
        .expect_err("a bracket is missing");
    assert!(said.contains("parse"), "{said}");
    let deaf = rules.replacen(
        "catalog_broker_store_up == 0",
        "catalog_broker_store_up == 2",
        1,
    );
    assert_ne!(deaf, rules);
    folder.write("alerts.yaml", &deaf);
    folder.write("alerts.test.yaml", &tests);
    let said = passes(&["test", "rules", "alerts.test.yaml"], folder.path(), "")
        .expect_err("it is never raised");
    assert!(said.contains("CatalogBrokerStoreAway"), "{said}");
    for page in [
        "# TYPE a_b gauge\na_b{c=\"d\" 1\n",
        "# HELP a Of what.\n# TYPE a counter\na 1\n",
    ] {
        passes(&["check", "metrics"], folder.path(), page).expect_err(page);
    }
}

/// The settings of Prometheus are sound.
#[test]
fn prometheus_could_be_started_with_it() {
    let folder = Folder::new();
    for name in ["prometheus.yaml", "alerts.yaml"] {
        folder.write(name, &read(&format!("prometheus/{name}")));
    }
    let check = ["check", "config", "prometheus.yaml"];
    passes(&check, folder.path(), "").expect_err("the token is missing");
    folder.write("catalog-broker-token", "t0ken");
    passes(&check, folder.path(), "").expect("sound settings");
    let wrong = read("prometheus/prometheus.yaml").replace("metrics_path", "metric_path");
    folder.write("prometheus.yaml", &wrong);
    passes(&check, folder.path(), "").expect_err("no such setting");
}

/// The README's table is what a page has: each metric with its type and its labels.
#[test]
fn the_table_of_metrics_is_that_of_the_page() {
    let page = a_whole_life();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).expect("README.md");
    let told: BTreeSet<(String, String, String)> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `catalog_broker_"))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let name = format!("catalog_broker_{}", cells[0].trim_end_matches('`'));
            let mut labels: Vec<&str> = cells[2]
                .split(", ")
                .filter(|label| !label.is_empty())
                .collect();
            labels.sort_unstable();
            (name, cells[1].to_owned(), labels.join(", "))
        })
        .collect();
    let types = page
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let shown: BTreeSet<(String, String, String)> = types
        .map(|(name, kind)| {
            let of_it = |sample: &&crate::page::Sample| {
                sample.name == name || sample.name == format!("{name}_count")
            };
            let labels = page
                .samples
                .iter()
                .filter(of_it)
                .flat_map(|sample| sample.labels.keys());
            let labels: BTreeSet<&str> = labels.map(String::as_str).collect();
            let labels: Vec<&str> = labels.into_iter().collect();
            (name.to_owned(), kind.to_owned(), labels.join(", "))
        })
        .collect();
    assert_eq!(told, shown);
}

/// A panel is where Grafana looks for it, and no two lie on each other.
#[test]
fn the_board_is_laid_out() {
    let board: Value = serde_json::from_str(&read("grafana/catalog-broker.json")).expect("JSON");
    let panels = board["panels"].as_array().expect("panels");
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(
            ids.insert(panel["id"].as_u64().expect("an id")),
            "{}",
            panel["title"]
        );
        let at = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
        assert!(at("x") + at("w") <= 24, "{}", panel["title"]);
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{} lies on another", panel["title"]);
            }
        }
    }
    assert!(panels.len() > 20, "{}", panels.len());
}
