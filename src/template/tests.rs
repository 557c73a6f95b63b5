//! The language as an operator meets it: expressions, scopes, results.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

struct World {
    values: Json,
    instance_parameters: Json,
    instance_context: Json,
    instance_values: Json,
    binding_parameters: Json,
    bind_resource: Json,
    outputs: Json,
}

static WORLD: LazyLock<World> = LazyLock::new(|| World {
    values: json!({"host": "pg.example.com", "port": 5432, "tls": true, "none": null, "ratio": 0.5,
        "sizes": {"small": {"ram": 1}, "large": {"ram": 8}}, "hosts": ["a", "b"], "if": "keyword", "b": 1, "a": 2}),
    instance_parameters: json!({"name": "Müller & Söhne/1", "size": 3, "big": 18_446_744_073_709_551_615_u64, "off": null,
        "evil": "{{ values.host }}", "text": "12", "nested": {"list": [{"k": "v"}]}}),
    instance_context: json!({"platform": "cloudfoundry"}),
    instance_values: json!({"database": "cf_1"}),
    binding_parameters: json!({}),
    bind_resource: json!({"app_guid": "app-1"}),
    outputs: json!({"port": 6000}),
});

fn scope() -> Scope<'static> {
    let world = &*WORLD;
    Scope {
        service: Named {
            id: "s-1",
            name: "shared",
        },
        plan: Named {
            id: "p-1",
            name: "small",
        },
        values: &world.values,
        platform: Some("cloudfoundry"),
        instance: InstanceScope {
            id: "i-1",
            parameters: world.instance_parameters.as_object(),
            context: world.instance_context.as_object(),
            organization: Some("o-1"),
            space: None,
            values: world.instance_values.as_object(),
            outputs: world.outputs.as_object(),
            maintenance_version: Some("1.2.0"),
        },
        binding: Some(BindingScope {
            id: "b-1",
            parameters: world.binding_parameters.as_object(),
            bind_resource: world.bind_resource.as_object(),
            app_guid: Some("app-1"),
            ..BindingScope::default()
        }),
        statement: None,
    }
}

fn eval(source: &str) -> Result<Json, String> {
    let expression = Expression::compile(source).map_err(|error| error.to_string())?;
    expression
        .eval(&scope(), &Draw::new(1_709_211_909_042))
        .map_err(|error| error.to_string())
}

fn expression(source: &str) -> Part {
    Part::Expression(Expression::compile(source).unwrap())
}

fn literal(text: &str) -> Part {
    Part::Literal(text.to_owned())
}

fn render(tree: &Tree) -> Result<Option<Json>, RenderError> {
    tree.render(&scope(), &Draw::new(0))
}

#[test]
fn expressions_and_what_they_give() {
    for (source, expected) in [
        // Paths keep their type.
        ("values.host", json!("pg.example.com")),
        (" values . port ", json!(5432)),
        ("values.tls", json!(true)),
        ("values.ratio", json!(0.5)),
        ("values.sizes.small", json!({"ram": 1})),
        ("values['sizes'][\"large\"].ram", json!(8)),
        ("values.if", json!("keyword")),
        ("values.hosts[1]", json!("b")),
        ("values.hosts.0", json!("a")),
        ("values.sizes[plan.name].ram", json!(1)),
        ("values.sizes[platform]", Json::Null),
        (
            "service.id ~ '/' ~ service.name ~ '/' ~ plan.id",
            json!("s-1/shared/p-1"),
        ),
        ("platform", json!("cloudfoundry")),
        (
            "instance.parameters.big",
            json!(18_446_744_073_709_551_615_u64),
        ),
        ("instance.parameters.nested.list[0].k", json!("v")),
        ("instance.values.database", json!("cf_1")),
        ("instance.outputs.port + 1", json!(6001)),
        ("instance.maintenance_info.version", json!("1.2.0")),
        (
            "binding.app_guid == binding.bind_resource.app_guid",
            json!(true),
        ),
        // What is absent is null, however deep.
        ("instance.space", Json::Null),
        ("instance.parameters.a.b.c", Json::Null),
        ("instance.parameters.name.x", Json::Null),
        ("instance.parameters.off.x", Json::Null),
        ("instance.parameters['a'].b", Json::Null),
        ("binding.context.a", Json::Null),
        ("binding.outputs.a", Json::Null),
        ("values.none", Json::Null),
        ("instance.parameters.a.b == none", json!(true)),
        ("instance.parameters.off == none", json!(true)),
        ("'yes' if instance.parameters.a.b else 'no'", json!("no")),
        ("'yes' if instance.parameters.a", Json::Null),
    ] {
        assert_eq!(eval(source), Ok(expected), "{source}");
    }
}

