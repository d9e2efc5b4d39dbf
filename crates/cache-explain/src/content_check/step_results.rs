//! The results of a build's steps in a cache, with the chains of their layers.
//!
//! A cache of BuildKit's mode `min` lacks the results of most steps. The chains of the steps above hold their layers all
//! the same.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use cache_keys::{FileOp, Op, SourceKind, Step, StepOutput};
use cache_model::{Descriptor, RecordRef};

use crate::build_keys::BuildKeys;
use crate::content_check::chain_trees::has_same_layers;
use crate::copying::actions_in_order;
use crate::placing::Placing;
use crate::slots::Slot;
use crate::work::Work;
use crate::{Build, Cache};

/// The most results of one output that are looked at.
const MOST_RESULTS: usize = 256;

/// The results of a build's steps.
pub(crate) struct StepResults<'a> {
    pub(crate) placing: Placing<'a>,
    results: BTreeMap<StepOutput, Vec<StepResult<'a>>>,
    cut: BTreeSet<StepOutput>,
}

/// One result of a step.
#[derive(Clone, Debug)]
pub(crate) struct StepResult<'a> {
    pub(crate) record: RecordRef<'a>,
    /// Its layers, lowest first.
    pub(crate) chain: Vec<&'a Descriptor>,
}

/// On what a step puts its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepBase {
    /// On nothing.
    Nothing,
    /// On an input.
    Input(usize),
    /// It makes no layer of its own, or in a way that is not known.
    Other,
}

impl<'a> StepResults<'a> {
    pub(crate) fn new(build: &Build, cache: &Cache<'a>) -> Self {
        let keys = BuildKeys::of(build, [cache]);
        let placing = Placing::with_contents(build, &keys, cache, &mut Work::new());
        let mut results = Self { placing, results: BTreeMap::new(), cut: BTreeSet::new() };
        for (position, step) in build.definition.steps().iter().enumerate().rev() {
            for output in build.definition.outputs(position) {
                let output = StepOutput { step: position, output };
                results.add_own(output);
                results.derive(build, output, step);
            }
        }
        results
    }

    /// The results of an output: those that its records have, or those that follow from the steps above.
    pub(crate) fn of(&self, output: StepOutput) -> &[StepResult<'a>] {
        self.results.get(&output).map_or(&[], Vec::as_slice)
    }

    /// Whether an output has more results than those that are given.
    pub(crate) fn is_cut(&self, output: StepOutput) -> bool {
        self.cut.contains(&output)
    }

    /// How many records with results no step of the build reaches.
    pub(crate) fn unnamed(&self, cache: &Cache<'a>) -> usize {
        let named: HashSet<usize> = self.placing.all().map(|record| record.position()).collect();
        let with_results = cache.graph().records().filter(|record| record.newest_result().is_some());
        with_results.filter(|record| !named.contains(&record.position())).count()
    }

    fn add_own(&mut self, output: StepOutput) {
        let records: Vec<RecordRef<'a>> = self.placing.records(output).to_vec();
        for record in records {
            for result in record.results().filter(|result| result.top().is_some()) {
                self.add(output, StepResult { record, chain: result.layers() });
            }
        }
    }

    fn add(&mut self, output: StepOutput, result: StepResult<'a>) {
        let known = self.results.entry(output).or_default();
        let is_same = |known: &StepResult<'a>| {
            known.record == result.record && has_same_layers(&known.chain, &result.chain)
        };
        let is_known = known.iter().any(is_same);
        match is_known {
            true => {}
            false if known.len() < MOST_RESULTS => known.push(result),
            false => drop(self.cut.insert(output)),
        }
    }

    /// Gives the inputs of a step that have no results of their own those that they must have had.
    fn derive(&mut self, build: &Build, output: StepOutput, step: &Step) {
        let slots = Slot::of(build, step);
        for result in self.of(output).to_vec() {
            let mut chain = result.chain.as_slice();
            let parts: Vec<(usize, &[&'a Descriptor])> = match &step.op {
                Op::Merge(merge) => {
                    let Some((first, above)) = merge.inputs.split_first() else { continue };
                    let mut parts = Vec::new();
                    for input in above.iter().rev() {
                        let Some((below, own)) =
                            chain.len().checked_sub(1).and_then(|last| chain.split_at_checked(last))
                        else {
                            break;
                        };
                        parts.push((*input, own));
                        chain = below;
                    }
                    let are_single = above.iter().all(|input| makes_one_layer(build, step, *input));
                    parts.push((*first, chain));
                    if !are_single || parts.len() != merge.inputs.len() {
                        continue;
                    }
                    parts
                }
                _ => match (StepBase::of(step, output.output), chain.split_last()) {
                    (StepBase::Input(input), Some((_, below))) => vec![(input, below)],
                    _ => continue,
                },
            };
            for (input, chain) in parts {
                let Some(slot) = slots.get(input) else { continue };
                let sources = self.sources(result.record, input, slot);
                let has_results =
                    sources.iter().any(|source| source.results().any(|result| result.top().is_some()));
                if has_results || chain.is_empty() {
                    continue;
                }
                for record in sources {
                    self.add(slot.input, StepResult { record, chain: chain.to_vec() });
                }
            }
        }
    }

    /// The records of an input on which a record hangs.
    pub(crate) fn sources(&self, record: RecordRef<'a>, input: usize, slot: &Slot) -> Vec<RecordRef<'a>> {
        let links = record.inputs().nth(input).into_iter().flatten();
        let definitions = links.filter(|link| slot.is_definition(*link)).map(|link| link.source);
        let placed = self.placing.records(slot.input);
        definitions.filter(|source| placed.contains(source)).collect()
    }
}

impl StepBase {
    pub(crate) fn of(step: &Step, output: usize) -> Self {
        let input = match &step.op {
            Op::File(file) => return Self::of_file(file, output, step.inputs.len()),
            Op::Exec(exec) => {
                let root = exec.mounts.iter().find(|mount| mount.dest == "/");
                root.filter(|root| root.output == Some(output) && !root.readonly).map(|root| root.input)
            }
            _ => None,
        };
        match input {
            None => Self::Other,
            Some(None) => Self::Nothing,
            Some(Some(input)) => Self::Input(input),
        }
    }

    fn of_file(file: &FileOp, output: usize, inputs: usize) -> Self {
        match actions_in_order(file, output, inputs).map(|actions| actions.first().map(|first| first.input)) {
            Ok(Some(None)) => Self::Nothing,
            Ok(Some(Some(input))) => Self::Input(input),
            _ => Self::Other,
        }
    }
}

/// Whether an input is a step that puts one layer on nothing.
fn makes_one_layer(build: &Build, step: &Step, input: usize) -> bool {
    let from = step.inputs.get(input).and_then(|from| Some((build.definition.step(from.step)?, from.output)));
    from.is_some_and(|(step, output)| StepBase::of(step, output) == StepBase::Nothing)
}

/// Whether a step is a source, and which.
pub(crate) fn source_kind(build: &Build, step: usize) -> Option<SourceKind<'_>> {
    match &build.definition.step(step)?.op {
        Op::Source(source) => Some(source.kind()),
        _ => None,
    }
}
