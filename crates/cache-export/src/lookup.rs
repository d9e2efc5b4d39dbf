//! Looking up which blobs a store has, and which of them have another size than their descriptor.
//!
//! No blob is read.

use std::collections::{BTreeMap, HashMap, HashSet};

use cache_ingest::{Error, ErrorKind, Job, Provider, presence};
use cache_model::{Descriptor, Digest};
use futures_util::{StreamExt, stream};

/// The blobs of a store, as far as it shows without reading them.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    /// The blobs that are present in their size.
    pub(crate) intact: HashSet<Digest>,
    /// Why blobs count as missing although they are present. The order is that of the warnings, so it must not depend on
    /// timing.
    pub(crate) damaged: BTreeMap<Digest, String>,
}

impl Lookup {
    /// Asks a store for blobs, each distinct digest once.
    pub(crate) async fn of(
        blobs: impl IntoIterator<Item = &Descriptor>,
        provider: &dyn Provider,
        job: &Job,
    ) -> Result<Self, Error> {
        let distinct: HashMap<Digest, &Descriptor> =
            blobs.into_iter().map(|blob| (blob.digest, blob)).collect();
        let mut answers = stream::iter(distinct.into_values())
            .map(|blob| async move { (blob, presence(provider, [blob], job).await) })
            .buffer_unordered(job.concurrency.max(1));
        let mut found = Self::default();
        while let Some((blob, answer)) = answers.next().await {
            match answer {
                Ok(present) if present.contains(&blob.digest) => drop(found.intact.insert(blob.digest)),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Corrupt => found.note_damage(blob, &error),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Counts a blob as missing.
    pub(crate) fn note_damage(&mut self, blob: &Descriptor, error: &Error) {
        self.intact.remove(&blob.digest);
        self.damaged.insert(blob.digest, error.reason().to_owned());
    }
}
