//! Zstandard (RFC 8878) with any number of frames, skippable frames included.
//!
//! Frames with a window above 128 MiB are refused, as the `zstd` program does by default. BuildKit's windows are far
//! smaller. No byte may follow the last frame.

use std::io::{self, BufRead, Read};

use zstd::stream::raw::{DParameter, Decoder, Operation};

use crate::Undecodable;
use crate::peek::PeekReader;

/// The binary logarithm of the greatest window in bytes.
const WINDOW_LOG_MAX: u32 = 27;

/// Whether a frame begins here, be it a skippable one.
pub(crate) fn is_start(head: &[u8]) -> bool {
    match head {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => true,
        [first, 0x2a, 0x4d, 0x18, ..] => (0x50..=0x5f).contains(first),
        _ => false,
    }
}

/// Decompresses content that begins with a frame.
pub(crate) struct ZstdReader<R> {
    reader: PeekReader<R>,
    decoder: Decoder<'static>,
    /// Whether the decoder may hold bytes that the last output had no room for.
    may_hold_more: bool,
    is_between_frames: bool,
}

impl<R: Read> ZstdReader<R> {
    pub(crate) fn new(reader: PeekReader<R>) -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
        Ok(Self { reader, decoder, may_hold_more: false, is_between_frames: false })
    }
}

impl<R: Read> Read for ZstdReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !into.is_empty() {
            if self.is_between_frames {
                let next = self.reader.peek(4)?;
                if next.is_empty() {
                    break;
                }
                if !is_start(next) {
                    return Err(Undecodable::TrailingData.into());
                }
            }
            let input = self.reader.fill_buf()?;
            if input.is_empty() && !self.may_hold_more {
                return Err(Undecodable::Truncated.into());
            }
            let status = self
                .decoder
                .run_on_buffers(input, into)
                .map_err(|error| Undecodable::Invalid { reason: error.to_string() })?;
            self.reader.consume(status.bytes_read);
            self.may_hold_more = status.bytes_written == into.len();
            self.is_between_frames = status.remaining == 0;
            if status.bytes_written > 0 {
                return Ok(status.bytes_written);
            }
        }
        Ok(0)
    }
}
