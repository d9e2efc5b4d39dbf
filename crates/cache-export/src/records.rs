//! Records as JSON lines, from a tool in any language, into chains.
//!
//! One record a line, in the format of `cache_format::decode_record_line`. A line links to earlier lines by their
//! positions. Reading stops at the first line with an error, which names the line.

use std::io::{BufRead, Read};

use cache_format::{FormatError, decode_record_line};
use cache_model::{AddError, CacheChains, Link, NewResult, RecordDigest, RecordId};

/// The longest line, in bytes. A config of this size is far above the limit of BuildKit.
const LINE_LIMIT: u64 = 64 << 20;
/// The mark by which some editors say that a text is UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// How files begin that are something else.
const OTHER_ENCODINGS: [(&[u8], &str); 4] = [
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
];

/// Why records cannot be read. Lines count from 1, positions from 0. The message contains the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// The lines cannot be read.
    #[error("line {line}: {cause}")]
    Read {
        /// The line.
        line: usize,
        /// Why.
        cause: std::io::Error,
    },
    /// A line is not a record.
    #[error("line {line}: {cause}")]
    Format {
        /// The line.
        line: usize,
        /// The fault, with its place in the line.
        cause: FormatError,
    },
    /// A record links to one that is not on an earlier line.
    #[error(
        "line {line}: record {link} is not on an earlier line; records count from 0, and sources come first"
    )]
    UnknownRecord {
        /// The line.
        line: usize,
        /// The position that it links to.
        link: usize,
    },
    /// A record links to a record with a `random:…` digest, which is not cached.
    #[error(
        "line {line}: record {link} has a random: digest, so it is not cached and nothing can depend on it"
    )]
    SkippedRecord {
        /// The line.
        line: usize,
        /// The position that it links to.
        link: usize,
    },
    /// The record cannot be added.
    #[error("line {line}: {cause}")]
    Add {
        /// The line.
        line: usize,
        /// Why.
        cause: AddError,
    },
    /// A line is too long to be a record.
    #[error("line {line} is longer than {} MiB: give one JSON object a line", LINE_LIMIT >> 20)]
    TooLong {
        /// The line.
        line: usize,
    },
    /// The records are not UTF-8.
    #[error("it is {encoding}: give UTF-8 text, one JSON object a line")]
    Encoding {
        /// What they are.
        encoding: &'static str,
    },
    /// There are no records.
    #[error("there are no records: give one JSON object a line")]
    Empty,
}

/// How many records were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordsRead {
    /// Records that were added.
    pub added: usize,
    /// Records with a `random:…` digest, which BuildKit does not cache.
    pub skipped: usize,
}

/// Adds the records on the lines of `reader` to `chains`. Blank lines are skipped and have no position. A byte order mark of
/// UTF-8 is skipped, too.
///
/// # Errors
/// [`RecordsError`] at the first line that cannot be added. The records before it have then been added.
pub fn add_records(chains: &mut CacheChains, mut reader: impl BufRead) -> Result<RecordsRead, RecordsError> {
    let mut records: Vec<Option<RecordId>> = Vec::new();
    let mut read = RecordsRead::default();
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        // One more byte shows that the line goes on.
        let taken = reader.by_ref().take(LINE_LIMIT + 1).read_until(b'\n', &mut bytes);
        let taken = taken.map_err(|cause| RecordsError::Read { line, cause })? as u64;
        let text = if line == 1 { without_mark(&bytes)? } else { &bytes };
        if taken > LINE_LIMIT {
            return Err(RecordsError::TooLong { line });
        }
        if taken == 0 {
            break;
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        let added = add_line(chains, text.trim_ascii_end(), line, &records)?;
        match added {
            Some(_) => read.added += 1,
            None => read.skipped += 1,
        }
        records.push(added);
    }
    if records.is_empty() { Err(RecordsError::Empty) } else { Ok(read) }
}

/// The first line without a byte order mark; an error if it shows that the text is not UTF-8.
fn without_mark(line: &[u8]) -> Result<&[u8], RecordsError> {
    match OTHER_ENCODINGS.iter().find(|(start, _)| line.starts_with(start)) {
        Some((_, encoding)) => Err(RecordsError::Encoding { encoding }),
        None => Ok(line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)),
    }
}

fn add_line(
    chains: &mut CacheChains,
    text: &[u8],
    line: usize,
    records: &[Option<RecordId>],
) -> Result<Option<RecordId>, RecordsError> {
    let record = decode_record_line(text).map_err(|cause| RecordsError::Format { line, cause })?;
    let mut inputs: Vec<Vec<Link<'_>>> = Vec::with_capacity(record.inputs.len());
    for links in &record.inputs {
        let mut resolved = Vec::with_capacity(links.len());
        for link in links {
            let source =
                *records.get(link.record).ok_or(RecordsError::UnknownRecord { line, link: link.record })?;
            let source = source.ok_or(RecordsError::SkippedRecord { line, link: link.record })?;
            resolved.push(Link { source, selector: &link.selector });
        }
        inputs.push(resolved);
    }
    if record.digest.is_random() {
        // No record has its layers, so they are not added.
        return Ok(None);
    }
    let failed = |cause| RecordsError::Add { line, cause };
    let mut results = Vec::with_capacity(record.results.len());
    for result in &record.results {
        let layer = chains.layers(&result.layers).map_err(failed)?;
        results.push(NewResult { created_at: result.created_at, layer });
    }
    let inputs: Vec<&[Link<'_>]> = inputs.iter().map(Vec::as_slice).collect();
    let digest: &RecordDigest = &record.digest;
    chains.add(digest, &inputs, &results).map_err(failed)
}
