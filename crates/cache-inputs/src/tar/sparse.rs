//! Sparse files of extended headers (GNU tar manual, "Storing Sparse Files"), versions 0.0, 0.1 and 1.0.
//!
//! The older form, with a kind of entry of its own, is not here: containerd refuses it in a layer.

use super::number::decimal;
use super::pax::{Records, SPARSE_MAP, value};

/// A part of a sparse file whose bytes are in the archive; between the parts are zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// Where the map of a sparse file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SparseMap {
    /// In the header.
    Known(Vec<Part>),
    /// In front of the bytes of the file.
    InFront,
}

/// Whether a file is sparse by its header, and where its map is. `None` if the map is damaged.
pub(super) fn sparse_map(records: &Records) -> Option<Option<SparseMap>> {
    let [major, minor] = ["GNU.sparse.major", "GNU.sparse.minor"].map(|key| value(records, key.as_bytes()));
    match (major, minor, value(records, SPARSE_MAP)) {
        (Some(b"1"), Some(b"0"), _) => Some(Some(SparseMap::InFront)),
        (Some(b"0"), Some(b"0" | b"1"), map) => Some(Some(SparseMap::Known(parts_of(records, map)?))),
        (None, None, Some(map)) => Some(Some(SparseMap::Known(parts_of(records, Some(map))?))),
        _ => Some(None),
    }
}

/// The size of the whole file.
pub(super) fn real_size(records: &Records) -> Option<&[u8]> {
    value(records, b"GNU.sparse.size").or_else(|| value(records, b"GNU.sparse.realsize"))
}

/// The parts by a list of offsets and lengths. `None` if there is a number too few or too many.
pub(super) fn parts(numbers: &[u64]) -> Option<Vec<Part>> {
    let (pairs, rest) = numbers.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[offset, length]| Part { offset: *offset, length: *length }).collect())
}

/// Whether the parts are in order, do not overlap, end within `size`, and have `stored` bytes together.
pub(super) fn are_valid(parts: &[Part], size: u64, stored: u64) -> bool {
    let end = parts.iter().try_fold(0, |end, part| {
        let starts_behind = part.offset >= end;
        part.offset.checked_add(part.length).filter(|end| starts_behind && *end <= size)
    });
    end.is_some() && parts.iter().map(|part| part.length).sum::<u64>() == stored
}

fn parts_of(records: &Records, map: Option<&[u8]>) -> Option<Vec<Part>> {
    let count = decimal(value(records, b"GNU.sparse.numblocks")?)?;
    let numbers = map.into_iter().flat_map(|map| map.split(|byte| *byte == b',')).map(decimal);
    let parts = parts(&numbers.collect::<Option<Vec<_>>>()?)?;
    (parts.len() as u64 == count).then_some(parts)
}
