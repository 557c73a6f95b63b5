//! The page of the document: its findings, what came of a reload, and what that changed for platforms.

use std::time::{Duration, Instant};

use crate::harness::Broker;
use crate::scene::{self, CATALOG};
use crate::visitor::Visitor;

/// The page, as soon as it says something.
fn says(broker: &Broker, text: &str) -> String {
    let mut visitor = Visitor::signed_in(broker, "vera");
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let page = visitor.get("/document").text();
        if page.contains(text) {
            return page;
        }
        assert!(
            Instant::now() < until,
            "{text:?} never came: {page}\n{}",
            broker.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn reload(broker: &Broker, catalog: &str) {
    broker.folder.write("catalog.yaml", catalog);
    broker.signal("HUP");
}

#[test]
fn the_document_is_told_of() {
    let broker = scene::full();
    let page = says(&broker, "none since the start");
    assert!(
        page.contains("plain-secret") && page.contains("catalog.yaml:"),
        "{page}"
    );
    assert!(!page.contains("MARKED"), "{page}");

    // What platforms see.
    let described = CATALOG.replace(
        "A database on the shared PostgreSQL cluster",
        "A database <of your own>",
    );
    reload(&broker, &described);
    let page = says(&broker, "A database &lt;of your own&gt;");
    assert!(
        page.contains("service shared-postgres: description changed from"),
        "{page}"
    );
    assert!(page.contains("state good\">taken"), "{page}");

    // What is private is not told, only that it is.
    let private = described.replace("pg.internal", "MARKED.internal");
    reload(&broker, &private);
    let page = says(&broker, "Nothing that platforms see");
    assert!(!page.contains("MARKED"), "{page}");

    // A mistake, and what would break what lives: refused, and the one before goes on.
    reload(
        &broker,
        &private.replace(
            "    bindable: true\n    plans:",
            "    bindable: maybe\n    plans:",
        ),
    );
    let page = says(&broker, "The latest document was refused");
    assert!(
        page.contains("maybe") || page.contains("bindable"),
        "{page}"
    );
    reload(&broker, &private.replace(scene::POSTGRES.1, "another-id"));
    let page = says(&broker, "id-changed: shared-postgres/small");
    assert!(page.contains("--allow-breaking id-changed"), "{page}");
    assert!(
        page.contains("Nothing that platforms see"),
        "what is served is told of on: {page}"
    );
}
