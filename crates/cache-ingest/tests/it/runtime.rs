//! What needs a Tokio runtime fails with an error outside of one, and never with a panic.

use cache_ingest::{
    BlobFolder, Error, ErrorKind, LayoutOptions, LayoutStore, MemoryStore, Step, Stored, copy,
};
use futures_util::FutureExt;

use crate::faults::{Fault, Faulty, describe, noise, options};

/// The error of an outcome that came without waiting.
fn needs_a_runtime<T: std::fmt::Debug>(outcome: Option<Result<T, Error>>) -> Error {
    let error = outcome.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("there is no Tokio runtime"), "{error}");
    error
}

#[test]
fn stores_on_disk_are_an_error_without_a_runtime() {
    let folder = tempfile::tempdir().unwrap();
    for options in [LayoutOptions::default(), LayoutOptions::create()] {
        needs_a_runtime(LayoutStore::open(folder.path(), options).now_or_never());
    }
    needs_a_runtime(BlobFolder::open(folder.path()).now_or_never());

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let layout = runtime.block_on(LayoutStore::open(folder.path(), LayoutOptions::create())).unwrap();
    let memory = MemoryStore::new();
    let blob = memory.insert(cache_model::MediaType::default(), "a blob");
    needs_a_runtime(layout.entries().now_or_never());
    needs_a_runtime(copy(Step::Layer, &blob, &memory, &layout, &options(3)).now_or_never());
}

#[test]
fn a_copy_needs_a_runtime_only_to_retry_and_then_says_what_failed() {
    let bytes = noise(100, 1);
    let to = MemoryStore::new();
    let blob = describe(&bytes);
    let sound = Faulty::new(bytes.clone(), []);
    let copied = copy(Step::Layer, &blob, &sound, &to, &options(3)).now_or_never();
    assert_eq!(copied.unwrap().unwrap(), Stored::Stored);
    to.remove(&blob.digest);
    let broken = Faulty::new(bytes, [Fault::Break(50, ErrorKind::Unavailable)]);
    let error = needs_a_runtime(copy(Step::Layer, &blob, &broken, &to, &options(3)).now_or_never());
    assert!(error.cause_as::<Error>().unwrap().to_string().contains("the connection broke"), "{error:?}");
}
