//! What several pages are made of: states, times, ids, fills, and the way on in a list.

use maud::{Markup, html};

use super::Console;
use super::input::with_query;
use crate::domain::catalog::Catalog;
use crate::domain::id::{InstanceId, OperationId, PlanId, ServiceId};
use crate::domain::operation::{LastOperation, State};
use crate::domain::time::Timestamp;

/// The word for a state, with its colour.
pub(super) fn state(state: State) -> Markup {
    html! { span class={ "state " (class(state)) } { (state.name()) } }
}

/// What the latest operation was, and how far it is.
pub(super) fn standing(last: &LastOperation) -> Markup {
    html! { span class={ "state " (class(last.state)) } { (last.kind.name()) " " (last.state.name()) } }
}

const fn class(state: State) -> &'static str {
    match state {
        State::InProgress => "run",
        State::Succeeded => "good",
        State::Failed => "bad",
    }
}

/// A moment: how long ago for people, and to the second for who asks.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(at.to_string()) title=(moment(at)) { (distance(at, now)) } }
}

/// A moment to the second.
pub(super) fn at(at: Timestamp) -> Markup {
    html! { time datetime=(at.to_string()) { (moment(at)) } }
}

/// `2026-11-29 21:30:12 UTC`.
pub(super) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('T') {
        Some((date, time)) => {
            let time: String = time.chars().take(8).collect();
            format!("{date} {time} UTC")
        }
        None => text,
    }
}

fn distance(at: Timestamp, now: Timestamp) -> String {
    let seconds = (now.0.saturating_sub(at.0)) / 1000;
    let text = span(seconds.abs());
    if seconds < 0 {
        format!("in {text}")
    } else {
        format!("{text} ago")
    }
}

/// How long it took, or takes.
pub(super) fn took(from: Timestamp, to: Timestamp) -> String {
    let millis = to.0.saturating_sub(from.0).max(0);
    if millis < 1000 {
        format!("{millis} ms")
    } else {
        span(millis / 1000)
    }
}

fn span(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A plan by its names, or, where it is not in the catalog, by its ids.
pub(super) fn plan(
    console: &Console,
    catalog: &Catalog,
    service: &ServiceId,
    plan: &PlanId,
) -> Markup {
    let name = plan_name(catalog, service, plan);
    html! {
        @if catalog.remover(service, plan).is_some() {
            a href=(with_query(&console.at("/offering"), &[("id", Some(service.as_str()))])) { (name) }
        } @else { span class="muted" { (name) } }
    }
}

/// The same as text.
pub(super) fn plan_name(catalog: &Catalog, service: &ServiceId, plan: &PlanId) -> String {
    match catalog.remover(service, plan) {
        Some(chosen) => format!("{}/{}", chosen.offering.name, chosen.plan.name),
        None => format!("{service}/{plan}"),
    }
}

/// The address of an instance's page.
pub(super) fn instance_page(console: &Console, id: &InstanceId) -> String {
    with_query(&console.at("/instance"), &[("id", Some(id.as_str()))])
}

/// The address of an operation's page.
pub(super) fn operation_page(console: &Console, id: &OperationId) -> String {
    with_query(&console.at("/operation"), &[("id", Some(id.as_str()))])
}

/// An id that leads somewhere.
pub(super) fn id(text: &str, page: &str) -> Markup {
    html! { a class="id" href=(page) { (text) } }
}

/// How full something is, where there is an end to it.
pub(super) fn fill(used: u64, most: Option<u64>) -> Markup {
    let Some(most) = most else {
        return html! { span class="number" { (grouped(used)) } };
    };
    let share = used.saturating_mul(100).checked_div(most);
    let share = share.map_or(100, |share| share.min(100));
    let class = match share {
        ..80 => "level",
        80..100 => "level near",
        _ => "level full",
    };
    html! {
        span class="fill" {
            span class="number" { (grouped(used)) " of " (grouped(most)) }
            svg class=(class) viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                rect class="track" width="100" height="6" rx="3" {}
                rect class="part" width=(share) height="6" rx="3" {}
            }
            @if share >= 100 { span class="said" { "full" } }
        }
    }
}

/// A number that is nothing to worry about where it is zero, and has a state's colour where it is not.
pub(super) fn count(number: u64, class: &str) -> Markup {
    html! {
        @if number == 0 { span class="number muted" { "0" } }
        @else { span class={ "number " (class) } { (grouped(number)) } }
    }
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            // Narrow, and no line ends there.
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A table that is wider than a phone is moved within its own frame, which a keyboard can reach.
pub(super) fn table(label: &str, rows: &Markup) -> Markup {
    html! {
        div class="frame" role="region" aria-label=(label) tabindex="0" { table { (rows) } }
    }
}

/// What is said in place of a list that is empty.
pub(super) fn nothing(text: &str) -> Markup {
    html! { p class="nothing" { (text) } }
}

/// The way to the rest of a list.
pub(super) fn pages(first: Option<&str>, next: Option<&str>) -> Markup {
    html! {
        @if first.is_some() || next.is_some() {
            nav class="pages" aria-label="More of the list" {
                @if let Some(first) = first { a href=(first) { "First page" } }
                @if let Some(next) = next { a href=(next) rel="next" { "Next page" } }
            }
        }
    }
}

/// Something that was done, said once.
pub(super) fn done(text: &str) -> Markup {
    html! { p class="done" role="status" { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_for_people() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1\u{202f}000"),
            (1_234_567, "1\u{202f}234\u{202f}567"),
        ] {
            assert_eq!(grouped(number), text);
        }
        let now = Timestamp(10_000_000_000);
        for (before, text) in [
            (0, "0 s ago"),
            (59_000, "59 s ago"),
            (61_000, "1 min ago"),
            (7_200_000, "2 h ago"),
            (3 * 86_400_000, "3 days ago"),
            (-30_000, "in 30 s"),
        ] {
            assert_eq!(distance(Timestamp(now.0 - before), now), text);
        }
        assert_eq!(moment(Timestamp(0)), "1970-01-01 00:00:00 UTC");
        assert_eq!(took(Timestamp(5), Timestamp(17)), "12 ms");
    }
}
