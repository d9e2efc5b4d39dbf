//! The report of a verification.
//!
//! Plain data. Words, colours and exit codes are the program's part.

use cache_format::Form;
use cache_model::Descriptor;

use crate::{Finding, Severity};

/// The report of a verification.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The manifest or index that the name stands for.
    pub subject: Descriptor,
    /// The form of the cache; `None` if the manifest, or every image with a cache, cannot be read.
    pub form: Option<Form>,
    /// The number of caches: one for a manifest of a cache, otherwise one for each image with an inline cache.
    pub caches: u64,
    /// The number of records in their configs.
    pub records: u64,
    /// The number of distinct blobs that the manifests list as layers, also those that are missing.
    pub blobs: u64,
    /// How many of these blobs were read; 0 if they were only looked up.
    pub blobs_read: u64,
    /// The number of configs that were read: of caches, and of images.
    pub configs: u64,
    /// The number of manifests and indexes that were read.
    pub manifests: u64,
    /// The number of bytes that were read, of all of these.
    pub bytes: u64,
    /// The findings: for each cache those about its manifest, then about its config, its layers in order, its records
    /// in order. The order in which the store answers has no influence. Where a blob has several descriptors, the first
    /// finding of each kind stands for all of them.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The number of findings of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity() == severity).count()
    }

    /// Whether the cache is sound: it may have warnings and notes, but no [`Severity::Error`].
    pub fn is_sound(&self) -> bool {
        self.count(Severity::Error) == 0
    }
}
