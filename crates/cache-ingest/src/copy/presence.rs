//! Which blobs are there: asked once for each, several at a time.
//!
//! Present, absent and *could not tell* are three answers, and the last is never taken for one of the others.

use std::collections::{HashMap, HashSet};

use cache_model::{Descriptor, Digest};
use futures_util::{StreamExt, stream};

use crate::{Error, ErrorKind, Job, Provider};

/// The blobs that are there, of those that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    present: HashSet<Digest>,
}

impl Presence {
    /// Whether the blob is there.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.present.contains(digest)
    }

    /// How many are there.
    pub fn len(&self) -> usize {
        self.present.len()
    }

    /// Whether none is there.
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
/// Where it cannot tell of one, that is the error, its kind kept. A blob whose size is not that of its descriptor is
/// [`ErrorKind::Corrupt`]: to call it absent would lose it silently.
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
