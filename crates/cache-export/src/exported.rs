//! The outcome of an export.

use std::collections::BTreeMap;

use cache_ingest::{Event, Job, Stored, Summary};
use cache_model::{Descriptor, Digest, Totals};

use crate::ExportWarning;

/// The key under which BuildKit returns the descriptor of the manifest, as JSON, to the client of an export.
pub const METADATA_MANIFEST: &str = "cache.manifest";

/// The outcome of an export.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Exported {
    /// The descriptor of the manifest; `None` if there was nothing to export.
    pub manifest: Option<Descriptor>,
    /// The descriptor of the config.
    pub config: Option<Descriptor>,
    /// What the cache holds; `None` for a copy that does not look at the records.
    pub totals: Option<Totals>,
    /// How many blobs were stored or already present, the config included, which is a blob like others for a store.
    pub blobs: Summary,
    /// How the config came to be in the destination; `None` if there was nothing to export.
    pub config_stored: Option<Stored>,
    /// How the manifest came to be in the destination; `None` if there was nothing to export.
    pub manifest_stored: Option<Stored>,
    /// The manifest that the name stood for before, if it was another one, and the store says so. It is how to restore that
    /// manifest.
    pub replaced: Option<Digest>,
    /// Records and results that were left out, and oddities of the result.
    pub warnings: Vec<ExportWarning>,
}

impl Exported {
    /// The outcome of the export of a cache that holds this, before anything was written.
    pub(crate) fn new(totals: Totals) -> Self {
        Self { totals: Some(totals), ..Self::default() }
    }

    /// The metadata that BuildKit returns for a cache export: [`METADATA_MANIFEST`]. Empty if nothing was exported.
    pub fn metadata(&self) -> BTreeMap<String, String> {
        let manifest =
            self.manifest.as_ref().map(|descriptor| String::from_utf8_lossy(&descriptor.json()).into_owned());
        manifest.into_iter().map(|text| (METADATA_MANIFEST.to_owned(), text)).collect()
    }

    /// Adds warnings and reports each as an event.
    pub(crate) fn warn(&mut self, warnings: impl IntoIterator<Item = ExportWarning>, job: &Job) {
        for warning in warnings {
            job.event(&Event::Warning { message: &warning.to_string() });
            self.warnings.push(warning);
        }
    }
}
