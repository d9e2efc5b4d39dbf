//! Blobs that are not there, not whole, not themselves.

use bytes::Bytes;
use cache_format::encode_config;
use cache_ingest::{ErrorKind, Name};
use cache_model::{Descriptor, MediaType};
use cache_verify::{FindingKind, Place, Severity, VerifyError, verify};

use crate::store::Store;
use crate::support::{
    GZIP, TAR, config, gzip, job, layer, lines, only_finding, options, publish, publish_bytes, publish_cache,
    report, tar, three_layers,
};

/// A sound cache of three layers, and one of them.
async fn sound() -> (Store, Descriptor) {
    let store = Store::default();
    let tars = [1, 2, 3].map(|seed| tar(seed, 3000));
    let layers = tars.map(|tar| layer(&store, TAR, tar.clone(), &tar));
    publish_cache(&store, &layers).await;
    assert_eq!(lines(&report(&store).await), "");
    let second = layers[1].clone();
    (store, second)
}

async fn lied(change: impl Fn(&mut Vec<u8>)) -> (&'static str, String) {
    let (mut store, layer) = sound().await;
    let mut content = store.memory.blob(&layer.digest).unwrap().to_vec();
    change(&mut content);
    store.lies.insert(layer.digest, content.into());
    let with_content = only_finding(&store).await;
    let without = options().with_blobs(false);
    let report = verify(&store, &Name::Unspecified, &without, &job()).await.unwrap();
    assert_eq!(report.is_sound(), with_content.0 == "wrong-digest", "{}", lines(&report));
    with_content
}

#[tokio::test]
async fn a_sound_cache_gives_no_finding_and_counts_what_was_read() {
    let (store, _) = sound().await;
    let report = report(&store).await;
    assert_eq!((report.blobs, report.blobs_read, report.configs, report.manifests), (3, 3, 1, 1));
    assert_eq!((report.caches, report.records), (1, 2));
    let all: usize = store.memory.digests().iter().map(|d| store.memory.blob(d).unwrap().len()).sum();
    assert_eq!(report.bytes, all as u64);
    assert_eq!(report.count(Severity::Note), 0);
}

#[tokio::test]
async fn a_blob_that_is_not_there_is_named_with_its_place() {
    let (store, layer) = sound().await;
    store.memory.remove(&layer.digest);
    let report = report(&store).await;
    assert!(!report.is_sound());
    assert_eq!(report.findings[0].digest(), Some(&layer.digest));
    assert_eq!(report.findings[0].layers().len(), 1);
    insta::assert_snapshot!(lines(&report), @"error missing-blob: layer 2 (sha256:#0), needed by 1 record: the blob is missing; export the cache again");
}

#[tokio::test]
async fn a_blob_that_is_too_short_too_long_or_different_is_told_apart() {
    let (code, line) = lied(|content| content.truncate(1000)).await;
    assert_eq!(code, "short-blob");
    insta::assert_snapshot!(line, @"error short-blob: layer 2 (sha256:#0), needed by 1 record: the blob is cut short: it has 1,000 bytes, not 3,000; export the cache again");
    let (code, line) = lied(|content| content.push(0)).await;
    assert_eq!(code, "long-blob");
    insta::assert_snapshot!(line, @"error long-blob: layer 2 (sha256:#0), needed by 1 record: the blob is too long: it has 3,001 bytes, not 3,000; export the cache again");
    let (code, line) = lied(|content| content[77] ^= 4).await;
    assert_eq!(code, "wrong-digest");
    insta::assert_snapshot!(line, @"error wrong-digest: layer 2 (sha256:#0), needed by 1 record: the blob has other content, with the digest sha256:#1; export the cache again");
}

#[tokio::test]
async fn a_blob_that_cannot_be_read_is_a_finding_that_keeps_the_error_and_the_look_goes_on() {
    let (mut store, layer) = sound().await;
    store.failing.insert(layer.digest, ErrorKind::Denied);
    let report = report(&store).await;
    let [finding] = report.findings.as_slice() else { panic!("{}", lines(&report)) };
    let FindingKind::UnreadableBlob { error } = &finding.kind else { panic!("{finding}") };
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!((report.blobs, report.blobs_read), (3, 2));
    insta::assert_snapshot!(lines(&report), @"error unreadable-blob: layer 2 (sha256:#0), needed by 1 record: the blob cannot be read: open sha256:#0: the store says no");
}

#[tokio::test]
async fn several_faults_are_all_found_in_the_order_of_the_layers() {
    let (mut store, _) = sound().await;
    let mut codes = Vec::new();
    let manifest = cache_manifest(&store).await;
    for (n, layer) in manifest.layers.iter().enumerate() {
        match n {
            0 => drop(store.memory.remove(&layer.digest)),
            1 => drop(store.lies.insert(layer.digest, Bytes::from_static(b"short"))),
            _ => drop(store.failing.insert(layer.digest, ErrorKind::Other)),
        }
    }
    store.failing.insert(manifest.config.digest, ErrorKind::Denied);
    for finding in report(&store).await.findings {
        // Without the config, no layer has a number.
        assert_eq!((finding.layers(), &finding.needed_by), (&[][..], &None));
        codes.push(finding.kind.code());
    }
    assert_eq!(codes, ["unreadable-blob", "missing-blob", "short-blob", "unreadable-blob"]);
}

