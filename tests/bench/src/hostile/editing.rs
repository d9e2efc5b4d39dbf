//! The cost of editing hostile caches: merging them, then pruning, repairing and comparing what came out.
//!
//! Every case is measured in a process of its own. It is done or refused.

use std::time::Duration;

use anyhow::{Context, Result};
use cache_edit::{EditError, Limits, MergeOptions, PruneReport, Selection, Source, diff, keep, merge};
use cache_format::{decode_config, encode_config};
use cache_model::{CacheChains, CacheConfig, Digest, Graph};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::loading::{descriptors, timed};
use super::shapes::{self, Shape};
use super::sources::{self, Contention};
use crate::memory::peak_bytes;
use crate::process::{run_self, words};

/// The steps that are measured, as they are named in the table and in JSON.
const STEPS: [&str; 5] = ["load", "merge", "prune", "repair", "diff"];

/// Measures each case in another process and prints a line for it. Gives what is above the limits.
pub(super) fn run(
    shapes: &[Shape],
    contentions: &[Contention],
    megabytes: usize,
    limits: [f64; 2],
) -> Result<Vec<String>> {
    let [most_seconds, most_mebibytes] = limits;
    println!(
        "\n{:>9} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8} {:>9}  refused",
        "edited", "MB", "load ms", "merge ms", "prune ms", "repair ms", "diff ms", "peak MiB",
    );
    let cases = shapes.iter().map(|shape| ("--shapes", shape.to_possible_value()));
    let cases =
        cases.chain(contentions.iter().map(|contention| ("--contentions", contention.to_possible_value())));
    let mut over = Vec::new();
    for (option, name) in cases {
        let name = name.context("a case without a name")?;
        let name = name.get_name();
        let size = megabytes.to_string();
        let line = run_self(&words(&["hostile", "--here", "--edit", "--megabytes", &size, option, name]))?;
        let value: Value =
            serde_json::from_str(&line).context("the measuring process printed something else")?;
        let number = |key: &str| value.get(key).and_then(Value::as_f64).with_context(|| format!("no {key}"));
        let peak = number("peak")?;
        let mut cells = format!("{name:>9} {:>8.2}", number("bytes")? / 1e6);
        for step in STEPS {
            let seconds = number(step)?;
            let width = format!("{step} ms").len().max(8);
            cells.push_str(&format!(" {:>width$.0}", seconds * 1e3));
            if seconds > most_seconds {
                over.push(format!("{name} {step}: {seconds:.2} s"));
            }
        }
        let refused = value.get("refused").and_then(Value::as_str).context("no refused")?;
        println!("{cells} {peak:>9.0}  {refused}");
        if peak > most_mebibytes {
            over.push(format!("{name}: {peak:.0} MiB"));
        }
    }
    Ok(over)
}

/// Merges, prunes, repairs and compares a shape in this process.
pub(super) fn measure_shape(shape: Shape, bytes: usize) -> Result<Value> {
    measure(&[shapes::config(shape, bytes)])
}

/// Merges sources in this process, and prunes, repairs and compares the outcome.
pub(super) fn measure_contention(contention: Contention, bytes: usize) -> Result<Value> {
    measure(&sources::configs(contention, bytes))
}

fn measure(texts: &[Vec<u8>]) -> Result<Value> {
    let (loaded, load) = timed(|| texts.iter().map(|text| chains(text)).collect::<Result<Vec<_>>>());
    let loaded = loaded?;
    let sources: Vec<Source<'_>> = loaded.iter().map(Source::new).collect();
    let mut refused = Vec::new();
    let (merged, merging) = timed(|| merge(&sources, MergeOptions::default()));
    let (mut pruning, mut repairing) = (Duration::ZERO, Duration::ZERO);
    match merged {
        Ok(merged) => match merged.chains.graph() {
            Ok(graph) => {
                pruning = prune(&graph)?;
                let is_bad = |digest: &Digest| digest.as_bytes().last().is_some_and(|byte| *byte < 3);
                let (repaired, time) = timed(|| keep(&Selection::complete(&graph, &is_bad)));
                repaired?;
                repairing = time;
            }
            Err(error) => refuse("graph", error.into(), &mut refused)?,
        },
        Err(error) => refuse("merge", error, &mut refused)?,
    }
    let (first, last) = loaded.first().zip(loaded.last()).context("no source")?;
    let (compared, comparing) = timed(|| diff(first, last));
    if let Err(error) = compared {
        refuse("diff", error, &mut refused)?;
    }
    let peak = peak_bytes().context("this system does not report the peak memory of a process")?;
    Ok(json!({
        "bytes": texts.iter().map(Vec::len).sum::<usize>(),
        "load": load.as_secs_f64(),
        "merge": merging.as_secs_f64(),
        "prune": pruning.as_secs_f64(),
        "repair": repairing.as_secs_f64(),
        "diff": comparing.as_secs_f64(),
        "peak": peak as f64 / 1_048_576.0,
        "refused": refused.join(", "),
    }))
}

fn chains(text: &[u8]) -> Result<CacheChains> {
    let config = decode_config(text)?;
    Ok(CacheChains::from_config(&config, &descriptors(&config))?.chains)
}

/// The longest time of a prune by one of the limits, each of which drops a part.
fn prune(graph: &Graph<'_>) -> Result<Duration> {
    let before = Selection::newest(graph);
    let config_size = |config: &CacheConfig| encode_config(config).len() as u64;
    let whole = config_size(&keep(&before)?.marshal(&|_| true)?.config);
    let mut longest = Duration::ZERO;
    for limits in [
        Limits::default().with_older_than("2024-01-01T00:00:30Z".parse()?),
        Limits::default().with_keep_bytes(before.totals().bytes / 2),
        Limits::default().with_fit(whole / 2 + 2),
    ] {
        let (pruned, time) = timed(|| -> Result<CacheChains, EditError> {
            let after = before.clone().limited(&limits, &config_size)?;
            std::hint::black_box(PruneReport::of(&before, &after, &limits));
            keep(&after)
        });
        pruned?;
        longest = longest.max(time);
    }
    Ok(longest)
}

/// Notes a refusal for the limit on work; any other error is one.
fn refuse(what: &'static str, error: EditError, refused: &mut Vec<&'static str>) -> Result<()> {
    match error {
        EditError::TooContested { .. } | EditError::Read(_) => {
            refused.push(what);
            Ok(())
        }
        error => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contention_has_its_size_and_is_merged_or_refused_for_its_contests() {
        for contention in Contention::value_variants() {
            let texts = sources::configs(*contention, 300_000);
            let bytes: usize = texts.iter().map(Vec::len).sum();
            assert!((250_000..350_000).contains(&bytes), "{contention:?}: {bytes}");
            let loaded: Vec<CacheChains> = texts.iter().map(|text| chains(text).unwrap()).collect();
            let sources: Vec<Source<'_>> = loaded.iter().map(Source::new).collect();
            match merge(&sources, MergeOptions::default()) {
                Ok(merged) => assert!(!merged.report.contested.is_empty(), "{contention:?}"),
                Err(error) => {
                    assert!(matches!(error, EditError::TooContested { .. }), "{contention:?}: {error}");
                }
            }
        }
    }

    #[test]
    fn every_shape_is_edited_or_refused() {
        for shape in Shape::value_variants() {
            measure_shape(*shape, 200_000).unwrap();
        }
    }
}
