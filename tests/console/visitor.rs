//! A browser as far as a cookie and a form go: signs in, follows, sends.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::harness::Broker;
use crate::http::{Request, Response};
use crate::scene::PASSWORD;

/// Somebody with a jar of cookies.
pub struct Visitor<'b> {
    pub broker: &'b Broker,
    pub cookies: BTreeMap<String, String>,
    base: String,
}

impl<'b> Visitor<'b> {
    /// Somebody nobody knows.
    pub fn new(broker: &'b Broker) -> Self {
        Self::below(broker, "")
    }

    /// The same, where the API begins further down.
    pub fn below(broker: &'b Broker, base: &str) -> Self {
        Self {
            broker,
            cookies: BTreeMap::new(),
            base: format!("{base}/console"),
        }
    }

    /// Somebody who is signed in.
    pub fn signed_in(broker: &'b Broker, user: &str) -> Self {
        let mut visitor = Self::new(broker);
        let answer = visitor.sign_in(user, PASSWORD);
        assert_eq!(answer.status, 303, "{}", answer.text());
        visitor
    }

    /// Fills the form of the sign-in, and sends it.
    pub fn sign_in(&mut self, user: &str, password: &str) -> Response {
        let form = self.get("/sign-in");
        let token = hidden(&form.text(), "token");
        self.post(
            "/sign-in",
            &[
                ("token", &token),
                ("user", user),
                ("password", password),
                ("back", ""),
            ],
        )
    }

    pub fn get(&mut self, page: &str) -> Response {
        self.send(Request::new("GET", &self.at(page)))
    }

    pub fn post(&mut self, page: &str, fields: &[(&str, &str)]) -> Response {
        let request = self.form(page, fields);
        self.send(request)
    }

    /// A form, ready to be sent.
    pub fn form(&self, page: &str, fields: &[(&str, &str)]) -> Request {
        let mut body = String::new();
        for (name, value) in fields {
            let _ = write!(body, "{name}={}&", encoded(value));
        }
        Request::new("POST", &self.at(page))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body)
    }

    fn at(&self, page: &str) -> String {
        if page.starts_with(&self.base) {
            page.to_owned()
        } else {
            format!("{}{page}", self.base)
        }
    }

    /// Sends with the cookies of the jar, and keeps what comes back.
    pub fn send(&mut self, request: Request) -> Response {
        let jar: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = if jar.is_empty() {
            request
        } else {
            request.header("Cookie", &jar.join("; "))
        };
        let answer = self.broker.send_unchecked(&request);
        for (_, cookie) in answer
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        {
            let (pair, flags) = cookie.split_once(';').expect("flags");
            let (name, value) = pair.split_once('=').expect("a value");
            if flags.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// The token of the forms of this session.
    pub fn token(&mut self) -> String {
        let page = self.get("");
        hidden(&page.text(), "token")
    }

    /// Walks along all links that there are, from the first page on: address and text of each page.
    pub fn walk(&mut self) -> Vec<(String, Response)> {
        let mut seen = BTreeSet::new();
        let mut next = vec![self.base.clone()];
        let mut pages = Vec::new();
        while let Some(page) = next.pop() {
            if !seen.insert(page.clone()) {
                continue;
            }
            let answer = self.get(&page);
            for link in links(&answer.text()) {
                if link.starts_with(&self.base) {
                    next.push(link);
                }
            }
            pages.push((page, answer));
        }
        pages
    }
}

/// The value of a hidden field.
pub fn hidden(page: &str, name: &str) -> String {
    let field = format!("name=\"{name}\" value=\"");
    let rest = page
        .split_once(&field)
        .unwrap_or_else(|| panic!("no field {name}: {page}"));
    rest.1.split('"').next().unwrap_or_default().to_owned()
}

/// Where the links of a page lead.
pub fn links(page: &str) -> Vec<String> {
    let links = page.split("<a ").skip(1);
    links
        .filter_map(|link| link.split_once("href=\"")?.1.split('"').next())
        .map(|link| link.replace("&amp;", "&"))
        .collect()
}

pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
