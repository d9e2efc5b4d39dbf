//! Writes inline caches: the records of a graph, with results that refer to the layers of one image.
//!
//! Produces the value of one member of an image config. It never writes the config around it.

use std::collections::HashMap;

use cache_model::{CacheConfig, CacheConfigBuilder, ConfigResult, Digest, Graph, Timestamp};
use data_encoding::BASE64;

use crate::encode_records;

/// The value of the member `moby.buildkit.cache.v0` in the config of an image with these layers, lowest first. Each record
/// has its newest result with all blobs in the image. `None` if no record has such a result.
///
/// A blob is in the image if the digest of one of the image's layers is the blob's digest, or its diff ID (the
/// annotation `containerd.io/uncompressed`). A result that consists of the image's first layers in order points at the
/// last of them. Any other result lists the positions of its layers; for a blob that the image repeats, the last one.
pub fn write_inline(graph: &Graph<'_>, image_layers: &[Digest]) -> Option<String> {
    let image = Image::new(graph, image_layers);
    let marshalled = graph.marshal(&|blob| image.positions.contains_key(blob));
    if marshalled.config.layers().is_empty() {
        return None;
    }
    Some(BASE64.encode(&encode_records(&image.renumber(&marshalled.config))))
}

/// The positions of blobs in an image.
struct Image {
    positions: HashMap<Digest, Vec<i32>>,
}

impl Image {
    fn new(graph: &Graph<'_>, image_layers: &[Digest]) -> Self {
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
        Self { positions }
    }

    fn at(&self, blob: &Digest) -> &[i32] {
        self.positions.get(blob).map_or(&[], Vec::as_slice)
    }

    /// The records of `config`, with results that point at the image's layers.
    fn renumber(&self, config: &CacheConfig) -> CacheConfig {
        let mut builder = CacheConfigBuilder::new();
        for record in config.records() {
            let mut renumbered = builder.record(record.digest().clone());
            for result in record.results() {
                let blobs = blobs_of(config, result.layer);
                let is_beginning =
                    (0..).zip(&blobs).all(|(position, blob)| self.at(blob).contains(&position));
                if is_beginning {
                    let layer = i32::try_from(blobs.len()).unwrap_or(i32::MAX) - 1;
                    renumbered.result(ConfigResult { layer, ..*result });
                } else {
                    let layers: Vec<i32> =
                        blobs.iter().filter_map(|blob| self.at(blob).last().copied()).collect();
                    renumbered.chain(&layers, Timestamp::ZERO);
                }
            }
            for input in record.inputs() {
                let mut links = renumbered.input();
                for link in input {
                    links.link(link.selector, link.record);
                }
            }
        }
        builder.finish()
    }
}

/// The blobs of a layer of the config and of its parents, lowest first.
fn blobs_of(config: &CacheConfig, layer: i32) -> Vec<Digest> {
    let layer_at = |position: i32| usize::try_from(position).ok().and_then(|at| config.layers().get(at));
    let upwards = std::iter::successors(layer_at(layer), |layer| layer_at(layer.parent));
    let mut blobs: Vec<Digest> = upwards.filter_map(|layer| layer.blob).collect();
    blobs.reverse();
    blobs
}
