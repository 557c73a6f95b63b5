//! A plan whose backend acts, and that leaves the catalog while there are instances of it: nothing else can take them away.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use serde_json::json;

use crate::documents::{bind_of, provision_of};
use crate::harness::{Broker, Folder, Setup, with};

const PROGRAM: &str = r#"#!/bin/sh
request=$(cat)
kind=$(printf '%s' "$request" | sed -n 's/.*"kind":"\([a-z]*\)".*/\1/p')
size=$(printf '%s' "$request" | sed -n 's/.*"values":{"size":"\([a-z]*\)".*/\1/p')
echo "$kind $size $FROM" >> journal.txt
echo "$kind $size $FROM" >> "$ROOT/journal"
echo '{}'
"#;

/// Two acting plans, one with a name and one by itself, and one that nothing acts for.
fn document(plans: &[&str]) -> String {
    format!(
        r#"
backends:
  program: {{ command: {{ run: ["${{ROOT}}/program.sh"], env: {{ ROOT: "${{ROOT}}", PATH: /usr/bin:/bin }} }} }}
services:
  - id: service-of-work
    name: works
    description: Has a program
    bindable: true
    bindings_retrievable: true
    instances_retrievable: true
    plans:
{}"#,
        plans.concat()
    )
}

const STAYS: &str = "      - { id: stays, name: stays, description: Nothing acts }\n";
const NAMED: &str = "      - { id: plan-named, name: named, description: Acts, backend: { use: program }, values: { size: \"${SIZE}\" } }\n";
const OWN: &str = "      - { id: plan-own, name: own, description: Acts too, backend: { command: { run: [\"${ROOT}/program.sh\"], env: { ROOT: \"${ROOT}\", FROM: \"${FROM}\", PATH: /usr/bin:/bin } } }, values: { size: small } }\n";

/// A folder with the program in it, and how a broker is started there.
fn stage() -> (Arc<Folder>, impl Fn(&[&str]) -> Setup) {
    let folder = Arc::new(Folder::new());
    let program = folder.write("program.sh", PROGRAM);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("an executable");
    let root = folder.path().display().to_string();
    (folder, move |plans: &[&str]| {
        Setup::new(&document(plans))
            .env("ROOT", &root)
            .env("SIZE", "large")
            .env("FROM", "here")
    })
}

