//! The closed union of the sources: which parts are one record, and the links between the records.
//!
//! Parts with the same digest and the same links are one record by any reading, so they form a *group* before anything is
//! closed: of a hundred caches with the same records, as many groups as one cache has records are left. Closing joins
//! groups.
//!
//! When links are cut, only a part of the union is closed again. Closing gives the finest partition of the parts, and
//! cutting can only make it finer. So records that depend on no changed part stay as they are. The others are *dirty*: they
//! are closed anew, on roots that stand in for the records that they depend on.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use cache_model::arena::{Idx, IndexVec};
use cache_model::{CacheChains, Graph, Link, RecordDigest, RecordId, RecordRef, Rule};
use foldhash::fast::RandomState;
use smallvec::SmallVec;

use crate::EditError;
use crate::budget::Budget;
use crate::index::{DigestIx, GroupIx, LocalIx, PartIx, RecordIx, SelectorIx, SourceIx};
use crate::parts::{Parts, whole};

/// The steps of closing one link or record anew: it is added to chains, read, and appended.
const STEPS_OF_CLOSING: usize = 24;

/// The records of the closed union of the parts that are left.
pub(crate) struct Union {
    groups: IndexVec<GroupIx, Group>,
    by_key: HashMap<GroupKey, GroupIx, RandomState>,
    group_of: IndexVec<PartIx, GroupIx>,
    records: IndexVec<RecordIx, UnionRecord>,
    /// The parts that closing left out, since cycles leave one of their inputs without links.
    left_out: Vec<PartIx>,
}

/// Each link as the position of the input, the selector and the group of its source; then the digest and the number of
/// inputs.
type GroupKey = Rc<[[u32; 3]]>;

/// Parts with the same digest and the same links. The groups that it has links to have smaller indices.
struct Group {
    key: GroupKey,
    /// How many parts it has. A part whose links change leaves it.
    parts: u32,
    /// The record that it belongs to; `None` if it was left out.
    record: Option<RecordIx>,
    /// The groups that link to it; also some that did so earlier.
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

/// What has to be closed anew.
#[derive(Default)]
struct Dirty {
    /// The records whose parts are not collected yet.
    records: Vec<RecordIx>,
    /// The parts; those of one record in order.
    parts: Vec<PartIx>,
    groups: Vec<GroupIx>,
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
            groups: IndexVec::new(),
            by_key: HashMap::default(),
            group_of: IndexVec::with_capacity(parts.len()),
            records: IndexVec::new(),
            left_out: Vec::new(),
        };
        let mut key = Vec::new();
        for part in parts.indices() {
            union.read_key(parts, part, &mut key);
            let group = union.join_group(&key);
            union.group_of.push(group);
        }
        let (all, groups) = (parts.indices().collect(), union.groups.indices().collect());
        union.close_dirty(parts, &Dirty { records: Vec::new(), parts: all, groups })?;
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

    /// The parts that closing left out.
    #[cfg(test)]
    pub(crate) fn left_out(&self) -> &[PartIx] {
        &self.left_out
    }

    pub(crate) fn is_replaced(&self, record: RecordIx) -> bool {
        self.records[record].is_replaced
    }

    /// The records that link to a record, each once.
    pub(crate) fn dependents(&self, record: RecordIx) -> impl Iterator<Item = RecordIx> {
        let dependents = self.records[record].dependents.iter().copied();
        dependents.filter(|dependent| !self.records[*dependent].is_replaced)
    }

    /// The work of going through the records that link to a record.
    pub(crate) fn dependents_work(&self, record: RecordIx) -> usize {
        self.records[record].dependents.len() + 1
    }

