//! The table that is printed.

/// Prints the table's head.
pub fn heading() {
    println!("| what | measured | bar | aim | |");
    println!("| --- | --- | --- | --- | --- |");
}

/// A figure that must not be above `bar`.
pub fn at_most(what: &str, measured: f64, bar: f64, aim: Option<f64>, unit: &str) {
    row(
        what,
        measured,
        &format!("≤ {bar}{unit}"),
        aim,
        unit,
        measured <= bar,
    );
}

/// A figure that must not be below `bar`.
pub fn at_least(what: &str, measured: f64, bar: f64, aim: Option<f64>, unit: &str) {
    row(
        what,
        measured,
        &format!("≥ {bar}{unit}"),
        aim,
        unit,
        measured >= bar,
    );
}

/// A figure for information.
pub fn note(what: &str, measured: &str) {
    println!("| {what} | {measured} | | | |");
}

fn row(what: &str, measured: f64, bar: &str, aim: Option<f64>, unit: &str, holds: bool) {
    let aim = aim.map_or_else(String::new, |aim| format!("{aim}{unit}"));
    println!(
        "| {what} | {measured:.3}{unit} | {bar} | {aim} | {} |",
        if holds { "holds" } else { "MISSED" }
    );
}

/// The one in the middle.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