async fn cache_manifest(store: &Store) -> cache_format::CacheManifest {
    use cache_ingest::Resolver;
    let subject = store.resolve(&Name::Unspecified).await.unwrap().descriptor;
    let bytes = store.memory.blob(&subject.digest).unwrap();
    let document = cache_format::ManifestOrIndex::decode(&bytes).unwrap();
    cache_format::CacheManifest::from_document(&document).unwrap()
}

#[tokio::test]
async fn a_blob_is_read_once_however_often_it_stands() {
    let store = Store::default();
    let content = tar(1, 2000);
    let one = layer(&store, GZIP, gzip(&content), &content);
    let other = layer(&store, GZIP, gzip(&tar(2, 2000)), &tar(2, 2000));
    publish_cache(&store, &[one.clone(), other, one.clone()]).await;
    assert!(report(&store).await.is_sound());
    let opened = store.opened.lock().unwrap().clone();
    assert_eq!(opened.iter().filter(|digest| **digest == one.digest).count(), 1);
    store.memory.remove(&one.digest);
    let report = report(&store).await;
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].layers().len(), 2);
}

#[tokio::test]
async fn two_descriptors_with_two_sizes_for_one_blob_cannot_both_be_right() {
    let (store, second) = sound().await;
    let manifest = cache_manifest(&store).await;
    let mut layers = manifest.layers.clone();
    let mut wrong = second.clone();
    wrong.size += 1;
    layers.push(wrong);
    publish(&store, &layers, store.memory.blob(&manifest.config.digest).unwrap()).await;
    let report = report(&store).await;
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.kind.code()).collect();
    assert_eq!(codes, ["layer-list-mismatch", "short-blob"]);
}

#[tokio::test]
async fn a_name_that_stands_for_nothing_and_a_store_that_is_away_are_errors() {
    let store = Store::default();
    let outcome = verify(&store, &Name::Unspecified, &options(), &job()).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, VerifyError::Resolve(_)));
    assert_eq!(error.kind(), ErrorKind::NotFound);

    let (mut store, _) = sound().await;
    let manifest = cache_ingest::Resolver::resolve(&store, &Name::Unspecified).await.unwrap().descriptor;
    store.failing.insert(manifest.digest, ErrorKind::Unavailable);
    let error = verify(&store, &Name::Unspecified, &options(), &job()).await.unwrap_err();
    assert!(matches!(error, VerifyError::Store(_)));
}

#[tokio::test]
async fn a_manifest_that_is_missing_corrupt_too_large_or_unreadable_is_a_finding() {
    let (mut store, _) = sound().await;
    let manifest = cache_ingest::Resolver::resolve(&store, &Name::Unspecified).await.unwrap().descriptor;
    let bytes = store.memory.blob(&manifest.digest).unwrap();

    store.memory.remove(&manifest.digest);
    assert_eq!(only_finding(&store).await.0, "missing-blob");
    store.lies.insert(manifest.digest, bytes.slice(..20));
    assert_eq!(only_finding(&store).await.0, "short-blob");
    store.lies.insert(manifest.digest, vec![b' '; bytes.len()].into());
    assert_eq!(only_finding(&store).await.0, "wrong-digest");
    store.lies.insert(manifest.digest, bytes);
    let small = job().with_max_metadata(100);
    let report = verify(&store, &Name::Unspecified, &options(), &small).await.unwrap();
    assert_eq!(report.findings[0].kind.code(), "too-large");
    assert!(matches!(report.findings[0].place, Place::Manifest { .. }));

    publish_bytes(&store, MediaType::OCI_MANIFEST, "{\"config\":").await;
    let (code, line) = only_finding(&store).await;
    assert_eq!(code, "manifest-unreadable");
    insta::assert_snapshot!(line, @"error manifest-unreadable: manifest sha256:#0: it cannot be read: manifest: config: EOF while parsing a value (line 1, column 10); export the cache again");
}

#[test]
fn without_a_runtime_it_is_an_error_and_no_panic() {
    let (store, options, job) = (Store::default(), options(), job());
    let verified = futures_util::FutureExt::now_or_never(verify(&store, &Name::Unspecified, &options, &job));
    let error = verified.unwrap().unwrap_err();
    assert!(matches!(error, VerifyError::NoRuntime(_)) && error.kind() == ErrorKind::Unsupported);
    assert_eq!(
        error.to_string(),
        "verify the blobs of layers: there is no Tokio runtime: call it within one"
    );
}

#[tokio::test]
async fn a_blob_that_is_missing_names_every_layer_and_every_record_that_needs_it() {
    let store = Store::default();
    let layers = three_layers(&store);
    // Two stacks on one layer, and the blob of the second layer once more at the bottom.
    let stacks = [(&layers[0], -1), (&layers[1], 0), (&layers[2], 0), (&layers[1], -1)];
    let text = encode_config(&config(&stacks, &[2, 1, 3]));
    let listed: Vec<_> = stacks.iter().map(|(layer, _)| (*layer).clone()).collect();
    publish(&store, &listed, text).await;
    store.memory.remove(&layers[0].digest);
    store.memory.remove(&layers[1].digest);
    let report = report(&store).await;
    let named: Vec<_> = report.findings.iter().map(|finding| (finding.layers(), finding.records())).collect();
    assert_eq!(named, [(&[0][..], &[0, 1][..]), (&[1, 3], &[1, 2])]);
    assert_eq!((report.blobs, report.blobs_read), (3, 1));
    insta::assert_snapshot!(lines(&report), @r"
    error missing-blob: layer 0 (sha256:#0), needed by 2 records: the blob is missing; export the cache again
    error missing-blob: layers 1, 3 (sha256:#1), needed by 2 records: the blob is missing; export the cache again
    ");
}
