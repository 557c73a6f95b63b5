//! The grammar of references: `${[scheme:]address[#/pointer][|encoding][:-default]}`.
//!
//! The text between `${` and the first `}` is taken apart in one order, so that there is one reading of every text:
//!
//! 1. the first `:-` ends the reference; what follows, to the end, is the default, even empty: `${A:-}`. So no address
//!    holds `:-`, and a default may hold anything but `}`;
//! 2. the last `|` of the rest begins the encoding. So no address and no pointer ends in `|` and a word, but each may
//!    hold a `|` where an encoding follows;
//! 3. the first `#` of the rest begins the pointer. So no address holds `#`, but a pointer may;
//! 4. the scheme ends at the first `:`; `json:file:` is one. What has no `:` is a bare name. A path may hold colons.
//!
//! Nothing is trimmed: `${ A }` is refused, not guessed at.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One reference, read but not resolved.
#[derive(Clone, PartialEq, Eq)]
pub struct Reference {
    /// As written but without its default, which may be a secret: `${PG_HOST}`.
    pub source: Arc<str>,
    /// Which world the address is of.
    pub scheme: Scheme,
    /// A name or a path; never empty.
    pub address: String,
    /// The part of the value that is meant (RFC 6901).
    pub pointer: Option<String>,
    /// How the text is encoded in the end.
    pub encoding: Option<Encoding>,
    /// What it is where there is nothing.
    pub default: Option<String>,
}

/// The worlds that a reference may reach into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `${NAME}`: the environment, then the vars files.
    Name,
    /// `${file:/path}`: the text of a file.
    File,
    /// `${dir:/path}`: the files of a folder.
    Dir,
    /// `${json:NAME}`: an environment variable, parsed.
    JsonName,
    /// `${json:file:/path}`: a file, parsed.
    JsonFile,
    /// `${vcap:INSTANCE}`: a service bound to the broker itself.
    Vcap,
}

/// How a text is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Percent-encoded; letters, digits, `-`, `.`, `_` and `~` stay.
    UrlEncode,
    /// Standard base64 with padding.
    Base64,
}

/// Why a text is no reference. It names no default, for that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceError {
    /// The part before `:` is no scheme.
    UnknownScheme(String),
    /// Nothing is addressed.
    EmptyAddress,
    /// A bare name with other characters than names have.
    BadName(String),
    /// A pointer that does not begin with `/`, or with a `~` that is neither `~0` nor `~1`.
    BadPointer(String),
    /// The part behind `|` is no encoding.
    UnknownEncoding(String),
}

impl Reference {
    /// The reference as it is written, with its default.
    pub fn written(&self) -> String {
        self.default.as_ref().map_or_else(
            || self.source.to_string(),
            |default| self.with_default(default),
        )
    }

    /// The reference with another default.
    pub(super) fn with_default(&self, default: &str) -> String {
        let open = self.source.strip_suffix('}').unwrap_or(&self.source);
        format!("{open}:-{default}}}")
    }
}

// The default may be a secret.
impl fmt::Debug for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Reference({})", self.source)
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    /// Reads what stands between `${` and `}`.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (asked, default) = split(text, text.find(":-"), 2);
        let (head, encoding) = split(asked, asked.rfind('|'), 1);
        let (place, pointer) = split(head, head.find('#'), 1);
        let (scheme, address) = scheme(place)?;
        check_address(scheme, address)?;
        Ok(Self {
            source: format!("${{{asked}}}").into(),
            scheme,
            address: address.to_owned(),
            pointer: pointer.map(check_pointer).transpose()?,
            encoding: encoding.map(str::parse).transpose()?,
            default: default.map(str::to_owned),
        })
    }
}

/// The text in front of the separator at `at` and the text behind it.
fn split(text: &str, at: Option<usize>, length: usize) -> (&str, Option<&str>) {
    at.map_or((text, None), |at| (&text[..at], Some(&text[at + length..])))
}

