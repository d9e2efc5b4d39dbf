//! Whether a result stands on the layers of its inputs, and on nothing else.

use cache_keys::{ImageSource, SourceKind, Step, StepOutput};
use cache_model::{Descriptor, Digest, RecordDigest};

use crate::Build;
use crate::content_check::chain_trees::{ChainTrees, has_same_layers};
use crate::content_check::check::{ContentFlaw, ContentVerdict, FlawKind, mismatch, unknown};
use crate::content_check::step_results::{StepBase, StepResult, StepResults, source_kind};
use crate::slots::Slot;

const NO_RESULT: &str = "the cache has no result of the step on which it stands";

/// Checks chains of layers.
pub(crate) struct ChainCheck<'c, 'a> {
    pub(crate) build: &'c Build,
    pub(crate) results: &'c StepResults<'a>,
}

impl<'a> ChainCheck<'_, 'a> {
    /// Whether the layers below the one of a step are those of its input: the same, or others with the same files.
    pub(crate) fn of_step(
        &self,
        base: StepBase,
        result: &StepResult<'a>,
        slots: &[Slot],
        below: &[&'a Descriptor],
        trees: &mut ChainTrees<'a>,
    ) -> ContentVerdict {
        match base {
            StepBase::Nothing if below.is_empty() => ContentVerdict::Sound,
            StepBase::Nothing => other_layers(),
            StepBase::Other => unknown("its actions do not follow one another"),
            StepBase::Input(input) => self.of_input(result, input, slots, below, Some(trees)),
        }
    }

    /// Whether the results of a merge are those of its inputs, one above the other. `None` without results.
    pub(crate) fn of_merge(
        &self,
        step: &Step,
        inputs: &[usize],
        results: &[StepResult<'a>],
    ) -> Option<ContentVerdict> {
        let slots = Slot::of(self.build, step);
        let verdicts = results.iter().map(|result| self.merged(result, inputs, &slots));
        verdicts.reduce(ContentVerdict::worse)
    }

    fn merged(&self, result: &StepResult<'a>, inputs: &[usize], slots: &[Slot]) -> ContentVerdict {
        let mut chain = result.chain.as_slice();
        let Some((lowest, above)) = inputs.split_first() else { return unknown("it merges nothing") };
        for input in above.iter().rev() {
            let own = self.chains(result, *input, slots);
            if own.is_empty() {
                return unknown(NO_RESULT);
            }
            let below = own.iter().find_map(|own| {
                let (below, top) = chain.split_at_checked(chain.len().checked_sub(own.len())?)?;
                has_same_layers(top, own).then_some(below)
            });
            let Some(below) = below else { return other_layers() };
            chain = below;
        }
        self.of_input(result, *lowest, slots, chain, None)
    }

    /// Whether layers are those of an input. Trees tell whether others have the same files.
    fn of_input(
        &self,
        result: &StepResult<'a>,
        input: usize,
        slots: &[Slot],
        layers: &[&'a Descriptor],
        mut trees: Option<&mut ChainTrees<'a>>,
    ) -> ContentVerdict {
        let Some(slot) = slots.get(input) else { return unknown(NO_RESULT) };
        match source_kind(self.build, slot.input.step) {
            Some(SourceKind::Image(_)) => match self.is_image(result, input, slot.input, layers) {
                Some(true) => return ContentVerdict::Sound,
                Some(false) => return other_layers(),
                None => return unknown("the layers of its base image are not known"),
            },
            Some(_) => return unknown("the layers of its source are not known"),
            None => {}
        }
        let chains = self.chains(result, input, slots);
        if chains.is_empty() {
            return unknown(NO_RESULT);
        }
        if chains.iter().any(|chain| has_same_layers(chain, layers)) {
            return ContentVerdict::Sound;
        }
        let mut verdict = other_layers();
        for chain in chains {
            match trees.as_mut().map(|trees| trees.are_equal(layers, chain)) {
                Some(Ok(true)) => return ContentVerdict::Sound,
                Some(Ok(false)) | None => {}
                Some(Err(reason)) => verdict = unknown(reason),
            }
        }
        verdict
    }

    /// The chains that an input can have had, by the records on which a result hangs.
    fn chains(&self, result: &StepResult<'a>, input: usize, slots: &[Slot]) -> Vec<&[&'a Descriptor]> {
        let Some(slot) = slots.get(input) else { return Vec::new() };
        let sources = self.results.sources(result.record, input, slot);
        let results = self.results.of(slot.input).iter();
        results.filter(|own| sources.contains(&own.record)).map(|own| own.chain.as_slice()).collect()
    }

    /// Whether layers are those of an image: their key is a record on which the result hangs. `None` if that is not known.
    fn is_image(
        &self,
        result: &StepResult<'a>,
        input: usize,
        image: StepOutput,
        layers: &[&'a Descriptor],
    ) -> Option<bool> {
        if layers.is_empty() {
            // An image without layers has no key of them.
            let has_layers = self.build.layers.get(&image)?.iter().any(|list| !list.is_empty());
            return has_layers.then_some(false);
        }
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| layer.diff_id()).collect::<Option<_>>()?;
        let key = RecordDigest::of_output(ImageSource::layers_key(&diff_ids)?, image.output);
        let mut links = result.record.inputs().nth(input)?;
        Some(links.any(|link| *link.source.digest() == key))
    }
}

fn other_layers() -> ContentVerdict {
    mismatch([ContentFlaw { path: Vec::new(), kind: FlawKind::Layers }])
}