    /// Closes anew what depends on the parts that lost links or are gone. Gives the new records.
    pub(crate) fn close_anew(
        &mut self,
        parts: &Parts,
        changed: &[PartIx],
        budget: &mut Budget,
    ) -> Result<Vec<RecordIx>, EditError> {
        let mut dirty = Dirty { records: self.regroup(parts, changed), ..Dirty::default() };
        dirty.parts = std::mem::take(&mut self.left_out);
        dirty.parts.sort_unstable();
        dirty.parts.retain(|part| !parts.of(*part).is_gone);
        for part in dirty.parts.clone() {
            budget.spend(parts.links_work(part))?;
            self.mark_dependents(part, &mut dirty, budget)?;
        }
        // The records that depend on dirty ones are dirty.
        while let Some(record) = dirty.records.pop() {
            let of = std::mem::take(&mut self.records[record].parts);
            for part in of.into_iter().filter(|part| !parts.of(*part).is_gone) {
                self.mark_dependents(part, &mut dirty, budget)?;
                budget.spend(parts.links_work(part))?;
                dirty.parts.push(part);
            }
        }
        for group in &dirty.groups {
            budget.spend(STEPS_OF_CLOSING * self.groups[*group].key.len())?;
        }
        dirty.groups.sort_unstable();
        let (new, steps) = self.close_dirty(parts, &dirty)?;
        budget.spend(usize::try_from(steps).unwrap_or(usize::MAX))?;
        Ok(new)
    }

    /// Gives the changed parts, and the parts that link to moved parts, the groups of their present links. Gives the records
    /// that these parts belonged to.
    fn regroup(&mut self, parts: &Parts, changed: &[PartIx]) -> Vec<RecordIx> {
        let mut dirty = Vec::new();
        // The parts that may leave each group. The groups that a group has links to come first.
        let mut leaving: BTreeMap<GroupIx, Vec<PartIx>> = BTreeMap::new();
        for part in changed {
            let group = self.group_of[*part];
            if parts.of(*part).is_gone {
                self.groups[group].parts -= 1;
                self.mark(self.groups[group].record, &mut dirty);
            } else {
                leaving.entry(group).or_default().push(*part);
            }
        }
        let mut key = Vec::new();
        while let Some((group, mut of_group)) = leaving.pop_first() {
            of_group.sort_unstable();
            of_group.dedup();
            let before = self.groups[group].record;
            if of_group.len() == self.groups[group].parts as usize && self.change_key(parts, group, &of_group)
            {
                self.mark(before, &mut dirty);
                continue;
            }
            for part in of_group {
                self.read_key(parts, part, &mut key);
                let joined = self.join_group(&key);
                self.groups[group].parts -= 1;
                self.group_of[part] = joined;
                if joined != group {
                    self.mark(before, &mut dirty);
                    for link in parts.dependents(part) {
                        leaving.entry(self.group_of[link.target]).or_default().push(link.target);
                    }
                }
            }
        }
        dirty
    }

    /// Changes the key of a group of which all parts have other links now. Then the groups that link to it stay as they are.
    /// False, with nothing changed, if its parts differ now or belong to another group.
    fn change_key(&mut self, parts: &Parts, group: GroupIx, of_group: &[PartIx]) -> bool {
        let (mut key, mut other) = (Vec::new(), Vec::new());
        for (n, part) in of_group.iter().enumerate() {
            self.read_key(parts, *part, if n == 0 { &mut key } else { &mut other });
            if n > 0 && key != other {
                return false;
            }
        }
        let [links @ .., _] = key.as_slice() else { return false };
        let are_before = links.iter().all(|[.., source]| index::<GroupIx>(*source) < group);
        if !are_before || self.by_key.contains_key(key.as_slice()) {
            return false;
        }
        self.by_key.remove(&self.groups[group].key);
        let key = GroupKey::from(key);
        self.by_key.insert(Rc::clone(&key), group);
        self.link_group(group, &key);
        self.groups[group].key = key;
        true
    }

