//! Wrong logins, counted by the address that they come from and by the user that they name. Only what fails is counted and
//! only what fails is told to wait: a right login is let in wherever it comes from, or anybody could lock a platform out.
//!
//! What is remembered has a fixed size. Where more addresses come than there are places, those go that have the least on
//! record, so that many that try once do not wash out the one that tries again and again.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many may fail in a row, and how long until one more may.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: u32,
    each: Duration,
}

const OF_AN_ADDRESS: Rate = Rate {
    burst: 50,
    each: Duration::from_secs(2),
};

/// Many platforms may share a user: and all that guess at one together do not get further than this.
const OF_A_USER: Rate = Rate {
    burst: 100,
    each: Duration::from_secs(1),
};

const SETS: usize = 1 << 14;
const WAYS: usize = 4;

/// What failed lately.
#[derive(Debug)]
pub struct Throttle {
    hasher: RandomState,
    began: Instant,
    addresses: Mutex<Table>,
    users: Mutex<Table>,
}

/// What is answered to a wrong login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// That it is wrong.
    Counted,
    /// That it comes too often.
    TooOften {
        /// Not before so long.
        wait: Duration,
        /// Whether the one before was still answered.
        first: bool,
    },
}

impl Throttle {
    /// Nothing has failed yet.
    pub fn new(now: Instant) -> Self {
        Self {
            hasher: RandomState::new(),
            began: now,
            addresses: Mutex::default(),
            users: Mutex::default(),
        }
    }

    /// A login from there was wrong; `user` is whom it named.
    pub fn failed(&self, from: IpAddr, user: Option<&str>, now: Instant) -> Failed {
        let now = now.saturating_duration_since(self.began);
        let by_address = count(&self.addresses, self.tag(network(from)), OF_AN_ADDRESS, now);
        let by_user = user.map(|user| count(&self.users, self.tag(user), OF_A_USER, now));
        by_address.max(by_user.unwrap_or(Failed::Counted))
    }

    /// Whether a login from there was wrong lately.
    pub fn suspects(&self, from: IpAddr, now: Instant) -> bool {
        let now = millis(now.saturating_duration_since(self.began));
        let tag = self.tag(network(from));
        let table = self.addresses.lock();
        table
            .unwrap_or_else(PoisonError::into_inner)
            .find(tag)
            .is_some_and(|entry| entry.clear_at > now)
    }

    fn tag(&self, key: impl Hash) -> u64 {
        // Zero is a place that nobody has.
        self.hasher.hash_one(key).max(1)
    }
}

impl Failed {
    fn max(self, other: Self) -> Self {
        match (self, other) {
            (Self::TooOften { wait: a, .. }, Self::TooOften { wait: b, .. }) if a < b => other,
            (Self::TooOften { .. }, _) => self,
            _ => other,
        }
    }
}

/// What counts as one address: a customer of IPv6 has a network of them.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

fn count(table: &Mutex<Table>, tag: u64, rate: Rate, now: Duration) -> Failed {
    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
    let entry = table.place(tag);
    let (now, each) = (millis(now), millis(rate.each));
    let clear_at = entry.clear_at.max(now) + each;
    let most = now + each * u64::from(rate.burst);
    if clear_at <= most {
        *entry = Entry {
            tag,
            clear_at,
            throttled: false,
        };
        return Failed::Counted;
    }
    let first = !entry.throttled;
    entry.throttled = true;
    Failed::TooOften {
        wait: Duration::from_millis(clear_at - most),
        first,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 2)
}

/// Places by key; made when the first is needed.
#[derive(Debug, Default)]
struct Table(Vec<[Entry; WAYS]>);

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// Whose it is: the key's hash, which nobody outside can foresee.
    tag: u64,
    /// When nothing is on record any more, if nothing comes to it; in milliseconds.
    clear_at: u64,
    /// Whether the last one came too often.
    throttled: bool,
}

impl Table {
    fn set(tag: u64) -> usize {
        usize::try_from(tag % SETS as u64).unwrap_or(0)
    }

    fn find(&self, tag: u64) -> Option<&Entry> {
        self.0
            .get(Self::set(tag))?
            .iter()
            .find(|entry| entry.tag == tag)
    }

