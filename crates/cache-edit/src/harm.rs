//! Whether a source that lost a contested record is harmed: whether a build could mix its run with the winner's.
//!
//! Two runs can clash where a record takes from the contested record by two different ways, and one of them was made by the
//! source that lost. A *use* of the contested record is a record that links to it. A use is *alike* for a source if a
//! winning source recorded the same content for it: both runs gave the same files there, so it cannot clash. A source's
//! *own* uses are those that it made from its own run and that are not alike.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};

use cache_model::arena::Interner;
use foldhash::fast::RandomState;

use crate::EditError;
use crate::budget::Budget;
use crate::contest::Contest;
use crate::index::{DigestIx, RecordIx, SelectorIx, SourceIx, UseSetIx};
use crate::parts::{PartLink, Parts};
use crate::union::Union;

/// The steps of looking at one record: it is queued, and its ways are noted.
const STEPS_OF_A_RECORD: usize = 5;

/// Finds the sources that a contested record harms.
pub(crate) struct HarmFinder<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) union: &'a Union,
    pub(crate) budget: &'a mut Budget,
}

/// The uses that a source made from its own run of a contested record.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Uses {
    /// In order.
    alike: Vec<RecordIx>,
    /// In order.
    own: Vec<RecordIx>,
}

/// How a record of a source takes content from a contested record: its digest, its number of inputs, the position of the
/// input, the selector by which that links to the contested record, and the digest of a content link of the same input.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Taking {
    digest: DigestIx,
    inputs: u32,
    input: u32,
    selector: SelectorIx,
    content: DigestIx,
}

type Takings = HashSet<Taking, RandomState>;

/// By which uses each record takes from a contested record.
struct Ways {
    sets: Interner<UseSetIx, Box<[RecordIx]>>,
    of: HashMap<RecordIx, UseSetIx, RandomState>,
}

impl Ways {
    fn intern(&mut self, set: &[RecordIx]) -> UseSetIx {
        self.sets.intern(set, |set| set.into()).0
    }
}

impl<'a> HarmFinder<'a> {
    /// The sources that a contested record harms, in order.
    pub(crate) fn harmed(&mut self, record: RecordIx, contest: &Contest) -> Result<Vec<SourceIx>, EditError> {
        let mut by_uses: BTreeMap<Uses, Vec<SourceIx>> = BTreeMap::new();
        let mut won: Option<Takings> = None;
        for loser in &contest.losers {
            let lost = self.union.parts_of(record, *loser, self.parts);
            let links: Vec<&'a PartLink> =
                lost.iter().flat_map(|part| self.parts.dependents(*part)).collect();
            let work = lost.iter().map(|part| self.parts.dependents_work(*part));
            self.budget.spend(work.sum())?;
            if links.is_empty() {
                continue;
            }
            let won = match &mut won {
                Some(won) => won,
                none => none.insert(self.takings(record, contest)?),
            };
            let uses = self.uses(links, won)?;
            if !uses.own.is_empty() {
                by_uses.entry(uses).or_default().push(*loser);
            }
        }
        let mut harmed = Vec::new();
        for (uses, losers) in by_uses {
            if self.is_harmed(record, &uses)? {
                harmed.extend(losers);
            }
        }
        harmed.sort_unstable();
        Ok(harmed)
    }

    /// What the winning sources take from the record.
    fn takings(&mut self, record: RecordIx, contest: &Contest) -> Result<Takings, EditError> {
        let mut takings = Takings::default();
        for part in &self.union.record(record).parts {
            if !contest.has_won(self.parts.of(*part).source) {
                continue;
            }
            self.budget.spend(self.parts.dependents_work(*part))?;
            for link in self.parts.dependents(*part) {
                self.budget.spend(self.parts.links_work(link.target))?;
                for (_, content) in self.parts.links(link.target) {
                    if content.input == link.input && self.parts.is_content(content) {
                        takings.insert(taking(self.parts, link, content));
                    }
                }
            }
        }
        Ok(takings)
    }

    /// The uses of a source, by its links to its parts of the record.
    fn uses(&mut self, links: Vec<&'a PartLink>, won: &Takings) -> Result<Uses, EditError> {
        let (parts, union) = (self.parts, self.union);
        let mut by_use: Vec<(RecordIx, &PartLink)> =
            links.into_iter().filter_map(|link| Some((union.record_of(link.target)?, link))).collect();
        by_use.sort_unstable_by_key(|(record, link)| (*record, link.target, link.input, link.selector));
        let mut uses = Uses { alike: Vec::new(), own: Vec::new() };
        for of_use in by_use.chunk_by(|(a, _), (b, _)| a == b) {
            let Some((record, first)) = of_use.first() else { continue };
            let own = union.parts_of(*record, parts.of(first.target).source, parts);
            let links = own.iter().flat_map(|part| parts.links(*part)).map(|(_, link)| link);
            let contents: Vec<&PartLink> = links.filter(|link| parts.is_content(link)).collect();
            let work = own.iter().map(|part| parts.links_work(*part));
            self.budget.spend(work.sum::<usize>() + of_use.len() * (contents.len() + 1))?;
            let is_alike = of_use.iter().all(|(_, link)| {
                let mut in_input = contents.iter().filter(|content| content.input == link.input);
                in_input.any(|content| won.contains(&taking(parts, link, content)))
            });
            if is_alike { uses.alike.push(*record) } else { uses.own.push(*record) }
        }
        Ok(uses)
    }

