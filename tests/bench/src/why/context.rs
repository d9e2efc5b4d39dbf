//! A context of many files: how long reading it as a tree takes, beside reading and hashing the same files with nothing else.

use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cache_inputs::{ContextOptions, read_context};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::memory::peak_bytes;
use crate::random::SplitMix;

/// The folders of the context.
const FOLDERS: usize = 200;
/// The files in each folder: 20,000 in all.
const FILES: usize = 100;
/// The size of a file in bytes: 500 MB in all.
const SIZE: u64 = 25_000;
/// The number of bytes that are read at once.
const BUFFER: usize = 1 << 16;

/// Writes the context to a folder.
pub(crate) fn make(folder: &Path) -> Result<()> {
    let mut random = SplitMix(7);
    for path in paths(folder) {
        let failed = || format!("cannot write {}", path.display());
        fs::create_dir_all(path.parent().unwrap_or(folder)).with_context(failed)?;
        write_random(&path, SIZE, &mut random).with_context(failed)?;
    }
    Ok(())
}

/// Writes a file of hexadecimal digits, which compress to a half.
pub(crate) fn write_random(path: &Path, size: u64, random: &mut SplitMix) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut left = usize::try_from(size).unwrap_or(usize::MAX);
    while left > 0 {
        let digits = const_hex::encode(random.next().to_le_bytes());
        let piece = digits.as_bytes().get(..left.min(digits.len())).unwrap_or_default();
        file.write_all(piece)?;
        left -= piece.len();
    }
    file.flush()
}

/// The time in which all processors together read and hash the files: no program reads a context faster.
pub(crate) fn limit(folder: &Path) -> Result<Duration> {
    let paths: Vec<PathBuf> = paths(folder).collect();
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..thread::available_parallelism()?.get())
            .map(|_| {
                scope.spawn(|| {
                    let mut buffer = vec![0; BUFFER];
                    while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                        hash(path, &mut buffer).with_context(|| format!("cannot read {}", path.display()))?;
                    }
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(hashed) => hashed,
            Err(_) => anyhow::bail!("a thread that hashes ended early"),
        })
    })?;
    Ok(start.elapsed())
}

fn hash(path: &Path, buffer: &mut [u8]) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    loop {
        let len = file.read(buffer)?;
        if len == 0 {
            std::hint::black_box(hasher.finalize());
            return Ok(());
        }
        hasher.update(buffer.get(..len).unwrap_or_default());
    }
}

fn paths(folder: &Path) -> impl Iterator<Item = PathBuf> {
    (0..FOLDERS * FILES)
        .map(move |n| folder.join(format!("folder{}", n / FILES)).join(format!("file{}", n % FILES)))
}

/// Measures in this process how long the context is read as a tree.
pub(crate) fn measure(folder: &Path) -> Result<Value> {
    let start = Instant::now();
    let tree = read_context(folder, &ContextOptions::default(), &())?;
    let time = start.elapsed();
    let files = tree.iter().filter(|(_, entry)| !entry.is_folder()).count();
    let peak = peak_bytes().context("this system does not report the peak memory of a process")?;
    Ok(json!({"time_ns": u64::try_from(time.as_nanos())?, "files": files, "peak_bytes": peak}))
}
