//! The contents that steps read from their inputs, from wherever they are known: the cache that the build wrote, folders,
//! definitions, and layers of older caches.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap, HashSet};

use cache_keys::{ContentRule, StepOutput};
use cache_model::{Digest, RecordDigest, ResultRef};

use crate::contents::{Contents, Selected, local_name};
use crate::placing::Placing;
use crate::slots::Slot;
use crate::{Build, BuildInputs, Cache, InputContent, MatchState, MatchedStep, ReachedRecord, UnknownReason};

/// Where the contents of a build's inputs come from.
pub(crate) struct InputContents<'m, 'a> {
    inputs: &'m BuildInputs<'m>,
    old: &'m [Cache<'a>],
    /// The records that the build itself wrote, if its cache is at hand.
    made: Option<Placing<'a>>,
    /// The records of that cache on which steps hang, by the source that they take.
    source_records: HashMap<usize, BTreeSet<&'a RecordDigest>>,
    /// The blobs of the older caches.
    blobs: OnceCell<Vec<HashSet<Digest>>>,
    contents: Contents<'m>,
}

impl<'m, 'a> InputContents<'m, 'a> {
    pub(crate) fn new(inputs: &'m BuildInputs<'m>, old: &'m [Cache<'a>], made: Option<Placing<'a>>) -> Self {
        let source_records = made.iter().flat_map(|made| source_records(inputs.build, made));
        let mut by_source: HashMap<_, BTreeSet<_>> = HashMap::new();
        for (source, record) in source_records {
            by_source.entry(source).or_default().insert(record);
        }
        Self {
            inputs,
            old,
            source_records: by_source,
            made,
            blobs: OnceCell::new(),
            contents: Contents::new(inputs),
        }
    }

    /// By slot, the content that hangs on the records that the build wrote.
    pub(crate) fn made(&self, step: usize, slots: &[Slot]) -> Vec<Option<InputContent>> {
        let mut contents: Vec<BTreeSet<&RecordDigest>> = vec![BTreeSet::new(); slots.len()];
        for record in self.made.iter().flat_map(|made| made.step(step)) {
            for ((slot, contents), links) in slots.iter().zip(&mut contents).zip(record.inputs()) {
                let links = links.filter(|link| slot.is_content(*link));
                contents.extend(links.map(|link| link.source.digest()));
            }
        }
        let known = contents.into_iter().map(|contents| {
            let contents: Vec<RecordDigest> = contents.into_iter().cloned().collect();
            (!contents.is_empty()).then_some(InputContent::Known(contents))
        });
        known.collect()
    }

    /// The records under which the build wrote a source: those on which its steps hang that take the source.
    pub(crate) fn source_records(&self, source: usize) -> Vec<RecordDigest> {
        self.source_records.get(&source).into_iter().flatten().map(|digest| (*digest).clone()).collect()
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
        let blobs = |cache: &Cache<'_>| cache.graph().blobs().map(|blob| blob.digest).collect();
        let blobs: &Vec<HashSet<Digest>> = self.blobs.get_or_init(|| self.old.iter().map(blobs).collect());
        let caches = || self.old.iter().zip(blobs);
        let mut stacks =
            lists.flat_map(|list| caches().map(move |(cache, blobs)| (cache, blobs, list.clone())));
        let found = stacks.find(|(_, blobs, list)| list.iter().all(|blob| blobs.contains(blob)));
        found.map(|(cache, _, list)| (cache, list))
    }

    fn known(&self, step: usize, selected: Selected) -> InputContent {
        match selected {
            Selected::Content(digest) => InputContent::Known(vec![digest]),
            Selected::TooMany => InputContent::Unknown(UnknownReason::TooTangled),
            Selected::Fails | Selected::NoFiles => InputContent::Unknown(UnknownReason::Content(step)),
        }
    }
}

/// The sources of a build, each with the roots on which steps hang that take it.
fn source_records<'a>(build: &Build, made: &Placing<'a>) -> Vec<(usize, &'a RecordDigest)> {
    let mut found = Vec::new();
    for (position, step) in build.definition.steps().iter().enumerate() {
        let slots = Slot::of(build, step);
        for record in made.step(position) {
            for (slot, links) in slots.iter().zip(record.inputs()) {
                let links = links.filter(|link| slot.is_definition(*link) && link.source.inputs_len() == 0);
                found.extend(links.map(|link| (slot.input.step, link.source.digest())));
            }
        }
    }
    found
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
