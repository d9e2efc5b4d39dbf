//! Marshalling: from a graph to a cache config, in BuildKit's order. Where BuildKit's order is random, the canonical
//! order is used.
//!
//! It knows descriptors, not bytes: the caller says which blobs are present. It cannot fail; everything that it leaves
//! out is a warning.

mod layer_list;
mod presence;
mod rank;

use std::cmp::Ordering;

use crate::arena::index::{Idx, IndexVec, Rank, RecordIx};
use crate::arena::walk::post_order;
use crate::chains::CacheChains;
use crate::graph::budget::ReadError;
use crate::graph::{Graph, RecordRef};
use crate::{CacheConfig, CacheConfigBuilder, ConfigResult, Descriptor, Digest, RecordDigest, Timestamp};
use layer_list::{Export, ExportedLayers};
use presence::{Choice, Newest, Presence};
use rank::{Ranked, RankedLink};

/// A marshalled config, its blobs and its warnings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Marshalled {
    /// The config.
    pub config: CacheConfig,
    /// One descriptor for each distinct blob of the config's layers, with OCI media types, sorted by digest.
    /// A manifest lists [`layer_descriptors`](Self::layer_descriptors) instead, in which blobs repeat as layers do.
    pub descriptors: Vec<Descriptor>,
    /// What was left out.
    pub warnings: Vec<MarshalWarning>,
}

impl Marshalled {
    /// The descriptor of each of the config's layers, in their order, as a manifest lists them.
    pub fn layer_descriptors(&self) -> impl Iterator<Item = &Descriptor> {
        // The layers are sorted by digest, as the descriptors are.
        let mut descriptors = self.descriptors.iter().peekable();
        self.config.layers().iter().filter_map(move |layer| {
            while descriptors.next_if(|descriptor| Some(descriptor.digest) < layer.blob).is_some() {}
            descriptors.peek().copied()
        })
    }
}

/// Something that marshalling left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MarshalWarning {
    /// The newest result of a record has an absent blob.
    IncompleteResult {
        /// The digest of the record.
        record: RecordDigest,
        /// When the result was made.
        created_at: Timestamp,
        /// Its lowest absent blob.
        missing: Digest,
        /// Whether an older, complete result is exported instead.
        replaced: bool,
    },
    /// All links of an input close cycles or lead to records that are left out. So no build can match the record.
    LeftOut {
        /// The digest of the record.
        record: RecordDigest,
    },
}

impl MarshalWarning {
    /// The digest of the record that it is about.
    pub fn record(&self) -> &RecordDigest {
        match self {
            Self::IncompleteResult { record, .. } | Self::LeftOut { record } => record,
        }
    }
}

impl std::fmt::Display for MarshalWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::IncompleteResult { record, created_at, missing, replaced } => {
                let record = record.excerpt();
                write!(
                    f,
                    "record {record}: its result of {created_at} needs blob {missing}, which is missing; "
                )?;
                f.write_str(if *replaced { "an older result is used" } else { "it has no other result" })
            }
            Self::LeftOut { record } => {
                let record = record.excerpt();
                write!(
                    f,
                    "record {record} is left out: all links of one of its inputs close cycles or lead to records that \
                     are left out"
                )
            }
        }
    }
}

impl CacheChains {
    /// Reads the graph and marshals it: `self.graph()?.marshal(present)`.
    ///
    /// # Errors
    /// [`ReadError::TooTangled`], as of [`graph`](Self::graph).
    pub fn marshal(&self, present: &dyn Fn(&Digest) -> bool) -> Result<Marshalled, ReadError> {
        Ok(self.graph()?.marshal(present))
    }
}

