//! Marshalling: from a graph to a cache config, in BuildKit's order with a canonical one in the place of every random
//! choice.
//!
//! Knows descriptors, not bytes: which blobs are there is asked, not looked up. Cannot fail; what it leaves out, it
//! says.

use std::cmp::Ordering;
use std::ops::Range;

use crate::graph::Graph;
use crate::index::{BlobIx, ChainIx, DescriptorIx, IndexVec, LayerIx, Rank, RecordIx};
use crate::layers::Layers;
use crate::rank::{Ranked, RankedLink, blob_prefix, ranks};
use crate::{
    CacheConfig, CacheConfigBuilder, ConfigLayer, ConfigResult, Descriptor, Dialect, Digest, RecordDigest,
    Timestamp,
};

/// What marshalling gives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Marshalled {
    /// The config.
    pub config: CacheConfig,
    /// One descriptor for each distinct blob of the config's layers, with OCI media types, sorted by digest.
    pub descriptors: Vec<Descriptor>,
    /// What was left out.
    pub warnings: Vec<MarshalWarning>,
}

impl Marshalled {
    /// The descriptor of each of the config's layers, in their order: what a manifest lists.
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
    /// The newest result of a record has a blob that is not there.
    IncompleteResult {
        /// The digest of the record.
        record: RecordDigest,
        /// When the result was made.
        created_at: Timestamp,
        /// The lowest blob of it that is not there.
        missing: Digest,
        /// Whether an older result, which is complete, was taken instead.
        replaced: bool,
    },
    /// A record is left with an input that depends on nothing, so that nothing could ever match it.
    LeftOut {
        /// The digest of the record.
        record: RecordDigest,
    },
}

impl std::fmt::Display for MarshalWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::IncompleteResult { record, created_at, missing, replaced } => {
                write!(
                    f,
                    "record {record}: its result of {created_at} needs blob {missing}, which is not there; "
                )?;
                f.write_str(if *replaced { "an older result is used" } else { "it has no other result" })
            }
            Self::LeftOut { record } => {
                write!(f, "record {record} is left out: an input of it has no link left that closes no cycle")
            }
        }
    }
}

/// The results of a record that marshalling takes: the first of the newest complete ones (there are several where
/// one result came with different descriptors), and how many; `None` for no result.
pub(crate) type Chosen = Option<Newest>;

#[derive(Clone, Copy)]
pub(crate) struct Newest {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

impl Graph<'_> {
    /// Marshals the graph. `present` says whether a blob can be read; it is asked once for each.
    ///
    /// The config depends on the graph alone. The cost is linear in records, links and layers, but for sorting.
    pub fn marshal(&self, present: &dyn Fn(&Digest) -> bool) -> Marshalled {
        let mut warnings: Vec<_> =
            self.left_out().map(|record| MarshalWarning::LeftOut { record: record.clone() }).collect();
        warnings.sort_by_key(ToString::to_string);
        let chosen = self.choose(present, &mut warnings);
        let ranked = Ranked::new(self, &chosen);
        let finished = walk(&ranked);
        let layers = &self.chains.layers;
        let mut export = Export::new(layers);
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
        let (config_layers, renumbered) = export.sort_layers();
        let mut builder = CacheConfigBuilder::new();
        config_layers.into_iter().for_each(|layer| builder.layer(layer));
        self.emit(&mut builder, &ranked, &finished, |rank| {
            let (number, created_at) = exported[rank]?;
            let layer = renumbered.get(number as usize).copied()?;
            Some(ConfigResult { layer, created_at })
        });
        Marshalled { config: builder.finish(), descriptors: export.descriptors(), warnings }
    }

    /// Picks each record's newest result whose blobs are all there.
    fn choose(
        &self,
        present: &dyn Fn(&Digest) -> bool,
        warnings: &mut Vec<MarshalWarning>,
    ) -> IndexVec<RecordIx, Chosen> {
        let layers = &self.chains.layers;
        let mut presence = Presence::new(layers, present);
        let mut chosen = IndexVec::with_capacity(self.len());
        for record in self.digests.indices() {
            let results = self.results.row(record);
            let mut missing = None;
            let mut choice = None;
            for (at, result) in results.iter().enumerate() {
                // A newest result without layers gives the record none.
                let Some(chain) = result.chain(layers) else { break };
                match presence.missing(chain) {
                    Some(blob) => {
                        missing.get_or_insert((result.created_at, blob));
                    }
                    None => {
                        let same = results.iter().skip(at).take_while(|other| {
                            other.created_at == result.created_at && other.chain(layers) == Some(chain)
                        });
                        let index = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                        choice = Some(Newest { first: index(at), count: index(same.count()) });
                        break;
                    }
                }
            }
            if let Some((created_at, blob)) = missing {
                warnings.push(MarshalWarning::IncompleteResult {
                    record: self.chains.digests.value(self.digests[record]).clone(),
                    created_at,
                    missing: *layers.digest(blob),
                    replaced: choice.is_some(),
                });
            }
            chosen.push(choice);
        }
        chosen
    }

