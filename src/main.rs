//! Reads the command line, hands over; the only place that exits.

fn main() {}
