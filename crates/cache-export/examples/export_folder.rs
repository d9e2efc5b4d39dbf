//! Exports a cache of one step into a folder that `docker buildx build --cache-from` reads: `export_folder FOLDER`.
//!
//! The step's digest is made up here; a build engine takes that of its own definition.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::sync::Arc;

use cache_export::{Exporter, resolve_exporter};
use cache_ingest::{Job, MemoryStore};
use cache_model::{CacheChains, MediaType, NewResult, RecordDigest, Timestamp};
use cache_target::{Attributes, Targets};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("give the folder to write to")?;
    let build = MemoryStore::new();
    // The end of an archive: a layer without files.
    let layer = build.insert(MediaType::OCI_LAYER_TAR, vec![0; 1024]);
    let mut chains = CacheChains::new();
    let result = NewResult::new(chains.layers([&layer])?, Timestamp::now());
    chains.add(&RecordDigest::of_output("sha256:step", 0), &[], &[result])?;

    let mut attributes = Attributes::new("local");
    attributes.set("dest", &folder);
    let exporter = resolve_exporter(&Targets::with_local(), &attributes, Arc::new(build)).await?;
    let exported = exporter.finalize(&chains, &Job::default()).await?;
    for (key, value) in exported.metadata() {
        println!("{key}: {value}");
    }
    Ok(())
}
