//! A build with the keys and instructions of its steps, each computed once.

use std::cell::OnceCell;
use std::collections::HashMap;

use cache_keys::{Definition, Op, SourceKind, Step, StepKey};
use cache_model::{Digest, Platform};

use crate::{Build, BuildInputs, Instructions};

/// A build to explain, or to compare with.
pub(crate) struct KeyedBuild<'a> {
    pub(crate) inputs: &'a BuildInputs<'a>,
    pub(crate) instructions: Instructions,
    /// By step; `None` for a source and where the key cannot be computed.
    keys: Vec<Option<StepKey>>,
    by_key: HashMap<Digest, usize>,
    fields: Vec<OnceCell<Vec<(String, String)>>>,
    /// The build whose fields are compared with one that has digests in the place of values.
    without_values: Option<Build>,
}

impl<'a> KeyedBuild<'a> {
    pub(crate) fn new(inputs: &'a BuildInputs<'a>) -> Self {
        let build = inputs.build;
        let steps = build.definition.steps();
        let keys: Vec<Option<StepKey>> = (0..steps.len()).map(|step| build.key(step)).collect();
        let digests = keys.iter().enumerate().rev();
        let by_key = digests.filter_map(|(step, key)| Some((key.as_ref()?.digest(), step))).collect();
        let fields = steps.iter().map(|_| OnceCell::new()).collect();
        let instructions = Instructions::of(build);
        Self { inputs, instructions, keys, by_key, fields, without_values: None }
    }

    /// The same build, to be compared with older ones: by digests of values where one of them has no others.
    pub(crate) fn compared_with(mut self, old: &[KeyedBuild<'_>]) -> Self {
        let has_digests = old.iter().any(|old| !old.build().replaced_keys.is_empty());
        self.without_values = has_digests.then(|| self.build().without_values());
        self
    }

    pub(crate) fn build(&self) -> &'a Build {
        self.inputs.build
    }

    pub(crate) fn definition(&self) -> &'a Definition {
        &self.inputs.build.definition
    }

    pub(crate) fn step(&self, step: usize) -> Option<&'a Step> {
        self.definition().step(step)
    }

    /// The digest of a step's own definition.
    pub(crate) fn key(&self, step: usize) -> Option<Digest> {
        Some(self.keys.get(step)?.as_ref()?.digest())
    }

    /// The first step with a key.
    pub(crate) fn step_of_key(&self, key: &Digest) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    /// What was hashed for a step's key, as paths with their texts.
    pub(crate) fn fields(&self, step: usize) -> &[(String, String)] {
        let Some(fields) = self.fields.get(step) else { return &[] };
        let key = || match &self.without_values {
            Some(build) => build.key(step),
            None => self.keys.get(step).cloned().flatten(),
        };
        fields.get_or_init(|| key().as_ref().map(StepKey::fields).unwrap_or_default())
    }

    /// The platform of a step: its own or that of the builder.
    pub(crate) fn platform(&self, step: usize) -> &'a Platform {
        self.step(step).and_then(|step| step.platform.as_ref()).unwrap_or(&self.inputs.build.platform)
    }

    /// The name of the local folder that a step is.
    pub(crate) fn local_name(&self, step: usize) -> Option<&'a str> {
        match &self.step(step)?.op {
            Op::Source(source) => match source.kind() {
                SourceKind::Local(name) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// The platforms for which the build takes a source.
    pub(crate) fn platforms_of(&self, identifier: &str) -> impl Iterator<Item = &'a Platform> {
        let is_it = move |step: &usize| match self.step(*step).map(|step| &step.op) {
            Some(Op::Source(source)) => source.identifier == identifier,
            _ => false,
        };
        (0..self.definition().steps().len()).filter(is_it).map(|step| self.platform(step))
    }
}
