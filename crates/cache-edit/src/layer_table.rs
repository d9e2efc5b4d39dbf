//! The layers of all sources in one table: which results are the same, which is newer, and one descriptor for each blob.
//!
//! A *stack* is a blob on top of a parent stack: a list of blobs. Its *identity* is the list of the diff IDs of these blobs,
//! or of their digests where no source names the diff ID. So one result in two compressions has one identity.

use std::cell::OnceCell;

use cache_model::arena::{Idx, IndexVec, Interner};
use cache_model::{Descriptor, Dialect, Digest, LayerRef};

use crate::index::{BlobIx, IdentityIx, SourceIx, StackIx};
use crate::{ANNOTATION_USED, EditError, Source, UsedOn};

/// The layers of all sources.
pub(crate) struct LayerTable {
    blobs: Interner<BlobIx, Digest>,
    entries: IndexVec<BlobIx, BlobEntry>,
    stacks: Interner<StackIx, StackKey>,
    identities: IndexVec<StackIx, IdentityIx>,
    /// The order of the stacks by their lists of blob digests, lowest first; a list comes after its own prefixes. It is
    /// made when it is first asked for, as a comparison of two caches does not need it.
    ranks: OnceCell<IndexVec<StackIx, u32>>,
    /// The stack of each layer of each source, by the layer's position.
    stack_of: IndexVec<SourceIx, Vec<StackIx>>,
}

/// What the sources say about a blob.
struct BlobEntry {
    /// The source that gave the size.
    source: SourceIx,
    /// The descriptor that was noted last, as it was. Most sources have the same.
    last: Descriptor,
    /// The descriptor with the smallest text, in OCI's media types and without a mark.
    chosen: Descriptor,
    diff_id: Option<Digest>,
    used: Option<UsedOn>,
}

/// A stack: its parent, its sort key among the children of that parent, and its index.
type Child = (Option<StackIx>, u32, StackIx);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct StackKey {
    blob: BlobIx,
    parent: Option<StackIx>,
}

impl BlobEntry {
    fn new(source: SourceIx, descriptor: &Descriptor) -> Self {
        Self {
            source,
            last: descriptor.clone(),
            chosen: without_mark(descriptor),
            diff_id: descriptor.diff_id(),
            used: UsedOn::of_layer(descriptor),
        }
    }

    /// Notes one more descriptor of the blob.
    fn note(&mut self, descriptor: &Descriptor) {
        if self.last == *descriptor {
            return;
        }
        let candidate = without_mark(descriptor);
        if candidate.cmp_text(&self.chosen).is_lt() {
            self.chosen = candidate;
        }
        self.diff_id = match (self.diff_id, descriptor.diff_id()) {
            (Some(known), Some(given)) => Some(known.min(given)),
            (known, given) => known.or(given),
        };
        self.used = self.used.max(UsedOn::of_layer(descriptor));
        self.last = descriptor.clone();
    }
}

