//! Versions of the API: two integers, never a float (2.9 is older than 2.10).

use std::fmt;
use std::str::FromStr;

/// `MAJOR.MINOR` of the Open Service Broker API (specification, "API Version Header").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersion {
    /// The part before the point.
    pub major: u32,
    /// The part behind it.
    pub minor: u32,
}

/// The newest version that is served.
pub const NEWEST: ApiVersion = ApiVersion {
    major: 2,
    minor: 17,
};

/// A text that is not `MAJOR.MINOR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAVersion;

impl ApiVersion {
    /// Whether a platform of this version can be served by a broker that asks for `minimum` at least. A newer minor
    /// version only adds; another major one is another API.
    pub fn is_served(self, minimum: Self) -> bool {
        self.major == minimum.major && self >= minimum
    }
}

impl FromStr for ApiVersion {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let (major, minor) = text.split_once('.').ok_or(NotAVersion)?;
        Ok(Self {
            major: number(major)?,
            minor: number(minor)?,
        })
    }
}

// `u32::from_str` would take `+2`.
fn number(digits: &str) -> Result<u32, NotAVersion> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotAVersion);
    }
    digits.parse().map_err(|_| NotAVersion)
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.major, self.minor)
    }
}

impl fmt::Display for NotAVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not a version of the form MAJOR.MINOR, as in 2.17")
    }
}

impl std::error::Error for NotAVersion {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_two_integers() {
        let version = |text: &str| text.parse::<ApiVersion>();
        assert_eq!(version("2.17"), Ok(NEWEST));
        assert!(version("2.9").unwrap() < version("2.10").unwrap());
        for bad in [
            "",
            "2",
            "2.",
            ".1",
            "2.1.0",
            "v2.1",
            "+2.1",
            "2.-1",
            "2.x",
            " 2.1",
            "2.99999999999",
        ] {
            assert_eq!(version(bad), Err(NotAVersion), "{bad:?}");
        }
    }

    #[test]
    fn what_is_older_or_of_another_major_is_not_served() {
        let minimum = ApiVersion {
            major: 2,
            minor: 10,
        };
        for (text, served) in [
            ("2.9", false),
            ("2.10", true),
            ("2.17", true),
            ("2.99", true),
            ("1.99", false),
            ("3.0", false),
        ] {
            assert_eq!(
                text.parse::<ApiVersion>()
                    .map(|version| version.is_served(minimum)),
                Ok(served),
                "{text}"
            );
        }
    }
}
