//! Which records of a cache a build itself made: those of its keys whose links lead to records of its inputs.
//!
//! It looks at no files. So it serves a cache that the build is known to have written, not one that it is compared with.

use cache_keys::StepOutput;
use cache_model::RecordRef;

use crate::build_keys::{BuildKeys, StepKeys};
use crate::slots::Slot;
use crate::work::Work;
use crate::{Build, Cache};

/// The records of a build in a cache, by step.
pub(crate) struct Placing<'a> {
    outputs: Vec<Vec<PlacedOutput<'a>>>,
    /// Whether a content is as good as a record of the input, whatever the content.
    takes_contents: bool,
}

/// The records of one output of a step.
struct PlacedOutput<'a> {
    output: usize,
    records: Vec<RecordRef<'a>>,
}

impl<'a> Placing<'a> {
    /// Finds the records of a build in the order of its steps.
    ///
    /// If no record of a key has the links that are expected, as on top of an image whose keys are not known, all records of
    /// the key are taken.
    pub(crate) fn new(build: &Build, keys: &BuildKeys, cache: &Cache<'a>, work: &mut Work) -> Self {
        Self::place(build, keys, cache, work, false)
    }

    /// Also finds the records to which only the content of an input leads, whatever that is: all that the build can load.
    pub(crate) fn with_contents(build: &Build, keys: &BuildKeys, cache: &Cache<'a>, work: &mut Work) -> Self {
        Self::place(build, keys, cache, work, true)
    }

    fn place(
        build: &Build,
        keys: &BuildKeys,
        cache: &Cache<'a>,
        work: &mut Work,
        takes_contents: bool,
    ) -> Self {
        let mut placing = Self { outputs: Vec::new(), takes_contents };
        for (position, step) in build.definition.steps().iter().enumerate() {
            let keys = keys.step(position);
            let slots = Slot::of(build, step);
            let outputs = build.definition.outputs(position).into_iter().map(|output| {
                let mut records = cache.records_of(&keys.records(output), work);
                if matches!(keys, StepKeys::Step(_)) {
                    records.retain(|record| record.inputs_len() >= slots.len());
                    let fitting = |record: &&RecordRef<'a>| placing.fits(**record, &slots, work);
                    let fitting: Vec<_> = records.iter().filter(fitting).copied().collect();
                    if !fitting.is_empty() {
                        records = fitting;
                    }
                }
                PlacedOutput { output, records }
            });
            let outputs = outputs.collect();
            placing.outputs.push(outputs);
        }
        placing
    }

    /// The records of an output, in the order of the graph.
    pub(crate) fn records(&self, output: StepOutput) -> &[RecordRef<'a>] {
        let outputs = self.outputs.get(output.step).map_or(&[][..], Vec::as_slice);
        outputs.iter().find(|placed| placed.output == output.output).map_or(&[], |placed| &placed.records)
    }

    /// The records of all outputs of a step.
    pub(crate) fn step(&self, step: usize) -> impl Iterator<Item = RecordRef<'a>> {
        self.outputs.get(step).into_iter().flatten().flat_map(|placed| placed.records.iter().copied())
    }

    /// The records of all steps.
    pub(crate) fn all(&self) -> impl Iterator<Item = RecordRef<'a>> {
        (0..self.outputs.len()).flat_map(|step| self.step(step))
    }

    fn fits(&self, record: RecordRef<'a>, slots: &[Slot], work: &mut Work) -> bool {
        slots.iter().zip(record.inputs()).all(|(slot, mut links)| {
            let made = self.records(slot.input);
            links.any(|link| {
                work.take(1)
                    && (slot.is_content(link) && (made.is_empty() || self.takes_contents)
                        || slot.is_definition(link) && contains(made, link.source))
            })
        })
    }
}

/// Whether records in the order of their graph contain one.
fn contains(records: &[RecordRef<'_>], record: RecordRef<'_>) -> bool {
    records.binary_search_by_key(&record.position(), |known| known.position()).is_ok()
}
