//! The log of this process, line by line. Lines of the HTTP client are left out, as the broker's log leaves them out
//! (`src/telemetry/logs.rs`).

use std::sync::{Mutex, Once};

use log::kv::Key;
use log::{LevelFilter, Log, Metadata, Record};

static LINES: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());
static START: Once = Once::new();

struct Kept;

impl Log for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.target().starts_with("ureq") {
            return;
        }
        let of = |key| record.key_values().get(Key::from_str(key));
        let operation = of("operation").map_or_else(String::new, |value| value.to_string());
        let attempt = of("attempt").map_or_else(String::new, |value| value.to_string());
        let (level, target) = (record.level(), record.target());
        let line = format!("{level} {target} {} attempt={attempt}", record.args());
        LINES.lock().expect("a lock").push((operation, line));
    }

    fn flush(&self) {}
}

pub fn start() {
    START.call_once(|| {
        log::set_logger(&Kept).expect("the first logger");
        log::set_max_level(LevelFilter::Trace);
    });
}

/// The lines of one operation.
pub fn of(operation: &str) -> String {
    let lines = LINES.lock().expect("a lock");
    let lines = lines.iter().filter(|(of, _)| of == operation);
    joined(lines.map(|(_, line)| &**line))
}

/// Every line, whoever wrote it.
pub fn whole() -> String {
    let lines = LINES.lock().expect("a lock");
    joined(lines.iter().map(|(_, line)| &**line))
}

fn joined<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}
