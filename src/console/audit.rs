//! The account of changes: who changed what, the newest first, as far as this broker can read it again.

use std::sync::Arc;

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::answer::Trouble;
use super::door::Signed;
use super::input::{Query, with_query};
use super::page::{Page, Section};
use super::{Console, parts};
use crate::domain::account::{Line, LineQuery, Lines, Reading};
use crate::domain::id::InstanceId;

/// How many are on a page.
const PAGE: usize = 50;

/// Where the account is kept.
pub enum Account {
    /// None is.
    Nowhere,
    /// On standard output, where nobody reads it again.
    Output,
    /// Where it can be read, and what that is called; whether it is of this broker alone.
    Kept {
        /// The reader.
        reading: Arc<dyn Reading>,
        /// What people call the place.
        place: String,
        /// Whether other brokers write to other places.
        local: bool,
    },
}

/// The page.
pub(super) async fn show(signed: Signed, query: Query) -> HttpResponse {
    let page = page(&signed.console, &query).await;
    signed.answer(Section::Audit, page)
}

/// The address of the lines of an instance, and of one thing of it.
pub(super) fn page_of(console: &Console, instance: &str, of_it: Option<(&str, &str)>) -> String {
    let (name, value) = of_it.map_or(("", None), |(name, value)| (name, Some(value)));
    let names = [("instance", Some(instance)), (name, value)];
    with_query(&console.at("/audit"), &names)
}

/// What is asked for.
struct Asked<'q> {
    any: Option<&'q str>,
    who: Option<&'q str>,
    what: Option<&'q str>,
    instance: Option<&'q str>,
    binding: Option<&'q str>,
    operation: Option<&'q str>,
    from: Option<&'q str>,
}

impl<'q> Asked<'q> {
    fn of(query: &'q Query) -> Self {
        Self {
            any: query.get("q"),
            who: query.get("who"),
            what: query.get("what"),
            instance: query.exact("instance"),
            binding: query.exact("binding"),
            operation: query.exact("operation"),
            from: query.exact("from"),
        }
    }

    fn query(&self) -> Result<LineQuery, Trouble> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let from = self.from.map(str::parse).transpose();
        let from = from.map_err(|_| Trouble::Bad("This is no place in the audit.".to_owned()))?;
        Ok(LineQuery {
            any: owned(self.any),
            instance: owned(self.instance),
            binding: owned(self.binding),
            operation: owned(self.operation),
            who: owned(self.who),
            what: owned(self.what),
            from,
            most: PAGE,
        })
    }

    /// What is not typed but came with a link.
    fn followed(&self) -> [(&'static str, &'static str, Option<&'q str>); 3] {
        [
            ("instance", "Instance", self.instance),
            ("binding", "Binding", self.binding),
            ("operation", "Operation", self.operation),
        ]
    }

    fn page(&self, console: &Console, from: Option<&str>) -> String {
        let names = [
            ("q", self.any),
            ("who", self.who),
            ("what", self.what),
            ("instance", self.instance),
            ("binding", self.binding),
            ("operation", self.operation),
            ("from", from),
        ];
        with_query(&console.at("/audit"), &names)
    }

    fn is_all(&self) -> bool {
        let typed = [self.any, self.who, self.what];
        let followed = self.followed().map(|(_, _, value)| value);
        typed.iter().chain(&followed).all(Option::is_none)
    }
}

