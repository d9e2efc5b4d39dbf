//! Manifests that refer to others in a layout: kept with their subject, gone with its last name.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use cache_ingest::{
    CollectOptions, Error, ErrorKind, Expect, Ingester, Job, LayoutOptions, LayoutStore, Lister, Name,
    Publisher, Referrers, Remover, Resolver, Source,
};
use cache_model::{Descriptor, MediaType};

/// A layout, and caches of one layer in it that may have labels.
struct Labelled {
    folder: tempfile::TempDir,
    store: LayoutStore,
}

impl Labelled {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = LayoutOptions::create().with_sync(false);
        let store = LayoutStore::open(folder.path(), options).await.unwrap();
        Self { folder, store }
    }

    async fn put(&self, bytes: &str) -> Descriptor {
        let blob = Descriptor::of(MediaType::OCI_LAYER_TAR, bytes);
        self.store.put(&blob, &Source::from_bytes(blob.clone(), bytes.to_owned())).await.unwrap();
        blob
    }

    /// A manifest of one layer, with its bytes.
    async fn manifest(&self, layer: &str, subject: Option<&Descriptor>) -> (Descriptor, Bytes) {
        let layer = json(&self.put(layer).await);
        let subject = subject.map(|subject| format!(",\"subject\":{}", json(subject))).unwrap_or_default();
        let text = format!(r#"{{"schemaVersion":2,"config":{layer},"layers":[{layer}]{subject}}}"#);
        (Descriptor::of(MediaType::OCI_MANIFEST, &text), text.into())
    }

    async fn publish(&self, tag: &str, layer: &str) -> Descriptor {
        let (descriptor, bytes) = self.manifest(layer, None).await;
        self.store.publish(&Name::Tag(tag.into()), &descriptor, bytes, Expect::Any).await.unwrap();
        descriptor
    }

    async fn label(&self, subject: &Descriptor, text: &str) -> Result<Descriptor, Error> {
        let (descriptor, bytes) = self.manifest(text, Some(subject)).await;
        let descriptor = descriptor.with_artifact_type("application/vnd.example.label");
        self.store.add_referrer(subject, &descriptor, bytes).await.map(|()| descriptor)
    }

    async fn labels(&self, subject: &Descriptor) -> Vec<Descriptor> {
        self.store.referrers(subject).await.unwrap()
    }

    /// How many blobs a collection deletes, whatever their age.
    async fn collect(&self) -> u64 {
        let options = CollectOptions::default().with_settle(Duration::ZERO).with_older_than(Duration::ZERO);
        self.store.collect(options, &Job::default()).await.unwrap().deleted().blobs
    }

    fn index(&self) -> String {
        fs::read_to_string(self.folder.path().join("index.json")).unwrap()
    }
}

fn json(descriptor: &Descriptor) -> String {
    String::from_utf8(descriptor.json()).unwrap()
}

fn replace(folder: &Path, from: &str, to: &str) {
    let index = folder.join("index.json");
    let text = fs::read_to_string(&index).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(index, text.replace(from, to)).unwrap();
}

#[tokio::test]
async fn a_referrer_is_an_entry_that_names_its_subject_and_has_no_name() {
    let layout = Labelled::new().await;
    let cache = layout.publish("main", "layer").await;
    let label = layout.label(&cache, "label").await.unwrap();
    let digest = cache.digest;
    let tagged = format!(
        r#"{},"annotations":{{"org.opencontainers.image.ref.name":"main"}}}}"#,
        json(&cache).trim_end_matches('}')
    );
    let refers = format!(
        r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":{},"annotations":{{"vnd.bkcache.subject":"{digest}"}},"artifactType":"application/vnd.example.label"}}"#,
        label.digest, label.size
    );
    let head = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":["#;
    assert_eq!(layout.index(), format!("{head}{tagged},{refers}]}}"));
    assert_eq!(layout.labels(&cache).await, [label]);
}

/// A folder with one cache needs no name for it, with a label or without.
#[tokio::test]
async fn a_referrer_is_not_listed_among_the_manifests_and_leaves_its_subject_the_only_one() {
    let layout = Labelled::new().await;
    let cache = layout.publish("main", "layer").await;
    let label = layout.label(&cache, "label").await.unwrap();
    assert_eq!(layout.store.list().await.unwrap().len(), 1);
    let only = layout.store.resolve(&Name::Unspecified).await.unwrap();
    assert_eq!(only.descriptor.digest, cache.digest);
    let by_digest = layout.store.resolve(&Name::Digest(label.digest)).await.unwrap();
    assert_eq!(by_digest.descriptor.digest, label.digest);
}

