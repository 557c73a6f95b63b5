//! Sequences that go for every answer on purpose, each step with what it must be answered: what chance may miss.

use super::steps::{Act, Naming, Slip, Step};

/// A step, and status and word of its answer; nothing where it asks nothing.
pub type Leg = (Step, &'static str);

const ALL: [Act; 10] = [
    Act::Provision,
    Act::Update,
    Act::Bind,
    Act::Rotate,
    Act::Fetch,
    Act::FetchBinding,
    Act::Poll,
    Act::PollBinding,
    Act::Unbind,
    Act::Deprovision,
];

/// All of them; a sequence each.
pub fn tour() -> Vec<Vec<Leg>> {
    vec![
        whole_life(),
        slips(),
        names(),
        schemas(),
        rotation(),
        what_plans_refuse(),
        unretrievable(),
    ]
}

fn leg(act: Act, answer: &'static str) -> Leg {
    (Step::plain(act), answer)
}

fn of(home: usize, act: Act, answer: &'static str) -> Leg {
    let step = Step {
        home,
        ..Step::plain(act)
    };
    (step, answer)
}

fn whole_life() -> Vec<Leg> {
    let (again, gone) = (Act::Again(0), "410 Gone");
    let elsewhere = Step {
        space: 1,
        ..Step::plain(Act::Provision)
    };
    let for_an_app = Step {
        target: 3,
        ..Step::plain(Act::Bind)
    };
    let outdated = |act, instance| Step {
        maintenance: 3,
        instance,
        ..Step::plain(act)
    };
    vec![
        leg(Act::Poll, "404 OperationNotFound"),
        leg(Act::PollBinding, "404 OperationNotFound"),
        leg(Act::Fetch, "404 InstanceNotFound"),
        leg(Act::FetchBinding, "404 BindingNotFound"),
        leg(Act::Update, "404 InstanceNotFound"),
        leg(Act::Bind, "404 InstanceNotFound"),
        leg(Act::Unbind, gone),
        leg(Act::Deprovision, gone),
        leg(Act::Provision, "201"),
        leg(again, "200"),
        leg(Act::Restart, ""),
        leg(Act::Provision, "200"),
        (elsewhere, "409 InstanceConflict"),
        leg(Act::Bind, "201"),
        leg(again, "200"),
        leg(Act::Restart, ""),
        leg(Act::Bind, "200"),
        (for_an_app, "409 BindingConflict"),
        leg(Act::Update, "200"),
        (outdated(Act::Provision, 1), "422 MaintenanceInfoConflict"),
        (outdated(Act::Update, 0), "422 MaintenanceInfoConflict"),
        leg(Act::Fetch, "200"),
        leg(Act::FetchBinding, "200"),
        leg(Act::Poll, "200"),
        leg(Act::PollBinding, "200"),
        leg(Act::Unbind, "200"),
        leg(Act::PollBinding, gone),
        leg(Act::Unbind, gone),
        leg(Act::Deprovision, "200"),
        leg(Act::Poll, gone),
        leg(Act::Deprovision, gone),
    ]
}

/// What is wrong with a call as such, for every call that it can be wrong with.
fn slips() -> Vec<Leg> {
    let mut legs = vec![leg(Act::Provision, "201"), leg(Act::Bind, "201")];
    for act in ALL {
        let mut put = |slip, answer| {
            let step = Step {
                slip,
                ..Step::plain(act)
            };
            legs.push((step, answer));
        };
        put(Slip::NoLogin, "401 Unauthorized");
        put(Slip::WrongPassword, "401 Unauthorized");
        put(Slip::NoVersion, "412 ApiVersionUnsupported");
        put(Slip::Version("3.0"), "412 ApiVersionUnsupported");
        if act.has_body() {
            put(Slip::NotJson, "400 InvalidBody");
            put(Slip::NotAnObject, "400 InvalidBody");
            put(Slip::ParametersAreAList, "400 InvalidField");
        }
        if !matches!(act, Act::Fetch | Act::FetchBinding) {
            put(Slip::NameTwice, "400 InvalidQuery");
        }
    }
    legs
}

/// Offering and plan named wrongly.
fn names() -> Vec<Leg> {
    let mut legs = vec![leg(Act::Provision, "201"), leg(Act::Bind, "201")];
    let mut put = |act, naming, answer| {
        let step = Step {
            naming,
            // A bind of its own is refused for its names before it could be there already.
            binding: usize::from(act == Act::Bind),
            ..Step::plain(act)
        };
        legs.push((step, answer));
    };
    for act in [Act::Provision, Act::Update, Act::Bind] {
        put(act, Naming::UnknownService, "400 ServiceNotInCatalog");
        put(act, Naming::UnknownPlan, "400 PlanNotInCatalog");
        put(act, Naming::Crossed, "400 PlanNotInCatalog");
        put(act, Naming::Neither, "400 InvalidField");
        put(act, Naming::EmptyPlan, "400 InvalidField");
    }
    for act in [Act::Update, Act::Bind, Act::Unbind, Act::Deprovision] {
        put(act, Naming::Of(OF_THE_VAULT), "400 ServiceMismatch");
    }
    for act in [Act::Bind, Act::Unbind, Act::Deprovision] {
        put(act, Naming::Of(ROTATABLE), "400 PlanMismatch");
    }
    for act in [Act::Unbind, Act::Deprovision] {
        put(act, Naming::Neither, "400 InvalidQuery");
    }
    legs
}

// Places in the table of plans.
const ROTATABLE: usize = 1;
const WITH_SCHEMAS: usize = 2;
const UNBINDABLE: usize = 4;
const UNCHANGING: usize = 5;
const FOR_APPS: usize = 6;
const FOR_ROUTES: usize = 7;
const OF_THE_VAULT: usize = 9;

fn schemas() -> Vec<Leg> {
    let with = |act, parameters, answer| {
        let step = Step {
            home: WITH_SCHEMAS,
            parameters,
            ..Step::plain(act)
        };
        (step, answer)
    };
    vec![
        with(Act::Provision, 7, "400 ParametersInvalid"),
        with(Act::Provision, 2, "201"),
        with(Act::Update, 8, "400 ParametersInvalid"),
        with(Act::Bind, 7, "400 ParametersInvalid"),
        with(Act::Bind, 5, "201"),
    ]
}

fn rotation() -> Vec<Leg> {
    let rotate = |binding, predecessor, parameters, answer| {
        let step = Step {
            home: ROTATABLE,
            binding,
            predecessor,
            parameters,
            ..Step::plain(Act::Rotate)
        };
        (step, answer)
    };
    vec![
        rotate(1, 0, 0, "404 InstanceNotFound"),
        of(ROTATABLE, Act::Provision, "201"),
        rotate(1, 0, 0, "400 PredecessorInvalid"),
        of(ROTATABLE, Act::Bind, "201"),
        rotate(1, 0, 0, "201"),
        rotate(1, 0, 0, "200"),
        rotate(1, 0, 5, "409 BindingConflict"),
    ]
}

/// An instance of each plan, one after another, and what cannot be done with it.
fn what_plans_refuse() -> Vec<Leg> {
    let mut legs = Vec::new();
    let mut refuse = |home, act, naming, answer| {
        legs.push(of(home, Act::Provision, "201"));
        let step = Step {
            home,
            naming,
            ..Step::plain(act)
        };
        legs.push((step, answer));
        legs.push(of(home, Act::Deprovision, "200"));
    };
    refuse(UNBINDABLE, Act::Bind, Naming::Its, "400 NotBindable");
    refuse(UNBINDABLE, Act::Rotate, Naming::Its, "400 NotBindable");
    refuse(0, Act::Rotate, Naming::Its, "400 NotRotatable");
    let another = Naming::Of(0);
    refuse(
        UNCHANGING,
        Act::Update,
        another,
        "422 PlanChangeNotSupported",
    );
    refuse(FOR_APPS, Act::Bind, Naming::Its, "422 RequiresApp");
    refuse(FOR_ROUTES, Act::Bind, Naming::Its, "400 RequiresRoute");
    legs
}

fn unretrievable() -> Vec<Leg> {
    vec![
        of(OF_THE_VAULT, Act::Provision, "201"),
        of(OF_THE_VAULT, Act::Bind, "201"),
        of(OF_THE_VAULT, Act::Fetch, "404 NotRetrievable"),
        of(OF_THE_VAULT, Act::FetchBinding, "404 NotRetrievable"),
    ]
}
