//! Layers in a store, of each compression, read as trees.

use std::io::Write;

use cache_ingest::{ErrorKind, Hasher, Job, MemoryStore, Source};
use cache_inputs::{LayerOptions, LayerRead, LayerReadError, read_layer_tree};
use cache_model::{Algorithm, Descriptor, MediaType};

use crate::archive::Archive;

async fn read(
    store: &MemoryStore,
    layer: Descriptor,
    options: &LayerOptions,
) -> Result<LayerRead, LayerReadError> {
    read_layer_tree(&Source::new(store, layer, &Job::without_retries()), options).await
}

async fn read_blob(blob: Vec<u8>, options: &LayerOptions) -> Result<LayerRead, LayerReadError> {
    let store = MemoryStore::new();
    let layer = store.insert(MediaType::OCI_LAYER_GZIP, blob);
    read(&store, layer, options).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_layer_is_the_same_in_each_compression() {
    let tar = Archive::default().file("a", "1").file("b/c", "2").end();
    for blob in [tar.clone(), gzip(&tar), zstd::encode_all(&*tar, 1).unwrap()] {
        let read = read_blob(blob, &LayerOptions::default()).await.unwrap();
        let paths: Vec<_> = read.tree.entries().map(|(path, _)| path).collect();
        assert_eq!(paths, [b"a".to_vec(), b"b/c".to_vec()]);
        assert_eq!(read.diff_id, Hasher::digest(Algorithm::Sha256, &tar));
    }
}

#[tokio::test]
async fn a_layer_that_cannot_be_read_says_why() {
    let tar = Archive::default().file("a", &"1".repeat(2000)).end();
    let error = async |blob, options: &LayerOptions| read_blob(blob, options).await.unwrap_err();
    let options = LayerOptions::default();
    let whole = gzip(&tar);
    let cut = error(whole[..whole.len() - 9].to_vec(), &options).await;
    assert!(matches!(cut, LayerReadError::Content { .. }), "{cut:?}");
    assert!(cut.to_string().ends_with(" cannot be decompressed: it ends early"), "{cut}");
    let mut small = LayerOptions::default();
    small.max_expansion = 1000;
    let large = error(whole, &small).await.to_string();
    assert!(large.ends_with(" cannot be decompressed: it has more than 1,000 bytes"), "{large}");
    let early = error(gzip(&tar[..1000]), &options).await;
    assert!(matches!(early, LayerReadError::Tar { .. }), "{early:?}");
    assert!(early.to_string().ends_with(" cannot be read: the tar ends early"), "{early}");
}

#[tokio::test]
async fn a_blob_of_the_wrong_size_is_no_layer_whatever_is_in_it() {
    let store = MemoryStore::new();
    let mut layer = store.insert(MediaType::OCI_LAYER_TAR, Archive::default().file("a", "1").end());
    layer.size += 1;
    let error = read(&store, layer, &LayerOptions::default()).await.unwrap_err();
    let LayerReadError::Store(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
