//! The measured stages, each with its own time.
//!
//! This is the only file of the graph bench that calls the measured crates. Values are dropped as soon as no later stage
//! needs them, outside of the measured time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cache_format::{CacheManifest, ManifestOrIndex, decode_config, encode_config};
use cache_model::CacheChains;

/// The times of one run, and its output.
pub(crate) struct Stages {
    pub(crate) decode: Duration,
    pub(crate) load: Duration,
    pub(crate) marshal: Duration,
    pub(crate) encode: Duration,
    /// The text of the config.
    pub(crate) encoded: Vec<u8>,
}

/// Takes a cache from bytes to bytes: decode config and index, load, marshal, encode the config.
pub(crate) fn stages(config: &[u8], index: &[u8]) -> Result<Stages> {
    let start = Instant::now();
    let document = ManifestOrIndex::decode(index).context("the index")?;
    let config = decode_config(config).context("the config")?;
    let decode = start.elapsed();
    let manifest = CacheManifest::from_document(&document).context("the index is no cache")?;
    drop(document);

    let start = Instant::now();
    let loaded = CacheChains::from_config(&config, &manifest.layers)?;
    let load = start.elapsed();
    if let Some(dropped) = loaded.dropped.first() {
        bail!("{dropped}");
    }
    let chains = loaded.chains;
    drop((config, manifest));

    let start = Instant::now();
    let marshalled = chains.marshal(&|_| true)?;
    let marshal = start.elapsed();
    if let Some(warning) = marshalled.warnings.first() {
        bail!("{warning}");
    }

    let start = Instant::now();
    let encoded = encode_config(&marshalled.config);
    let encode = start.elapsed();
    Ok(Stages { decode, load, marshal, encode, encoded })
}
