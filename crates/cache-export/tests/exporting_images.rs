//! Exports of a cache as an image: the diff IDs that are computed for it, and the layers that it cannot have.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::io::Write;
use std::sync::{Arc, Mutex};

use cache_conformance::StrictStore;
use cache_export::{
    Destination, ExistingCache, ExportError, ExportWarning, Exported, export, republish, salvage,
};
use cache_format::{CacheManifest, Form, InlineOutcome, ManifestOrIndex, encode_config, pack, read_inline};
use cache_ingest::{ErrorKind, Event, Job, MemoryStore, Name, Side};
use cache_model::{
    ANNOTATION_DIFF_ID, CacheChains, Descriptor, Digest, MediaType, NewResult, RecordDigest, Timestamp,
};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Chains of a record whose result has these layers.
fn chains_of(layers: &[Descriptor]) -> CacheChains {
    let mut chains = CacheChains::new();
    let result = NewResult { created_at: Timestamp::ZERO, layer: chains.layers(layers).unwrap() };
    chains.add(&"sha256:step".into(), &[], &[result]).unwrap();
    chains
}

/// The steps that a job has begun or failed, as lines.
#[derive(Clone, Default)]
struct Steps(Arc<Mutex<Vec<String>>>);

impl Steps {
    fn job(&self) -> Job {
        let steps = Arc::clone(&self.0);
        Job::without_retries().with_progress(move |event: &Event<'_>| match event {
            Event::Planned { blobs, bytes } => {
                steps.lock().unwrap().push(format!("{blobs} blobs, {bytes} bytes"));
            }
            Event::Started { step, descriptor } => {
                steps.lock().unwrap().push(format!("{step} {}", descriptor.digest));
            }
            Event::Failed { step, descriptor, .. } => {
                steps.lock().unwrap().push(format!("{step} {} failed", descriptor.digest));
            }
            _ => {}
        })
    }

    /// The lines that were begun, sorted, as layers are read in any order.
    fn take(&self) -> Vec<String> {
        let mut lines = std::mem::take(&mut *self.0.lock().unwrap());
        lines.sort();
        lines
    }
}

/// Exports the layers as an image to a store that refuses a manifest which names absent blobs.
async fn export_image(
    layers: &[Descriptor],
    store: &MemoryStore,
    job: &Job,
) -> (StrictStore, Result<Exported, ExportError>) {
    let (strict, tag) = (StrictStore::new(), Name::Tag("t".into()));
    let to = Destination::new(&strict, &tag).with_form(Form::Inline);
    let exported = export(&chains_of(layers), store, &to, job).await;
    (strict, exported)
}

/// The layers of an image that was exported.
fn layers_of(strict: &StrictStore, exported: &Exported) -> Vec<Descriptor> {
    let blob = |digest: &Digest| strict.memory().blob(digest).unwrap();
    let document = ManifestOrIndex::decode(&blob(&exported.manifest.as_ref().unwrap().digest)).unwrap();
    let ManifestOrIndex::Manifest(image) = document else { panic!("it is no image") };
    match read_inline(&image, &blob(&image.config.digest)).unwrap() {
        InlineOutcome::Cache(cache) => cache.layers,
        InlineOutcome::Absent(why) => panic!("{why}"),
    }
}