fn scheme(place: &str) -> Result<(Scheme, &str), ReferenceError> {
    let Some((scheme, address)) = place.split_once(':') else {
        return Ok((Scheme::Name, place));
    };
    match scheme {
        "file" => Ok((Scheme::File, address)),
        "dir" => Ok((Scheme::Dir, address)),
        "vcap" => Ok((Scheme::Vcap, address)),
        "json" => Ok(match address.strip_prefix("file:") {
            Some(path) => (Scheme::JsonFile, path),
            None => (Scheme::JsonName, address),
        }),
        other => Err(ReferenceError::UnknownScheme(other.to_owned())),
    }
}

fn check_address(scheme: Scheme, address: &str) -> Result<(), ReferenceError> {
    let is_name = matches!(scheme, Scheme::Name | Scheme::JsonName);
    if address.is_empty() {
        Err(ReferenceError::EmptyAddress)
    } else if is_name
        && !address
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
    {
        Err(ReferenceError::BadName(address.to_owned()))
    } else {
        Ok(())
    }
}

fn check_pointer(pointer: &str) -> Result<String, ReferenceError> {
    let escapes = pointer
        .split('~')
        .skip(1)
        .all(|rest| rest.starts_with(['0', '1']));
    if pointer.starts_with('/') && escapes {
        Ok(pointer.to_owned())
    } else {
        Err(ReferenceError::BadPointer(pointer.to_owned()))
    }
}

impl FromStr for Encoding {
    type Err = ReferenceError;

    fn from_str(name: &str) -> Result<Self, ReferenceError> {
        match name {
            "urlencode" => Ok(Self::UrlEncode),
            "base64" => Ok(Self::Base64),
            other => Err(ReferenceError::UnknownEncoding(other.to_owned())),
        }
    }
}

impl ReferenceError {
    /// What to do about it.
    pub fn mend(&self) -> String {
        match self {
            Self::UnknownScheme(_) => {
                "use one of file:, dir:, json:, json:file:, vcap:, or a bare name; `$${` is a literal `${`".to_owned()
            }
            Self::EmptyAddress => "name what is meant, as in ${PG_HOST} or ${file:/path}".to_owned(),
            Self::BadName(_) => {
                "use letters, digits, `_`, `-` and `.`, without spaces, as in ${PG_HOST} or ${smtp.host}".to_owned()
            }
            Self::BadPointer(_) => {
                "begin it with `/`, as in #/credentials/uri; in a key write `~0` for `~` and `~1` for `/`".to_owned()
            }
            Self::UnknownEncoding(_) => "use |urlencode or |base64".to_owned(),
        }
    }
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownScheme(scheme) => write!(out, "a reference has no scheme `{scheme}:`"),
            Self::EmptyAddress => out.write_str("a reference names nothing"),
            // Not quoted: a password may have `${` in it.
            Self::BadName(_) => out.write_str(
                "what stands between `${` and `}` is no name that a reference could have",
            ),
            Self::BadPointer(pointer) => write!(out, "`#{pointer}` is no JSON pointer"),
            Self::UnknownEncoding(name) => write!(out, "a reference has no encoding `|{name}`"),
        }
    }
}

