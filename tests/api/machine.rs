//! A state machine: random sequences of all calls, repeats and mistakes, with kills in between, held against a model.
//!
//! Few ids, so that calls collide; every sequence has its own, so that many share a broker. `PROPTEST_CASES` says how
//! many sequences there are (256 if it says nothing); `tests/long.sh` runs thousands.

mod answers;
mod checks;
mod model;
mod offer;
mod steps;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use crate::checker;
use crate::harness::{Broker, Setup};
use crate::http::Response;
use answers::{accept, tampered};
use model::{Expected, Model};
use steps::{Act, Ask, STEPS, Step, instance_id, sequence};

/// What must have been answered at least once over a run: so that the sequences are known to get everywhere.
const REACHED: &[(&str, &str)] = &[
    (
        "provision",
        "200, 201, 400 InvalidBody, 400 InvalidField, 400 InvalidQuery, \
         400 ServiceNotInCatalog, 400 PlanNotInCatalog, 400 ParametersInvalid, \
         401 Unauthorized, 409 InstanceConflict, 412 ApiVersionUnsupported, \
         422 MaintenanceInfoConflict",
    ),
    (
        "update",
        "200, 400 InvalidBody, 400 InvalidField, 400 InvalidQuery, 400 ServiceNotInCatalog, \
         400 PlanNotInCatalog, 400 ParametersInvalid, 400 ServiceMismatch, 401 Unauthorized, \
         404 InstanceNotFound, 412 ApiVersionUnsupported, 422 MaintenanceInfoConflict, \
         422 PlanChangeNotSupported",
    ),
    (
        "bind",
        "200, 201, 400 InvalidBody, 400 InvalidField, 400 InvalidQuery, \
         400 ServiceNotInCatalog, 400 PlanNotInCatalog, 400 NotBindable, \
         400 ServiceMismatch, 400 PlanMismatch, 400 ParametersInvalid, 400 RequiresRoute, \
         401 Unauthorized, 404 InstanceNotFound, 409 BindingConflict, \
         412 ApiVersionUnsupported, 422 RequiresApp",
    ),
    (
        "rotate",
        "200, 201, 400 InvalidField, 400 NotBindable, 400 NotRotatable, \
         400 PredecessorInvalid, 404 InstanceNotFound, 409 BindingConflict",
    ),
    (
        "fetch",
        "200, 401 Unauthorized, 404 InstanceNotFound, 404 NotRetrievable, \
         412 ApiVersionUnsupported",
    ),
    (
        "fetch binding",
        "200, 401 Unauthorized, 404 BindingNotFound, 404 NotRetrievable, \
         412 ApiVersionUnsupported",
    ),
    (
        "unbind",
        "200, 400 InvalidQuery, 400 ServiceMismatch, 400 PlanMismatch, 401 Unauthorized, \
         410 Gone, 412 ApiVersionUnsupported",
    ),
    (
        "deprovision",
        "200, 400 InvalidQuery, 400 ServiceMismatch, 400 PlanMismatch, 401 Unauthorized, \
         410 Gone, 412 ApiVersionUnsupported",
    ),
    (
        "poll",
        "200, 400 InvalidQuery, 401 Unauthorized, 404 OperationNotFound, 410 Gone, \
         412 ApiVersionUnsupported",
    ),
    (
        "poll binding",
        "200, 400 InvalidQuery, 401 Unauthorized, 404 OperationNotFound, 410 Gone, \
         412 ApiVersionUnsupported",
    ),
];

/// A broker, and what is kept over all sequences.
struct Machine {
    broker: Option<Broker>,
    lives: usize,
    restarts: usize,
    /// How often each act was answered how.
    tally: BTreeMap<(&'static str, String), usize>,
    /// Everything random that was ever answered: chance does not repeat itself.
    drawn: HashSet<String>,
}

/// One sequence.
struct Life {
    id: String,
    model: Model,
    asked: Vec<Ask>,
}

impl Machine {
    fn new() -> Self {
        Self {
            broker: Some(
                Setup::new(&offer::document())
                    .arg("--log-format=json")
                    .start(),
            ),
            lives: 0,
            restarts: 0,
            tally: BTreeMap::new(),
            drawn: HashSet::new(),
        }
    }

    fn broker(&self) -> &Broker {
        self.broker.as_ref().expect("a broker")
    }

    /// Goes through a sequence; `watch` sees each answer that was accepted, before it is remembered.
    fn live(
        &mut self,
        steps: &[Step],
        watch: &mut dyn FnMut(&Expected, &Response),
    ) -> Result<(), String> {
        self.lives += 1;
        let mut life = Life {
            id: format!("s{}", self.lives),
            model: Model::default(),
            asked: Vec::new(),
        };
        for (at, step) in steps.iter().enumerate() {
            self.step(&mut life, step, watch)
                .map_err(|why| format!("step {at}, {:?}: {why}", step.act))?;
        }
        Ok(())
    }

