//! What the records of a finding stand for, by the record of a build.

use std::collections::{HashMap, HashSet};

use cache_import::Imported;
use cache_model::{Digest, ReadError, RecordDigest};
use cache_report::RecordNames;
use cache_verify::{Finding, Place};

use crate::inputs::{Builds, LayerTrees};
use crate::record_names::record_names;

/// How many names a line of text has.
const SHOWN: usize = 3;

/// The names of the records of caches, by their positions in the configs.
pub(crate) struct FindingNames {
    names: RecordNames,
    /// The digests of the records, by the image that holds the cache.
    digests: HashMap<Option<Digest>, Vec<RecordDigest>>,
}

impl FindingNames {
    pub(crate) fn of(imported: &Imported, builds: &Builds) -> Result<Self, ReadError> {
        let caches = &imported.caches;
        let graphs = caches.iter().map(|cache| cache.chains.graph()).collect::<Result<Vec<_>, _>>()?;
        let names = record_names(&graphs, builds, &LayerTrees::default());
        let digests = caches.iter().map(|cache| {
            let image = cache.origin.image().map(|image| image.digest);
            (image, cache.config.records().map(|record| record.digest().clone()).collect())
        });
        Ok(Self { names, digests: digests.collect() })
    }

    /// The names of the records of a finding, each once.
    pub(crate) fn of_finding(&self, finding: &Finding) -> Vec<String> {
        let digests = self.digests.get(&finding.image).map(Vec::as_slice).unwrap_or_default();
        let by_position = finding.records().iter().filter_map(|position| digests.get(*position));
        let own = match &finding.place {
            Place::Record { digest, .. } => Some(digest),
            _ => None,
        };
        let mut names: Vec<String> =
            own.into_iter().chain(by_position).filter_map(|digest| self.names.text(digest)).collect();
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }

    /// The first of them, as the end of a line.
    pub(crate) fn text(&self, finding: &Finding) -> Option<String> {
        let names = self.of_finding(finding);
        let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("; ");
        let more = names.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        (!names.is_empty()).then(|| format!(" ({shown}{more})"))
    }
}
