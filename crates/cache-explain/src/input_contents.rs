//! The contents that steps read from their inputs, from wherever they are known: the cache that the build wrote, folders,
//! definitions, and layers of older caches.

use std::collections::HashSet;

use cache_keys::{ContentRule, StepOutput};
use cache_model::{Digest, RecordDigest, ResultRef};

use crate::contents::{Contents, Selected, local_name};
use crate::placing::Placing;
use crate::slots::Slot;
use crate::{BuildInputs, Cache, InputContent, MatchState, MatchedStep, ReachedRecord, UnknownReason};

/// Where the contents of a build's inputs come from.
pub(crate) struct InputContents<'m, 'a> {
    inputs: &'m BuildInputs<'m>,
    old: &'m [Cache<'a>],
    /// The records that the build itself wrote, if its cache is at hand.
    made: Option<Placing<'a>>,
    contents: Contents<'m>,
}

impl<'m, 'a> InputContents<'m, 'a> {
    pub(crate) fn new(inputs: &'m BuildInputs<'m>, old: &'m [Cache<'a>], made: Option<Placing<'a>>) -> Self {
        Self { inputs, old, made, contents: Contents::new(inputs) }
    }

    /// The content that hangs on the records that the build wrote.
    pub(crate) fn made(&self, step: usize, input: usize, slot: &Slot) -> Option<InputContent> {
        slot.content.as_ref()?;
        let links = self.made.as_ref()?.step(step).filter_map(|record| record.inputs().nth(input)).flatten();
        let contents: HashSet<_> =
            links.filter(|link| slot.is_content(*link)).map(|link| link.source.digest()).collect();
        let contents: Vec<RecordDigest> = contents.into_iter().cloned().collect();
        (!contents.is_empty()).then_some(InputContent::Known(contents))
    }

    /// The records under which the build wrote a source: those on which its steps hang that take the source.
    pub(crate) fn source_records(&self, source: usize) -> Vec<RecordDigest> {
        let Some(made) = &self.made else { return Vec::new() };
        let build = self.inputs.build;
        let takers = build.definition.takers(source).iter();
        let found = takers.filter_map(|taker| Some((taker, build.definition.step(taker.step)?)));
        let found = found.flat_map(|(taker, step)| {
            let slot = Slot::of(build, step).into_iter().nth(taker.input);
            let records = made.step(taker.step).filter_map(|record| record.inputs().nth(taker.input));
            let links = records
                .flatten()
                .filter(move |link| slot.as_ref().is_some_and(|slot| slot.is_definition(*link)));
            links.filter(|link| link.source.inputs_len() == 0).map(|link| link.source.digest())
        });
        found.collect::<HashSet<_>>().into_iter().cloned().collect()
    }

    /// The content that an input has now. `steps` are the steps before the one that reads it.
    pub(crate) fn content(
        &mut self,
        steps: &[MatchedStep],
        step: usize,
        output: StepOutput,
        rule: &ContentRule,
    ) -> InputContent {
        match self.contents.defined(output, rule) {
            Selected::NoFiles => {}
            selected => return self.known(step, selected),
        }
        if let Some(name) = local_name(self.inputs, output) {
            return InputContent::Unknown(UnknownReason::NoContext(name.to_owned()));
        }
        let stack = match steps.get(output.step).map(|input| (&input.state, &input.outputs)) {
            Some((MatchState::Hit, outputs)) => {
                let reached = outputs.iter().find(|reached| reached.output == output.output);
                reached.and_then(|reached| newest(self.old, &reached.records)).map(|(cache, result)| {
                    (cache, result.layers().into_iter().map(|layer| layer.digest).collect())
                })
            }
            Some((MatchState::Source, _)) => self.source_layers(output),
            Some((MatchState::Unknown(reason), _)) => return InputContent::Unknown(reason.clone()),
            _ => return InputContent::Unknown(UnknownReason::Runs(output.step)),
        };
        let Some((cache, blobs)) = stack else {
            return InputContent::Unknown(UnknownReason::SourceContent(output.step));
        };
        let missing = blobs.iter().filter(|blob| !cache.layers().contains_key(*blob));
        let layers: Vec<Digest> = missing.copied().collect();
        if layers.is_empty() {
            let selected = self.contents.layered(output, rule, &blobs, cache.layers());
            self.known(step, selected)
        } else {
            InputContent::Unknown(UnknownReason::LayersNotRead { step: output.step, layers })
        }
    }

    /// The layers of an image, and a cache that has all of them.
    fn source_layers(&self, output: StepOutput) -> Option<(&'m Cache<'a>, Vec<Digest>)> {
        let lists = self.inputs.build.layers.get(&output)?;
        let lists = lists.iter().map(|list| list.iter().map(|layer| layer.digest).collect::<Vec<_>>());
        let mut stacks = lists.flat_map(|list| self.old.iter().map(move |cache| (cache, list.clone())));
        stacks.find(|(cache, list)| {
            let blobs: HashSet<Digest> = cache.graph().blobs().map(|blob| blob.digest).collect();
            list.iter().all(|blob| blobs.contains(blob))
        })
    }

    fn known(&self, step: usize, selected: Selected) -> InputContent {
        match selected {
            Selected::Content(digest) => InputContent::Known(vec![digest]),
            Selected::Fails | Selected::NoFiles => InputContent::Unknown(UnknownReason::Content(step)),
        }
    }
}

/// The newest result of some records, with its cache. BuildKit loads the newest.
pub(crate) fn newest<'m, 'a>(
    caches: &'m [Cache<'a>],
    records: &[ReachedRecord],
) -> Option<(&'m Cache<'a>, ResultRef<'a>)> {
    let results = records.iter().filter_map(|reached| {
        let cache = caches.get(reached.cache)?;
        Some((cache, cache.graph().at(reached.record)?.newest_result()?))
    });
    results.max_by(|(_, a), (_, b)| a.cmp_by_age(*b))
}
