//! `Retry-After` (RFC 9110): seconds, or a date.

use std::time::{Duration, UNIX_EPOCH};

use crate::domain::time::Timestamp;

/// Who asks for more waits for this long.
const LONGEST: Duration = Duration::from_secs(86_400);

/// How long to wait; nothing where it is not said, or said to be over.
pub(super) fn read(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let seconds = value.parse().ok().map(Duration::from_secs);
    let wait = seconds.or_else(|| until(value, now))?;
    (!wait.is_zero()).then(|| wait.min(LONGEST))
}

fn until(date: &str, now: Timestamp) -> Option<Duration> {
    let date = httpdate::parse_http_date(date).ok()?;
    let now = Duration::from_millis(u64::try_from(now.0).ok()?);
    date.duration_since(UNIX_EPOCH).ok()?.checked_sub(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_or_a_date_ahead() {
        let now = Timestamp(784_111_777_000);
        for (value, seconds) in [
            ("120", Some(120)),
            (" 1 ", Some(1)),
            ("0", None),
            ("-1", None),
            ("soon", None),
            ("99999999999", Some(86_400)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", None),
        ] {
            assert_eq!(
                read(value, now),
                seconds.map(Duration::from_secs),
                "{value}"
            );
        }
    }
}
