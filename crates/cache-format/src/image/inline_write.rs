//! Writes inline caches: the records of a graph, with results that refer to the layers of one image.
//!
//! Produces the value of one member of an image config. It never writes the config around it.

use std::collections::HashMap;

use cache_model::{Digest, Graph, Timestamp};
use data_encoding::BASE64;

use crate::encode_records;
use crate::image::positions::{ImagePositions, ListRules};
use crate::image::stacks::LayerStacks;

/// BuildKit gives a result that lists its layers the zero time.
const BUILDKIT_LISTS: ListRules = ListRules { time: |_| Timestamp::ZERO, limit: usize::MAX };

/// The value of the member `moby.buildkit.cache.v0` in the config of an image with these layers, lowest first. Each record
/// has its newest result with all blobs in the image. `None` if no record has such a result.
///
/// A blob is in the image if the digest of one of the image's layers is the blob's digest, or its diff ID (the
/// annotation `containerd.io/uncompressed`). A result that consists of the image's first layers in order points at the
/// last of them. Any other result lists the positions of its layers; for a blob that the image repeats, the last one.
pub fn write_inline(graph: &Graph<'_>, image_layers: &[Digest]) -> Option<String> {
    let image = positions(graph, image_layers);
    let config = graph.marshal(&|blob| image.has(blob)).config;
    if config.layers().is_empty() {
        return None;
    }
    // Every layer of a marshalled config is in place, and there is no limit, so there is no error.
    let stacks = LayerStacks::of(config.layers()).ok()?;
    let records = image.renumber(&config, &stacks, &BUILDKIT_LISTS).ok()?;
    Some(BASE64.encode(&encode_records(&records)))
}

/// The positions of the graph's blobs in an image with these layers.
fn positions(graph: &Graph<'_>, image_layers: &[Digest]) -> ImagePositions {
    let mut by_digest: HashMap<Digest, Vec<i32>> = HashMap::new();
    for (position, digest) in (0..).zip(image_layers) {
        by_digest.entry(*digest).or_default().push(position);
    }
    let mut by_diff_id: HashMap<Digest, Vec<i32>> = HashMap::new();
    for descriptor in graph.blobs() {
        if let Some(found) = descriptor.diff_id().and_then(|diff_id| by_digest.get(&diff_id)) {
            by_diff_id.entry(descriptor.digest).or_default().extend(found);
        }
    }
    // A blob may have several descriptors, in any order.
    by_diff_id.values_mut().for_each(|found| found.sort_unstable());
    let mut positions = by_diff_id;
    positions.extend(by_digest);
    ImagePositions::new(positions)
}
