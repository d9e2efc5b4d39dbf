//! A simulated build: its steps, the runs of them, and the caches that runs have left.
//!
//! A step goes on from an earlier one, or copies files out of earlier ones, or both. The runs of a reproducible step give the same for the
//! same inputs. The runs of another step differ, but some of the files in them may be the same.

use std::collections::{BTreeMap, BTreeSet};

use super::dice::Dice;
use super::text::{descriptor, digest, time};
use crate::instant::instant;
use crate::marshal::{Exported, marshal};
use crate::record::{Details, Record, Records, ResultKey};

/// The files of each step.
const FILES: usize = 3;

/// A simulated build with its caches.
#[derive(Clone, Debug)]
pub struct World {
    pub(crate) steps: Vec<Step>,
    /// The results of all runs.
    pub(crate) results: Vec<StepResult>,
    caches: Vec<BuildCache>,
}

/// A step. Its sources are steps before it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) digest: String,
    /// The step that it goes on from.
    pub(crate) base: Option<usize>,
    /// The files that it copies out of other steps.
    pub(crate) copies: Vec<FileCopy>,
    pub(crate) is_reproducible: bool,
    /// For each of its files, whether all runs give the same.
    is_stable: Vec<bool>,
}

#[derive(Clone, Debug)]
pub(crate) struct FileCopy {
    pub(crate) from: usize,
    pub(crate) file: usize,
    pub(crate) selector: String,
}

/// What one run of a step gave.
#[derive(Clone, Debug)]
pub(crate) struct StepResult {
    pub(crate) step: usize,
    /// The result that it went on from.
    pub(crate) base: Option<usize>,
    /// The results that its files were copied from.
    pub(crate) copied: Vec<usize>,
    /// Stands for all that the step gave.
    pub(crate) content: String,
    /// Stand for the content of each of its files.
    pub(crate) files: Vec<String>,
    time: String,
}

/// A cache of a build.
#[derive(Clone, Debug)]
struct BuildCache {
    /// The result of each step that was built.
    results: BTreeMap<usize, usize>,
    /// The steps whose results are missing.
    missing: BTreeSet<usize>,
    /// The layers that are compressed in another way, by their diff IDs.
    recompressed: BTreeSet<String>,
}

impl World {
    /// The selector of a link to all of a step.
    pub(crate) const WHOLE: &str = "sha256:/";

    /// A build of 3 to 9 steps, of which 2 to 4 caches are left.
    pub fn random(dice: &mut Dice) -> Self {
        let steps = (0..3 + dice.below(7)).map(|at| Step::random(at, dice)).collect();
        let mut world = Self { steps, results: Vec::new(), caches: Vec::new() };
        let mut clock: u32 = 200;
        for _ in 0..2 + dice.below(3) {
            // The clock of the next builder may be behind.
            clock = (clock + minutes(dice)).saturating_sub(2 * minutes(dice));
            let cache = world.cache(&mut clock, dice);
            world.caches.push(cache);
        }
        world
    }

    /// The caches as they were written.
    pub fn caches(&self) -> Vec<Exported> {
        self.caches.iter().map(|cache| marshal(self.records(cache), &[])).collect()
    }

    /// Whether one of the caches is of all steps.
    pub fn has_whole_cache(&self) -> bool {
        self.caches.iter().any(|cache| cache.results.len() == self.steps.len())
    }

    /// The same build and the same runs, but with no result missing.
    #[must_use]
    pub fn with_all_results(mut self) -> Self {
        self.caches.iter_mut().for_each(|cache| cache.missing.clear());
        self
    }

    /// The number of steps.
    pub fn steps_len(&self) -> usize {
        self.steps.len()
    }

    /// The steps that no other step takes from.
    pub fn leaves(&self) -> Vec<usize> {
        let taken: BTreeSet<usize> = self.steps.iter().flat_map(Step::sources).collect();
        (0..self.steps.len()).filter(|step| !taken.contains(step)).collect()
    }

    /// A step and all steps that it takes from.
    pub fn closure(&self, step: usize) -> BTreeSet<usize> {
        let mut closure = BTreeSet::from([step]);
        for at in (0..=step).rev() {
            if closure.contains(&at) {
                closure.extend(self.steps[at].sources());
            }
        }
        closure
    }

    /// The results whose topmost layer each blob is.
    pub(crate) fn results_by_blob(&self) -> BTreeMap<String, usize> {
        let blobs = |(at, result): (usize, &StepResult)| {
            ["gzip", "zstd"].map(|compression| (blob(compression, &result.content), at))
        };
        self.results.iter().enumerate().flat_map(blobs).collect()
    }

    /// A builder builds all steps or some, anew or going on from an earlier cache, and exports its cache.
    fn cache(&mut self, clock: &mut u32, dice: &mut Dice) -> BuildCache {
        let mut known = match dice.below(2) {
            1 if !self.caches.is_empty() => dice.one_of(&self.caches).results.clone(),
            _ => BTreeMap::new(),
        };
        let built: BTreeSet<usize> = match dice.below(2) {
            0 => (0..self.steps.len()).collect(),
            _ => (0..1 + dice.below(2)).flat_map(|_| self.closure(dice.below(self.steps.len()))).collect(),
        };
        for step in &built {
            if !known.contains_key(step) {
                *clock += minutes(dice) / 8 + 1;
                let result = self.steps[*step].run(*step, &self.results, &known, &time(*clock));
                known.insert(*step, self.results.len());
                self.results.push(result);
            }
        }
        known.retain(|step, _| built.contains(step));
        let missing = built.into_iter().filter(|_| dice.percent(12)).collect();
        let contents = known.values().map(|result| self.results[*result].content.clone());
        let recompressed = contents.filter(|_| dice.percent(10)).collect();
        BuildCache { results: known, missing, recompressed }
    }

