//! Which records of an older cache the records of a newer one are, by their digests and links alone.

use std::collections::HashSet;

use cache_model::{LinkRef, RecordRef};

use crate::Cache;
use crate::work::Work;

/// How many older records of one digest are looked at to find the nearest. Builds have a few.
const MOST_COMPARED: usize = 64;

/// By the position of a newer record: the positions of the older records that it is.
pub(crate) struct RecordPartners(Vec<Vec<usize>>);

/// How a slot of a newer record matches the older cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotMatch {
    /// A link leads to a record on which an older record of the same digest stands, too.
    Matches,
    /// A link leads to a record that the older cache has, but no older record of the digest stands on it.
    Elsewhere,
    /// The links lead to records that missed, too.
    Follows,
    /// All links lead to roots that the older cache lacks: the keys of a source, of which this is the first.
    OtherBase(usize),
    /// The same, but it is the content of files.
    OtherContent,
}

impl RecordPartners {
    /// Finds the partners of all records. If the caches are too tangled, records that were left have none.
    pub(crate) fn find<'a>(new: &Cache<'a>, old: &Cache<'a>) -> Self {
        let mut partners = Self(Vec::with_capacity(new.graph().len()));
        let mut work = Work::new();
        for record in new.graph().records() {
            let candidates = old.records(record.digest()).iter();
            let is_same = |older: &&RecordRef<'a>| {
                older.inputs_len() == record.inputs_len()
                    && record.inputs().zip(older.inputs()).all(|(links, older)| {
                        work.take(links.len() + older.len()) && partners.meet(links, &targets(older))
                    })
            };
            let found = candidates.filter(is_same).map(|older| older.position()).collect();
            partners.0.push(found);
        }
        partners
    }

    /// The older records that a newer one is.
    pub(crate) fn of<'a>(
        &self,
        old: &Cache<'a>,
        record: RecordRef<'_>,
    ) -> impl Iterator<Item = RecordRef<'a>> {
        let graph = old.graph();
        self.positions(record).iter().filter_map(|position| graph.at(*position))
    }

    /// The older record of the same digest of which most slots match: one with a result, if there is one.
    pub(crate) fn nearest<'a>(&self, old: &Cache<'a>, record: RecordRef<'_>) -> Option<RecordRef<'a>> {
        let matching = |older: &RecordRef<'a>| {
            let slots = record.inputs().zip(older.inputs());
            let meet = slots.map(|(links, older)| self.meet(links, &targets(older)));
            meet.filter(|is_met| *is_met).count()
        };
        let rank = |older: &&RecordRef<'a>| (older.newest_result().is_some(), matching(older));
        old.records(record.digest()).iter().take(MOST_COMPARED).max_by_key(rank).copied()
    }

    /// How each slot of a record matches.
    pub(crate) fn slots(&self, old: &Cache<'_>, record: RecordRef<'_>) -> Vec<SlotMatch> {
        let nearest = self.nearest(old, record);
        let slots = record.inputs().enumerate().map(|(input, links)| {
            let links: Vec<LinkRef<'_>> = links.collect();
            let older = nearest.and_then(|older| older.inputs().nth(input)).map(targets).unwrap_or_default();
            self.slot(&links, &older)
        });
        slots.collect()
    }

    fn slot(&self, links: &[LinkRef<'_>], older: &HashSet<(&str, usize)>) -> SlotMatch {
        let is_known = |link: &LinkRef<'_>| !self.positions(link.source).is_empty();
        let roots = || links.iter().filter(|link| link.source.inputs_len() == 0);
        if self.meet(links.iter().copied(), older) {
            SlotMatch::Matches
        } else if links.iter().any(is_known) {
            SlotMatch::Elsewhere
        } else if roots().count() < links.len() {
            SlotMatch::Follows
        } else {
            // A folder has one link without a selector. An image has two, and to any other source a link has a selector.
            match roots().find(|link| links.len() > 1 || !link.selector.is_empty()) {
                Some(link) => SlotMatch::OtherBase(link.source.position()),
                None => SlotMatch::OtherContent,
            }
        }
    }

    /// Whether a link has a partner among the links of an older slot.
    fn meet<'n>(&self, mut links: impl Iterator<Item = LinkRef<'n>>, older: &HashSet<(&str, usize)>) -> bool {
        links.any(|link| {
            self.positions(link.source).iter().any(|position| older.contains(&(link.selector, *position)))
        })
    }

    fn positions(&self, record: RecordRef<'_>) -> &[usize] {
        self.0.get(record.position()).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The links of a slot: their selectors and the records that they lead to.
fn targets<'g>(links: impl Iterator<Item = LinkRef<'g>>) -> HashSet<(&'g str, usize)> {
    links.map(|link| (link.selector, link.source.position())).collect()
}
