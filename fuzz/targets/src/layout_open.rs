//! A hostile folder as an OCI layout: opened, listed, resolved, read, imported and verified.
//!
//! Reading it never panics or hangs, never gives bytes that do not fit their digest, never gives content from outside of
//! the folder, and changes nothing in it.

mod folder;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use arbitrary::{Arbitrary, Unstructured};
use cache_ingest::{Hasher, Job, LayoutOptions, LayoutStore, Name, Provider, ProviderExt, Resolver};
use cache_model::{Descriptor, Digest, OneLine};
use cache_report::{JsonView, Summary, Tree};
use cache_verify::VerifyOptions;
use futures_util::StreamExt;
use tokio::runtime::{Builder, Runtime};

use crate::check::{assert_one_line, assert_says_something};
use folder::{CANARY, Made, RawFolder};

/// The most bytes of metadata that are read.
const MAX_METADATA: u64 = 64 << 10;
/// The most bytes that a layer may expand to.
const MAX_EXPANSION: u64 = 1 << 20;

thread_local! {
    /// A runtime with a paused clock, which skips every wait.
    static RUNTIME: Runtime =
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
}

/// Runs the target on some bytes.
pub fn run(bytes: &[u8]) {
    if holds_canary(bytes) {
        // A fuzzer may learn the canary's text and put it into the folder itself.
        return;
    }
    let Ok(raw) = RawFolder::arbitrary(&mut Unstructured::new(bytes)) else { return };
    let made = raw.make();
    let before = listing(&made.layout);
    RUNTIME.with(|runtime| runtime.block_on(look_at(&made)));
    assert_eq!(listing(&made.layout), before, "reading has changed the folder");
}

fn job() -> Job {
    Job::without_retries().with_max_metadata(MAX_METADATA).with_concurrency(2)
}

async fn look_at(made: &Made) {
    let store = match LayoutStore::open(&made.layout, LayoutOptions::default()).await {
        Ok(store) => store,
        Err(error) => return check_error(&error),
    };
    let mut descriptors = Vec::new();
    match store.entries().await {
        Ok(entries) => {
            for entry in &entries {
                match entry.descriptor() {
                    Ok(descriptor) => descriptors.push(descriptor.clone()),
                    Err(error) => check_error(&error),
                }
            }
        }
        Err(error) => check_error(&error),
    }
    if let Err(error) = store.tags().await {
        check_error(&error);
    }
    let mut names = vec![Name::Unspecified];
    names.extend(folder::NAMES.iter().map(|name| Name::Tag((*name).to_owned())));
    names.extend(made.digests.iter().copied().map(Name::Digest));
    let mut seen = Vec::new();
    for name in &names {
        match store.resolve(name).await {
            // More names for one manifest would only take more time.
            Ok(resolved) if seen.contains(&resolved.descriptor) => {}
            Ok(resolved) => {
                seen.push(resolved.descriptor);
                import(&store, name).await;
                verify(&store, name).await;
            }
            Err(error) => check_error(&error),
        }
    }
    descriptors.extend(seen);
    for descriptor in &descriptors {
        read(&store, descriptor).await;
    }
}

async fn read(store: &LayoutStore, descriptor: &Descriptor) {
    match store.read(descriptor, &job()).await {
        Ok(bytes) => check_bytes(&bytes, &descriptor.digest, Some(descriptor.size)),
        Err(error) => check_error(&error),
    }
    if let Err(error) = store.info(descriptor).await {
        check_error(&error);
    }
    // A stream is not verified, but it must come from the folder, too.
    match store.open(descriptor, 0).await {
        Ok(mut stream) => {
            let mut bytes = Vec::new();
            while let Some(chunk) = stream.next().await {
                bytes.extend_from_slice(&chunk.unwrap_or_default());
            }
            check_inside(&bytes);
        }
        Err(error) => check_error(&error),
    }
    if let Some(mut file) = store.file(descriptor) {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut bytes).expect("a regular file can be read");
        check_inside(&bytes);
    }
}

async fn import(store: &LayoutStore, name: &Name) {
    let job = job();
    let opened = match cache_import::open(store, name, &job).await {
        Ok(opened) => opened,
        Err(error) => return check_error(&error),
    };
    check_bytes(&opened.bytes, &opened.descriptor.digest, Some(opened.descriptor.size));
    match opened.import(store, &job).await {
        Ok(imported) => {
            for cache in &imported.caches {
                let config = cache.origin.config();
                check_bytes(&cache.config_bytes, &config.digest, Some(config.size));
                check_views(cache, &opened);
            }
            imported.warnings.iter().for_each(assert_says_something);
            match imported.into_chains() {
                Ok(united) => drop(united.marshal(&|_| true)),
                Err(error) => check_error(&error),
            }
        }
        Err(error) => check_error(&error),
    }
}

/// Text about a cache for people has one line for each item and no control characters, whatever the cache contains.
fn check_views(cache: &cache_import::ImportedCache, opened: &cache_import::OpenedCache) {
    let view = cache_report::Cache::new(&cache.origin, &cache.config, &cache.layers);
    for text in [Summary::of("", &opened.descriptor, &view).to_string(), Tree::of(&view).to_string()] {
        assert!(text.lines().all(|line| OneLine(line).to_string() == line), "{text:?}");
    }
    let caches = [view];
    let json = JsonView::new("", &opened.descriptor, &caches).with_manifest(opened.manifest());
    assert!(!json.to_string().is_empty());
}

async fn verify(store: &LayoutStore, name: &Name) {
    let options = VerifyOptions::default().with_max_expansion(MAX_EXPANSION);
    match cache_verify::verify(store, name, &options, &job()).await {
        Ok(report) => report.findings.iter().for_each(check_error),
        Err(error) => check_error(&error),
    }
}

fn check_bytes(bytes: &[u8], digest: &Digest, size: Option<u64>) {
    assert_eq!(
        Hasher::digest(digest.algorithm(), bytes),
        *digest,
        "bytes that are not what their digest says"
    );
    assert!(size.is_none_or(|size| size == bytes.len() as u64), "the number of bytes is not the stated size");
    check_inside(bytes);
}

/// Checks an error or a finding: it has one line and nothing from outside of the folder.
fn check_error(error: &impl std::fmt::Display) {
    assert_one_line(error);
    check_inside(error.to_string().as_bytes());
}

fn check_inside(bytes: &[u8]) {
    assert!(!holds_canary(bytes), "content from outside of the folder was read");
}

fn holds_canary(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|window| window == CANARY)
}

/// All entries below a folder: path, kind, length, time of the last change.
fn listing(root: &Path) -> Vec<(PathBuf, String, u64, Option<SystemTime>)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.path().symlink_metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            let kind = format!("{:?}", metadata.file_type());
            found.push((entry.path(), kind, metadata.len(), metadata.modified().ok()));
        }
    }
    found.sort();
    found
}
