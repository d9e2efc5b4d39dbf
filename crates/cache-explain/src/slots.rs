//! What a build's steps require of the slots of their records: one list of links for each input.

use cache_keys::{ContentRule, Op, SourceKind, Step, StepOutput};
use cache_model::LinkRef;

use crate::Build;

/// What the key of a step requires of one slot of its record.
pub(crate) struct Slot {
    /// The output that the input takes.
    pub(crate) input: StepOutput,
    /// The selector of the links to records of the input; empty if they have none.
    selector: String,
    /// The rule for the content of the input, if it counts. Such a slot has a selector, too.
    pub(crate) content: Option<ContentRule>,
    /// The input is a local folder, so no link leads to a record of it.
    pub(crate) is_local: bool,
}

impl Slot {
    /// The slots of a step's records, in the order of its inputs.
    pub(crate) fn of(build: &Build, step: &Step) -> Vec<Self> {
        let slots = step.inputs.iter().zip(step.deps()).map(|(input, dep)| Self {
            input: *input,
            selector: dep.selector.map(|selector| selector.to_string()).unwrap_or_default(),
            content: dep.content,
            is_local: build.definition.step(input.step).is_some_and(is_local),
        });
        slots.collect()
    }

    /// Whether a link leads to the definition of the input, if its source is a record of that.
    pub(crate) fn is_definition(&self, link: LinkRef<'_>) -> bool {
        !self.is_local && link.selector == self.selector && !self.is_content(link)
    }

    /// Whether a link leads to a content of the input.
    pub(crate) fn is_content(&self, link: LinkRef<'_>) -> bool {
        self.content.is_some()
            && link.selector.is_empty()
            && link.source.inputs_len() == 0
            && link.source.newest_result().is_none()
    }
}

fn is_local(step: &Step) -> bool {
    matches!(&step.op, Op::Source(source) if matches!(source.kind(), SourceKind::Local(_)))
}
