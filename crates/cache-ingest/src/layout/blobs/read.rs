//! Streams a blob's file from a thread that may block.
//!
//! The thread is at most a few chunks ahead of whoever reads, and stops when no one reads any more.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::PathBuf;

use bytes::Bytes;
use cache_model::Digest;
use futures_util::stream;
use tokio::sync::mpsc;

use crate::layout::files::{blob_path, open_blob};
use crate::layout::store::LayoutStore;
use crate::layout::threads::blocking::blocking;
use crate::{ByteStream, Error, ErrorKind};

/// How many bytes are read at once.
const CHUNK: usize = 256 * 1024;
/// How many chunks may wait to be taken: enough that neither side waits for long, and no more, as many blobs are read
/// at once.
const AHEAD: usize = 1;

impl LayoutStore {
    /// The blob's bytes from an offset on.
    pub(crate) async fn open_stream(&self, digest: Digest, offset: u64) -> Result<ByteStream, Error> {
        let (store, path) = (self.clone(), blob_path(self.path(), &digest));
        stream_file(path, digest, offset, move || open_blob("open", store.path(), &digest)).await
    }
}

/// The bytes of a blob's file, which `open` opens and gives the size of, from an offset on.
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
        // The whole rest: most blobs of a cache are small, and need no thread of their own.
        return Ok(Box::pin(stream::iter((!first.is_empty()).then_some(Ok(first)))));
    }
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || read_on(file, first, &sender, failed));
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
    // By itself `read_to_end` begins with small pieces, each time.
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
