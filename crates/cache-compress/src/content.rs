//! The content of a layer: its compression by its first bytes, and the digests of the decompressed bytes.
//!
//! It never trusts a media type: it does not get one.

use cache_model::{Algorithm, Compression, Digest};

use crate::DecodeFailure;
use crate::chunks::ChunkReader;
use crate::sink::HashSink;
use crate::{gunzip, unzstd};

/// The position of the format's name in the first header of a tar (POSIX.1-2008, pax, "ustar").
const TAR_MAGIC: std::ops::Range<usize> = 257..262;

/// The content of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerContent {
    /// The compression, by the first bytes; `None` where they are those of no compression and of no tar.
    pub compression: Option<Compression>,
    /// The digests of the decompressed bytes, one for each algorithm, in any order.
    pub diff_ids: Result<Vec<Digest>, DecodeFailure>,
}

/// Reads the content of the blob `own`. Blocks until it knows enough, which may be before the end.
pub(crate) fn examine(
    mut reader: ChunkReader,
    algorithms: &[Algorithm],
    own: Digest,
    limit: u64,
) -> LayerContent {
    let compression = compression_of(reader.peek(TAR_MAGIC.end));
    let diff_ids = match compression {
        Some(Compression::Gzip) => {
            let mut sink = HashSink::new(algorithms, limit);
            gunzip::decompress(reader, &mut sink).map(|()| sink.finish())
        }
        Some(Compression::Zstd) => {
            let mut sink = HashSink::new(algorithms, limit);
            unzstd::decompress(&mut reader, &mut sink).map(|()| sink.finish())
        }
        _ => drain(reader, algorithms, own),
    };
    LayerContent { compression, diff_ids }
}

fn compression_of(head: &[u8]) -> Option<Compression> {
    if head.get(TAR_MAGIC) == Some(b"ustar") {
        Some(Compression::Uncompressed)
    } else if gunzip::is_start(head) {
        Some(Compression::Gzip)
    } else if unzstd::is_start(head) {
        Some(Compression::Zstd)
    } else {
        None
    }
}

/// Hashes content that is not compressed. The digest of the blob is known, so it is not computed again.
fn drain(
    mut reader: ChunkReader,
    algorithms: &[Algorithm],
    own: Digest,
) -> Result<Vec<Digest>, DecodeFailure> {
    let (known, others): (Vec<_>, Vec<_>) =
        algorithms.iter().copied().partition(|algorithm| *algorithm == own.algorithm());
    // Uncompressed content does not expand, so it needs no limit.
    let mut sink = HashSink::new(&others, u64::MAX);
    while !others.is_empty() {
        let chunk = reader.available();
        let len = chunk.len();
        if len == 0 {
            break;
        }
        sink.take(chunk)?;
        reader.skip(len);
    }
    let mut digests = sink.finish();
    digests.extend(known.iter().map(|_| own));
    Ok(digests)
}
