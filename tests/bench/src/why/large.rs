//! Names and causes of a large build without layers: it is compared with a build before it in which one command was another.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cache_explain::{Build, BuildInputs, Cache, NewSide, OldSide, explain, name_records};
use cache_inputs::read_builds;
use cache_keys::ContentRule;
use cache_model::{Descriptor, Digest, MediaType, RecordDigest};
use serde_json::{Value, json};

use super::cache::{self, Made};
use super::record::Record;
use crate::memory::peak_bytes;

/// The stages of the build.
const STAGES: usize = 9;
/// The pairs of a COPY and a RUN in each stage. With the content of each COPY that is 2,700 records, and a few for the
/// image and the last stage.
const PAIRS: usize = 100;

/// A build that has one record for each step, and layers that only have a name.
struct Named;

impl Made for Named {
    fn content(&mut self, step: usize, input: usize, _: &ContentRule) -> Result<RecordDigest> {
        Ok(RecordDigest::of_content(Digest::of(format!("content {step} {input}"))))
    }

    fn layer(&mut self, step: usize) -> Result<Descriptor> {
        Ok(Descriptor::of(MediaType::OCI_LAYER_GZIP, format!("layer {step}")))
    }
}

/// Measures in this process: the best of several runs.
pub(crate) fn measure(repeat: u32) -> Result<Value> {
    let [old, new] = [build("make")?, build("make all")?];
    let chains = [cache::chains(&old, &mut Named)?, cache::chains(&new, &mut Named)?];
    let [old_graph, new_graph] = [chains[0].graph()?, chains[1].graph()?];
    let (layers, contexts) = (HashMap::new(), BTreeMap::new());
    let (mut best, mut named, mut causes) = (Duration::MAX, 0, 0);
    for _ in 0..repeat {
        let start = Instant::now();
        let [old_cache, new_cache] = [&old_graph, &new_graph].map(|graph| Cache::new(graph, &layers));
        let [old, new] = [&old, &new].map(|build| [BuildInputs::new(build)]);
        let dictionary = name_records(&new_cache, &new);
        let old = OldSide { builds: &old, contexts: &contexts, cache: &old_cache };
        let explanation = explain(&NewSide { builds: &new, cache: Some(&new_cache) }, &old);
        best = best.min(start.elapsed());
        let records = new_graph.records();
        named = records.filter(|record| !dictionary.names(record.digest()).is_empty()).count();
        causes = explanation.causes.len();
    }
    let peak = peak_bytes().context("this system does not report the peak memory of a process")?;
    Ok(json!({
        "time_ns": u64::try_from(best.as_nanos())?,
        "records": new_graph.len(),
        "named": named,
        "causes": causes,
        "peak_bytes": peak,
    }))
}

fn build(command: &str) -> Result<Build> {
    let mut record = Record::default();
    let (context, hex) = (record.context(), "0".repeat(64));
    let image = record.image("example.com/base:1", &hex);
    let mut ends = Vec::new();
    for stage in 0..STAGES {
        let mut last = image;
        for pair in 0..PAIRS {
            last = record.copy(Some(last), context, &format!("src/{stage}/{pair}"));
            let command = if (stage, pair) == (STAGES / 2, PAIRS / 2) { command } else { "make" };
            last = record.run(last, &format!("{command} {stage} {pair}"));
        }
        ends.push(last);
    }
    let mut result = image;
    for (stage, end) in ends.into_iter().enumerate() {
        result = record.copy(Some(result), end, &format!("out/{stage}"));
    }
    let builds = read_builds(&record.predicate(result))?;
    builds.into_iter().next().context("a record without a build")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_of_the_large_build_has_a_name_and_one_command_is_the_cause() {
        let measured = measure(1).unwrap();
        assert!(measured["records"].as_u64() >= Some(2700), "{measured}");
        assert_eq!(measured["named"], measured["records"]);
        assert_eq!(measured["causes"].as_u64(), Some(1));
    }
}
