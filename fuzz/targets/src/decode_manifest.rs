//! Any bytes as a manifest, an index or an image config: an error on one line or a document, never a panic.
//!
//! A document that is written, compactly or indented, and read again stays the same. So does the manifest of a cache that
//! is packed again.

use cache_format::{
    CacheManifest, ImageConfig, ImageManifest, ManifestOrIndex, descriptor_from_oci, descriptor_to_oci,
};
use cache_model::{Descriptor, Digest, MediaType};

use crate::check::assert_one_line;

/// The most diff IDs of an image that are tried.
const MOST_LAYERS: usize = 100;

/// Runs the target on some bytes.
pub fn run(bytes: &[u8]) {
    match ManifestOrIndex::decode(bytes) {
        Ok(document) => check(&document),
        Err(error) => assert_one_line(&error),
    }
    match ImageConfig::decode(bytes) {
        Ok(image) if image.diff_ids.len() < MOST_LAYERS => read_inline(&image, bytes),
        Ok(_) => {}
        Err(error) => assert_one_line(&error),
    }
}

fn check(document: &ManifestOrIndex) {
    let written = document.encode();
    assert!(
        ManifestOrIndex::decode(&written).as_ref() == Ok(document),
        "written and read again it is another"
    );
    let indented = ManifestOrIndex::decode(&document.encode_indented());
    assert!(indented.as_ref() == Ok(document), "indented and read again it is another");
    let descriptors = match document {
        ManifestOrIndex::Manifest(manifest) => &manifest.layers,
        ManifestOrIndex::Index(index) => &index.manifests,
    };
    for descriptor in descriptors {
        let theirs = descriptor_to_oci(descriptor).expect("oci-spec takes every descriptor of ours");
        assert_eq!(descriptor_from_oci(&theirs).as_ref(), Ok(descriptor), "there and back it is another");
    }
    let Some(manifest) = CacheManifest::from_document(document) else { return };
    let Ok(built) = manifest.clone().pack(Vec::new()) else { return };
    let built = built.root;
    let read = ManifestOrIndex::decode(&built.bytes).expect("a packed manifest can be read");
    let again = CacheManifest::from_document(&read).expect("a cache's manifest stays one");
    assert_eq!(again.form, manifest.form);
    assert_eq!(again.config, manifest.config);
    assert_eq!(again.layers.len(), manifest.layers.len());
    let twice = again.pack(Vec::new());
    assert!(twice.is_ok_and(|twice| twice.root == built), "built twice it has other bytes");
}

/// The bytes as the config of an image that has as many layers as they say.
fn read_inline(image: &ImageConfig, bytes: &[u8]) {
    let descriptor = Descriptor::new(MediaType::OCI_IMAGE_CONFIG, Digest::sha256([1; 32]), 1);
    let manifest = ImageManifest {
        schema_version: 2,
        media_type: MediaType::OCI_MANIFEST,
        artifact_type: String::new(),
        config: descriptor.clone(),
        layers: vec![descriptor; image.diff_ids.len()],
        subject: None,
        annotations: cache_model::Annotations::default(),
    };
    if let Err(error) = cache_format::read_inline(&manifest, bytes) {
        assert_one_line(&error);
    }
}
