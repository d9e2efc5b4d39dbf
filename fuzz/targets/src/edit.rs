//! Sources from any bytes, merged, pruned, repaired and compared. The outcome is what the definitions say, and the laws hold.
//!
//! The first byte says what the sources are: lines of text, each a cache config, or random caches that the bytes decide. The
//! second one chooses the options.

use std::collections::BTreeMap;

use cache_edit::{Coherence, EditError, Limits, MergeOptions, Prefer, Selection, Source, diff, keep, merge};
use cache_format::{decode_config, decode_record_line, encode_config};
use cache_model::{
    ANNOTATION_DIFF_ID, CacheChains, CacheConfig, Descriptor, Digest, Graph, MediaType, RecordDigest,
};
use reference::{Cache, Dice, Exported, World, hostile_sources};

use crate::check::{assert_one_line, assert_says_something};

/// More sources would find no more and take longer.
const MOST_SOURCES: usize = 4;
/// Sources with more records are not compared with the reference, which would take too long.
const MOST_COMPARED: usize = 60;

/// How the sources are merged and what is kept of them.
struct Choices {
    merge: MergeOptions,
    limits: Limits,
    /// Decides which blobs are bad.
    salt: u8,
}

/// Runs the target on some bytes.
pub fn run(bytes: &[u8]) {
    let [kind, choices, rest @ ..] = bytes else { return };
    let choices = Choices::of(*choices);
    let sources = match kind % 3 {
        0 => lines(rest),
        1 => hostile_sources(&mut Dice::of_bytes(rest)),
        _ => World::random(&mut Dice::of_bytes(rest)).caches(),
    };
    let chains: Vec<CacheChains> = sources.iter().filter_map(load).collect();
    if chains.len() == sources.len() && !chains.is_empty() {
        check(&sources, &chains, &choices);
    }
}

impl Choices {
    fn of(byte: u8) -> Self {
        let coherence = if byte & 3 == 0 { Coherence::KeepAll } else { Coherence::Coherent };
        let prefer = if byte & 4 == 0 { Prefer::Newest } else { Prefer::First };
        let limits = Limits::default();
        let instant = "2026-01-01T03:00:00Z".parse().expect("the time is well-formed");
        let limits = match byte >> 3 & 3 {
            0 => limits,
            1 => limits.with_older_than(instant),
            2 => limits.with_keep_bytes(u64::from(byte) * 300),
            _ => limits.with_fit(u64::from(byte) * 5 + 2),
        };
        let merge = MergeOptions::default().with_coherence(coherence).with_prefer(prefer);
        Self { merge, limits, salt: byte }
    }

