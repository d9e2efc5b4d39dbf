//! Typed indices and the arenas that they index.
//!
//! Pushing an item into an arena gives its index, and no item is ever removed. So an index is in range in the arena that it
//! is from, and in every arena with an item for each item of that one. Nothing here reads data from outside.

#![allow(clippy::indexing_slicing, reason = "indices come from arenas that have as many items: see above")]

use std::marker::PhantomData;
use std::ops::{Index, IndexMut, Range};

/// A position in an arena.
pub trait Idx: Copy + Ord + 'static {
    /// The index of a position, which must be below 2^32 - 1.
    fn new(position: usize) -> Self;
    /// The position.
    fn position(self) -> usize;
}

/// Defines typed 32-bit indices, private to the crate. An `Option` of one takes no more memory.
#[doc(hidden)]
#[macro_export]
macro_rules! index_types {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $name(std::num::NonZeroU32);

        impl $crate::arena::Idx for $name {
            #[inline]
            #[allow(clippy::cast_possible_truncation, reason = "arenas are bounded to u32 where they are filled")]
            fn new(position: usize) -> Self {
                debug_assert!(u32::try_from(position).is_ok());
                Self(std::num::NonZeroU32::MIN.saturating_add(position as u32))
            }
            #[inline]
            fn position(self) -> usize {
                (self.0.get() - 1) as usize
            }
        }
    )*};
}

index_types! {
    /// A distinct record digest.
    DigestIx;
    /// A distinct selector; the first is the empty one.
    SelectorIx;
    /// One call of `add`.
    OpIx;
    /// An input of an op: a list of links.
    InputIx;
    /// A distinct blob.
    BlobIx;
    /// A distinct descriptor.
    DescriptorIx;
    /// A descriptor on top of a parent layer.
    LayerIx;
    /// A stack of layers: a blob on top of a parent stack. All layers with the same list of blob digests have one.
    StackIx;
    /// A record of a config.
    ConfigRecordIx;
    /// A record of a graph. Sources have smaller indices than the records that depend on them.
    RecordIx;
    /// A record's position in the canonical order.
    Rank;
    /// A node: a class of ops that will be one record.
    NodeIx;
    /// A link between nodes.
    EdgeIx;
}

/// A vector that is indexed by one kind of index only.
#[derive(Clone, Debug)]
pub struct IndexVec<I, T> {
    items: Vec<T>,
    kind: PhantomData<fn(I) -> I>,
}

impl<I: Idx, T> IndexVec<I, T> {
    /// An empty vector.
    pub fn new() -> Self {
        Self::from_vec(Vec::new())
    }

    /// A vector of these items.
    pub fn from_vec(items: Vec<T>) -> Self {
        Self { items, kind: PhantomData }
    }

    /// A vector of `len` copies of a value.
    pub fn filled(value: T, len: usize) -> Self
    where
        T: Clone,
    {
        Self::from_vec(vec![value; len])
    }

    /// An empty vector with room for `capacity` items.
    pub fn with_capacity(capacity: usize) -> Self {
        Self::from_vec(Vec::with_capacity(capacity))
    }

    /// Appends an item; its index.
    #[inline]
    pub fn push(&mut self, item: T) -> I {
        let index = I::new(self.items.len());
        self.items.push(item);
        index
    }

