//! Commands that made different files of equal ones.

use cache_keys::{Definition, Op, StepOutput};
use cache_model::Digest;

use crate::changed_files::{SourceFiles, changed_files};
use crate::placing::Placing;
use crate::step_layer::StepLayer;
use crate::{Cache, FileChange, MatchState, Matching};

/// What is compared.
pub(crate) struct Runs<'m, 'c> {
    pub(crate) definition: &'m Definition,
    pub(crate) matching: &'m Matching,
    pub(crate) old: &'m Cache<'c>,
    pub(crate) new: &'m Cache<'c>,
    /// The records of the build in its own cache.
    pub(crate) made: &'m Placing<'c>,
}

/// The commands that were found, and layers that have to be read to compare the rest.
#[derive(Default)]
pub(crate) struct NotReproducible {
    pub(crate) steps: Vec<(usize, Vec<FileChange>)>,
    pub(crate) wanted: Vec<Digest>,
}

impl<'c> Runs<'_, 'c> {
    /// Finds commands that were reached in the old cache, and ran again all the same, with other files as their outcome. A step that
    /// stands on such a command may well differ because of it, so nothing is said of it.
    pub(crate) fn compare(&self) -> NotReproducible {
        let mut found = NotReproducible::default();
        let mut is_below = vec![false; self.definition.steps().len()];
        for (position, step) in self.definition.steps().iter().enumerate() {
            let mut differs = step.inputs.iter().any(|input| is_below.get(input.step) == Some(&true));
            if !differs && matches!(step.op, Op::Exec(_)) {
                for output in self.definition.outputs(position) {
                    let files = self.compare_output(StepOutput { step: position, output }, &mut found.wanted);
                    if !files.is_empty() {
                        found.steps.push((position, files));
                        differs = true;
                        break;
                    }
                }
            }
            if let Some(is_below) = is_below.get_mut(position) {
                *is_below = differs;
            }
        }
        found
    }

    fn compare_output(&self, output: StepOutput, wanted: &mut Vec<Digest>) -> Vec<FileChange> {
        let Some((old, new)) = self.layers(output) else { return Vec::new() };
        if let (Some(old), Some(new)) = (old.tree, new.tree) {
            return changed_files(&SourceFiles::of_layer(old), &SourceFiles::of_layer(new));
        }
        wanted.extend([old, new].iter().filter(|layer| layer.tree.is_none()).map(|layer| layer.digest));
        Vec::new()
    }

    /// The layers of both runs, if the cache had one already and there are two.
    fn layers(&self, output: StepOutput) -> Option<(StepLayer<'c>, StepLayer<'c>)> {
        let matched = self.matching.steps.get(output.step)?;
        if matched.state != MatchState::Hit {
            return None;
        }
        let reached = matched.outputs.iter().find(|matched| matched.output == output.output)?;
        let records = reached.records.iter().filter_map(|reached| self.old.graph().at(reached.record));
        let old = StepLayer::top(self.old, records)?;
        let new = StepLayer::top(self.new, self.made.records(output).iter().copied())?;
        (old.digest != new.digest).then_some((old, new))
    }
}
