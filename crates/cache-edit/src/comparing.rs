//! Compares two caches, record by record and blob by blob.
//!
//! It never says which of the two is better.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use cache_model::arena::Idx;
use cache_model::{
    CacheChains, Descriptor, Digest, Graph, Link, LinkRef, RecordDigest, RecordId, RecordRef, ResultRef, Rule,
};
use foldhash::fast::RandomState;
use smallvec::SmallVec;

use crate::by_position::ByPosition;
use crate::index::{SourceIx, StackIx};
use crate::layer_table::LayerTable;
use crate::{
    BlobDiff, BlobTotals, ComparedResult, Diff, EditError, Presence, RecordDiff, ResultChange, Source,
};

/// The records of one source among the records of both.
struct Side<'g> {
    graph: &'g Graph<'g>,
    /// The record of `graph` at each position, in the chains of both.
    copies: Vec<Option<RecordId>>,
}

/// The records of both sources. Records with one digest and the same links are one by any reading, so they are added once.
struct BothRecords<'g> {
    chains: CacheChains,
    added: HashMap<RecordKey<'g>, Added, RandomState>,
}

/// A record that was added: its number, and its id unless it is not cached.
type Added = (usize, Option<RecordId>);

/// The digest, and each link as the position of the input, the number of the source, and the selector; sorted.
type RecordKey<'g> = (&'g RecordDigest, SmallVec<[(usize, usize, &'g str); 2]>);

/// A record's part in one source: whether there is one, and its newest result.
#[derive(Clone, Copy, Default)]
struct Part<'g> {
    is_present: bool,
    newest: Option<ResultRef<'g>>,
}

impl<'g> BothRecords<'g> {
    fn new() -> Self {
        let mut chains = CacheChains::new();
        chains.set_rule(Rule::Closed);
        Self { chains, added: HashMap::default() }
    }

    /// Adds the records of a source, without their results.
    fn add_all(&mut self, graph: &'g Graph<'g>) -> Result<Side<'g>, EditError> {
        self.added.reserve(graph.len().saturating_sub(self.added.len()));
        let mut added = ByPosition::<Added>::new(graph.len());
        for record in graph.records() {
            added.set(record.position(), self.add(record, &added)?);
        }
        Ok(Side { graph, copies: added.into_values().into_iter().map(|(_, id)| id).collect() })
    }

    /// Adds a record whose sources were added, unless it is known.
    fn add(&mut self, record: RecordRef<'g>, added: &ByPosition<Added>) -> Result<Added, EditError> {
        let mut key: RecordKey<'g> = (record.digest(), SmallVec::new());
        for (input, links) in record.inputs().enumerate() {
            key.1.extend(links.map(|link| (input, added.get(link.source.position()).0, link.selector)));
        }
        key.1.sort_unstable();
        let next = self.added.len();
        match self.added.entry(key) {
            Entry::Occupied(known) => Ok(*known.get()),
            Entry::Vacant(place) => {
                let source =
                    |link: LinkRef<'g>| Some(Link::new(added.get(link.source.position()).1?, link.selector));
                let inputs: SmallVec<[SmallVec<[Link<'g>; 2]>; 2]> =
                    record.inputs().map(|links| links.filter_map(source).collect()).collect();
                let inputs: SmallVec<[&[Link<'g>]; 2]> = inputs.iter().map(SmallVec::as_slice).collect();
                Ok(*place.insert((next, self.chains.add(record.digest(), &inputs, &[])?)))
            }
        }
    }
}

impl<'g> Side<'g> {
    /// The part of this source in each record of both.
    fn parts(&self, both: &Graph<'_>) -> ByPosition<Part<'g>> {
        let mut parts = ByPosition::<Part<'g>>::new(both.len());
        for (record, copy) in self.graph.records().zip(&self.copies) {
            let Some(merged) = copy.and_then(|copy| both.record(copy)) else { continue };
            let part = parts.get(merged.position());
            let newest = match (part.newest, record.newest_result()) {
                (Some(known), Some(newest)) if newest.cmp_by_age(known).is_le() => Some(known),
                (known, newest) => newest.or(known),
            };
            parts.set(merged.position(), Part { is_present: true, newest });
        }
        parts
    }
}

impl Diff {
    /// Compares the blobs of two caches, each sorted by digest.
    fn compare_blobs(&mut self, a: &[&Descriptor], b: &[&Descriptor], layers: &LayerTable) {
        let (mut only_a, mut only_b) = (Vec::new(), Vec::new());
        let mut rest_of_b = b.iter().copied().peekable();
        for blob in a {
            while let Some(other) = rest_of_b.next_if(|other| other.digest < blob.digest) {
                only_b.push(other);
            }
            if rest_of_b.next_if(|other| other.digest == blob.digest).is_some() {
                self.both.add(blob);
            } else {
                only_a.push(*blob);
            }
        }
        only_b.extend(rest_of_b);
        only_a.iter().for_each(|blob| self.only_a.add(blob));
        only_b.iter().for_each(|blob| self.only_b.add(blob));
        self.list_blobs(&only_a, Presence::A, b, layers);
        self.list_blobs(&only_b, Presence::B, a, layers);
        self.blobs.sort_by_key(|blob| (Reverse(blob.descriptor.size), blob.descriptor.digest));
    }

    /// Lists the blobs that only one cache has. `others` are the blobs of the other cache.
    fn list_blobs(
        &mut self,
        blobs: &[&Descriptor],
        presence: Presence,
        others: &[&Descriptor],
        layers: &LayerTable,
    ) {
        if blobs.is_empty() {
            return;
        }
        let contents: HashSet<Digest, RandomState> =
            others.iter().map(|other| layers.content(&other.digest)).collect();
        self.blobs.extend(blobs.iter().map(|blob| BlobDiff {
            descriptor: (*blob).clone(),
            presence,
            is_recompressed: contents.contains(&layers.content(&blob.digest)),
        }));
    }
}

/// Compares two caches: the records of both, closed, and for each its newest result in the two.
///
/// Two results are the same if their layers have the same content, whatever the compression.
///
/// ```
/// use cache_edit::{Presence, ResultChange, diff};
/// use cache_model::{CacheChains, Descriptor, MediaType, NewResult, Timestamp};
///
/// let cache = |steps: &[&str]| -> Result<CacheChains, cache_model::AddError> {
///     let mut chains = CacheChains::new();
///     for step in steps {
///         let layer = chains.layers([&Descriptor::of(MediaType::OCI_LAYER_GZIP, step)])?;
///         chains.add(&(*step).into(), &[], &[NewResult::new(layer, Timestamp::ZERO)])?;
///     }
///     Ok(chains)
/// };
/// let diff = diff(&cache(&["build"])?, &cache(&["build", "test"])?)?;
/// assert_eq!(diff.records[0].change, ResultChange::Same);
/// assert_eq!(diff.records[1].presence, Presence::B);
/// assert_eq!(diff.only_b.blobs, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`EditError::SizeConflict`] if the two give a blob different sizes, [`EditError::Read`] for a cache that was made to
/// be slow.
pub fn diff(a: &CacheChains, b: &CacheChains) -> Result<Diff, EditError> {
    let layers = LayerTable::of(&[Source::new(a), Source::new(b)])?;
    let (graph_a, graph_b) = (a.graph()?, b.graph()?);
    // The order of the records does not depend on results, so results are compared apart.
    let mut both = BothRecords::new();
    let side_a = both.add_all(&graph_a)?;
    let side_b = both.add_all(&graph_b)?;
    let both = both.chains.graph()?;
    let (parts_a, parts_b) = (side_a.parts(&both), side_b.parts(&both));
    let records = both.records_in_config_order().into_iter().map(|record| {
        let (part_a, part_b) = (parts_a.get(record.position()), parts_b.get(record.position()));
        RecordDiff {
            digest: record.digest().clone(),
            presence: match (part_a.is_present, part_b.is_present) {
                (true, false) => Presence::A,
                (false, true) => Presence::B,
                _ => Presence::Both,
            },
            change: change(&layers, part_a.newest, part_b.newest),
            a: part_a.newest.map(compared),
            b: part_b.newest.map(compared),
        }
    });
    let empty = BlobTotals::default();
    let records = records.collect();
    let mut diff = Diff { records, only_a: empty, only_b: empty, both: empty, blobs: Vec::new() };
    diff.compare_blobs(&blobs(&graph_a), &blobs(&graph_b), &layers);
    Ok(diff)
}

/// A descriptor of each distinct blob, sorted by digest.
fn blobs<'g>(graph: &'g Graph<'_>) -> Vec<&'g Descriptor> {
    let mut blobs: Vec<_> = graph.blobs().collect();
    blobs.sort_by_key(|descriptor| descriptor.digest);
    blobs.dedup_by_key(|descriptor| descriptor.digest);
    blobs
}

fn change(layers: &LayerTable, a: Option<ResultRef<'_>>, b: Option<ResultRef<'_>>) -> ResultChange {
    let stack = |source: usize, result: ResultRef<'_>| -> Option<StackIx> {
        layers.stack_of(SourceIx::new(source), result.top()?)
    };
    let (a, b) = match (a, b) {
        (None, None) => return ResultChange::None,
        (Some(_), None) => return ResultChange::OnlyA,
        (None, Some(_)) => return ResultChange::OnlyB,
        (Some(a), Some(b)) => (stack(0, a), stack(1, b)),
    };
    if a == b {
        ResultChange::Same
    } else if a.map(|stack| layers.identity(stack)) == b.map(|stack| layers.identity(stack)) {
        ResultChange::Recompressed
    } else {
        ResultChange::Changed
    }
}

fn compared(result: ResultRef<'_>) -> ComparedResult {
    ComparedResult { created_at: result.created_at(), layers: result.layers_len(), bytes: result.size() }
}
