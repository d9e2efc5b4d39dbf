//! The limits of the machine, which no copy can exceed: the speed of durable writes and of hashing. And a fair start for
//! each run.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::layouts::Blobs;
use crate::process::run_quietly;
use crate::random::SplitMix;

/// The number of bytes that are written at once.
const PIECE: u32 = 8 << 20;
/// The memory that is touched beyond the size of the copied bytes.
const SPARE: u64 = 256 << 20;

/// Writes back the data of the run before, and makes sure of free memory.
///
/// The host of a virtual machine takes free memory away. Getting it back takes the first process that touches it longer
/// than copying. So this process touches as much as a run needs, and frees it.
pub(crate) fn settle(bytes: u64) -> Result<()> {
    run_quietly(&mut Command::new("sync"))?;
    drop(black_box(vec![1u8; usize::try_from(bytes + SPARE)?]));
    Ok(())
}

/// Asks the file system to put the folders in this one far from each other, as ext4 can.
///
/// After many deletions in the last minutes, ext4 skips the inode of each deleted file before it makes a new file nearby,
/// which takes ten times as long as making it. Spread folders keep the copies of one run out of the way of the next. A
/// file system that cannot be asked is left as it is.
pub(crate) fn spread_folders(folder: &Path) {
    let _ = Command::new("chattr").arg("+T").arg(folder).output();
}

/// A new folder in another, removed when it is dropped.
pub(crate) fn folder_in(path: &Path, prefix: &str) -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(path);
    folder.with_context(|| format!("cannot make a folder in {}", path.display()))
}

/// The time to write as many bytes durably: large blobs as one file in pieces with one fsync, small ones as files with an
/// fsync each.
pub(crate) fn write_and_sync(blobs: Blobs, folder: &Path) -> Result<Duration> {
    let failed = || format!("cannot write to {}", folder.display());
    fs::create_dir(folder).with_context(failed)?;
    let mut random = SplitMix(1);
    let piece: Vec<u8> = (0..PIECE / 8).flat_map(|_| random.next().to_le_bytes()).collect();
    let (files, bytes) = match blobs {
        Blobs::Large => (1, blobs.total()),
        Blobs::Small | Blobs::Steps => (blobs.count(), u64::from(blobs.size())),
    };
    let start = Instant::now();
    for number in 0..files {
        write_file(&folder.join(number.to_string()), bytes, &piece).with_context(failed)?;
    }
    Ok(start.elapsed())
}

/// The time in which all processors together hash as many blobs of that size in memory.
pub(crate) fn hash(blobs: Blobs) -> Result<Duration> {
    let threads = u32::try_from(thread::available_parallelism()?.get())?;
    let blob = vec![1u8; usize::try_from(blobs.size())?];
    let start = Instant::now();
    thread::scope(|scope| {
        for thread in 0..threads {
            let share = (thread..blobs.count()).step_by(usize::try_from(threads).unwrap_or(1));
            let blob = &blob;
            scope.spawn(move || {
                share.for_each(|_| {
                    black_box(Sha256::digest(blob));
                });
            });
        }
    });
    Ok(start.elapsed())
}

fn write_file(path: &Path, bytes: u64, piece: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    let mut left = bytes;
    while left > 0 {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        file.write_all(piece.get(..len).unwrap_or_default())?;
        left -= len as u64;
    }
    file.sync_all()
}
