//! Interning: one index for each distinct value.
//!
//! Values are looked up in a hash table with a random seed. The indices never depend on the seed.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::index::{Idx, IndexVec};

/// A set of distinct values, numbered in the order of insertion.
#[derive(Clone)]
pub struct Interner<I, T> {
    values: IndexVec<I, T>,
    table: HashTable<I>,
    state: RandomState,
}

impl<I: Idx, T: Hash + Eq> Interner<I, T> {
    /// An empty set.
    pub fn new() -> Self {
        Self { values: IndexVec::new(), table: HashTable::new(), state: RandomState::default() }
    }

    /// The index of the value that equals `key`, and whether it is new. `make` makes a new value.
    pub fn intern<Q: Hash + Eq + ?Sized>(&mut self, key: &Q, make: impl FnOnce(&Q) -> T) -> (I, bool)
    where
        T: Borrow<Q>,
    {
        let Self { values, table, state } = self;
        let hash = state.hash_one(key);
        if let Some(found) = table.find(hash, |at| values[*at].borrow() == key) {
            return (*found, false);
        }
        let index = values.push(make(key));
        table.insert_unique(hash, index, |at| state.hash_one(values[*at].borrow()));
        (index, true)
    }

    /// The index of the value that equals `key`; `None` if it was never inserted.
    pub fn find<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<I>
    where
        T: Borrow<Q>,
    {
        let hash = self.state.hash_one(key);
        self.table.find(hash, |at| self.values[*at].borrow() == key).copied()
    }

    /// The value of an index.
    #[inline]
    pub fn value(&self, index: I) -> &T {
        &self.values[index]
    }

    /// All values, by index.
    pub fn values(&self) -> &IndexVec<I, T> {
        &self.values
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Makes room for as many further values.
    pub fn reserve(&mut self, additional: usize) {
        let Self { values, table, state } = self;
        table.reserve(additional, |at| state.hash_one(values[*at].borrow()));
    }
}

impl<I: Idx, T: Hash + Eq> Default for Interner<I, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<I: Idx, T: std::fmt::Debug> std::fmt::Debug for Interner<I, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.iter()).finish()
    }
}