async fn page(console: &Console, query: &Query) -> Result<Page, Trouble> {
    let (reading, place, local) = match &console.account {
        Account::Nowhere => {
            return Ok(elsewhere(
                "No account of changes is kept: the setting audit.to is none. With audit.to: store, or file:PATH, this page shows \
                 who changed what.",
            ));
        }
        Account::Output => {
            return Ok(elsewhere(
                "The account of changes is written to the standard output of each broker (audit.to: stdout), among the lines of \
                 its log, and is kept by whatever keeps those: look for lines that begin with {\"seq\":. With audit.to: store, or \
                 file:PATH, this page shows them.",
            ));
        }
        Account::Kept {
            reading,
            place,
            local,
        } => (reading, place, *local),
    };
    let asked = Asked::of(query);
    let lines = reading.page(asked.query()?).await;
    let lines = lines.map_err(|why| Trouble::Account(why.to_string()))?;
    let instance = match asked.instance {
        Some(id) => known(console, id).await?,
        None => None,
    };
    let next = lines
        .next
        .map(|next| asked.page(console, Some(&next.to_string())));
    let first = asked.from.map(|_| asked.page(console, None));
    let whole = lines.items.len() == PAGE;
    let body = html! {
        (search(console, &asked))
        @if asked.followed().iter().any(|(_, _, value)| value.is_some()) {
            p class="hint" {
                @for (_, name, value) in asked.followed() {
                    @if let Some(value) = value { (name) " " span class="id" { (value) } ". " }
                }
                @if let Some(id) = &instance { a href=(parts::instance_page(console, id)) { "To the instance" } " · " }
                a href=(console.at("/audit")) { "Show all" }
            }
        }
        @if lines.items.is_empty() { (parts::nothing(&none(&asked, &lines))) }
        @else { (table(console, &lines.items)) }
        @if let (Some(next), false) = (&next, whole) {
            p class="hint" {
                (parts::grouped(lines.looked)) " lines were looked through. "
                a href=(next) rel="next" { "Look further back" }
            }
        }
        (parts::pages(first.as_deref(), next.as_deref().filter(|_| whole)))
        p class="hint" {
            "Read from " (place) "."
            @if local { " Other brokers, and files that were renamed, have lines of their own." }
        }
    };
    Ok(Page::new("Audit", Section::Audit, body))
}

fn elsewhere(why: &str) -> Page {
    Page::new("Audit", Section::Audit, parts::nothing(why))
}

fn none(asked: &Asked<'_>, lines: &Lines) -> String {
    let text = match (asked.is_all(), lines.next) {
        (true, _) => "There are no lines here.",
        (false, None) => "No line is like that.",
        (false, Some(_)) => "No line is like that, as far as was looked.",
    };
    text.to_owned()
}

/// The instance, if there still is one.
async fn known(console: &Console, id: &str) -> Result<Option<InstanceId>, Trouble> {
    let (Some(desk), Ok(id)) = (&console.desk, InstanceId::parse(id)) else {
        return Ok(None);
    };
    Ok(desk.knows(&id).await?.then_some(id))
}

/// What may be chosen.
const KINDS: [&str; 5] = ["provision", "update", "deprovision", "bind", "unbind"];
const EVENTS: [&str; 9] = [
    "refused",
    "failed",
    "adopted",
    "expired",
    "intervened",
    "reload",
    "started",
    "stopped",
    "lost",
];

fn search(console: &Console, asked: &Asked<'_>) -> Markup {
    let option = |value: &str| html! { option value=(value) selected[asked.what == Some(value)] { (value) } };
    html! {
        form class="search" method="get" action=(console.at("/audit")) role="search" {
            @for (name, _, value) in asked.followed() {
                @if let Some(value) = value { input type="hidden" name=(name) value=(value); }
            }
            div class="field wide" {
                label for="q" { "Instance, binding or operation" }
                input id="q" name="q" type="search" value=[asked.any] placeholder="An id, whole"
                    autocomplete="off" autocapitalize="none" spellcheck="false";
            }
            div class="field" {
                label for="who" { "Login, or user of a platform" }
                input id="who" name="who" type="search" value=[asked.who]
                    autocomplete="off" autocapitalize="none" spellcheck="false";
            }
            div class="field" {
                label for="what" { "What" }
                select id="what" name="what" {
                    option value="" { "all" }
                    optgroup label="Changes" { @for kind in KINDS { (option(kind)) } }
                    optgroup label="Events" { @for event in EVENTS { (option(event)) } }
                }
            }
            button type="submit" { "Search" }
        }
    }
}