#[test]
fn operators_filters_and_functions() {
    for (source, expected) in [
        (
            "'a' ~ instance.space if instance.space else 'none'",
            json!("none"),
        ),
        (
            "'a' ~ instance.space | default('b') ~ values.port ~ values.tls",
            json!("ab5432true"),
        ),
        ("1 + 2 * 3", json!(7)),
        ("7 // 2", json!(3)),
        (
            "instance.parameters.size > 2 and not values.none",
            json!(true),
        ),
        ("values.sizes['large'].ram * (1 + 1)", json!(16)),
        (
            "(values.host | replace('.', '')) * 2",
            json!("pgexamplecompgexamplecom"),
        ),
        (
            "{'a': 1, 'b': 2}[instance.outputs.key | default('b')] * 2",
            json!(4),
        ),
        ("1 < 2 < 3", json!(true)),
        ("'small' in values.sizes", json!(true)),
        ("'tiny' in values.sizes", json!(false)),
        (
            "'large' if instance.parameters.size >= 3 else 'small'",
            json!("large"),
        ),
        ("instance.id[:1]", json!("i")),
        ("[1, 'a', values.port]", json!([1, "a", 5432])),
        (
            "{'h': values.host, 'n': instance.space}",
            json!({"h": "pg.example.com", "n": null}),
        ),
        ("'is(x) | foo p0'", json!("is(x) | foo p0")),
        ("'{{'", json!("{{")),
        ("none", Json::Null),
        // Filters.
        (
            "instance.parameters.name | urlencode",
            json!("M%C3%BCller%20%26%20S%C3%B6hne%2F1"),
        ),
        ("'aZ0-._~:@' | urlencode", json!("aZ0-._~%3A%40")),
        ("values.port | urlencode", json!("5432")),
        ("values.tls | urlencode", json!("true")),
        ("'a?b' | base64", json!("YT9i")),
        (
            "values.sizes | json",
            json!("{\"small\":{\"ram\":1},\"large\":{\"ram\":8}}"),
        ),
        (
            "instance.parameters.name | json",
            json!("\"Müller & Söhne/1\""),
        ),
        ("instance.parameters.x | json", json!("null")),
        ("instance.parameters.x | default('d')", json!("d")),
        ("instance.parameters.x | default(values.port)", json!(5432)),
        ("instance.parameters.x | default", json!("")),
        ("'' | default('d')", json!("")),
        ("'' | default('d', true)", json!("d")),
        (
            "values.host | replace('.', '-') | upper",
            json!("PG-EXAMPLE-COM"),
        ),
        ("'ÄB' | lower", json!("äb")),
        ("instance.parameters.text | int + 1", json!(13)),
        ("' 12.9 ' | int", json!(12)),
        ("-1.9 | int", json!(-1)),
        ("true | int", json!(1)),
        (
            "instance.parameters.big | int",
            json!(18_446_744_073_709_551_615_u64),
        ),
        (
            "instance.parameters.x | urlencode | base64 | lower | upper | replace('a', 'b') | int",
            Json::Null,
        ),
        // Functions.
        ("now()", json!("2024-02-29T13:05:09.042Z")),
        ("now()[:4] | int", json!(2024)),
        // Once is enough.
        ("instance.parameters.evil", json!("{{ values.host }}")),
        ("instance.parameters.evil ~ ''", json!("{{ values.host }}")),
        // Nothing is escaped for HTML.
        (
            "'<a>&' ~ instance.parameters.evil",
            json!("<a>&{{ values.host }}"),
        ),
    ] {
        assert_eq!(eval(source), Ok(expected), "{source}");
    }
}

