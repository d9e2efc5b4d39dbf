//! Zstandard (RFC 8878) with any number of frames, skippable frames included.
//!
//! Frames with a window above 128 MiB are refused, as the `zstd` program does by default. BuildKit's windows are far
//! smaller. No byte may follow the last frame.

use zstd::stream::raw::{DParameter, Decoder, Operation};

use crate::chunks::ChunkReader;
use crate::sink::HashSink;
use crate::{DecodeFailure, Undecodable};

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
pub(crate) fn decompress(reader: &mut ChunkReader, sink: &mut HashSink) -> Result<(), DecodeFailure> {
    let mut decoder = Decoder::new().map_err(invalid)?;
    decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(invalid)?;
    let mut output = vec![0; zstd::zstd_safe::DCtx::out_size()];
    let mut may_hold_more = false;
    loop {
        let input = reader.available();
        if input.is_empty() && !may_hold_more {
            return Err(DecodeFailure::Undecodable(Undecodable::Truncated));
        }
        let status = decoder.run_on_buffers(input, &mut output).map_err(invalid)?;
        reader.skip(status.bytes_read);
        sink.take(output.get(..status.bytes_written).unwrap_or_default())?;
        may_hold_more = status.bytes_written == output.len();
        if status.remaining == 0 {
            let next = reader.peek(4);
            if next.is_empty() {
                return Ok(());
            }
            if !is_start(next) {
                return Err(DecodeFailure::Undecodable(Undecodable::TrailingData));
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
fn invalid(error: std::io::Error) -> DecodeFailure {
    DecodeFailure::Undecodable(Undecodable::Invalid { reason: error.to_string() })
}
