//! The verifying reader: a blob's bytes in order, opened again where they break off.
//!
//! It never ends cleanly unless the bytes are the blob, and never keeps more than one chunk.

use std::fmt;

use bytes::Bytes;
use futures_util::StreamExt;

use crate::runtime::pause;
use crate::{ByteStream, Error, ErrorKind, Retries, Source, Verifier};

/// Reads a [`Source`] from its first byte to its last, and verifies it.
///
/// The last chunk is handed out only after the whole blob has been verified. So a caller that has received as many bytes
/// as the descriptor says has the blob, and the last chunk of a blob with other content is never handed out.
pub struct SourceReader<'a> {
    source: &'a Source<'a>,
    stream: Option<ByteStream>,
    verifier: Verifier,
    /// The chunk that completed the size, until the end is known to follow.
    last: Option<Bytes>,
    /// How many of the coming bytes are verified but not handed out.
    hidden: u64,
    retries: Retries,
    state: ReaderState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReaderState {
    Reading,
    Verified,
    Failed,
}

impl Source<'_> {
    /// A verifying reader from the blob's first byte on.
    pub fn reader(&self) -> SourceReader<'_> {
        SourceReader::new(self, self.verifier(), 0)
    }

    /// A verifying reader that hands out the blob from an offset in bytes on, for a destination that has the bytes before
    /// it.
    ///
    /// It also reads and hashes the bytes before the offset, so that it verifies the whole blob as
    /// [`reader`](Self::reader) does. They are not reported as progress again.
    pub fn reader_at(&self, offset: u64) -> SourceReader<'_> {
        SourceReader::new(self, self.verifier(), offset)
    }

    /// A verifying reader that hands out the bytes that come after those that a verifier of this source has taken, and
    /// reads no others.
    pub(crate) fn reader_after(&self, taken: Verifier) -> SourceReader<'_> {
        SourceReader::new(self, taken, 0)
    }

    /// The whole blob, verified; [`ErrorKind::TooLarge`] before any reading when it has more than `limit` bytes.
    pub async fn read(&self, limit: u64) -> Result<Bytes, Error> {
        let size = self.descriptor().size;
        if size > limit {
            let digest = self.descriptor().digest;
            return Err(self.blame(Error::above_metadata_limit("read", digest, Some(size), limit)));
        }
        let mut reader = self.reader();
        let Some(first) = reader.next_chunk().await? else { return Ok(Bytes::new()) };
        let Some(second) = reader.next_chunk().await? else { return Ok(first) };
        // No more is set aside than has come: a descriptor may promise anything.
        let mut all = [first, second].concat();
        while let Some(chunk) = reader.next_chunk().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.into())
    }
}

impl<'a> SourceReader<'a> {
    fn new(source: &'a Source<'a>, verifier: Verifier, hidden: u64) -> Self {
        Self {
            source,
            stream: None,
            verifier,
            last: None,
            hidden,
            retries: source.retries(),
            state: ReaderState::Reading,
        }
    }

    /// The next bytes; `None` after the last chunk of a verified blob.
    ///
    /// Dropping the future loses nothing: the next call goes on. Needs a Tokio runtime with time where a broken stream is
    /// opened again.
    ///
    /// # Errors
    /// Those of the provider, after the retries that the job allows; [`ErrorKind::Corrupt`] with a
    /// [`Mismatch`](crate::Mismatch) as its cause when the bytes are not the blob. After an error every further call is an
    /// error.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, Error> {
        match self.state {
            ReaderState::Reading => {}
            ReaderState::Verified => return Ok(None),
            ReaderState::Failed => {
                let digest = self.source.descriptor().digest;
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "read",
                    digest,
                    "it failed before and cannot go on",
                ));
            }
        }
        match self.advance().await {
            Ok(chunk) => {
                self.source.transferred(chunk.as_ref().map_or(0, |chunk| chunk.len() as u64));
                Ok(chunk)
            }
            Err(error) => {
                self.state = ReaderState::Failed;
                (self.stream, self.last) = (None, None);
                Err(self.source.blame(error))
            }
        }
    }

    async fn advance(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let Some(chunk) = self.receive().await? else {
                self.verifier.finish()?;
                self.state = ReaderState::Verified;
                self.stream = None;
                return Ok(self.last.take().filter(|chunk| !chunk.is_empty()));
            };
            if chunk.is_empty() {
                continue;
            }
            self.verifier.update(&chunk)?;
            self.retries.progressed();
            let chunk = self.hide(chunk);
            if self.verifier.is_full() {
                self.last = Some(chunk);
            } else if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
    }

    /// The part of a chunk that is handed out.
    fn hide(&mut self, mut chunk: Bytes) -> Bytes {
        let hidden = usize::try_from(self.hidden).unwrap_or(usize::MAX).min(chunk.len());
        self.hidden -= hidden as u64;
        chunk.split_off(hidden)
    }

    /// The provider's next chunk. A stream that breaks is opened again where it broke.
    async fn receive(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let error = match &mut self.stream {
                Some(stream) => match stream.next().await {
                    None => return Ok(None),
                    Some(Ok(chunk)) => return Ok(Some(chunk)),
                    Some(Err(error)) => error,
                },
                None => match self.source.open(self.verifier.received()).await {
                    Ok(stream) => {
                        self.stream = Some(stream);
                        continue;
                    }
                    Err(error) => error,
                },
            };
            self.stream = None;
            if self.last.is_some() {
                // All bytes have come, and their hash decides. How the stream ended does not matter.
                return Ok(None);
            }
            let Some(wait) = self.retries.next_wait(&error) else { return Err(error) };
            self.source.repeats(self.verifier.received(), self.retries.attempt(), wait, &error);
            pause("read", wait).await.map_err(|cannot_wait| cannot_wait.with_cause(error))?;
        }
    }
}

impl fmt::Debug for SourceReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceReader")
            .field("descriptor", self.source.descriptor())
            .field("received", &self.verifier.received())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
