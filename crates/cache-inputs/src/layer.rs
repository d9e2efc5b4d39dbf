//! Reading a layer of a store as a tree, in the pass that verifies its blob.

use cache_compress::{DecodeFailure, LayerContent, read_layer_with};
use cache_ingest::Source;
use cache_keys::LayerTree;
use cache_model::{Algorithm, Digest};

use crate::layer_options::LayerOptions;
use crate::tar::{TarError, read_tar};

/// A layer whose blob was verified.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LayerRead {
    /// What it changes.
    pub tree: LayerTree,
    /// The digest of the tar by SHA-256.
    pub diff_id: Digest,
}

/// Why a layer cannot be read as a tree.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayerReadError {
    /// The blob is missing or damaged, or the store fails.
    #[error(transparent)]
    Store(#[from] cache_ingest::Error),
    /// The layer cannot be decompressed.
    #[error("layer {layer} cannot be decompressed: {cause}")]
    Content {
        /// The layer.
        layer: Digest,
        /// Why.
        cause: DecodeFailure,
    },
    /// What is in it is no layer.
    #[error("layer {layer} cannot be read: {cause}")]
    Tar {
        /// The layer.
        layer: Digest,
        /// Why.
        cause: TarError,
    },
}

/// Reads a layer as a tree, and verifies its blob in the same pass. Nothing is unpacked, and no more than a few chunks of the
/// blob are in memory.
///
/// # Errors
///
/// See [`LayerReadError`]. A blob with the wrong digest is an error of the store, whatever is in it.
pub async fn read_layer_tree(
    source: &Source<'_>,
    options: &LayerOptions,
) -> Result<LayerRead, LayerReadError> {
    let layer = source.descriptor().digest;
    let to_read = options.clone();
    let (read, tree) = read_layer_with(source, &[Algorithm::Sha256], options.max_expansion, move |tar| {
        read_tar(tar, &to_read)
    })
    .await;
    let LayerContent { diff_ids, .. } = read.content?;
    let diff_ids = diff_ids.map_err(|cause| LayerReadError::Content { layer, cause })?;
    let tree = tree.unwrap_or(Err(TarError::Truncated));
    let tree = tree.map_err(|cause| LayerReadError::Tar { layer, cause })?;
    let diff_id = diff_ids.first().copied().unwrap_or(layer);
    Ok(LayerRead { tree, diff_id })
}