    /// Appends the records, sorted and renumbered.
    fn emit(
        &self,
        builder: &mut CacheConfigBuilder,
        ranked: &Ranked,
        finished: &[Rank],
        result_of: impl Fn(Rank) -> Option<ConfigResult>,
    ) {
        let digest_rank = |rank: Rank| ranked.digest_ranks[self.digests[ranked.records[rank]]];
        let mut sorted: Vec<(u64, Rank)> = (0u64..)
            .zip(finished)
            .map(|(position, rank)| (u64::from(digest_rank(*rank)) << 32 | position, *rank))
            .collect();
        sorted.sort_unstable();
        for same_digest in sorted.chunk_by_mut(|a, b| a.0 >> 32 == b.0 >> 32) {
            if same_digest.len() > 1 {
                let key = |link: &RankedLink| (link.selector, digest_rank(link.source));
                let cmp_rows = |(a, b): (&[RankedLink], &[RankedLink])| {
                    a.len().cmp(&b.len()).then_with(|| a.iter().map(key).cmp(b.iter().map(key)))
                };
                same_digest.sort_by(|(_, a), (_, b)| {
                    let rows = ranked.inputs.of(*a).zip(ranked.inputs.of(*b));
                    let differing = || rows.map(cmp_rows).find(|order| order.is_ne());
                    ranked
                        .inputs
                        .count(*a)
                        .cmp(&ranked.inputs.count(*b))
                        .then_with(|| differing().unwrap_or(Ordering::Equal))
                });
            }
        }
        let mut position_of: IndexVec<Rank, i32> = IndexVec::filled(0, ranked.records.len());
        for (position, (_, rank)) in (0i32..).zip(&sorted) {
            position_of[*rank] = position;
        }
        let mut links: Vec<(i32, u32)> = Vec::new();
        for (_, rank) in &sorted {
            if let Some(result) = result_of(*rank) {
                builder.result(result);
            }
            for row in ranked.inputs.of(*rank) {
                links.clear();
                links.extend(row.iter().map(|link| (position_of[link.source], link.selector)));
                links.sort_unstable();
                for (record, selector) in &links {
                    let selector = ranked.selectors.get(*selector as usize);
                    builder.link(selector.map_or("", |s| self.chains.selectors.value(*s)), *record);
                }
                builder.end_input();
            }
            builder.record(self.chains.digests.value(self.digests[ranked.records[*rank]]).clone());
        }
    }
}

/// The records in the order in which they are finished: depth first from each leaf, sources before what depends on
/// them.
fn walk(ranked: &Ranked) -> Vec<Rank> {
    let mut finished = Vec::with_capacity(ranked.records.len());
    let mut seen: IndexVec<Rank, bool> = IndexVec::filled(false, ranked.records.len());
    let mut path: Vec<(Rank, Range<usize>)> = Vec::new();
    for leaf in ranked.records.indices().filter(|rank| !ranked.has_dependents[*rank]) {
        path.push((leaf, ranked.inputs.span(leaf)));
        while let Some((rank, links)) = path.last_mut() {
            match links.next().and_then(|at| ranked.inputs.rows().item(at)) {
                Some(link) if !seen[link.source] => {
                    seen[link.source] = true;
                    path.push((link.source, ranked.inputs.span(link.source)));
                }
                Some(_) => {}
                None => {
                    finished.push(*rank);
                    path.pop();
                }
            }
        }
    }
    finished
}

/// Which chains have all of their blobs, asked once for each blob.
struct Presence<'a> {
    layers: &'a Layers,
    present: &'a dyn Fn(&Digest) -> bool,
    blobs: IndexVec<BlobIx, Option<bool>>,
    /// The lowest absent blob of each chain that was asked for.
    chains: IndexVec<ChainIx, Option<Option<BlobIx>>>,
    path: Vec<ChainIx>,
}

impl<'a> Presence<'a> {
    fn new(layers: &'a Layers, present: &'a dyn Fn(&Digest) -> bool) -> Self {
        let blobs = IndexVec::filled(None, layers.blobs_len());
        let chains = IndexVec::filled(None, layers.chains_len());
        Self { layers, present, blobs, chains, path: Vec::new() }
    }

    fn missing(&mut self, chain: ChainIx) -> Option<BlobIx> {
        let mut at = Some(chain);
        let mut missing = None;
        while let Some(chain) = at {
            if let Some(known) = self.chains[chain] {
                missing = known;
                break;
            }
            self.path.push(chain);
            at = self.layers.chain_parent(chain);
        }
        while let Some(chain) = self.path.pop() {
            let blob = self.layers.chain_blob(chain);
            if missing.is_none() && !self.is_present(blob) {
                missing = Some(blob);
            }
            self.chains[chain] = Some(missing);
        }
        missing
    }