#[tokio::test]
async fn a_collection_keeps_referrers_while_their_subject_has_a_name() {
    let layout = Labelled::new().await;
    let cache = layout.publish("main", "layer").await;
    let label = layout.label(&cache, "label").await.unwrap();
    let signature = layout.label(&label, "signature of the label").await.unwrap();
    assert_eq!(layout.collect().await, 0);
    assert_eq!(layout.labels(&cache).await, std::slice::from_ref(&label));
    assert_eq!(layout.labels(&label).await, [signature]);
}

#[tokio::test]
async fn referrers_go_with_the_last_name_of_their_subject_and_not_before() {
    let layout = Labelled::new().await;
    let (cache, other) =
        (layout.publish("main", "layer").await, layout.publish("other", "other layer").await);
    assert_eq!(layout.publish("also", "layer").await, cache);
    let label = layout.label(&cache, "label").await.unwrap();
    layout.label(&label, "signature of the label").await.unwrap();
    let kept = layout.label(&other, "other label").await.unwrap();
    layout.store.remove_name(&Name::Tag("main".into())).await.unwrap();
    assert_eq!(layout.labels(&cache).await, std::slice::from_ref(&label));
    // Replacing a name takes it away, too.
    layout.publish("also", "new layer").await;
    assert_eq!(layout.labels(&cache).await, []);
    assert_eq!(layout.labels(&label).await, []);
    assert_eq!(layout.labels(&other).await, [kept]);
    // The cache, its label and the signature, each with its layer.
    assert_eq!(layout.collect().await, 6);
}

/// BuildKit replaces a name and knows nothing of referrers.
#[tokio::test]
async fn a_collection_drops_referrers_whose_subject_another_program_has_taken_the_name_from() {
    let layout = Labelled::new().await;
    let (cache, new) = (layout.publish("main", "layer").await, layout.publish("new", "new layer").await);
    layout.label(&cache, "label").await.unwrap();
    layout.store.remove_name(&Name::Tag("new".into())).await.unwrap();
    let entry = json(&cache);
    let subject = format!("\"vnd.bkcache.subject\":\"{}\"", cache.digest);
    replace(layout.folder.path(), entry.trim_end_matches('}'), json(&new).trim_end_matches('}'));
    assert!(layout.index().contains(&subject));
    let options = CollectOptions::default().with_older_than(Duration::ZERO).with_dry_run(true);
    let planned = layout.store.collect(options, &Job::default()).await.unwrap();
    assert_eq!(planned.deleted().blobs, 4);
    assert!(layout.index().contains(&subject), "a dry run changes nothing");
    assert_eq!(layout.collect().await, 4);
    assert!(!layout.index().contains(&subject));
    assert_eq!(layout.store.resolve(&Name::Unspecified).await.unwrap().descriptor.digest, new.digest);
}

#[tokio::test]
async fn a_referrer_of_a_manifest_without_a_name_is_refused() {
    let layout = Labelled::new().await;
    layout.publish("main", "layer").await;
    let (unnamed, _) = layout.manifest("another layer", None).await;
    let before = layout.index();
    let error = layout.label(&unnamed, "label").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(layout.index(), before);
}

/// An entry that has both a name and a subject is one that somebody has named.
#[tokio::test]
async fn a_referrer_that_gets_a_name_is_kept_by_it() {
    let layout = Labelled::new().await;
    let cache = layout.publish("main", "layer").await;
    let (label, bytes) = layout.manifest("label", Some(&cache)).await;
    layout.store.add_referrer(&cache, &label, bytes.clone()).await.unwrap();
    layout.store.publish(&Name::Tag("label".into()), &label, bytes, Expect::Any).await.unwrap();
    layout.store.remove_name(&Name::Tag("main".into())).await.unwrap();
    assert_eq!(layout.labels(&cache).await, []);
    let named = layout.store.resolve(&Name::Tag("label".into())).await.unwrap();
    assert_eq!(named.descriptor.digest, label.digest);
}