fn journal(folder: &Folder) -> Vec<String> {
    let text = fs::read_to_string(folder.path().join("journal")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn filled(folder: &Arc<Folder>, setup: Setup) {
    let broker = setup.start_in(folder);
    for (instance, plan, organization) in [
        ("i1", "plan-named", "o1"),
        ("i2", "plan-named", "o2"),
        ("i3", "plan-named", "o2"),
        ("i4", "plan-own", "o1"),
        ("i5", "stays", "o1"),
    ] {
        let body = with(
            provision_of("service-of-work", plan),
            "organization_guid",
            json!(organization),
        );
        assert_eq!(broker.provision(instance, &body).status, 201);
    }
    for (instance, plan) in [("i1", "plan-named"), ("i4", "plan-own")] {
        let body = bind_of("service-of-work", plan);
        assert_eq!(broker.bind(instance, "b", &body).status, 201);
    }
    stop(broker);
}

fn stop(mut broker: Broker) {
    broker.signal("TERM");
    assert!(broker.wait().success(), "{}", broker.log());
}

fn refused(folder: &Folder, plans: &[&str], setup: Setup) -> String {
    folder.write("catalog.yaml", &document(plans));
    let (status, out, errors) = setup.run_in(folder);
    assert_eq!(status.code(), Some(2), "{out}{errors}");
    errors
}

#[test]
fn a_plan_with_instances_that_its_backend_made_may_not_leave() {
    let (folder, setup) = stage();
    filled(&folder, setup(&[STAYS, NAMED, OWN]));
    let errors = refused(&folder, &[STAYS], setup(&[STAYS]));
    for said in [
        "plan-in-use",
        "`plan-named` of the service `service-of-work`",
        "3 service instances of 2 organizations: o2 (2), o1 (1)",
        "`plan-own` of the service `service-of-work`",
        "1 service instance of 1 organization: o1 (1)",
        "offered: false",
        "--allow-breaking plan-in-use",
    ] {
        assert!(errors.contains(said), "{said}: {errors}");
    }
    assert!(!errors.contains("the plan `stays`"), "{errors}");
    // One that is there again is said nothing of.
    let errors = refused(&folder, &[STAYS, OWN], setup(&[STAYS, OWN]));
    assert!(!errors.contains("the plan `plan-own`"), "{errors}");
    // The counter-proof: nothing is wrong where all are there, nor when what nothing acts for has left.
    let broker = setup(&[NAMED, OWN]).start_in(&folder);
    assert_eq!(
        broker.deprovision("i5", "service-of-work", "stays").status,
        200
    );
}

#[test]
fn a_plan_that_is_hidden_still_takes_its_instances_away() {
    let (folder, setup) = stage();
    filled(&folder, setup(&[STAYS, NAMED, OWN]));
    let hidden = |plan: &str| plan.replacen("description", "offered: false, description", 1);
    let (named, own) = (hidden(NAMED), hidden(OWN));
    let broker = setup(&[STAYS, &named, &own]).start_in(&folder);
    let catalog = broker.catalog().text();
    assert!(
        catalog.contains("stays") && !catalog.contains("plan-"),
        "{catalog}"
    );
    let word = |response: crate::http::Response| response.word();
    let provision = provision_of("service-of-work", "plan-own");
    assert_eq!(word(broker.provision("i6", &provision)), "PlanNotInCatalog");
    let bind = bind_of("service-of-work", "plan-own");
    assert_eq!(word(broker.bind("i4", "c", &bind)), "PlanWithdrawn");
    fs::remove_file(folder.path().join("journal")).expect("a journal");
    taken_away(&broker);
    assert_eq!(
        journal(&folder),
        [
            "unbind large ",
            "deprovision large ",
            "unbind small here",
            "deprovision small here"
        ]
    );
}

/// What a hidden plan needs for that is asked for, and nothing else of it.
#[test]
fn a_hidden_plan_says_what_its_backend_lacks() {
    let (folder, setup) = stage();
    let own = OWN.replacen(
        "description: Acts too",
        "offered: false, description: \"${NOWHERE}\"",
        1,
    );
    let errors = refused(
        &folder,
        &[STAYS, &own],
        setup(&[STAYS, &own]).without("FROM"),
    );
    assert!(
        errors.contains("FROM") && !errors.contains("NOWHERE"),
        "{errors}"
    );
    let whole = OWN.replacen("backend: {", "offered: false, backend: { use: gone,", 1);
    let errors = refused(&folder, &[STAYS, &whole], setup(&[STAYS, &whole]));
    assert!(errors.contains("backend-named"), "{errors}");
}

fn taken_away(broker: &Broker) {
    for (instance, plan) in [("i1", "plan-named"), ("i4", "plan-own")] {
        let gone = broker.unbind(instance, "b", "service-of-work", plan);
        assert_eq!(gone.status, 200, "{}", gone.text());
        let gone = broker.deprovision(instance, "service-of-work", plan);
        assert_eq!(gone.status, 200, "{}", gone.text());
    }
}

#[test]
fn a_plan_may_leave_all_the_same_and_then_nothing_is_touched() {
    let (folder, setup) = stage();
    filled(&folder, setup(&[STAYS, NAMED, OWN]));
    let before = journal(&folder);
    let allowed = setup(&[STAYS]).arg("--allow-breaking").arg("plan-in-use");
    let broker = allowed.start_in(&folder);
    assert!(broker.log().contains("plan-in-use"), "{}", broker.log());
    for _ in 0..2 {
        let gone = [
            broker.unbind("i1", "b", "service-of-work", "plan-named"),
            broker.deprovision("i1", "service-of-work", "plan-named"),
        ];
        for gone in gone {
            assert_eq!((gone.status, gone.word().as_str()), (500, "BackendGone"));
            assert!(gone.text().contains("`plan-named`"), "{}", gone.text());
        }
    }
    assert_eq!(broker.fetch("i1").status, 200);
    assert_eq!(broker.fetch_binding("i1", "b").status, 200);
    assert_eq!(journal(&folder), before, "the program was not asked");
    let forget = Setup::default()
        .arg("instances")
        .arg("forget")
        .arg("i1")
        .arg("--yes")
        .env("ROOT", "/nowhere");
    let forgotten = forget.run_in(&folder);
    assert!(forgotten.0.success(), "{forgotten:?}");
    assert_eq!(
        broker
            .deprovision("i1", "service-of-work", "plan-named")
            .status,
        410
    );
    stop(broker);
    // The environment says it too; with the plan back all is as it was.
    let broker = setup(&[STAYS])
        .env("BROKER_ALLOW_BREAKING", "plan-in-use")
        .start_in(&folder);
    stop(broker);
    let broker = setup(&[STAYS, NAMED])
        .env("BROKER_ALLOW_BREAKING", "plan-in-use")
        .start_in(&folder);
    assert_eq!(
        broker
            .deprovision("i2", "service-of-work", "plan-named")
            .status,
        200
    );
}

#[test]
fn nothing_else_can_be_allowed() {
    let (folder, setup) = stage();
    let errors = refused(
        &folder,
        &[STAYS],
        setup(&[STAYS]).arg("--allow-breaking").arg("plan-in-us"),
    );
    assert!(errors.contains("plan-in-use"), "{errors}");
}
