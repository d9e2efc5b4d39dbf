//! The contents that a step copied, proven from its own layer: the files that it copied are found in the layer, and have the
//! content that hangs on its record.

use cache_keys::{Op, SourceKind, Step};
use cache_model::{RecordDigest, RecordRef};

use crate::contents::lay;
use crate::copying::{CopiedInput, CopiedLayer, found_sources};
use crate::slots::Slot;
use crate::{Build, Cache};

/// By input of a step, the content that its layer proves. None if the step copies nothing, its layers were not read, or they do not tell.
pub(crate) fn copied_contents(
    build: &Build,
    cache: &Cache<'_>,
    (step, slots, output): (&Step, &[Slot], usize),
    record: RecordRef<'_>,
) -> Vec<Option<RecordDigest>> {
    let contents = || {
        let Op::File(op) = &step.op else { return None };
        let mut blobs = Cache::blobs(record.newest_result()?);
        let layer = cache.layers().get(&blobs.pop()?)?;
        let below = lay(&blobs, cache.layers())?;
        let inputs: Vec<CopiedInput> = slots
            .iter()
            .zip(record.inputs())
            .map(|(slot, links)| {
                let contents = links.filter(|link| slot.is_content(*link));
                let contents = contents.map(|link| link.source.digest().clone()).collect();
                CopiedInput { is_sent: is_sent(build, slot), rule: slot.content.clone(), contents }
            })
            .collect();
        let copied = CopiedLayer { op, output, layer, below: &below, accounts: None, inputs: &inputs };
        found_sources(&copied).ok().filter(|found| found.is_proven)?;
        // Of several contents it is not known which the files have.
        let contents = inputs.into_iter().map(|input| <[RecordDigest; 1]>::try_from(input.contents).ok());
        let contents = contents.map(|only| only.map(|[content]| content));
        Some(contents.collect())
    };
    contents().unwrap_or_default()
}

/// Whether all files of an input are owned by root.
fn is_sent(build: &Build, slot: &Slot) -> bool {
    match build.definition.step(slot.input.step).map(|step| &step.op) {
        Some(Op::Source(source)) => matches!(source.kind(), SourceKind::Local(_) | SourceKind::Http(_)),
        _ => false,
    }
}