#[test]
fn expressions_that_are_refused_when_they_are_read() {
    for (source, part) in [
        ("", "nothing stands"),
        ("  ", "nothing stands"),
        ("a b", "cannot be read"),
        ("a }} b", "cannot be read"),
        ("'a", "cannot be read"),
        (
            "values.x | urlencod",
            "unknown filter `urlencod`: did you mean `urlencode`?",
        ),
        (
            "values.x | map('y')",
            "unknown filter `map`: there are urlencode, ",
        ),
        ("values.x | json.y", "unknown filter"),
        ("'a' if false else ('b' | safe)", "unknown filter `safe`"),
        ("random_pasword(3)", "did you mean `random_password`?"),
        ("range(10)", "unknown function `range`"),
        ("values.x is defined", "no tests"),
        ("values.x is not none", "no tests"),
        ("values.host.upper()", "no methods"),
        ("values[plan.name].items()", "no methods"),
        ("('a')('b')", "only functions"),
        ("'a'('b')", "only functions"),
        ("values['a']('b')", "no methods"),
        ("(now)()", "only functions"),
        ("now(a=1)", "named arguments"),
        ("'x' * 10 ** 9", "too much time or space"),
        ("[1] * 3", "where there are lists"),
        ("3 * [1]", "where there are lists"),
        ("(1, 2) * 3", "where there are lists"),
        ("'a' ~ ([[1] * 9999] * 9999)", "where there are lists"),
        ("1 if 2 * 3 in [6]", "where there are lists"),
        ("1 // 0", "does not work with these values"),
    ] {
        let error = Expression::compile(source)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{source}: {error}");
    }
    assert!(
        Expression::compile(&"1+".repeat(600))
            .unwrap_err()
            .to_string()
            .contains("more than 200 words")
    );
}

#[test]
fn expressions_that_fail_when_they_are_rendered() {
    for (source, part) in [
        (
            "values.hots",
            "names `values.hots`, which is not known here",
        ),
        ("values['hots']", "not known here"),
        ("values.host.x", "not known here"),
        ("nothing", "not known here"),
        ("instance", "not known here"),
        (
            "instance.parameters.name + 1",
            "does not work with these values",
        ),
        (
            "instance.parameters.name | int",
            "gives `int` what is no number",
        ),
        ("values.sizes | urlencode", "put `json` before it"),
        ("values.host | replace('', 'x')", "an empty one to look for"),
        ("values.host | replace('a')", "missing argument"),
        ("values.host * 1000000000", "too much time or space"),
        (
            "(values.host * 50000) | replace('e', values.host * 50000)",
            "too much time or space",
        ),
        ("'a' ~ instance.space", "is null in the middle of a text"),
        (
            "instance.parameters.x.y ~ 'a'",
            "is null in the middle of a text",
        ),
        ("'a' ~ values.sizes ~ 'b'", "write it with `json`"),
        ("values.hosts * 2", "where there are lists"),
        (
            "instance.parameters.nested['li' ~ 'st'] * 2",
            "where there are lists",
        ),
        ("values.port ** 1000", "does not work with these values"),
        ("random_password(7)", "from 8 to 256"),
        ("random_password(257)", "from 8 to 256"),
        ("random_password(values.host)", "from 8 to 256"),
        ("random_password()", "without its one argument"),
        ("random_username(8)", "it takes none"),
        ("uuid('v4')", "gives `uuid()` an argument"),
        ("now(1)", "takes none"),
        (
            "instance.parameters.size / 0",
            "does not work with these values",
        ),
        ("instance.parameters.size ** 75 * 9", "no word for"),
    ] {
        let error = eval(source).unwrap_err();
        assert!(error.contains(part), "{source}: {error}");
        assert!(
            !error.contains("Müller") && !error.contains("example"),
            "{source}: {error}"
        );
    }
}

