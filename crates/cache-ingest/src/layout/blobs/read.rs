//! Streams a blob's file from a thread that may block.
//!
//! The thread is at most a few chunks ahead of the reader, and stops when the stream is dropped.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use cache_model::Digest;
use futures_util::stream;
use tokio::sync::mpsc;

use crate::layout::files::{blob_path, open_blob};
use crate::layout::threads::blocking::blocking;
use crate::runtime::runtime;
use crate::{ByteStream, Error, ErrorKind};

/// How many bytes are read at once.
const CHUNK: usize = 256 * 1024;
/// How many chunks may wait for the reader. Few, since many blobs are read at once.
const AHEAD: usize = 1;

/// The bytes of a blob of the layout at `root`, from an offset on.
pub(crate) async fn open_stream(root: &Path, digest: Digest, offset: u64) -> Result<ByteStream, Error> {
    let (root, path) = (root.to_owned(), blob_path(root, &digest));
    stream_file(path, digest, offset, move || open_blob("open", &root, &digest)).await
}

/// The bytes of a blob's file from an offset on. `open` opens the file and gives its size in bytes.
pub(crate) async fn stream_file(
    path: PathBuf,
    digest: Digest,
    offset: u64,
    open: impl FnOnce() -> Result<(File, u64), Error> + Send + 'static,
) -> Result<ByteStream, Error> {
    let failed = move |cause| Error::io("read", path.display(), cause);
    let (file, first, failed) = blocking("open", move || {
        let (mut file, size) = open()?;
        if offset > size {
            let reason = format_args!("offset {offset} is beyond its {size} bytes");
            return Err(Error::new(ErrorKind::Invalid, "open", digest, reason));
        }
        let first = file.seek(SeekFrom::Start(offset)).and_then(|_| next(&mut file)).map_err(&failed)?;
        Ok((file, first, failed))
    })
    .await?;
    if first.len() < CHUNK {
        // That is the whole rest. Most blobs of a cache are small, and need no thread of their own.
        return Ok(Box::pin(stream::iter((!first.is_empty()).then_some(Ok(first)))));
    }
    let (sender, receiver) = mpsc::channel(AHEAD);
    runtime("open")?.spawn_blocking(move || read_on(file, first, &sender, failed));
    Ok(Box::pin(stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    })))
}

fn read_on(
    mut file: File,
    first: Bytes,
    sender: &mpsc::Sender<Result<Bytes, Error>>,
    error: impl Fn(io::Error) -> Error,
) {
    let mut chunk = Ok(first);
    while !matches!(&chunk, Ok(bytes) if bytes.is_empty()) {
        let failed = chunk.is_err();
        if sender.blocking_send(chunk).is_err() || failed {
            return;
        }
        chunk = next(&mut file).map_err(&error);
    }
}

/// The next bytes of a file; none at its end.
#[cfg(unix)]
fn next(file: &mut File) -> io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(CHUNK);
    // `read_to_end` would begin with small pieces, each time.
    while bytes.len() < CHUNK {
        match rustix::io::read(&*file, rustix::buffer::spare_capacity(&mut bytes)) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error == rustix::io::Errno::INTR => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes.into())
}

/// The next bytes of a file; none at its end.
#[cfg(not(unix))]
fn next(file: &mut File) -> io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(CHUNK);
    io::Read::read_to_end(&mut io::Read::take(file, CHUNK as u64), &mut bytes)?;
    Ok(bytes.into())
}