    fn records<'w>(&'w self, cache: &BuildCache) -> Records<'w> {
        let mut records = Records::new();
        let mut contents: BTreeMap<&str, usize> = BTreeMap::new();
        for (step, result) in &cache.results {
            let (definition, result) = (&self.steps[*step], &self.results[*result]);
            let mut inputs = Vec::new();
            inputs.extend(definition.base.map(|base| BTreeSet::from([(base, Self::WHOLE)])));
            for (copy, from) in definition.copies.iter().zip(&result.copied) {
                let next = self.steps.len() + contents.len();
                let content = self.results[*from].files[copy.file].as_str();
                let content = *contents.entry(content).or_insert(next);
                inputs.push(BTreeSet::from([(copy.from, copy.selector.as_str()), (content, "")]));
            }
            let results = (!cache.missing.contains(step)).then(|| self.exported(cache, result));
            let results = results.into_iter().collect();
            records.insert(*step, Record { digest: &definition.digest, inputs, results });
        }
        let roots = contents.into_iter();
        records.extend(roots.map(|(digest, at)| (at, Record { digest, ..Record::default() })));
        records
    }

    fn exported<'w>(&'w self, cache: &BuildCache, result: &'w StepResult) -> (ResultKey, Details<'w>) {
        let mut layers = Vec::new();
        let mut next = Some(result);
        while let Some(at) = next {
            let compression = if cache.recompressed.contains(&at.content) { "zstd" } else { "gzip" };
            let blob = blob(compression, &at.content);
            let text = descriptor(compression, &blob, &at.content);
            layers.push((blob, text));
            next = at.base.map(|base| &self.results[base]);
        }
        layers.reverse();
        let blobs = layers.iter().map(|(blob, _)| blob.clone()).collect();
        let details = Details { time: &result.time, descriptors: layers.into_iter().collect() };
        ((instant(&result.time).unwrap(), blobs), details)
    }
}

impl Step {
    fn random(at: usize, dice: &mut Dice) -> Self {
        let mut step = Self {
            digest: digest(&format!("step {at}")),
            base: None,
            copies: Vec::new(),
            is_reproducible: !dice.percent(60),
            is_stable: (0..FILES).map(|_| dice.percent(30)).collect(),
        };
        if at > 0 {
            let shape = dice.below(8);
            step.base = (shape < 6).then(|| dice.below(at));
            let copies = [0, 0, 1, 1, 1, 2, 1, 0][shape];
            step.copies = (0..copies).map(|_| FileCopy::random(at, dice)).collect();
        }
        step
    }

    pub(crate) fn sources(&self) -> impl Iterator<Item = usize> {
        self.base.into_iter().chain(self.copies.iter().map(|copy| copy.from))
    }

    /// Runs the step on the results of its sources, which `known` names.
    pub(crate) fn run(
        &self,
        step: usize,
        results: &[StepResult],
        known: &BTreeMap<usize, usize>,
        time: &str,
    ) -> StepResult {
        let base = self.base.map(|base| known[&base]);
        let copied: Vec<usize> = self.copies.iter().map(|copy| known[&copy.from]).collect();
        let files = self.copies.iter().zip(&copied).map(|(copy, from)| &results[*from].files[copy.file]);
        let inputs: Vec<&String> = base.iter().map(|base| &results[*base].content).chain(files).collect();
        // The number of results before it makes a run that is not reproducible unlike all others.
        let run = if self.is_reproducible { 0 } else { 1 + results.len() };
        let content = digest(&format!("{} {inputs:?} {run}", self.digest));
        let file = |(file, is_stable): (usize, &bool)| {
            let all = if *is_stable { &self.digest } else { &content };
            digest(&format!("file {file} of {all}"))
        };
        let files = self.is_stable.iter().enumerate().map(file).collect();
        StepResult { step, base, copied, content, files, time: time.to_owned() }
    }
}

impl StepResult {
    /// Makes it the result of the changed step. The first file stays the same, as do those that are the same in all runs.
    pub(crate) fn change(&mut self, step: &Step) {
        self.content = digest(&format!("changed {}", self.content));
        for (file, is_stable) in self.files.iter_mut().zip(&step.is_stable).skip(1) {
            if !is_stable {
                *file = digest(&format!("changed {file}"));
            }
        }
    }
}

impl FileCopy {
    fn random(at: usize, dice: &mut Dice) -> Self {
        let (from, file) = (dice.below(at), dice.below(FILES));
        Self { from, file, selector: digest(&format!("selector {file}")) }
    }
}

fn minutes(dice: &mut Dice) -> u32 {
    u32::try_from(dice.below(80)).unwrap()
}

fn blob(compression: &str, content: &str) -> String {
    digest(&format!("{compression} {content}"))
}
