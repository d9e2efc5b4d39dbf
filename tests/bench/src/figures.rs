//! Formats the figures of a bench and the verdicts on its limits. It measures nothing.

use std::fmt::Write as _;
use std::time::Duration;

/// A limit: whether it is met, and the figure as text.
pub(crate) type Limit = (bool, String);

/// One line for each limit.
pub(crate) fn verdicts(limits: &[Limit]) -> String {
    let mut out = String::new();
    for (passes, line) in limits {
        let _ = writeln!(out, "{}  {line}", if *passes { "PASS" } else { "OVER" });
    }
    out
}

/// A number, or a dash where the system did not give it.
pub(crate) fn or_dash(number: Option<f64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| format!("{number:.1}"))
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
