//! Sets of positions as bits, for the links that so many records have that walking lists of them would take too long.
//!
//! Which records share a link in every input is, in the worst case, no question that could be answered without looking
//! at nearly all of them; but 64 are looked at in one step.

/// A set of positions, each a bit.
#[derive(Clone, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
}

/// Those that have a link in common, as a set that is counted.
#[derive(Clone, Default)]
pub(crate) struct Sharers {
    bits: Bits,
    len: usize,
}

/// What is in a set of every input, an input's set being united of those of its links.
#[derive(Default)]
pub(crate) struct Intersection {
    all: Option<Bits>,
    open: Bits,
}

/// Where lists end and sets begin.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Fewer than this are never a set.
    pub(crate) many: usize,
    /// So many look-ups are always made one by one.
    pub(crate) lookups: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { many: 64, lookups: 64 }
    }
}

impl Limits {
    /// Whether `len` of `all` are so many that a set of them takes little more memory than a list.
    pub(crate) fn are_many(self, len: usize, all: usize) -> bool {
        len >= self.many && len.saturating_mul(1024) >= all
    }

    /// Whether so many look-ups take no longer than going through a few sets of some of `all`.
    pub(crate) fn are_few_lookups(self, lookups: usize, all: usize) -> bool {
        lookups <= self.lookups.max(all / 4096)
    }
}

impl Bits {
    /// Takes a position in; false if it was there.
    pub(crate) fn insert(&mut self, position: usize) -> bool {
        let word = position / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let Some(word) = self.words.get_mut(word) else { return false };
        let before = *word;
        *word |= 1 << (position % 64);
        *word != before
    }

    fn remove(&mut self, position: usize) -> bool {
        let Some(word) = self.words.get_mut(position / 64) else { return false };
        let before = *word;
        *word &= !(1 << (position % 64));
        *word != before
    }

    fn clear(&mut self) {
        self.words.clear();
    }

    pub(crate) fn unite(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    fn intersect(&mut self, other: &Self) {
        self.words.truncate(other.words.len());
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The positions, from the least.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().filter(|(_, word)| **word != 0).flat_map(|(n, word)| {
            let rest = std::iter::successors(Some(*word), |rest| {
                let less = rest & rest.wrapping_sub(1);
                (less != 0).then_some(less)
            });
            rest.map(move |rest| n * 64 + rest.trailing_zeros() as usize)
        })
    }
}

impl Sharers {
    pub(crate) fn insert(&mut self, position: usize) {
        self.len += usize::from(self.bits.insert(position));
    }

    pub(crate) fn remove(&mut self, position: usize) {
        self.len -= usize::from(self.bits.remove(position));
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn bits(&self) -> &Bits {
        &self.bits
    }
}

impl FromIterator<usize> for Sharers {
    fn from_iter<T: IntoIterator<Item = usize>>(positions: T) -> Self {
        let mut sharers = Self::default();
        positions.into_iter().for_each(|position| sharers.insert(position));
        sharers
    }
}

impl Intersection {
    /// The set of the next input, to be filled.
    pub(crate) fn open_input(&mut self) -> &mut Bits {
        &mut self.open
    }

    pub(crate) fn end_input(&mut self) {
        match &mut self.all {
            Some(all) => {
                all.intersect(&self.open);
                self.open.clear();
            }
            None => self.all = Some(std::mem::take(&mut self.open)),
        }
    }

    /// Takes a whole input with one link.
    pub(crate) fn input(&mut self, sharers: &Sharers) {
        match &mut self.all {
            Some(all) => all.intersect(&sharers.bits),
            None => self.all = Some(sharers.bits.clone()),
        }
    }

    /// Whether no more inputs are needed to know that there is nothing in all.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.as_ref().is_some_and(Bits::is_empty)
    }

    /// The positions, from the least.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.all.iter().flat_map(Bits::iter)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn positions() -> impl Strategy<Value = BTreeSet<usize>> {
        prop::collection::btree_set(0usize..400, 0..40)
    }

    fn set(positions: &BTreeSet<usize>) -> Sharers {
        positions.iter().copied().collect()
    }

    proptest! {
        /// Law: bits do as sets do.
        #[test]
        fn bits_are_a_set(a in positions(), b in positions()) {
            let listed = |bits: &Bits| bits.iter().collect::<BTreeSet<_>>();
            let mut both = set(&a).bits;
            both.intersect(set(&b).bits());
            prop_assert_eq!(listed(&both), &a & &b);
            prop_assert_eq!(both.is_empty(), a.is_disjoint(&b));
            let mut either = set(&a).bits;
            either.unite(set(&b).bits());
            prop_assert_eq!(listed(&either), &a | &b);
            let mut left = set(&a);
            b.iter().chain(&b).for_each(|position| left.remove(*position));
            prop_assert_eq!(left.len(), (&a - &b).len());
            prop_assert_eq!(listed(left.bits()), &a - &b);
        }
    }
}
