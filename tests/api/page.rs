//! A page of metrics, read back: each line a name, its labels and a value.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::{Broker, WATCH};
use crate::http::Request;

/// As Prometheus asks.
pub fn reading(method: &str, path: &str) -> Request {
    Request::new(method, path).header("Authorization", &format!("Bearer {WATCH}"))
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// All lines.
#[derive(Clone, Debug)]
pub struct Page {
    pub text: String,
    pub samples: Vec<Sample>,
}

impl Page {
    pub fn of(broker: &Broker) -> Self {
        let answer = broker.send(&reading("GET", "/metrics"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        Self::read(&answer.text())
    }

    pub fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self {
            text: text.to_owned(),
            samples: lines.map(sample).collect(),
        }
    }

    /// Those with that name and these labels, and perhaps more.
    pub fn all(&self, name: &str, labels: &[(&str, &str)]) -> Vec<&Sample> {
        let name = format!("catalog_broker_{name}");
        let fits = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(key, value)| sample.labels.get(*key).is_some_and(|has| has == value))
        };
        self.samples.iter().filter(fits).collect()
    }

    /// The sum of those; nothing where there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let all = self.all(name, labels);
        (!all.is_empty()).then(|| all.iter().map(|sample| sample.value).sum())
    }

    /// What tells its series from each other.
    pub fn series(&self) -> BTreeSet<String> {
        let series = |sample: &Sample| format!("{} {:?}", sample.name, sample.labels);
        self.samples.iter().map(series).collect()
    }
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    Sample {
        name: name.to_owned(),
        labels: read_labels(labels.trim_end_matches('}')),
        value: value.replace("+Inf", "inf").parse().expect("a number"),
    }
}

/// `a="b",c="d"`, with what is escaped in it.
fn read_labels(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while let Some((key, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next().expect("the end of a label") {
                (at, '"') => break at,
                (_, '\\') => match chars.next().expect("what is escaped").1 {
                    'n' => value.push('\n'),
                    char => value.push(char),
                },
                (_, char) => value.push(char),
            }
        };
        labels.insert(key.to_owned(), value);
        rest = after[end + 1..].trim_start_matches(',');
    }
    labels
}
