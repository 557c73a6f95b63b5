//! The life of a merged plan: `lifecycle`; and which dates of a document are near.

use super::adopting::{NoEnd, end_of};
use crate::document::{Finding, Findings, Node, Path};
use crate::domain::lifecycle::{Deadline, Lifecycle, LifecycleState};
use crate::domain::time::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// Dates are told of when no more days than these are left.
const NEAR: i64 = 30;

/// What the plan says.
pub(crate) fn lifecycle(plan: &Node) -> Result<Lifecycle, NoEnd> {
    let Some(node) = plan.get("lifecycle") else {
        return Ok(Lifecycle::default());
    };
    let text = |key: &str| node.get(key).and_then(Node::as_text).map(str::to_owned);
    let after = text("after").map(|text| {
        let at = end_of(&text).ok_or(NoEnd::Unreadable)?;
        Ok(Deadline { text, at })
    });
    Ok(Lifecycle {
        state: text("state")
            .and_then(|name| LifecycleState::from_name(&name))
            .unwrap_or_default(),
        note: text("note"),
        successor: text("successor"),
        after: after.transpose()?,
    })
}

/// What a document says that ends soon, or has ended: a plan's life, and what is adopted. They depend on the day, so they
/// are no rules: the same document is right today and tomorrow.
pub fn dates(document: &Node, now: Timestamp) -> Findings {
    let mut findings = Findings::default();
    let root = Path::default();
    let inherited = document.get("service_defaults");
    let inherited = inherited.map(|node| (node, root.key("service_defaults")));
    for (service, path) in items(document, &root, "services").chain(inherited) {
        let defaults = path.key("plan_defaults");
        let holders = items(service, &path, "plans")
            .chain(service.get("plan_defaults").map(|node| (node, defaults)))
            .chain([(service, path.clone())]);
        for (holder, path) in holders {
            findings.extend(of_holder(holder, &path, now));
        }
    }
    findings
}

/// The dates that stand in one place.
fn of_holder(holder: &Node, path: &Path, now: Timestamp) -> Vec<Finding> {
    let dates = [
        (("lifecycle", "after"), "the plan is retired"),
        (("adopt", "until"), "nothing is adopted any more"),
    ];
    let found = dates.into_iter().filter_map(|((key, name), what)| {
        let node = holder.get(key)?.get(name)?;
        Some(Finding::warning(
            "date-near",
            &path.key(key).key(name),
            &node.place,
            near(node, what, now)?,
            "see that who is hit knows of it; then move the date, or take the key away",
        ))
    });
    found.collect()
}

fn items<'a>(
    node: &'a Node,
    path: &Path,
    key: &'static str,
) -> impl Iterator<Item = (&'a Node, Path)> {
    let list = node.get(key).and_then(Node::as_list).unwrap_or_default();
    let path = path.key(key);
    list.iter()
        .enumerate()
        .map(move |(index, item)| (item, path.index(index)))
}

/// What is to be said of a date.
fn near(node: &Node, what: &str, now: Timestamp) -> Option<String> {
    let text = node.as_text()?;
    let left = end_of(text)?.0 - now.0;
    let days = left.div_euclid(DAY_MS);
    if left <= 0 {
        Some(format!("{text} is over: {what}"))
    } else if days > NEAR {
        None
    } else {
        let days = match days {
            0 => "today".to_owned(),
            1 => "in a day".to_owned(),
            days => format!("in {days} days"),
        };
        Some(format!("{what} {days}: {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Budget, parse_bytes};
    use crate::template::time::parse_utc;

    #[test]
    fn dates_are_told_from_thirty_days_before_on() {
        let text = "services:\n- adopt: { until: '2027-03-31' }\n  plans:\n  - lifecycle: { after: '2027-03-31' }\n";
        let document = parse_bytes("c", text.as_bytes(), &Budget::default()).expect("a document");
        let told = |time: &str| {
            let now = Timestamp(parse_utc(time).expect("a time"));
            let findings = dates(&document, now);
            let texts: Vec<String> = findings.iter().map(ToString::to_string).collect();
            texts.join("\n")
        };
        assert_eq!(told("2027-03-01T00:00:00Z"), "");
        let near = told("2027-03-02T00:00:00Z");
        assert!(
            near.contains(
                "c:4:25: services[0].plans[0].lifecycle.after: the plan is retired in 30 days"
            ),
            "{near}"
        );
        assert!(
            near.contains("services[0].adopt.until: nothing is adopted any more in 30 days"),
            "{near}"
        );
        assert!(told("2027-03-31T12:00:00Z").contains("retired today: 2027-03-31"));
        assert!(told("2027-04-01T00:00:00Z").contains("2027-03-31 is over: the plan is retired"));
    }
}