impl Graph<'_> {
    /// Marshals the graph. `present` says whether a blob can be read; it is asked once for each.
    ///
    /// The config depends on the graph alone, not on the order of the adds, with one exception: BuildKit's rule can leave
    /// several records with the same digest, links and result. They keep the order in which they were added. A closed
    /// graph has none. Takes linear time in records, links and layers, plus the time to sort them.
    pub fn marshal(&self, present: &dyn Fn(&Digest) -> bool) -> Marshalled {
        let mut warnings: Vec<_> =
            self.left_out().map(|record| MarshalWarning::LeftOut { record: record.clone() }).collect();
        let chosen = self.choose(present, &mut warnings);
        warnings.sort_by_cached_key(|warning| (warning.record().clone(), warning.to_string()));
        let ranked = Ranked::new(self, &chosen);
        let finished = walk(&ranked);
        let mut export = Export::new(&self.chains.layers);
        let mut exported: IndexVec<Rank, Option<(u32, Timestamp)>> =
            IndexVec::filled(None, ranked.records.len());
        for rank in &finished {
            let record = ranked.records[*rank];
            let Some(newest) = chosen[record] else { continue };
            let (first, end) = (newest.first as usize, (newest.first + newest.count) as usize);
            let same = self.results.row(record).get(first..end).unwrap_or_default();
            for (n, layer) in same.iter().filter_map(|result| result.layer).enumerate() {
                let number = export.number(layer);
                if n == 0 {
                    exported[*rank] = same.first().map(|result| (number, result.created_at));
                }
            }
        }
        let ExportedLayers { layers, renumbered, descriptors } = export.finish();
        let mut builder = CacheConfigBuilder::new();
        for layer in layers {
            builder.layer(layer);
        }
        self.emit(&mut builder, &ranked, &sort_records(&ranked, &finished), |rank| {
            let (number, created_at) = exported[rank]?;
            let layer = renumbered.get(number as usize).copied()?;
            Some(ConfigResult { layer, created_at })
        });
        Marshalled { config: builder.finish(), descriptors, warnings }
    }

    /// The records in the order of the config that [`marshal`](Self::marshal) gives when every blob is present.
    pub fn records_in_config_order(&self) -> Vec<RecordRef<'_>> {
        let ranked = Ranked::new(self, &self.choose(&|_| true, &mut Vec::new()));
        let sorted = sort_records(&ranked, &walk(&ranked));
        sorted.into_iter().filter_map(|rank| self.at(ranked.records[rank].position())).collect()
    }

    /// Picks each record's newest complete result. A newer, incomplete result is a warning.
    fn choose(
        &self,
        present: &dyn Fn(&Digest) -> bool,
        warnings: &mut Vec<MarshalWarning>,
    ) -> IndexVec<RecordIx, Option<Newest>> {
        let mut presence = Presence::new(&self.chains.layers, present);
        let mut chosen = IndexVec::with_capacity(self.len());
        for (record, digest) in self.digests.iter_indexed() {
            let Choice { newest, passed_over } = presence.choose(self.results.row(record));
            if let Some((result, blob)) = passed_over {
                warnings.push(MarshalWarning::IncompleteResult {
                    record: self.chains.digests.value(*digest).clone(),
                    created_at: result.created_at,
                    missing: *self.chains.layers.digest(blob),
                    replaced: newest.is_some(),
                });
            }
            chosen.push(newest);
        }
        chosen
    }

    /// Appends the records, renumbered by their places in `sorted`.
    fn emit(
        &self,
        builder: &mut CacheConfigBuilder,
        ranked: &Ranked,
        sorted: &[Rank],
        result_of: impl Fn(Rank) -> Option<ConfigResult>,
    ) {
        let mut position_of: IndexVec<Rank, i32> = IndexVec::filled(0, ranked.records.len());
        for (position, rank) in (0i32..).zip(sorted) {
            position_of[*rank] = position;
        }
        let mut links: Vec<(i32, u32)> = Vec::new();
        for rank in sorted {
            let Some(digest) = ranked.digests.at(ranked.digest_ranks[*rank]) else { continue };
            let mut record = builder.record(self.chains.digests.value(digest).clone());
            if let Some(result) = result_of(*rank) {
                record.result(result);
            }
            for row in ranked.inputs.of(*rank) {
                links.clear();
                links.extend(row.iter().map(|link| (position_of[link.source], link.selector)));
                links.sort_unstable();
                let mut input = record.input();
                for (source, selector) in &links {
                    let selector = ranked.selectors.at(*selector);
                    input.link(selector.map_or("", |s| self.chains.selectors.value(s)), *source);
                }
            }
        }
    }
}

/// The records in the order of the config: by digest, number of inputs, then input by input by the number of links,
/// then link by link by selector and the source's digest. Records that are equal in these keep the order of `finished`.
fn sort_records(ranked: &Ranked, finished: &[Rank]) -> Vec<Rank> {
    let digest_rank = |rank: Rank| ranked.digest_ranks[rank];
    let key = |link: &RankedLink| (link.selector, digest_rank(link.source));
    let cmp_rows = |(a, b): (&[RankedLink], &[RankedLink])| {
        a.len().cmp(&b.len()).then_with(|| a.iter().map(key).cmp(b.iter().map(key)))
    };
    let cmp_links = |a: Rank, b: Rank| {
        let mut rows = ranked.inputs.of(a).zip(ranked.inputs.of(b)).map(cmp_rows);
        let by_count = ranked.inputs.count(a).cmp(&ranked.inputs.count(b));
        by_count.then_with(|| rows.find(|order| order.is_ne()).unwrap_or(Ordering::Equal))
    };
    // The digest and the position in `finished` in one number: it is enough to order most records.
    let mut sorted: Vec<(u64, Rank)> = (0u64..)
        .zip(finished)
        .map(|(position, rank)| (u64::from(digest_rank(*rank)) << 32 | position, *rank))
        .collect();
    sorted.sort_unstable();
    for same_digest in sorted.chunk_by_mut(|a, b| a.0 >> 32 == b.0 >> 32) {
        same_digest.sort_by(|(_, a), (_, b)| cmp_links(*a, *b));
    }
    sorted.into_iter().map(|(_, rank)| rank).collect()
}

/// The records in the order in which they are finished: depth first from each leaf, sources before what depends on
/// them.
fn walk(ranked: &Ranked) -> Vec<Rank> {
    let leaves = ranked.records.indices().filter(|rank| !ranked.has_dependents[*rank]);
    let sources = |rank: Rank| ranked.inputs.links(rank).iter().map(|link| Ok(link.source));
    let mut finished = Vec::with_capacity(ranked.records.len());
    // A graph has no cycles, so there is no error.
    finished.extend(post_order(ranked.records.len(), leaves, sources, |_, _| ()).flatten());
    finished
}
