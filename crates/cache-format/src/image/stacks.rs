//! The layers of a config as stacks, each layer on its parent: checked once, so that later steps need not.
//!
//! It knows no records. Nothing here recurses.

use cache_model::{ConfigLayer, Digest};

use crate::FormatError;

const WHAT: &str = "cache config";

/// The layers of a config. Every layer has a blob and a parent in range, and none stands on itself.
pub(crate) struct LayerStacks {
    layers: Vec<StackedLayer>,
    /// The positions of the layers, each after its parent.
    parents_first: Vec<usize>,
}

struct StackedLayer {
    blob: Digest,
    parent: Option<usize>,
    /// How many layers a result that points at this one has.
    height: usize,
}

impl LayerStacks {
    pub(crate) fn of(layers: &[ConfigLayer]) -> Result<Self, FormatError> {
        let mut stacked = Vec::with_capacity(layers.len());
        let mut above: Vec<Vec<usize>> = vec![Vec::new(); layers.len()];
        let mut parents_first = Vec::with_capacity(layers.len());
        for (position, layer) in layers.iter().enumerate() {
            let fault = |message: String| FormatError::invalid(WHAT, message).at(Some(place(position)));
            let blob = layer.blob.ok_or_else(|| fault("it has no blob".to_owned()))?;
            let parent = match layer.parent {
                -1 => None,
                parent => {
                    let known = usize::try_from(parent).ok().and_then(|parent| above.get_mut(parent));
                    let known = known.ok_or_else(|| fault(format!("parent {parent} is out of range")))?;
                    known.push(position);
                    usize::try_from(parent).ok()
                }
            };
            if parent.is_none() {
                parents_first.push(position);
            }
            stacked.push(StackedLayer { blob, parent, height: 0 });
        }
        let mut stacks = Self { layers: stacked, parents_first };
        let mut next = 0;
        while let Some(position) = stacks.parents_first.get(next).copied() {
            next += 1;
            stacks.parents_first.extend(above.get(position).into_iter().flatten());
            let below = stacks.parent(position).map_or(0, |parent| stacks.height(parent));
            if let Some(layer) = stacks.layers.get_mut(position) {
                layer.height = below + 1;
            }
        }
        match stacks.layers.iter().position(|layer| layer.height == 0) {
            Some(looping) => {
                Err(FormatError::invalid(WHAT, "it leads back to itself").at(Some(place(looping))))
            }
            None => Ok(stacks),
        }
    }

    /// The positions of all layers, each after its parent.
    pub(crate) fn parents_first(&self) -> impl Iterator<Item = usize> {
        self.parents_first.iter().copied()
    }

    /// The blob of each layer, in the order of the config.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = Digest> {
        self.layers.iter().map(|layer| layer.blob)
    }

    pub(crate) fn blob(&self, position: usize) -> Option<Digest> {
        self.layers.get(position).map(|layer| layer.blob)
    }

    pub(crate) fn parent(&self, position: usize) -> Option<usize> {
        self.layers.get(position)?.parent
    }

    /// The number of layers from the bottom up to this one; 0 for a position out of range.
    pub(crate) fn height(&self, position: usize) -> usize {
        self.layers.get(position).map_or(0, |layer| layer.height)
    }

    /// The blobs of a layer and its parents, lowest first.
    pub(crate) fn blobs_up_to(&self, position: usize) -> Vec<Digest> {
        let downwards = std::iter::successors(Some(position), |position| self.parent(*position));
        let mut blobs: Vec<Digest> = downwards.filter_map(|position| self.blob(position)).collect();
        blobs.reverse();
        blobs
    }

    /// The position that a record's result names; the error names the record.
    pub(crate) fn find(&self, layer: i32, record: usize) -> Result<usize, FormatError> {
        let position = usize::try_from(layer).ok().filter(|position| *position < self.layers.len());
        position.ok_or_else(|| {
            let message = format!("layer {layer} is out of range");
            FormatError::invalid(WHAT, message).at(Some(format!("record {record}")))
        })
    }
}

fn place(position: usize) -> String {
    format!("layer {position}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(parents: &[i32]) -> Vec<ConfigLayer> {
        let layer = |(n, parent): (u8, &i32)| ConfigLayer {
            blob: Some(Digest::sha256([n; 32])),
            parent: *parent,
            annotations: None,
        };
        (0..).zip(parents).map(layer).collect()
    }

    #[test]
    fn a_layer_stands_on_its_parents_in_any_order_of_the_config() {
        let stacks = LayerStacks::of(&layers(&[2, -1, 1, 1])).unwrap();
        let heights: Vec<usize> = (0..5).map(|position| stacks.height(position)).collect();
        assert_eq!(heights, [3, 1, 2, 2, 0]);
        assert_eq!(stacks.parents_first().collect::<Vec<_>>(), [1, 2, 3, 0]);
        assert_eq!(stacks.blobs_up_to(0), [1, 2, 0].map(|n| Digest::sha256([n; 32])));
    }

    #[test]
    fn what_is_no_stack_is_refused_with_its_position() {
        let mut without_blob = layers(&[-1, 0]);
        without_blob[1].blob = None;
        for (layers, line) in [
            (layers(&[-1, 2, 1]), "cache config: layer 1: it leads back to itself"),
            (layers(&[0]), "cache config: layer 0: it leads back to itself"),
            (layers(&[-1, 2]), "cache config: layer 1: parent 2 is out of range"),
            (layers(&[-2]), "cache config: layer 0: parent -2 is out of range"),
            (without_blob, "cache config: layer 1: it has no blob"),
        ] {
            assert_eq!(LayerStacks::of(&layers).err().unwrap().to_string(), line);
        }
        let error = LayerStacks::of(&layers(&[-1])).unwrap().find(1, 7).unwrap_err();
        assert_eq!(error.to_string(), "cache config: record 7: layer 1 is out of range");
    }
}
