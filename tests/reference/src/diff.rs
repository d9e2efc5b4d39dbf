//! Comparing two caches, record by record.

use crate::blob::SizeConflict;
use crate::cache::Cache;
use crate::marshal::config_order;
use crate::merge::round::Round;
use crate::merge::sources::Sources;

/// What two caches have of a record of their closed union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffRow {
    /// The digest of the record.
    pub digest: String,
    /// The caches that have a part of it: `a`, `b` or `ab`.
    pub of: &'static str,
    /// How their newest results of it compare: `none`, `only-a`, `only-b`, `same`, `recompressed` or `changed`.
    pub result: &'static str,
}

/// Compares two caches; the rows are in the order of the config of their closed union.
///
/// # Errors
/// [`SizeConflict`] if the two give a blob different sizes.
pub fn diff(a: &Cache, b: &Cache) -> Result<Vec<DiffRow>, SizeConflict> {
    let sources = Sources::read([a, b])?;
    let round = Round::new(&sources, false);
    let row = |record: usize| {
        let has = |source| !round.parts(source, record).is_empty();
        let blobs = |source| round.newest(source, record).map(|((_, blobs), _)| blobs);
        let identities = |blobs: &[String]| sources.blobs.identities(blobs);
        DiffRow {
            digest: round.closed[&record].digest.to_owned(),
            of: if !has(1) {
                "a"
            } else if !has(0) {
                "b"
            } else {
                "ab"
            },
            result: match (blobs(0), blobs(1)) {
                (None, None) => "none",
                (Some(_), None) => "only-a",
                (None, Some(_)) => "only-b",
                (Some(a), Some(b)) if a == b => "same",
                (Some(a), Some(b)) if identities(&a) == identities(&b) => "recompressed",
                _ => "changed",
            },
        }
    };
    Ok(config_order(&round.closed).into_iter().map(row).collect())
}
