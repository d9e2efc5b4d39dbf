//! The record of a build that a builder keeps in its history, as `buildx history export` writes it (docker/buildx
//! `util/desktop/bundle`; `BuildHistoryRecord` in moby/buildkit `api/services/control/control.proto`).
//!
//! It names the blobs of the build. It reads none of them.

use std::collections::{BTreeMap, HashMap};

use cache_format::ImageManifest;
use cache_model::{Descriptor, Digest};
use serde::Deserialize;
use serde_json::Value;

use crate::record::RecordError;
use crate::record::predicate_type::{PREDICATE_TYPE, is_provenance};
use crate::record::response::base_diff_ids;

/// The media type of the config of a manifest that holds a record.
pub(crate) const RECORD_TYPE: &str = "application/vnd.buildkit.historyrecord.v0";

/// A record: its builds, one for each platform, and the log that they share.
#[derive(Debug)]
pub(crate) struct HistoryRecord {
    pub(crate) builds: Vec<RecordedBuild>,
    pub(crate) log: Option<Descriptor>,
}

/// The build for one platform.
#[derive(Debug)]
pub(crate) struct RecordedBuild {
    /// The platform that it was made for, such as `linux/amd64`; empty where the record has only one.
    pub(crate) platform: String,
    /// Its provenance.
    pub(crate) provenance: Descriptor,
    /// The diff IDs of the base image of the last stage; empty if the record does not say.
    pub(crate) base_diff_ids: Vec<Digest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct JsonRecord {
    result: Option<JsonResult>,
    results: Option<BTreeMap<String, Option<JsonResult>>>,
    exporter_response: Option<BTreeMap<String, Value>>,
    #[serde(rename = "logs")]
    logs: Option<JsonBlob>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct JsonResult {
    attestations: Option<Vec<JsonBlob>>,
}

#[derive(Deserialize)]
struct JsonBlob {
    digest: String,
    annotations: Option<BTreeMap<String, Option<String>>>,
}

impl HistoryRecord {
    /// The record in a manifest whose config has these bytes. Results without provenance, as of a build that failed early, are
    /// left out.
    pub(crate) fn read(manifest: &ImageManifest, config: &[u8]) -> Result<Self, RecordError> {
        let record: JsonRecord = serde_json::from_slice(config)
            .map_err(|error| RecordError::damaged(format!("the entry of the history: {error}")))?;
        let layers: HashMap<String, &Descriptor> =
            manifest.layers.iter().map(|layer| (layer.digest.to_string(), layer)).collect();
        let layer = |digest: &str| {
            let unknown = || RecordError::damaged(format!("its manifest has no layer {digest:?}"));
            layers.get(digest).map(|layer| (*layer).clone()).ok_or_else(unknown)
        };
        let log = record.logs.as_ref().map(|log| layer(&log.digest)).transpose()?;
        let response = record.exporter_response.unwrap_or_default();
        let results = record.results.into_iter().flatten();
        let results = results.filter_map(|(platform, result)| Some((platform, result?)));
        let mut builds = Vec::new();
        for (platform, result) in
            record.result.into_iter().map(|result| (String::new(), result)).chain(results)
        {
            let mut attestations = result.attestations.into_iter().flatten();
            let Some(provenance) = attestations.find(JsonBlob::is_provenance) else { continue };
            let provenance = layer(&provenance.digest)?;
            let base_diff_ids =
                base_diff_ids(&platform, |key| response.get(key)?.as_str().map(str::to_owned));
            builds.push(RecordedBuild { platform, provenance, base_diff_ids });
        }
        Ok(Self { builds, log })
    }
}

impl JsonBlob {
    fn is_provenance(&self) -> bool {
        let types = self.annotations.iter().flatten().filter(|(key, _)| *key == PREDICATE_TYPE);
        types.filter_map(|(_, value)| value.as_deref()).any(is_provenance)
    }
}
