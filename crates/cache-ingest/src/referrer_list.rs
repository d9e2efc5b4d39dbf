//! The list of the manifests that refer to another one, as registries give it and as clients keep it where a registry gives none
//! (OCI distribution specification, "Listing Referrers" and "Referrers Tag Schema").
//!
//! It is data: it is read and written by others.

use std::collections::HashSet;

use cache_model::{Descriptor, Digest};

use crate::layout::Index;
use crate::{Error, ErrorKind};

/// An index whose entries refer to one manifest. Members and entries that are not understood are kept to the byte.
#[derive(Debug)]
pub struct ReferrerList(Index);

impl ReferrerList {
    /// The tag under which clients keep the list for a subject where the registry gives none.
    ///
    /// ```
    /// use cache_ingest::ReferrerList;
    /// let subject = cache_model::Digest::sha256([0xab; 32]);
    /// assert_eq!(ReferrerList::tag(&subject), format!("sha256-{}", "ab".repeat(32)));
    /// ```
    pub fn tag(subject: &Digest) -> String {
        format!("{}-{}", subject.algorithm(), subject.hex())
    }

    /// Reads an index; no bytes are an index without entries.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for bytes that are no index. `subject` is for the error.
    pub fn parse(bytes: &[u8], subject: &Digest) -> Result<Self, Error> {
        let corrupt = |cause| {
            let reason = format_args!("the list cannot be read: {cause}");
            Error::new(ErrorKind::Corrupt, "list the referrers of", subject, reason)
        };
        Index::parse(bytes).map(Self).map_err(corrupt)
    }

    /// The referrers, in order, each once. Entries without a valid descriptor are skipped.
    pub fn descriptors(&self) -> Vec<Descriptor> {
        let mut known = HashSet::new();
        let descriptors = self.0.entries().filter_map(|entry| entry.descriptor().ok());
        descriptors.filter(|descriptor| known.insert(descriptor.digest)).cloned().collect()
    }

    /// Adds a referrer as the last one. False if the list has it already.
    pub fn add(&mut self, referrer: &Descriptor) -> bool {
        let is_known = self.0.entries().any(|entry| entry.digest() == Some(referrer.digest));
        if !is_known {
            self.0.push(referrer.clone());
        }
        !is_known
    }

    /// The JSON text.
    pub fn text(&self) -> Vec<u8> {
        self.0.text()
    }
}
