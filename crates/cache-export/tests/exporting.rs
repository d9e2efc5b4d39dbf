//! Exports into a store that is stricter than real ones: it refuses a manifest that names absent blobs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use cache_conformance::{Down, StrictStore};
use cache_export::{Destination, ExportError, ExportWarning, RecordsError, add_records, export};
use cache_format::{CacheManifest, Form, ManifestOrIndex, decode_config};
use cache_ingest::{
    ByteStream, Error, ErrorKind, Event, Expect, Info, Ingester, Job, MemoryStore, Name, Progress, Provider,
    ProviderExt, Publisher, Resolver, Side, Source, Standing, Step, Stored,
};
use cache_model::{CacheChains, Descriptor, Digest, MediaType, NewResult, Rule, Timestamp};
use proptest::prelude::*;

/// Collects warnings.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn job(&self) -> Job {
        Job::without_retries().with_progress(self.clone())
    }
}

impl Progress for Heard {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Warning { message } => self.0.lock().unwrap().push((*message).to_owned()),
            Event::Finished { step, descriptor, .. } => {
                self.0.lock().unwrap().push(format!("{step} {}", descriptor.digest));
            }
            _ => {}
        }
    }
}

fn build() -> (MemoryStore, Vec<Descriptor>) {
    let store = MemoryStore::new();
    let gzip = MediaType::DOCKER_LAYER_GZIP;
    let blobs = (0..3).map(|n| store.insert(gzip.clone(), format!("layer {n}"))).collect();
    (store, blobs)
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds, 0).unwrap()
}

fn add(chains: &mut CacheChains, digest: &str, results: &[(i64, &[Descriptor])]) {
    let mut given = Vec::new();
    for (seconds, layers) in results {
        let layer = chains.layers(*layers).unwrap();
        given.push(NewResult { created_at: time(*seconds), layer });
    }
    chains.add(&digest.into(), &[], &given).unwrap();
}

fn to<'a>(store: &'a StrictStore, name: &'a Name) -> Destination<'a> {
    Destination::new(store, name)
}

/// The kinds of the written blobs, in order.
fn written(strict: &StrictStore) -> Vec<&'static str> {
    let kind = |descriptor: Descriptor| match descriptor.media_type {
        kind if kind == MediaType::CACHE_CONFIG => "config",
        kind if kind.is_manifest() => "manifest",
        _ => "layer",
    };
    strict.written().into_iter().map(kind).collect()
}

#[tokio::test]
async fn layers_come_first_then_the_config_then_the_manifest() {
    for form in [Form::Manifest, Form::Index, Form::DockerList] {
        let (build, blobs) = build();
        let mut chains = CacheChains::new();
        add(&mut chains, "a", &[(1, &blobs)]);
        let (strict, tag, heard) = (StrictStore::new(), Name::Tag("t".into()), Heard::default());
        let exported =
            export(&chains, &build, &to(&strict, &tag).with_form(form), &heard.job()).await.unwrap();
        assert_eq!(written(&strict), ["layer", "layer", "layer", "config", "manifest"]);
        assert_eq!(strict.memory().tags(), ["t"]);
        assert_eq!(exported.blobs.stored.blobs, 4);
        assert_eq!(exported.manifest.as_ref().unwrap().media_type, form.media_type());

        let steps = heard.0.lock().unwrap().clone();
        let config = exported.config.unwrap().digest;
        let manifest = exported.manifest.unwrap().digest;
        assert!(blobs.iter().all(|blob| steps.contains(&format!("writing layer {}", blob.digest))));
        assert!(steps.contains(&format!("writing config {config}")));
        let image = if form == Form::Manifest { " image" } else { "" };
        assert_eq!(*steps.last().unwrap(), format!("writing cache{image} manifest {manifest}"));
    }
}

