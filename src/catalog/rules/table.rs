//! All rules, in the order in which they are held.

use super::Source::{Language, Platform, Specification, Store};
use super::{
    Check, Rule, Source, accept, adopting, answers, derive, expiry, ids, lifecycle, limits, moves,
    plans, pools, programs, published, responding, schemas, secrets, statements, store,
};
use crate::document::Severity::{self, Error, Note, Warning};

const OFFERING: Source = Specification("Service Offering Object");
const PLAN: Source = Specification("Service Plan Object");
const SCHEMA: Source = Specification("Input Parameters Schema Object");
const BINDING: Source = Specification("Binding");
const CF: Source = Platform("Cloud Foundry");
const NONE: Source = Store("none");

const fn reading(
    name: &'static str,
    source: Source,
    severity: Severity,
    about: &'static str,
) -> Rule {
    Rule {
        name,
        source,
        severity,
        about,
        check: Check::Reading,
    }
}

macro_rules! draft {
    ($name:literal, $source:expr, $severity:expr, $about:literal, $check:path) => {
        Rule {
            name: $name,
            source: $source,
            severity: $severity,
            about: $about,
            check: Check::Draft($check),
        }
    };
}

/// Every rule on a catalog. What is no YAML at all (`yaml-*`) is told before any of them.
#[rustfmt::skip]
pub static RULES: &[Rule] = &[
    reading("file-unreadable", Language("files"), Error, "The file, folder or vars file can be read."),
    reading("folder-empty", Language("files"), Error, "A folder holds at least one document."),
    reading("folder-key-twice", Language("files"), Error, "A key of the document stands once over all files of a folder."),
    reading("override-names-nothing", Language("overrides"), Error, "An override names a value that is or could be in the document."),
    reading("override-ambiguous", Language("overrides"), Error, "An override names one value, and no other override names it."),
    reading("override-value", Language("overrides"), Error, "An override of what is no string is YAML."),
    reading("reference-syntax", Language("references"), Error, "A reference is one of the closed grammar."),
    reading("reference-missing", Language("references"), Error, "A reference brings something in, or has a default."),
    reading("reference-broken", Language("references"), Error, "What a reference brings in can be read and fits."),
    reading("template-syntax", Language("templates"), Error, "A template is one readable expression."),
    reading("template-name", Language("templates"), Error, "A template names what is known where it stands."),
    reading("template-in-constant", Language("templates"), Error, "Constants hold no templates."),
    reading("template-published", Language("templates"), Warning, "What is published holds no templates: they are not rendered."),
    reading("unknown-key", Language("keys"), Error, "Every key is known; what a vendor adds stands under `extensions`."),
    reading("wrong-type", Language("types"), Error, "Every value has the type that the specification gives it."),
    reading("unknown-word", Specification("Catalog Management"), Error, "Where words are listed, one of them stands."),
    reading("statement-filter", Language("statements"), Error, "Every value of a statement passes a filter that makes it one word, in a place where it is one."),
    reading("statement-reference", Language("statements"), Error, "A statement has no references."),
    reading("statement-empty", Language("statements"), Error, "A statement is not empty."),
    reading("statement-knob", Language("statements"), Error, "`with` has no keys that the ready-made set does not know."),
    reading("statement-server", Language("statements"), Error, "A ready-made set is for the kind of server that the plan has."),
    draft!("accept-known", Language("accept"), Error, "`accept` names rules whose findings are no errors.", accept::known),
    draft!("backend-kind", Language("backend"), Error, "A backend is of one kind.", plans::backend_kind),
    draft!("backend-named", Language("backend"), Error, "`use` names one of `backends`.", plans::backend_named),
    draft!("backend-settings", Language("backend"), Error, "A backend has all it needs, and what it has goes together.", plans::backend_settings),
    draft!("statement-made-again", Language("statements"), Error, "Nothing random, no time and nothing derived stands in `with` or `database`, which are rendered for each attempt.", statements::made_again),
    draft!("statements-move", Language("statements"), Warning, "No plan change leads from one set of statements to another.", moves::statements_move),
    draft!("required-key", Specification("Catalog Management"), Error, "Every required key is there.", published::required),
    draft!("not-blank", Specification("Catalog Management"), Error, "Ids, names, descriptions and the like are not empty, on Cloud Foundry not blank.", published::not_blank),
    draft!("id-characters", Language("ids"), Error, "An id has no control characters.", ids::characters),
    draft!("service-id-unique", OFFERING, Error, "No two offerings have the same id.", ids::services),
    draft!("service-name-unique", OFFERING, Error, "No two offerings have the same name.", ids::service_names),
    draft!("plan-id-unique", PLAN, Error, "No two plans of the whole catalog have the same id.", ids::plans),
    draft!("plan-name-unique", PLAN, Error, "No two plans of an offering have the same name.", ids::plan_names),
    draft!("dashboard-client-unique", CF, Error, "No two dashboard clients have the same id.", ids::dashboard_clients),
    draft!("id-case", Language("ids"), Warning, "No id is another one in other case.", ids::case),
    draft!("id-guid", OFFERING, Warning, "Ids are GUIDs.", ids::guid),
    draft!("name-cli-friendly", Specification("Catalog Management"), Warning, "Names are letters, digits, periods, hyphens (an underscore does no harm).", published::cli_friendly),
    draft!("description-length", Specification("Catalog Management"), Warning, "A description has at most 255 characters.", published::description_length),
    draft!("description-limit", CF, Error, "A description has at most 10,000 characters.", published::description_limit),
    draft!("services-empty", CF, Warning, "At least one offering is published.", published::services_empty),
    draft!("plans-empty", OFFERING, Error, "An offering has at least one plan.", published::plans_empty),
    draft!("tags-length", CF, Error, "The tags of an offering have at most 2048 characters together.", published::tags_length),
    draft!("extension-clash", Language("extensions"), Error, "No extension has the name of a known key.", published::extension_clash),
    draft!("permission-switched-on", CF, Note, "`route_forwarding` and `volume_mount` must be switched on in a Cloud Foundry.", published::switched_on),
    draft!("minimum-api-version", Specification("API Version Header"), Error, "`minimum_api_version` is a version that is served.", published::minimum_api_version),
    draft!("minimum-api-version-platform", CF, Warning, "`minimum_api_version` is at most 2.15.", published::minimum_api_version_platform),
    draft!("maintenance-version", Specification("Maintenance Info Object"), Error, "`maintenance_info.version` is a semantic version.", plans::maintenance_version),
    draft!("maintenance-size", CF, Error, "`maintenance_info` has at most 2000 characters as JSON.", plans::maintenance_size),
    draft!("schemas-key", Specification("Schemas Object"), Warning, "`schemas` has no keys that nobody reads.", schemas::keys),
    draft!("schema-declares-draft", SCHEMA, Error, "A schema declares its draft with `$schema`.", schemas::declares_draft),
    draft!("schema-known-draft", CF, Error, "`$schema` is a draft from 4 on, no metaschema of one's own.", schemas::known_draft),
    draft!("schema-draft", CF, Warning, "A schema is of draft 4: later ones are experimental.", schemas::draft),
    draft!("schema-external-reference", SCHEMA, Error, "A schema has no external references.", schemas::external_reference),
    draft!("schema-size", SCHEMA, Error, "A schema has at most 64 KiB as JSON.", schemas::size),
    draft!("schema-valid", SCHEMA, Error, "A schema is valid.", schemas::valid),
    draft!("binding-permission", BINDING, Error, "What a bind returns is declared in `requires` of the offering.", answers::permission),
    draft!("binding-empty", BINDING, Warning, "A plan that can be bound gives something to a bind.", answers::empty),
    draft!("template-renders", Language("templates"), Error, "Every template renders, to the right type, for an app, a service key and a route, with empty parameters, on Cloud Foundry and on Kubernetes.", answers::renders),
    draft!("dashboard-url", Specification("Provisioning"), Warning, "A dashboard's URL is one for a browser.", answers::dashboard_url),
    draft!("syslog-drain-url", BINDING, Error, "A syslog drain's URL is not empty and has a scheme.", answers::syslog_drain_url),
    draft!("route-service-url", CF, Error, "A route service's URL is https and has a host.", answers::route_service_url),
    draft!("volume-mounts", Specification("Volume Mount Object"), Error, "A volume mount has all it needs.", answers::volume_mounts),
    draft!("endpoints", Specification("Endpoint Object"), Error, "An endpoint has a host and ports, as strings.", answers::endpoints),
    draft!("binding-times", Specification("Binding Metadata Object"), Error, "Times are yyyy-mm-ddThh:mm:ss.sZ, and renewal is not after the end.", answers::times),
    draft!("binding-ttl", Specification("Binding Metadata Object"), Error, "A binding lives a while, and is to be renewed some time before its end.", expiry::ttl),
    draft!("binding-ttl-metadata", Language("ttl"), Error, "One place says when a binding ends: `ttl`, or its metadata.", expiry::metadata),
    draft!("inherits-known", Language("inherits"), Error, "`inherits` names keys of `binding.values`.", expiry::inherits),
    draft!("inherits-rotatable", Language("inherits"), Warning, "What has successors that inherit has successors.", expiry::rotatable),
    draft!("refresh-retrievable", Language("refresh"), Warning, "What a fetch renders anew can be fetched.", expiry::retrievable),
    draft!("refresh-made-once", Language("refresh"), Error, "Nothing random and no time stands where a fetch renders again.", expiry::made_once),
    draft!("made-again", Language("templates"), Warning, "Nothing random and no time stands where an update renders again.", answers::made_again),
    draft!("later-outputs", Language("respond"), Error, "Where a plan may answer 202, its dashboard and metadata use nothing that the backend returns.", responding::outputs),
    draft!("later-bind-retrievable", BINDING, Error, "Where a bind may be answered with 202, bindings can be fetched.", responding::retrievable),
    draft!("attempts-positive", Language("respond"), Error, "`max_attempts` is at least 1.", responding::attempts),
    draft!("adopt-until", Language("adopt"), Error, "`adopt` ends at a date or a time.", adopting::until),
    draft!("adopt-fixed", Language("adopt"), Error, "Only plans of which no backend acts, and none lends, adopt.", adopting::fixed),
    draft!("adopt-values", Language("adopt"), Warning, "What adopts makes no values by chance, of the time or of parameters.", adopting::values),
    draft!("limits-positive", Language("limits"), Error, "A limit is at least 1.", limits::positive),
    draft!("limits-within", Language("limits"), Warning, "No limit of a plan is above that of its offering.", limits::within),
    draft!("limits-rotation", Language("limits"), Warning, "Where a binding may have a successor, an instance may have two.", limits::rotation),
    draft!("derive-keys", Language("derive"), Error, "Keys to derive of are base64 of at least 32 bytes, each another one, and `current` names one.", derive::keys),
    draft!("derive-needs-key", Language("derive"), Error, "Who derives has a key.", derive::needs_key),
    draft!("updates-to-known", Language("updates_to"), Error, "`updates_to` names plans of the offering.", plans::updates_to),
    draft!("lifecycle-after", Language("lifecycle"), Error, "Only a deprecated plan is retired at a date or a time.", lifecycle::after),
    draft!("lifecycle-successor", Language("lifecycle"), Error, "The successor of a plan is an active one of the same offering.", lifecycle::successor),
    draft!("pool-moves", Language("pool"), Error, "No instance moves to or from a plan that lends to instances, but within one pool.", pools::moves),
    draft!("pool-empty", Language("pool"), Warning, "A pool has an entry.", pools::empty),
    draft!("pool-answers-at-once", Language("pool"), Error, "A plan with a pool answers nothing later.", pools::at_once),
    draft!("pool-shared", Language("pool"), Error, "Plans that use one pool by name have the same entries in it.", pools::shared),
    draft!("program-missing", Language("command"), Warning, "A program that a plan runs is there, and may be run.", programs::are_there),
    draft!("plain-secret", Language("secrets"), Warning, "No secret stands in the document in plain text.", secrets::plain),
    draft!("store-none-retrievable", NONE, Error, "With store `none` nothing can be fetched.", store::retrievable),
    draft!("store-none-rotatable", NONE, Error, "With store `none` no binding has a successor.", store::rotatable),
    draft!("store-none-ttl", NONE, Error, "With store `none` no binding ends.", expiry::needs_memory),
    draft!("store-none-made-once", NONE, Error, "With store `none` nothing is random or of a time.", store::made_once),
    draft!("store-none-backend", NONE, Error, "With store `none` no backend acts and nothing is answered later.", responding::needs_memory),
    draft!("store-none-limits", NONE, Error, "With store `none` nothing is limited.", limits::needs_memory),
    draft!("store-none-pool", NONE, Error, "With store `none` nothing is lent.", pools::needs_memory),
    draft!("store-none-instance", NONE, Error, "With store `none` a binding knows nothing of its instance but the id.", store::instance),
];
