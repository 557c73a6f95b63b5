//! Documents with little to write.

use catalog_broker::catalog::{Loaded, Memory, load_texts};
use catalog_broker::document::{Edit, Environment, Severity};
use serde_json::{Value, json};

pub const SERVICE: &str = "11111111-1111-4111-8111-111111111111";
pub const PLAN: &str = "22222222-2222-4222-8222-222222222222";

pub fn load(text: &str) -> Loaded {
    load_with(text, &[])
}

pub fn load_with(text: &str, environment: &[(&str, &str)]) -> Loaded {
    load_all(text, environment, &[], Memory::Remembers)
}

pub fn load_all(
    text: &str,
    environment: &[(&str, &str)],
    vars: &[(&str, &str)],
    memory: Memory,
) -> Loaded {
    let environment = Environment::new(environment.iter().copied());
    let vars = vars.iter().map(|(name, text)| (*name, *text)).collect();
    load_texts(vec![("catalog.yaml", text)], &environment, vars, memory)
}

/// A document of one offering with one plan; `service` and `plan` are further keys, as JSON, that win.
pub fn document(top: Value, service: Value, plan: Value) -> String {
    let mut whole = json!({ "services": [{
        "id": SERVICE, "name": "db", "description": "A database", "bindable": true,
        "plans": [{ "id": PLAN, "name": "small", "description": "Small", "binding": { "credentials": { "host": "h" } } }],
    }] });
    merge(&mut whole["services"][0]["plans"][0], plan);
    merge(&mut whole["services"][0], service);
    merge(&mut whole, top);
    serde_json::to_string_pretty(&whole).unwrap()
}

fn merge(into: &mut Value, from: Value) {
    for (key, value) in from.as_object().cloned().unwrap_or_default() {
        if value == json!("-") {
            into.as_object_mut().unwrap().remove(&key);
        } else {
            into[key] = value;
        }
    }
}

/// The names of the rules that have something to say.
pub fn rules(loaded: &Loaded) -> Vec<&'static str> {
    let mut rules: Vec<_> = loaded.findings.iter().map(|finding| finding.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

pub fn told(loaded: &Loaded) -> String {
    loaded
        .findings
        .iter()
        .map(|f| {
            format!(
                "{:?} {} {:?} {}: {} -> {}\n",
                f.severity, f.rule, f.place, f.path, f.message, f.mend
            )
        })
        .collect()
}

pub fn errors(loaded: &Loaded) -> usize {
    loaded
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .count()
}

/// The only plan's binding, as it is where no template is in it.
pub fn credentials(loaded: &Loaded) -> Value {
    let catalog = loaded
        .catalog
        .as_ref()
        .unwrap_or_else(|| panic!("{}", told(loaded)));
    let (_, tree) = &catalog.offerings()[0].plans[0].binding.fields[0];
    tree.as_constant().cloned().expect("no templates")
}

/// The text with the edits made.
pub fn edited(text: &str, loaded: &Loaded) -> String {
    let mut edits: Vec<&Edit> = loaded
        .findings
        .iter()
        .flat_map(|finding| &finding.edits)
        .collect();
    edits.sort_by_key(|edit| std::cmp::Reverse((edit.range.start, edit.range.end)));
    let mut text = text.to_owned();
    for edit in edits {
        text.replace_range(edit.range.clone(), &edit.text);
    }
    text
}
