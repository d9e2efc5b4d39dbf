//! Another reader gets the tars of layers in the pass that verifies them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use cache_ingest::Name;
use cache_model::Digest;
use cache_verify::{LayerDone, LayerReader, LayerTask, verify_with};

use crate::store::Store;
use crate::support::{TAR, job, layer, options, publish_cache, tar, three_layers};

/// Keeps the first bytes of every layer but one.
#[derive(Default)]
struct Heads {
    skipped: Option<Digest>,
    heads: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl LayerReader for Heads {
    fn read(&self, layer: &Digest) -> Option<LayerTask> {
        if self.skipped == Some(*layer) {
            return None;
        }
        let (heads, layer) = (Arc::clone(&self.heads), layer.to_string());
        Some(Box::new(move |tar| {
            let mut head = vec![0; 9];
            tar.read_exact(&mut head).unwrap();
            Box::new(move || drop(heads.lock().unwrap().insert(layer, head))) as LayerDone
        }))
    }
}

#[tokio::test]
async fn a_reader_gets_the_tar_of_each_layer_that_it_wants() {
    let store = Store::default();
    let layers = three_layers(&store);
    publish_cache(&store, &layers).await;
    let reader = Heads { skipped: Some(layers[1].digest), ..Heads::default() };
    let report = verify_with(&store, &Name::Unspecified, &options(), &job(), &reader).await.unwrap();
    assert!(report.is_sound());
    let heads = reader.heads.lock().unwrap();
    let expected = [&layers[0], &layers[2]].map(|layer| (layer.digest.to_string(), b"some/file".to_vec()));
    assert_eq!(*heads, BTreeMap::from(expected));
}

#[tokio::test]
async fn what_was_read_of_a_damaged_blob_is_never_taken_over() {
    let mut store = Store::default();
    let content = tar(1, 3000);
    let layer = layer(&store, TAR, content.clone(), &content);
    publish_cache(&store, std::slice::from_ref(&layer)).await;
    store.lies.insert(layer.digest, tar(2, 3000).into());
    let reader = Heads::default();
    let report = verify_with(&store, &Name::Unspecified, &options(), &job(), &reader).await.unwrap();
    assert!(!report.is_sound());
    assert!(reader.heads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_read_if_blobs_are_only_looked_up() {
    let store = Store::default();
    publish_cache(&store, &three_layers(&store)).await;
    let reader = Heads::default();
    let options = options().with_blobs(false);
    verify_with(&store, &Name::Unspecified, &options, &job(), &reader).await.unwrap();
    assert!(reader.heads.lock().unwrap().is_empty());
}
