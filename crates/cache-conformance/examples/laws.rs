//! Lists the laws, and for each whether the stores in memory and in a folder keep it.
//!
//! It needs no argument. The folders are temporary.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;

use cache_conformance::{Factory, Outcome, Store, run_all};
use cache_ingest::{LayoutOptions, LayoutStore, MemoryStore};

async fn show(name: &str, factory: &dyn Factory) {
    for (law, outcome) in run_all(factory).await.outcomes() {
        let outcome = match outcome {
            Outcome::Held => "holds".to_owned(),
            Outcome::LeftOut(what) => format!("left out, for it has no {what}"),
            Outcome::Broken(violation) => format!("broken: {violation}"),
        };
        println!("{name}: {law}: {outcome}");
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    show("memory", &|| async { Ok(Store::complete(MemoryStore::new()).with_sha512()) }).await;

    let folders = tempfile::tempdir()?;
    let path = folders.path();
    let number = std::sync::atomic::AtomicUsize::new(0);
    let fresh = || {
        let folder = path.join(number.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string());
        async { Ok(Store::complete(LayoutStore::open(folder, LayoutOptions::create()).await?)) }
    };
    show("folder", &fresh).await;
    Ok(())
}