#[test]
fn names_are_those_that_are_looked_up() {
    let expression = Expression::compile(
        "values['a'].b ~ instance.parameters.x[values.key] ~ now() ~ values.key ~ {'q': plan.id}['q'] | default('w')",
    )
    .unwrap();
    let names: Vec<_> = expression.names().collect();
    assert_eq!(
        names,
        [
            "values.a.b",
            "instance.parameters.x",
            "values.key",
            "plan.id"
        ]
    );
    assert!(expression.uses_time() && !expression.uses_chance());
}

#[test]
fn names_are_checked_before_anything_runs() {
    let check = |place, source: &str| -> Vec<String> {
        let known = KnownNames {
            values: &WORLD.values,
            instance_values: Some(&["database"]),
            binding_values: Some(&["password"]),
            with: &["size"],
            place,
        };
        let expression = Expression::compile(source).unwrap();
        check_names(&expression, &known)
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    for known in [
        "values",
        "values.sizes.small.ram",
        "values.hosts[0]",
        "values.none",
        "platform",
        "service.name",
        "plan.id",
        "instance.id",
        "instance.organization",
        "instance.space",
        "instance.parameters.a.b",
        "instance.context",
        "instance.outputs.x",
        "instance.values.database.deeper",
        "binding.app_guid",
        "binding.bind_resource.route",
        "binding.values.password",
        "binding.values",
        "random_password(8)",
        "now()",
    ] {
        assert_eq!(
            check(Where::Binding, known),
            Vec::<String>::new(),
            "{known}"
        );
    }
    for (source, message) in [
        (
            "values.hots",
            "`values.hots` is not known here; did you mean `values.hosts`?",
        ),
        (
            "values['hots']",
            "`values.hots` is not known here; did you mean `values.hosts`?",
        ),
        (
            "value.sizes.small",
            "`value.sizes.small` is not known here; did you mean `values.sizes.small`?",
        ),
        (
            "values.sizes.smal.ram",
            "`values.sizes.smal.ram` is not known here; did you mean `values.sizes.small.ram`?",
        ),
        (
            "values.host.name",
            "`values.host.name` is not known here; did you mean `values.host`?",
        ),
        ("values.zzzzzzzz", "`values.zzzzzzzz` is not known here"),
        ("zzzzzzzz", "`zzzzzzzz` is not known here"),
        (
            "instance",
            "`instance` is not known here; did you mean `instance.id`?",
        ),
        (
            "instance['params'].x",
            "`instance.params.x` is not known here; did you mean `instance.parameters.x`?",
        ),
        (
            "instance.values.databse",
            "`instance.values.databse` is not known here; did you mean `instance.values.database`?",
        ),
        (
            "instance.id.x",
            "`instance.id.x` is not known here; did you mean `instance.id`?",
        ),
        ("now", "`now` is not known here; did you mean `now()`?"),
        ("p0 + p1", "`p0` is not known here; did you mean `p1`?"),
    ] {
        let found = check(Where::Binding, source);
        if source.starts_with("p0") {
            assert_eq!(found.len(), 2, "{found:?}");
        } else {
            assert_eq!(found, [message], "{source}");
        }
    }
    assert_eq!(
        check(Where::Instance, "binding.id"),
        ["`binding.id` is not known here"]
    );
    assert_eq!(check(Where::Instance, "instance.id"), Vec::<String>::new());
}

#[test]
fn a_tree_keeps_types_and_leaves_nulls_out() {
    let tree = Tree::map(vec![
        ("host".into(), Tree::text(vec![literal("fixed")])),
        ("port".into(), Tree::text(vec![expression("values.port")])),
        ("sizes".into(), Tree::text(vec![expression("values.sizes")])),
        (
            "space".into(),
            Tree::text(vec![expression("instance.space")]),
        ),
        (
            "uri".into(),
            Tree::text(vec![
                literal("pg://"),
                expression("values.host"),
                literal(":"),
                expression("values.port"),
            ]),
        ),
        (
            "list".into(),
            Tree::list(vec![
                Tree::text(vec![expression("instance.space")]),
                Tree::text(vec![expression("values.tls")]),
                Tree::Value(Json::Null),
            ]),
        ),
        (
            "evil".into(),
            Tree::text(vec![
                literal("<"),
                expression("instance.parameters.evil"),
                literal("{{ x }}"),
            ]),
        ),
        (
            "brace".into(),
            Tree::text(vec![literal("a "), expression(" '{{' "), literal(" b")]),
        ),
    ]);
    let rendered = render(&tree).unwrap().unwrap();
    let expected = json!({
        "host": "fixed", "port": 5432, "sizes": {"small": {"ram": 1}, "large": {"ram": 8}},
        "uri": "pg://pg.example.com:5432", "list": [true, null], "evil": "<{{ values.host }}{{ x }}", "brace": "a {{ b",
    });
    assert_eq!(rendered.to_string(), expected.to_string());
    assert_eq!(
        render(&Tree::text(vec![expression("instance.space")])),
        Ok(None)
    );
    let paths: Vec<String> = tree
        .expressions()
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    assert_eq!(
        paths,
        [
            "port", "sizes", "space", "uri", "uri", "list[0]", "list[1]", "evil", "brace"
        ]
    );
}

#[test]
fn what_does_not_fit_into_a_text_is_an_error_with_its_path() {
    for (source, sentence) in [
        (
            "instance.space",
            "credentials.uris[0]: {{ instance.space }} is null in the middle of a text: give it a value with `default`",
        ),
        (
            "values.sizes",
            "credentials.uris[0]: {{ values.sizes }} is a list or a map in the middle of a text: write it with `json`",
        ),
        (
            "values.hots",
            "credentials.uris[0]: {{ values.hots }} names `values.hots`, which is not known here",
        ),
    ] {
        let text = Tree::text(vec![literal("x"), expression(source)]);
        let tree = Tree::map(vec![(
            "credentials".into(),
            Tree::map(vec![("uris".into(), Tree::list(vec![text]))]),
        )]);
        let error = render(&tree).unwrap_err();
        assert_eq!(error.to_string(), sentence);
        assert_eq!(error.path(), "credentials.uris[0]");
        assert_eq!(error.below("binding").path(), "binding.credentials.uris[0]");
    }
}

#[test]
fn constants_stay_one_value() {
    let tree = Tree::map(vec![(
        "a".into(),
        Tree::list(vec![
            Tree::text(vec![literal("x"), literal("y")]),
            Tree::Value(json!(1)),
        ]),
    )]);
    assert_eq!(tree.as_constant(), Some(&json!({"a": ["xy", 1]})));
    assert!(Template::new(vec![literal("x")]).is_none());
}

#[test]
fn each_call_draws_anew_and_time_stands_still() {
    let tree = Tree::map(vec![
        (
            "a".into(),
            Tree::text(vec![expression("random_password(24)")]),
        ),
        (
            "b".into(),
            Tree::text(vec![expression("random_password(24)")]),
        ),
        ("c".into(), Tree::text(vec![expression("now()")])),
        ("d".into(), Tree::text(vec![expression("now()")])),
        (
            "e".into(),
            Tree::text(vec![expression("random_username()")]),
        ),
        (
            "f".into(),
            Tree::text(vec![expression("random_username()")]),
        ),
        ("g".into(), Tree::text(vec![expression("uuid()")])),
        ("h".into(), Tree::text(vec![expression("uuid()")])),
    ]);
    let rendered = render(&tree).unwrap().unwrap();
    assert_ne!(rendered["a"], rendered["b"]);
    assert_ne!(rendered["e"], rendered["f"]);
    assert_ne!(rendered["g"], rendered["h"]);
    assert_eq!(rendered["a"].as_str().map(str::len), Some(24));
    assert_eq!(rendered["c"], rendered["d"]);
    assert_eq!(
        tree.functions().into_iter().collect::<Vec<_>>(),
        &Function::ALL[..4]
    );
    let chance = |name: &str| Expression::compile(name).unwrap().uses_chance();
    assert!(chance("uuid()") && chance("random_username() | upper") && !chance("now()"));
    let without = tree
        .render(&scope(), &Draw::with_chance(0, |_| Err(NoChance)))
        .unwrap_err();
    assert_eq!(
        without.to_string(),
        "a: {{ random_password(24) }} needs chance, and the system gives none"
    );
}

fn deriving(current: &str, version: &str) -> Deriving {
    let key = |text: &str| Key::parse(text).unwrap();
    let keys = [
        ("v1", key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")),
        ("v2", key("Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=")),
    ];
    let keys = keys.map(|(version, key)| (version.into(), key));
    Deriving {
        keys: Keys::new(current, keys.into()).unwrap().into(),
        version: version.into(),
        instance: "i-1".into(),
        binding: "b-1".into(),
    }
}

#[test]
fn what_is_derived_is_of_the_key_and_the_label() {
    let with = |source: &str, version: &str| {
        let draw = Draw::new(0).deriving(Some(deriving("v2", version)));
        let expression = Expression::compile(source).map_err(|error| error.to_string())?;
        let value = expression.eval(&scope(), &draw);
        value.map_err(|error| error.to_string())
    };
    let first = with("derive('password', 32)", "v1").unwrap();
    assert_eq!(with("derive('password', 16 + 16)", "v1").unwrap(), first);
    let named = with("derive('password', 32, 'alphanumeric')", "v1").unwrap();
    assert_eq!(named, first);
    for other in [
        with("derive('password', 32)", "v2"),
        with("derive('passwort', 32)", "v1"),
        with("derive('password', 32, 'base64url')", "v1"),
    ] {
        assert_ne!(other.unwrap(), first);
    }
    assert_eq!(with("derive_version()", "v1").unwrap(), "v1");
    for (source, words) in [
        (
            "derive('p', 32, 'letters')",
            "there are alphanumeric, lower",
        ),
        ("derive('p', 32, 7)", "an alphabet that is not known"),
        ("derive('p', 7)", "from 8 to 256"),
        ("derive('p', 'x')", "from 8 to 256"),
        ("derive('', 8)", "a label that is empty"),
        ("derive(instance.space, 8)", "a label that is no text"),
        ("derive('p')", "with other arguments"),
        ("derive_version('p')", "it takes none"),
    ] {
        let error = with(source, "v1").unwrap_err();
        assert!(error.contains(words), "{source}: {error}");
    }
    let gone = with("derive('password', 32)", "v0").unwrap_err();
    assert!(gone.contains("the key `v0`"), "{gone}");
    for source in ["derive('password', 32)", "derive_version()"] {
        let error = eval(source).unwrap_err();
        assert!(error.contains("needs a key"), "{error}");
    }
}

#[test]
fn a_rendering_has_an_end() {
    let long = Tree::text(vec![expression("values.host * 30000")]);
    assert!(render(&long).is_ok());
    let error = render(&Tree::list(vec![long.clone(), long.clone(), long])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "[2]: {{ values.host * 30000 }} makes the whole longer than 1 MiB"
    );
}

#[test]
fn depth_does_not_overflow_a_small_stack() {
    let on_small_stack = std::thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(|| {
            for unit in [
                "1+",
                "-",
                "not ",
                "a|lower|",
                "[",
                "(",
                "{1:",
                "a.",
                "a[",
                "1 if 1 else ",
                "1~",
                "a==",
                "2**",
                "f(",
            ] {
                for (count, end) in [39, 49, 66, 99, 199]
                    .into_iter()
                    .flat_map(|count| ["", "1", "a", "lower"].map(|end| (count, end)))
                {
                    let _ = Expression::compile(&format!("{}{end}", unit.repeat(count)))
                        .map(|read| read.eval(&scope(), &Draw::new(0)));
                }
            }
            Expression::compile(&format!("{}values.port", "1+".repeat(98)))
                .unwrap()
                .eval(&scope(), &Draw::new(0))
        });
    assert_eq!(on_small_stack.unwrap().join().unwrap(), Ok(json!(5530)));
}

#[test]
fn debug_shows_no_values() {
    let tree = Tree::text(vec![expression("values.host")]);
    assert_eq!(
        format!("{tree:?}"),
        "Text(Template([Expression({{values.host}})]))"
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_compiler_panic(source in "\\PC{0,80}") {
        let _ = Expression::compile(&source).map(|read| read.eval(&scope(), &Draw::new(0)));
    }

    #[test]
    fn no_mix_of_words_makes_it_panic_or_miss_a_name(
        words in prop::collection::vec(prop::sample::select(vec![
            "values", "instance", ".", ".", "host", "parameters", "[", "]", "'a'", "\"b\\\"\"", "(", ")", "|", "json",
            "default", "now", "is", "not", "in", "if", "else", "~", "+", "=", "==", "1", "1.5", "0x1f", "{", "}", ":",
            ",", "none", "p0", "_", " ", "random_password", "*", "**",
        ]), 0..12),
        gap in prop::bool::ANY,
    ) {
        let source = words.join(if gap { " " } else { "" });
        if let Ok(read) = Expression::compile(&source) {
            let _ = read.eval(&scope(), &Draw::new(0));
            let _ = read.names().count();
        }
    }

    #[test]
    fn literal_text_renders_to_itself(pieces in prop::collection::vec("\\PC{0,20}", 0..4)) {
        let tree = Tree::text(pieces.iter().map(|piece| literal(piece)).collect());
        prop_assert_eq!(render(&tree).unwrap(), Some(Json::String(pieces.concat())));
    }

    #[test]
    fn what_a_parameter_holds_comes_out_as_it_is(text in "\\PC*") {
        let parameters = json!({"x": text});
        let mut scope = scope();
        scope.instance.parameters = parameters.as_object();
        for source in ["instance.parameters.x", "instance.parameters.x | default('')", "instance.parameters['x'] ~ ''"] {
            let tree = Tree::text(vec![literal("<"), expression(source), literal(">")]);
            let rendered = tree.render(&scope, &Draw::new(0)).unwrap();
            prop_assert_eq!(rendered, Some(Json::String(format!("<{text}>"))));
        }
    }
}

/// `cargo test --release --lib template -- --ignored --nocapture`
#[test]
#[ignore = "a measurement, not a test"]
fn how_long_typical_credentials_take() {
    let fixed = |key: &str| (key.to_owned(), Tree::text(vec![literal("something fixed")]));
    let tree = Tree::map(vec![
        fixed("a"),
        fixed("b"),
        ("host".into(), Tree::text(vec![expression("values.host")])),
        (
            "database".into(),
            Tree::text(vec![literal("cf_"), expression("instance.id")]),
        ),
        (
            "uri".into(),
            Tree::text(vec![
                literal("postgres://app:"),
                expression("instance.parameters.name | urlencode"),
                literal("@"),
                expression("values.host"),
                literal("/"),
                expression("instance.values.database"),
            ]),
        ),
    ]);
    let (scope, draw, rounds) = (scope(), Draw::new(0), 200_000_u32);
    for (what, tree) in [
        ("credentials", &tree),
        (
            "one filter",
            &Tree::text(vec![expression("values.host | urlencode")]),
        ),
    ] {
        let start = std::time::Instant::now();
        for _ in 0..rounds {
            std::hint::black_box(tree.render(&scope, &draw)).unwrap();
        }
        println!(
            "{what}: {} ns",
            start.elapsed().as_nanos() / u128::from(rounds)
        );
    }
}
