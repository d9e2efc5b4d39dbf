//! Caches as the types of `oci-spec`, and back: for a program that uses those for its images.
//!
//! It depends on `cache-format` with its feature `oci-spec`.

use cache_format::{Form, FormatError, ImageIndex, ImageManifest, ManifestOrIndex, Packed, Unpacked, unpack};
use cache_model::{Descriptor, MediaType};
use oci_spec::image as oci;

/// The root document of a cache, as `oci-spec` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// The form of image manifests.
    Manifest(Box<oci::ImageManifest>),
    /// The form of indexes.
    Index(Box<oci::ImageIndex>),
}

impl Root {
    /// The root document of a packed cache.
    pub fn of(packed: &Packed) -> Result<Self, FormatError> {
        Ok(match ManifestOrIndex::decode(&packed.root.bytes)? {
            ManifestOrIndex::Manifest(manifest) => Self::Manifest(Box::new((&manifest).try_into()?)),
            ManifestOrIndex::Index(index) => Self::Index(Box::new((&index).try_into()?)),
        })
    }

    /// The form and the layers of the cache behind a root document; `None` if it is no cache.
    pub fn cache(&self) -> Result<Option<(Form, Vec<Descriptor>)>, FormatError> {
        let (media_type, bytes) = match self {
            Self::Manifest(manifest) => {
                (MediaType::OCI_MANIFEST, ImageManifest::try_from(&**manifest)?.encode())
            }
            Self::Index(index) => (MediaType::OCI_INDEX, ImageIndex::try_from(&**index)?.encode()),
        };
        let root = Descriptor::of(media_type, &*bytes);
        Ok(match unpack(&root, &bytes)? {
            Unpacked::Cache(cache) => Some((cache.form, cache.layers)),
            _ => None,
        })
    }
}
