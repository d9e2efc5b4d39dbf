//! Merging: one cache of several.
//!
//! The union of the sources is closed. Coherent merging then goes in rounds: it finds the contested records that harm a
//! source that lost them, and cuts what was made from the lost results, until no source is harmed. A round touches only
//! what depends on what it cut.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use cache_model::CacheChains;
use cache_model::arena::Idx;

use crate::budget::Budget;
use crate::contest::{Contest, positions};
use crate::harm::HarmFinder;
use crate::index::{PartIx, RecordIx, SourceIx};
use crate::layer_table::LayerTable;
use crate::merge_options::{Coherence, MergeOptions, Prefer};
use crate::merge_report::{Contested, MergeReport, SourceOutcome};
use crate::merged_chains::merged_chains;
use crate::parts::Parts;
use crate::retreat::Retreat;
use crate::union::Union;
use crate::{EditError, Source};

/// A merged cache.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Merged {
    /// The records, to be read by the closed rule. Each blob has one descriptor.
    pub chains: CacheChains,
    /// What was contested, and what each source lost.
    pub report: MergeReport,
}

/// Sources while they are merged.
struct Merging {
    layers: LayerTable,
    parts: Parts,
    union: Union,
    prefer: Prefer,
    contests: BTreeMap<RecordIx, Contest>,
    cuts: Vec<Cut>,
}

/// A contest in which sources were harmed.
struct Cut {
    /// A part with the winner's result.
    winning_part: PartIx,
    contested: Contested,
}

/// What a row of the report is about.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum RowKey {
    /// A record of the outcome.
    Record(RecordIx),
    /// A winner's part that is in no record of the outcome.
    LostPart(PartIx),
}

/// The contested records that harm a source, each with the sources that it harms.
type Harms = Vec<(RecordIx, Vec<SourceIx>)>;

