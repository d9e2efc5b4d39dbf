//! The closed union of the sources: which parts are one record, and the links between the records.
//!
//! Parts with the same digest and the same links are one record by any reading, so they form a *group* before anything is
//! closed: of a hundred caches with the same records, as many groups as one cache has records are left. Closing joins
//! groups.
//!
//! When links are cut, only a part of the union is closed again. Closing gives the finest partition of the parts, and
//! cutting can only make it finer. So records that depend on no changed part stay as they are. The others are *dirty*: they
//! are closed anew, on roots that stand in for the records that they depend on.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use cache_model::arena::{Idx, IndexVec, Interner};
use cache_model::{CacheChains, Graph, Link, RecordDigest, RecordId, RecordRef, Rule};
use smallvec::SmallVec;

use crate::EditError;
use crate::budget::Budget;
use crate::index::{DigestIx, GroupIx, LocalIx, PartIx, RecordIx, SelectorIx, SourceIx};
use crate::parts::{Parts, whole};

/// The records of the closed union of the parts that are left.
pub(crate) struct Union {
    /// What the parts of each group have in common.
    keys: Interner<GroupIx, GroupKey>,
    groups: IndexVec<GroupIx, Group>,
    group_of: IndexVec<PartIx, GroupIx>,
    records: IndexVec<RecordIx, UnionRecord>,
    /// The parts that closing left out, since cycles leave one of their inputs without links.
    left_out: Vec<PartIx>,
}

/// Each link as the position of the input, the selector and the group of its source; then the digest and the number of
/// inputs.
type GroupKey = Box<[[u32; 3]]>;

#[derive(Default)]
struct Group {
    /// How many parts it has. A part whose links change leaves it.
    parts: u32,
    /// The record that it belongs to; `None` if it was left out.
    record: Option<RecordIx>,
    /// The groups that link to it, each once.
    dependents: Vec<GroupIx>,
    is_dirty: bool,
    /// Its record in the chains of the round, while it is dirty.
    local: Option<RecordId>,
}

/// A record of the closed union.
pub(crate) struct UnionRecord {
    pub(crate) digest: DigestIx,
    /// Its parts, in order.
    pub(crate) parts: Vec<PartIx>,
    /// Its links, in the order of its inputs. Links within cycles are left out.
    pub(crate) links: Box<[RecordLink]>,
    /// The records that link to it, each once; some of them may have been replaced.
    dependents: Vec<RecordIx>,
    /// Whether others have taken its place.
    is_replaced: bool,
    /// The root that stands in for it in the chains of the round.
    stand_in: Option<RecordId>,
}

/// A link of a record.
#[derive(Clone, Copy)]
pub(crate) struct RecordLink {
    pub(crate) input: u32,
    pub(crate) selector: SelectorIx,
    pub(crate) source: RecordIx,
}

/// The chains that are closed in one round.
struct LocalChains {
    chains: CacheChains,
    stand_ins: Vec<(RecordIx, RecordId)>,
    /// The number of digests that were tried for stand-ins.
    digests: u64,
}

impl LocalChains {
    fn new() -> Self {
        let mut chains = CacheChains::new();
        chains.set_rule(Rule::Closed);
        Self { chains, stand_ins: Vec::new(), digests: 0 }
    }

    /// Adds a root that is no other record, whatever digests the sources have.
    fn stand_in(&mut self, parts: &Parts, record: RecordIx) -> Result<Option<RecordId>, EditError> {
        let mut digest;
        loop {
            digest = RecordDigest::new(&format!("stand-in {}", self.digests));
            self.digests += 1;
            if parts.digests.find(&digest).is_none() {
                break;
            }
        }
        let id = self.chains.add(&digest, &[], &[])?;
        self.stand_ins.extend(id.map(|id| (record, id)));
        Ok(id)
    }
}

impl Union {
    /// Closes the union of all parts.
    pub(crate) fn close(parts: &Parts) -> Result<Self, EditError> {
        let mut union = Self {
            keys: Interner::new(),
            groups: IndexVec::new(),
            group_of: IndexVec::with_capacity(parts.len()),
            records: IndexVec::new(),
            left_out: Vec::new(),
        };
        let mut key = Vec::new();
        for part in parts.indices() {
            let group = union.join_group(parts, part, &mut key);
            union.group_of.push(group);
        }
        union.close_dirty(parts, &parts.indices().collect::<Vec<_>>())?;
        Ok(union)
    }

    /// The records that have not been replaced, each after the records that it depends on.
    pub(crate) fn records(&self) -> impl Iterator<Item = (RecordIx, &UnionRecord)> {
        self.records.iter_indexed().filter(|(_, record)| !record.is_replaced)
    }

    pub(crate) fn record(&self, record: RecordIx) -> &UnionRecord {
        &self.records[record]
    }

    /// The record that a part belongs to; `None` if it was left out.
    pub(crate) fn record_of(&self, part: PartIx) -> Option<RecordIx> {
        self.groups[self.group_of[part]].record
    }

