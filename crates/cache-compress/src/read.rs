//! Reading a layer's blob once, for its digest and its content.
//!
//! The bytes are verified as they come in, and decompressed on another thread, which is at most a few chunks behind. The
//! content of a blob with the wrong digest is never given.

use std::io::{self, Read};
use std::thread::available_parallelism;

use bytes::Bytes;
use cache_ingest::{Error, ErrorKind, Job, Source};
use cache_model::Algorithm;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::LayerContent;
use crate::chunks::ChunkReader;
use crate::content::examine;

/// The most chunks that wait to be decompressed.
const AHEAD: usize = 4;

/// A layer's blob that was read to its end, or to the byte at which reading failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct LayerRead {
    /// The content, or why the blob could not be read.
    pub content: Result<LayerContent, Error>,
    /// The number of bytes that were read.
    pub bytes: u64,
}

/// How many layers a job may read at once. Each takes a thread that decompresses, and for Zstandard the window of its frames (up
/// to 128 MiB; frames with a larger one are not decompressed). So the cores are the limit, but two layers are always allowed.
pub fn read_concurrency(job: &Job) -> usize {
    let cores = available_parallelism().map_or(2, |cores| cores.get().max(2));
    job.concurrency.clamp(1, cores)
}

/// Reads a layer's blob, verifies it, and hashes the tar inside by each of `algorithms`. Decompression ends at the first
/// byte above `max_expansion`; the blob is then read on, so that it is verified all the same.
///
/// The error of the content is one of the source: the blob is missing or damaged, or the store fails. It is also an
/// error to call it outside of a Tokio runtime, whose threads for blocking work decompress. A blob that cannot be
/// decompressed is no error: its content says why.
pub async fn read_layer(source: &Source<'_>, algorithms: &[Algorithm], max_expansion: u64) -> LayerRead {
    read_layer_with(source, algorithms, max_expansion, |_| ()).await.0
}

/// As [`read_layer`], and hands the tar to a consumer in the same pass. The consumer runs on a thread that may block. It
/// need not read to the end; the rest is decompressed and hashed after it. A read of it fails with a
/// [`DecodeFailure`](crate::DecodeFailure) where the blob cannot be decompressed.
///
/// The consumer reads bytes that are not verified yet. So what it returns is given only where the blob has its digest,
/// which is where the content is no error.
pub async fn read_layer_with<T: Send + 'static>(
    source: &Source<'_>,
    algorithms: &[Algorithm],
    max_expansion: u64,
    consumer: impl FnOnce(&mut dyn Read) -> T + Send + 'static,
) -> (LayerRead, Option<T>) {
    let digest = source.descriptor().digest;
    let Ok(runtime) = Handle::try_current() else {
        return (LayerRead { content: Err(Error::no_runtime("decompress", digest)), bytes: 0 }, None);
    };
    let (sender, receiver) = mpsc::channel(AHEAD);
    let algorithms = algorithms.to_vec();
    let reader = ChunkReader::new(receiver);
    let examined =
        runtime.spawn_blocking(move || examine(reader, &algorithms, digest, max_expansion, consumer));
    let (read, bytes) = feed(source, sender).await;
    // The sender has been dropped, so the thread ends.
    let examined = examined.await.map_err(io::Error::from).flatten();
    let content = read.and_then(|()| {
        examined.map_err(|cause| Error::new(ErrorKind::Other, "decompress", digest, &cause).with_cause(cause))
    });
    match content {
        Ok((content, consumed)) => (LayerRead { content: Ok(content), bytes }, Some(consumed)),
        Err(error) => (LayerRead { content: Err(error), bytes }, None),
    }
}

/// Reads a blob to its end, and sends its chunks as long as there is a receiver. Also returns the number of bytes.
async fn feed(source: &Source<'_>, sender: mpsc::Sender<Bytes>) -> (Result<(), Error>, u64) {
    let mut sender = Some(sender);
    let mut reader = source.reader();
    let mut bytes = 0;
    loop {
        match reader.next_chunk().await {
            Ok(Some(chunk)) => {
                bytes += chunk.len() as u64;
                if let Some(open) = &sender
                    && open.send(chunk).await.is_err()
                {
                    sender = None;
                }
            }
            Ok(None) => return (Ok(()), bytes),
            Err(error) => return (Err(error), bytes),
        }
    }
}