    fn is_present(&mut self, blob: BlobIx) -> bool {
        *self.blobs[blob].get_or_insert_with(|| (self.present)(self.layers.digest(blob)))
    }
}

/// The layers of the results that are exported, numbered as they come.
struct Export<'a> {
    layers: &'a Layers,
    number_of: IndexVec<ChainIx, Option<u32>>,
    chains: Vec<ChainIx>,
    /// The descriptor of each exported blob.
    chosen: IndexVec<BlobIx, Option<DescriptorIx>>,
    blobs: Vec<BlobIx>,
    seen: IndexVec<LayerIx, bool>,
}

impl<'a> Export<'a> {
    fn new(layers: &'a Layers) -> Self {
        Self {
            layers,
            number_of: IndexVec::filled(None, layers.chains_len()),
            chains: Vec::new(),
            chosen: IndexVec::filled(None, layers.blobs_len()),
            blobs: Vec::new(),
            seen: IndexVec::filled(false, layers.layers_len()),
        }
    }

    /// The number of a layer; it and those below it get one, from the lowest up, if they have none.
    fn number(&mut self, top: LayerIx) -> u32 {
        for layer in self.layers.downwards(top) {
            if std::mem::replace(&mut self.seen[layer], true) {
                break;
            }
            self.note(self.layers.descriptor_of(layer));
        }
        let top = self.layers.layer_chain(top);
        let first_new = self.chains.len();
        let mut at = Some(top);
        while let Some(chain) = at.filter(|chain| self.number_of[*chain].is_none()) {
            self.chains.push(chain);
            at = self.layers.chain_parent(chain);
        }
        let new = self.chains.get_mut(first_new..).unwrap_or_default();
        new.reverse();
        for (number, chain) in (first_new..).zip(new.iter()) {
            self.number_of[*chain] = u32::try_from(number).ok();
        }
        self.number_of[top].unwrap_or(u32::MAX)
    }

    /// Of several descriptors for one blob the one with the smallest text is exported.
    fn note(&mut self, descriptor: DescriptorIx) {
        let blob = self.layers.descriptor_blob(descriptor);
        match self.chosen[blob] {
            None => {
                self.blobs.push(blob);
                self.chosen[blob] = Some(descriptor);
            }
            Some(known) if known != descriptor => {
                let text = |index| self.layers.descriptor(index).in_dialect(Dialect::Oci);
                if text(descriptor).cmp_text(&text(known)).is_lt() {
                    self.chosen[blob] = Some(descriptor);
                }
            }
            Some(_) => {}
        }
    }

    /// The layers, sorted by blob and the number that the parent had; and the new number of each old one.
    fn sort_layers(&self) -> (Vec<ConfigLayer>, Vec<i32>) {
        let blob_ranks = ranks(self.layers.blobs(), blob_prefix);
        let number = |chain: ChainIx| self.number_of[chain].and_then(|n| i32::try_from(n).ok()).unwrap_or(-1);
        let mut sorted: Vec<(u32, i32, i32)> = (0i32..)
            .zip(&self.chains)
            .map(|(old, chain)| {
                let parent = self.layers.chain_parent(*chain).map_or(-1, number);
                (blob_ranks[self.layers.chain_blob(*chain)], parent, old)
            })
            .collect();
        sorted.sort_unstable();
        let mut renumbered = vec![-1; sorted.len()];
        for (new, (.., old)) in (0i32..).zip(&sorted) {
            if let Some(slot) = usize::try_from(*old).ok().and_then(|old| renumbered.get_mut(old)) {
                *slot = new;
            }
        }
        let new_number = |old: i32| usize::try_from(old).ok().and_then(|old| renumbered.get(old)).copied();
        let layers = sorted
            .iter()
            .filter_map(|(_, parent, old)| {
                let chain = self.chains.get(usize::try_from(*old).ok()?)?;
                let blob = Some(*self.layers.digest(self.layers.chain_blob(*chain)));
                Some(ConfigLayer { blob, parent: new_number(*parent).unwrap_or(-1), annotations: None })
            })
            .collect();
        (layers, renumbered)
    }

    fn descriptors(&self) -> Vec<Descriptor> {
        let mut descriptors: Vec<Descriptor> = self
            .blobs
            .iter()
            .filter_map(|blob| self.chosen[*blob])
            .map(|index| self.layers.descriptor(index).in_dialect(Dialect::Oci))
            .collect();
        descriptors.sort_unstable_by_key(|descriptor| descriptor.digest);
        descriptors
    }
}
