//! What a layer's bytes are: their compression as the first bytes tell it, and the digests of what they hold.
//!
//! Decompressed bytes are hashed and dropped. It never trusts a media type: it does not know it.

use cache_model::{Algorithm, Compression, Digest};

use crate::chunks::ChunkReader;
use crate::sink::{Failure, Sink};
use crate::{gunzip, unzstd};

/// What a layer's content is.
pub(crate) struct Contents {
    pub(crate) format: Format,
    /// The digest of the tar by each algorithm that was asked for, save that of an uncompressed layer by the
    /// algorithm of its own digest, which is that digest.
    pub(crate) diff_ids: Result<Vec<Digest>, Failure>,
}

/// How the content begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Gzip,
    Zstd,
    Tar,
    /// None of these; also what is too short to tell.
    Other,
}

/// Where the name of the format stands in the first header of a tar (POSIX.1-2008, pax, "ustar").
const TAR_MAGIC: std::ops::Range<usize> = 257..262;

impl Format {
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

/// Looks at the content of a blob whose digest is by the algorithm `own`. Blocks until it knows enough, which may be
/// before the end.
pub(crate) fn examine(
    mut reader: ChunkReader,
    algorithms: &[Algorithm],
    own: Algorithm,
    limit: u64,
) -> Contents {
    let format = Format::of(reader.peek(TAR_MAGIC.end));
    let diff_ids = match format {
        Format::Gzip => {
            let mut sink = Sink::new(algorithms, limit);
            gunzip::decompress(reader, &mut sink).map(|()| sink.finish())
        }
        Format::Zstd => {
            let mut sink = Sink::new(algorithms, limit);
            unzstd::decompress(&mut reader, &mut sink).map(|()| sink.finish())
        }
        Format::Tar | Format::Other => {
            let others: Vec<_> = algorithms.iter().copied().filter(|algorithm| *algorithm != own).collect();
            // Uncompressed content expands to nothing, so there is no limit on it.
            drain(reader, Sink::new(&others, u64::MAX))
        }
    };
    Contents { format, diff_ids }
}

fn drain(mut reader: ChunkReader, mut sink: Sink) -> Result<Vec<Digest>, Failure> {
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