    /// The parts of a record that are of one source, in order.
    pub(crate) fn parts_of(&self, record: RecordIx, source: SourceIx, parts: &Parts) -> &[PartIx] {
        let all = self.records[record].parts.as_slice();
        let end = all.partition_point(|part| parts.of(*part).source <= source);
        let (until, _) = all.split_at(end);
        until.split_at(until.partition_point(|part| parts.of(*part).source < source)).1
    }

    pub(crate) fn is_replaced(&self, record: RecordIx) -> bool {
        self.records[record].is_replaced
    }

    /// The records that link to a record, each once.
    pub(crate) fn dependents(&self, record: RecordIx) -> impl Iterator<Item = RecordIx> {
        let dependents = self.records[record].dependents.iter().copied();
        dependents.filter(|dependent| !self.records[*dependent].is_replaced)
    }

    /// Closes anew what depends on the parts that lost links or are gone. Gives the new records.
    pub(crate) fn close_anew(
        &mut self,
        parts: &Parts,
        changed: &[PartIx],
        budget: &mut Budget,
    ) -> Result<Vec<RecordIx>, EditError> {
        let mut dirty = self.regroup(parts, changed);
        let mut dirty_parts = std::mem::take(&mut self.left_out);
        dirty_parts.retain(|part| !parts.of(*part).is_gone);
        for part in &dirty_parts {
            self.mark_dependents(*part, &mut dirty);
        }
        // The records that depend on dirty ones are dirty.
        while let Some(record) = dirty.pop() {
            let of = std::mem::take(&mut self.records[record].parts);
            for part in of.iter().filter(|part| !parts.of(**part).is_gone) {
                self.mark_dependents(*part, &mut dirty);
            }
            dirty_parts.extend(of);
        }
        dirty_parts.retain(|part| !parts.of(*part).is_gone);
        let links = dirty_parts.iter().map(|part| parts.links(*part).count() + 1);
        budget.spend(links.sum())?;
        dirty_parts.sort_unstable();
        self.close_dirty(parts, &dirty_parts)
    }

    /// Moves the changed parts, and the parts that link to moved parts, to the groups of their present links. Gives the
    /// records that these parts belonged to.
    fn regroup(&mut self, parts: &Parts, changed: &[PartIx]) -> Vec<RecordIx> {
        let mut dirty = Vec::new();
        let mut key = Vec::new();
        // Sources come first.
        let mut queue: BinaryHeap<Reverse<PartIx>> = changed.iter().copied().map(Reverse).collect();
        let mut last = None;
        while let Some(Reverse(part)) = queue.pop() {
            if last.replace(part) == Some(part) {
                continue;
            }
            let before = self.group_of[part];
            if !parts.of(part).is_gone {
                let group = self.join_group(parts, part, &mut key);
                self.group_of[part] = group;
                if group != before {
                    queue.extend(parts.dependents(part).map(|link| Reverse(link.target)));
                }
            }
            self.groups[before].parts -= 1;
            if parts.of(part).is_gone || self.group_of[part] != before {
                self.mark(self.groups[before].record, &mut dirty);
            }
        }
        dirty
    }

    /// Marks the records as replaced whose parts link to parts of this part's group.
    fn mark_dependents(&mut self, part: PartIx, dirty: &mut Vec<RecordIx>) {
        let group = self.group_of[part];
        if std::mem::replace(&mut self.groups[group].is_dirty, true) {
            return;
        }
        let dependents = std::mem::take(&mut self.groups[group].dependents);
        for dependent in &dependents {
            if self.groups[*dependent].parts > 0 {
                self.mark(self.groups[*dependent].record, dirty);
            }
        }
        self.groups[group].dependents = dependents;
    }

    fn mark(&mut self, record: Option<RecordIx>, dirty: &mut Vec<RecordIx>) {
        let Some(record) = record else { return };
        if !std::mem::replace(&mut self.records[record].is_replaced, true) {
            dirty.push(record);
        }
    }

    /// The group of a part by its links, with the part counted. The groups of its sources are known.
    fn join_group(&mut self, parts: &Parts, part: PartIx, key: &mut Vec<[u32; 3]>) -> GroupIx {
        key.clear();
        for (_, link) in parts.links(part) {
            key.push([link.input, number(link.selector), number(self.group_of[link.source])]);
        }
        key.sort_unstable();
        key.dedup();
        let of = parts.of(part);
        key.push([number(of.digest), of.inputs, 0]);
        let (group, is_new) = self.keys.intern(key.as_slice(), |key| key.into());
        if is_new {
            self.groups.push(Group::default());
            for (_, link) in parts.links(part) {
                let dependents = &mut self.groups[self.group_of[link.source]].dependents;
                if dependents.last() != Some(&group) {
                    dependents.push(group);
                }
            }
        }
        self.groups[group].parts += 1;
        group
    }

