//! Reads inline caches: records inside an image's config that refer to the image's layers.
//!
//! One image at a time: it never merges the caches of several images, and never fetches the config.

use std::fmt;
use std::sync::LazyLock;

use cache_model::{
    ANNOTATION_CREATED_AT, ANNOTATION_DESCRIPTION, ANNOTATION_DIFF_ID, CacheConfig, ConfigLayer, Descriptor,
};
use data_encoding::{BASE64, Encoding};

use crate::config::decode::decode_records;
use crate::{FormatError, ImageConfig, ImageManifest};

const WHAT: &str = "inline cache";

/// An inline cache, in the terms of a cache with a config and a manifest of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InlineCache {
    /// The records, and one layer for each layer of the image, each on top of the previous one.
    pub config: CacheConfig,
    /// The image's layers, with the annotations of a cache's layers.
    pub layers: Vec<Descriptor>,
    /// How many steps of the image's history made a layer. BuildKit 0.32 crashes on import where there are fewer of them than
    /// layers.
    pub layer_steps: usize,
}

/// Whether an image has an inline cache.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each image, made and taken apart at once")]
pub enum InlineOutcome {
    /// An inline cache.
    Cache(InlineCache),
    /// The image has none that can be used.
    Absent(NoInlineCache),
}

/// Why an image has no usable inline cache. BuildKit skips such an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoInlineCache {
    /// The image config has no member `moby.buildkit.cache.v0`.
    NoField,
    /// The manifest and the image config have different numbers of layers.
    LayerCount {
        /// How many layers the manifest has.
        layers: usize,
        /// How many diff IDs the image config has.
        diff_ids: usize,
    },
}

impl fmt::Display for NoInlineCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoField => f.write_str("the image has no inline cache"),
            Self::LayerCount { layers, diff_ids } => write!(
                f,
                "the image's manifest has {layers} layers but its config has {diff_ids} diff IDs, so its inline cache cannot be used"
            ),
        }
    }
}

/// Reads the inline cache of an image, given its manifest and the bytes of its config.
///
/// Each layer gets its diff ID as [`ANNOTATION_DIFF_ID`]. As far as the image's history goes, it also gets the time of
/// its step as [`ANNOTATION_CREATED_AT`] and the command as [`ANNOTATION_DESCRIPTION`]. These replace annotations that
/// the manifest has under the same keys.
///
/// # Errors
///
/// An image config that cannot be read; a cache that is not base64 (RFC 4648, section 4) of a list of records.
pub fn read_inline(manifest: &ImageManifest, image_config: &[u8]) -> Result<InlineOutcome, FormatError> {
    let image = ImageConfig::decode(image_config)?;
    let Some(encoded) = &image.inline_cache else {
        return Ok(InlineOutcome::Absent(NoInlineCache::NoField));
    };
    let (layers, diff_ids) = (manifest.layers.len(), image.diff_ids.len());
    if layers != diff_ids {
        return Ok(InlineOutcome::Absent(NoInlineCache::LayerCount { layers, diff_ids }));
    }
    let records = GO_BASE64.decode(encoded.as_bytes()).map_err(|error| {
        FormatError::invalid(WHAT, format!("the cache in the image config is no base64: {error}"))
    })?;
    let config = decode_records(WHAT, &records, &stacked(&manifest.layers))?;
    let (layers, layer_steps) = (annotated(&manifest.layers, &image), image.layer_steps().count());
    Ok(InlineOutcome::Cache(InlineCache { config, layers, layer_steps }))
}

/// Standard base64 as Go reads it: line breaks are skipped, the spare bits of the last digit do not matter.
static GO_BASE64: LazyLock<Encoding> = LazyLock::new(|| {
    let mut lenient = BASE64.specification();
    lenient.check_trailing_bits = false;
    lenient.ignore.push_str("\r\n");
    // This specification is always valid. If it were not, strict base64 would do for everything that Go writes.
    lenient.encoding().unwrap_or(BASE64)
});

/// The config's layers for an image: layer `i` on top of layer `i - 1`.
fn stacked(layers: &[Descriptor]) -> Vec<ConfigLayer> {
    let parents = -1..;
    layers
        .iter()
        .zip(parents)
        .map(|(layer, parent)| ConfigLayer { blob: Some(layer.digest), parent, annotations: None })
        .collect()
}

fn annotated(layers: &[Descriptor], image: &ImageConfig) -> Vec<Descriptor> {
    let mut steps = image.layer_steps();
    let annotate = |(layer, diff_id): (&Descriptor, &cache_model::Digest)| {
        let mut layer = layer.clone();
        layer.annotations.set(ANNOTATION_DIFF_ID, &diff_id.to_string());
        if let Some(step) = steps.next() {
            if let Some(created) = step.created {
                layer.annotations.set(ANNOTATION_CREATED_AT, &created.to_string());
            }
            if !step.created_by.is_empty() {
                layer.annotations.set(ANNOTATION_DESCRIPTION, &step.created_by);
            }
        }
        layer
    };
    layers.iter().zip(&image.diff_ids).map(annotate).collect()
}
