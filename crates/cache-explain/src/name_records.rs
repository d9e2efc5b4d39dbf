//! Finds out what the records of a cache stand for, from the builds that made them.
//!
//! Names are computed forward, from definitions, folders and layers. Nothing is guessed and tried.

use std::collections::{HashMap, HashSet};

use cache_keys::{ContentRule, ImageSource, StepInput, StepOutput};
use cache_model::{Digest, RecordDigest, RecordRef};

use crate::build_keys::{BuildKeys, StepKeys};
use crate::contents::{Contents, Selected};
use crate::copied_contents::copied_contents;
use crate::placing::Placing;
use crate::slots::Slot;
use crate::work::Work;
use crate::{BuildInputs, Cache, Dictionary, Meaning, Name, NameSource, SourceIdentity};

/// Names the records of a cache, by the builds that made it.
///
/// Records of steps and sources need the build alone. Contents are computed from the folders and layers that are at hand. A content
/// or a key of a source that cannot be computed is named by place: nothing else can hang where it hangs.
///
/// A builder keeps what earlier builds made, and a cache can have records of them. They are named only if the records of these builds
/// are given, too.
pub fn name_records(cache: &Cache<'_>, builds: &[BuildInputs<'_>]) -> Dictionary {
    let mut naming = Naming {
        cache,
        images: image_records(cache),
        computed: HashSet::new(),
        computed_contents: HashSet::new(),
        dictionary: Dictionary::default(),
    };
    let mut work = Work::new();
    let placed: Vec<_> = builds.iter().map(|inputs| PlacedBuild::new(inputs, cache, &mut work)).collect();
    for (build, placed) in placed.iter().enumerate() {
        naming.name_keys(build, placed);
        naming.name_contents(build, placed);
        naming.name_copied_contents(build, placed);
    }
    for (build, placed) in placed.iter().enumerate() {
        naming.name_by_place(build, placed);
    }
    naming.dictionary
}

struct Naming<'c, 'a> {
    cache: &'c Cache<'a>,
    /// The number of layers of each record that stands for the layers of an image, by the record's digest.
    images: HashMap<RecordDigest, usize>,
    /// The inputs whose content was computed and is in the cache, with the position of their build.
    computed: HashSet<(usize, StepInput)>,
    /// These contents.
    computed_contents: HashSet<RecordDigest>,
    dictionary: Dictionary,
}

/// A build, and where it stands in the cache.
struct PlacedBuild<'c, 'a> {
    inputs: &'c BuildInputs<'c>,
    keys: BuildKeys,
    placing: Placing<'a>,
}

impl<'c, 'a> PlacedBuild<'c, 'a> {
    fn new(inputs: &'c BuildInputs<'c>, cache: &'c Cache<'a>, work: &mut Work) -> Self {
        let keys = BuildKeys::of(inputs.build, [cache]);
        let placing = Placing::new(inputs.build, &keys, cache, work);
        Self { inputs, keys, placing }
    }

    /// The steps with their slots.
    fn steps(&self) -> impl Iterator<Item = (usize, Vec<Slot>)> {
        let build = self.inputs.build;
        build.definition.steps().iter().enumerate().map(|(position, step)| (position, Slot::of(build, step)))
    }
}

