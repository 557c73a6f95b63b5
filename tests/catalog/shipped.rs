//! The catalog that is shipped, and the JSON schema for editors.

use catalog_broker::catalog::{Memory, Source, json_schema, load};
use catalog_broker::document::Environment;

use crate::harness::told;

#[test]
fn the_shipped_catalog_loads_with_nothing_to_say() {
    for memory in [Memory::Remembers, Memory::None] {
        let source = Source {
            path: "catalog.yaml".into(),
            vars: vec![],
        };
        let loaded = load(&source, &Environment::default(), memory);
        assert!(loaded.findings.is_empty(), "{}", told(&loaded));
        let catalog = loaded.catalog.unwrap();
        let offering = &catalog.offerings()[0];
        assert_eq!(
            (&*offering.name, &*offering.description),
            ("example_service", "Simple service example")
        );
        assert_eq!(
            (&*offering.plans[0].name, offering.plans[0].free),
            ("plan_one", Some(true))
        );
        assert_eq!(catalog.minimum_api_version().to_string(), "2.10");
    }
}

#[test]
fn the_schema_file_is_what_the_table_says() {
    let file = std::fs::read_to_string("config/catalog.schema.json").unwrap();
    let expected = serde_json::to_string_pretty(&json_schema()).unwrap();
    assert!(
        file.trim_end() == expected,
        "write config/catalog.schema.json anew: `catalog-broker schema`"
    );
}

#[test]
fn shipped_catalogs_are_valid_by_the_schema() {
    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    let examples = std::fs::read_dir("config/examples")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()));
    let files = examples
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .chain(["catalog.yaml".into()]);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let value: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let errors: Vec<_> = schema
            .iter_errors(&value)
            .map(|error| error.instance_path().to_string())
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", file.display());
        assert!(
            text.starts_with("# yaml-language-server: $schema="),
            "{}",
            file.display()
        );
    }
}
