//! Explains why records of a cache are not in an older one, from the two caches alone.
//!
//! No build record is needed, so a step is known by its record only: its instruction is not known, nor what differs in it.

use std::collections::HashSet;
use std::time::Duration;

use cache_model::{Digest, RecordRef};

use crate::changed_files::{SourceFiles, changed_files};
use crate::following::followers;
use crate::record_partners::{RecordPartners, SlotMatch};
use crate::step_layer::StepLayer;
use crate::{Cache, FileChange};

/// Why records are not in an older cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CachesExplanation {
    /// How many steps with a result the older cache has. A step is a record that depends on others. A builder also exports records of
    /// earlier builds, without results.
    pub cached: usize,
    /// How many steps it does not have.
    pub ran: usize,
    /// The first causes, in the order of the records.
    pub causes: Vec<RecordCause>,
    /// Layers that have to be read as trees to know the files, in either cache.
    pub wanted_layers: Vec<Digest>,
}

/// The first cause of misses: a record that missed for a reason of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordCause {
    /// What is different.
    pub kind: RecordCauseKind,
    /// The position of the record in the newer graph. Of a base it is that of the base's own record.
    pub record: usize,
    /// The position in the older graph of the record that has the same digest and differs least. A base has none.
    pub older: Option<usize>,
    /// How many further steps missed because of it.
    pub follow: usize,
    /// How the layers of the two records differ, by the paths in the layers; for [`RecordCauseKind::Content`] only. `None` if a
    /// layer was not read.
    pub files: Option<Vec<FileChange>>,
}

/// What is different, so that a record missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RecordCauseKind {
    /// The files that the step copies or mounts.
    Content,
    /// A base image, or another source.
    Base,
    /// The step is defined in another way, or is new.
    Definition,
    /// The step stands on another step than it did.
    Order,
    /// The older cache knows the step, and has no result of it.
    NoResult,
}

/// What is compared.
struct Comparison<'c, 'a> {
    new: &'c Cache<'a>,
    old: &'c Cache<'a>,
    partners: RecordPartners,
}

/// Explains why records of a cache are not in an older one, without any build record.
///
/// A record is in the older cache if that has a record of the same digest and each of its slots has a link with an equal selector to a
/// record that is in the older cache. What differs first is the cause. If the older cache has the digest, the files that the step reads
/// are others, or its base; else its definition.
pub fn explain_caches(new: &Cache<'_>, old: &Cache<'_>) -> CachesExplanation {
    let comparison = Comparison { new, old, partners: RecordPartners::find(new, old) };
    comparison.explain()
}

impl Comparison<'_, '_> {
    fn explain(&self) -> CachesExplanation {
        let mut explanation = CachesExplanation::default();
        let mut bases = HashSet::new();
        for record in self.new.graph().records().filter(|record| record.inputs_len() > 0) {
            if self.is_cached(record) {
                explanation.cached += usize::from(record.newest_result().is_some());
                continue;
            }
            explanation.ran += 1;
            let Some((kind, start)) = self.cause(record) else { continue };
            if kind == RecordCauseKind::Base && !bases.insert(start) {
                continue;
            }
            let older = self.partners.nearest(self.old, record).filter(|_| start == record.position());
            let files = older.filter(|_| kind == RecordCauseKind::Content);
            let files = files.and_then(|older| self.files(record, older, &mut explanation.wanted_layers));
            let older = older.map(RecordRef::position);
            explanation.causes.push(RecordCause { kind, record: start, older, follow: 0, files });
        }
        self.count_followers(&mut explanation.causes);
        explanation
    }

    /// Whether the older cache has the record, with a result if the newer one has any.
    fn is_cached(&self, record: RecordRef<'_>) -> bool {
        let mut partners = self.partners.of(self.old, record).peekable();
        let is_known = partners.peek().is_some();
        is_known
            && (record.newest_result().is_none() || partners.any(|older| older.newest_result().is_some()))
    }

    /// Why a record missed by itself, and the record that is to blame. `None` if it follows from another.
    fn cause(&self, record: RecordRef<'_>) -> Option<(RecordCauseKind, usize)> {
        let own = record.position();
        let slots = self.partners.slots(self.old, record);
        let failing = || slots.iter().filter(|slot| **slot != SlotMatch::Matches);
        let is_known = !self.old.records(record.digest()).is_empty();
        // A step that stands on another one often names files of it, so it may be defined in another way because of it.
        if failing().any(|slot| *slot == SlotMatch::Follows) || (!is_known && self.is_on_missed(record)) {
            return None;
        }
        let base = failing().find_map(|slot| match slot {
            SlotMatch::OtherBase(root) => Some((RecordCauseKind::Base, *root)),
            _ => None,
        });
        base.or_else(|| (!is_known).then_some((RecordCauseKind::Definition, own))).or_else(|| {
            let is_content = failing().any(|slot| *slot == SlotMatch::OtherContent);
            let is_order = failing().next().is_some() || self.partners.of(self.old, record).next().is_none();
            let kind = match (is_content, is_order) {
                (true, _) => RecordCauseKind::Content,
                (false, true) => RecordCauseKind::Order,
                (false, false) => RecordCauseKind::NoResult,
            };
            Some((kind, own))
        })
    }

    /// Whether a record stands on a step that missed.
    fn is_on_missed(&self, record: RecordRef<'_>) -> bool {
        let mut sources =
            record.inputs().flatten().map(|link| link.source).filter(|source| source.inputs_len() > 0);
        sources.any(|source| self.partners.of(self.old, source).next().is_none())
    }

    /// How the layers of two records differ.
    fn files(
        &self,
        new: RecordRef<'_>,
        old: RecordRef<'_>,
        wanted: &mut Vec<Digest>,
    ) -> Option<Vec<FileChange>> {
        let new = StepLayer::top(self.new, self.new.graph().at(new.position()))?;
        let old = StepLayer::top(self.old, self.old.graph().at(old.position()))?;
        let not_read = [old, new].into_iter().filter(|layer| layer.tree.is_none());
        wanted.extend(not_read.map(|layer| layer.digest));
        Some(changed_files(&SourceFiles::of_layer(old.tree?), &SourceFiles::of_layer(new.tree?)))
    }

    fn count_followers(&self, causes: &mut [RecordCause]) {
        let records: Vec<RecordRef<'_>> = self.new.graph().records().collect();
        let links =
            |record: &RecordRef<'_>| record.inputs().flatten().map(|link| link.source.position()).collect();
        let inputs: Vec<Vec<usize>> = records.iter().map(links).collect();
        let from: Vec<usize> = causes.iter().map(|cause| cause.record).collect();
        let missed: Vec<bool> =
            records.iter().map(|record| record.inputs_len() > 0 && !self.is_cached(*record)).collect();
        let followers =
            followers(&inputs, &from, |record| missed.get(record) == Some(&true), |_| Duration::ZERO);
        for (cause, followers) in causes.iter_mut().zip(followers) {
            cause.follow = followers.count;
        }
    }
}