impl<'a> Naming<'_, 'a> {
    /// Adds a name if the cache has such a record, and gives whether it has.
    fn add(&mut self, digest: &RecordDigest, build: usize, meaning: Meaning, found: NameSource) -> bool {
        let has_record = !self.cache.records(digest).is_empty();
        if has_record {
            self.dictionary.add(digest, Name { build, meaning, found });
        }
        has_record
    }

    /// Names steps and sources by their keys.
    fn name_keys(&mut self, build: usize, placed: &PlacedBuild<'_, 'a>) {
        let definition = &placed.inputs.build.definition;
        for step in 0..definition.steps().len() {
            for output in definition.outputs(step) {
                match placed.keys.step(step) {
                    StepKeys::Step(key) => {
                        let meaning = Meaning::Step { step, output };
                        self.add(&RecordDigest::of_output(key, output), build, meaning, NameSource::Computed);
                    }
                    StepKeys::Source(source) => {
                        for (key, identity) in &source.keys {
                            let meaning = Meaning::Source { step, identity: identity.clone() };
                            let digest = RecordDigest::of_output(key, output);
                            self.add(&digest, build, meaning, NameSource::Computed);
                        }
                    }
                    StepKeys::Local | StepKeys::End | StepKeys::Unknown => {}
                }
            }
        }
    }

    /// Names contents that can be computed from folders, definitions and layers.
    fn name_contents(&mut self, build: usize, placed: &PlacedBuild<'_, 'a>) {
        let mut contents = Contents::new(placed.inputs);
        for (step, slots) in placed.steps() {
            for (input, slot) in slots.iter().enumerate() {
                let Some(rule) = &slot.content else { continue };
                let mut selected = contents.defined(slot.input, rule);
                if selected == Selected::NoFiles
                    && let Some(blobs) = self.blobs(placed, slot.input)
                {
                    selected = contents.layered(slot.input, rule, &blobs, self.cache.layers());
                }
                if let Selected::Content(digest) = selected {
                    let meaning = Meaning::content(step, input, rule);
                    if self.add(&digest, build, meaning, NameSource::Computed) {
                        self.computed.insert((build, StepInput { step, input }));
                        self.computed_contents.insert(digest);
                    }
                }
            }
        }
    }

    /// Names contents that have no name yet, by the layers of the steps that copied them.
    fn name_copied_contents(&mut self, build: usize, placed: &PlacedBuild<'_, 'a>) {
        let definition = &placed.inputs.build.definition;
        let mut named = Vec::new();
        for (position, slots) in placed.steps() {
            let Some(step) = definition.step(position) else { continue };
            for output in definition.outputs(position) {
                for record in placed.placing.records(StepOutput { step: position, output }) {
                    if !self.has_unnamed_content(*record, &slots) {
                        continue;
                    }
                    let copied = (step, slots.as_slice(), output);
                    let contents = copied_contents(placed.inputs.build, self.cache, copied, *record);
                    for (input, (slot, content)) in slots.iter().zip(contents).enumerate() {
                        if let (Some(rule), Some(digest)) = (&slot.content, content)
                            && self.dictionary.names(&digest).is_empty()
                        {
                            named.push((digest, Meaning::content(position, input, rule)));
                        }
                    }
                }
            }
        }
        for (digest, meaning) in named {
            self.add(&digest, build, meaning, NameSource::Computed);
        }
    }

    /// Whether a content without a name hangs on a record.
    fn has_unnamed_content(&self, record: RecordRef<'a>, slots: &[Slot]) -> bool {
        slots.iter().zip(record.inputs()).any(|(slot, mut links)| {
            links.any(|link| slot.is_content(link) && self.dictionary.names(link.source.digest()).is_empty())
        })
    }

    /// The layers of an output's newest result, or of an image; none if they are not known.
    fn blobs(&self, placed: &PlacedBuild<'_, 'a>, output: StepOutput) -> Option<Vec<Digest>> {
        let results = placed.placing.records(output).iter().filter_map(|record| record.newest_result());
        if let Some(newest) = results.max_by_key(|result| result.created_at()) {
            return Some(Cache::blobs(newest));
        }
        let layers = placed.inputs.build.layers.get(&output)?.first()?;
        Some(layers.iter().map(|layer| layer.digest).collect())
    }

    /// Names what hangs on the records of steps and was not computed.
    fn name_by_place(&mut self, build: usize, placed: &PlacedBuild<'_, 'a>) {
        for (step, slots) in placed.steps() {
            for record in placed.placing.step(step) {
                for ((input, slot), links) in slots.iter().enumerate().zip(record.inputs()) {
                    for link in links.filter(|link| link.source.inputs_len() == 0) {
                        if slot.is_definition(link) {
                            self.name_source_by_place(build, placed, slot.input.step, link.source);
                        } else if slot.is_content(link)
                            && let Some(rule) = &slot.content
                        {
                            self.name_content_by_place(
                                build,
                                StepInput { step, input },
                                rule,
                                link.source.digest(),
                            );
                        }
                    }
                }
            }
        }
    }

    /// Names a content that hangs on a record of a step, unless it was computed from its source. If the content of this input was computed,
    /// another one that hangs there is not that of this step. A content that another build names hangs on a record that both
    /// builds have.
    fn name_content_by_place(
        &mut self,
        build: usize,
        at: StepInput,
        rule: &ContentRule,
        digest: &RecordDigest,
    ) {
        let is_of_other = |name: &Name| name.build != build;
        if self.computed.contains(&(build, at))
            || self.computed_contents.contains(digest)
            || self.dictionary.names(digest).iter().any(is_of_other)
        {
            return;
        }
        self.add(digest, build, Meaning::content(at.step, at.input, rule), NameSource::ByPlace);
    }

    /// Names a record on which a step hangs that takes a source, unless it has a name of its own.
    fn name_source_by_place(
        &mut self,
        build: usize,
        placed: &PlacedBuild<'_, 'a>,
        step: usize,
        record: RecordRef<'_>,
    ) {
        let is_source = matches!(placed.keys.step(step), StepKeys::Source(_));
        let has_other_name = |name: &Name| !matches!(name.meaning, Meaning::Source { .. });
        if !is_source || self.dictionary.names(record.digest()).iter().any(has_other_name) {
            return;
        }
        let computed = self.images.get(record.digest()).copied();
        let (identity, found) = match computed {
            Some(layers) => (SourceIdentity::Layers(layers), NameSource::Computed),
            None if self.dictionary.names(record.digest()).is_empty() => {
                (SourceIdentity::Unknown, NameSource::ByPlace)
            }
            None => return,
        };
        self.add(record.digest(), build, Meaning::Source { step, identity }, found);
    }
}

/// The records of a cache that stand for the layers of an image, with the number of these layers. Every list of layers of the cache
/// can be an image.
fn image_records(cache: &Cache<'_>) -> HashMap<RecordDigest, usize> {
    let mut chains: Vec<Option<(Digest, usize)>> = Vec::new();
    let mut images = HashMap::new();
    // Each layer comes after the one below it.
    for layer in cache.graph().chains().all_layers() {
        let below = layer.parent().map(|parent| chains.get(parent.position()).copied().flatten());
        let chain = layer.descriptor().diff_id().and_then(|id| match below {
            None => Some((id, 1)),
            Some(None) => None,
            Some(Some((below, count))) => Some((Digest::of(format!("{below} {id}")), count + 1)),
        });
        if let Some((chain, count)) = chain {
            let record = RecordDigest::of_output(ImageSource::chain_key(&chain), 0);
            if !cache.records(&record).is_empty() {
                images.insert(record, count);
            }
        }
        chains.push(chain);
    }
    images
}
