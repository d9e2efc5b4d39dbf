//! One large cache: how long pruning it, repairing it and comparing it with another take.
//!
//! The cache is made outside of the measured time. A prune goes from chains to chains, with its report.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cache_edit::{Limits, PruneReport, Selection, diff, keep};
use cache_format::{CacheManifest, ManifestOrIndex, decode_config, encode_config};
use cache_model::{CacheChains, CacheConfig, Digest, Graph, Rule};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::figures::{Limit, mebibytes, millis};
use crate::graph::{Shape, generate};
use crate::memory::peak_bytes;
use crate::process::{run_self, words};

/// The most time of any of this.
const MOST: Duration = Duration::from_millis(300);
/// The largest config that BuildKit imports from a manifest, in bytes.
const BUILDKITS_LIMIT: u64 = 1 << 20;

/// What is done with the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LargeWork {
    /// Dropping what is older than half of the results, then a half of the bytes that are left
    Prune,
    /// Dropping what does not fit into a config that BuildKit imports
    Fit,
    /// Dropping what needs one of a hundred blobs
    Repair,
    /// Comparing it with what a prune leaves of it
    Diff,
}

/// Measures all, each in a process of its own, and prints a line for each.
pub(crate) fn run(records: u32, repeat: u32) -> Result<Vec<Limit>> {
    println!("\n{:>24} {:>9} {:>9} {:>9} {:>9}", "one cache", "records", "outcome", "ms", "B/rec");
    let mut limits = Vec::new();
    for work in LargeWork::value_variants() {
        let name = work.to_possible_value().context("a work without a name")?;
        let (size, times) = (records.to_string(), repeat.to_string());
        let line =
            run_self(&words(&["edit", "--large", name.get_name(), "--records", &size, "--repeat", &times]))?;
        let value: Value =
            serde_json::from_str(&line).context("the measuring process printed something else")?;
        let number = |key: &str| value.get(key).and_then(Value::as_u64).with_context(|| format!("no {key}"));
        let (time, peak) = (Duration::from_nanos(number("time_ns")?), number("peak_bytes")?);
        println!(
            "{:>24} {records:>9} {:>9} {:>9.1} {:>9}",
            name.get_name(),
            number("outcome")?,
            millis(time),
            peak / u64::from(records.max(1)),
        );
        let (peak, most) = (mebibytes(peak), millis(MOST));
        let line =
            format!("{}: {:.0} ms and {peak:.0} MiB; at most {most} ms", name.get_name(), millis(time));
        limits.push((time <= MOST, line));
    }
    Ok(limits)
}

/// Measures one work in this process.
pub(crate) fn measure(work: LargeWork, records: u32, repeat: u32) -> Result<Value> {
    let chains = cache(records)?;
    let graph = chains.graph()?;
    let half = half(&graph)?;
    let other = match work {
        LargeWork::Diff => Some(prune(&graph, &half)?),
        _ => None,
    };
    let (mut best, mut outcome) = (Duration::MAX, 0);
    for _ in 0..repeat {
        let start = Instant::now();
        let (time, records) = match work {
            LargeWork::Prune => {
                let kept = prune(&chains.graph()?, &half)?;
                (start.elapsed(), kept.len())
            }
            LargeWork::Fit => {
                let kept = prune(&chains.graph()?, &Limits::default().with_fit(BUILDKITS_LIMIT))?;
                (start.elapsed(), kept.len())
            }
            LargeWork::Repair => {
                let is_bad = |digest: &Digest| digest.as_bytes().first().is_some_and(|byte| *byte < 3);
                let kept = keep(&Selection::complete(&chains.graph()?, &is_bad))?;
                (start.elapsed(), kept.len())
            }
            LargeWork::Diff => {
                let found = diff(&chains, other.as_ref().context("no other cache")?)?;
                (start.elapsed(), found.records.len())
            }
        };
        (best, outcome) = (best.min(time), records);
    }
    let peak = peak_bytes().context("this system does not report the peak memory of a process")?;
    Ok(json!({"time_ns": u64::try_from(best.as_nanos())?, "outcome": outcome, "peak_bytes": peak}))
}

/// A generated cache, as it is loaded.
fn cache(records: u32) -> Result<CacheChains> {
    let made = generate(Shape::Dag, records);
    let document = ManifestOrIndex::decode(&made.index).context("the index")?;
    let manifest = CacheManifest::from_document(&document).context("the index is no cache")?;
    let config = decode_config(&made.config).context("the config")?;
    let mut chains = CacheChains::from_config(&config, &manifest.layers)?.chains;
    chains.set_rule(Rule::Closed);
    Ok(chains)
}

/// Limits that keep half of the results, and then half of their bytes.
fn half(graph: &Graph<'_>) -> Result<Limits> {
    let newest = Selection::newest(graph);
    let mut instants: Vec<_> = newest.results().map(|(_, result)| result.created_at()).collect();
    instants.sort_unstable();
    let middle = instants.get(instants.len() / 2).context("a cache without results")?;
    Ok(Limits::default().with_older_than(*middle).with_keep_bytes(newest.totals().bytes / 4))
}

fn prune(graph: &Graph<'_>, limits: &Limits) -> Result<CacheChains> {
    let before = Selection::newest(graph);
    let config_size = |config: &CacheConfig| encode_config(config).len() as u64;
    let after = before.clone().limited(limits, &config_size)?;
    std::hint::black_box(PruneReport::of(&before, &after, limits));
    Ok(keep(&after)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_work_leaves_a_part_of_the_cache() {
        for work in LargeWork::value_variants() {
            let outcome = measure(*work, 6000, 1).unwrap()["outcome"].as_u64().unwrap();
            let least = if *work == LargeWork::Diff { 6000 } else { 300 };
            assert!((least..=6000).contains(&outcome), "{work:?}: {outcome}");
            assert_eq!(outcome == 6000, *work == LargeWork::Diff, "{work:?}");
        }
    }
}
