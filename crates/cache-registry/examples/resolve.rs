//! Prints the digest, size and media type of a reference: `resolve registry.example.com/app:cache`.
//!
//! It uses the credentials that Docker and Podman store, and reads one manifest.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;

use cache_ingest::Resolver;
use cache_registry::{Client, ClientOptions, RegistryStore};
use cache_target::Reference;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let reference: Reference = std::env::args().nth(1).ok_or("give a reference with its host")?.parse()?;
    let client = Client::new(ClientOptions::default())?;
    let store = RegistryStore::new(&client, reference.repository());
    let manifest = store.resolve(&reference.name()).await?.descriptor;
    println!("{} {} {}", manifest.digest, manifest.size, manifest.media_type);
    Ok(())
}
