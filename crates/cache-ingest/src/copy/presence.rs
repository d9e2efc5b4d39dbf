//! Which blobs a store has: asked once for each, several at a time.
//!
//! Present, absent and *unknown* are three answers; the last is an error, and never taken for one of the others.

use std::collections::{HashMap, HashSet};

use cache_model::{Descriptor, Digest};
use futures_util::{StreamExt, stream};

use crate::{Error, ErrorKind, Job, Provider};

/// The blobs that a store has, of those that were asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    present: HashSet<Digest>,
}

impl Presence {
    /// Whether the store has the blob.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.present.contains(digest)
    }

    /// How many blobs the store has.
    pub fn len(&self) -> usize {
        self.present.len()
    }

    /// Whether the store has none of them.
    pub fn is_empty(&self) -> bool {
        self.present.is_empty()
    }
}

impl FromIterator<Digest> for Presence {
    /// Exactly these blobs.
    fn from_iter<I: IntoIterator<Item = Digest>>(digests: I) -> Self {
        Self { present: digests.into_iter().collect() }
    }
}

/// Asks a provider which of the blobs it has, each distinct digest once, as many at a time as the job allows.
///
/// # Errors
/// The provider's, if it cannot tell whether it has a blob. [`ErrorKind::Corrupt`] for a blob whose size is not that of
/// its descriptor: calling it absent would lose it silently.
pub async fn presence<'d>(
    provider: &dyn Provider,
    descriptors: impl IntoIterator<Item = &'d Descriptor>,
    job: &Job,
) -> Result<Presence, Error> {
    let mut distinct: HashMap<Digest, Descriptor> = HashMap::new();
    for descriptor in descriptors {
        let asked = distinct.entry(descriptor.digest).or_insert_with(|| descriptor.clone());
        check_size(descriptor, asked.size, "another descriptor of it")?;
    }
    let mut answers = stream::iter(distinct.into_values())
        .map(|descriptor| async move { is_present(provider, &descriptor).await })
        .buffer_unordered(job.concurrency.max(1));
    let mut presence = Presence::default();
    while let Some(answer) = answers.next().await {
        presence.present.extend(answer?);
    }
    Ok(presence)
}

async fn is_present(provider: &dyn Provider, descriptor: &Descriptor) -> Result<Option<Digest>, Error> {
    match provider.info(descriptor).await {
        Ok(info) => {
            check_size(descriptor, info.size, "the store")?;
            Ok(Some(descriptor.digest))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn check_size(descriptor: &Descriptor, size: u64, who: &str) -> Result<(), Error> {
    if descriptor.size == size {
        return Ok(());
    }
    let reason = format_args!("its descriptor says {} bytes, {who} says {size}", descriptor.size);
    Err(Error::new(ErrorKind::Corrupt, "look up", descriptor.digest, reason))
}
