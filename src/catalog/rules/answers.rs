//! What provision and bind will answer, held against the specification and Cloud Foundry before anybody asks.

use serde_json::Value as Json;

use super::renderings::Rendered;
use super::store::dotted;
use super::{Report, store};
use crate::catalog::draft::{Draft, follow};
use crate::domain::answer::BindingField;
use crate::template::time::parse_utc;

/// `binding-permission`.
pub(super) fn permission(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (offering, plan) in draft.plans() {
        let fields = plan
            .answers
            .iter()
            .flat_map(|answers| &answers.binding.fields);
        for (field, _) in fields {
            let permission = match field {
                BindingField::SyslogDrainUrl => "syslog_drain",
                BindingField::RouteServiceUrl => "route_forwarding",
                BindingField::VolumeMounts => "volume_mount",
                _ => continue,
            };
            if !offering.requires(permission) {
                let (path, place) = follow(&plan.node, &plan.path, field.path());
                let name = field.name();
                let message = format!(
                    "a bind returns `{name}`, and the offering does not require `{permission}`: platforms refuse that"
                );
                report.add(
                    &path,
                    &place,
                    message,
                    format!("add `requires: [{permission}]` to the offering"),
                );
            }
        }
    }
}

/// `binding-empty`.
pub(super) fn empty(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (offering, plan) in draft.plans() {
        let gives = plan
            .answers
            .as_ref()
            .is_some_and(|answers| !answers.binding.fields.is_empty());
        if offering.bindable(plan) && !gives {
            let message = "the plan can be bound, and a bind gives nothing";
            let mend = "add `binding: { credentials: {...} }`, or set `bindable: false`";
            report.at_key(&plan.path, &plan.node, "binding", message, mend);
        }
    }
}

/// `template-renders`.
pub(super) fn renders(draft: &Draft<'_>, report: &mut Report<'_>) {
    for failed in &report.renderings(draft).errors {
        let mend = if failed.is_null {
            "give it a value with `| default('...')`, or let the schema of the parameters require it"
        } else {
            "mend the template, or the values that it meets"
        };
        report.add(&failed.path, &failed.place, &failed.message, mend);
    }
}

/// `made-again`.
pub(super) fn made_again(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (_, plan) in draft.plans() {
        let Some(answers) = &plan.answers else {
            continue;
        };
        for (root, tree) in store::trees(answers, true) {
            if !matches!(root, "instance.dashboard_url" | "instance.metadata") {
                continue;
            }
            for (path, expression) in tree.expressions() {
                let mut functions = expression.functions().iter();
                if let Some(function) = functions.find(|function| function.is_made_once()) {
                    let (path, place) = follow(&plan.node, &plan.path, &dotted(root, &path));
                    let message =
                        format!("every update renders this again, with another {function}");
                    report.add(&path, &place, message, "make it once in `instance.values`");
                }
            }
        }
    }
}

fn fields<'a>(
    draft: &Draft<'_>,
    report: &Report<'a>,
    key: &'static str,
) -> impl Iterator<Item = &'a Rendered> + use<'a> {
    report
        .renderings(draft)
        .fields
        .iter()
        .filter(move |field| field.key == key)
}

fn tell(field: &Rendered, below: &str, message: &str, mend: &str, report: &mut Report<'_>) {
    let (path, place) = follow(&field.node, &field.path, below);
    report.add(&path, &place, message, mend);
}

/// `dashboard-url`.
pub(super) fn dashboard_url(draft: &Draft<'_>, report: &mut Report<'_>) {
    for field in fields(draft, report, "instance.dashboard_url") {
        let is_url = field
            .value
            .as_str()
            .is_some_and(|url| host(url, &["https", "http"]).is_some());
        if !is_url {
            tell(
                field,
                "",
                "this is no URL that a browser opens",
                "begin it with https:// and a host",
                report,
            );
        }
    }
}

/// `syslog-drain-url`.
pub(super) fn syslog_drain_url(draft: &Draft<'_>, report: &mut Report<'_>) {
    for field in fields(draft, report, "binding.syslog_drain_url") {
        let schemes = ["syslog", "syslog-tls", "https", "http"];
        if field
            .value
            .as_str()
            .is_some_and(|url| host(url, &schemes).is_none())
        {
            let message = "this is no URL that logs can be streamed to";
            tell(
                field,
                "",
                message,
                "write syslog://host:port, syslog-tls://host:port or https://host/path; leave it out where there is none",
                report,
            );
        }
    }
}

/// `route-service-url`.
pub(super) fn route_service_url(draft: &Draft<'_>, report: &mut Report<'_>) {
    for field in fields(draft, report, "binding.route_service_url") {
        if field
            .value
            .as_str()
            .is_some_and(|url| host(url, &["https"]).is_none())
        {
            let message =
                "Cloud Foundry refuses a route service whose URL is not https or has no host";
            tell(field, "", message, "write https://host/path", report);
        }
    }
}

