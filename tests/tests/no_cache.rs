//! What is no cache is said to be the same by every reader: by an import, by a look at all contents, and by a verification.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use cache_format::{ImageIndex, ImageManifest, ManifestOrIndex};
use cache_import::{ImportError, contents, open};
use cache_ingest::{Expect, Job, MemoryStore, Name, Publisher, Resolver};
use cache_model::{Descriptor, Digest, MediaType};
use cache_verify::{VerifyError, VerifyOptions, verify};

fn manifest(store: &MemoryStore, config: Descriptor) -> Descriptor {
    let manifest = ManifestOrIndex::Manifest(ImageManifest::new(config, vec![]));
    store.insert(MediaType::OCI_MANIFEST, manifest.encode())
}

fn index(store: &MemoryStore, entries: Vec<Descriptor>) -> Descriptor {
    store.insert(MediaType::OCI_INDEX, ManifestOrIndex::Index(ImageIndex::new(entries)).encode())
}

/// What each reader says about a document.
async fn said(store: &MemoryStore, document: &Descriptor) -> [String; 3] {
    let (name, job) = (Name::Unspecified, Job::default());
    let bytes = store.blob(&document.digest).unwrap();
    store.publish(&name, document, bytes, Expect::Any).await.unwrap();
    let opened = open(store, &name, &job).await.unwrap();
    let Err(ImportError::NotACache { found: imported, .. }) = opened.import(store, &job).await else {
        panic!("an import of {document:?}")
    };
    let resolved = store.resolve(&name).await.unwrap();
    let seen = contents(store, &resolved, &job).await.unwrap().not_a_cache.unwrap();
    let verified = verify(store, &name, &VerifyOptions::default(), &job).await;
    let Err(VerifyError::NotACache { found: verified, .. }) = verified else {
        panic!("a verification of {document:?}")
    };
    [imported.to_string(), seen.to_string(), verified.to_string()]
}

#[tokio::test]
async fn every_reader_says_the_same_about_what_is_no_cache() {
    let store = MemoryStore::new();
    let chart = store.insert(MediaType::new("application/vnd.cncf.helm.config.v1+json"), "not JSON");
    let config = store.insert(MediaType::OCI_IMAGE_CONFIG, r#"{"rootfs":{"diff_ids":[]}}"#);
    let (image, chart) = (manifest(&store, config), manifest(&store, chart));
    let absent = |n: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256(bytes), 5)
    };
    let nested = index(&store, vec![absent(1), chart.clone()]);
    let cases = [
        (image.clone(), "it is an image, not a cache"),
        (chart.clone(), "it is a Helm chart (application/vnd.cncf.helm.config.v1+json), not a cache"),
        (index(&store, vec![]), "it is an index without manifests, not a cache"),
        (
            index(&store, vec![chart.clone(), chart.clone()]),
            "it is an index of a Helm chart (application/vnd.cncf.helm.config.v1+json), not a cache",
        ),
        (
            index(&store, vec![nested, image, chart]),
            "it is an index of 2 images, not a cache; missing: sha256:00000001",
        ),
        (
            index(&store, (0..1001).map(absent).collect()),
            "it is an index of 999 images, not a cache; missing: ",
        ),
    ];
    for (document, line) in cases {
        let [imported, seen, verified] = said(&store, &document).await;
        assert!(imported.starts_with(line), "{imported}");
        assert_eq!((&seen, &verified), (&imported, &imported));
    }
}