fn table(console: &Console, lines: &[Line]) -> Markup {
    parts::table(
        "Lines of the audit",
        &html! {
            thead {
                tr {
                    th scope="col" { "What" }
                    th scope="col" { "Result" }
                    th scope="col" class="more" { "Who" }
                    th scope="col" class="more" { "Instance, binding" }
                    th scope="col" class="right more" { "When" }
                    th scope="col" class="right more" { "Line" }
                }
            }
            tbody {
                @for line in lines {
                    tr {
                        th scope="row" {
                            span class="strong" { (what(line)) }
                            span class="under less" { (when(line)) }
                            span class="under less" { (who(line)) }
                            span class="under less" { (subject(console, line)) }
                        }
                        td { (result(line)) }
                        td class="more" { (who(line)) }
                        td class="more" { (subject(console, line)) }
                        td class="right more nowrap" { (when(line)) }
                        td class="right more number" { (parts::grouped(line.seq)) }
                    }
                }
            }
        },
    )
}

/// A change by its kind, all else by its event.
fn what(line: &Line) -> String {
    match (&line.kind, line.event.as_str()) {
        (Some(kind), "began" | "refused") => kind.clone(),
        (Some(kind), "ended") => format!("{kind}, its end"),
        (Some(kind), "expired") => format!("{kind}, for its end has come"),
        (Some(kind), "intervened") => format!("{kind}, by an operator"),
        (_, event) => event.to_owned(),
    }
}

fn result(line: &Line) -> Markup {
    let result = line.result.as_deref();
    let class = match result {
        Some("succeeded") => "state good",
        Some("in progress") => "state run",
        Some("failed" | "refused") => "state bad",
        _ => "state note",
    };
    html! {
        @if let Some(result) = result { span class=(class) { (result) } }
        @if let Some(error) = line.error.as_deref().filter(|error| *error != "-") {
            span class="under" { @if let Some(status) = line.status { (status) " " } (error) }
        }
        @if let Some(count) = line.lines { span class="under" { (parts::grouped(count)) " lines" } }
        @if let Some(version) = &line.version { span class="under" { "version " (version) } }
    }
}

fn who(line: &Line) -> Markup {
    let address = line.forwarded.as_ref().or(line.from.as_ref());
    html! {
        @match (&line.login, line.by.as_deref()) {
            (Some(login), _) => (login),
            (None, Some("command")) => {
                "a command" @if let Some(uid) = line.uid { " of user " (uid) }
            }
            (None, Some(by)) => (by),
            (None, None) => span class="muted" { "the broker" },
        }
        @if let Some(user) = &line.user {
            span class="under" {
                span class="id" { (user) }
                @if let Some(platform) = &line.platform { " of " (platform) }
            }
        }
        @if let Some(address) = address { span class="under" { "from " (address) } }
    }
}

fn subject(console: &Console, line: &Line) -> Markup {
    let Some(instance) = &line.instance else {
        return html! {};
    };
    let of_it = |name: &str, value: &str| page_of(console, instance, Some((name, value)));
    html! {
        (parts::id(instance, &page_of(console, instance, None)))
        @if let Some(binding) = &line.binding {
            span class="under" { "binding " (parts::id(binding, &of_it("binding", binding))) }
        }
        @if let Some(operation) = &line.operation {
            span class="under" { "operation " (parts::id(operation, &of_it("operation", operation))) }
        }
    }
}

fn when(line: &Line) -> Markup {
    let text = match line.at.split_once('T') {
        Some((date, time)) => {
            let time: String = time.chars().take(8).collect();
            format!("{date} {time} UTC")
        }
        None => line.at.clone(),
    };
    html! { time datetime=(line.at) { (text) } }
}