    /// Closes these parts, which are in order, and appends their records. Gives the records.
    fn close_dirty(&mut self, parts: &Parts, dirty: &[PartIx]) -> Result<Vec<RecordIx>, EditError> {
        let mut groups: Vec<GroupIx> = dirty.iter().map(|part| self.group_of[*part]).collect();
        groups.sort_unstable();
        groups.dedup();
        let mut local = LocalChains::new();
        for group in &groups {
            // A group that was left out, and a new one, has no record.
            self.groups[*group].record = None;
            self.groups[*group].local = self.add(parts, *group, &mut local)?;
        }
        let graph = local.chains.graph()?;
        let mut record_of: IndexVec<LocalIx, Option<RecordIx>> = IndexVec::filled(None, graph.len());
        for (record, id) in &local.stand_ins {
            self.records[*record].stand_in = None;
            if let Some(at) = graph.record(*id) {
                record_of[local_index(at)] = Some(*record);
            }
        }
        let mut new = Vec::with_capacity(graph.len());
        for record in graph.records() {
            if record_of[local_index(record)].is_none() {
                let appended = self.append(parts, record, &record_of);
                record_of[local_index(record)] = appended;
                new.extend(appended);
            }
        }
        self.distribute(&graph, &groups, &record_of, dirty);
        Ok(new)
    }

    /// Adds a group to the chains of the round.
    fn add(
        &mut self,
        parts: &Parts,
        group: GroupIx,
        local: &mut LocalChains,
    ) -> Result<Option<RecordId>, EditError> {
        let Self { keys, groups, records, .. } = self;
        let [links @ .., [digest, ..]] = &**keys.value(group) else { return Ok(None) };
        let mut inputs: SmallVec<[SmallVec<[Link<'_>; 4]>; 4]> = SmallVec::new();
        for row in links.chunk_by(|a, b| a[0] == b[0]) {
            let mut input = SmallVec::new();
            for [_, selector, source] in row {
                let source = &groups[index::<GroupIx>(*source)];
                let id = match (source.local, source.record) {
                    (Some(id), _) => Some(id),
                    (None, Some(record)) => match records[record].stand_in {
                        Some(id) => Some(id),
                        None => {
                            records[record].stand_in = local.stand_in(parts, record)?;
                            records[record].stand_in
                        }
                    },
                    // Sources that were left out are dirty, so they are in the chains.
                    (None, None) => None,
                };
                let selector = parts.selectors.value(index::<SelectorIx>(*selector));
                input.extend(id.map(|id| Link::new(id, selector)));
            }
            inputs.push(input);
        }
        let inputs: SmallVec<[&[Link<'_>]; 4]> = inputs.iter().map(SmallVec::as_slice).collect();
        Ok(local.chains.add(parts.digests.value(index::<DigestIx>(*digest)), &inputs, &[])?)
    }

    /// Appends a record of the graph of the round, after its sources.
    fn append(
        &mut self,
        parts: &Parts,
        record: RecordRef<'_>,
        record_of: &IndexVec<LocalIx, Option<RecordIx>>,
    ) -> Option<RecordIx> {
        let mut links = Vec::new();
        for (input, row) in (0..).zip(record.inputs()) {
            for link in row {
                let source = record_of[local_index(link.source)];
                let selector = if link.selector.is_empty() {
                    Some(whole())
                } else {
                    parts.selectors.find(link.selector)
                };
                links.extend(source.zip(selector).map(|(source, selector)| RecordLink {
                    input,
                    selector,
                    source,
                }));
            }
        }
        let appended = self.records.next_index();
        for link in &links {
            let dependents = &mut self.records[link.source].dependents;
            if dependents.last() != Some(&appended) {
                dependents.push(appended);
            }
        }
        let digest = parts.digests.find(record.digest())?;
        let (links, parts, dependents) = (links.into(), Vec::new(), Vec::new());
        Some(self.records.push(UnionRecord {
            digest,
            parts,
            links,
            dependents,
            is_replaced: false,
            stand_in: None,
        }))
    }

    /// Gives the parts that were closed to their records.
    fn distribute(
        &mut self,
        graph: &Graph<'_>,
        groups: &[GroupIx],
        record_of: &IndexVec<LocalIx, Option<RecordIx>>,
        dirty: &[PartIx],
    ) {
        for group in groups {
            let group = &mut self.groups[*group];
            group.is_dirty = false;
            let record = group.local.take().and_then(|id| graph.record(id));
            group.record = record.and_then(|record| record_of[local_index(record)]);
        }
        for part in dirty {
            match self.record_of(*part) {
                Some(record) => self.records[record].parts.push(*part),
                None => self.left_out.push(*part),
            }
        }
    }
}

fn local_index(record: RecordRef<'_>) -> LocalIx {
    LocalIx::new(record.position())
}

/// An index in a key.
fn number(index: impl Idx) -> u32 {
    u32::try_from(index.position()).unwrap_or(u32::MAX)
}

/// The index of a number in a key.
fn index<I: Idx>(number: u32) -> I {
    I::new(number as usize)
}
