//! Sessions: a signed text in a cookie, which says whose it is and since when, and the tokens of forms.
//!
//! Nothing is kept of a session that goes on, so any broker with the same key takes it; of those that were signed out their
//! names are kept until they would have ended, by the process that was told.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::Member;
use crate::access::{Role, Roles};
use crate::domain::time::Timestamp;
use crate::secret::Secret;

/// How long a session lasts, in milliseconds: a working day.
pub(super) const LASTS: i64 = 8 * 60 * 60 * 1000;

/// How many of those that were signed out are remembered.
const SIGNED_OUT: usize = 10_000;

/// What tells a session from all others.
type Name = [u8; 16];

/// Logins by name.
pub(super) type Members = BTreeMap<String, Member>;

/// Who is signed in.
pub(super) struct Sessions {
    key: Hmac<Sha256>,
    members: ArcSwap<Members>,
    signed_out: Mutex<VecDeque<(Timestamp, Name)>>,
}

/// Somebody who is signed in.
#[derive(Clone)]
pub(super) struct Session {
    /// The login.
    pub login: Arc<str>,
    roles: Roles,
    name: Name,
    ends: Timestamp,
}

impl Session {
    /// Whether it may do what operators do.
    pub fn may_act(&self) -> bool {
        self.roles.hold_one_of(&[Role::Operator])
    }

    /// The word for what it may do.
    pub fn role(&self) -> &'static str {
        if self.may_act() {
            Role::Operator.name()
        } else {
            Role::Viewer.name()
        }
    }
}

/// Whether these roles may see the pages.
pub(super) fn may_see(roles: Roles) -> bool {
    roles.hold_one_of(&[Role::Operator, Role::Viewer])
}

impl Sessions {
    pub fn new(key: &[u8; 32], members: Members) -> Self {
        let mut block = [0; 64];
        block[..key.len()].copy_from_slice(key);
        Self {
            key: Hmac::new(&block.into()),
            members: ArcSwap::from_pointee(members),
            signed_out: Mutex::default(),
        }
    }

    /// The logins of this moment. Who signs in takes them first, and then looks who it is: a password that counts no more by
    /// the time that it was looked at opens no session.
    pub fn members(&self) -> Arc<Members> {
        self.members.load_full()
    }

    /// From now on these.
    pub fn admit(&self, members: Members) {
        self.members.store(Arc::new(members));
    }

    /// A session of a login, from now on; nothing where there is no such login. `chance` is random.
    pub fn open(
        &self,
        members: &Members,
        login: &str,
        now: Timestamp,
        chance: Name,
    ) -> Option<Secret<String>> {
        let member = members.get(login)?;
        let ends = now.0.saturating_add(LASTS);
        let mut body = Vec::with_capacity(24 + login.len());
        body.extend(ends.to_be_bytes());
        body.extend(chance);
        body.extend(login.as_bytes());
        let mac = self.mac("session", &[&body, &member.mark]);
        let text = format!("{}.{}", encoded(&body), encoded(&mac));
        Some(Secret::new(text))
    }

    /// Whose session that is, if it is one and goes on.
    pub fn read(&self, text: &str, now: Timestamp) -> Option<Session> {
        let (body, mac) = text.split_once('.')?;
        let (body, mac) = (decoded(body)?, decoded(mac)?);
        let (ends, rest) = body.split_first_chunk::<8>()?;
        let (name, login) = rest.split_first_chunk::<16>()?;
        let login = std::str::from_utf8(login).ok()?;
        let members = self.members.load();
        let member = members.get(login)?;
        let right = self.mac("session", &[&body, &member.mark]);
        if !bool::from(right.ct_eq(&mac)) {
            return None;
        }
        let ends = Timestamp(i64::from_be_bytes(*ends));
        if ends <= now || !may_see(member.roles) || self.was_signed_out(name) {
            return None;
        }
        Some(Session {
            login: login.into(),
            roles: member.roles,
            name: *name,
            ends,
        })
    }

    /// Ends a session before its time.
    pub fn close(&self, session: &Session, now: Timestamp) {
        let mut out = self
            .signed_out
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        out.retain(|(ends, _)| *ends > now);
        if out.len() >= SIGNED_OUT {
            out.pop_front();
        }
        out.push_back((session.ends, session.name));
    }

    fn was_signed_out(&self, name: &Name) -> bool {
        let out = self
            .signed_out
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        out.iter().any(|(_, known)| known == name)
    }

    /// What forms of a session carry: who only makes a browser send one does not know it.
    pub fn token(&self, session: &Session) -> String {
        encoded(&self.mac("form", &[&session.name, session.login.as_bytes()]))
    }

    /// Whether a form of a session carries that.
    pub fn is_token(&self, session: &Session, shown: &str) -> bool {
        self.token(session)
            .as_bytes()
            .ct_eq(shown.as_bytes())
            .into()
    }

