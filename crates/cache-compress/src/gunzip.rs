//! Gzip (RFC 1952) with any number of members, as in eStargz.
//!
//! Every member's checksum and length are checked. No byte may follow the last member, not even a zero.

use std::io::{self, ErrorKind, Read};
use std::mem;

use flate2::bufread::GzDecoder;

use crate::Undecodable;
use crate::peek::PeekReader;

/// Whether a member begins here, with the only compression method that exists.
pub(crate) fn is_start(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b, 8])
}

/// Decompresses content that begins with a member.
pub(crate) struct GzipReader<R>(GzDecoder<PeekReader<R>>);

impl<R: Read> GzipReader<R> {
    pub(crate) fn new(reader: PeekReader<R>) -> Self {
        Self(GzDecoder::new(reader))
    }
}

impl<R: Read> Read for GzipReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(into) {
                Ok(0) if !into.is_empty() => {
                    let next = self.0.get_mut().peek(3)?;
                    if next.is_empty() {
                        return Ok(0);
                    }
                    if !is_start(next) {
                        return Err(Undecodable::TrailingData.into());
                    }
                    let rest = mem::take(self.0.get_mut());
                    self.0.reset(rest);
                }
                Ok(len) => return Ok(len),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Err(Undecodable::Truncated.into());
                }
                Err(error) if error.kind() == ErrorKind::InvalidInput => {
                    return Err(Undecodable::Invalid { reason: error.to_string() }.into());
                }
                Err(error) => return Err(error),
            }
        }
    }
}
