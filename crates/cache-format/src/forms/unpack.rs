//! Decodes a root document: a cache, or a document that may lead to caches inside images.
//!
//! Pure; it never looks into the config.

use cache_model::Descriptor;

use crate::forms::cache_manifest::CacheManifest;
use crate::{FormatError, ManifestOrIndex};

/// A decoded root document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unpacked {
    /// A cache.
    Cache(CacheManifest),
    /// Any other document, such as an image or an index of images. Images may have caches inside:
    /// [`ManifestQueue`](crate::ManifestQueue) finds the images, [`read_inline`](crate::read_inline) reads the cache of one.
    Other(ManifestOrIndex),
}

/// Reads a root document: the manifest or index that a name in a registry or a layout points at.
///
/// # Errors
///
/// Those of [`ManifestOrIndex::decode`]; another number of bytes than the descriptor's size. The digest is not checked.
///
/// ```
/// use cache_format::{CacheManifest, Form, Unpacked, pack, unpack};
/// # use cache_model::CacheConfigBuilder;
/// let packed = pack(Form::Index, &CacheConfigBuilder::new().finish(), &[])?;
/// let Unpacked::Cache(cache) = unpack(&packed.root.descriptor, &packed.root.bytes)? else { panic!() };
/// assert_eq!(cache, CacheManifest::new(Form::Index, packed.config().clone(), vec![]));
/// # Ok::<(), cache_format::FormatError>(())
/// ```
pub fn unpack(root: &Descriptor, bytes: &[u8]) -> Result<Unpacked, FormatError> {
    if bytes.len() as u64 != root.size {
        let message = format!("{} bytes are given, but the descriptor says {}", bytes.len(), root.size);
        return Err(FormatError::invalid("manifest", message));
    }
    let document = ManifestOrIndex::decode(bytes)?;
    Ok(CacheManifest::from_document(&document).map_or(Unpacked::Other(document), Unpacked::Cache))
}