/// The host of a URL of one of the schemes.
fn host<'u>(url: &'u str, schemes: &[&str]) -> Option<&'u str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let host = if host.starts_with('[') {
        host
    } else {
        host.split(':').next()?
    };
    let known = schemes
        .iter()
        .any(|known| known.eq_ignore_ascii_case(scheme));
    (known && !host.is_empty() && !host.contains(char::is_whitespace)).then_some(host)
}

/// `volume-mounts`.
pub(super) fn volume_mounts(draft: &Draft<'_>, report: &mut Report<'_>) {
    for field in fields(draft, report, "binding.volume_mounts") {
        for (index, mount) in field.value.as_array().into_iter().flatten().enumerate() {
            for (below, message, mend) in mount_mistakes(mount) {
                tell(field, &format!("[{index}]{below}"), &message, &mend, report);
            }
        }
    }
}

fn mount_mistakes(mount: &Json) -> Vec<(String, String, String)> {
    let mut mistakes = Vec::new();
    let mut add = |below: &str, message: String, mend: &str| {
        mistakes.push((below.to_owned(), message, mend.to_owned()));
    };
    for key in ["driver", "container_dir", "device_type"] {
        if !is_filled(&mount[key]) {
            add(
                &format!(".{key}"),
                format!("a volume mount needs a non-empty string `{key}`"),
                "write it out",
            );
        }
    }
    if !mount["mode"]
        .as_str()
        .is_some_and(|mode| ["r", "rw"].contains(&mode))
    {
        add(
            ".mode",
            "a volume mount's `mode` is `r` or `rw`".to_owned(),
            "write `r` or `rw`",
        );
    }
    let device = &mount["device"];
    if !is_filled(&device["volume_id"]) {
        add(
            ".device",
            "a volume mount needs a `device` with a non-empty string `volume_id`".to_owned(),
            "write `device: { volume_id: ... }`",
        );
    }
    if !device["mount_config"].is_null() && !device["mount_config"].is_object() {
        add(
            ".device.mount_config",
            "`mount_config` is a map".to_owned(),
            "write a map",
        );
    }
    mistakes
}

/// `endpoints`.
pub(super) fn endpoints(draft: &Draft<'_>, report: &mut Report<'_>) {
    for field in fields(draft, report, "binding.endpoints") {
        for (index, endpoint) in field.value.as_array().into_iter().flatten().enumerate() {
            let mut tell = |below: &str, message: &str, mend: &str| {
                tell(field, &format!("[{index}]{below}"), message, mend, report);
            };
            if !is_filled(&endpoint["host"]) {
                tell(
                    ".host",
                    "an endpoint needs a `host`",
                    "write a host name or an IP address",
                );
            }
            let ports = endpoint["ports"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            if ports.is_empty() || !ports.iter().all(is_port) {
                tell(
                    ".ports",
                    "an endpoint's `ports` are strings, each a port or a range, at least one",
                    "write [\"5432\"] or [\"9000-9010\"]",
                );
            }
            let protocol = &endpoint["protocol"];
            if !protocol.is_null() && !["tcp", "udp", "all"].iter().any(|known| protocol == known) {
                tell(
                    ".protocol",
                    "an endpoint's `protocol` is tcp, udp or all",
                    "write one of them",
                );
            }
        }
    }
}

fn is_filled(value: &Json) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn is_port(value: &Json) -> bool {
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| !text.starts_with('+'));
    value
        .as_str()
        .is_some_and(|text| match text.split_once('-') {
            Some((from, to)) => number(from)
                .zip(number(to))
                .is_some_and(|(from, to)| from <= to),
            None => number(text).is_some(),
        })
}

/// `binding-times`.
pub(super) fn times(draft: &Draft<'_>, report: &mut Report<'_>) {
    for field in fields(draft, report, "binding.metadata") {
        let mut times = [None, None];
        for (time, key) in times.iter_mut().zip(["renew_before", "expires_at"]) {
            let Some(value) = field.value.get(key) else {
                continue;
            };
            *time = value
                .as_str()
                .filter(|text| text.contains('.'))
                .and_then(parse_utc);
            if time.is_none() {
                tell(
                    field,
                    key,
                    "this is not a time as the specification writes it",
                    "write yyyy-mm-ddThh:mm:ss.sZ, as 2030-01-31T12:00:00.0Z",
                    report,
                );
            }
        }
        if let [Some(renew), Some(end)] = times
            && renew > end
        {
            tell(
                field,
                "renew_before",
                "renewal would be after the end",
                "let `renew_before` be before `expires_at` or equal to it",
                report,
            );
        }
    }
}