    /// Whether two runs clash at a record that takes from the contested record by an own use. Goes through what depends
    /// on the record, sources first.
    fn is_harmed(&mut self, contested: RecordIx, uses: &Uses) -> Result<bool, EditError> {
        self.budget.spend(self.union.dependents_work(contested))?;
        let can_clash = |record: &RecordIx| uses.alike.binary_search(record).is_err();
        let mut queue: BinaryHeap<Reverse<RecordIx>> =
            self.union.dependents(contested).filter(can_clash).map(Reverse).collect();
        // Two runs clash at two different uses.
        if queue.len() < 2 {
            return Ok(false);
        }
        let mut ways = Ways { sets: Interner::new(), of: HashMap::default() };
        let mut last = None;
        while let Some(Reverse(record)) = queue.pop() {
            if last.replace(record) == Some(record) {
                continue;
            }
            let inputs = self.ways_by_input(contested, record, can_clash(&record), &mut ways)?;
            let Some((set, all)) = self.combine(inputs, &mut ways)? else { continue };
            // All ways are `Some` only where two runs clash.
            let all = all.map(|all| ways.sets.value(all));
            if all.is_some_and(|all| uses.own.iter().any(|own| all.binary_search(own).is_ok())) {
                return Ok(true);
            }
            ways.of.insert(record, set);
            self.budget.spend(self.union.dependents_work(record))?;
            queue.extend(self.union.dependents(record).map(Reverse));
        }
        Ok(false)
    }

    /// The ways by which each input of a record depends on the contested record. Inputs that do not depend on it are left
    /// out.
    fn ways_by_input(
        &mut self,
        contested: RecordIx,
        record: RecordIx,
        can_clash: bool,
        ways: &mut Ways,
    ) -> Result<Vec<UseSetIx>, EditError> {
        let links = &self.union.record(record).links;
        self.budget.spend(links.len() + STEPS_OF_A_RECORD)?;
        let mut inputs = Vec::new();
        for row in links.chunk_by(|a, b| a.input == b.input) {
            let mut found: Vec<UseSetIx> = Vec::new();
            for link in row {
                if link.source == contested && can_clash {
                    found.push(ways.intern(&[record]));
                } else if let Some(set) = ways.of.get(&link.source) {
                    found.push(*set);
                }
            }
            inputs.extend(self.unite(found, ways)?);
        }
        Ok(inputs)
    }

    /// The ways of a record, by those of its inputs; also their union where two runs clash.
    fn combine(
        &mut self,
        mut inputs: Vec<UseSetIx>,
        ways: &mut Ways,
    ) -> Result<Option<(UseSetIx, Option<UseSetIx>)>, EditError> {
        inputs.sort_unstable();
        inputs.dedup();
        let Some((first, others)) = inputs.split_first() else { return Ok(None) };
        if others.is_empty() {
            return Ok(Some((*first, None)));
        }
        let mut common: Vec<RecordIx> = ways.sets.value(*first).to_vec();
        for other in others {
            let other = ways.sets.value(*other);
            self.budget.spend(common.len() + 1)?;
            common.retain(|record| other.binary_search(record).is_ok());
        }
        if !common.is_empty() {
            return Ok(Some((ways.intern(&common), None)));
        }
        let all = self.unite(inputs, ways)?;
        Ok(all.map(|all| (all, Some(all))))
    }

    /// The union of some sets; `None` if there are none.
    fn unite(&mut self, mut sets: Vec<UseSetIx>, ways: &mut Ways) -> Result<Option<UseSetIx>, EditError> {
        sets.sort_unstable();
        sets.dedup();
        let (Some(first), true) = (sets.first(), sets.len() > 1) else { return Ok(sets.first().copied()) };
        let mut all: Vec<RecordIx> = ways.sets.value(*first).to_vec();
        for set in sets.iter().skip(1) {
            all.extend_from_slice(ways.sets.value(*set));
        }
        self.budget.spend(all.len())?;
        all.sort_unstable();
        all.dedup();
        Ok(Some(ways.intern(&all)))
    }
}

fn taking(parts: &Parts, link: &PartLink, content: &PartLink) -> Taking {
    let target = parts.of(link.target);
    Taking {
        digest: target.digest,
        inputs: target.inputs,
        input: link.input,
        selector: link.selector,
        content: parts.of(content.source).digest,
    }
}
