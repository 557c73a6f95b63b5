//! Plans that are not offered any more: their statements still take away what is left of them.

use std::sync::Arc;

use crate::cluster::Cluster;
use crate::harness::Setup;
use crate::stage::{Admin, CATALOG, Stage, asked, asked_bind, assert_same, dump, psql};

/// The same stage with another catalog: a broker that knows what the last one did.
fn with_catalog(mut stage: Stage, setup: Setup) -> Stage {
    stage.broker.kill();
    let folder = Arc::clone(&stage.broker.folder);
    stage.broker = setup
        .env("PG_ADMIN", &stage.cluster.url("shared"))
        .env("RUST_LOG", "trace,mio=off,actix=off")
        .start_in(&folder);
    stage
}

#[test]
fn the_ready_made_sets_take_instances_of_hidden_plans_away() {
    let plans = ["database", "schema", "read-only"];
    let stage = Stage::new(Admin::Super);
    stage.cluster.sql("shared", "CREATE SCHEMA library");
    let before = dump(&stage.cluster);
    let mut logins = Vec::new();
    for plan in plans {
        stage.provisioned(plan, plan);
        logins.extend(["first", "second"].map(|binding| stage.bound(plan, binding, plan)));
    }
    let mut catalog =
        format!("{CATALOG}      - {{ id: stays, name: stays, description: Nothing acts }}\n");
    for plan in plans {
        let shown = format!("{{ id: {plan},");
        assert!(catalog.contains(&shown), "{catalog}");
        catalog = catalog.replace(&shown, &format!("{{ offered: false, id: {plan},"));
    }
    let stage = with_catalog(stage, Setup::new(&catalog));
    for plan in plans {
        let refused = stage.provision("more", plan);
        assert_eq!(refused.word(), "PlanNotInCatalog");
        let refused = stage.broker.bind(plan, "third", &asked_bind(plan));
        assert_eq!(refused.word(), "PlanWithdrawn");
        // One goes by itself, the other with its instance.
        stage.unbound(plan, "first", plan);
        stage.deprovisioned(plan, plan);
    }
    for login in logins {
        let said = psql(&stage.cluster, &login.to("shared"), "SELECT 1").expect_err("who is gone");
        assert!(said.contains("authentication failed"), "{said}");
    }
    assert_same(&dump(&stage.cluster), &before);
}

/// What statements say of it stands in references, some for what is published and made, some for what takes it away.
const OWN: &str = r#"
backends:
  pg: { sql: { server: "${PG_ADMIN}", connections: 3 } }
services:
  - { id: other, name: other, description: Something, bindable: false, plans: [{ id: it, name: it, description: It }] }
  - id: db
    name: db
    description: "${TEXT}"
    bindable: true
    bindings_retrievable: true
    respond: sync
    max_attempts: 1
    backend: { use: pg }
    plans:
      - id: own
        name: own
        description: "${TEXT}"
        values: { level: "${LEVEL}" }
        instance: { values: "${json:NAMES}" }
        binding: { values: "${json:NAMES}", credentials: { name: "${TEXT}" } }
        backend:
          with: { place: "${PLACE}" }
          statements:
            provision:
              - CREATE TABLE public.said (what text)
            unbind:
              - INSERT INTO public.said VALUES ({{ binding.values.name | literal }} || ' ' || {{ binding.id | literal }})
            deprovision:
              - INSERT INTO public.said VALUES ({{ instance.values.name | literal }} || ' ' || {{ values.level | literal }} || ' ' || {{ with.place | literal }})
"#;

fn hidden(catalog: &str) -> String {
    let hidden = catalog.replace("    name: db", "    name: db\n    offered: false");
    assert_ne!(hidden, catalog);
    hidden
}

fn own() -> Stage {
    let stage = Stage::with(Cluster::start(&[]), Admin::Super, CATALOG);
    let setup = Setup::new(OWN)
        .env("TEXT", "some text")
        .env("NAMES", r#"{ "name": "blue" }"#)
        .env("LEVEL", "old")
        .env("PLACE", "here");
    let stage = with_catalog(stage, setup);
    stage.provisioned("one", "own");
    for binding in ["first", "second"] {
        let bound = stage.broker.bind("one", binding, &asked_bind("own"));
        assert_eq!(bound.status, 201, "{}", bound.text());
    }
    stage
}

#[test]
fn statements_of_a_hidden_plan_have_what_they_name() {
    let stage = own();
    let setup = Setup::new(&hidden(OWN))
        .env("LEVEL", "new")
        .env("PLACE", "there");
    let stage = with_catalog(stage, setup);
    assert!(!stage.broker.catalog().text().contains("own"));
    let refused = stage.broker.provision("two", &asked("own"));
    assert_eq!(refused.status, 400, "{}", refused.text());
    stage.unbound("one", "first", "own");
    stage.deprovisioned("one", "own");
    let said = stage.cluster.sql(
        "shared",
        "SELECT string_agg(what, '|' ORDER BY what) FROM public.said",
    );
    assert_eq!(said, "blue first|blue new there|blue second");
}

/// With less than it needs nothing would be taken away, and all would be said to be gone.
#[test]
fn a_hidden_plan_says_what_its_statements_lack() {
    let stage = own();
    let catalog = hidden(OWN);
    let misspelt = catalog.replace("with.place", "with.palce");
    let bare = catalog.replace("values.level | literal", "values.level");
    for (catalog, absent, words) in [
        (&catalog, "PLACE", "PLACE"),
        (&catalog, "LEVEL", "LEVEL"),
        (&catalog, "PG_ADMIN", "PG_ADMIN"),
        (&misspelt, "TEXT", "template-name"),
        (&bare, "TEXT", "statement-filter"),
    ] {
        stage.broker.folder.write("catalog.yaml", catalog);
        let setup = Setup::new(catalog)
            .env("LEVEL", "new")
            .env("PLACE", "there")
            .env("PG_ADMIN", &stage.cluster.url("shared"))
            .without(absent);
        let (status, out, errors) = setup.run_in(&stage.broker.folder);
        assert_eq!(status.code(), Some(2), "{words}: {out}{errors}");
        assert!(errors.contains(words), "{words}: {errors}");
        assert!(
            !errors.contains("NAMES") && !errors.contains("TEXT"),
            "{errors}"
        );
    }
}
