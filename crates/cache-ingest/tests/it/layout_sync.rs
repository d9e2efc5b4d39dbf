//! Making durable what a store found in place. Windows cannot do that.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use cache_ingest::{
    DiskHook, DiskOperation, Expect, Ingester, Job, LayoutOptions, LayoutStore, Name, Publisher, Source,
};
use cache_model::Descriptor;

use crate::faults::{Faulty, describe, noise};

/// Notes the files whose content is made durable.
#[derive(Default)]
struct Synced(Mutex<Vec<PathBuf>>);

impl DiskHook for Synced {
    fn perform(
        &self,
        operation: &DiskOperation<'_>,
        work: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        if let DiskOperation::SyncFile(path) = operation {
            self.0.lock().unwrap().push(path.to_path_buf());
        }
        work()
    }
}

#[tokio::test]
async fn what_was_written_without_sync_is_made_durable_by_a_store_that_rehashes() {
    let folder = tempfile::tempdir().unwrap();
    let (layer, manifest) = (noise(700_000, 1), "manifest");
    let (blob, named) = (describe(&layer), describe(manifest.as_bytes()));
    let copy = async |store: &LayoutStore| {
        store
            .put(&blob, &Source::new(&Faulty::new(layer.clone(), []), blob.clone(), &Job::default()))
            .await
            .unwrap();
        store.publish(&Name::Tag("a".into()), &named, manifest.into(), Expect::Any).await.unwrap();
    };
    copy(&LayoutStore::open(folder.path(), LayoutOptions::create().with_sync(false)).await.unwrap()).await;
    let synced = Arc::new(Synced::default());
    let store =
        LayoutStore::open(folder.path(), LayoutOptions::create().with_hook(synced.clone())).await.unwrap();
    let all = || {
        let mut synced = std::mem::take(&mut *synced.0.lock().unwrap());
        synced.sort();
        synced
    };
    let path = |blob: &Descriptor| folder.path().join("blobs/sha256").join(blob.digest.hex());
    let mut expected = vec![path(&named), folder.path().join("index.json"), folder.path().join("oci-layout")];
    copy(&store).await;
    expected.sort();
    assert_eq!(all(), expected, "all but what is trusted by its size");
    let rehashing = LayoutOptions::default().with_hook(synced.clone()).with_rehash(true);
    copy(&LayoutStore::open(folder.path(), rehashing.clone()).await.unwrap()).await;
    expected.push(path(&blob));
    expected.sort();
    assert_eq!(all(), expected);
    copy(&LayoutStore::open(folder.path(), rehashing.with_sync(false)).await.unwrap()).await;
    assert!(all().is_empty());
}