    /// The place of a key; where it has none, that with the least on record is its now.
    fn place(&mut self, tag: u64) -> &mut Entry {
        if self.0.is_empty() {
            self.0 = vec![[Entry::default(); WAYS]; SETS];
        }
        let set = &mut self.0[Self::set(tag)];
        let at = set
            .iter()
            .position(|entry| entry.tag == tag)
            .unwrap_or_else(|| {
                let least = (0..WAYS).min_by_key(|at| set[*at].clear_at).unwrap_or(0);
                set[least] = Entry {
                    tag,
                    ..Entry::default()
                };
                least
            });
        &mut set[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// How many of `times` wrong logins are answered that they are wrong.
    fn answered(
        throttle: &Throttle,
        from: &str,
        user: Option<&str>,
        times: u32,
        now: Instant,
    ) -> u32 {
        (0..times)
            .filter(|_| throttle.failed(address(from), user, now) == Failed::Counted)
            .count()
            .try_into()
            .unwrap()
    }

    #[test]
    fn an_address_is_told_to_wait_and_another_is_not() {
        let now = Instant::now();
        let throttle = Throttle::new(now);
        assert!(!throttle.suspects(address("192.0.2.1"), now));
        assert_eq!(answered(&throttle, "192.0.2.1", None, 60, now), 50);
        assert_eq!(
            throttle.failed(address("192.0.2.1"), None, now),
            Failed::TooOften {
                wait: Duration::from_secs(2),
                first: false
            }
        );
        assert!(throttle.suspects(address("192.0.2.1"), now));
        assert!(!throttle.suspects(address("192.0.2.2"), now));
        assert_eq!(answered(&throttle, "192.0.2.2", None, 60, now), 50);
        // It is the same address in another spelling.
        assert_eq!(answered(&throttle, "::ffff:192.0.2.1", None, 1, now), 0);
        let later = now + Duration::from_secs(10);
        assert_eq!(answered(&throttle, "192.0.2.1", None, 60, later), 5);
        let much_later = now + Duration::from_secs(1000);
        assert!(!throttle.suspects(address("192.0.2.1"), much_later));
        assert_eq!(answered(&throttle, "192.0.2.1", None, 60, much_later), 50);
    }

    #[test]
    fn it_is_said_once_that_an_address_comes_too_often() {
        let now = Instant::now();
        let throttle = Throttle::new(now);
        let first = |now| {
            let failed = (0..60).map(|_| throttle.failed(address("192.0.2.1"), None, now));
            failed
                .filter(|failed| matches!(failed, Failed::TooOften { first: true, .. }))
                .count()
        };
        assert_eq!(first(now), 1);
        assert_eq!(first(now), 0);
        assert_eq!(first(now + Duration::from_secs(1000)), 1);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let now = Instant::now();
        let throttle = Throttle::new(now);
        for number in 0..50 {
            let from = format!("2001:db8:0:1::{number:x}");
            assert_eq!(answered(&throttle, &from, None, 1, now), 1);
        }
        assert_eq!(answered(&throttle, "2001:db8:0:1:ffff::", None, 1, now), 0);
        assert_eq!(answered(&throttle, "2001:db8:0:2::", None, 1, now), 1);
    }

    #[test]
    fn a_user_is_guessed_at_from_many_addresses_no_more_than_from_one() {
        let now = Instant::now();
        let throttle = Throttle::new(now);
        let counted = (0..300_u32)
            .filter(|number| {
                let from = Ipv4Addr::from(*number).into();
                throttle.failed(from, Some("platform"), now) == Failed::Counted
            })
            .count();
        assert_eq!(counted, 100);
        assert_eq!(
            throttle.failed(address("192.0.2.1"), Some("other"), now),
            Failed::Counted
        );
    }

    /// A million addresses take no more room than a thousand, and do not wash out the one that goes on.
    #[test]
    fn what_is_remembered_has_a_fixed_size() {
        let now = Instant::now();
        let throttle = Throttle::new(now);
        let size = || {
            let table = throttle.addresses.lock().unwrap();
            table.0.capacity() * size_of::<[Entry; WAYS]>()
        };
        assert_eq!(answered(&throttle, "192.0.2.1", None, 60, now), 50);
        for number in 0..1000_u32 {
            throttle.failed(Ipv4Addr::from(number).into(), None, now);
        }
        let after_a_thousand = size();
        for number in 0..1_000_000_u32 {
            throttle.failed(Ipv4Addr::from(number).into(), None, now);
        }
        assert_eq!(size(), after_a_thousand);
        assert!(size() <= 2 << 20, "{} bytes", size());
        assert_eq!(answered(&throttle, "192.0.2.1", None, 1, now), 0);
    }
}
