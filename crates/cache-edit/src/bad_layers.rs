//! Which layers stand on a bad blob.

use cache_model::{Digest, Graph, LayerRef};

use crate::by_position::ByPosition;

/// For each layer of a graph its lowest bad blob: of itself and the layers below it.
pub(crate) struct BadLayers(ByPosition<Option<Digest>>);

impl BadLayers {
    /// Asks `is_bad` once for each blob.
    pub(crate) fn new(graph: &Graph<'_>, is_bad: &dyn Fn(&Digest) -> bool) -> Self {
        let mut blobs = ByPosition::<Option<bool>>::new(0);
        let mut lowest = ByPosition::<Option<Digest>>::new(0);
        // A layer comes after the layer below it.
        for layer in graph.chains().all_layers() {
            let blob = &layer.descriptor().digest;
            let is_bad = blobs.get(layer.blob_position()).unwrap_or_else(|| is_bad(blob));
            blobs.set(layer.blob_position(), Some(is_bad));
            let below = layer.parent().and_then(|parent| lowest.get(parent.position()));
            lowest.set(layer.position(), below.or(is_bad.then_some(*blob)));
        }
        Self(lowest)
    }

    /// The lowest bad blob of a layer and the layers below it.
    pub(crate) fn lowest(&self, layer: LayerRef<'_>) -> Option<Digest> {
        self.0.get(layer.position())
    }
}
