//! Says for each manifest in a folder, an OCI image layout, which form of a cache it has: `describe FOLDER`.
//!
//! It reads the files itself: the crate knows of bytes only.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::path::Path;

use cache_format::{ManifestOrIndex, Unpacked, decode_config, unpack};
use cache_model::Descriptor;

fn blob(folder: &Path, descriptor: &Descriptor) -> std::io::Result<Vec<u8>> {
    let digest = descriptor.digest;
    std::fs::read(folder.join("blobs").join(digest.to_string().replace(':', "/")))
}

fn describe(folder: &Path, descriptor: &Descriptor) -> Result<String, Box<dyn Error>> {
    let Unpacked::Cache(cache) = unpack(descriptor, &blob(folder, descriptor)?)? else {
        return Ok("no cache".to_owned());
    };
    let config = decode_config(&blob(folder, &cache.config)?)?;
    Ok(format!("form {}, {} layers, {} records", cache.form, cache.layers.len(), config.records_len()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("give the folder of a cache")?;
    let folder = Path::new(&folder);
    let ManifestOrIndex::Index(index) = ManifestOrIndex::decode(&std::fs::read(folder.join("index.json"))?)?
    else {
        return Err("index.json is no index".into());
    };
    for descriptor in &index.manifests {
        println!("{}: {}", descriptor.digest, describe(folder, descriptor)?);
    }
    Ok(())
}
