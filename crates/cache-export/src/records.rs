//! Records as JSON lines, from a tool in any language, into chains.
//!
//! One record a line, in the format of `cache_format::decode_record_line`. A line links to earlier lines by their
//! positions. Reading stops at the first line with an error, which names the line.

use std::io::BufRead;

use cache_format::{FormatError, decode_record_line};
use cache_model::{AddError, CacheChains, Link, NewResult, RecordDigest, RecordId};

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

/// Adds the records on the lines of `reader` to `chains`. Blank lines are skipped and have no position.
///
/// # Errors
/// [`RecordsError`] at the first line that cannot be added. The records before it have then been added.
pub fn add_records(chains: &mut CacheChains, reader: impl BufRead) -> Result<RecordsRead, RecordsError> {
    let mut records: Vec<Option<RecordId>> = Vec::new();
    let mut read = RecordsRead::default();
    for (line, text) in (1..).zip(reader.split(b'\n')) {
        let text = text.map_err(|cause| RecordsError::Read { line, cause })?;
        if text.trim_ascii().is_empty() {
            continue;
        }
        let added = add_line(chains, &text, line, &records)?;
        match added {
            Some(_) => read.added += 1,
            None => read.skipped += 1,
        }
        records.push(added);
    }
    if records.is_empty() { Err(RecordsError::Empty) } else { Ok(read) }
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