#[tokio::test]
async fn layers_that_state_no_diff_id_are_read_to_compute_it() {
    let store = MemoryStore::new();
    let gzipped = store.insert(MediaType::DOCKER_LAYER_GZIP, gzip("one"));
    let plain = store.insert(MediaType::OCI_LAYER_TAR, "two");
    let invalid =
        store.insert(MediaType::OCI_LAYER_GZIP, gzip("three")).with_annotation(ANNOTATION_DIFF_ID, "?");
    let stated_id = Digest::sha256([7; 32]).to_string();
    let stated =
        store.insert(MediaType::OCI_LAYER_GZIP, "unread").with_annotation(ANNOTATION_DIFF_ID, &stated_id);
    let layers = [gzipped.clone(), stated.clone(), plain.clone(), invalid.clone()];
    let steps = Steps::default();
    let (strict, exported) = export_image(&layers, &store, &steps.job()).await;
    let exported = exported.unwrap();
    assert_eq!(exported.warnings, []);
    let ids: Vec<Option<Digest>> = layers_of(&strict, &exported).iter().map(Descriptor::diff_id).collect();
    let of = |text: &str| Some(Descriptor::of(MediaType::default(), text).digest);
    assert_eq!(ids, [of("one"), stated_id.parse().ok(), of("two"), of("three")]);
    let lines = steps.take();
    let read: Vec<&String> = lines.iter().filter(|line| line.starts_with("reading layer")).collect();
    assert_eq!(read.len(), 3, "{lines:?}");
    assert!(!read.iter().any(|line| line.contains(&stated.digest.to_string())));
    let bytes = gzipped.size + plain.size + invalid.size;
    assert!(lines.contains(&format!("3 blobs, {bytes} bytes")), "{lines:?}");

    let (again, same) = export_image(&layers, &store, &Job::without_retries()).await;
    assert_eq!(same.unwrap().manifest, exported.manifest);
    assert_eq!(again.written().len(), strict.written().len());
    // A form without diff IDs has nothing read.
    let (strict, tag) = (StrictStore::new(), Name::Tag("t".into()));
    export(&chains_of(&layers), &store, &Destination::new(&strict, &tag), &steps.job()).await.unwrap();
    assert!(!steps.take().iter().any(|line| line.starts_with("reading layer")));
}

#[tokio::test]
async fn a_layer_whose_compression_is_unknown_is_refused_by_name_and_nothing_is_written() {
    let store = MemoryStore::new();
    let whole = gzip("content");
    let fits = store.insert(MediaType::OCI_LAYER_GZIP, whole.clone());
    for (media_type, content, kind, reason) in [
        (
            MediaType::OCI_LAYER_GZIP,
            b"plain".to_vec(),
            ErrorKind::Corrupt,
            "it does not begin as such content does",
        ),
        (
            MediaType::OCI_LAYER_ZSTD,
            b"plain".to_vec(),
            ErrorKind::Corrupt,
            "it does not begin as such content does",
        ),
        (MediaType::OCI_LAYER_GZIP, whole[..whole.len() - 1].to_vec(), ErrorKind::Corrupt, "it ends early"),
        (
            MediaType::new("text/plain"),
            b"plain".to_vec(),
            ErrorKind::Unsupported,
            "its media type \"text/plain\" says",
        ),
        (MediaType::default(), b"plain".to_vec(), ErrorKind::Unsupported, "its media type \"\" says"),
    ] {
        let layer = store.insert(media_type, content);
        let steps = Steps::default();
        let (strict, exported) = export_image(&[fits.clone(), layer.clone()], &store, &steps.job()).await;
        let error = exported.unwrap_err();
        assert!(error.to_string().contains(&layer.digest.to_string()), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.store_error().is_none() && std::error::Error::source(&error).is_none());
        assert_eq!(strict.written(), []);
        let failed = steps.take().contains(&format!("reading layer {} failed", layer.digest));
        assert_eq!(failed, kind == ErrorKind::Corrupt);
    }
}

#[tokio::test]
async fn a_layer_that_cannot_be_read_is_an_error_of_the_source() {
    let (store, lost) = (MemoryStore::new(), MemoryStore::new());
    let layer = store.insert(MediaType::OCI_LAYER_GZIP, gzip("one"));
    let config = chains_of(std::slice::from_ref(&layer)).marshal(&|_| true).unwrap().config;
    let packed = pack(Form::Manifest, &config, &[layer]).unwrap();
    let document = ManifestOrIndex::decode(&packed.root.bytes).unwrap();
    let manifest = CacheManifest::from_document(&document).unwrap();
    let existing =
        ExistingCache::new(&packed.root.descriptor, &packed.root.bytes, &manifest, &packed.metadata[0].bytes);
    let (strict, tag) = (StrictStore::new(), Name::Tag("t".into()));
    let to = Destination::new(&strict, &tag).with_form(Form::Inline);
    let error = republish(&existing, &lost, &to, &Job::without_retries()).await.unwrap_err();
    let of_store = error.store_error().unwrap();
    assert_eq!((of_store.kind(), of_store.side()), (ErrorKind::NotFound, Some(Side::Source)));
    assert_eq!(strict.written(), []);
    // With its layer, the existing cache is the same image as an export of its records.
    let kept = republish(&existing, &store, &to, &Job::without_retries()).await.unwrap();
    let (_, exported) = export_image(&manifest.layers, &store, &Job::without_retries()).await;
    assert_eq!(kept.manifest, exported.unwrap().manifest);
    assert_eq!(
        layers_of(&strict, &kept)[0].diff_id(),
        Some(Descriptor::of(MediaType::default(), "one").digest)
    );
}

