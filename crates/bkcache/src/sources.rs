//! The caches that a command makes a new one of: read whole, each with the text that the user named it by.
//!
//! An index of images with a cache inside each is one source.

use std::collections::HashSet;

use cache_edit::{EditError, MergeOptions, Source, merge};
use cache_format::Form;
use cache_import::ImportWarning;
use cache_ingest::{ErrorKind, Event, MultiProvider, Provider, Resolved};
use cache_model::{CacheChains, Digest, Totals, grouped};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::failure::{Doing, Failure};
use crate::open::{OpenedDestination, OpenedSource, place};
use crate::stores::Stores;

/// A cache that was read.
pub(crate) struct CacheSource {
    /// The text that the user named it by.
    pub(crate) text: String,
    pub(crate) opened: OpenedSource,
    pub(crate) chains: CacheChains,
    /// What it holds.
    pub(crate) totals: Totals,
    /// Whether it is what the destination has.
    pub(crate) is_base: bool,
    warnings: Vec<ImportWarning>,
}

impl CacheSource {
    async fn open(stores: &Stores, text: &str) -> Result<Self, Failure> {
        Self::import(stores, OpenedSource::open(stores, text).await?, text).await
    }

    /// Reads the cache that a destination has, as its store has resolved it.
    pub(crate) async fn of_destination(
        stores: &Stores,
        to: &OpenedDestination,
        resolved: &Resolved,
        text: &str,
    ) -> Result<Self, Failure> {
        let opened = OpenedSource::of_resolved(stores, to.target().clone(), resolved).await?;
        let base = Self { is_base: true, ..Self::import(stores, opened, text).await? };
        base.warn(stores);
        Ok(base)
    }

    async fn import(stores: &Stores, opened: OpenedSource, text: &str) -> Result<Self, Failure> {
        let mut imported = opened.import_silently(stores).await?;
        let warnings = std::mem::take(&mut imported.warnings);
        let chains = imported.into_chains().doing(|| opened.reading())?;
        let totals = Totals::of_graph(&chains.graph().doing(|| opened.reading())?);
        Ok(Self { text: text.to_owned(), opened, chains, totals, is_base: false, warnings })
    }

    fn warn(&self, stores: &Stores) {
        for warning in &self.warnings {
            let message = format!("{}: {warning}", place(&self.opened.target));
            stores.job.event(&Event::Warning { message: &message });
        }
    }

    /// The form of its manifest; `None` for images with a cache inside.
    pub(crate) fn form(&self) -> Option<Form> {
        self.opened.cache.manifest().map(|manifest| manifest.form)
    }
}

/// Reads caches, several at a time. Warnings name their cache, and come in the order of the caches.
pub(crate) async fn open_sources(stores: &Stores, texts: &[String]) -> Result<Vec<CacheSource>, Failure> {
    let reads = stream::iter(texts).map(|text| CacheSource::open(stores, text));
    let sources: Vec<CacheSource> = reads.buffered(stores.job.concurrency.max(1)).try_collect().await?;
    sources.iter().for_each(|source| source.warn(stores));
    Ok(sources)
}

/// The blobs of all sources. Each is asked for where a source has it, and elsewhere only if it is missing there.
pub(crate) fn blobs_of(sources: &[CacheSource]) -> MultiProvider<&dyn Provider> {
    let mut provider = MultiProvider::new([]);
    for source in sources {
        let store: &dyn Provider = &*source.opened.target.store;
        provider.add(store, source.chains.blobs().map(|blob| blob.digest));
    }
    provider
}

/// The records of caches as one cache, without mixing their runs; those of one cache in their canonical form.
pub(crate) fn merged(caches: &[CacheSource]) -> Result<CacheChains, Failure> {
    let sources: Vec<Source<'_>> = caches.iter().map(|cache| Source::new(&cache.chains)).collect();
    let merged = merge(&sources, MergeOptions::default());
    merged.map(|merged| merged.chains).map_err(|error| edit_failure(error, caches))
}

/// The form for a cache that is made of these, unless another is asked for: that of the destination, else the one that all
/// have which are not images.
pub(crate) fn form_of(sources: &[CacheSource]) -> Option<Form> {
    if let Some(base) = sources.iter().find(|source| source.is_base) {
        return base.form();
    }
    let mut forms = sources.iter().filter_map(CacheSource::form);
    let first = forms.next()?;
    forms.all(|form| form == first).then_some(first)
}

/// The texts of the sources that name one of these blobs.
pub(crate) fn that_name<'s>(sources: &'s [CacheSource], blobs: &HashSet<Digest>) -> Vec<&'s str> {
    let names = |source: &&CacheSource| source.chains.blobs().any(|blob| blobs.contains(&blob.digest));
    sources.iter().filter(names).map(|source| source.text.as_str()).collect()
}

/// The failure of an edit, with the sources as they were typed.
pub(crate) fn edit_failure(error: EditError, sources: &[CacheSource]) -> Failure {
    let text = |position: usize| sources.get(position).map_or("a source", |source| source.text.as_str());
    let kind = match error {
        EditError::SizeConflict { .. } | EditError::Read(_) => ErrorKind::Corrupt,
        _ => ErrorKind::Invalid,
    };
    let (doing, error) = match error {
        EditError::SizeConflict { blob, sizes: [one, other], sources: [a, b], .. } => (
            "the caches contradict each other".to_owned(),
            anyhow::anyhow!(
                "blob {blob} has {} bytes in {} and {} bytes in {}",
                grouped(one),
                text(a),
                grouped(other),
                text(b)
            ),
        ),
        error => ("cannot make the new cache".to_owned(), error.into()),
    };
    let hint =
        (kind == ErrorKind::Corrupt).then(|| "`bkcache verify` says which of them is wrong".to_owned());
    Failure::Failed { doing, kind, error, hint }
}
