//! A buffered reader whose next bytes can be looked at before they are consumed.
//!
//! Its buffer is bounded. It never reads on while the buffer has bytes, unless more of them are asked for.

use std::io::{self, BufRead, ErrorKind, Read};

/// How many bytes are read at once.
const BUFFER: usize = 64 * 1024;

/// Reads with a buffer. Without an inner reader it is at its end.
pub(crate) struct PeekReader<R> {
    inner: Option<R>,
    buffer: Vec<u8>,
    /// How many bytes of the buffer are consumed.
    consumed: usize,
}

impl<R> PeekReader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner: Some(inner), buffer: Vec::new(), consumed: 0 }
    }
}

impl<R> Default for PeekReader<R> {
    fn default() -> Self {
        Self { inner: None, buffer: Vec::new(), consumed: 0 }
    }
}

impl<R: Read> PeekReader<R> {
    /// At least the next `len` bytes, fewer only at the end. Nothing is consumed.
    pub(crate) fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        while self.available().len() < len && self.read_more()? {}
        Ok(self.available())
    }

    fn available(&self) -> &[u8] {
        self.buffer.get(self.consumed..).unwrap_or_default()
    }

    /// Reads some more bytes into the buffer. Returns whether there were any.
    fn read_more(&mut self) -> io::Result<bool> {
        let Some(inner) = &mut self.inner else { return Ok(false) };
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        let kept = self.buffer.len();
        self.buffer.resize(kept + BUFFER, 0);
        let read = loop {
            match inner.read(self.buffer.get_mut(kept..).unwrap_or_default()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(kept + read.as_ref().copied().unwrap_or_default());
        read.map(|len| len > 0)
    }
}

impl<R: Read> BufRead for PeekReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.peek(1)
    }

    fn consume(&mut self, len: usize) {
        self.consumed = self.buffer.len().min(self.consumed + len);
    }
}

impl<R: Read> Read for PeekReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = self.fill_buf()?.read(into)?;
        self.consume(len);
        Ok(len)
    }
}
