//! The table of a registry bench, and its limits, as text.
//!
//! It formats; it measures nothing.

use std::fmt::Write as _;

use super::row::{Job, Row};
use crate::figures::{Limit, mebibytes, millis, or_dash, verdicts};
use crate::layouts::Blobs;

/// The most memory that a copy may hold, in MiB.
const PEAK: f64 = 64.0;
/// How many times as fast as skopeo a copy has to be.
const FASTER: f64 = 2.0;
/// How many times as long as the bare sending a push may take.
const SLOWER: f64 = 1.25;

/// The table, and below it one line for each limit.
pub(super) fn render(blobs: Blobs, rows: &[Row]) -> String {
    let mut out = format!("{blobs}: {:.1} MB\n", blobs.total() as f64 / 1e6);
    let _ = writeln!(
        out,
        "{:<30}{:>5}{:>9}{:>11}{:>9}{:>14}{:>9}{:>10}",
        "", "runs", "best ms", "median ms", "cpu ms", "registry's", "MB/s", "peak MiB"
    );
    for row in rows {
        let cpu = row.used.cpu.map(millis);
        let peak = row.used.peak.map(mebibytes);
        let _ = writeln!(
            out,
            "{:<30}{:>5}{:>9.0}{:>11.0}{:>9}{:>14}{:>9.0}{:>10}",
            row.job,
            row.times.len(),
            millis(row.best()),
            millis(row.median()),
            or_dash(cpu),
            or_dash(row.server.map(millis)),
            blobs.total() as f64 / 1e6 / row.best().as_secs_f64(),
            or_dash(peak),
        );
    }
    out.push('\n');
    out + &verdicts(&limits(rows))
}

/// The limits, and whether each is met.
fn limits(rows: &[Row]) -> Vec<Limit> {
    let row = |job: Job| rows.iter().find(|row| row.job == job);
    let mut limits = Vec::new();
    for (what, theirs, ours) in [
        ("push", Job::SkopeoPush, Job::Push),
        ("pull, without fsync", Job::SkopeoPull, Job::UnsyncedPull),
        ("pull", Job::SkopeoPull, Job::Pull),
    ] {
        if let (Some(theirs), Some(ours)) = (row(theirs), row(ours)) {
            let ratio = theirs.best().as_secs_f64() / ours.best().as_secs_f64();
            let line = format!("{what}: {ratio:.2} times as fast as skopeo (at least {FASTER})");
            limits.push((ratio >= FASTER, line));
        }
    }
    if let (Some(bare), Some(ours)) = (row(Job::BarePush), row(Job::Push)) {
        let ratio = ours.best().as_secs_f64() / bare.best().as_secs_f64();
        let line =
            format!("push: {ratio:.2} times as long as sendfile, which checks nothing (at most {SLOWER})");
        limits.push((ratio <= SLOWER, line));
    }
    let ours = [Job::Push, Job::UnsyncedPull, Job::Pull].into_iter().filter_map(row);
    if let Some(peak) = ours.filter_map(|row| row.used.peak).max() {
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

    fn row(job: Job, millis: u64) -> Row {
        Row {
            job,
            times: vec![Duration::from_millis(millis)],
            used: Used { cpu: None, peak: Some(millis << 20) },
            server: None,
        }
    }

    fn verdicts(times: [u64; 6]) -> Vec<bool> {
        let rows: Vec<Row> = Job::ALL.into_iter().zip(times).map(|(job, millis)| row(job, millis)).collect();
        let text = render(Blobs::Large, &rows);
        assert_eq!(text.lines().count(), 2 + rows.len() + 1 + 5, "{text}");
        limits(&rows).into_iter().map(|(passes, _)| passes).collect()
    }

    #[test]
    fn each_limit_is_met_at_its_value_and_exceeded_beyond_it() {
        assert_eq!(verdicts([52, 126, 63, 126, 63, 63]), [true; 5]);
        assert_eq!(verdicts([48, 120, 60, 120, 60, 60]), [true; 5]);
        assert_eq!(verdicts([51, 127, 64, 127, 64, 64]), [false; 5]);
    }
}
