//! Gzip (RFC 1952) with any number of members, as in eStargz.
//!
//! Every member's checksum and length are checked. No byte may follow the last member, not even a zero.

use std::io::{ErrorKind, Read};
use std::mem;

use flate2::bufread::GzDecoder;

use crate::chunks::ChunkReader;
use crate::sink::HashSink;
use crate::{DecodeFailure, Undecodable};

/// How many decompressed bytes are hashed at once.
const OUTPUT: usize = 128 * 1024;

/// Whether a member begins here, with the only compression method that exists.
pub(crate) fn is_start(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b, 8])
}

/// Decompresses content that begins with a member.
pub(crate) fn decompress(reader: ChunkReader, sink: &mut HashSink) -> Result<(), DecodeFailure> {
    let mut output = vec![0; OUTPUT];
    let mut decoder = GzDecoder::new(reader);
    loop {
        match decoder.read(&mut output) {
            Ok(0) => {
                let next = decoder.get_mut().peek(3);
                if next.is_empty() {
                    return Ok(());
                }
                if !is_start(next) {
                    return Err(DecodeFailure::Undecodable(Undecodable::TrailingData));
                }
                let rest = mem::take(decoder.get_mut());
                decoder.reset(rest);
            }
            Ok(len) => sink.take(output.get(..len).unwrap_or_default())?,
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(DecodeFailure::Undecodable(Undecodable::Truncated));
            }
            Err(error) => {
                return Err(DecodeFailure::Undecodable(Undecodable::Invalid { reason: error.to_string() }));
            }
        }
    }
}
