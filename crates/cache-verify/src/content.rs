//! The content of a layer: its compression by its first bytes, and the digests of the decompressed bytes.
//!
//! It never trusts a media type: it does not get one.

use cache_model::{Algorithm, Compression, Digest};

use crate::chunks::ChunkReader;
use crate::sink::{DecodeFailure, HashSink};
use crate::{gunzip, unzstd};

/// The content of a layer.
pub(crate) struct LayerContent {
    pub(crate) format: ContentFormat,
    /// The digest of the tar by each wanted algorithm. Not computed for an uncompressed layer under its own digest's
    /// algorithm: it equals the digest.
    pub(crate) diff_ids: Result<Vec<Digest>, DecodeFailure>,
}

/// The format of the content, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentFormat {
    Gzip,
    Zstd,
    Tar,
    /// None of these, or too short to tell.
    Other,
}

/// The position of the format's name in the first header of a tar (POSIX.1-2008, pax, "ustar").
const TAR_MAGIC: std::ops::Range<usize> = 257..262;

impl ContentFormat {
    fn of(head: &[u8]) -> Self {
        if head.get(TAR_MAGIC) == Some(b"ustar") {
            Self::Tar
        } else if gunzip::is_start(head) {
            Self::Gzip
        } else if unzstd::is_start(head) {
            Self::Zstd
        } else {
            Self::Other
        }
    }

    pub(crate) fn compression(self) -> Option<Compression> {
        match self {
            Self::Gzip => Some(Compression::Gzip),
            Self::Zstd => Some(Compression::Zstd),
            Self::Tar => Some(Compression::Uncompressed),
            Self::Other => None,
        }
    }
}

/// Reads the content of a blob whose digest is by the algorithm `own`. Blocks until it knows enough, which may be before
/// the end.
pub(crate) fn examine(
    mut reader: ChunkReader,
    algorithms: &[Algorithm],
    own: Algorithm,
    limit: u64,
) -> LayerContent {
    let format = ContentFormat::of(reader.peek(TAR_MAGIC.end));
    let diff_ids = match format {
        ContentFormat::Gzip => {
            let mut sink = HashSink::new(algorithms, limit);
            gunzip::decompress(reader, &mut sink).map(|()| sink.finish())
        }
        ContentFormat::Zstd => {
            let mut sink = HashSink::new(algorithms, limit);
            unzstd::decompress(&mut reader, &mut sink).map(|()| sink.finish())
        }
        ContentFormat::Tar | ContentFormat::Other => {
            let others: Vec<_> = algorithms.iter().copied().filter(|algorithm| *algorithm != own).collect();
            // Uncompressed content does not expand, so it needs no limit.
            drain(reader, HashSink::new(&others, u64::MAX))
        }
    };
    LayerContent { format, diff_ids }
}

fn drain(mut reader: ChunkReader, mut sink: HashSink) -> Result<Vec<Digest>, DecodeFailure> {
    while !sink.is_idle() {
        let chunk = reader.available();
        let len = chunk.len();
        if len == 0 {
            break;
        }
        sink.take(chunk)?;
        reader.skip(len);
    }
    Ok(sink.finish())
}
