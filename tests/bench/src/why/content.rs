//! A cache of large layers that were copied from a context, with the record of its build: for `bkcache verify --content`
//! beside `bkcache verify`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cache_explain::{Build, Instructions};
use cache_inputs::{ContextOptions, read_builds, read_context};
use cache_keys::{ContentRule, Tree};
use cache_model::{ANNOTATION_DIFF_ID, Descriptor, Digest, MediaType, RecordDigest};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::cache::{self, Made};
use super::context::write_random;
use super::record::Record;
use crate::random::SplitMix;

/// The layers of the cache.
pub(crate) const LAYERS: usize = 12;
/// The files in each layer. They have 1 MiB, and compress to a half: a layer has about 27 MB.
const FILES: usize = 48;

/// The cache, its context and the record of its build, in one folder.
pub(crate) struct Case {
    pub(crate) layout: PathBuf,
    pub(crate) context: PathBuf,
    pub(crate) record: PathBuf,
    /// The bytes of all layers.
    pub(crate) bytes: u64,
}

/// Makes the case in a folder.
pub(crate) fn make(folder: &Path) -> Result<Case> {
    let [layout, context] = ["layout", "context"].map(|name| folder.join(name));
    let record = folder.join("record.json");
    let mut random = SplitMix(11);
    for layer in 0..LAYERS {
        fs::create_dir_all(context.join(source(layer)))?;
        for file in 0..FILES {
            write_random(&context.join(source(layer)).join(format!("file{file}")), 1 << 20, &mut random)?;
        }
    }
    let predicate = predicate();
    fs::write(&record, &predicate)?;
    let build = read_builds(&predicate)?.into_iter().next().context("a record without a build")?;
    let mut exporter = Exporter {
        build: &build,
        context: &context,
        tree: read_context(&context, &ContextOptions::default(), &())?,
        blobs: layout.join("blobs/sha256"),
        bytes: 0,
    };
    fs::create_dir_all(&exporter.blobs)?;
    let chains = cache::chains(&build, &mut exporter)?;
    let bytes = exporter.bytes;
    cache::write(&chains, &layout)?;
    Ok(Case { layout, context, record, bytes })
}

fn source(layer: usize) -> String {
    format!("part{layer}")
}

/// The record of a build that copies one folder after the other onto nothing.
fn predicate() -> Vec<u8> {
    let mut record = Record::default();
    let context = record.context();
    let last = (0..LAYERS).fold(None, |onto, layer| Some(record.copy(onto, context, &source(layer))));
    record.predicate(last.unwrap_or(context))
}

/// Makes the layers that a builder would export, and the contents of what it copied.
struct Exporter<'a> {
    build: &'a Build,
    tree: Tree,
    context: &'a Path,
    blobs: PathBuf,
    bytes: u64,
}

impl Made for Exporter<'_> {
    fn content(&mut self, _: usize, _: usize, rule: &ContentRule) -> Result<RecordDigest> {
        Ok(self.tree.content(rule)?)
    }

    fn layer(&mut self, step: usize) -> Result<Descriptor> {
        let instructions = Instructions::of(self.build);
        let instruction = instructions.text(step).context("a step without an instruction")?;
        let name = instruction.rsplit('/').next().context("a copy without a destination")?;
        let path = self.blobs.join("layer");
        let layer = write_layer(&self.context.join(name), name, &path);
        let (digest, diff_id, size) = layer.with_context(|| format!("cannot write {}", path.display()))?;
        fs::rename(&path, self.blobs.join(digest.hex()))?;
        self.bytes += size;
        let layer = Descriptor::new(MediaType::OCI_LAYER_GZIP, digest, size);
        Ok(layer.with_annotation(ANNOTATION_DIFF_ID, &diff_id.to_string()))
    }
}

/// Writes a folder as a layer; its digest, diff ID and size.
fn write_layer(folder: &Path, name: &str, to: &Path) -> io::Result<(Digest, Digest, u64)> {
    let blob = HashWriter::new(BufWriter::new(File::create(to)?));
    let mut tar = tar::Builder::new(HashWriter::new(GzEncoder::new(blob, Compression::fast())));
    append(&mut tar, &format!("{name}/"), tar::EntryType::Directory, None)?;
    for file in 0..FILES {
        let path = folder.join(format!("file{file}"));
        append(&mut tar, &format!("{name}/file{file}"), tar::EntryType::Regular, Some(&path))?;
    }
    let (gzip, diff_id, _) = tar.into_inner()?.finish();
    let (mut file, digest, size) = gzip.finish()?.finish();
    file.flush()?;
    Ok((digest, diff_id, size))
}

fn append(
    tar: &mut tar::Builder<impl Write>,
    name: &str,
    kind: tar::EntryType,
    file: Option<&Path>,
) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(if kind.is_dir() { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    match file {
        Some(path) => {
            header.set_size(fs::metadata(path)?.len());
            tar.append_data(&mut header, name, File::open(path)?)
        }
        None => {
            header.set_size(0);
            tar.append_data(&mut header, name, io::empty())
        }
    }
}

/// Hashes and counts the bytes that it writes.
struct HashWriter<W> {
    to: W,
    hasher: Sha256,
    size: u64,
}

impl<W> HashWriter<W> {
    fn new(to: W) -> Self {
        Self { to, hasher: Sha256::new(), size: 0 }
    }

    fn finish(self) -> (W, Digest, u64) {
        (self.to, Digest::sha256(self.hasher.finalize().into()), self.size)
    }
}

impl<W: Write> Write for HashWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
