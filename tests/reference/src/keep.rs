//! Keeping a part of a cache: which results stay, and what they need.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::marshal::{config_order, marshal};
use crate::merge::Merged;
use crate::record::{Record, Records, ResultKey};

/// The results that are kept, by their records.
pub type Selection = BTreeMap<usize, ResultKey>;

/// What is kept, each limit among what the one before leaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Records stay whose freshness is this instant or later.
    pub older_than: Option<i128>,
    /// The most bytes of blobs, each blob counted once.
    pub keep_bytes: Option<u64>,
    /// The most bytes of the config.
    pub fit: Option<usize>,
}

/// The newest result of every record.
pub fn newest(cache: &Merged<'_>) -> Selection {
    complete(cache, &[])
}

/// The newest result of every record that has none of the bad blobs.
pub fn complete(cache: &Merged<'_>, bad: &[String]) -> Selection {
    let is_good = |(_, blobs): &&ResultKey| !blobs.iter().any(|blob| bad.contains(blob));
    let newest = |record: &Record<'_>| record.results.keys().rfind(is_good).cloned();
    cache.records.iter().filter_map(|(at, record)| Some((*at, newest(record)?))).collect()
}

/// The part of a selection that the limits leave.
pub fn limited(cache: &Merged<'_>, mut selection: Selection, limits: &Limits) -> Selection {
    let order = order_of_keeping(cache);
    if let Some(oldest) = limits.older_than {
        let fresh = freshness(cache);
        selection.retain(|record, _| fresh[record] >= Some(oldest));
    }
    if let Some(bytes) = limits.keep_bytes {
        selection = of_size(cache, &selection, &order, bytes);
    }
    if let Some(bytes) = limits.fit {
        let order = || order.iter().filter(|record| selection.contains_key(record));
        let beginning = |len: usize| -> Selection {
            order().take(len).map(|record| (*record, selection[record].clone())).collect()
        };
        let fits = |part: &Selection| marshal(keep(cache, part), &[]).config.len() <= bytes;
        selection = (0..=order().count()).rev().map(beginning).find(fits).unwrap_or_default();
    }
    selection
}

/// The records that have a kept result or lead to one, with the kept results.
pub fn keep<'a>(cache: &Merged<'a>, selection: &Selection) -> Records<'a> {
    let mut staying: BTreeSet<usize> = selection.keys().copied().collect();
    let mut next: Vec<usize> = staying.iter().copied().collect();
    while let Some(at) = next.pop() {
        let sources = cache.records[&at].inputs.iter().flatten().map(|(source, _)| *source);
        next.extend(sources.filter(|source| staying.insert(*source)));
    }
    let mut records = cache.records.clone();
    records.retain(|at, _| staying.contains(at));
    for (at, record) in &mut records {
        record.results.retain(|key, _| selection.get(at) == Some(key));
    }
    records
}

/// The records with results: the freshest first, then the lowest, then the oldest result, then by place in the config.
fn order_of_keeping(cache: &Merged<'_>) -> Vec<usize> {
    let (fresh, heights) = (freshness(cache), heights(&cache.records));
    let mut order = config_order(&cache.records);
    order.retain(|record| !cache.records[record].results.is_empty());
    let instant = |record: &usize| cache.records[record].results.keys().next_back().map(|key| key.0);
    order.sort_by_key(|record| (Reverse(fresh[record]), heights[record], instant(record)));
    order
}

/// The latest instant at which each record, or one that depends on it, was made or of use. `None` if no result is made
/// from it.
fn freshness(cache: &Merged<'_>) -> BTreeMap<usize, Option<i128>> {
    let own = |record: &Record<'_>| {
        let (instant, blobs) = record.results.keys().next_back()?;
        Some(cache.blobs.used(blobs.last()?).map_or(*instant, |used| used.max(*instant)))
    };
    let mut fresh: BTreeMap<usize, Option<i128>> =
        cache.records.iter().map(|(at, record)| (*at, own(record))).collect();
    let heights = heights(&cache.records);
    let mut downwards: Vec<usize> = cache.records.keys().copied().collect();
    downwards.sort_by_key(|record| Reverse(heights[record]));
    for record in downwards {
        for (source, _) in cache.records[&record].inputs.iter().flatten() {
            let of_both = fresh[source].max(fresh[&record]);
            fresh.insert(*source, of_both);
        }
    }
    fresh
}

/// 0 for a record without inputs, otherwise one more than the greatest height of its sources.
fn heights(records: &Records<'_>) -> BTreeMap<usize, usize> {
    let mut heights: BTreeMap<usize, usize> = records.keys().map(|at| (*at, 0)).collect();
    loop {
        let higher = records.iter().find_map(|(at, record)| {
            let sources = record.inputs.iter().flatten();
            let height = sources.map(|(source, _)| 1 + heights[source]).max()?;
            (height > heights[at]).then_some((*at, height))
        });
        let Some((record, height)) = higher else { return heights };
        heights.insert(record, height);
    }
}

/// In the order of keeping, each result whose new blobs fit into what is left of the bytes.
fn of_size(cache: &Merged<'_>, selection: &Selection, order: &[usize], bytes: u64) -> Selection {
    let (mut kept, mut blobs, mut left) = (Selection::new(), BTreeSet::new(), u128::from(bytes));
    for record in order {
        let Some(result) = selection.get(record) else { continue };
        let new: BTreeSet<&String> = result.1.iter().filter(|blob| !blobs.contains(*blob)).collect();
        let size: u128 = new.iter().map(|blob| u128::from(cache.blobs.size(blob))).sum();
        if size <= left {
            left -= size;
            blobs.extend(new);
            kept.insert(*record, result.clone());
        }
    }
    kept
}
