//! A cache as an image: the layers are the cache's distinct blobs, and the records are inside the image's config.
//!
//! Every registry that takes images takes it, and BuildKit sets no limit to the size of an image's config. Nothing here reads an
//! image: an image with a cache inside is no cache's manifest.

use std::collections::{HashMap, HashSet};

use cache_model::{
    ANNOTATION_CREATED_AT, ANNOTATION_DESCRIPTION, CacheConfig, Descriptor, Dialect, Digest, MediaType,
};
use data_encoding::BASE64;

use crate::forms::rules::{ConfigAndListed, FormRules};
use crate::image::positions::{ImagePositions, ListRules};
use crate::image::stacks::LayerStacks;
use crate::{FormatError, HistoryEntry, ImageConfig, ImageManifest, ManifestOrIndex, encode_records};

const WHAT: &str = "image";

/// A list keeps the time of its result, which BuildKit leaves out. Lists of as many positions as the limit make a config of about
/// 32 MiB, which readers accept.
const LISTS: ListRules = ListRules { time: |time| time, limit: 1 << 22 };

pub(crate) static RULES: FormRules = FormRules {
    name: "inline",
    media_type: MediaType::OCI_MANIFEST,
    is_image_manifest: true,
    dialect: Dialect::Oci,
    config_type: MediaType::OCI_IMAGE_CONFIG,
    write,
    split: |_| None,
    join: |config, layers| ManifestOrIndex::Manifest(ImageManifest::new(config, layers)),
};

fn write(config: &CacheConfig, layers: &[Descriptor]) -> Result<ConfigAndListed, FormatError> {
    let stacks = LayerStacks::of(config.layers())?;
    let order = image_order(config, &stacks)?;
    let positions = (0..).zip(&order).map(|(position, blob)| (*blob, vec![position])).collect();
    let records = ImagePositions::new(positions).renumber(config, &stacks, &LISTS)?;
    let layers = image_layers(&order, layers)?;
    let image = ImageConfig {
        diff_ids: layers.iter().filter_map(Descriptor::diff_id).collect(),
        history: layers.iter().map(step_of).collect(),
        inline_cache: Some(BASE64.encode(&encode_records(&records))),
    };
    Ok((image.encode_cache_only(), layers))
}

/// The distinct blobs in the order of the image. It begins with the stack of layers on which most results stand, as far as
/// no blob is repeated: these results are beginnings of the image, and old versions of BuildKit read no others
/// (moby/buildkit#2501). The other blobs have the order of the config.
fn image_order(config: &CacheConfig, stacks: &LayerStacks) -> Result<Vec<Digest>, FormatError> {
    let mut results: Vec<u64> = vec![0; config.layers().len()];
    for record in config.records() {
        for result in record.results() {
            if let Some(count) = results.get_mut(stacks.find(result.layer, record.position())?) {
                *count += 1;
            }
        }
    }
    for position in stacks.parents_first() {
        let below = stacks.parent(position).and_then(|parent| results.get(parent)).copied();
        if let Some(count) = results.get_mut(position) {
            *count += below.unwrap_or_default();
        }
    }
    // Of several stacks the one whose top is first in the config.
    let top = (0..results.len()).rev().max_by_key(|position| results.get(*position).copied());
    let stack = top.map(|top| stacks.blobs_up_to(top)).unwrap_or_default();
    let mut seen = HashSet::new();
    let mut order: Vec<Digest> = stack.into_iter().take_while(|blob| seen.insert(*blob)).collect();
    order.extend(stacks.blobs().filter(|blob| seen.insert(*blob)));
    Ok(order)
}

/// The descriptors of these blobs; of several for one blob the last, as when a config is loaded.
fn image_layers(order: &[Digest], layers: &[Descriptor]) -> Result<Vec<Descriptor>, FormatError> {
    let by_digest: HashMap<Digest, (usize, &Descriptor)> =
        layers.iter().enumerate().map(|(position, layer)| (layer.digest, (position, layer))).collect();
    let mut listed = Vec::with_capacity(order.len());
    for blob in order {
        let missing =
            || FormatError::invalid(WHAT, format!("the layer {blob} of the config has no descriptor"));
        let (position, layer) = by_digest.get(blob).ok_or_else(missing)?;
        let refused = |reason: String| {
            Err(FormatError::unsupported(WHAT, reason).at(Some(format!("layer {position} ({blob})"))))
        };
        if !layer.media_type.is_layer() {
            let media_type = layer.media_type.as_str();
            return refused(format!(
                "its media type {media_type:?} says no compression that an image's layer can have; other forms take it"
            ));
        }
        if layer.diff_id().is_none() {
            return refused("it has no diff ID, which an image has to state".to_owned());
        }
        listed.push((*layer).clone());
    }
    Ok(listed)
}

/// The step that made a layer, as its annotations say. A time that would come back as another text is left to the annotation.
fn step_of(layer: &Descriptor) -> HistoryEntry {
    let text = |key| layer.annotations.get(key).unwrap_or_default();
    let created = text(ANNOTATION_CREATED_AT);
    HistoryEntry {
        created: created.parse().ok().filter(|time: &cache_model::Timestamp| time.to_string() == created),
        created_by: text(ANNOTATION_DESCRIPTION).to_owned(),
        empty_layer: false,
    }
}
