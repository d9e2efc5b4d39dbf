//! Writes a cache as an OCI image layout with nothing but `std::fs`: a config and manifest builder without async.
//!
//! It depends on `cache-model` and `cache-format` alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cache_format::{Form, ImageIndex, PackedBlob, pack};
use cache_model::{CacheChains, Descriptor};

/// Why a cache was not written.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A folder that a cache is written to.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes an empty layout.
    pub fn create(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        fs::create_dir_all(path.join("blobs/sha256"))?;
        fs::write(path.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(Self(path))
    }

    /// The file of a blob.
    pub fn blob(&self, descriptor: &Descriptor) -> PathBuf {
        self.0.join("blobs").join(descriptor.digest.to_string().replace(':', "/"))
    }

    /// The file with the names.
    pub fn index(&self) -> PathBuf {
        self.0.join("index.json")
    }

    /// Writes a cache in a form, with the bytes of its layers from `read`. Gives the descriptor of the manifest.
    pub fn write(
        &self,
        chains: &CacheChains,
        form: Form,
        read: impl Fn(&Descriptor) -> io::Result<Vec<u8>>,
    ) -> Result<Descriptor, Error> {
        let marshalled = chains.marshal(&|_| true)?;
        let layers: Vec<Descriptor> = marshalled.layer_descriptors().cloned().collect();
        let packed = pack(form, &marshalled.config, &layers)?;
        for layer in &packed.layers {
            fs::write(self.blob(layer), read(layer)?)?;
        }
        for PackedBlob { descriptor, bytes, .. } in packed.metadata.iter().chain([&packed.root]) {
            fs::write(self.blob(descriptor), bytes)?;
        }
        let root = packed.root.descriptor.clone();
        fs::write(self.index(), ImageIndex::new(vec![root.clone()]).encode())?;
        Ok(root)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }
}
