//! Caches of random layers for the program to copy. The same seed gives the same caches.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use cache_export::{Destination, export};
use cache_ingest::{Job, LayoutOptions, LayoutStore, MemoryStore, Name};
use cache_model::{CacheChains, Digest, MediaType, NewResult, Timestamp};
use serde_json::json;
use tempfile::TempDir;

use crate::folders::scratch;
use crate::states::Random;

/// A cache of random layers.
pub(crate) struct Generated {
    layout: TempDir,
    /// The digest of its manifest.
    pub(crate) digest: Digest,
}

impl Generated {
    /// Makes a cache, and beside it the records from which an export makes the same cache.
    pub(crate) async fn new(rng: &mut Random) -> Result<Self> {
        let layers = MemoryStore::new();
        let media_type = MediaType::OCI_LAYER_TAR;
        let mut descriptors = Vec::new();
        for _ in 0..=rng.below(8) {
            let len = rng.below(96 << 10);
            let bytes: Vec<u8> = (0..len / 8).flat_map(|_| rng.next().to_le_bytes()).collect();
            descriptors.push(layers.insert(media_type.clone(), bytes));
        }
        let listed: Vec<_> = descriptors
            .iter()
            .map(|layer| json!({"mediaType": layer.media_type.to_string(), "digest": layer.digest.to_string(), "size": layer.size}))
            .collect();
        let results = json!([{"createdAt": "2026-01-02T03:04:05Z", "layers": listed}]);
        let record = json!({"digest": "sha256:step", "inputs": [], "results": results}).to_string();

        let mut chains = CacheChains::new();
        let layer = chains.layers(&descriptors)?;
        let created_at: Timestamp = "2026-01-02T03:04:05Z".parse()?;
        chains.add(&"sha256:step".into(), &[], &[NewResult { created_at, layer }])?;
        let layout = scratch()?;
        let store = LayoutStore::open(layout.path(), LayoutOptions::create().with_sync(false)).await?;
        let name = Name::Tag("latest".to_owned());
        let to = Destination::new(&store, &name);
        let exported = export(&chains, &layers, &to, &Job::default()).await?;
        let digest = exported.manifest.context("nothing was exported")?.digest;
        fs::write(layout.path().join("record"), &record).context("cannot write a record")?;
        Ok(Self { layout, digest })
    }

    /// The command that copies it, without the destination.
    pub(crate) fn copy(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.arg("copy").arg(self.layout.path());
        command
    }

    /// The command that exports the same cache from its records, without the destination.
    pub(crate) fn export(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.args(["export", "--records"]).arg(self.layout.path().join("record"));
        command.arg("--blobs").arg(self.layout.path()).arg("--to");
        command
    }
}
