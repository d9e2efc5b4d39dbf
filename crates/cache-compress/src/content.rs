//! The content of a layer: its compression, and the digests of the decompressed bytes, while a consumer reads them.

use std::io::{self, Read};

use cache_ingest::Hasher;
use cache_model::{Algorithm, Compression, Digest};

use crate::{DecodeFailure, Decoder, Undecodable};

/// How many decompressed bytes are hashed at once where no consumer reads them.
const OUTPUT: usize = 128 * 1024;

/// The content of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerContent {
    /// The compression, by the first bytes; `None` where they are those of no compression and of no tar.
    pub compression: Option<Compression>,
    /// The digests of the decompressed bytes, one for each algorithm, in any order.
    pub diff_ids: Result<Vec<Digest>, DecodeFailure>,
}

/// Hands the bytes on that a reader gives, and hashes them on the way.
struct HashingReader<R> {
    inner: R,
    hashers: Vec<Hasher>,
}

/// Reads the content of the blob `own`. The consumer gets the decompressed bytes; what it leaves is read after it. Blocks
/// until it knows enough, which may be before the end.
pub(crate) fn examine<T>(
    reader: impl Read,
    algorithms: &[Algorithm],
    own: Digest,
    limit: u64,
    consumer: impl FnOnce(&mut dyn Read) -> T,
) -> io::Result<(LayerContent, T)> {
    let decoder = Decoder::new(reader, limit)?;
    let compression = decoder.compression();
    // The digest of a blob is known, so that of content which is not compressed is not computed again.
    let is_compressed = matches!(compression, Some(Compression::Gzip | Compression::Zstd));
    let (known, others): (Vec<_>, Vec<_>) =
        algorithms.iter().partition(|algorithm| !is_compressed && **algorithm == own.algorithm());
    let hashers = others.into_iter().copied().map(Hasher::new).collect();
    let mut tar = HashingReader { inner: decoder, hashers };
    let consumed = consumer(&mut tar);
    let drained = match tar.hashers.is_empty() && !is_compressed {
        true => Ok(()),
        false => drain(&mut tar),
    };
    let diff_ids = match drained {
        Ok(()) => {
            Ok(tar.hashers.into_iter().map(Hasher::finish).chain(known.into_iter().map(|_| own)).collect())
        }
        Err(error) => Err(failure_of(error)),
    };
    Ok((LayerContent { compression, diff_ids }, consumed))
}

fn drain(reader: &mut impl Read) -> io::Result<()> {
    let mut output = vec![0; OUTPUT];
    while reader.read(&mut output)? > 0 {}
    Ok(())
}

fn failure_of(error: io::Error) -> DecodeFailure {
    error.downcast::<DecodeFailure>().unwrap_or_else(|error| {
        DecodeFailure::Undecodable(Undecodable::Invalid { reason: error.to_string() })
    })
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(into)?;
        let read = into.get(..len).unwrap_or_default();
        self.hashers.iter_mut().for_each(|hasher| hasher.update(read));
        Ok(len)
    }
}
