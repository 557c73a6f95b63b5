//! Logins as one worker holds them. A request has a share that only its worker counts: for a count that all of them share,
//! each would wait for the others with every request.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use crate::access::{Login, Logins};
use crate::http::identity::Held;

/// What a worker holds.
#[derive(Default)]
pub(super) struct Holding(RefCell<Shares>);

#[derive(Default)]
struct Shares {
    /// Those that the logins below are of: after a reload there are others.
    of: Weak<Logins>,
    logins: Vec<Held>,
}

impl Holding {
    /// Lets go of what is not of these logins: those of before a reload.
    pub(super) fn keep(&self, logins: &Arc<Logins>) {
        let mut shares = self.0.borrow_mut();
        if !std::ptr::eq(shares.of.as_ptr(), Arc::as_ptr(logins)) {
            *shares = Shares {
                of: Arc::downgrade(logins),
                logins: Vec::new(),
            };
        }
    }

    /// A share of a login, which is one of those that are kept.
    pub(super) fn share(&self, login: &Arc<Login>) -> Held {
        let mut shares = self.0.borrow_mut();
        let same = shares.logins.iter().find(|held| Arc::ptr_eq(held, login));
        if let Some(same) = same {
            return Rc::clone(same);
        }
        let held = Rc::new(Arc::clone(login));
        shares.logins.push(Rc::clone(&held));
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Proof, Role};
    use crate::secret::Secret;

    fn logins(names: &[&str]) -> Arc<Logins> {
        let proof = || Proof::Bearer(Secret::new("token".to_owned()));
        let logins = names
            .iter()
            .map(|name| Login::new(name, [Role::Platform].into_iter().collect(), proof()));
        Arc::new(Logins::new(logins.collect(), &[7; 16]).unwrap())
    }

    #[test]
    fn a_login_is_held_once_and_goes_with_a_reload() {
        let holding = Holding::default();
        let before = logins(&["a"]);
        let old = before.by_token("token").unwrap();
        holding.keep(&before);
        let held = holding.share(old);
        let again = holding.share(old);
        assert!(Rc::ptr_eq(&held, &again));
        assert_eq!(
            Arc::strong_count(old),
            2,
            "all requests of a worker count as one"
        );
        let gone = Arc::downgrade(old);
        let after = logins(&["b"]);
        drop(before);
        holding.keep(&after);
        assert_eq!(
            held.name().as_ref(),
            "a",
            "who was let in before keeps its login"
        );
        drop((held, again));
        assert_eq!(
            gone.strong_count(),
            0,
            "nobody holds what was before the reload"
        );
    }
}
