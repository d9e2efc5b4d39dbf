//! The exporter as a build engine uses it: made from attributes, owned, in the requested form.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use cache_export::{CacheExporter, Destination, ExportError, Exporter, export, resolve_exporter};
use cache_ingest::{ByteStream, Error, ErrorKind, Info, Job, MemoryStore, Name, Provider};
use cache_model::{CacheChains, Compression, Descriptor, MediaType, NewResult, Timestamp};
use cache_target::{Attributes, ExportAttributes, Mode, Opened, Role, Targets};

fn build() -> (Arc<MemoryStore>, CacheChains) {
    let store = MemoryStore::new();
    let blob = store.insert(MediaType::new("application/vnd.oci.image.layer.v1.tar"), "a layer");
    let mut chains = CacheChains::new();
    let layer = chains.layers([&blob]).unwrap();
    chains.add(&"sha256:step".into(), &[], &[NewResult { created_at: Timestamp::ZERO, layer }]).unwrap();
    (Arc::new(store), chains)
}

async fn resolve(attributes: &str, build: Arc<MemoryStore>) -> Result<CacheExporter, ExportError> {
    let attributes = Attributes::parse(attributes, Role::Destination).unwrap();
    let targets = Targets::with_local().with_export_attributes(ExportAttributes::BUILD);
    resolve_exporter(&targets, &attributes, build).await
}

#[tokio::test]
async fn attributes_become_an_exporter_that_keeps_to_all_of_them() {
    let (build, chains) = build();
    let folder = tempfile::tempdir().unwrap();
    let dest = folder.path().join("cache");
    let all = format!(
        "type=local,dest={},image-manifest=false,mode=max,compression=zstd,compression-level=3",
        dest.display()
    );
    let exporter = resolve(&all, build).await.unwrap();
    assert!(format!("{exporter:?}").starts_with("CacheExporter"));
    let exporter: Box<dyn Exporter> = Box::new(exporter);
    assert_eq!(exporter.name(), format!("exporting cache to {}", dest.display()));
    assert_eq!(exporter.config().mode, Some(Mode::Max));
    assert_eq!(exporter.config().compression, Some(Compression::Zstd));
    assert_eq!(exporter.config().compression_level, Some(3));
    // It is owned, so it can finish on another task.
    let finished = tokio::spawn(async move { exporter.finalize(&chains, &Job::default()).await });
    let exported = finished.await.unwrap().unwrap();
    assert_eq!(exported.manifest.unwrap().media_type, MediaType::OCI_INDEX);
}

#[tokio::test]
async fn a_form_that_does_not_exist_is_refused_when_the_exporter_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let attributes =
        format!("type=local,dest={},image-manifest=true,oci-mediatypes=false", folder.path().display());
    let error = resolve(&attributes, build().0).await.unwrap_err();
    assert!(matches!(error, ExportError::Format(_)), "{error}");
}

#[tokio::test]
async fn a_source_is_no_destination() {
    let target = Opened::source("/cache", Name::Unspecified, Arc::new(MemoryStore::new()));
    let error = Destination::of(&target).unwrap_err();
    assert_eq!(error.to_string(), "/cache was opened to be read, not written");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

/// A provider that reports every blob and cannot read any.
struct BrokenDisk(Arc<MemoryStore>);

#[async_trait]
impl Provider for BrokenDisk {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        self.0.info(descriptor).await
    }

    async fn open(&self, descriptor: &Descriptor, _: u64) -> Result<ByteStream, Error> {
        Err(Error::io("open", descriptor.digest, io::Error::other("input/output error")))
    }
}

#[tokio::test]
async fn a_failure_names_the_step_and_prints_each_cause_once() {
    let (build, chains) = build();
    let (store, name) = (MemoryStore::new(), Name::Tag("t".into()));
    let to = Destination::new(&store, &name);
    let error = export(&chains, &BrokenDisk(build), &to, &Job::without_retries()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("error writing layer blob: "), "{text}");
    assert_eq!(text.matches("input/output error").count(), 1, "{text}");
    let mut cause = error.source();
    while let Some(error) = cause {
        assert!(!text.contains(&error.to_string()), "{error} in {text}");
        cause = error.source();
    }
}
