//! What comes out of merging, pruning and repairing is sound: `verify` finds nothing in its config and its manifest.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use cache_edit::{Coherence, Limits, MergeOptions, Selection, Source, keep, merge};
use cache_format::{Form, decode_config, decode_record_line, encode_config, pack};
use cache_ingest::{Expect, Job, MemoryStore, Name, Publisher};
use cache_model::{CacheChains, CacheConfig, Digest};
use cache_verify::{VerifyOptions, verify};
use proptest::prelude::*;
use reference::{Dice, Exported, World};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

fn load(cache: &Exported) -> CacheChains {
    let layers = cache.descriptors.join(",");
    let line =
        format!(r#"{{"digest":"x","results":[{{"createdAt":"2026-01-01T00:00:00Z","layers":[{layers}]}}]}}"#);
    let line = decode_record_line(line.as_bytes()).unwrap();
    let config = decode_config(cache.config.as_bytes()).unwrap();
    CacheChains::from_config(&config, &line.results[0].layers).unwrap().chains
}

/// The codes of what `verify` finds in a cache whose manifest and config alone are stored.
fn findings(chains: &CacheChains) -> BTreeSet<&'static str> {
    let marshalled = chains.marshal(&|_| true).unwrap();
    let layers: Vec<_> = marshalled.layer_descriptors().cloned().collect();
    let packed = pack(Form::Manifest, &marshalled.config, &layers).unwrap();
    let store = MemoryStore::new();
    for blob in packed.metadata {
        store.insert(blob.descriptor.media_type, blob.bytes);
    }
    let report = RUNTIME.block_on(async {
        let root = packed.root;
        store.publish(&Name::Unspecified, &root.descriptor, root.bytes, Expect::Any).await.unwrap();
        let options = VerifyOptions::default().with_blobs(false);
        verify(&store, &Name::Unspecified, &options, &Job::without_retries()).await.unwrap()
    });
    report.findings.iter().map(|finding| finding.kind.code()).collect()
}

/// One in four blobs, by its digest.
fn is_bad(blob: &Digest) -> bool {
    blob.as_bytes()[0] < 64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Law: whatever comes out of merging, pruning and repairing the caches of a build passes `verify`. The blobs are absent,
    /// which is all that it may find.
    #[test]
    fn whatever_comes_out_passes_verify(seed: u64, keep_all: bool, bytes in 0u64..200_000, fit in 2u64..3000) {
        let caches: Vec<CacheChains> =
            World::random(&mut Dice::seeded(seed)).caches().iter().map(load).collect();
        let sources: Vec<Source<'_>> = caches.iter().map(Source::new).collect();
        let coherence = if keep_all { Coherence::KeepAll } else { Coherence::Coherent };
        let merged = merge(&sources, MergeOptions::default().with_coherence(coherence)).unwrap().chains;
        let graph = merged.graph().unwrap();
        let size = |config: &CacheConfig| encode_config(config).len() as u64;
        let pruned = |limits: Limits| {
            keep(&Selection::newest(&graph).limited(&limits, &size).unwrap()).unwrap()
        };
        for outcome in [
            merged.clone(),
            pruned(Limits::default()),
            pruned(Limits::default().with_older_than("2026-01-01T02:30:00Z".parse().unwrap())),
            pruned(Limits::default().with_keep_bytes(bytes)),
            pruned(Limits::default().with_fit(fit)),
            keep(&Selection::complete(&graph, &is_bad)).unwrap(),
        ] {
            let found = findings(&outcome);
            prop_assert!(found.is_subset(&BTreeSet::from(["missing-blob"])), "{found:?}");
        }
    }
}
