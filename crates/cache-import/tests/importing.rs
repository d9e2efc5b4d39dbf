//! Imports of every form, of images, and of manifests that are no cache.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::sync::{Arc, Mutex};

use cache_format::{
    CacheManifest, Form, ImageIndex, ImageManifest, ManifestOrIndex, NoInlineCache, encode_config, pack,
};
use cache_import::{ImportError, ImportWarning, Imported, open};
use cache_ingest::{ErrorKind, Event, Expect, Job, MemoryStore, Name, Publisher};
use cache_model::{
    CacheChains, Descriptor, Digest, Link, MediaType, NewResult, Platform, RecordDigest, Rule, Timestamp,
};

async fn import(store: &MemoryStore, options: &Job) -> Result<Imported, ImportError> {
    open(store, &Name::Unspecified, options).await?.import(store, options).await
}

/// A store with one tag, `latest`, on a document.
async fn store_with(document: &ManifestOrIndex, store: MemoryStore) -> MemoryStore {
    let manifest = store.insert(document.media_type(), document.encode());
    let bytes = store.blob(&manifest.digest).unwrap();
    store.publish(&Name::Tag("latest".into()), &manifest, bytes, Expect::Any).await.unwrap();
    store
}

fn gzip_layer(store: &MemoryStore, content: &str) -> Descriptor {
    store.insert(MediaType::OCI_LAYER_GZIP, content.to_owned())
}

/// A store with a cache of this config, and one layer.
async fn store_with_config(config: &str) -> MemoryStore {
    let store = MemoryStore::new();
    let layer = gzip_layer(&store, "layer");
    let config = store.insert(MediaType::CACHE_CONFIG, config.replace("LAYER", &layer.digest.to_string()));
    let built = CacheManifest::new(Form::Index, config, vec![layer]).pack(Vec::new()).unwrap().root;
    store_with(&ManifestOrIndex::decode(&built.bytes).unwrap(), store).await
}

fn image(store: &MemoryStore, config: &str, layers: &[Descriptor]) -> Descriptor {
    let config = store.insert(MediaType::OCI_IMAGE_CONFIG, config.to_owned());
    let manifest = ManifestOrIndex::Manifest(ImageManifest::new(config, layers.to_vec()));
    store.insert(MediaType::OCI_MANIFEST, manifest.encode())
}

fn index(entries: Vec<Descriptor>) -> ManifestOrIndex {
    ManifestOrIndex::Index(ImageIndex::new(entries))
}

