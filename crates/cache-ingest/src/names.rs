//! Giving a manifest another name in its store, and taking a name away, with the other names that go with it.
//!
//! Some registries delete manifests by digest only, and with them all of their tags. No name that the manifest is found to have
//! goes without the caller's consent. A tag that another process gives it between the look and the deletion goes as well.

use std::fmt;

use cache_model::{Descriptor, Digest};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{Error, ErrorKind, Expect, Job, Name, NameStore, Publisher, ReadStore};

/// How many names an error lists.
const NAMES_LISTED: usize = 10;

/// How a name is taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoveOptions {
    /// Whether other names of the manifest may go as well.
    pub with_other_names: bool,
    /// Whether nothing is changed.
    pub dry_run: bool,
}

impl RemoveOptions {
    /// Sets [`with_other_names`](Self::with_other_names).
    #[must_use]
    pub fn with_other_names(self, with_other_names: bool) -> Self {
        Self { with_other_names, ..self }
    }

    /// Sets [`dry_run`](Self::dry_run).
    #[must_use]
    pub fn with_dry_run(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }
}

/// What was taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removal {
    /// The manifest that the name stood for.
    pub manifest: Digest,
    /// The other names of the manifest that are gone as well. After a dry run, those that it has: a registry says only when it
    /// is asked whether it removes a tag alone.
    pub others: Vec<Name>,
}

/// The other names of a manifest, sorted, which nobody has agreed to lose: the cause of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherNames(pub Vec<Name>);

impl fmt::Display for OtherNames {
    /// At most ten names, and how many more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed: Vec<String> = self.0.iter().take(NAMES_LISTED).map(ToString::to_string).collect();
        f.write_str(&listed.join(", "))?;
        match self.0.len().saturating_sub(NAMES_LISTED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl std::error::Error for OtherNames {}

/// Makes a name stand for a manifest that its store has, beside its other names. `to` is the same store, to be written to. No
/// blob moves.
///
/// # Errors
/// Those of [`Resolver::resolve`](crate::Resolver::resolve), of reading the manifest, and of [`Publisher::publish`].
pub async fn add_manifest_name(
    store: &dyn ReadStore,
    name: &Name,
    to: &dyn Publisher,
    new: &Name,
    job: &Job,
) -> Result<Descriptor, Error> {
    let resolved = store.resolve(name).await?;
    // A reference to a store is a provider.
    let bytes = resolved.read(&store, job).await?;
    to.publish(new, &resolved.descriptor, bytes, Expect::Any).await?;
    Ok(resolved.descriptor)
}

/// Takes a name away. Where the store can only remove the manifest with all of its names, that is done if the options allow
/// it, or if there are no others.
///
/// # Errors
/// [`ErrorKind::NotFound`] for a name that stands for nothing. [`ErrorKind::Conflict`] if other names would go: its cause is
/// [`OtherNames`]. [`ErrorKind::Unsupported`] for a store that removes nothing.
pub async fn remove_manifest_name(
    store: &dyn NameStore,
    name: &Name,
    options: RemoveOptions,
    job: &Job,
) -> Result<Removal, Error> {
    let manifest = store.resolve_descriptor(name).await?.digest;
    let is_digest = matches!(name, Name::Digest(_));
    if !is_digest && !options.dry_run {
        match store.remove_name(name).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            removed => return removed.map(|()| Removal { manifest, others: Vec::new() }),
        }
    }
    let others = other_names(store, name, manifest, job).await?;
    if options.dry_run {
        return Ok(Removal { manifest, others });
    }
    if !others.is_empty() && !options.with_other_names {
        return Err(would_lose(name, manifest, OtherNames(others)));
    }
    store.remove_name(&Name::Digest(manifest)).await?;
    Ok(Removal { manifest, others })
}

/// The names of a manifest beside one, sorted.
async fn other_names(
    store: &dyn NameStore,
    name: &Name,
    manifest: Digest,
    job: &Job,
) -> Result<Vec<Name>, Error> {
    let listed = store.list().await?.into_iter().filter_map(|listed| Some((listed.name?, listed.descriptor)));
    let tags = listed.filter(|(other, _)| other != name && matches!(other, Name::Tag(_)));
    let looked_up = tags.map(|(other, descriptor)| async move {
        let descriptor = match descriptor {
            Some(known) => known.ok(),
            None => match store.resolve_descriptor(&other).await {
                // It was removed meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                found => Some(found?),
            },
        };
        Ok::<_, Error>((descriptor.map(|found| found.digest) == Some(manifest)).then_some(other))
    });
    let looked_up = stream::iter(looked_up).buffer_unordered(job.concurrency.max(1));
    let others: Vec<Option<Name>> = looked_up.try_collect().await?;
    let mut others: Vec<Name> = others.into_iter().flatten().collect();
    others.sort_by_cached_key(ToString::to_string);
    Ok(others)
}

fn would_lose(name: &Name, manifest: Digest, others: OtherNames) -> Error {
    let how = if matches!(name, Name::Digest(_)) {
        "a digest goes with all of its names"
    } else {
        "this store removes a manifest with all of its names"
    };
    let reason = format_args!("{how}, and {manifest} has others: {others}");
    Error::new(ErrorKind::Conflict, "remove", name, reason).with_cause(others)
}
