//! Compares two caches, record by record and blob by blob.
//!
//! The outcome is data in a fixed order. It never says which of the two is better.

use std::cmp::Reverse;

use cache_model::arena::Idx;
use cache_model::{
    CacheChains, Descriptor, Digest, Graph, RecordDigest, RecordId, ResultRef, Rule, Timestamp,
};

use crate::by_position::ByPosition;
use crate::copying::RecordCopier;
use crate::index::{SourceIx, StackIx};
use crate::layer_table::LayerTable;
use crate::{EditError, Source};

/// The differences between two caches, `a` and `b`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diff {
    /// The records of both, in the order of the config that both would have together.
    pub records: Vec<RecordDiff>,
    /// The blobs that only `a` has.
    pub only_a: BlobTotals,
    /// The blobs that only `b` has.
    pub only_b: BlobTotals,
    /// The blobs that both have.
    pub both: BlobTotals,
    /// The blobs that only one has, largest first.
    pub blobs: Vec<BlobDiff>,
}

/// A record of two caches.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordDiff {
    /// Its digest.
    pub digest: RecordDigest,
    /// Which caches have it.
    pub presence: Presence,
    /// How its newest results in the two differ.
    pub change: ResultChange,
    /// Its newest result in `a`.
    pub a: Option<ComparedResult>,
    /// Its newest result in `b`.
    pub b: Option<ComparedResult>,
}

/// The newest result with layers that a record has in one cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ComparedResult {
    /// When it was made.
    pub created_at: Timestamp,
    /// How many layers it has.
    pub layers: usize,
    /// The size in bytes of all its layers.
    pub bytes: u64,
}

/// Which of two caches has something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Only `a`.
    A,
    /// Only `b`.
    B,
    /// Both.
    Both,
}

/// How the newest results that a record has in two caches differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResultChange {
    /// Neither has a result.
    None,
    /// Only `a` has one.
    OnlyA,
    /// Only `b` has one.
    OnlyB,
    /// Both have the same blobs.
    Same,
    /// Both have the same content in other blobs.
    Recompressed,
    /// They have different content.
    Changed,
}

/// How many blobs, and their size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlobTotals {
    /// How many distinct blobs.
    pub blobs: usize,
    /// Their size in bytes.
    pub bytes: u64,
}

/// A blob that only one of two caches has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlobDiff {
    /// Its descriptor.
    pub descriptor: Descriptor,
    /// The cache that has it.
    pub presence: Presence,
    /// Whether the other cache has its content in another blob.
    pub is_recompressed: bool,
}

impl Presence {
    /// `a`, `b` or `ab`.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::Both => "ab",
        }
    }
}

impl ResultChange {
    /// `none`, `only-a`, `only-b`, `same`, `recompressed` or `changed`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::OnlyA => "only-a",
            Self::OnlyB => "only-b",
            Self::Same => "same",
            Self::Recompressed => "recompressed",
            Self::Changed => "changed",
        }
    }
}

impl Diff {
    /// Whether both have the same records, with the same newest results, and the same blobs.
    pub fn is_empty(&self) -> bool {
        let is_same = |record: &RecordDiff| {
            record.presence == Presence::Both
                && matches!(record.change, ResultChange::None | ResultChange::Same)
        };
        self.blobs.is_empty() && self.records.iter().all(is_same)
    }
}

/// The records of one source among the records of both.
struct Side<'g> {
    graph: &'g Graph<'g>,
    /// The record of `graph` at each position, in the chains of both.
    copies: Vec<Option<RecordId>>,
}

/// A record's part in one source: whether there is one, and its newest result.
#[derive(Clone, Copy, Default)]
struct Part<'g> {
    is_present: bool,
    newest: Option<ResultRef<'g>>,
}

/// Compares two caches: the records of both, closed, and for each its newest result in the two.
///
/// Two results are the same if their layers have the same content, whatever the compression.
///
/// # Errors
/// [`EditError::SizeConflict`] if the two give a blob different sizes, [`EditError::Read`] for a cache that was made to
/// be slow.
pub fn diff(a: &CacheChains, b: &CacheChains) -> Result<Diff, EditError> {
    let layers = LayerTable::of(&[Source::new(a), Source::new(b)])?;
    let (graph_a, graph_b) = (a.graph()?, b.graph()?);
    // The order of the records does not depend on results, so results are compared apart.
    let mut both = CacheChains::new();
    let side_a = Side::new(&graph_a, &mut both)?;
    let side_b = Side::new(&graph_b, &mut both)?;
    both.set_rule(Rule::Closed);
    let both = both.graph()?;
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

impl<'g> Side<'g> {
    fn new(graph: &'g Graph<'g>, both: &mut CacheChains) -> Result<Self, EditError> {
        let mut copier = RecordCopier::new(both);
        let copies = graph.records().map(|record| copier.copy(record, [])).collect::<Result<_, _>>()?;
        Ok(Self { graph, copies })
    }

    /// The part of this source in each record of both.
    fn parts(&self, both: &Graph<'_>) -> ByPosition<Part<'g>> {
        let mut parts = ByPosition::<Part<'g>>::new(both.len());
        for (record, copy) in self.graph.records().zip(&self.copies) {
            let Some(merged) = copy.and_then(|copy| both.record(copy)) else { continue };
            let part = parts.get(merged.position());
            let newest = record.results().find(|result| result.layers_len() > 0);
            let newest = match (part.newest, newest) {
                (Some(known), Some(newest)) if newest.cmp_by_age(known).is_le() => Some(known),
                (known, newest) => newest.or(known),
            };
            parts.set(merged.position(), Part { is_present: true, newest });
        }
        parts
    }
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

impl BlobTotals {
    fn add(&mut self, blob: &Descriptor) {
        self.blobs += 1;
        self.bytes = self.bytes.saturating_add(blob.size);
    }
}

impl Diff {
    /// Compares the blobs of two caches, each sorted by digest.
    fn compare_blobs(&mut self, a: &[&Descriptor], b: &[&Descriptor], layers: &LayerTable) {
        let contents = |blobs: &[&Descriptor]| {
            let mut contents: Vec<Digest> = blobs.iter().map(|blob| layers.content(&blob.digest)).collect();
            contents.sort_unstable();
            contents
        };
        let (contents_a, contents_b) = (contents(a), contents(b));
        let mut only_one = |blob: &Descriptor, presence, contents_of_other: &[Digest]| {
            let is_recompressed = contents_of_other.binary_search(&layers.content(&blob.digest)).is_ok();
            self.blobs.push(BlobDiff { descriptor: blob.clone(), presence, is_recompressed });
        };
        let mut rest_of_b = b.iter().peekable();
        for blob in a {
            while let Some(other) = rest_of_b.next_if(|other| other.digest < blob.digest) {
                self.only_b.add(other);
                only_one(other, Presence::B, &contents_a);
            }
            if rest_of_b.next_if(|other| other.digest == blob.digest).is_some() {
                self.both.add(blob);
            } else {
                self.only_a.add(blob);
                only_one(blob, Presence::A, &contents_b);
            }
        }
        for other in rest_of_b {
            self.only_b.add(other);
            only_one(other, Presence::B, &contents_a);
        }
        self.blobs.sort_by_key(|blob| (Reverse(blob.descriptor.size), blob.descriptor.digest));
    }
}