/// An image config with one layer and an inline cache of one record on it.
fn inline_config(digest: &str) -> String {
    let records =
        format!(r#"[{{"layers":[{{"layer":0,"createdAt":"2026-01-02T03:04:05Z"}}],"digest":"{digest}"}}]"#);
    let encoded = data_encoding::BASE64.encode(records.as_bytes());
    let diff_id = Digest::sha256([7; 32]);
    format!(r#"{{"rootfs":{{"diff_ids":["{diff_id}"]}},"moby.buildkit.cache.v0":"{encoded}"}}"#)
}

#[tokio::test]
async fn a_dropped_result_is_a_warning_with_its_reason() {
    let config = r#"{"layers":[{"blob":"sha256:1111111111111111111111111111111111111111111111111111111111111111","parent":-1}],
        "records":[{"layers":[{"layer":0,"createdAt":"2026-01-02T03:04:05Z"}],"digest":"sha256:a"}]}"#;
    let imported = import(&store_with_config(config).await, &Job::default()).await.unwrap();
    let lines: Vec<String> = imported.warnings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"));
    assert_eq!(imported.caches[0].chains.graph().unwrap().len(), 1);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_one_line() {
    let mut lines = Vec::new();
    for config in [
        "",
        "{",
        "[]",
        r#"{"records":[{"digest":"a","inputs":[[{"link":1}]]},{"digest":"b","inputs":[[{"link":0}]]}]}"#,
        r#"{"records":[{"digest":"a","inputs":[[{"link":9}]]}]}"#,
        r#"{"records":[{"digest":"a","layers":[{"layer":3,"createdAt":"2026-01-02T03:04:05Z"}]}]}"#,
        r#"{"layers":[{"blob":"LAYER"}],"records":[{"digest":"a","layers":[{"layer":0,"createdAt":"2026-01-02T03:04:05Z"}]}]}"#,
        r#"{"layers":[{"blob":"sha256:../../../etc/passwd"}]}"#,
    ] {
        let error = import(&store_with_config(config).await, &Job::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        lines.push(error.to_string());
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn metadata_above_the_limit_is_refused_before_it_is_read() {
    let store = store_with_config(&format!(r#"{{"x":"{}"}}"#, "x".repeat(5000))).await;
    let options = Job::default().with_max_metadata(4000);
    let error = import(&store, &options).await.unwrap_err();
    assert!(matches!(error, ImportError::TooLarge { what: "cache config", limit: 4000, .. }), "{error}");
    let options = Job::default().with_max_metadata(10);
    let error = import(&store, &options).await.unwrap_err();
    assert!(matches!(error, ImportError::TooLarge { what: "manifest", limit: 10, .. }), "{error}");
}

#[tokio::test]
async fn what_is_no_cache_is_said_to_be_none_and_why() {
    let mut lines = Vec::new();
    let store = MemoryStore::new();
    let layer = gzip_layer(&store, "layer");
    let plain = image(&store, r#"{"rootfs":{"diff_ids":[]}}"#, &[]);
    let uneven = image(&store, &inline_config("a"), &[layer.clone(), layer]);
    for document in
        [index(vec![]), index(vec![plain.clone()]), index(vec![uneven.clone()]), index(vec![plain, uneven])]
    {
        let error = import(&store_with(&document, store.clone()).await, &Job::default()).await.unwrap_err();
        assert!(matches!(error, ImportError::NotACache { .. }));
        lines.push(error.to_string());
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn an_image_without_its_config_in_the_store_is_skipped_with_a_warning_while_others_remain() {
    let store = MemoryStore::new();
    let layer = gzip_layer(&store, "layer");
    let whole = image(&store, &inline_config("a"), std::slice::from_ref(&layer));
    let config = inline_config("b");
    let torn = image(&store, &config, &[layer]);
    let config = store.insert(MediaType::OCI_IMAGE_CONFIG, config).digest;
    store.remove(&config);
    let store = store_with(&index(vec![torn.clone(), whole]), store).await;
    let imported = import(&store, &Job::default()).await.unwrap();
    assert_eq!(imported.caches.len(), 1);
    assert_eq!(imported.warnings, [ImportWarning::MissingConfig { image: torn.digest, config }]);
    assert_eq!(
        imported.warnings[0].to_string(),
        format!("image {} is skipped: its config {config} is missing", torn.digest)
    );
}

#[tokio::test]
async fn where_nothing_is_left_the_error_says_what_is_missing() {
    let store = MemoryStore::new();
    let layer = gzip_layer(&store, "layer");
    let plain = image(&store, r#"{"rootfs":{"diff_ids":[]}}"#, &[]);
    let torn = image(&store, &inline_config("a"), &[layer]);
    store.remove(&store.insert(MediaType::OCI_IMAGE_CONFIG, inline_config("a")).digest);
    let absent = |n: u8| Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256([n; 32]), 5);
    let mut lines = Vec::new();
    for document in [
        ManifestOrIndex::decode(&store.blob(&torn.digest).unwrap()).unwrap(),
        index(vec![torn.clone()]),
        index(vec![absent(1)]),
        index(vec![plain.clone(), absent(1)]),
        index(vec![absent(1), torn.clone(), absent(2), plain, absent(3), absent(4)]),
    ] {
        let store = store_with(&document, store.clone()).await;
        let error = import(&store, &Job::default()).await.unwrap_err();
        assert!(matches!(error, ImportError::NotACache { .. }));
        lines.push(error.to_string());
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn beyond_a_thousand_manifests_none_is_looked_into_and_the_import_says_so() {
    let store = MemoryStore::new();
    let layer = gzip_layer(&store, "layer");
    let images: Vec<Descriptor> = (0..1001)
        .map(|n| image(&store, &inline_config(&n.to_string()), std::slice::from_ref(&layer)))
        .collect();
    let import_of = async |entries: &[Descriptor]| {
        let store = store_with(&index(entries.to_vec()), store.clone()).await;
        import(&store, &Job::default()).await
    };
    // The index itself is one of them.
    let all = import_of(&images[..999]).await.unwrap();
    assert_eq!((all.caches.len(), all.warnings.len()), (999, 0));

    let cut = import_of(&images).await.unwrap();
    assert_eq!(cut.warnings, [ImportWarning::TooManyManifests { limit: 1000 }]);
    assert_eq!(cut.warnings[0].to_string(), "it leads to more than 1,000 manifests; the others are not read");
    let found: Vec<Digest> =
        cut.caches.iter().map(|cache| cache.origin.image().expect("a cache in an image").digest).collect();
    let first: Vec<Digest> = images.iter().take(999).map(|image| image.digest).collect();
    assert_eq!(found, first, "the first ones, in their order");

    // The same image again is not one too many.
    let mut repeated = images[..999].to_vec();
    repeated.push(images[0].clone());
    assert_eq!(import_of(&repeated).await.unwrap().warnings, []);

    // Where the rest had to stay unread, an error says so too.
    let absent: Vec<Descriptor> = (0..1001u32)
        .map(|n| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&n.to_be_bytes());
            Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256(bytes), 5)
        })
        .collect();
    let error = import_of(&absent).await.unwrap_err().to_string();
    assert!(error.contains("it is an index of 999 images, not a cache; missing: "), "{error}");
    let end = "and 996 more; it leads to more than 1,000 manifests, and the others are not read";
    assert!(error.ends_with(end), "{error}");
}

#[tokio::test]
async fn every_image_of_an_index_gives_a_cache_of_its_own_and_others_are_skipped_with_a_warning() {
    let store = MemoryStore::new();
    let layer = gzip_layer(&store, "layer");
    let mut entries = Vec::new();
    for (n, config) in [inline_config("a"), r#"{"rootfs":{"diff_ids":[]}}"#.to_owned(), inline_config("b")]
        .iter()
        .enumerate()
    {
        let layers = if n == 1 { vec![] } else { vec![layer.clone()] };
        let mut entry = image(&store, config, &layers);
        let platform =
            Platform { os: "linux".into(), architecture: format!("arch{n}"), ..Platform::default() };
        entry.extra =
            Some(Arc::new(cache_model::DescriptorExtra { platform: Some(platform), ..Default::default() }));
        entries.push(entry);
    }
    // An index within an index, which names the same image again, and one that is not in the store.
    let nested =
        store.insert(MediaType::OCI_INDEX, index(vec![entries[2].clone(), entries[0].clone()]).encode());
    let absent = Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256([9; 32]), 5);
    let document = index(vec![entries[0].clone(), entries[1].clone(), absent, nested]);
    let imported = import(&store_with(&document, store).await, &Job::default()).await.unwrap();
    assert_eq!(imported.caches.len(), 2);
    let [skipped, missing] = imported.warnings.as_slice() else { panic!("{:?}", imported.warnings) };
    let reason = NoInlineCache::NoField;
    assert_eq!(*skipped, ImportWarning::SkippedImage { image: entries[1].digest, reason });
    assert_eq!(*missing, ImportWarning::MissingManifest { digest: Digest::sha256([9; 32]) });
    let united = imported.into_chains().unwrap();
    assert_eq!(united.rule(), Rule::Closed);
    let graph = united.graph().unwrap();
    let digests: Vec<String> = graph.records().map(|record| record.digest().to_string()).collect();
    assert_eq!(digests, ["a", "b"]);
    let layer = graph.at(0).unwrap().results().next().unwrap().layers()[0].clone();
    assert_eq!(layer.diff_id(), Some(Digest::sha256([7; 32])));
}

#[tokio::test]
async fn a_config_above_what_buildkit_imports_is_imported() {
    let store = MemoryStore::new();
    let layers = [gzip_layer(&store, "lower"), gzip_layer(&store, "upper")];
    let mut chains = CacheChains::new();
    let layer = chains.layers(&layers).unwrap();
    let mut last = chains.add(&"root".into(), &[], &[]).unwrap().unwrap();
    for n in 0..12_000 {
        let link = [Link { source: last, selector: "" }];
        let created_at = Timestamp::from_unix(n, 0).unwrap();
        let digest = RecordDigest::new(&format!("sha256:{n:064x}"));
        last = chains.add(&digest, &[&link], &[NewResult { created_at, layer }]).unwrap().unwrap();
    }
    let marshalled = chains.marshal(&|_| true).unwrap();
    let text = encode_config(&marshalled.config);
    assert!(text.len() > 1 << 20, "{} bytes", text.len());
    store.insert(MediaType::CACHE_CONFIG, text.clone());
    for form in [Form::Manifest, Form::Index, Form::DockerList] {
        let layers: Vec<Descriptor> = marshalled.layer_descriptors().cloned().collect();
        let built = pack(form, &marshalled.config, &layers).unwrap().root;
        let store = store_with(&ManifestOrIndex::decode(&built.bytes).unwrap(), store.clone()).await;
        let imported = import(&store, &Job::default()).await.unwrap();
        assert_eq!(imported.warnings, []);
        let [cache] = imported.caches.as_slice() else { panic!("one cache") };
        assert_eq!(cache.config_bytes, text);
        assert_eq!(cache.chains.graph().unwrap().len(), 12_001);
        assert_eq!(cache.config, marshalled.config);
        assert!(
            encode_config(&cache.chains.marshal(&|_| true).unwrap().config) == text,
            "it is exported as it was"
        );
    }
}

#[tokio::test]
async fn every_config_that_is_read_is_reported() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = Arc::clone(&heard);
    let job = Job::default().with_progress(move |event: &Event<'_>| {
        if let Event::Importing { .. } = event {
            hearing.lock().unwrap().push(event.to_string());
        }
    });
    let cache = store_with_config(r#"{"layers":[],"records":[]}"#).await;
    let opened = open(&cache, &Name::Unspecified, &job).await.unwrap();
    opened.import(&cache, &job).await.unwrap();
    let config = opened.manifest().unwrap().config.digest;
    // The caller reports the manifest, since the store does not know the whole reference.
    assert_eq!(*heard.lock().unwrap(), [format!("importing cache config from {config}")]);
}
