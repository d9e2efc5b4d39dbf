//! A build that imports a cache: which results it takes, and whether it mixes the runs of a step.

use std::collections::{BTreeMap, BTreeSet};

use super::text::time;
use super::world::{Step, StepResult, World};
use crate::record::{Record, Records};

/// For each step that is not reproducible, the runs that can have given what was taken of it.
type Runs = BTreeMap<usize, BTreeSet<usize>>;

/// What a build did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildOutcome {
    /// Whether its image holds parts that no one run of a step gives.
    pub is_mixed: bool,
    /// The number of steps that it ran.
    pub ran: usize,
}

struct Build<'w> {
    steps: Vec<&'w Step>,
    records: &'w Records<'w>,
    changed: Option<usize>,
    results_by_blob: BTreeMap<String, usize>,
    /// All results, those of this build last.
    results: Vec<StepResult>,
    /// The number of results of earlier builds.
    cached: usize,
    /// The steps and inputs for which the content of the copied file is known.
    contents: BTreeMap<(usize, usize), String>,
    /// The results of the steps that were loaded or run.
    known: BTreeMap<usize, usize>,
    ran: usize,
}

/// Builds a step with an imported cache. The step `changed` was changed, so that the cache knows nothing of it.
pub fn build(world: &World, cache: &Records<'_>, target: usize, changed: Option<usize>) -> BuildOutcome {
    let mut build = Build {
        steps: world.steps.iter().collect(),
        records: cache,
        changed,
        results_by_blob: world.results_by_blob(),
        results: world.results.clone(),
        cached: world.results.len(),
        contents: BTreeMap::new(),
        known: BTreeMap::new(),
        ran: 0,
    };
    let result = build.load(target);
    let runs = build.runs();
    BuildOutcome { is_mixed: runs[result].values().any(BTreeSet::is_empty), ran: build.ran }
}

impl Build<'_> {
    /// The result of a step: from the cache, otherwise by running it.
    fn load(&mut self, step: usize) -> usize {
        if let Some(result) = self.known.get(&step) {
            return *result;
        }
        self.look_for_contents(step);
        let result = self.hit(step).unwrap_or_else(|| self.run(step));
        self.known.insert(step, result);
        result
    }

    fn run(&mut self, step: usize) -> usize {
        for source in self.steps[step].sources().collect::<Vec<_>>() {
            self.load(source);
        }
        let mut result = self.steps[step].run(step, &self.results, &self.known, &time(0));
        if self.changed == Some(step) {
            result.change(self.steps[step]);
        }
        self.ran += 1;
        self.results.push(result);
        self.results.len() - 1
    }

    /// Until the step is in the cache, loads the steps that files are copied from, and looks for the files' content.
    fn look_for_contents(&mut self, step: usize) {
        for source in self.steps[step].sources().collect::<Vec<_>>() {
            if self.hit(step).is_some() {
                return;
            }
            self.look_for_contents(source);
        }
        let first = usize::from(self.steps[step].base.is_some());
        for (at, copy) in self.steps[step].copies.clone().into_iter().enumerate() {
            if self.hit(step).is_some() {
                return;
            }
            let from = self.load(copy.from);
            self.contents.insert((step, first + at), self.results[from].files[copy.file].clone());
        }
    }

    /// The newest result of the records that match a step.
    fn hit(&self, step: usize) -> Option<usize> {
        let matching = self.matching(step).into_iter();
        let newest = matching.filter_map(|record| self.records[&record].results.keys().next_back()).max()?;
        Some(self.results_by_blob[newest.1.last()?])
    }

    /// The records that match a step, by definition or by the content of copied files.
    fn matching(&self, step: usize) -> BTreeSet<usize> {
        let mut matching: Vec<BTreeSet<usize>> = Vec::new();
        for at in 0..=step {
            let records = self.records.iter().filter(|(_, record)| self.is_match(at, record, &matching));
            matching.push(records.map(|(name, _)| *name).collect());
        }
        matching.swap_remove(step)
    }

    fn is_match(&self, step: usize, record: &Record<'_>, matching: &[BTreeSet<usize>]) -> bool {
        let definition = self.steps[step];
        let whole = definition.base.iter().map(|base| (*base, World::WHOLE));
        let files = definition.copies.iter().map(|copy| (copy.from, copy.selector.as_str()));
        let sources: Vec<(usize, &str)> = whole.chain(files).collect();
        self.changed != Some(step)
            && record.digest == definition.digest
            && record.inputs.len() == sources.len()
            && record.inputs.iter().zip(sources).enumerate().all(|(input, (links, (source, selector)))| {
                links.iter().any(|(linked, linked_selector)| {
                    let content = self.contents.get(&(step, input));
                    let root = &self.records[linked];
                    let by_content = linked_selector.is_empty() && root.inputs.is_empty();
                    (*linked_selector == selector && matching[source].contains(linked))
                        || (by_content && content.is_some_and(|content| content == root.digest))
                })
            })
    }

    /// For each result, the runs that can have given it. Results with the same content are one.
    fn runs(&self) -> Vec<Runs> {
        let mut all = vec![Runs::new(); self.results.len()];
        let mut lowest_first: Vec<usize> = (0..self.results.len()).collect();
        lowest_first.sort_by_key(|at| self.results[*at].step);
        for at in lowest_first {
            all[at] = self.runs_of(at, &all);
        }
        all
    }

    /// The runs that can have given a result, from those of the results of earlier steps.
    fn runs_of(&self, at: usize, earlier: &[Runs]) -> Runs {
        let result = &self.results[at];
        let definition = self.steps[result.step];
        let is_cached = at < self.cached;
        let own = (is_cached && !definition.is_reproducible)
            .then(|| Runs::from([(result.step, BTreeSet::from([at]))]));
        let base = result.base.map(|base| {
            let base = &self.results[base];
            self.runs_of_any(earlier, |other| other.step == base.step && other.content == base.content)
        });
        let copies = definition.copies.iter().zip(&result.copied).map(|(copy, from)| {
            let file = &self.results[*from].files[copy.file];
            self.runs_of_any(earlier, |other| other.step == copy.from && other.files[copy.file] == *file)
        });
        let mut all = Runs::new();
        for (step, runs) in own.into_iter().chain(base).chain(copies).flatten() {
            let common = all.entry(step).or_insert_with(|| runs.clone());
            common.retain(|run| runs.contains(run));
        }
        all
    }

    /// The runs that can have given what several results agree on.
    fn runs_of_any(&self, runs: &[Runs], is_one: impl Fn(&StepResult) -> bool) -> Runs {
        let mut any = Runs::new();
        for (_, runs) in self.results.iter().zip(runs).filter(|(result, _)| is_one(result)) {
            for (step, runs) in runs {
                any.entry(*step).or_default().extend(runs);
            }
        }
        any
    }
}
