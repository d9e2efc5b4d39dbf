//! What a verification gives.
//!
//! Data only: who shows it decides on words, colours and exit codes.

use cache_format::Form;
use cache_model::Descriptor;

use crate::{Finding, Severity};

/// What was looked at, and what was found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The manifest or index that the name stands for.
    pub subject: Descriptor,
    /// The form of the cache's manifest; `None` for an image or an index of images, and where there is no telling.
    pub form: Option<Form>,
    /// How many caches there are: one for a manifest of a cache, one for each image with an inline cache otherwise.
    pub caches: u64,
    /// How many records their configs have.
    pub records: u64,
    /// How many distinct blobs were looked at: manifests, configs and layers.
    pub blobs: u64,
    /// How many bytes of them were read.
    pub bytes: u64,
    /// What was found: for each cache about its manifest, then its config, its layers in order, its records in
    /// order. The same for the same cache, whatever the order in which the store answers.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many findings of a severity there are.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity() == severity).count()
    }

    /// Whether nothing is wrong: there may be warnings and notes, but no [`Severity::Error`].
    pub fn is_sound(&self) -> bool {
        self.count(Severity::Error) == 0
    }
}