#[tokio::test]
async fn a_manifest_gets_the_annotations_of_its_destination_in_every_form() {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let annotations = [pair("z", "1"), pair("a<b", ""), pair("z", "2")];
    for form in [Form::Manifest, Form::Index, Form::DockerList] {
        let (build, blobs) = build();
        let mut chains = CacheChains::new();
        add(&mut chains, "a", &[(1, &blobs)]);
        let (strict, tag) = (StrictStore::new(), Name::Tag("t".into()));
        let to = to(&strict, &tag).with_form(form).with_annotations(&annotations);
        let exported = export(&chains, &build, &to, &Job::without_retries()).await.unwrap();
        let manifest = exported.manifest.unwrap();
        assert_eq!(manifest.media_type, form.media_type());
        let bytes = strict.memory().blob(&manifest.digest).unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.ends_with(r#""annotations":{"a\u003cb":"","z":"2"}}"#), "{text}");
    }
}

#[tokio::test]
async fn an_export_again_writes_no_blob_a_second_time() {
    let (build, blobs) = build();
    let mut chains = CacheChains::new();
    add(&mut chains, "a", &[(1, &blobs)]);
    let (strict, tag) = (StrictStore::new(), Name::Tag("t".into()));
    let first = export(&chains, &build, &to(&strict, &tag), &Job::without_retries()).await.unwrap();
    let second = export(&chains, &build, &to(&strict, &tag), &Job::without_retries()).await.unwrap();
    assert_eq!(second.manifest, first.manifest);
    assert_eq!((second.blobs.stored.blobs, second.blobs.already_present.blobs), (0, 4));
}

/// A strict store that loses a blob the first `times` times that a manifest is published. If `knows`, it answers whether a
/// manifest is published.
struct Forgetful {
    store: StrictStore,
    loses: Digest,
    times: AtomicU32,
    knows: bool,
}

impl Forgetful {
    fn new(loses: Digest, times: u32) -> Self {
        Self { store: StrictStore::new(), loses, times: AtomicU32::new(times), knows: false }
    }
}

#[async_trait]
impl Ingester for Forgetful {
    async fn put(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error> {
        self.store.put(descriptor, source).await
    }
}

#[async_trait]
impl Publisher for Forgetful {
    async fn publish(&self, name: &Name, d: &Descriptor, bytes: Bytes, expect: Expect) -> Result<(), Error> {
        if self.times.fetch_update(Relaxed, Relaxed, |times| times.checked_sub(1)).is_ok() {
            self.store.memory().remove(&self.loses);
        }
        self.store.publish(name, d, bytes, expect).await
    }

    async fn standing(&self, name: &Name, d: &Descriptor) -> Result<Standing, Error> {
        Ok(match self.store.resolve(name).await {
            Ok(named) if self.knows && named.descriptor.digest == d.digest => Standing::Published,
            Ok(named) if named.descriptor.digest != d.digest => Standing::Other(named.descriptor.digest),
            _ => Standing::Unknown,
        })
    }
}

#[tokio::test]
async fn a_blob_that_the_store_forgot_is_stored_again_once() {
    let (provider, blobs) = build();
    let mut chains = CacheChains::new();
    add(&mut chains, "sha256:a", &[(1, &blobs)]);
    let name = Name::Tag("latest".into());
    for times in [1, 2] {
        let store = Forgetful::new(blobs[1].digest, times);
        let to = Destination::new(&store, &name);
        let exported = export(&chains, &provider, &to, &Job::without_retries()).await;
        if times == 1 {
            let blobs = exported.unwrap().blobs;
            assert_eq!((blobs.stored.blobs, blobs.already_present.blobs), (5, 0), "four, one of them twice");
            store.store.resolve(&name).await.unwrap();
        } else {
            assert_eq!(exported.unwrap_err().kind(), ErrorKind::Incomplete);
            assert_eq!(store.store.resolve(&name).await.unwrap_err().kind(), ErrorKind::NotFound);
        }
    }
}

/// The planned blobs, and the events of each blob's work: `s` started, `r` retrying, `d` finished, `f` failed.
type Told = (u64, BTreeMap<Digest, String>);

fn listening() -> (Job, Arc<Mutex<Told>>) {
    let told = Arc::new(Mutex::new(Told::default()));
    let events = Arc::clone(&told);
    let job = Job::without_retries().with_progress(move |event: &Event<'_>| {
        let mut events = events.lock().unwrap();
        let (of, letter) = match event {
            Event::Planned { blobs, .. } => return events.0 += blobs,
            Event::Started { descriptor, .. } => (descriptor.digest, 's'),
            Event::Retrying { restarted: Some(descriptor), .. } => (descriptor.digest, 'r'),
            Event::Finished { descriptor, .. } => (descriptor.digest, 'd'),
            Event::Failed { descriptor, .. } => (descriptor.digest, 'f'),
            _ => return,
        };
        events.1.entry(of).or_default().push(letter);
    });
    (job, told)
}

/// Also where blobs are stored a second time, or the root fails.
#[tokio::test]
async fn each_layer_is_planned_once_and_each_start_has_one_end() {
    let (provider, blobs) = build();
    let mut chains = CacheChains::new();
    add(&mut chains, "sha256:a", &[(1, &blobs)]);
    let name = Name::Tag("latest".into());
    for (times, root) in [(0, "sd"), (1, "srd"), (2, "srf")] {
        let store = Forgetful::new(blobs[1].digest, times);
        let (job, told) = listening();
        let exported = export(&chains, &provider, &Destination::new(&store, &name), &job).await;
        assert_eq!(exported.is_ok(), times < 2);
        let (planned, events) = std::mem::take(&mut *told.lock().unwrap());
        assert_eq!((planned, events.len()), (3, 5), "three layers; a config and the root are not planned");
        let mut events: Vec<String> = events.into_values().collect();
        events.sort_unstable();
        assert_eq!(events, ["sd", "sd", "sd", "sd", root]);
    }
    let mut store = Forgetful::new(blobs[1].digest, 0);
    store.knows = true;
    export(&chains, &provider, &Destination::new(&store, &name), &Job::default()).await.unwrap();
    let (job, told) = listening();
    export(&chains, &provider, &Destination::new(&store, &name), &job).await.unwrap();
    let told = std::mem::take(&mut *told.lock().unwrap());
    assert_eq!(
        (told.0, told.1.into_values().collect::<Vec<_>>()),
        (3, vec!["sd".to_owned(); 5]),
        "config and root have their events as well"
    );
}

#[tokio::test]
async fn where_the_name_stands_for_the_cache_already_it_is_not_published_again() {
    let (provider, blobs) = build();
    let mut chains = CacheChains::new();
    add(&mut chains, "sha256:a", &[(1, &blobs)]);
    let name = Name::Tag("latest".into());
    let mut store = Forgetful::new(blobs[1].digest, 0);
    store.knows = true;
    let export = async |store: &Forgetful, expect: Expect| {
        let to = Destination::new(store, &name).with_expect(expect);
        export(&chains, &provider, &to, &Job::without_retries()).await
    };
    let first = export(&store, Expect::Any).await.unwrap();
    let digest = first.manifest.clone().unwrap().digest;
    let published = || store.store.written().iter().filter(|written| written.digest == digest).count();
    assert_eq!(published(), 1);
    for expect in [Expect::Any, Expect::Digest(digest)] {
        let again = export(&store, expect).await.unwrap();
        assert_eq!(again.manifest, first.manifest);
        assert_eq!((again.blobs.already_present.blobs, again.blobs.stored.blobs), (4, 0));
        assert_eq!(again.blobs.total(), first.blobs.total());
    }
    assert_eq!(published(), 1);
    assert_eq!(first.replaced, None, "the name was free");
    let mut more = CacheChains::new();
    add(&mut more, "sha256:b", &[(1, &blobs)]);
    let to = Destination::new(&store, &name);
    let other = crate::export(&more, &provider, &to, &Job::without_retries()).await.unwrap();
    assert_eq!(other.replaced, Some(digest));
    let back = export(&store, Expect::Any).await.unwrap();
    assert_eq!(back.replaced, other.manifest.map(|manifest| manifest.digest));
    store.store.memory().remove(&blobs[1].digest);
    let again = export(&store, Expect::Any).await.unwrap();
    assert_eq!((again.blobs.already_present.blobs, again.blobs.stored.blobs), (3, 1), "a lost blob");
    for expect in [Expect::Absent, Expect::Digest(blobs[0].digest)] {
        assert_eq!(export(&store, expect).await.unwrap_err().kind(), ErrorKind::Conflict);
    }
}

#[tokio::test]
async fn an_empty_cache_is_a_success_that_writes_nothing() {
    let (build, _) = build();
    for records in [0, 2] {
        let mut chains = CacheChains::new();
        (0..records).for_each(|n| add(&mut chains, &n.to_string(), &[]));
        let (strict, tag, heard) = (StrictStore::new(), Name::Tag("t".into()), Heard::default());
        let exported = export(&chains, &build, &to(&strict, &tag), &heard.job()).await.unwrap();
        assert_eq!(exported.warnings, [ExportWarning::NoLayers]);
        assert_eq!(*heard.0.lock().unwrap(), ["failed to match any cache with layers"]);
        assert!(exported.metadata().is_empty());
        assert!(strict.memory().tags().is_empty() && strict.memory().digests().is_empty());
    }
}

#[tokio::test]
async fn a_record_whose_newest_result_lacks_a_blob_gives_an_older_one() {
    let (build, blobs) = build();
    build.remove(&blobs[2].digest);
    let mut chains = CacheChains::new();
    add(&mut chains, "a", &[(1, &blobs[..2]), (2, &blobs[1..])]);
    add(&mut chains, "b", &[(1, &blobs[2..])]);
    let (strict, tag, heard) = (StrictStore::new(), Name::Tag("t".into()), Heard::default());
    let exported = export(&chains, &build, &to(&strict, &tag), &heard.job()).await.unwrap();
    assert_eq!(exported.warnings.len(), 2);
    let config = strict.memory().blob(&exported.config.unwrap().digest).unwrap();
    let config = decode_config(&config).unwrap();
    assert_eq!(config.record(0).unwrap().results()[0].created_at, time(1));
    assert!(config.record(1).unwrap().results().is_empty());
    assert!(strict.memory().blob(&blobs[2].digest).is_none());
}

/// A provider that reports every blob and loses one when it is opened.
struct Vanishing(MemoryStore, Digest);

#[async_trait]
impl Provider for Vanishing {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        self.0.info(descriptor).await
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        self.0.remove(&self.1);
        self.0.open(descriptor, offset).await
    }
}

