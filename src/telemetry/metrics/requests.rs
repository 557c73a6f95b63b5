//! Requests, by route, method and status. What a request adds to is found by three numbers: nothing is hashed, locked or
//! put together for it, and each worker adds to a share of its own, so that no count goes from core to core.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::OTHER;
use super::count;
use super::spread::{SOON, Spread};

/// The methods that there are; all others are `other`.
const METHODS: [&str; 6] = ["GET", "HEAD", "PUT", "PATCH", "DELETE", "POST"];

/// The status codes that the broker answers with, in order; all others are `other`.
const STATUSES: [u16; 23] = [
    200, 201, 202, 204, 301, 302, 303, 304, 400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 414,
    415, 422, 429, 431,
];

/// Beyond those: 500 to 504, in a row of their own.
const FAILURES: std::ops::RangeInclusive<u16> = 500..=504;

const METHOD_ROWS: usize = METHODS.len() + 1;
const STATUS_ROWS: usize = STATUSES.len() + 5 + 1;

/// More threads than these share with one another.
const SHARES: usize = 32;

/// What was answered since the start.
#[derive(Debug)]
pub struct Requests {
    routes: Vec<&'static str>,
    /// Made when a thread first has something to add.
    shares: [OnceLock<Share>; SHARES],
}

/// What some threads have answered.
#[derive(Debug)]
struct Share {
    /// For each row, one for each status.
    counts: Box<[AtomicU64]>,
    /// For each row.
    took: Box<[Spread]>,
}

impl Share {
    fn new(rows: usize) -> Self {
        Self {
            counts: (0..rows * STATUS_ROWS).map(|_| AtomicU64::new(0)).collect(),
            took: (0..rows).map(|_| Spread::new(SOON)).collect(),
        }
    }

    fn add_all(&self, other: &Self) {
        for (count, more) in self.counts.iter().zip(&other.counts) {
            count.fetch_add(more.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        for (took, more) in self.took.iter().zip(&other.took) {
            took.add_all(more);
        }
    }
}

/// Which share this thread adds to.
fn mine() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARES;
    }
    MINE.with(|mine| *mine)
}

impl Requests {
    /// Of these routes, and of what is none of them.
    pub(super) fn new(routes: &[&'static str]) -> Self {
        Self {
            routes: routes.to_vec(),
            shares: [const { OnceLock::new() }; SHARES],
        }
    }

    fn share(&self) -> Share {
        Share::new((self.routes.len() + 1) * METHOD_ROWS)
    }

    /// One was answered. The route is its place in the list; nothing is what is no route.
    pub fn answered(&self, route: Option<usize>, method: &str, status: u16, took: Duration) {
        let route = route.unwrap_or(usize::MAX).min(self.routes.len());
        let method = METHODS
            .iter()
            .position(|known| *known == method)
            .unwrap_or(METHODS.len());
        let row = route * METHOD_ROWS + method;
        let share = self.shares[mine()].get_or_init(|| self.share());
        share.counts[row * STATUS_ROWS + status_row(status)].fetch_add(1, Ordering::Relaxed);
        share.took[row].add(took);
    }

    /// What all threads have answered.
    fn all(&self) -> Share {
        let all = self.share();
        for share in self.shares.iter().filter_map(OnceLock::get) {
            all.add_all(share);
        }
        all
    }

    fn rows(&self) -> impl Iterator<Item = (usize, &'static str, &'static str)> {
        let routes = self.routes.iter().copied().chain([OTHER]);
        let methods = || METHODS.into_iter().chain([OTHER]);
        routes
            .flat_map(move |route| methods().map(move |method| (route, method)))
            .enumerate()
            .map(|(row, (route, method))| (row, route, method))
    }
}

fn status_row(status: u16) -> usize {
    // What nearly all are answered with is not looked for.
    if status == STATUSES[0] {
        return 0;
    }
    if FAILURES.contains(&status) {
        return STATUSES.len() + usize::from(status - FAILURES.start());
    }
    STATUSES.binary_search(&status).unwrap_or(STATUS_ROWS - 1)
}

fn status_name(row: usize) -> String {
    let known = STATUSES.iter().copied().chain(FAILURES).nth(row);
    known.map_or_else(|| OTHER.to_owned(), |status| status.to_string())
}

impl Collector for Requests {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let all = self.all();
        let mut family = encoder.encode_descriptor(
            "http_requests",
            "Requests that were answered.",
            None,
            MetricType::Counter,
        )?;
        for (row, route, method) in self.rows() {
            let counts = &all.counts[row * STATUS_ROWS..(row + 1) * STATUS_ROWS];
            for (status, answered) in counts.iter().enumerate() {
                let answered = answered.load(Ordering::Relaxed);
                if answered > 0 {
                    let status = status_name(status);
                    let labels = [("route", route), ("method", method), ("status", &status)];
                    count(&mut family, &labels, answered)?;
                }
            }
        }
        let mut family = encoder.encode_descriptor(
            "http_request_duration_seconds",
            "From the head of a request to its answer.",
            None,
            MetricType::Histogram,
        )?;
        for (row, route, method) in self.rows() {
            all.took[row].encode(&mut family, &[("route", route), ("method", method)])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_threads_have_answered_is_counted_together() {
        let requests = Requests::new(&["/a", "/b"]);
        let took = Duration::from_millis(3);
        std::thread::scope(|scope| {
            for _ in 0..SHARES + 3 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        requests.answered(Some(1), "PUT", 201, took);
                    }
                });
            }
        });
        let used = requests.shares.iter().filter(|share| share.get().is_some());
        assert!(used.count() > 1, "all threads add to one share");
        let all = requests.all();
        let row = METHOD_ROWS + 2;
        let answered = 10 * (SHARES as u64 + 3);
        let counts: Vec<_> = all
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect();
        assert_eq!(counts[row * STATUS_ROWS + status_row(201)], answered);
        assert_eq!(counts.iter().sum::<u64>(), answered);
    }

    #[test]
    fn a_status_has_a_row_of_its_own_or_that_of_all_others() {
        assert!(STATUSES.is_sorted());
        for status in STATUSES.into_iter().chain(FAILURES) {
            assert_eq!(status_name(status_row(status)), status.to_string());
        }
        for status in [100, 299, 418, 505, 599] {
            assert_eq!(status_name(status_row(status)), OTHER);
        }
    }
}
