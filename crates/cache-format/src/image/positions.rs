//! The positions that blobs have in an image, and the records of a config in terms of them.
//!
//! A result that consists of the image's first layers in order points at the last of them. Any other result lists the
//! positions of its layers.

use std::collections::HashMap;

use cache_model::{CacheConfig, CacheConfigBuilder, ConfigResult, Digest, Timestamp, grouped};

use crate::FormatError;
use crate::image::stacks::LayerStacks;

/// The positions of blobs in an image.
pub(crate) struct ImagePositions {
    /// The positions of each blob, in order.
    of_blob: HashMap<Digest, Vec<i32>>,
}

/// How results list their layers.
pub(crate) struct ListRules {
    /// The time of a list, from the time of the result.
    pub(crate) time: fn(Timestamp) -> Timestamp,
    /// The most positions in all lists together. Without a limit a config with many results on tall stacks would make
    /// lists that are quadratic in its size.
    pub(crate) limit: usize,
}

impl ImagePositions {
    /// The positions of blobs; of one blob they are in order.
    pub(crate) fn new(of_blob: HashMap<Digest, Vec<i32>>) -> Self {
        Self { of_blob }
    }

    /// Whether the image has a blob.
    pub(crate) fn has(&self, blob: &Digest) -> bool {
        self.of_blob.contains_key(blob)
    }

    /// The records of `config`, with results that point at the image's layers. The image has the blobs of all of them.
    pub(crate) fn renumber(
        &self,
        config: &CacheConfig,
        stacks: &LayerStacks,
        rules: &ListRules,
    ) -> Result<CacheConfig, FormatError> {
        let beginnings = self.beginnings(stacks);
        Self::check_lists(config, stacks, &beginnings, rules.limit)?;
        let mut builder = CacheConfigBuilder::new();
        for record in config.records() {
            let mut renumbered = builder.record(record.digest().clone());
            for ConfigResult { layer, created_at } in record.results().iter().copied() {
                let top = stacks.find(layer, record.position())?;
                match beginnings.get(top).copied().flatten() {
                    Some(length) => renumbered.result(ConfigResult::new(length - 1, created_at)),
                    None => renumbered.chain(&self.of(&stacks.blobs_up_to(top)), (rules.time)(created_at)),
                };
            }
            for chain in record.chains() {
                let mut blobs = Vec::with_capacity(chain.layers.len());
                for layer in chain.layers {
                    blobs.extend(stacks.blob(stacks.find(*layer, record.position())?));
                }
                renumbered.chain(&self.of(&blobs), (rules.time)(chain.created_at));
            }
            for input in record.inputs() {
                let mut links = renumbered.input();
                for link in input {
                    links.link(link.selector, link.record);
                }
            }
        }
        Ok(builder.finish())
    }

    /// Refuses lists that have more positions than the limit, before any is made.
    fn check_lists(
        config: &CacheConfig,
        stacks: &LayerStacks,
        beginnings: &[Option<i32>],
        limit: usize,
    ) -> Result<(), FormatError> {
        let mut listed: usize = 0;
        for record in config.records() {
            for result in record.results() {
                let top = stacks.find(result.layer, record.position())?;
                if beginnings.get(top).copied().flatten().is_none() {
                    listed = listed.saturating_add(stacks.height(top));
                }
            }
            listed = record.chains().fold(listed, |sum, chain| sum.saturating_add(chain.layers.len()));
        }
        if listed <= limit {
            return Ok(());
        }
        let message = format!(
            "its results have few layers in common: they list {} layers, and an image may list {}; other forms take them",
            grouped(listed as u64),
            grouped(limit as u64)
        );
        Err(FormatError::unsupported("inline cache", message))
    }

    /// For each layer of a config the number of its layers, if they are the image's first in order.
    fn beginnings(&self, stacks: &LayerStacks) -> Vec<Option<i32>> {
        let mut lengths: Vec<Option<i32>> = stacks.blobs().map(|_| None).collect();
        for position in stacks.parents_first() {
            let below = match stacks.parent(position) {
                None => Some(0),
                Some(parent) => lengths.get(parent).copied().flatten(),
            };
            let follows = below.filter(|below| {
                stacks.blob(position).is_some_and(|blob| self.at(&blob).binary_search(below).is_ok())
            });
            if let Some(length) = lengths.get_mut(position) {
                *length = follows.map(|below| below + 1);
            }
        }
        lengths
    }

    /// The positions of these blobs; of a blob that the image repeats, the last.
    fn of(&self, blobs: &[Digest]) -> Vec<i32> {
        blobs.iter().filter_map(|blob| self.at(blob).last().copied()).collect()
    }

    fn at(&self, blob: &Digest) -> &[i32] {
        self.of_blob.get(blob).map_or(&[], Vec::as_slice)
    }
}
