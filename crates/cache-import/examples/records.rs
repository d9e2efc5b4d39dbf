//! Prints the records of the cache in a folder, with their results: `records FOLDER`.
//!
//! It reads the manifest and the config, and no layer.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;

use cache_import::open;
use cache_ingest::{Job, LayoutOptions, LayoutStore, Name};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("give the folder of a cache")?;
    let (store, job) = (LayoutStore::open(folder, LayoutOptions::default()).await?, Job::default());
    let imported = open(&store, &Name::Unspecified, &job).await?.import(&store, &job).await?;
    for warning in &imported.warnings {
        println!("warning: {warning}");
    }
    let chains = imported.into_chains()?;
    for record in chains.graph()?.records() {
        let result = record.newest_result();
        let layers = result.map_or_else(String::new, |result| format!(", {} layers", result.layers_len()));
        println!("{}: {} inputs{layers}", record.digest(), record.inputs_len());
    }
    Ok(())
}
