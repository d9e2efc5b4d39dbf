//! The layers of a graph's results as a list, in which a layer names its parent by position.
//!
//! Data only; `json` makes text of it.

use std::collections::HashMap;

use cache_model::{Graph, LayerRef, RecordRef, ResultRef};

/// The layers of all results, each after its parent.
pub(crate) struct LayerList<'g> {
    pub(crate) layers: Vec<LayerRef<'g>>,
    /// From a layer's position in the graph to its place in the list.
    places: HashMap<usize, usize>,
}

impl<'g> LayerList<'g> {
    pub(crate) fn of(graph: &'g Graph<'_>) -> Self {
        let mut list = Self { layers: Vec::new(), places: HashMap::new() };
        let mut unlisted = Vec::new();
        for top in graph.records().flat_map(RecordRef::results).filter_map(ResultRef::top) {
            let mut next = Some(top);
            while let Some(layer) = next.filter(|layer| !list.places.contains_key(&layer.position())) {
                unlisted.push(layer);
                next = layer.parent();
            }
            while let Some(layer) = unlisted.pop() {
                list.places.insert(layer.position(), list.layers.len());
                list.layers.push(layer);
            }
        }
        list
    }

    /// The place of a layer in the list.
    pub(crate) fn place(&self, layer: Option<LayerRef<'_>>) -> Option<usize> {
        self.places.get(&layer?.position()).copied()
    }
}
