//! What all pages have around them.

use actix_web::http::StatusCode;
use maud::{DOCTYPE, Markup, html};

use super::{Console, style};
use crate::console::session::Session;

/// A page but for what all have around them.
pub(super) struct Page {
    pub status: StatusCode,
    /// The methods there are, where another one was tried.
    pub allow: Option<&'static str>,
    /// What it is called: its first heading, and its name in the browser.
    pub title: String,
    /// Beside the heading.
    pub beside: Option<Markup>,
    pub section: Section,
    pub body: Markup,
}

/// Where a page belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Offering,
    Instances,
    Operations,
    Limits,
    Audit,
    Document,
    Nowhere,
}

impl Section {
    const ALL: [Self; 6] = [
        Self::Offering,
        Self::Instances,
        Self::Operations,
        Self::Limits,
        Self::Audit,
        Self::Document,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Offering => "Offering",
            Self::Instances => "Instances",
            Self::Operations => "Operations",
            Self::Limits => "Limits",
            Self::Audit => "Audit",
            Self::Document => "Document",
            Self::Nowhere => "",
        }
    }

    const fn page(self) -> &'static str {
        match self {
            Self::Offering | Self::Nowhere => "",
            Self::Instances => "/instances",
            Self::Operations => "/operations",
            Self::Limits => "/limits",
            Self::Audit => "/audit",
            Self::Document => "/document",
        }
    }
}

impl Page {
    pub fn new(title: impl Into<String>, section: Section, body: Markup) -> Self {
        Self {
            status: StatusCode::OK,
            allow: None,
            title: title.into(),
            beside: None,
            section,
            body,
        }
    }

    #[must_use]
    pub fn beside(mut self, beside: Markup) -> Self {
        self.beside = Some(beside);
        self
    }
}

/// A page of its own, whole. `signed` is who looks at it, and the token of their forms.
pub(super) fn whole(console: &Console, signed: Option<(&Session, &str)>, page: &Page) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex, nofollow";
                title { (page.title) " · catalog-broker" }
                link rel="stylesheet" href=(console.at(&style::PAGE));
                link rel="icon" href=(ICON);
            }
            body class=[signed.is_none().then_some("alone")] {
                @if let Some((session, token)) = signed {
                    a class="skip" href="#main" { "Skip to the content" }
                    (head(console, session, token, page.section))
                }
                main id="main" tabindex="-1" {
                    div class="title" {
                        h1 { (page.title) }
                        @if let Some(beside) = &page.beside { div class="beside" { (beside) } }
                    }
                    (page.body)
                }
            }
        }
    }
}

fn head(console: &Console, session: &Session, token: &str, current: Section) -> Markup {
    html! {
        header class="top" {
            div class="bar" {
                a class="brand" href=(console.at("")) { (mark()) "catalog-broker" }
                nav aria-label="Pages" {
                    ul {
                        @for section in Section::ALL {
                            li {
                                a href=(console.at(section.page()))
                                  aria-current=[(section == current).then_some("page")] { (section.name()) }
                            }
                        }
                    }
                }
                form class="who" method="post" action=(console.at("/sign-out")) {
                    input type="hidden" name="token" value=(token);
                    span class="name" { (session.login) " " span class="muted" { "(" (session.role()) ")" } }
                    button type="submit" class="quiet" { "Sign out" }
                }
            }
        }
    }
}

/// The mark of the broker: three plans, one of them taken.
pub(super) fn mark() -> Markup {
    html! {
        svg class="mark" viewBox="0 0 16 16" aria-hidden="true" focusable="false" {
            rect class="a" x="1" y="1" width="14" height="4" rx="1.5" {}
            rect class="b" x="1" y="6" width="14" height="4" rx="1.5" {}
            rect class="b" x="1" y="11" width="14" height="4" rx="1.5" {}
        }
    }
}

const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
    %3Crect x='1' y='1' width='14' height='4' rx='1.5' fill='%232457c5'/%3E\
    %3Crect x='1' y='6' width='14' height='4' rx='1.5' fill='%238a94a6'/%3E\
    %3Crect x='1' y='11' width='14' height='4' rx='1.5' fill='%238a94a6'/%3E%3C/svg%3E";
