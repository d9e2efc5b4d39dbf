//! Builds from merged caches: whether their images hold parts of two runs of one step.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use reference::{Cache, Dice, MergeOptions, World, build, merge};

const NAIVE: MergeOptions = MergeOptions { keep_all: true, prefer_first: false };
const COHERENT: MergeOptions = MergeOptions { keep_all: false, prefer_first: false };
const PREFER_FIRST: MergeOptions = MergeOptions { keep_all: false, prefer_first: true };

/// What the builds of some worlds did.
#[derive(Debug, Default)]
struct Tally {
    builds: usize,
    /// The builds with a mixed image.
    mixed: usize,
    /// The steps that were not run.
    hits: usize,
}

/// Builds every target of some worlds from their merged caches, with no step changed and with each step changed.
fn tally<'w>(worlds: impl IntoIterator<Item = &'w World>, options: MergeOptions) -> Tally {
    let mut tally = Tally::default();
    for world in worlds {
        let caches = world.caches();
        let caches: Vec<Cache> =
            caches.iter().map(|cache| Cache::read(&cache.config, &cache.descriptors).unwrap()).collect();
        let merged = merge(&caches, options).unwrap();
        for target in world.leaves() {
            let closure = world.closure(target);
            for changed in closure.iter().map(|step| Some(*step)).chain([None]) {
                let outcome = build(world, &merged.records, target, changed);
                tally.builds += 1;
                tally.mixed += usize::from(outcome.is_mixed);
                tally.hits += closure.len() - outcome.ran;
            }
        }
    }
    tally
}

fn worlds() -> Vec<World> {
    (0..400).map(|seed| World::random(&mut Dice::seeded(seed))).collect()
}

#[test]
fn a_coherent_merge_mixes_no_runs_where_a_source_saw_the_whole_build() {
    let worlds: Vec<World> = worlds().into_iter().map(World::with_all_results).collect();
    let whole: Vec<&World> = worlds.iter().filter(|world| world.has_whole_cache()).collect();
    let (naive, coherent) = (tally(whole.iter().copied(), NAIVE), tally(whole.iter().copied(), COHERENT));
    assert!(naive.mixed > 10, "{naive:?}");
    assert_eq!(coherent.mixed, 0, "{coherent:?}");
    assert_eq!(tally(whole, PREFER_FIRST).mixed, 0);
    assert!(coherent.hits * 100 >= naive.hits * 95, "{coherent:?} {naive:?}");
}

/// Where no cache knows that two files of a step meet, or a result is missing and cannot be compared, runs can still be mixed.
#[test]
fn a_coherent_merge_mixes_fewer_runs_than_a_naive_one_in_all_worlds() {
    let worlds = worlds();
    let (naive, coherent) = (tally(&worlds, NAIVE), tally(&worlds, COHERENT));
    assert!(0 < coherent.mixed && coherent.mixed * 3 < naive.mixed * 2, "{coherent:?} {naive:?}");
}