#[tokio::test]
async fn of_a_blob_with_two_descriptors_the_one_with_a_diff_id_speaks_for_both() {
    let store = MemoryStore::new();
    let bare = store.insert(MediaType::OCI_LAYER_GZIP, "unread");
    let stated = bare.clone().with_annotation(ANNOTATION_DIFF_ID, &Digest::sha256([7; 32]).to_string());
    let config = {
        let mut chains = chains_of(&[bare.clone(), bare.clone()]);
        chains.set_rule(cache_model::Rule::Closed);
        chains.marshal(&|_| true).unwrap().config
    };
    let bytes = encode_config(&config).into();
    let manifest = CacheManifest::new(
        Form::Manifest,
        Descriptor::of(MediaType::CACHE_CONFIG, &bytes),
        vec![stated, bare],
    );
    let root = manifest.clone().pack(bytes::Bytes::clone(&bytes)).unwrap().root;
    let existing = ExistingCache::new(&root.descriptor, &root.bytes, &manifest, &bytes);
    let (strict, tag, steps) = (StrictStore::new(), Name::Tag("t".into()), Steps::default());
    let to = Destination::new(&strict, &tag).with_form(Form::Inline);
    let exported = republish(&existing, &store, &to, &steps.job()).await.unwrap();
    assert!(!steps.take().iter().any(|line| line.starts_with("reading layer")));
    assert_eq!(layers_of(&strict, &exported)[0].diff_id(), Some(Digest::sha256([7; 32])));
}

#[tokio::test]
async fn what_is_left_of_a_damaged_cache_can_be_an_image() {
    let store = MemoryStore::new();
    let layers = ["one", "two"].map(|text| store.insert(MediaType::OCI_LAYER_GZIP, gzip(text)));
    let mut chains = chains_of(&layers);
    let result = NewResult { created_at: Timestamp::ZERO, layer: chains.layers(&layers[..1]).unwrap() };
    chains.add(&"sha256:other".into(), &[], &[result]).unwrap();
    store.remove(&layers[1].digest);
    let (strict, tag) = (StrictStore::new(), Name::Tag("t".into()));
    let to = Destination::new(&strict, &tag).with_form(Form::Inline);
    let exported = salvage(&chains, &store, &to, &Job::without_retries()).await.unwrap();
    assert_eq!(exported.warnings.len(), 1);
    assert_eq!(layers_of(&strict, &exported).len(), 1);
}

#[tokio::test]
async fn the_config_of_an_image_may_be_above_the_limit_of_buildkit() {
    let store = MemoryStore::new();
    let layer = store.insert(MediaType::OCI_LAYER_GZIP, gzip("one"));
    let mut chains = chains_of(std::slice::from_ref(&layer));
    for n in 0..13_000 {
        chains.add(&RecordDigest::of_output(format!("sha256:{n}"), 0), &[], &[]).unwrap();
    }
    for form in Form::ALL.iter().copied() {
        let (strict, tag) = (StrictStore::new(), Name::Tag("t".into()));
        let to = Destination::new(&strict, &tag).with_form(form);
        let exported = export(&chains, &store, &to, &Job::without_retries()).await.unwrap();
        assert!(exported.config.unwrap().size > 1 << 20);
        let warned =
            matches!(exported.warnings[..], [ExportWarning::TooLargeForBuildKit { what: "config", .. }]);
        assert_eq!(warned, !form.is_inline(), "{form}");
        assert_eq!(exported.warnings.len(), usize::from(warned));
    }
}