    /// Marks a part's group as dirty, and the records as replaced whose parts link to parts of the group.
    fn mark_dependents(
        &mut self,
        part: PartIx,
        dirty: &mut Dirty,
        budget: &mut Budget,
    ) -> Result<(), EditError> {
        let group = self.group_of[part];
        if std::mem::replace(&mut self.groups[group].is_dirty, true) {
            return Ok(());
        }
        dirty.groups.push(group);
        // Some of the groups may have no parts left.
        budget.spend(self.groups[group].dependents.len())?;
        let dependents = std::mem::take(&mut self.groups[group].dependents);
        for dependent in &dependents {
            if self.groups[*dependent].parts > 0 {
                self.mark(self.groups[*dependent].record, &mut dirty.records);
            }
        }
        self.groups[group].dependents = dependents;
        Ok(())
    }

    fn mark(&mut self, record: Option<RecordIx>, dirty: &mut Vec<RecordIx>) {
        let Some(record) = record else { return };
        if !std::mem::replace(&mut self.records[record].is_replaced, true) {
            dirty.push(record);
        }
    }

    /// The key of a part by its present links. The groups of its sources are known.
    fn read_key(&self, parts: &Parts, part: PartIx, key: &mut Vec<[u32; 3]>) {
        key.clear();
        for (_, link) in parts.links(part) {
            key.push([link.input, number(link.selector), number(self.group_of[link.source])]);
        }
        key.sort_unstable();
        key.dedup();
        let of = parts.of(part);
        key.push([number(of.digest), of.inputs, 0]);
    }

    /// The group with a key, with one more part.
    fn join_group(&mut self, key: &[[u32; 3]]) -> GroupIx {
        if let Some(group) = self.by_key.get(key) {
            self.groups[*group].parts += 1;
            return *group;
        }
        let key = GroupKey::from(key);
        let group = self.groups.push(Group {
            key: Rc::clone(&key),
            parts: 1,
            record: None,
            dependents: Vec::new(),
            is_dirty: false,
            local: None,
        });
        self.link_group(group, &key);
        self.by_key.insert(key, group);
        group
    }

    /// Notes a group at the groups that it has links to.
    fn link_group(&mut self, group: GroupIx, key: &[[u32; 3]]) {
        let [links @ .., _] = key else { return };
        for [.., source] in links {
            let dependents = &mut self.groups[index::<GroupIx>(*source)].dependents;
            if dependents.last() != Some(&group) {
                dependents.push(group);
            }
        }
    }

    /// Closes what is dirty and appends its records. The groups are in order, so that sources come first. Gives the records,
    /// and the steps of comparing them.
    fn close_dirty(&mut self, parts: &Parts, dirty: &Dirty) -> Result<(Vec<RecordIx>, u64), EditError> {
        let mut local = LocalChains::new();
        for group in &dirty.groups {
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
        self.distribute(&graph, &record_of, dirty);
        Ok((new, graph.reading_steps()))
    }

    /// Adds a group to the chains of the round.
    fn add(
        &mut self,
        parts: &Parts,
        group: GroupIx,
        local: &mut LocalChains,
    ) -> Result<Option<RecordId>, EditError> {
        let Self { groups, records, .. } = self;
        let [links @ .., [digest, ..]] = &*groups[group].key else { return Ok(None) };
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
            let mut dependents = std::mem::take(&mut self.records[link.source].dependents);
            if dependents.last() != Some(&appended) {
                // Before the list grows, the records leave it that were replaced.
                if dependents.len() == dependents.capacity() {
                    dependents.retain(|dependent| !self.records[*dependent].is_replaced);
                    dependents.reserve(dependents.len() + 1);
                }
                dependents.push(appended);
            }
            self.records[link.source].dependents = dependents;
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
        record_of: &IndexVec<LocalIx, Option<RecordIx>>,
        dirty: &Dirty,
    ) {
        for group in &dirty.groups {
            let group = &mut self.groups[*group];
            group.is_dirty = false;
            let record = group.local.take().and_then(|id| graph.record(id));
            group.record = record.and_then(|record| record_of[local_index(record)]);
        }
        // The parts of a record are from one former record, so they are in order.
        for part in &dirty.parts {
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
