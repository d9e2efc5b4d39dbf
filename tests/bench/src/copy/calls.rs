//! The system calls of a copy, as strace counts them.
//!
//! Tracing slows a program down, so it has runs of its own, which are not timed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::programs::{Program, Programs};
use crate::layouts::{Blobs, Layout};
use crate::process::run_quietly;

/// The traced programs; the last one copies into the output of the one before.
const TRACED: [Program; 4] = [Program::Cp, Program::Unsynced, Program::Synced, Program::Again];
/// The number of calls that are listed by name.
const LISTED: usize = 8;

/// One line for each program: the calls for each blob, and their names. Empty without strace.
pub(super) fn count(blobs: Blobs, programs: &Programs, source: &Layout, folder: &Path) -> Result<String> {
    let mut out = String::new();
    if !programs.has_strace() {
        return Ok(out);
    }
    fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    out.push_str("\nsystem calls a blob (strace -f -c)\n");
    for program in TRACED {
        let report = folder.join("report");
        let line = programs.command(program, source.path(), &folder.join(program.folder()))?;
        run_quietly(Command::new("strace").args(["-f", "-c", "-o"]).arg(&report).args(line))?;
        let text =
            fs::read_to_string(&report).with_context(|| format!("cannot read {}", report.display()))?;
        out.push_str(&in_words(&program.to_string(), &parse(&text), blobs.count()));
    }
    Ok(out)
}

/// The number of calls by name.
fn parse(report: &str) -> BTreeMap<&str, u32> {
    report.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<(&str, u32)> {
    let mut words = line.split_whitespace();
    let calls = words.nth(3)?.parse().ok()?;
    let name = words.next_back().filter(|name| *name != "total")?;
    Some((name, calls))
}

fn in_words(program: &str, calls: &BTreeMap<&str, u32>, blobs: u32) -> String {
    let each = |calls: u32| f64::from(calls) / f64::from(blobs.max(1));
    let mut most: Vec<(&str, u32)> = calls.iter().map(|(name, calls)| (*name, *calls)).collect();
    most.sort_by_key(|(name, calls)| (std::cmp::Reverse(*calls), *name));
    let mut out = format!("{program:<30}{:>6.1}:", each(calls.values().sum()));
    for (position, (name, calls)) in most.iter().take(LISTED).enumerate() {
        let _ = write!(out, "{} {name} {:.1}", if position == 0 { "" } else { "," }, each(*calls));
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_are_read_from_a_report_with_and_without_errors() {
        let report = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 55.02    0.000170           8        20         2 openat
 44.98    0.000139          27         5           read
------ ----------- ----------- --------- --------- ----------------
100.00    0.000309          12        25         2 total
";
        let calls = parse(report);
        assert_eq!(calls, BTreeMap::from([("openat", 20), ("read", 5)]));
        assert_eq!(in_words("cp", &calls, 10), format!("{:<30}   2.5: openat 2.0, read 0.5\n", "cp"));
    }
}
