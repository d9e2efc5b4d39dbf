//! The caches that are copied, as OCI layouts of always the same bytes.
//!
//! They have the form of an image manifest, which skopeo accepts. A layer is a gzip header and random bytes, so that no
//! program compresses it. None of the measured crates takes part in making them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::digest::digest_of;
use crate::random::SplitMix;

/// The seed of every cache.
const SEED: u64 = 42;
/// The first bytes of a gzip file.
const GZIP: [u8; 8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0];
const CREATED: &str = "2026-01-02T03:04:05Z";

/// The layers of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Blobs {
    /// 12 of 27 MB
    Large,
    /// 2,000 of 4 KiB
    Small,
    /// 127 of 4 KiB
    Steps,
}

impl Blobs {
    pub(crate) fn count(self) -> u32 {
        match self {
            Self::Large => 12,
            Self::Small => 2000,
            Self::Steps => 127,
        }
    }

    /// The size of each in bytes.
    pub(crate) fn size(self) -> u32 {
        match self {
            Self::Large => 27_000_000,
            Self::Small | Self::Steps => 4096,
        }
    }

    /// The size of all in bytes.
    pub(crate) fn total(self) -> u64 {
        u64::from(self.count()) * u64::from(self.size())
    }
}

impl fmt::Display for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Large => "12 layers of 27 MB",
            Self::Small => "2,000 layers of 4 KiB",
            Self::Steps => "127 layers of 4 KiB",
        })
    }
}

/// A layout in a folder.
pub(crate) struct Layout {
    path: PathBuf,
    blobs: BTreeSet<OsString>,
}

/// Makes the layout of a cache in a folder.
pub(crate) fn make(blobs: Blobs, path: &Path) -> Result<Layout> {
    let folder = path.join("blobs/sha256");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut random = SplitMix(SEED);
    let mut descriptors = Vec::new();
    let mut layers = Vec::new();
    let mut records = Vec::new();
    for number in 0..blobs.count() {
        let digest = layer(blobs.size(), &mut random, &folder)?;
        descriptors.push(json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": digest,
            "size": blobs.size(),
            "annotations": {"buildkit/createdat": CREATED},
        }));
        layers.push(json!({"blob": digest, "parent": -1}));
        records.push(json!({
            "digest": digest_of(format!("record{number}").as_bytes()),
            "layers": [{"layer": number, "createdAt": CREATED}],
        }));
    }
    write_layout(path, &json!({"layers": layers, "records": records}), &descriptors)?;
    Ok(Layout { path: path.to_owned(), blobs: names(path)? })
}

/// Writes all of a layout but the layers, which these descriptors name.
pub(crate) fn write_layout(path: &Path, config: &Value, layers: &[Value]) -> Result<()> {
    let folder = path.join("blobs/sha256");
    let config = small(&folder, config)?;
    let (digest, size) = small(
        &folder,
        &json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.buildkit.cacheconfig.v0",
                "digest": config.0,
                "size": config.1,
            },
            "layers": layers,
        }),
    )?;
    let entry = json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": digest,
        "size": size,
        "annotations": {"org.opencontainers.image.ref.name": "latest"},
    });
    write(&path.join("index.json"), &json!({"schemaVersion": 2, "manifests": [entry]}).to_string())?;
    write(&path.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
}

/// Writes a layer piece by piece; its digest.
fn layer(size: u32, random: &mut SplitMix, folder: &Path) -> Result<String> {
    let path = folder.join("layer");
    let failed = || format!("cannot write {}", path.display());
    let mut file = BufWriter::new(File::create(&path).with_context(failed)?);
    let mut hasher = Sha256::new();
    for at in (0..size).step_by(8) {
        let piece = if at == 0 { GZIP } else { random.next().to_le_bytes() };
        hasher.update(piece);
        file.write_all(&piece).with_context(failed)?;
    }
    file.flush().with_context(failed)?;
    let hex = const_hex::encode(hasher.finalize());
    fs::rename(&path, folder.join(&hex)).with_context(failed)?;
    Ok(format!("sha256:{hex}"))
}

/// Writes a blob of JSON; its digest and size.
fn small(folder: &Path, value: &Value) -> Result<(String, usize)> {
    let text = value.to_string();
    let digest = digest_of(text.as_bytes());
    let name = digest.strip_prefix("sha256:").unwrap_or(&digest);
    write(&folder.join(name), &text)?;
    Ok((digest, text.len()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The names of a layout's blobs.
fn names(path: &Path) -> Result<BTreeSet<OsString>> {
    let folder = path.join("blobs/sha256");
    let read = || fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect();
    let names: std::io::Result<_> = read();
    names.with_context(|| format!("cannot read {}", folder.display()))
}

impl Layout {
    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// An error unless a folder has exactly the blobs of this layout.
    pub(crate) fn check_copy(&self, copy: &Path) -> Result<()> {
        if names(copy)? != self.blobs {
            bail!("{} has other blobs than what it is a copy of", copy.display());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_cache_is_always_the_same_and_a_copy_of_itself_alone() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        let layout = make(Blobs::Small, &one).unwrap();
        make(Blobs::Small, &other).unwrap();
        assert_eq!(layout.blobs.len(), 2002, "layers, config and manifest");
        layout.check_copy(&other).unwrap();
        assert_eq!(fs::read(one.join("index.json")).unwrap(), fs::read(other.join("index.json")).unwrap());
        let first = layout.blobs.first().unwrap();
        fs::remove_file(other.join("blobs/sha256").join(first)).unwrap();
        assert!(layout.check_copy(&other).is_err());
    }
}
