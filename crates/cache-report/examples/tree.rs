//! Shows the cache in a folder as a tree of records: `tree FOLDER`.
//!
//! The folder is read by `cache-import`; this crate only shows.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;

use cache_import::open;
use cache_ingest::{Job, LayoutOptions, LayoutStore, Name};
use cache_report::{Cache, Inspection, Tree};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("give the folder of a cache")?;
    let (store, job) = (LayoutStore::open(folder, LayoutOptions::default()).await?, Job::default());
    let imported = open(&store, &Name::Unspecified, &job).await?.import(&store, &job).await?;
    for found in &imported.caches {
        let cache = Cache::new(&found.origin, &found.config, &found.layers);
        let inspection = Inspection::of(&cache);
        println!("{} records, {} layers", inspection.records, inspection.layers);
        print!("{}", Tree::of(&cache));
    }
    Ok(())
}