#[tokio::test]
async fn a_blob_that_vanishes_fails_the_export_and_nothing_is_named() {
    let (build, blobs) = build();
    let vanishing = Vanishing(build, blobs[1].digest);
    let mut chains = CacheChains::new();
    add(&mut chains, "a", &[(1, &blobs)]);
    let (strict, tag) = (StrictStore::new(), Name::Tag("t".into()));
    let error = export(&chains, &vanishing, &to(&strict, &tag), &Job::without_retries()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let ExportError::Write { step: Step::Layer, error: store } = &error else { panic!("{error}") };
    assert_eq!(store.side(), Some(Side::Source));
    assert!(error.to_string().contains(&blobs[1].digest.to_string()), "{error}");
    assert!(strict.memory().tags().is_empty());
}

#[tokio::test]
async fn a_store_that_cannot_tell_is_an_error_and_not_an_empty_cache() {
    let (_, blobs) = build();
    let down = Down(ErrorKind::Unavailable);
    let mut chains = CacheChains::new();
    add(&mut chains, "a", &[(1, &blobs)]);
    let (strict, tag) = (StrictStore::new(), Name::Tag("t".into()));
    let error = export(&chains, &down, &to(&strict, &tag), &Job::without_retries()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_cache_that_buildkit_would_not_import_is_exported_with_a_warning() {
    let (build, blobs) = build();
    let mut chains = CacheChains::new();
    for n in 0..12_000 {
        let digest = format!("sha256:{n:064x}");
        add(&mut chains, &digest, &[(n, &blobs[..1])]);
    }
    let (strict, tag) = (StrictStore::new(), Name::Tag("t".into()));
    let exported = export(&chains, &build, &to(&strict, &tag), &Job::without_retries()).await.unwrap();
    let [ExportWarning::TooLargeForBuildKit { what: "config", size }] = exported.warnings[..] else {
        panic!("{:?}", exported.warnings)
    };
    assert_eq!(size, exported.config.unwrap().size);
}

#[tokio::test]
async fn a_layer_of_an_unknown_media_type_is_kept_with_a_warning() {
    let build = MemoryStore::new();
    let odd = build.insert(MediaType::new("application/x-odd"), "odd");
    let mut chains = CacheChains::new();
    add(&mut chains, "a", &[(1, std::slice::from_ref(&odd))]);
    let (strict, tag) = (StrictStore::new(), Name::Tag("t".into()));
    let exported = export(&chains, &build, &to(&strict, &tag), &Job::without_retries()).await.unwrap();
    assert!(
        matches!(&exported.warnings[..], [ExportWarning::MediaType(warning)] if warning.digest == odd.digest)
    );
    let manifest = strict.read(&exported.manifest.unwrap(), &Job::without_retries()).await.unwrap();
    assert!(String::from_utf8_lossy(&manifest).contains("application/x-odd"));
}

#[tokio::test]
async fn a_closed_export_does_not_depend_on_the_order_of_the_adds() {
    let (build, blobs) = build();
    let mut configs = Vec::new();
    for order in [[0, 1], [1, 0]] {
        let mut chains = CacheChains::new();
        for n in order {
            add(&mut chains, "a", &[(n, &blobs[..=usize::try_from(n).unwrap()])]);
        }
        let (strict, tag) = (StrictStore::new(), Name::Tag("t".into()));
        chains.set_rule(Rule::Closed);
        configs.push(
            export(&chains, &build, &to(&strict, &tag).with_form(Form::Index), &Job::default())
                .await
                .unwrap()
                .config,
        );
    }
    assert_eq!(configs[0], configs[1]);
}

proptest! {
    /// Law: whichever blobs are absent, the exported config is the marshalled one, and all of its layers are stored.
    #[test]
    fn the_exported_config_is_the_marshalled_one(
        records in prop::collection::vec((0u8..4, 0i64..3, prop::collection::vec(0usize..3, 0..4)), 1..8),
        absent in prop::option::of(0usize..3),
        form in prop::sample::select(vec![Form::Manifest, Form::Index, Form::DockerList]),
    ) {
        let (build, blobs) = build();
        let mut chains = CacheChains::new();
        for (digest, seconds, layers) in &records {
            let layers: Vec<Descriptor> = layers.iter().map(|n| blobs[*n].clone()).collect();
            add(&mut chains, &digest.to_string(), &[(*seconds, &layers)]);
        }
        if let Some(absent) = absent {
            build.remove(&blobs[absent].digest);
        }
        let expected = chains.marshal(&|blob| build.blob(blob).is_some()).unwrap();
        let (strict, tag) = (StrictStore::new(), Name::Tag("t".into()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let exported = runtime.block_on(export(&chains, &build, &to(&strict, &tag).with_form(form), &Job::without_retries())).unwrap();
        match exported.config {
            None => prop_assert!(expected.config.layers().is_empty()),
            Some(config) => {
                let manifest = strict.memory().blob(&exported.manifest.unwrap().digest).unwrap();
                let manifest = CacheManifest::from_document(&ManifestOrIndex::decode(&manifest).unwrap()).unwrap();
                prop_assert_eq!(manifest.config.digest, config.digest);
                let config = decode_config(&strict.memory().blob(&config.digest).unwrap()).unwrap();
                prop_assert!(config == expected.config);
                let stored = |layer: &cache_model::ConfigLayer| strict.memory().blob(&layer.blob.unwrap()).is_some();
                prop_assert!(config.layers().iter().all(stored));
            }
        }
    }
}

#[test]
fn records_are_read_line_by_line_and_an_error_names_its_line() {
    let mut chains = CacheChains::new();
    let lines =
        "{\"digest\":\"a\"}\n\n{\"digest\":\"random:1\"}\r\n{\"digest\":\"b\",\"inputs\":[[{\"record\":0}]]}";
    let read = add_records(&mut chains, lines.as_bytes()).unwrap();
    assert_eq!((read.added, read.skipped), (2, 1));
    assert_eq!(chains.graph().unwrap().len(), 2);

    let error = |lines: &str| add_records(&mut CacheChains::new(), lines.as_bytes()).unwrap_err();
    assert!(matches!(error("\n \n"), RecordsError::Empty));
    let errors = [
        error(""),
        error("{\"digest\":\"a\"}\n{\"digest\""),
        error("{\"digest\":\"a\",\"inputs\":[[{\"record\":0}]]}"),
        error("{\"digest\":\"a\"}\n{\"digest\":\"b\",\"inputs\":[[{\"record\":7}]]}"),
        error("{\"digest\":\"random:a\"}\n{\"digest\":\"b\",\"inputs\":[[{\"record\":0}]]}"),
        error("{\"digest\":\"a\",\"inputs\":[[]]}"),
        error(
            "{\"digest\":\"a\",\"results\":[{\"createdAt\":\"2026-01-02T03:04:05Z\",\"layers\":[{\"mediaType\":\"\",\"digest\":\"sha256:../\",\"size\":1}]}]}",
        ),
    ];
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"));
}
