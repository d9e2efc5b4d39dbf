//! Which form of a build record some bytes have.

use cache_explain::Build;

use crate::record::RecordError;
use crate::record::dockerbuild::read_archive;
use crate::record::json::builds_of_json;

/// Reads the builds of a record: one, or one for each platform or target.
///
/// Known are a provenance predicate (SLSA version 1 or 0.2), an in-toto statement with one, a metadata file of `buildx build`
/// or `buildx bake`, the response in an entry of a builder's history, and a file that `buildx history export` has written
/// (`.dockerbuild`), with one record or several.
///
/// # Errors
/// [`RecordError`] if the bytes have none of these forms, or hold no steps.
pub fn read_builds(bytes: &[u8]) -> Result<Vec<Build>, RecordError> {
    // The first bytes of gzip (RFC 1952), and the name of the format in the first header of a tar (POSIX.1-2008, pax).
    let is_archive = bytes.starts_with(&[0x1f, 0x8b]) || bytes.get(257..262) == Some(b"ustar");
    if is_archive { read_archive(bytes) } else { builds_of_json(bytes) }
}