    fn is_bad(&self, blob: &str) -> bool {
        blob.bytes().fold(self.salt, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % 5 == 0
    }
}

/// The configs of some lines. There is a descriptor for each blob that a config names.
fn lines(text: &[u8]) -> Vec<Exported> {
    let lines = text.split(|byte| *byte == b'\n').take(MOST_SOURCES);
    let configs = lines.filter_map(|line| decode_config(line).ok());
    let source = |config: CacheConfig| {
        let blobs = config.layers().iter().filter_map(|layer| layer.blob);
        let descriptors = blobs.map(|blob| lossy(&descriptor(blob).json())).collect();
        Exported { config: lossy(&encode_config(&config)), descriptors }
    };
    configs.map(source).collect()
}

/// The descriptor of a blob. Some blobs are twins: they have one diff ID.
fn descriptor(blob: Digest) -> Descriptor {
    let first = blob.as_bytes()[0];
    let plain = Descriptor::new(MediaType::OCI_LAYER_GZIP, blob, u64::from(first));
    match first % 4 {
        0 => plain,
        _ => plain.with_annotation(ANNOTATION_DIFF_ID, &Digest::sha256([first / 16; 32]).to_string()),
    }
}

fn load(source: &Exported) -> Option<CacheChains> {
    let config = decode_config(source.config.as_bytes()).expect("a written config can be read");
    let layers = source.descriptors.join(",");
    let line =
        format!(r#"{{"digest":"x","results":[{{"createdAt":"2026-01-01T00:00:00Z","layers":[{layers}]}}]}}"#);
    let line = decode_record_line(line.as_bytes()).expect("the descriptors are well-formed");
    match CacheChains::from_config(&config, &line.results[0].layers) {
        Ok(loaded) => Some(loaded.chains),
        Err(error) => {
            assert_says_something(&error);
            None
        }
    }
}

fn check(sources: &[Exported], chains: &[CacheChains], choices: &Choices) {
    let Some(merged) = merged(chains, choices.merge) else { return };
    let graph = graph(&merged);
    let outcome = written(&graph);
    let chosen = Selection::newest(&graph).limited(&choices.limits, &config_size);
    let pruned_chains = keep(&chosen.expect("the limits are not too small")).expect("one graph fits");
    let pruned = written_chains(&pruned_chains);
    let complete = Selection::complete(&graph, &|blob| choices.is_bad(&blob.to_string()));
    let repaired = keep(&complete).expect("one graph fits");

    check_merge(chains, choices, &graph, &outcome);
    check_prune(choices, &pruned_chains, &pruned);
    assert!(!repaired.blobs().any(|blob| choices.is_bad(&blob.digest.to_string())), "a bad blob stays");
    check_diff(&chains[0], &chains[chains.len() - 1]);
    compare(sources, choices, &[&outcome, &pruned, &written_chains(&repaired)]);
}

/// Laws of merging.
fn check_merge(chains: &[CacheChains], choices: &Choices, graph: &Graph<'_>, outcome: &Exported) {
    let twice = [chains, &chains[..1]].concat();
    assert_same(&remerged(&twice, choices.merge), outcome, "with a source twice");
    if choices.merge.prefer == Prefer::Newest {
        let reversed: Vec<CacheChains> = chains.iter().rev().cloned().collect();
        assert_same(&remerged(&reversed, choices.merge), outcome, "in another order");
    }
    let again = load(outcome).expect("a marshalled cache loads");
    if has_one_number_of_inputs(graph) {
        assert_same(&remerged(&[again], choices.merge), outcome, "merged alone");
    }
}

/// Laws of pruning: it keeps to the limit, and doing it again changes nothing.
fn check_prune(choices: &Choices, chains: &CacheChains, pruned: &Exported) {
    let graph = graph(chains);
    let bytes = Selection::newest(&graph).totals().bytes;
    assert!(choices.limits.keep_bytes.is_none_or(|limit| bytes <= limit), "{bytes} bytes are kept");
    let size = pruned.config.len() as u64;
    assert!(choices.limits.fit.is_none_or(|limit| size <= limit), "the config has {size} bytes");
    let again = Selection::newest(&graph).limited(&choices.limits, &config_size);
    let again = keep(&again.expect("the limits are not too small")).expect("one graph fits");
    assert_same(&written_chains(&again), pruned, "pruned again");
}

/// A cache does not differ from itself, and two caches differ as much in either direction.
fn check_diff(a: &CacheChains, b: &CacheChains) {
    assert!(diff(a, a).expect("the cache was merged").is_empty(), "it differs from itself");
    let there = diff(a, b).expect("the caches were merged");
    let back = diff(b, a).expect("the caches were merged");
    assert_eq!(there.records.len(), back.records.len());
    assert_eq!((there.only_a, there.only_b, there.both), (back.only_b, back.only_a, back.both));
}

/// Compares what came of merging, pruning and repairing with the definitions.
fn compare(sources: &[Exported], choices: &Choices, found: &[&Exported; 3]) {
    // The reference writes texts as they are.
    if sources.iter().any(|source| source.config.contains('\\')) {
        return;
    }
    let caches = sources.iter().map(|source| Cache::read(&source.config, &source.descriptors));
    let Some(caches) = caches.collect::<Option<Vec<Cache>>>() else { return };
    if caches.iter().map(Cache::adds_len).sum::<usize>() > MOST_COMPARED {
        return;
    }
    let options = reference::MergeOptions {
        keep_all: choices.merge.coherence == Coherence::KeepAll,
        prefer_first: choices.merge.prefer == Prefer::First,
    };
    let merged = reference::merge(&caches, options).expect("every blob has one size");
    assert_same(found[0], &merged.export(), "merged");
    let limits = reference::Limits {
        older_than: choices.limits.older_than.and_then(|instant| reference::instant(&instant.to_string())),
        keep_bytes: choices.limits.keep_bytes,
        fit: choices.limits.fit.and_then(|bytes| usize::try_from(bytes).ok()),
    };
    let kept = reference::limited(&merged, reference::newest(&merged), &limits);
    assert_same(found[1], &reference::marshal(reference::keep(&merged, &kept), &[]), "pruned");
    let blobs = found[0].descriptors.iter().chain(sources.iter().flat_map(|source| &source.descriptors));
    let blobs = blobs.filter_map(|text| text.split_once(r#""digest":""#)?.1.split_once('"'));
    let bad: Vec<String> =
        blobs.map(|(blob, _)| blob.to_owned()).filter(|blob| choices.is_bad(blob)).collect();
    let complete = reference::complete(&merged, &bad);
    assert_same(found[2], &reference::marshal(reference::keep(&merged, &complete), &[]), "repaired");
}

/// Merges caches. `None` if they are refused.
fn merged(chains: &[CacheChains], options: MergeOptions) -> Option<CacheChains> {
    let sources: Vec<Source<'_>> = chains.iter().map(Source::new).collect();
    match merge(&sources, options) {
        Ok(merged) => Some(merged.chains),
        Err(
            error @ (EditError::SizeConflict { .. } | EditError::Read(_) | EditError::TooContested { .. }),
        ) => {
            assert_one_line(&error);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// The outcome of a merge that is no harder than one that was done.
fn remerged(chains: &[CacheChains], options: MergeOptions) -> Exported {
    written_chains(&merged(chains, options).expect("the caches were merged before"))
}

fn graph(chains: &CacheChains) -> Graph<'_> {
    chains.graph().expect("a merged cache can be read")
}

fn written_chains(chains: &CacheChains) -> Exported {
    written(&graph(chains))
}

fn written(graph: &Graph<'_>) -> Exported {
    let marshalled = graph.marshal(&|_| true);
    let descriptors = marshalled.descriptors.iter().map(|descriptor| lossy(&descriptor.json())).collect();
    Exported { config: lossy(&encode_config(&marshalled.config)), descriptors }
}

fn config_size(config: &CacheConfig) -> u64 {
    encode_config(config).len() as u64
}

fn has_one_number_of_inputs(graph: &Graph<'_>) -> bool {
    let mut numbers: BTreeMap<&RecordDigest, usize> = BTreeMap::new();
    graph.records().all(|record| {
        let inputs = record.inputs_len();
        *numbers.entry(record.digest()).or_insert(inputs) == inputs
    })
}

fn assert_same(found: &Exported, expected: &Exported, what: &str) {
    assert!(found == expected, "{what} it is another cache:\n{found:#?}\nrather than\n{expected:#?}");
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
