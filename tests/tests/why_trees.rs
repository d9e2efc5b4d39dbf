//! Contexts and layers, read as trees, have the contents by which BuildKit found its records.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, HashMap};

use cache_compress::Decoder;
use cache_explain::Build;
use cache_inputs::{ContextOptions, IgnoreFile, LayerOptions, read_builds, read_context, read_tar};
use cache_keys::{ContentRule, Header, LayerTree, Op, SourceKind, StepOutput, Tree};
use cache_model::{Digest, RecordDigest};
use serde_json::Value;
use tests::why::WhyCase;

/// One input of a step that has a content rule.
struct RuledInput<'b> {
    build: &'b Build,
    step: usize,
    input: usize,
    from: StepOutput,
    rule: ContentRule,
}

fn ruled_inputs(builds: &[Build]) -> Vec<RuledInput<'_>> {
    let mut inputs = Vec::new();
    for build in builds {
        for (step, data) in build.definition.steps().iter().enumerate() {
            for ((input, from), dep) in data.inputs.iter().enumerate().zip(data.deps()) {
                inputs.extend(dep.content.map(|rule| RuledInput { build, step, input, from: *from, rule }));
            }
        }
    }
    inputs
}

impl RuledInput<'_> {
    /// The local folder that it is.
    fn local(&self) -> Option<&str> {
        match &self.build.definition.steps()[self.from.step].op {
            Op::Source(source) => match source.kind() {
                SourceKind::Local(name) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a record has this input among its names.
    fn names(&self, record: &Value) -> bool {
        let lines = self.build.locations[self.step].iter().map(|location| location.first_line as u64).min();
        record["names"].as_array().unwrap().iter().any(|name| {
            name["of"].is_null()
                && name["line"].as_u64() == lines
                && name["input"].as_u64() == Some(self.input as u64)
        })
    }
}

/// The records of contents that the truth has, by digest. Few builds have no list of records.
fn content_records(case: &WhyCase) -> Option<BTreeMap<RecordDigest, &Value>> {
    let records = case.truth["records"].as_array()?.iter().filter(|record| record["kind"] == "content");
    Some(records.map(|record| (RecordDigest::new(record["digest"].as_str().unwrap()), record)).collect())
}

/// Checks that the content of each input whose tree is known is a record that has the input among its names, and that no other
/// record has it. Returns how many inputs and how many records that were.
fn check(case: &WhyCase, tree_of: &dyn Fn(&RuledInput<'_>) -> Option<Tree>) -> (usize, usize) {
    let builds = read_builds(&case.provenance()).unwrap();
    let Some(mut records) = content_records(case) else { return (0, 0) };
    let inputs = ruled_inputs(&builds);
    let known: Vec<_> = inputs.iter().filter_map(|input| Some((input, tree_of(input)?))).collect();
    let contents: Vec<_> = known
        .iter()
        .map(|(input, tree)| {
            let content = tree.content(&input.rule).unwrap();
            let record = records.get(&content).unwrap_or_else(|| panic!("{}: {:?}", case.name, input.rule));
            assert!(input.names(record), "{}: {record}", case.name);
            content
        })
        .collect();
    let found = contents.iter().filter(|content| records.remove(content).is_some()).count();
    for (input, _) in &known {
        for record in records.values() {
            assert!(!input.names(record), "{}: {record}", case.name);
        }
    }
    (known.len(), found)
}

fn sum(counts: impl Iterator<Item = (usize, usize)>) -> (usize, usize) {
    counts.fold((0, 0), |(inputs, records), (more, found)| (inputs + more, records + found))
}

fn contexts(case: &WhyCase) -> BTreeMap<String, Tree> {
    let contexts = case.contexts().into_iter().map(|(name, folder)| {
        let mut options = ContextOptions::default();
        if name == "context" {
            options.ignore = IgnoreFile::OfDockerfile(case.folder.join("Dockerfile"));
        }
        let tree = read_context(&folder, &options, &()).unwrap();
        (name, tree)
    });
    contexts.collect()
}

/// The layers of a cache, by digest.
fn layers(case: &WhyCase) -> HashMap<Digest, LayerTree> {
    let chains = case.chains();
    let graph = chains.graph().unwrap();
    let blobs = graph.blobs().map(|layer| {
        let blob = case.blob(&layer.digest);
        let tar = Decoder::new(&*blob, u64::MAX).unwrap();
        (layer.digest, read_tar(tar, &LayerOptions::default()).unwrap())
    });
    blobs.collect()
}

#[test]
fn a_folder_has_the_content_of_every_record_that_was_made_from_it() {
    let counts = WhyCase::all().into_iter().map(|case| {
        let contexts = contexts(&case);
        check(&case, &|input| Some(contexts[input.local()?].clone()))
    });
    // Two steps may read the same files.
    assert_eq!(sum(counts), (145, 142));
}

#[test]
fn layers_on_one_another_have_the_content_of_every_record_that_was_made_from_them() {
    let counts = WhyCase::all().into_iter().map(|case| {
        let layers = layers(&case);
        check(&case, &|input| {
            let list = input.build.layers.get(&input.from)?.first()?;
            let mut tree = Tree::rooted(Header::default());
            for layer in list {
                tree.apply(layers.get(&layer.digest)?).unwrap();
            }
            Some(tree)
        })
    });
    assert_eq!(sum(counts), (93, 93));
}