    fn step(
        &mut self,
        life: &mut Life,
        step: &Step,
        watch: &mut dyn FnMut(&Expected, &Response),
    ) -> Result<(), String> {
        let ask = match step.act {
            Act::Restart => {
                self.restarts += 1;
                self.broker = self.broker.take().map(Broker::restarted);
                return Ok(());
            }
            Act::Again(back) => match life.asked.iter().rev().nth(back) {
                Some(ask) => ask.clone(),
                None => return Ok(()),
            },
            _ => {
                let step = life.model.aim(step, &life.id);
                let instance = instance_id(&life.id, step.instance);
                Ask::new(&step, &life.id, life.model.names(&instance))
            }
        };
        let request = ask.request();
        let response = self.broker().send_unchecked(&request);
        let expected = life.model.expect(&ask);
        let random = checker::check(&request, &response, &[])
            .and_then(|()| accept(&expected, &response))
            .and_then(|random| self.unheard(random))
            .map_err(|why| {
                format!(
                    "{why}\nasked: {} {} {}\nexpected: {expected:?}\nanswered: {} {}",
                    request.method,
                    request.path,
                    String::from_utf8_lossy(&request.body),
                    response.status,
                    response.text()
                )
            })?;
        watch(&expected, &response);
        let answer = format!("{} {}", expected.status, expected.word);
        let name = (ask.act.name(), answer.trim_end().to_owned());
        *self.tally.entry(name).or_default() += 1;
        let Expected { change, .. } = expected;
        life.model.remember(&ask, change, &response.json(), &random);
        life.asked.push(ask);
        Ok(())
    }

    fn unheard(
        &mut self,
        random: HashMap<String, String>,
    ) -> Result<HashMap<String, String>, String> {
        match random
            .values()
            .find(|text| !self.drawn.insert((*text).clone()))
        {
            Some(text) => Err(format!("{text} came out of chance before")),
            None => Ok(random),
        }
    }

    fn unreached(&self) -> Vec<String> {
        let all = REACHED
            .iter()
            .flat_map(|(act, answers)| answers.split(", ").map(|answer| (*act, answer.to_owned())));
        all.filter(|key| !self.tally.contains_key(key))
            .map(|(act, answer)| format!("{act} -> {answer}"))
            .collect()
    }
}

#[test]
fn random_lives_go_as_the_model_says() {
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let lives = config.cases;
    let machine = RefCell::new(Machine::new());
    let outcome = TestRunner::new(config).run(&sequence(), |steps| {
        machine
            .borrow_mut()
            .live(&steps, &mut |_, _| {})
            .map_err(TestCaseError::fail)
    });
    if let Err(why) = outcome {
        panic!("{why}");
    }
    let machine = machine.into_inner();
    let calls: usize = machine.tally.values().sum();
    println!(
        "{lives} sequences of {STEPS} steps, {calls} calls, {} kills",
        machine.restarts
    );
    for ((act, answer), times) in &machine.tally {
        println!("{times:7}  {act} -> {answer}");
    }
    assert!(machine.restarts > 0, "the broker was never killed");
    // A few sequences cannot get everywhere.
    if lives >= 256 {
        assert_eq!(machine.unreached(), Vec::<String>::new(), "never answered");
    }
}

/// The counter-proof: whatever is changed in an answer, the model refuses it.
#[test]
fn the_model_refuses_answers_that_were_tampered_with() {
    let mut runner = TestRunner::deterministic();
    let mut machine = Machine::new();
    let mut refused = BTreeMap::<&str, usize>::new();
    for _ in 0..24 {
        let tree = sequence().new_tree(&mut runner).expect("a sequence");
        let steps = tree.current();
        let lived = machine.live(&steps, &mut |expected, response| {
            for (how, other) in tampered(response) {
                let verdict = accept(expected, &other);
                assert!(
                    verdict.is_err(),
                    "{how} was accepted for {expected:?}: {} {}",
                    other.status,
                    other.text()
                );
                *refused.entry(how).or_default() += 1;
            }
        });
        assert_eq!(lived, Ok(()));
    }
    for how in answers::WAYS {
        assert!(refused.contains_key(how), "{how} was never tried");
    }
}

/// A broker that forgets is found out: its store is gone when it comes back.
#[test]
fn the_machine_finds_a_broker_that_forgets() {
    let mut machine = Machine::new();
    let mut life = Life {
        id: "forgotten".to_owned(),
        model: Model::default(),
        asked: Vec::new(),
    };
    let mut step =
        |machine: &mut Machine, act| machine.step(&mut life, &Step::plain(act), &mut |_, _| {});
    for act in [Act::Provision, Act::Again(0), Act::Restart, Act::Again(0)] {
        assert_eq!(step(&mut machine, act), Ok(()));
    }
    let data = machine.broker().folder.path().join("data");
    machine.broker.as_mut().expect("a broker").kill();
    std::fs::remove_dir_all(data).expect("its store");
    assert_eq!(step(&mut machine, Act::Restart), Ok(()));
    let found = step(&mut machine, Act::Again(0)).expect_err("a second 201 for the same");
    assert!(found.contains("201 where 200 was expected"), "{found}");
}

/// A failure is told as the few steps that it takes.
#[test]
fn a_failing_sequence_shrinks() {
    let config = Config {
        failure_persistence: None,
        cases: 200,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&sequence(), |steps| {
        let polled = steps.iter().position(|step| step.act == Act::Poll);
        let unbound = steps.iter().rposition(|step| step.act == Act::Unbind);
        match (polled, unbound) {
            (Some(polled), Some(unbound)) if polled < unbound => {
                Err(TestCaseError::fail("a poll and then an unbind"))
            }
            _ => Ok(()),
        }
    });
    let Err(TestError::Fail(_, steps)) = outcome else {
        panic!("such a sequence is not rare");
    };
    let acts: Vec<Act> = steps.iter().map(|step| step.act).collect();
    assert_eq!(acts, [Act::Poll, Act::Unbind]);
    assert!(steps.iter().all(|step| step.slip == steps::Slip::Nothing));
}