impl std::error::Error for ReferenceError {}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts<'a> = (
        Scheme,
        &'a str,
        Option<&'a str>,
        Option<Encoding>,
        Option<&'a str>,
    );

    #[test]
    fn every_text_has_one_reading() {
        let cases: [(&str, Parts<'_>); 18] = [
            ("PG_HOST", (Scheme::Name, "PG_HOST", None, None, None)),
            ("smtp.host", (Scheme::Name, "smtp.host", None, None, None)),
            ("A:-", (Scheme::Name, "A", None, None, Some(""))),
            (
                "A:-b:-c|d#e",
                (Scheme::Name, "A", None, None, Some("b:-c|d#e")),
            ),
            ("A:- #1", (Scheme::Name, "A", None, None, Some(" #1"))),
            (
                "A|urlencode:-x y",
                (
                    Scheme::Name,
                    "A",
                    None,
                    Some(Encoding::UrlEncode),
                    Some("x y"),
                ),
            ),
            (
                "file:/run/secrets/pw",
                (Scheme::File, "/run/secrets/pw", None, None, None),
            ),
            ("file:/a:b", (Scheme::File, "/a:b", None, None, None)),
            ("file:C:/a b", (Scheme::File, "C:/a b", None, None, None)),
            (
                "file:/a|b|base64",
                (Scheme::File, "/a|b", None, Some(Encoding::Base64), None),
            ),
            ("dir:/etc/x", (Scheme::Dir, "/etc/x", None, None, None)),
            (
                "dir:/etc/x#/a",
                (Scheme::Dir, "/etc/x", Some("/a"), None, None),
            ),
            ("json:A", (Scheme::JsonName, "A", None, None, None)),
            (
                "json:file:/a#/b#c",
                (Scheme::JsonFile, "/a", Some("/b#c"), None, None),
            ),
            (
                "json:file:/a#/b|c|base64",
                (
                    Scheme::JsonFile,
                    "/a",
                    Some("/b|c"),
                    Some(Encoding::Base64),
                    None,
                ),
            ),
            ("vcap:my db", (Scheme::Vcap, "my db", None, None, None)),
            (
                "vcap:db#/credentials/uri",
                (Scheme::Vcap, "db", Some("/credentials/uri"), None, None),
            ),
            (
                "smtp#/a~1b~0",
                (Scheme::Name, "smtp", Some("/a~1b~0"), None, None),
            ),
        ];
        for (text, expected) in cases {
            let read: Reference = text
                .parse()
                .unwrap_or_else(|error| panic!("{text}: {error}"));
            let seen: Parts<'_> = (
                read.scheme,
                &read.address,
                read.pointer.as_deref(),
                read.encoding,
                read.default.as_deref(),
            );
            assert_eq!(seen, expected, "{text}");
            assert_eq!(read.written(), format!("${{{text}}}"));
        }
    }

    #[test]
    fn what_is_no_reference_says_why() {
        let text = |text: &str| text.to_owned();
        for (bad, error) in [
            ("", ReferenceError::EmptyAddress),
            (":-x", ReferenceError::EmptyAddress),
            ("file:", ReferenceError::EmptyAddress),
            ("json:file:", ReferenceError::EmptyAddress),
            ("#/a", ReferenceError::EmptyAddress),
            (
                "vault:secret/x",
                ReferenceError::UnknownScheme(text("vault")),
            ),
            (":x", ReferenceError::UnknownScheme(text(""))),
            (" A ", ReferenceError::BadName(text(" A "))),
            ("A B", ReferenceError::BadName(text("A B"))),
            ("json:a/b", ReferenceError::BadName(text("a/b"))),
            ("A#b", ReferenceError::BadPointer(text("b"))),
            ("A#", ReferenceError::BadPointer(text(""))),
            ("A#/~2", ReferenceError::BadPointer(text("/~2"))),
            ("A#/~", ReferenceError::BadPointer(text("/~"))),
            ("A|upper", ReferenceError::UnknownEncoding(text("upper"))),
            ("A|", ReferenceError::UnknownEncoding(text(""))),
            (
                "A|base64#/a",
                ReferenceError::UnknownEncoding(text("base64#/a")),
            ),
        ] {
            assert_eq!(bad.parse::<Reference>(), Err(error.clone()), "{bad}");
            assert!(!error.mend().is_empty());
        }
    }

    #[test]
    fn a_default_is_not_shown() {
        let read: Reference = "A|base64:-hunter2".parse().unwrap();
        assert_eq!(&*read.source, "${A|base64}");
        assert!(!format!("{read:?}").contains("hunter2"));
        let error = "A|b:-hunter2".parse::<Reference>().unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }
}
