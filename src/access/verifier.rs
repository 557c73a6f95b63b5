//! Logins that are known by a hash of their password. To look at one takes time and memory, on purpose, so it is done on
//! a thread of its own, one at a time, out of a short queue; and what was right once is known again by a keyed digest,
//! which costs nothing and says nothing to who reads the memory of the process.
//!
//! The queue is fair: an address has few places in it, one that showed wrong logins lately waits behind those that did
//! not, though not for ever, and the same login shown many times at once has one place.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use siphasher::sip128::SipHasher24;
use subtle::ConstantTimeEq as _;
use tokio::sync::oneshot;

use super::login::{Login, basic};
use super::throttle::network;
use crate::password::{Memory, PasswordHash};
use crate::secret::Secret;

/// Most that wait, of addresses that showed no wrong login lately, and as many of all others.
const PLACES: usize = 256;

/// Most that wait of one address.
const PLACES_OF_ONE: usize = 4;

/// One of so many that are looked at is of an address that showed wrong logins, where both kinds wait.
const SUSPECT_EVERY: u8 = 4;

/// What is compared in place of a header: SipHash-2-4 with 128 bits, which is made for short inputs and a secret key. Every
/// request pays for it, and an HMAC costs more than all that is done besides.
type Digest = [u8; 16];

/// Who may by a hash.
pub(super) struct Verifier {
    key: SipHasher24,
    shared: Arc<Shared>,
}

struct Shared {
    logins: Vec<Hashed>,
    queue: Mutex<Queue>,
    news: Condvar,
}

/// A login with the hash of its password.
pub(super) struct Hashed {
    pub(super) user: String,
    pub(super) hash: PasswordHash,
    pub(super) login: Arc<Login>,
    /// What it was right with: each has one password. Whoever looks at it waits for nobody.
    pub(super) known: OnceLock<Digest>,
}

/// What a caller shows, and is not known yet.
pub struct Claim {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: Secret<String>,
    /// Where it comes from.
    pub from: IpAddr,
    /// Whether wrong logins came from there lately.
    pub suspect: bool,
}

/// The queue, or the part of it that an address may have, is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A claim that is looked at.
pub struct Pending(oneshot::Receiver<Option<Arc<Login>>>);

impl Pending {
    /// The login, if it was right.
    pub async fn outcome(self) -> Option<Arc<Login>> {
        self.0.await.ok().flatten()
    }
}

#[derive(Default)]
struct Queue {
    clean: VecDeque<Job>,
    suspect: VecDeque<Job>,
    served: u8,
    closed: bool,
}

struct Job {
    digest: Digest,
    claim: Claim,
    asking: Vec<oneshot::Sender<Option<Arc<Login>>>>,
}

impl Verifier {
    /// Starts the thread.
    pub(super) fn start(logins: Vec<Hashed>, key: &[u8; 16]) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            logins,
            queue: Mutex::default(),
            news: Condvar::new(),
        });
        let worker = Arc::clone(&shared);
        thread::Builder::new()
            .name("logins".to_owned())
            .spawn(move || worker.work())?;
        Ok(Self {
            key: SipHasher24::new_with_key(key),
            shared,
        })
    }

    /// All of them.
    pub(super) fn logins(&self) -> impl Iterator<Item = &Arc<Login>> {
        self.shared.logins.iter().map(|hashed| &hashed.login)
    }

    /// The login whose header this is, if it was right before.
    pub(super) fn known(&self, header: &[u8]) -> Option<&Arc<Login>> {
        let digest = self.digest(header);
        let mut logins = self.shared.logins.iter();
        let same = logins.find(|hashed| hashed.known.get() == Some(&digest));
        same.map(|hashed| &hashed.login)
    }

    /// Has the thread look at a claim.
    pub(super) fn verify(&self, claim: Claim) -> Result<Pending, Full> {
        let header = basic(&claim.user, claim.password.expose());
        let digest = self.digest(header.expose().as_bytes());
        let (asking, answer) = oneshot::channel();
        self.shared.queue().take_in(Job {
            digest,
            claim,
            asking: vec![asking],
        })?;
        self.shared.news.notify_one();
        Ok(Pending(answer))
    }

    fn digest(&self, header: &[u8]) -> Digest {
        self.key.hash(header).as_bytes()
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.news.notify_one();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut memory = Memory::default();
        while let Some((digest, claim)) = self.next() {
            let right = self.look(&claim, &mut memory);
            if let Some(right) = right {
                right.known.get_or_init(|| digest);
            }
            for asking in self.queue().done(&digest) {
                // Who went away meanwhile needs no answer.
                let _ = asking.send(right.map(|right| Arc::clone(&right.login)));
            }
        }
    }

    /// The next claim; it stays in its place until it was looked at, so that the same one is not begun twice.
    fn next(&self) -> Option<(Digest, Claim)> {
        let mut queue = self.queue();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(next) = queue.next() {
                return Some(next);
            }
            queue = self
                .news
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A user that nobody has takes as long as one that somebody has.
    fn look(&self, claim: &Claim, memory: &mut Memory) -> Option<&Hashed> {
        let password = claim.password.expose().as_bytes();
        let is_meant =
            |hashed: &&Hashed| bool::from(hashed.user.as_bytes().ct_eq(claim.user.as_bytes()));
        let mut meant = self.logins.iter().filter(is_meant).peekable();
        if meant.peek().is_none() {
            let decoy = self.logins.first()?;
            decoy.hash.matches(password, memory);
            return None;
        }
        meant.find(|hashed| hashed.hash.matches(password, memory))
    }
}

