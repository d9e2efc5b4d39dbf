//! The seam between a build engine and the caches that it exports to, after BuildKit's `Exporter`.
//!
//! [`CacheExporter`] writes to a store. Another kind of cache, such as one inside an image, is another implementation.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cache_ingest::{Job, Provider};
use cache_model::CacheChains;
use cache_target::{Attributes, ExportAttributes, Opened, Role, Targets};

use crate::{Destination, ExportError, Exported, export};

/// Exports the records of a build to one cache.
///
/// A build resolves its exporters before it starts, reads from [`config`](Exporter::config) which records to add and
/// how to compress their layers, and calls [`finalize`](Exporter::finalize) at its end.
#[async_trait]
pub trait Exporter: Send + Sync {
    /// The exporter for progress and logs, such as `exporting cache to ./cache`.
    fn name(&self) -> &str;

    /// The user's settings: mode, compression, whether a failure may be ignored.
    fn config(&self) -> &ExportAttributes;

    /// Exports these records. Their layers come from the provider that the exporter was made with.
    ///
    /// # Errors
    /// [`ExportError`]; then the cache has not been replaced.
    async fn finalize(&self, chains: &CacheChains, job: &Job) -> Result<Exported, ExportError>;
}

/// Exports to a store that a user named, in the form that the attributes ask for.
#[derive(Clone)]
pub struct CacheExporter {
    name: String,
    provider: Arc<dyn Provider>,
    target: Opened,
}

impl CacheExporter {
    /// An exporter to an opened target, of layers that `provider` has.
    ///
    /// # Errors
    /// Those of [`Destination::of`].
    pub fn new(target: Opened, provider: Arc<dyn Provider>) -> Result<Self, ExportError> {
        Destination::of(&target)?;
        Ok(Self { name: format!("exporting cache to {}", target.location), provider, target })
    }
}

impl fmt::Debug for CacheExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheExporter").field("target", &self.target).finish_non_exhaustive()
    }
}

#[async_trait]
impl Exporter for CacheExporter {
    fn name(&self) -> &str {
        &self.name
    }

    fn config(&self) -> &ExportAttributes {
        &self.target.export
    }

    async fn finalize(&self, chains: &CacheChains, job: &Job) -> Result<Exported, ExportError> {
        export(chains, &*self.provider, &Destination::of(&self.target)?, job).await
    }
}

/// Opens the store that attributes name and makes the exporter to it, as BuildKit's `ResolveCacheExporterFunc` does.
/// `provider` has the layers of the records that will be exported.
///
/// A build tool that honours `mode` and `compression` makes its table with
/// [`ExportAttributes::BUILD`]; otherwise they are refused.
///
/// # Errors
/// [`ExportError::Target`] for attributes that make no sense or that the table refuses, and if the store does not
/// open; those of [`Destination::of`].
pub async fn resolve_exporter(
    targets: &Targets,
    attributes: &Attributes,
    provider: Arc<dyn Provider>,
) -> Result<CacheExporter, ExportError> {
    let opened = targets.open_attributes(attributes, Role::Destination).await.map_err(ExportError::Target)?;
    CacheExporter::new(opened, provider)
}
