//! `cargo xtask bench edit`: how long merging takes beside uniting the same caches naively, and how long pruning, repairing
//! and comparing a large cache take, against limits.
//!
//! Every measurement is a process of its own. The caches are made in it, outside of the measured time.

mod caches;
mod large;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cache_edit::{MergeOptions, Source, merge};
use cache_model::CacheChains;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use self::caches::Shape;
use self::large::LargeWork;
use crate::figures::{Limit, mebibytes, millis, verdicts};
use crate::memory::peak_bytes;
use crate::process::{run_self, words};

/// The most time of a merge, as a multiple of that of the naive union.
const MOST_TIMES: f64 = 1.5;
/// The most time of a merge.
const MOST: Duration = Duration::from_secs(1);

/// Options of `cargo xtask bench edit`.
#[derive(Args)]
pub(crate) struct Edit {
    /// The number of caches that are merged
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..))]
    caches: u32,
    /// The number of records of the cache that is pruned, repaired and compared
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    records: u32,
    /// How often each is run; the best time counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Measure one shape in this process; the result is a line of JSON
    #[arg(long, hide = true, requires = "work")]
    shape: Option<Shape>,
    /// What is measured
    #[arg(long, hide = true)]
    work: Option<Work>,
    /// What is done with one large cache, in this process
    #[arg(long, hide = true, conflicts_with = "shape")]
    large: Option<LargeWork>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Work {
    /// Uniting all caches and closing their graph
    Union,
    /// Merging them coherently
    Merge,
}

/// The cost of some work.
struct Cost {
    time: Duration,
    /// The records of all caches, then of the outcome.
    records: [u64; 2],
    /// The harmed sources of all contested records.
    cut: u64,
    peak: u64,
}

impl Edit {
    pub(crate) fn run(&self) -> Result<()> {
        if let (Some(shape), Some(work)) = (self.shape, self.work) {
            println!("{}", self.measure(shape, work)?);
            return Ok(());
        }
        if let Some(work) = self.large {
            println!("{}", large::measure(work, self.records, self.repeat)?);
            return Ok(());
        }
        println!(
            "{:>24} {:>9} {:>9} {:>6} {:>9} {:>9} {:>6} {:>13} {:>13}",
            "caches",
            "records",
            "outcome",
            "cut",
            "union ms",
            "merge ms",
            "times",
            "union B/rec",
            "merge B/rec"
        );
        let mut limits = Vec::new();
        for shape in Shape::value_variants() {
            let union = self.elsewhere(*shape, Work::Union)?;
            let merge = self.elsewhere(*shape, Work::Merge)?;
            let times = merge.time.as_secs_f64() / union.time.as_secs_f64();
            let bytes = |cost: &Cost| cost.peak / cost.records[0].max(1);
            println!(
                "{:>24} {:>9} {:>9} {:>6} {:>9.1} {:>9.1} {times:>6.2} {:>13} {:>13}",
                shape.to_string(),
                merge.records[0],
                merge.records[1],
                merge.cut,
                millis(union.time),
                millis(merge.time),
                bytes(&union),
                bytes(&merge),
            );
            limits.extend(verdict(*shape, &merge, times));
        }
        limits.extend(large::run(self.records, self.repeat)?);
        print!("\n{}", verdicts(&limits));
        if limits.iter().all(|(is_met, _)| *is_met) { Ok(()) } else { bail!("over the limits") }
    }

    /// Measures in a process of its own.
    fn elsewhere(&self, shape: Shape, work: Work) -> Result<Cost> {
        let work = work.to_possible_value().context("a work without a name")?;
        let (caches, repeat) = (self.caches.to_string(), self.repeat.to_string());
        let shape = shape.to_string();
        let line = run_self(&words(&[
            "edit",
            "--caches",
            &caches,
            "--repeat",
            &repeat,
            "--shape",
            &shape,
            "--work",
            work.get_name(),
        ]))?;
        let value: Value =
            serde_json::from_str(&line).context("the measuring process printed something else")?;
        let number = |key: &str| value.get(key).and_then(Value::as_u64).with_context(|| format!("no {key}"));
        Ok(Cost {
            time: Duration::from_nanos(number("time_ns")?),
            records: [number("records")?, number("outcome")?],
            cut: number("cut")?,
            peak: number("peak_bytes")?,
        })
    }

    fn measure(&self, shape: Shape, work: Work) -> Result<Value> {
        let caches = caches::make(shape, self.caches)?;
        let records: usize = caches.iter().map(CacheChains::len).sum();
        let (mut best, mut outcome, mut cut) = (Duration::MAX, 0, 0);
        for _ in 0..self.repeat {
            let start = Instant::now();
            match work {
                Work::Union => {
                    let mut united = CacheChains::new();
                    for cache in &caches {
                        united.unite(cache)?;
                    }
                    outcome = united.graph()?.len();
                    best = best.min(start.elapsed());
                }
                Work::Merge => {
                    let sources: Vec<Source<'_>> = caches.iter().map(Source::new).collect();
                    let merged = merge(&sources, MergeOptions::default())?;
                    best = best.min(start.elapsed());
                    outcome = merged.chains.len();
                    cut = merged.report.contested.iter().map(|contested| contested.cut.len()).sum();
                }
            }
        }
        let peak = peak_bytes().context("this system does not report the peak memory of a process")?;
        Ok(json!({
            "time_ns": u64::try_from(best.as_nanos())?,
            "records": records,
            "outcome": outcome,
            "cut": cut,
            "peak_bytes": peak,
        }))
    }
}

fn verdict(shape: Shape, merge: &Cost, times: f64) -> [Limit; 3] {
    let (peak, time) = (mebibytes(merge.peak), millis(merge.time));
    [
        (times <= MOST_TIMES, format!("{shape}: {times:.2} times the naive union; at most {MOST_TIMES}")),
        (merge.time <= MOST, format!("{shape}: {time:.0} ms and {peak:.0} MiB; at most {} ms", millis(MOST))),
        (merge.cut > 0, format!("{shape}: {} times a source was cut; at least once", merge.cut)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_contested_in_each_place_and_cuts_the_losers() {
        for shape in Shape::value_variants() {
            let edit = Edit { caches: 3, records: 1, repeat: 1, shape: None, work: None, large: None };
            let merged = edit.measure(*shape, Work::Merge).unwrap();
            assert_eq!(merged["records"].as_u64(), Some(3 * caches::RECORDS as u64), "{shape}");
            let losers = if shape.is_odd_newest() { 2 } else { 1 };
            assert_eq!(merged["cut"].as_u64(), Some(losers * caches::PLACES as u64), "{shape}");
            let union = edit.measure(*shape, Work::Union).unwrap();
            assert!(union["outcome"].as_u64() < merged["outcome"].as_u64(), "{shape}");
        }
    }
}