impl Queue {
    fn take_in(&mut self, mut job: Job) -> Result<(), Full> {
        let mut all = self.clean.iter_mut().chain(&mut self.suspect);
        if let Some(same) = all.find(|known| known.digest == job.digest) {
            same.asking.append(&mut job.asking);
            return Ok(());
        }
        let from = network(job.claim.from);
        let all = self.clean.iter().chain(&self.suspect);
        let of_it = all
            .filter(|known| network(known.claim.from) == from)
            .count();
        let waiting = if job.claim.suspect {
            &mut self.suspect
        } else {
            &mut self.clean
        };
        if of_it >= PLACES_OF_ONE || waiting.len() >= PLACES {
            return Err(Full);
        }
        waiting.push_back(job);
        Ok(())
    }

    fn next(&mut self) -> Option<(Digest, Claim)> {
        for waiting in [&mut self.clean, &mut self.suspect] {
            waiting.retain(|job| !job.asking.iter().all(oneshot::Sender::is_closed));
        }
        let suspects_turn = self.served % SUSPECT_EVERY == SUSPECT_EVERY - 1;
        let waiting = if self.clean.is_empty() || suspects_turn && !self.suspect.is_empty() {
            &mut self.suspect
        } else {
            &mut self.clean
        };
        let job = waiting.front_mut()?;
        self.served = self.served.wrapping_add(1);
        let claim = Claim {
            user: std::mem::take(&mut job.claim.user),
            password: std::mem::take(&mut job.claim.password),
            ..job.claim
        };
        Some((job.digest, claim))
    }

    /// Who waits for that claim, which was looked at.
    fn done(&mut self, digest: &Digest) -> Vec<oneshot::Sender<Option<Arc<Login>>>> {
        for waiting in [&mut self.clean, &mut self.suspect] {
            if let Some(at) = waiting.iter().position(|job| job.digest == *digest) {
                return waiting.remove(at).map_or_else(Vec::new, |job| job.asking);
            }
        }
        Vec::new()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let logins = self.shared.logins.iter().map(|hashed| hashed.login.name());
        out.debug_list().entries(logins).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(digest: u8, from: u32, suspect: bool) -> (Job, oneshot::Receiver<Option<Arc<Login>>>) {
        let (asking, answer) = oneshot::channel();
        let job = Job {
            digest: [digest; 16],
            claim: Claim {
                user: "u".to_owned(),
                password: Secret::new("p".to_owned()),
                from: std::net::Ipv4Addr::from(from).into(),
                suspect,
            },
            asking: vec![asking],
        };
        (job, answer)
    }

    #[test]
    fn an_address_has_few_places_and_the_same_login_one() {
        let mut queue = Queue::default();
        let mut waiting = Vec::new();
        let mut add = |queue: &mut Queue, digest, from| {
            let (job, answer) = job(digest, from, false);
            let taken = queue.take_in(job);
            waiting.push(answer);
            taken
        };
        for digest in 0..4 {
            assert_eq!(add(&mut queue, digest, 1), Ok(()));
        }
        assert_eq!(add(&mut queue, 4, 1), Err(Full));
        assert_eq!(
            add(&mut queue, 3, 1),
            Ok(()),
            "what waits already may wait twice"
        );
        assert_eq!(add(&mut queue, 5, 2), Ok(()), "another address has its own");
        assert_eq!(queue.clean.len(), 5);
        assert_eq!(queue.done(&[3; 16]).len(), 2);
        assert_eq!(add(&mut queue, 4, 1), Ok(()), "a place is free again");
    }

    #[test]
    fn a_network_of_ipv6_has_the_places_of_one_address() {
        let mut queue = Queue::default();
        let mut waiting = Vec::new();
        for number in 0..=4 {
            let (mut job, answer) = job(number, 0, false);
            let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number.into());
            job.claim.from = address.into();
            waiting.push(answer);
            let expected = if number < 4 { Ok(()) } else { Err(Full) };
            assert_eq!(queue.take_in(job), expected, "{address}");
        }
    }

    #[test]
    fn suspects_wait_behind_the_others_but_not_for_ever() {
        let mut queue = Queue::default();
        let mut waiting = Vec::new();
        for number in 0..8 {
            let (job, answer) = job(100 + number, 1000 + u32::from(number), true);
            queue.take_in(job).unwrap();
            waiting.push(answer);
        }
        for number in 0..8 {
            let (job, answer) = job(number, u32::from(number), false);
            queue.take_in(job).unwrap();
            waiting.push(answer);
        }
        let mut order = Vec::new();
        while let Some((digest, _)) = queue.next() {
            queue.done(&digest);
            order.push(digest[0]);
        }
        assert_eq!(
            order,
            [
                0, 1, 2, 100, 3, 4, 5, 101, 6, 7, 102, 103, 104, 105, 106, 107
            ]
        );
    }

    #[test]
    fn the_queue_is_bounded_and_those_who_left_are_passed_over() {
        let mut queue = Queue::default();
        let mut waiting = Vec::new();
        for number in 0..PLACES {
            let from = u32::try_from(number).unwrap();
            let (mut job, answer) = job(0, from, false);
            job.digest[..4].copy_from_slice(&from.to_be_bytes());
            job.digest[4] = 1;
            queue.take_in(job).unwrap();
            waiting.push(answer);
        }
        let (late, _answer) = job(9, 70_000, false);
        assert_eq!(queue.take_in(late), Err(Full));
        let (suspect, _answer) = job(9, 70_000, true);
        assert_eq!(
            queue.take_in(suspect),
            Ok(()),
            "those have places of their own"
        );
        drop(waiting.drain(..PLACES - 1));
        let (digest, _) = queue.next().unwrap();
        assert_eq!(
            digest[..4],
            (u32::try_from(PLACES).unwrap() - 1).to_be_bytes()
        );
    }
}
