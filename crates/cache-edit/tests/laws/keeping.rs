//! Laws of keeping a part of a cache, of repairing and of comparing.

use cache_edit::{Coherence, Limits, MergeOptions, Selection, diff, keep};
use cache_format::encode_config;
use cache_model::{CacheChains, CacheConfig, Digest, Timestamp};
use proptest::prelude::*;
use reference::{Exported, instant};

use crate::support::{load, load_all, merged, read_all, sources, worlds, written_chains};

/// Instants of the generated caches, and some between them.
const INSTANTS: [&str; 9] = [
    "0001-01-01T00:00:00Z",
    "2026-01-01T01:00:00Z",
    "2026-01-01T02:30:00Z",
    "2026-01-01T04:00:00Z",
    "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05.5Z",
    "2026-01-02T04:04:06.123456789+01:00",
    "2026-01-02T23:59:59.999999999Z",
    "9999-12-31T23:59:59Z",
];

/// Limits for caches of any size.
#[derive(Clone, Debug)]
struct Parts {
    older_than: Option<&'static str>,
    /// The bytes of blobs and of the config, each as a part of what the whole cache has.
    keep_bytes: Option<prop::sample::Index>,
    fit: Option<prop::sample::Index>,
}

impl Parts {
    fn of(&self, cache: &CacheChains) -> Limits {
        let graph = cache.graph().unwrap();
        let bytes = usize::try_from(Selection::newest(&graph).totals().bytes).unwrap();
        let config = written_chains(cache).config.len();
        let part = |index: prop::sample::Index, all: usize| u64::try_from(index.index(all + 2)).unwrap();
        let mut limits = Limits::default();
        limits.older_than = self.older_than.map(|text| text.parse::<Timestamp>().unwrap());
        limits.keep_bytes = self.keep_bytes.map(|index| part(index, bytes));
        limits.fit = self.fit.map(|index| part(index, config).max(2));
        limits
    }

    /// The same limits for the reference.
    fn of_reference(&self, limits: &Limits) -> reference::Limits {
        reference::Limits {
            older_than: self.older_than.map(|text| instant(text).unwrap()),
            keep_bytes: limits.keep_bytes,
            fit: limits.fit.map(|bytes| usize::try_from(bytes).unwrap()),
        }
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    let instant = prop::option::of(prop::sample::select(&INSTANTS[..]));
    (instant, any::<Option<prop::sample::Index>>(), any::<Option<prop::sample::Index>>())
        .prop_map(|(older_than, keep_bytes, fit)| Parts { older_than, keep_bytes, fit })
}

fn one_part() -> impl Strategy<Value = Parts> {
    (parts(), 0..3u8).prop_map(|(parts, one)| Parts {
        older_than: parts.older_than.filter(|_| one == 0),
        keep_bytes: parts.keep_bytes.filter(|_| one == 1),
        fit: parts.fit.filter(|_| one == 2),
    })
}

fn config_size(config: &CacheConfig) -> u64 {
    encode_config(config).len() as u64
}

fn pruned(cache: &CacheChains, limits: &Limits) -> CacheChains {
    let graph = cache.graph().unwrap();
    keep(&Selection::newest(&graph).limited(limits, &config_size).unwrap()).unwrap()
}

/// Each blob is bad in one of five caches or so.
fn is_bad(blob: &str, salt: u8) -> bool {
    blob.bytes().fold(salt, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % 5 == 0
}

/// The blobs of caches that are bad.
fn bad_blobs(cache: &Exported, salt: u8) -> Vec<String> {
    let blobs = cache.descriptors.iter().filter_map(|text| text.split_once(r#""digest":""#));
    let blobs = blobs.filter_map(|(_, rest)| rest.split_once('"')).map(|(blob, _)| blob.to_owned());
    blobs.filter(|blob| is_bad(blob, salt)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Law: pruning gives what its definition gives.
    #[test]
    fn pruning_gives_what_its_definition_gives(caches in sources(), parts in parts()) {
        let Some(cache) = merged(&load_all(&caches), MergeOptions::default()) else { return Ok(()) };
        let limits = parts.of(&cache.chains);
        let read = read_all(&caches);
        let expected = reference::merge(&read, reference::MergeOptions::default()).unwrap();
        let of_reference = parts.of_reference(&limits);
        let selection = reference::limited(&expected, reference::newest(&expected), &of_reference);
        let expected = reference::marshal(reference::keep(&expected, &selection), &[]);
        prop_assert_eq!(written_chains(&pruned(&cache.chains, &limits)), expected);
    }

    /// Law: repairing gives what its definition gives.
    #[test]
    fn repairing_gives_what_its_definition_gives(caches in sources(), salt: u8) {
        let Some(cache) = merged(&load_all(&caches), MergeOptions::default()) else { return Ok(()) };
        let graph = cache.chains.graph().unwrap();
        let complete = Selection::complete(&graph, &|blob: &Digest| is_bad(&blob.to_string(), salt));
        let repaired = keep(&complete).unwrap();
        let bad: Vec<String> = caches.iter().flat_map(|cache| bad_blobs(cache, salt)).collect();
        let read = read_all(&caches);
        let expected = reference::merge(&read, reference::MergeOptions::default()).unwrap();
        let selection = reference::complete(&expected, &bad);
        let expected = reference::marshal(reference::keep(&expected, &selection), &[]);
        prop_assert_eq!(written_chains(&repaired), expected);
    }

    /// Law: comparing gives what its definition gives.
    #[test]
    fn comparing_gives_what_its_definition_gives(caches in sources(), of: [prop::sample::Index; 2]) {
        let (chains, read) = (load_all(&caches), read_all(&caches));
        let [a, b] = of.map(|index| index.index(caches.len()));
        match (diff(&chains[a], &chains[b]), reference::diff(&read[a], &read[b])) {
            (Ok(found), Ok(expected)) => {
                let row = |row: &cache_edit::RecordDiff| reference::DiffRow {
                    digest: row.digest.to_string(),
                    of: row.presence.name(),
                    result: row.change.name(),
                };
                prop_assert_eq!(found.records.iter().map(row).collect::<Vec<_>>(), expected);
            }
            (Err(cache_edit::EditError::SizeConflict { .. }), Err(_)) => {}
            (found, expected) => panic!("{found:?} rather than {expected:?}"),
        }
    }

    /// Law: pruning again with the same limit changes nothing, not even when the cache was written in between.
    #[test]
    fn pruning_again_changes_nothing(world in worlds(), parts in one_part()) {
        let cache = merged(&load_all(&world.caches()), MergeOptions::default()).unwrap().chains;
        let limits = parts.of(&cache);
        let once = written_chains(&pruned(&cache, &limits));
        let closed = merged([&load(&once)], MergeOptions::default()).unwrap().chains;
        prop_assert_eq!(written_chains(&pruned(&closed, &limits)), once);
    }

    /// Law: without limits, a cache whose records all lead to results stays as it is.
    #[test]
    fn pruning_without_limits_keeps_what_leads_to_results(world in worlds()) {
        let caches = load_all(&world.with_all_results().caches());
        let keep_all = MergeOptions::default().with_coherence(Coherence::KeepAll);
        let cache = merged(&caches, keep_all).unwrap().chains;
        prop_assert_eq!(written_chains(&pruned(&cache, &Limits::default())), written_chains(&cache));
    }
}