impl LayerTable {
    /// The layers of these sources.
    ///
    /// # Errors
    /// [`EditError::SizeConflict`] if they give one blob different sizes.
    pub(crate) fn of(sources: &[Source<'_>]) -> Result<Self, EditError> {
        let mut table = Self {
            blobs: Interner::new(),
            entries: IndexVec::new(),
            stacks: Interner::new(),
            identities: IndexVec::new(),
            ranks: OnceCell::new(),
            stack_of: IndexVec::new(),
        };
        // A layer's identity depends on what all sources say about its blob.
        let mut blobs_of = Vec::with_capacity(sources.len());
        for (source, of) in (0..).map(SourceIx::new).zip(sources) {
            let blobs = of.chains.all_layers().map(|layer| table.note(source, layer, of.used));
            blobs_of.push(blobs.collect::<Result<Vec<BlobIx>, EditError>>()?);
        }
        let mut identities = Interner::new();
        for (source, blobs) in sources.iter().zip(blobs_of) {
            let mut stack_of: Vec<StackIx> = Vec::with_capacity(blobs.len());
            for (layer, blob) in source.chains.all_layers().zip(blobs) {
                // A layer comes after the layer below it.
                let parent = layer.parent().and_then(|parent| stack_of.get(parent.position()).copied());
                stack_of.push(table.stack(StackKey { blob, parent }, &mut identities));
            }
            table.stack_of.push(stack_of);
        }
        Ok(table)
    }

    /// Notes a layer's descriptor.
    fn note(
        &mut self,
        source: SourceIx,
        layer: LayerRef<'_>,
        used: Option<UsedOn>,
    ) -> Result<BlobIx, EditError> {
        let descriptor = layer.descriptor();
        let (blob, is_new) = self.blobs.intern(&descriptor.digest, |digest| *digest);
        if is_new {
            self.entries.push(BlobEntry::new(source, descriptor));
        }
        let entry = &mut self.entries[blob];
        if entry.last.size != descriptor.size {
            return Err(EditError::SizeConflict {
                blob: descriptor.digest,
                sizes: [entry.last.size, descriptor.size],
                sources: [entry.source.position(), source.position()],
            });
        }
        entry.note(descriptor);
        entry.used = entry.used.max(used);
        Ok(blob)
    }

    fn stack(
        &mut self,
        key: StackKey,
        identities: &mut Interner<IdentityIx, (Digest, Option<IdentityIx>)>,
    ) -> StackIx {
        let (stack, is_new) = self.stacks.intern(&key, |key| *key);
        if is_new {
            let identity = self.entries[key.blob].diff_id.unwrap_or(*self.blobs.value(key.blob));
            let below = key.parent.map(|parent| self.identities[parent]);
            self.identities.push(identities.intern(&(identity, below), |key| *key).0);
        }
        stack
    }

    /// The positions of the stacks in the order of their lists of blob digests: the order in which a walk over the trie
    /// enters them, with the children of each stack sorted.
    fn rank(&self) -> IndexVec<StackIx, u32> {
        let mut by_digest: Vec<BlobIx> = self.blobs.values().indices().collect();
        by_digest.sort_unstable_by_key(|blob| self.blobs.value(*blob));
        let mut blob_ranks: IndexVec<BlobIx, u32> = IndexVec::filled(0, by_digest.len());
        for (rank, blob) in (0..).zip(by_digest) {
            blob_ranks[blob] = rank;
        }
        // From the last child to the first, since the walk takes the last of its list.
        let mut children: Vec<Child> = self
            .stacks
            .values()
            .iter_indexed()
            .map(|(stack, key)| (key.parent, u32::MAX - blob_ranks[key.blob], stack))
            .collect();
        children.sort_unstable();
        let mut children_of: IndexVec<StackIx, &[Child]> = IndexVec::filled(&[], self.stacks.len());
        let mut next = Vec::new();
        for siblings in children.chunk_by(|a, b| a.0 == b.0) {
            match siblings.first() {
                Some((Some(parent), ..)) => children_of[*parent] = siblings,
                _ => next.extend(siblings.iter().map(|(.., stack)| *stack)),
            }
        }
        let mut ranks = IndexVec::filled(0, self.stacks.len());
        let mut rank = 0;
        while let Some(stack) = next.pop() {
            ranks[stack] = rank;
            rank += 1;
            next.extend(children_of[stack].iter().map(|(.., child)| *child));
        }
        ranks
    }

    /// The stack of a source's layer.
    pub(crate) fn stack_of(&self, source: SourceIx, layer: LayerRef<'_>) -> Option<StackIx> {
        self.stack_of[source].get(layer.position()).copied()
    }

    /// The list of identities of a stack. Results with the same list are the same.
    pub(crate) fn identity(&self, stack: StackIx) -> IdentityIx {
        self.identities[stack]
    }

    /// The diff ID of a blob, or its digest where no source names the diff ID.
    pub(crate) fn content(&self, blob: &Digest) -> Digest {
        let known = self.blobs.find(blob).and_then(|blob| self.entries[blob].diff_id);
        known.unwrap_or(*blob)
    }

    /// The position of a stack in the order of the lists of blob digests.
    pub(crate) fn order(&self, stack: StackIx) -> u32 {
        self.ranks.get_or_init(|| self.rank())[stack]
    }

    /// The stack below a stack.
    pub(crate) fn parent(&self, stack: StackIx) -> Option<StackIx> {
        self.stacks.value(stack).parent
    }

    /// How many stacks there are.
    pub(crate) fn stacks_len(&self) -> usize {
        self.stacks.len()
    }

    /// The one descriptor of the topmost blob of a stack, with the latest mark.
    pub(crate) fn descriptor(&self, stack: StackIx) -> Descriptor {
        let entry = &self.entries[self.stacks.value(stack).blob];
        match entry.used {
            Some(day) => entry.chosen.clone().with_annotation(ANNOTATION_USED, &day.to_string()),
            None => entry.chosen.clone(),
        }
    }
}

fn without_mark(descriptor: &Descriptor) -> Descriptor {
    let mut stripped = descriptor.in_dialect(Dialect::Oci);
    stripped.annotations.remove(ANNOTATION_USED);
    stripped
}
