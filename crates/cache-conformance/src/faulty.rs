//! Providers with one fault, at a given byte.
//!
//! They hold their content in memory and have the same fault on every run.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use cache_ingest::{ByteStream, Error, ErrorKind, Info, Provider};
use cache_model::Descriptor;
use futures_util::{StreamExt, stream};
use tokio::sync::Notify;

use crate::Blob;

/// The fault of a provider. Bytes count from 0, from the start of the blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    Nothing,
    /// The content ends, cleanly, after this many bytes.
    EndsAt(u64),
    /// This many bytes that do not belong to the blob follow it.
    GoesOn(u32),
    /// The byte at this position is wrong. A position beyond the end changes nothing.
    Differs(u64),
    /// The stream gives an error in place of this byte.
    FailsAt {
        /// The byte.
        byte: u64,
        /// The kind of the error.
        kind: ErrorKind,
        /// The number of errors; after that there is no fault.
        times: u32,
    },
    /// The stream stalls in place of this byte, and does not end.
    StallsAt(u64),
    /// The stream panics in place of this byte.
    PanicsAt(u64),
    /// The bytes are right, but the provider gives this size.
    TellsSize(u64),
}

/// A provider of one blob with a fault.
#[derive(Debug)]
pub struct Faulty {
    descriptor: Descriptor,
    /// The right content.
    right: Bytes,
    /// The content that it serves as a stream.
    content: Bytes,
    /// The content that it serves as a file; `None` if it serves none.
    in_file: Option<Bytes>,
    fault: Fault,
    chunk: usize,
    /// The number of times that the fault will still show.
    left: AtomicU32,
    reached: Arc<Notify>,
}

impl Faulty {
    /// A provider of `blob` alone, with this fault. It serves chunks of 64 KiB.
    pub fn new(blob: &Blob, fault: Fault) -> Self {
        let mut content = blob.bytes.to_vec();
        match fault {
            Fault::EndsAt(byte) => content.truncate(usize::try_from(byte).unwrap_or(usize::MAX)),
            Fault::GoesOn(bytes) => content.extend((0..bytes).map(|_| b'+')),
            Fault::Differs(byte) => {
                if let Some(byte) = usize::try_from(byte).ok().and_then(|byte| content.get_mut(byte)) {
                    *byte ^= 1;
                }
            }
            _ => {}
        }
        let left = AtomicU32::new(if let Fault::FailsAt { times, .. } = fault { times } else { u32::MAX });
        Self {
            descriptor: blob.descriptor.clone(),
            right: blob.bytes.clone(),
            content: content.into(),
            in_file: None,
            fault,
            chunk: 64 * 1024,
            left,
            reached: Arc::default(),
        }
    }

    /// The same provider with chunks of `bytes` bytes, at least 1.
    #[must_use]
    pub fn in_chunks_of(mut self, bytes: usize) -> Self {
        self.chunk = bytes.max(1);
        self
    }

    /// The same provider, which also gives the blob as a file. A fault that makes content short, long or different shows in
    /// the file and in the stream. No other fault shows in the file.
    #[must_use]
    pub fn with_file(mut self) -> Self {
        self.in_file = Some(self.content.clone());
        self
    }

    /// The same provider, which also gives the blob as a file. A fault that makes content short, long or different shows in
    /// the file only, and the stream is right.
    #[must_use]
    pub fn with_file_alone(mut self) -> Self {
        self.in_file = Some(std::mem::replace(&mut self.content, self.right.clone()));
        self
    }

    /// The descriptor of the right content.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Waits until a stream has reached the byte that fails, stalls or panics. Only one caller may wait, once.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    fn missing(&self, operation: &'static str, descriptor: &Descriptor) -> Result<(), Error> {
        if descriptor.digest == self.descriptor.digest {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NotFound, operation, descriptor.digest, "only one blob is here"))
    }

    /// The byte at which the stream stops; `None` if the fault does not show this time.
    fn stop(&self) -> Option<u64> {
        match self.fault {
            Fault::StallsAt(byte) | Fault::PanicsAt(byte) => Some(byte),
            Fault::FailsAt { byte, .. } => {
                let spent =
                    self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
                spent.is_ok().then_some(byte)
            }
            _ => None,
        }
    }

    /// The item that the stream gives in place of the byte.
    fn end(&self) -> ByteStream {
        let (fault, digest, reached) = (self.fault, self.descriptor.digest, self.reached.clone());
        let at_end = stream::once(async move {
            reached.notify_one();
            match fault {
                Fault::StallsAt(_) => std::future::pending().await,
                // Panic without printing a message.
                Fault::PanicsAt(_) => resume_unwind(Box::new("the source panics")),
                Fault::FailsAt { kind, .. } => Err(Error::new(kind, "read", digest, "the source fails")),
                _ => Ok(Bytes::new()),
            }
        });
        Box::pin(at_end)
    }
}

#[async_trait]
impl Provider for Faulty {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        self.missing("look up", descriptor)?;
        Ok(Info::new(match self.fault {
            Fault::TellsSize(size) => size,
            _ => self.content.len() as u64,
        }))
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        self.missing("open", descriptor)?;
        let mut content = self.content.clone();
        let stop = self.stop();
        if let Some(stop) = stop {
            content.truncate(usize::try_from(stop.max(offset)).unwrap_or(usize::MAX));
        }
        let Some(start) = usize::try_from(offset).ok().filter(|start| *start <= content.len()) else {
            return Err(Error::new(
                ErrorKind::Invalid,
                "open",
                descriptor.digest,
                "the offset is beyond the end of the blob",
            ));
        };
        let mut rest = content.split_off(start);
        let chunk = self.chunk;
        let chunks = stream::iter(std::iter::from_fn(move || {
            (!rest.is_empty()).then(|| Ok(rest.split_to(chunk.min(rest.len()))))
        }));
        Ok(if stop.is_some() { Box::pin(chunks.chain(self.end())) } else { Box::pin(chunks) })
    }

    /// A temporary file without a name; `None` if it cannot be made.
    fn file(&self, descriptor: &Descriptor) -> Option<File> {
        self.missing("open", descriptor).ok()?;
        self.in_file.as_ref().and_then(|content| file_of(content).ok())
    }
}

fn file_of(content: &[u8]) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(content)?;
    file.rewind()?;
    Ok(file)
}

/// A provider that cannot be reached: it answers every request with an error of this kind.
#[derive(Clone, Copy, Debug)]
pub struct Down(pub ErrorKind);

impl Down {
    fn error(self, operation: &'static str, descriptor: &Descriptor) -> Error {
        Error::new(self.0, operation, descriptor.digest, "the store is down")
    }
}

#[async_trait]
impl Provider for Down {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        Err(self.error("look up", descriptor))
    }

    async fn open(&self, descriptor: &Descriptor, _: u64) -> Result<ByteStream, Error> {
        Err(self.error("open", descriptor))
    }
}
