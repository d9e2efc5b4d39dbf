//! Real caches that BuildKit wrote: every blob is read and verified, and the index comes out as BuildKit's.

use std::fs;
use std::path::{Path, PathBuf};

use cache_ingest::{
    Expect, Job, LayoutOptions, LayoutStore, Name, Provider, ProviderExt, Publisher, Resolver, Source, Step,
    copy_all,
};
use cache_model::{Descriptor, MediaType};

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let mut found: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.join("oci-layout").is_file());
    found.sort();
    assert!(found.len() >= 18, "{found:?}");
    found
}

async fn blobs(store: &LayoutStore) -> Vec<Descriptor> {
    let mut blobs = Vec::new();
    for entry in fs::read_dir(store.path().join("blobs/sha256")).unwrap() {
        let entry = entry.unwrap();
        let digest = format!("sha256:{}", entry.file_name().to_str().unwrap()).parse().unwrap();
        blobs.push(Descriptor::new(MediaType::default(), digest, entry.metadata().unwrap().len()));
    }
    blobs
}

#[tokio::test]
async fn every_blob_is_read_and_verified_and_every_name_resolves() {
    for path in fixtures() {
        let store = LayoutStore::open(&path, LayoutOptions::default()).await.unwrap();
        for blob in blobs(&store).await {
            assert_eq!(store.info(&blob).await.unwrap().size, blob.size);
            store.read(&blob, &Job::default()).await.unwrap();
        }
        let resolved = store.resolve(&Name::Unspecified).await.unwrap().descriptor;
        let tags = store.tags().await.unwrap();
        assert_eq!(tags.len(), 1);
        assert_eq!(store.resolve(&Name::Tag(tags[0].clone())).await.unwrap().descriptor, resolved);
        assert_eq!(store.resolve(&Name::Digest(resolved.digest)).await.unwrap().descriptor, resolved);
        if let Some(name) = store.entries().await.unwrap()[0].image_name() {
            assert_eq!(store.resolve(&Name::Tag(name.into())).await.unwrap().descriptor, resolved);
        }
    }
}

#[tokio::test]
async fn a_copied_cache_is_the_same_folder_to_the_byte() {
    for path in fixtures() {
        let folder = tempfile::tempdir().unwrap();
        let from = LayoutStore::open(&path, LayoutOptions::default()).await.unwrap();
        let to = LayoutStore::open(folder.path(), LayoutOptions::create().with_sync(false)).await.unwrap();
        let all = blobs(&from).await.into_iter().map(|blob| (Step::Layer, blob));
        copy_all(all, &from, &to, &Job::default()).await.unwrap();
        let entry = &from.entries().await.unwrap()[0];
        let manifest = entry.descriptor().unwrap();
        let name = Name::Tag(entry.image_name().or(entry.tag()).unwrap().to_owned());
        let bytes = from.read(manifest, &Job::default()).await.unwrap();
        to.publish(&name, manifest, bytes.clone(), Expect::Absent).await.unwrap();
        // Put again, the entry stays as it is.
        to.publish(&name, manifest, bytes, Expect::Digest(manifest.digest)).await.unwrap();
        for file in ["index.json", "oci-layout"] {
            assert_eq!(fs::read(path.join(file)).unwrap(), fs::read(folder.path().join(file)).unwrap());
        }
        let mut copied = blobs(&to).await;
        let mut original = blobs(&from).await;
        copied.sort_by_key(|blob| blob.digest);
        original.sort_by_key(|blob| blob.digest);
        assert_eq!(copied, original);
        assert_eq!(fs::read_dir(folder.path().join("ingest")).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_blob_without_an_entry_resolves_by_its_digest_and_says_its_media_type() {
    let path = fixtures().into_iter().find(|path| path.ends_with("app-max-manifest-oci-gzip")).unwrap();
    let store = LayoutStore::open(path, LayoutOptions::default()).await.unwrap();
    let manifest = store.resolve(&Name::Unspecified).await.unwrap().descriptor;
    for blob in blobs(&store).await {
        let resolved = store.resolve(&Name::Digest(blob.digest)).await.unwrap().descriptor;
        assert_eq!(resolved.size, blob.size);
        assert_eq!(resolved.media_type.is_empty(), blob.digest != manifest.digest, "{resolved:?}");
    }
    let source = Source::new(&store, manifest.clone(), &Job::default());
    assert!(source.file().is_some());
}
