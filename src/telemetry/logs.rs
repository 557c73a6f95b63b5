//! The log: one line an event, text or JSON. What is read of it is said in the form that `env_logger` has for that.

mod line;
mod sink;

use env_logger::{Builder, Logger};
use log::{Level, Log, Metadata, Record};

use self::line::line;
use self::sink::Sink;
use crate::domain::time::Clock;

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one object a line.
    Json,
}

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output: of a broker, whose only output it is.
    Standard,
    /// Standard error: of a command, whose output is its answer.
    Errors,
}

/// Starts the log. `filter` is in the form of `RUST_LOG`: `info`, `debug,request=off`. A second start is ignored: the log is the
/// process's. Its end is to be waited for with `log::Log::flush`.
pub fn start(format: Format, output: Output, filter: &str, clock: Clock) {
    let filter = Builder::new().parse_filters(filter).build();
    let most = filter.filter();
    let lines = Lines {
        filter,
        format,
        clock,
        sink: Sink::new(output),
    };
    if log::set_boxed_logger(Box::new(lines)).is_err() {
        return;
    }
    log::set_max_level(most);
    std::panic::set_hook(Box::new(|panic| {
        // The message may hold what was worked on; the place does not.
        let place = panic
            .location()
            .map_or_else(String::new, ToString::to_string);
        log::error!("the broker panicked at {place}");
    }));
}

struct Lines {
    filter: Logger,
    format: Format,
    clock: Clock,
    sink: Sink,
}

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if is_wire(record.target()) || !self.filter.matches(record) {
            return;
        }
        let line = line(self.format, record, (self.clock)());
        if record.level() <= Level::Warn {
            self.sink.now(&line);
        } else {
            self.sink.later(&line);
        }
    }

    fn flush(&self) {
        self.sink.flush();
    }
}

/// The HTTP client writes what goes over the wire, at `trace` byte by byte: logins and credentials. Whoever calls with it
/// says what came of it.
fn is_wire(target: &str) -> bool {
    target.starts_with("ureq")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_over_the_wire_is_no_line() {
        for target in ["ureq", "ureq_proto"] {
            assert!(is_wire(target), "{target}");
        }
        assert!(!is_wire("backend"));
    }
}