    /// The index that the next item will have.
    pub fn next_index(&self) -> I {
        I::new(self.items.len())
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// The item at an index of another arena; `None` if there are not so many items.
    pub fn lookup(&self, index: I) -> Option<&T> {
        self.items.get(index.position())
    }

    /// Appends `value` until there are `len` items.
    pub fn grow(&mut self, value: T, len: usize)
    where
        T: Clone,
    {
        if self.items.len() < len {
            self.items.resize(len, value);
        }
    }

    /// All indices, in order.
    pub fn indices(&self) -> impl DoubleEndedIterator<Item = I> + ExactSizeIterator + use<I, T> {
        (0..self.items.len()).map(I::new)
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The items, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    /// The items with their indices, in order.
    pub fn iter_indexed(&self) -> impl Iterator<Item = (I, &T)> {
        self.items.iter().enumerate().map(|(n, item)| (I::new(n), item))
    }
}

impl<I: Idx, T> Default for IndexVec<I, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<I: Idx, T> Index<I> for IndexVec<I, T> {
    type Output = T;
    #[inline]
    fn index(&self, index: I) -> &T {
        &self.items[index.position()]
    }
}

impl<I: Idx, T> IndexMut<I> for IndexVec<I, T> {
    #[inline]
    fn index_mut(&mut self, index: I) -> &mut T {
        &mut self.items[index.position()]
    }
}

/// A row of items for each key, all in one vector (compressed sparse rows).
#[derive(Clone, Debug)]
pub(crate) struct Rows<K, T> {
    ends: Vec<u32>,
    items: Vec<T>,
    kind: PhantomData<fn(K) -> K>,
}

impl<K: Idx, T> Rows<K, T> {
    /// No rows.
    pub(crate) fn new() -> Self {
        Self::with_capacity(0, 0)
    }

    /// No rows, with room for as many rows and items.
    pub(crate) fn with_capacity(rows: usize, items: usize) -> Self {
        Self { ends: Vec::with_capacity(rows), items: Vec::with_capacity(items), kind: PhantomData }
    }

    /// Appends an item to the row that [`Rows::end_row`] will close.
    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        self.items.push(item);
    }

    /// Ends the open row and opens the next.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "arenas are bounded to u32 where they are filled")]
    pub(crate) fn end_row(&mut self) -> K {
        let row = K::new(self.ends.len());
        debug_assert!(u32::try_from(self.items.len()).is_ok());
        self.ends.push(self.items.len() as u32);
        row
    }

    /// Appends an item to the last closed row; there must be one, and the open row must be empty.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "arenas are bounded to u32 where they are filled")]
    pub(crate) fn push_to_last(&mut self, item: T) {
        self.items.push(item);
        if let Some(end) = self.ends.last_mut() {
            *end = self.items.len() as u32;
        }
    }

    /// The items of the open row.
    pub(crate) fn open_row(&mut self) -> &mut [T] {
        let start = self.ends.last().map_or(0, |end| *end as usize);
        &mut self.items[start..]
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many items there are in all rows together.
    pub(crate) fn items_len(&self) -> usize {
        self.items.len()
    }

    /// The items of all rows.
    pub(crate) fn items(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    /// The items of a row.
    #[inline]
    pub(crate) fn row(&self, row: K) -> &[T] {
        &self.items[self.range(row.position())]
    }

    /// The items of the rows from `first` up to, not including, `end`.
    pub(crate) fn rows(&self, first: K, end: K) -> impl Iterator<Item = &[T]> {
        (first.position()..end.position()).map(|row| &self.items[self.range(row)])
    }

    /// The items of the rows from `first` up to, not including, `end`.
    pub(crate) fn items_between(&self, first: K, end: K) -> &[T] {
        &self.items[self.start(first.position())..self.start(end.position())]
    }

    #[inline]
    fn range(&self, row: usize) -> Range<usize> {
        self.start(row)..self.ends[row] as usize
    }

    #[inline]
    fn start(&self, row: usize) -> usize {
        if row == 0 { 0 } else { self.ends[row - 1] as usize }
    }
}

/// Rows of rows: for each key a number of inputs, for each input a number of links.
#[derive(Clone, Debug)]
pub(crate) struct Inputs<K, T> {
    rows: Rows<InputIx, T>,
    ends: IndexVec<K, u32>,
}

impl<K: Idx, T> Inputs<K, T> {
    /// No keys, with room for as many keys, inputs and links.
    pub(crate) fn with_capacity(keys: usize, inputs: usize, links: usize) -> Self {
        Self { rows: Rows::with_capacity(inputs, links), ends: IndexVec::with_capacity(keys) }
    }

    /// The inputs of all keys as rows of links, the open input included.
    pub(crate) fn rows(&self) -> &Rows<InputIx, T> {
        &self.rows
    }

    /// Appends a link to the open input.
    #[inline]
    pub(crate) fn push(&mut self, link: T) {
        self.rows.push(link);
    }

    /// Ends the open input and opens the next.
    pub(crate) fn end_input(&mut self) {
        self.rows.end_row();
    }

    /// Sorts the links of the open input and drops repeated links.
    pub(crate) fn sort_and_dedup_open_input(&mut self)
    where
        T: Ord,
    {
        let start = self.rows.ends.last().map_or(0, |end| *end as usize);
        if self.rows.items.len() - start < 2 {
            return;
        }
        self.rows.items[start..].sort_unstable();
        let mut kept = start + 1;
        for at in start + 1..self.rows.items.len() {
            if self.rows.items[at] != self.rows.items[kept - 1] {
                self.rows.items.swap(at, kept);
                kept += 1;
            }
        }
        self.rows.items.truncate(kept);
    }

    /// Ends the open key, which has the inputs that were ended since the key before it.
    #[allow(clippy::cast_possible_truncation, reason = "arenas are bounded to u32 where they are filled")]
    pub(crate) fn end_key(&mut self) -> K {
        self.ends.push(self.rows.len() as u32)
    }

    /// The inputs of a key.
    pub(crate) fn of(&self, key: K) -> impl Iterator<Item = &[T]> {
        let Range { start, end } = self.range(key);
        self.rows.rows(InputIx::new(start), InputIx::new(end))
    }

    /// How many inputs a key has.
    pub(crate) fn count(&self, key: K) -> usize {
        self.range(key).len()
    }

    /// The links of all inputs of a key.
    pub(crate) fn links(&self, key: K) -> &[T] {
        let Range { start, end } = self.range(key);
        self.rows.items_between(InputIx::new(start), InputIx::new(end))
    }

    fn range(&self, key: K) -> Range<usize> {
        let start = if key.position() == 0 { 0 } else { self.ends[K::new(key.position() - 1)] as usize };
        start..self.ends[key] as usize
    }
}
