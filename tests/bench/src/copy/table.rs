//! The table of a copy bench, and its limits, as text.
//!
//! It formats; it measures nothing.

use std::fmt::Write as _;

use super::programs::Program;
use super::row::Row;
use crate::figures::{Limit, mebibytes, millis, or_dash, verdicts};
use crate::layouts::Blobs;

/// The most memory that a copy may hold, in MiB.
const PEAK: f64 = 48.0;
/// The longest time of an unchanged copy, in milliseconds.
const UNCHANGED: f64 = 30.0;
/// How many times as fast as skopeo a copy has to be, fsync included.
const FASTER: f64 = 2.0;

/// How many times as long as cp a copy without fsync may take.
fn slower(blobs: Blobs) -> f64 {
    match blobs {
        Blobs::Large => 1.25,
        Blobs::Small | Blobs::Steps => 2.0,
    }
}

/// The table, and below it one line for each limit.
pub(super) fn render(blobs: Blobs, rows: &[Row]) -> String {
    let mut out = format!("{blobs}: {:.1} MB\n", blobs.total() as f64 / 1e6);
    let _ = writeln!(
        out,
        "{:<30}{:>5}{:>9}{:>11}{:>9}{:>9}{:>9}{:>10}",
        "", "runs", "best ms", "median ms", "cpu ms", "MB/s", "blobs/s", "peak MiB"
    );
    for row in rows {
        let seconds = row.best().as_secs_f64();
        let cpu = row.used.and_then(|used| used.cpu).map(millis);
        let peak = row.used.and_then(|used| used.peak).map(mebibytes);
        let _ = writeln!(
            out,
            "{:<30}{:>5}{:>9.1}{:>11.1}{:>9}{:>9.0}{:>9.0}{:>10}",
            row.program,
            row.times.len(),
            millis(row.best()),
            millis(row.median()),
            or_dash(cpu),
            blobs.total() as f64 / 1e6 / seconds,
            f64::from(blobs.count()) / seconds,
            or_dash(peak),
        );
    }
    out.push('\n');
    out + &verdicts(&limits(blobs, rows))
}

/// The limits, and whether each is met.
fn limits(blobs: Blobs, rows: &[Row]) -> Vec<Limit> {
    let best = |program: Program| {
        let row = rows.iter().find(|row| row.program == program)?;
        Some(row.best().as_secs_f64())
    };
    let ratio = |one, other| Some(best(one)? / best(other)?);
    let mut limits = Vec::new();
    if let Some(ratio) = ratio(Program::Unsynced, Program::Cp) {
        let limit = slower(blobs);
        let line = format!("without fsync: {ratio:.2} times the time of cp -r (at most {limit})");
        limits.push((ratio <= limit, line));
    }
    if let Some(ratio) = ratio(Program::Skopeo, Program::Synced) {
        let line = format!("with fsync: {ratio:.2} times as fast as skopeo (at least {FASTER})");
        limits.push((ratio >= FASTER, line));
    }
    if let Some(seconds) = best(Program::Again) {
        let ms = seconds * 1e3;
        limits.push((ms < UNCHANGED, format!("unchanged: {ms:.1} ms (under {UNCHANGED})")));
    }
    let ours = [Program::Unsynced, Program::Synced, Program::Again, Program::Rehash];
    let peaks = rows.iter().filter(|row| ours.contains(&row.program)).filter_map(|row| row.used?.peak);
    if let Some(peak) = peaks.max() {
        let peak = mebibytes(peak);
        limits.push((peak < PEAK, format!("memory: {peak:.1} MiB at most (under {PEAK})")));
    }
    limits
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::process::Used;

    fn row(program: Program, millis: u64) -> Row {
        let used = Used { cpu: Some(Duration::from_millis(7)), peak: Some(millis << 20) };
        Row { program, times: vec![Duration::from_millis(millis)], used: Some(used) }
    }

    fn verdicts(blobs: Blobs, times: [u64; 5]) -> Vec<bool> {
        let [cp, unsynced, synced, again, skopeo] = times;
        let rows = [
            row(Program::Cp, cp),
            row(Program::Unsynced, unsynced),
            row(Program::Synced, synced),
            row(Program::Again, again),
            row(Program::Skopeo, skopeo),
        ];
        let text = render(blobs, &rows);
        assert_eq!(text.lines().count(), 2 + rows.len() + 1 + 4, "{text}");
        limits(blobs, &rows).into_iter().map(|(passes, _)| passes).collect()
    }

    #[test]
    fn each_limit_is_met_at_its_value_and_exceeded_beyond_it() {
        assert_eq!(verdicts(Blobs::Large, [20, 25, 47, 29, 94]), [true; 4]);
        assert_eq!(verdicts(Blobs::Large, [20, 26, 48, 30, 95]), [false; 4]);
        assert_eq!(verdicts(Blobs::Small, [20, 40, 40, 29, 80]), [true; 4]);
        assert!(!verdicts(Blobs::Small, [20, 41, 40, 29, 80])[0]);
    }
}
