//! Decompression as one reader, whatever the compression.
//!
//! The first bytes say what the compression is. It never trusts a media type: it does not get one.

use std::io::{self, Read};

use cache_model::Compression;

use crate::gunzip::{self, GzipReader};
use crate::peek::PeekReader;
use crate::unzstd::{self, ZstdReader};
use crate::{DecodeFailure, Undecodable};

/// The position of the format's name in the first header of a tar (POSIX.1-2008, pax, "ustar").
const TAR_MAGIC: std::ops::Range<usize> = 257..262;

/// Reads what Gzip, Zstandard or plain bytes contain. The first bytes decide; content that begins as neither a compression
/// nor a tar is taken for plain bytes.
///
/// A read fails with a [`DecodeFailure`] as the cause of its [`io::Error`] where the content cannot be decompressed, or
/// becomes larger than the limit. Each read that follows fails in the same way. Errors of the inner reader are passed on.
///
/// ```
/// use std::io::{Read, Write};
/// use cache_compress::{DecodeFailure, Decoder};
/// let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
/// gzip.write_all(b"some text")?;
/// let gzip = gzip.finish()?;
///
/// let mut text = String::new();
/// Decoder::new(&*gzip, 100)?.read_to_string(&mut text)?;
/// assert_eq!(text, "some text");
///
/// let error = Decoder::new(&*gzip, 5)?.read_to_string(&mut text).unwrap_err();
/// assert_eq!(error.downcast::<DecodeFailure>()?, DecodeFailure::Limit { limit: 5 });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Decoder<R> {
    format: Format<R>,
    compression: Option<Compression>,
    left: u64,
    limit: u64,
    failure: Option<DecodeFailure>,
}

enum Format<R> {
    Plain(PeekReader<R>),
    Gzip(Box<GzipReader<R>>),
    Zstd(Box<ZstdReader<R>>),
}

impl<R: Read> Decoder<R> {
    /// Decompresses at most `limit` bytes. Plain bytes do not expand, so they have no limit.
    ///
    /// # Errors
    ///
    /// The first bytes cannot be read.
    pub fn new(reader: R, limit: u64) -> io::Result<Self> {
        let mut reader = PeekReader::new(reader);
        let compression = compression_of(reader.peek(TAR_MAGIC.end)?);
        let (format, left) = match compression {
            Some(Compression::Gzip) => (Format::Gzip(Box::new(GzipReader::new(reader))), limit),
            Some(Compression::Zstd) => (Format::Zstd(Box::new(ZstdReader::new(reader)?)), limit),
            _ => (Format::Plain(reader), u64::MAX),
        };
        Ok(Self { format, compression, left, limit, failure: None })
    }

    /// The compression, by the first bytes; `None` where they are those of no compression and of no tar.
    pub fn compression(&self) -> Option<Compression> {
        self.compression
    }

    fn decode(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = match &mut self.format {
            Format::Plain(reader) => reader.read(into),
            Format::Gzip(reader) => reader.read(into),
            Format::Zstd(reader) => reader.read(into),
        }?;
        let above = DecodeFailure::Limit { limit: self.limit };
        self.left = self.left.checked_sub(len as u64).ok_or(above)?;
        Ok(len)
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone().into());
        }
        let read = self.decode(into);
        if let Err(error) = &read {
            self.failure = error.get_ref().and_then(|cause| cause.downcast_ref()).cloned();
        }
        read
    }
}

impl From<DecodeFailure> for io::Error {
    fn from(failure: DecodeFailure) -> Self {
        Self::new(io::ErrorKind::InvalidData, failure)
    }
}

impl From<Undecodable> for io::Error {
    fn from(undecodable: Undecodable) -> Self {
        DecodeFailure::Undecodable(undecodable).into()
    }
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
