//! Whether a layer holds the content that its key names.
//!
//! The key of a `COPY` names a checksum of the files that it copied, and the layer has its own digest. Nothing ties the two
//! together: BuildKit takes a layer that holds other files. So a step is carried out again on its source, or its source is
//! found from the layer, and both are compared.
//!
//! Where the source is neither a folder that is at hand nor made by this cache's layers, the layer is compared with the content
//! record in the cache alone. Whoever writes the cache can write both, if the key names the source in another way, too.

mod chain_trees;
mod chains;
pub(crate) mod check;
pub(crate) mod compare;
mod judge;
mod plan;
mod step_results;

use cache_keys::{Op, StepOutput};

use crate::content_check::chain_trees::ChainTrees;
use crate::content_check::chains::ChainCheck;
use crate::content_check::check::unknown;
use crate::content_check::judge::{Judge, JudgedResult};
use crate::content_check::step_results::{StepBase, StepResults};
use crate::slots::Slot;
use crate::{BuildInputs, Cache, Instructions};

pub use check::{ContentCheck, ContentChecks, ContentFlaw, ContentVerdict, FlawKind};
pub use plan::ContentPlan;

/// Checks the layers of all steps of a build that only change files: `COPY`, `ADD` and `WORKDIR`. The layers that a
/// [`ContentPlan`] names have to be read as trees; what was not read cannot be told.
pub fn content_checks(inputs: &BuildInputs<'_>, cache: &Cache<'_>) -> ContentChecks {
    let build = inputs.build;
    let results = StepResults::new(build, cache);
    let instructions = Instructions::of(build);
    let mut checks = ContentChecks::default();
    let mut judge = Judge { inputs, cache, results: &results, trees: ChainTrees::new(cache.layers()) };
    for (position, step) in build.definition.steps().iter().enumerate() {
        for output in build.definition.outputs(position) {
            let at = StepOutput { step: position, output };
            let of_output = results.of(at);
            match &step.op {
                Op::Exec(_) => checks.commands += usize::from(!of_output.is_empty()),
                Op::Merge(merge) => {
                    let chains = ChainCheck { build, results: &results };
                    let verdict = chains.of_merge(step, &merge.inputs, of_output);
                    let Some(verdict) = verdict else { continue };
                    // `COPY --link` is a copy on nothing, and a merge.
                    let linked = merge.inputs.last().and_then(|last| step.inputs.get(*last));
                    let linked = linked.filter(|linked| is_on_nothing(inputs, **linked));
                    let step = linked.map_or(position, |linked| linked.step);
                    checks.add(step, &instructions, None, verdict);
                }
                Op::File(file) => {
                    let slots = || Slot::of(build, step);
                    for result in of_output {
                        let judged = JudgedResult { step, file, output, slots: slots(), result };
                        let layer = result.chain.last().map(|layer| layer.digest);
                        checks.add(position, &instructions, layer, judge.verdict(&judged));
                    }
                    if results.is_cut(at) {
                        checks.add(position, &instructions, None, unknown("it has too many results"));
                    }
                }
                _ => {}
            }
        }
    }
    checks.unnamed = results.unnamed(cache);
    checks
}

/// Whether an output is that of a step that puts one layer on nothing.
fn is_on_nothing(inputs: &BuildInputs<'_>, output: StepOutput) -> bool {
    let step = inputs.build.definition.step(output.step);
    step.is_some_and(|step| {
        matches!(step.op, Op::File(_)) && StepBase::of(step, output.output) == StepBase::Nothing
    })
}