    /// What the form of the sign-in carries for who has this in a cookie.
    pub fn token_for(&self, visitor: &str) -> String {
        encoded(&self.mac("visitor", &[visitor.as_bytes()]))
    }

    /// Whether the form of the sign-in carries what belongs to the cookie.
    pub fn is_token_for(&self, visitor: &str, shown: &str) -> bool {
        self.token_for(visitor)
            .as_bytes()
            .ct_eq(shown.as_bytes())
            .into()
    }

    fn mac(&self, what: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.key.clone();
        mac.update(what.as_bytes());
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Sessions")
    }
}

/// Bytes as text for a cookie or a form.
pub(super) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn sessions(key: u8, roles: &[Role], mark: u8) -> Sessions {
        let member = Member {
            roles: roles.iter().copied().collect(),
            mark: [mark; 32],
        };
        Sessions::new(&[key; 32], BTreeMap::from([("anna".to_owned(), member)]))
    }

    fn opened(sessions: &Sessions) -> String {
        let text = sessions
            .open(&sessions.members(), "anna", NOW, [7; 16])
            .expect("a login");
        text.expose().clone()
    }

    #[test]
    fn a_session_is_of_its_login_for_its_time() {
        let sessions = sessions(1, &[Role::Operator], 1);
        let text = opened(&sessions);
        let session = sessions.read(&text, NOW).expect("a session");
        assert_eq!((&*session.login, session.role()), ("anna", "operator"));
        let end = Timestamp(NOW.0 + LASTS);
        assert!(sessions.read(&text, Timestamp(end.0 - 1)).is_some());
        assert!(sessions.read(&text, end).is_none());
        assert!(
            sessions
                .open(&sessions.members(), "bert", NOW, [7; 16])
                .is_none()
        );
    }

    #[test]
    fn nothing_else_is_one() {
        let sessions = sessions(1, &[Role::Viewer], 1);
        let text = opened(&sessions);
        assert_eq!(sessions.read(&text, NOW).expect("one").role(), "viewer");
        for at in 0..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[at] = if wrong[at] == b'A' { b'B' } else { b'A' };
            let wrong = String::from_utf8(wrong).expect("text");
            // The last sign of each half may have bits that say nothing.
            let read = sessions.read(&wrong, NOW);
            assert!(read.is_none() || wrong == text, "{at}: {wrong}");
        }
        for wrong in ["", ".", "x", &text.replace('.', ""), &format!("{text}.")] {
            assert!(sessions.read(wrong, NOW).is_none(), "{wrong}");
        }
    }

    /// Another key, another password, another role, a login that is gone.
    #[test]
    fn what_changes_ends_it() {
        let text = opened(&sessions(1, &[Role::Operator], 1));
        let read = |sessions: Sessions| sessions.read(&text, NOW).map(|session| session.role());
        assert_eq!(read(sessions(1, &[Role::Operator], 1)), Some("operator"));
        assert_eq!(read(sessions(1, &[Role::Viewer], 1)), Some("viewer"));
        assert_eq!(read(sessions(2, &[Role::Operator], 1)), None);
        assert_eq!(read(sessions(1, &[Role::Operator], 2)), None);
        assert_eq!(read(sessions(1, &[Role::Platform], 1)), None);
        assert_eq!(read(Sessions::new(&[1; 32], BTreeMap::new())), None);
    }

    #[test]
    fn who_has_signed_out_is_out() {
        let sessions = sessions(1, &[Role::Operator], 1);
        let text = opened(&sessions);
        let session = sessions.read(&text, NOW).expect("a session");
        sessions.close(&session, NOW);
        assert!(sessions.read(&text, NOW).is_none());
        let other = sessions
            .open(&sessions.members(), "anna", NOW, [8; 16])
            .expect("a login");
        assert!(sessions.read(other.expose(), NOW).is_some());
    }

    #[test]
    fn a_form_is_of_its_session() {
        let sessions = sessions(1, &[Role::Operator], 1);
        let one = sessions.read(&opened(&sessions), NOW).expect("a session");
        let other = sessions
            .open(&sessions.members(), "anna", NOW, [8; 16])
            .expect("a login");
        let other = sessions.read(other.expose(), NOW).expect("a session");
        let token = sessions.token(&one);
        assert!(sessions.is_token(&one, &token));
        assert!(!sessions.is_token(&other, &token));
        assert!(!sessions.is_token(&one, ""));
        assert!(!sessions.is_token(&one, &sessions.token_for("visitor")));
        assert!(sessions.is_token_for("visitor", &sessions.token_for("visitor")));
        assert!(!sessions.is_token_for("other", &sessions.token_for("visitor")));
    }
}
