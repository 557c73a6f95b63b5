//! When bindings end: drawn once, at the begin of a bind, and stored. What has ended is unbound by a worker.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json::Object;
use super::time::Timestamp;
use super::version::ApiVersion;

/// From this version on a platform knows what to do before a binding ends: `renew_before` and rotation.
const KNOWS_THE_END: ApiVersion = ApiVersion {
    major: 2,
    minor: 17,
};

/// How long bindings of a plan live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl {
    /// From the begin of the bind on.
    pub lasts: Duration,
    /// How long before the end they are to be renewed.
    pub renew_before: Option<Duration>,
}

/// When one binding ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    /// The end.
    pub expires_at: Timestamp,
    /// When it is to be renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_before: Option<Timestamp>,
    /// Whether its platform speaks a version of the API that knows what to do before.
    pub told: bool,
}

/// Which bindings are unbound that have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbinds {
    /// Those whose platform was told, in a version of the API that it speaks.
    Told,
    /// All.
    All,
    /// None.
    Nothing,
}

/// What becomes of bindings that have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Which are unbound.
    pub unbinds: Unbinds,
    /// How long after their end.
    pub grace: Duration,
}

impl Ttl {
    /// The end of a binding that begins now, for a platform that speaks this version.
    pub fn begin(self, now: Timestamp, platform: ApiVersion) -> Ends {
        let expires_at = now.later(self.lasts);
        Ends {
            expires_at,
            renew_before: self.renew_before.map(|before| expires_at.earlier(before)),
            told: platform >= KNOWS_THE_END,
        }
    }
}

impl Ends {
    /// As `metadata` of the binding says it (specification, "Binding Metadata Object").
    pub fn metadata(&self) -> Object {
        let mut metadata = Object::new();
        let mut put = |name: &str, at: Timestamp| {
            metadata.insert(name.to_owned(), Value::from(at.to_string()));
        };
        put("expires_at", self.expires_at);
        if let Some(at) = self.renew_before {
            put("renew_before", at);
        }
        metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_end_is_counted_from_the_begin_and_written_as_the_specification_wants() {
        let ttl = Ttl {
            lasts: Duration::from_secs(90 * 86_400),
            renew_before: Some(Duration::from_secs(7 * 86_400)),
        };
        let ends = ttl.begin(Timestamp(1_700_000_000_000), KNOWS_THE_END);
        assert!(ends.told);
        assert_eq!(
            Value::Object(ends.metadata()),
            json!({ "expires_at": "2024-02-12T22:13:20.000Z", "renew_before": "2024-02-05T22:13:20.000Z" })
        );
        let older = ApiVersion {
            major: 2,
            minor: 16,
        };
        assert!(!ttl.begin(Timestamp(0), older).told);
        // No time is so long that it wraps.
        let ttl = Ttl {
            lasts: Duration::MAX,
            renew_before: None,
        };
        assert_eq!(
            ttl.begin(Timestamp(1), older).expires_at,
            Timestamp(i64::MAX)
        );
    }
}
