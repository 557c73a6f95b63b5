//! What a login may do.

/// What a login is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Calls the Open Service Broker API.
    Platform,
    /// Sees what operators see, and changes it.
    Operator,
    /// Reads the metrics.
    Metrics,
    /// Sees what operators see.
    Viewer,
}

impl Role {
    /// As the settings call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Operator => "operator",
            Self::Metrics => "metrics",
            Self::Viewer => "viewer",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The roles of one login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// Whether one of `wanted` is among them.
    pub fn hold_one_of(self, wanted: &[Role]) -> bool {
        wanted.iter().any(|role| self.0 & role.bit() != 0)
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().fold(0, |all, role| all | role.bit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_has_its_roles_and_no_others() {
        let all = [Role::Platform, Role::Operator, Role::Metrics, Role::Viewer];
        for given in all {
            let roles: Roles = [given].into_iter().collect();
            for asked in all {
                assert_eq!(
                    roles.hold_one_of(&[asked]),
                    given == asked,
                    "{given:?} {asked:?}"
                );
            }
        }
        let both: Roles = [Role::Operator, Role::Metrics].into_iter().collect();
        assert!(both.hold_one_of(&[Role::Viewer, Role::Operator]));
        assert!(!both.hold_one_of(&[Role::Platform, Role::Viewer]));
        assert!(!both.hold_one_of(&[]));
    }
}