/// Merges caches. The chains do not depend on their order, except with [`Prefer::First`]. Merging one source closes it.
///
/// Two results are the same if their layers have the same diff IDs, whatever the compression. A record is *contested* if
/// the newest results that the sources have of it are not all the same. A source that lost a contested record is *harmed*
/// if some record takes from it by two different ways, and one of them was made by that source: there a build would mix two
/// runs. It then gives up its results of the contested record, and the steps that were made from them, except what is
/// keyed by the content that was copied out of them.
///
/// Of several descriptors for a blob the one with the smallest JSON text in OCI's media types is taken, with the latest
/// mark of use.
///
/// # Errors
/// [`EditError::SizeConflict`] if the sources give one blob different sizes; [`EditError::Read`] and
/// [`EditError::TooContested`] if reading or comparing them would take too long.
pub fn merge(sources: &[Source<'_>], options: MergeOptions) -> Result<Merged, EditError> {
    // Where all results are kept, the newest is the one that is exported.
    let prefer = match options.coherence {
        Coherence::Coherent => options.prefer,
        Coherence::KeepAll => Prefer::Newest,
    };
    let mut merging = Merging::of(sources, prefer)?;
    if options.coherence == Coherence::Coherent {
        merging.cohere(Budget::of(merging.parts.len() + merging.parts.links_len()))?;
    }
    let kept = |record| match options.coherence {
        Coherence::Coherent => merging.contests.get(&record).map(|contest| contest.identity),
        Coherence::KeepAll => None,
    };
    let chains = merged_chains(&merging.union, &merging.parts, &merging.layers, kept)?;
    Ok(Merged { chains, report: merging.report(sources.len()) })
}

impl Merging {
    /// The closed union of some sources, with its contested records.
    fn of(sources: &[Source<'_>], prefer: Prefer) -> Result<Self, EditError> {
        let layers = LayerTable::of(sources)?;
        let parts = Parts::read(sources, &layers)?;
        let union = Union::close(&parts)?;
        let (contests, cuts) = (BTreeMap::new(), Vec::new());
        let mut merging = Self { layers, parts, union, prefer, contests, cuts };
        let records: Vec<RecordIx> = merging.union.records().map(|(record, _)| record).collect();
        merging.find_contests(records);
        Ok(merging)
    }

    fn find_contests(&mut self, records: impl IntoIterator<Item = RecordIx>) {
        for record in records {
            let of = &self.union.record(record).parts;
            match Contest::find(of, &self.parts, &self.layers, self.prefer) {
                Some(contest) => self.contests.insert(record, contest),
                None => self.contests.remove(&record),
            };
        }
    }

    /// Cuts until no source is harmed.
    fn cohere(&mut self, mut budget: Budget) -> Result<(), EditError> {
        loop {
            let harms = self.harms(&mut budget)?;
            if harms.is_empty() {
                return Ok(());
            }
            let harms = self.lowest(harms, &mut budget)?;
            self.retreat(&harms, &mut budget)?;
        }
    }

    fn harms(&self, budget: &mut Budget) -> Result<Harms, EditError> {
        let mut finder = HarmFinder { parts: &self.parts, union: &self.union, budget };
        let mut harms = Harms::new();
        for (record, contest) in &self.contests {
            let harmed = finder.harmed(*record, contest)?;
            if !harmed.is_empty() {
                harms.push((*record, harmed));
            }
        }
        Ok(harms)
    }

    /// Those whose record depends on no other of the records.
    fn lowest(&self, mut harms: Harms, budget: &mut Budget) -> Result<Harms, EditError> {
        // Sources have smaller indices, so nothing outside of this range lies between two of the records.
        let (Some((first, _)), Some((last, _))) = (harms.first(), harms.last()) else { return Ok(harms) };
        let first = first.position();
        let mut depends = vec![false; last.position() + 1 - first];
        let mut open: Vec<RecordIx> = harms.iter().map(|(record, _)| *record).collect();
        while let Some(record) = open.pop() {
            budget.spend(self.union.dependents_work(record))?;
            for dependent in self.union.dependents(record) {
                if let Some(seen @ false) = depends.get_mut(dependent.position() - first) {
                    *seen = true;
                    open.push(dependent);
                }
            }
        }
        harms.retain(|(record, _)| depends.get(record.position() - first) == Some(&false));
        Ok(harms)
    }

    /// One round: the harmed sources give up their results, and what was made from them is cut and closed anew.
    fn retreat(&mut self, harms: &Harms, budget: &mut Budget) -> Result<(), EditError> {
        let mut losers: Vec<SourceIx> = harms.iter().flat_map(|(_, harmed)| harmed).copied().collect();
        losers.sort_unstable();
        losers.dedup();
        let mut outvoted = Vec::new();
        for (record, harmed) in harms {
            let of = self.union.record(*record);
            let is_harmed = |part: &&PartIx| harmed.binary_search(&self.parts.of(**part).source).is_ok();
            outvoted.extend(of.parts.iter().filter(is_harmed));
            if let Some(contest) = self.contests.get(record)
                && let Some(winning_part) = contest.winning_part(&of.parts, &self.parts, &self.layers)
            {
                let contested = self.contested(*record, contest, positions(harmed));
                self.cuts.push(Cut { winning_part, contested });
            }
        }
        let changed = Retreat::new(&mut self.parts, budget, &losers).run(outvoted)?;
        let new = self.union.close_anew(&self.parts, &changed, budget)?;
        let Self { contests, union, .. } = self;
        contests.retain(|record, _| !union.is_replaced(*record));
        let kept = harms.iter().map(|(record, _)| *record).filter(|record| !union.is_replaced(*record));
        let records: Vec<RecordIx> = kept.chain(new).collect();
        self.find_contests(records);
        Ok(())
    }

    fn contested(&self, record: RecordIx, contest: &Contest, cut: Vec<usize>) -> Contested {
        Contested {
            record: self.parts.digests.value(self.union.record(record).digest).clone(),
            winner: contest.winner.position(),
            losers: positions(&contest.losers),
            cut,
        }
    }

    fn report(&self, sources: usize) -> MergeReport {
        let mut outcomes = vec![SourceOutcome::default(); sources];
        for part in self.parts.indices().filter(|part| !self.parts.read_results(*part).is_empty()) {
            let of = self.parts.of(part);
            let Some(outcome) = outcomes.get_mut(of.source.position()) else { continue };
            outcome.results += 1;
            match self.union.record_of(part).filter(|_| !of.is_gone && !of.is_outvoted) {
                None => outcome.lost += 1,
                Some(record) => {
                    let contest = self.contests.get(&record);
                    outcome.replaced +=
                        usize::from(contest.is_some_and(|contest| !contest.has_won(of.source)));
                }
            }
        }
        MergeReport { contested: self.all_contested(), sources: outcomes }
    }

    /// The contested records of the outcome, and those that no longer are, since the losers were cut.
    fn all_contested(&self) -> Vec<Contested> {
        let mut rows: BTreeMap<RowKey, Contested> = BTreeMap::new();
        for (record, contest) in &self.contests {
            rows.insert(RowKey::Record(*record), self.contested(*record, contest, Vec::new()));
        }
        for Cut { winning_part, contested } in &self.cuts {
            let is_gone = self.parts.of(*winning_part).is_gone;
            let record = self.union.record_of(*winning_part).filter(|_| !is_gone);
            match rows.entry(record.map_or(RowKey::LostPart(*winning_part), RowKey::Record)) {
                Entry::Vacant(entry) => {
                    entry.insert(contested.clone());
                }
                Entry::Occupied(entry) => {
                    let row = entry.into_mut();
                    add_all(&mut row.losers, &contested.losers);
                    add_all(&mut row.cut, &contested.cut);
                }
            }
        }
        let mut contested: Vec<Contested> = rows.into_values().collect();
        contested.sort();
        contested
    }
}

/// Adds positions to a list in order.
fn add_all(list: &mut Vec<usize>, more: &[usize]) {
    list.extend_from_slice(more);
    list.sort_unstable();
    list.dedup();
}

#[cfg(test)]
mod tests {
    use cache_model::{Descriptor, Link, MediaType, NewResult, RecordDigest};

    use super::*;

    /// A cache of `count` steps that are not reproducible. Each goes on from the one before, and two of its files are
    /// copied out and meet again.
    fn cache(count: usize, run: &str, at: &str) -> CacheChains {
        let mut chains = CacheChains::new();
        let mut add = |name: String, inputs: &[&[Link<'_>]]| {
            let layer = Descriptor::of(MediaType::OCI_LAYER_GZIP, format!("{name} {run}"));
            let result = NewResult::new(chains.layers([&layer]).unwrap(), at.parse().unwrap());
            chains.add(&RecordDigest::new(&name), inputs, &[result]).unwrap().unwrap()
        };
        let mut last = add("source".to_owned(), &[]);
        for step in 0..count {
            let run = add(format!("run {step}"), &[&[Link::new(last, "")]]);
            let one = add(format!("one {step}"), &[&[Link::new(run, "/one")]]);
            let two = add(format!("two {step}"), &[&[Link::new(run, "/two")]]);
            add(format!("both {step}"), &[&[Link::new(one, "")], &[Link::new(two, "")]]);
            last = run;
        }
        chains
    }

    #[test]
    fn merging_that_takes_too_long_is_refused() {
        let (old, new) = (cache(20, "old", "2026-11-27T10:00:00Z"), cache(20, "new", "2026-11-28T10:00:00Z"));
        let merging = || Merging::of(&[Source::new(&old), Source::new(&new)], Prefer::Newest).unwrap();
        assert_eq!(merging().cohere(Budget::new(100_000)), Ok(()));
        for budget in [0, 10, 100, 300] {
            let error = merging().cohere(Budget::new(budget)).unwrap_err();
            assert_eq!(error, EditError::TooContested { budget });
            let expected =
                format!("what the caches disagree about cannot be found out within {budget} steps");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    }

    /// Two caches whose union has a cycle, so that `count` records that depend on it are left out.
    fn with_cycle(count: usize) -> [CacheChains; 2] {
        let [mut cycle, mut joining] = [CacheChains::new(), CacheChains::new()];
        let [one, two] = ["one", "two"].map(|root| cycle.add(&root.into(), &[], &[]).unwrap().unwrap());
        let lower = cycle.add(&"p".into(), &[&[Link::new(one, "")]], &[]).unwrap().unwrap();
        let mut last = cycle.add(&"q".into(), &[&[Link::new(lower, "")]], &[]).unwrap().unwrap();
        cycle.add(&"p".into(), &[&[Link::new(two, ""), Link::new(last, "")]], &[]).unwrap();
        for n in 1..count {
            let digest = RecordDigest::new(&format!("on {n}"));
            last = cycle.add(&digest, &[&[Link::new(last, "")]], &[]).unwrap().unwrap();
        }
        let [one, two] = ["one", "two"].map(|root| joining.add(&root.into(), &[], &[]).unwrap().unwrap());
        joining.add(&"p".into(), &[&[Link::new(one, ""), Link::new(two, "")]], &[]).unwrap();
        [cycle, joining]
    }

    #[test]
    fn closing_anew_what_was_left_out_counts_as_work() {
        let (old, new) = (cache(20, "old", "2026-11-27T10:00:00Z"), cache(20, "new", "2026-11-28T10:00:00Z"));
        let [cycle, joining] = with_cycle(1000);
        let sources = [&old, &new, &cycle, &joining].map(Source::new);
        let merging = || Merging::of(&sources, Prefer::Newest).unwrap();
        assert_eq!(merging().union.left_out().len(), 1000);
        let budget = 2 * 1000;
        assert_eq!(merging().cohere(Budget::new(100_000)), Ok(()));
        for budget in [budget, 24 * budget] {
            assert_eq!(merging().cohere(Budget::new(budget)), Err(EditError::TooContested { budget }));
        }
        let without = Merging::of(&sources[..2], Prefer::Newest).unwrap().cohere(Budget::new(24 * budget));
        assert_eq!(without, Ok(()));
    }
}
