//! The areas of the paths there are: who may go there, and which rows hold.

use crate::access::Role;

/// Where a request wants to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Area {
    /// Health: asked without credentials.
    Health,
    /// The Open Service Broker API; and what is none of the others, for it is the API that says so.
    Api,
    /// The metrics.
    Metrics,
    /// What operators ask of the broker itself.
    Admin,
    /// The operators' page.
    Console,
}

impl Area {
    /// The area of a path below the base, as the routes read it: with what was percent-encoded decoded, or a path could
    /// be written such that gate and routes take it for different ones.
    pub(super) fn of(path: &str) -> Self {
        let is_below = |area: &str| {
            path.strip_prefix(area)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        // What nearly all ask for.
        if path.starts_with("/v2/") {
            Self::Api
        } else if matches!(path, "/healthz" | "/readyz") {
            Self::Health
        } else if is_below("/metrics") {
            Self::Metrics
        } else if is_below("/admin") {
            Self::Admin
        } else if is_below("/console") {
            Self::Console
        } else {
            Self::Api
        }
    }

    /// This area, or the API, which says what is not there, where there are no pages for operators.
    pub(super) const fn unless_absent(self, has_console: bool) -> Self {
        match self {
            Self::Console if !has_console => Self::Api,
            area => area,
        }
    }

    /// The roles of which one is needed.
    pub(super) const fn roles(self) -> &'static [Role] {
        match self {
            Self::Health => &[],
            Self::Api => &[Role::Platform],
            Self::Metrics => &[Role::Metrics],
            Self::Admin => &[Role::Operator],
            Self::Console => &[Role::Operator, Role::Viewer],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_one_area() {
        for (path, area) in [
            ("/v2/catalog", Area::Api),
            ("/healthz", Area::Health),
            ("/readyz", Area::Health),
            ("/healthz/", Area::Api),
            ("/metrics", Area::Metrics),
            ("/metrics/", Area::Metrics),
            ("/metricsx", Area::Api),
            ("/admin", Area::Admin),
            ("/admin/reload", Area::Admin),
            ("/admins", Area::Api),
            ("/console", Area::Console),
            ("/console/instances/i", Area::Console),
            ("/consoles", Area::Api),
            ("/v2/console", Area::Api),
            ("/", Area::Api),
            ("", Area::Api),
        ] {
            assert_eq!(Area::of(path), area, "{path}");
        }
    }
}
