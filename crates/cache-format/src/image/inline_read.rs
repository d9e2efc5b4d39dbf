//! Inline caches: records inside an image's config, whose layers are the image's.
//!
//! It reads one image at a time. It never merges the caches of several, and never fetches the config.

use std::fmt;
use std::sync::LazyLock;

use cache_model::{
    ANNOTATION_CREATED_AT, ANNOTATION_DESCRIPTION, ANNOTATION_DIFF_ID, CacheConfig, ConfigLayer, Descriptor,
};
use data_encoding::{BASE64, Encoding};

use crate::config::decode::decode_records;
use crate::{FormatError, ImageConfig, ImageManifest};

const WHAT: &str = "inline cache";

/// An inline cache, as if it had come from a config and a manifest of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineCache {
    /// One layer for each layer of the image, each on top of the one before; and the records.
    pub config: CacheConfig,
    /// The image's layers, with the annotations that a cache's layers have.
    pub layers: Vec<Descriptor>,
}

/// What was found in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each image, made and taken apart at once")]
pub enum InlineOutcome {
    /// An inline cache.
    Cache(InlineCache),
    /// None, and why.
    Absent(NoInlineCache),
}

/// Why an image has no inline cache that could be used. BuildKit skips such an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoInlineCache {
    /// The image config has no member `moby.buildkit.cache.v0`.
    NoField,
    /// The manifest's layers are not those of the image config.
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
/// The layers get their diff IDs as [`ANNOTATION_DIFF_ID`], and from the history, as far as it goes, the times of
/// their steps as [`ANNOTATION_CREATED_AT`] and the commands as [`ANNOTATION_DESCRIPTION`], in the place of what was
/// there.
///
/// # Errors
///
/// An image config that cannot be read, a cache that is no base64 (RFC 4648, section 4) or holds no list of records.
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
    Ok(InlineOutcome::Cache(InlineCache { config, layers: annotated(&manifest.layers, &image) }))
}

/// Standard base64 as Go reads it: line breaks are skipped, the spare bits of the last digit do not matter.
static GO_BASE64: LazyLock<Encoding> = LazyLock::new(|| {
    let mut lenient = BASE64.specification();
    lenient.check_trailing_bits = false;
    lenient.ignore.push_str("\r\n");
    // Such a specification is always valid; were it not, strict base64 would do for all that Go writes.
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
