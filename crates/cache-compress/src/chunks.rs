//! A blob's chunks, received over a channel and read by a thread that may block.
//!
//! It holds one chunk at a time. It never knows whether the end of the chunks is the end of the blob.

use std::io::{self, BufRead, Read};

use bytes::Bytes;
use tokio::sync::mpsc::Receiver;

/// Reads the chunks of a channel. Without a channel it is at its end.
#[derive(Default)]
pub(crate) struct ChunkReader {
    receiver: Option<Receiver<Bytes>>,
    current: Bytes,
}

impl ChunkReader {
    pub(crate) fn new(receiver: Receiver<Bytes>) -> Self {
        Self { receiver: Some(receiver), current: Bytes::new() }
    }

    /// Some of the next bytes; none only at the end.
    pub(crate) fn available(&mut self) -> &[u8] {
        while self.current.is_empty() {
            match self.receive() {
                Some(chunk) => self.current = chunk,
                None => break,
            }
        }
        &self.current
    }

    /// At least the next `len` bytes, fewer only at the end. Nothing is consumed.
    pub(crate) fn peek(&mut self, len: usize) -> &[u8] {
        while self.current.len() < len {
            let Some(chunk) = self.receive() else { break };
            self.current =
                if self.current.is_empty() { chunk } else { [&*self.current, &*chunk].concat().into() };
        }
        &self.current
    }

    /// Consumes bytes that were available.
    pub(crate) fn skip(&mut self, len: usize) {
        let _ = self.current.split_to(len.min(self.current.len()));
    }

    fn receive(&mut self) -> Option<Bytes> {
        self.receiver.as_mut()?.blocking_recv()
    }
}

impl BufRead for ChunkReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.available())
    }

    fn consume(&mut self, len: usize) {
        self.skip(len);
    }
}

impl Read for ChunkReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = self.available().read(into)?;
        self.skip(len);
        Ok(len)
    }
}
