//! A blob's chunks, received over a channel and read by a thread that may block.
//!
//! It holds one chunk at a time. It never knows whether the end of the chunks is the end of the blob.

use std::io::{self, Read};

use bytes::Bytes;
use tokio::sync::mpsc::Receiver;

/// Reads the chunks of a channel, up to the end of the channel.
pub(crate) struct ChunkReader {
    receiver: Receiver<Bytes>,
    current: Bytes,
}

impl ChunkReader {
    pub(crate) fn new(receiver: Receiver<Bytes>) -> Self {
        Self { receiver, current: Bytes::new() }
    }
}

impl Read for ChunkReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                Some(chunk) => self.current = chunk,
                None => return Ok(0),
            }
        }
        let len = (&*self.current).read(into)?;
        let _ = self.current.split_to(len);
        Ok(len)
    }
}
