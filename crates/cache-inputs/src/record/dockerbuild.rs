//! Build records in a file as `buildx history export` writes it (`.dockerbuild`): an OCI layout in a compressed tar, with a
//! manifest for each record.
//!
//! It reads the records, their provenance and their logs, and passes over all else, such as traces.

mod archive;
mod history;
mod protobuf;
mod status_log;

use std::collections::HashMap;

use cache_explain::Build;
use cache_format::{ImageManifest, ManifestOrIndex};
use cache_model::{Descriptor, Digest};

use crate::record::RecordError;
use crate::record::dockerbuild::archive::{ArchiveError, LayoutArchive, check_total};
use crate::record::dockerbuild::history::{HistoryRecord, RECORD_TYPE, RecordedBuild};
use crate::record::dockerbuild::status_log::StatusLog;
use crate::record::json::build_of_provenance;

/// How deep an index may stand within indexes. Each level is a pass over the tar. A file with several records has one.
const DEEPEST_INDEX: usize = 4;

/// The blobs that the records of a file need, read.
#[derive(Default)]
struct RecordBlobs {
    builds: HashMap<Digest, Build>,
    logs: HashMap<Digest, StatusLog>,
}

/// The builds of all records in a file, in the order of the records, those of a record in the order of their platforms.
pub(crate) fn read_archive(bytes: &[u8]) -> Result<Vec<Build>, RecordError> {
    let archive = LayoutArchive::new(bytes);
    let records = records(archive)?;
    let blobs = RecordBlobs::read(archive, &records)?;
    let mut builds = Vec::new();
    for record in &records {
        let log = record.log.as_ref().and_then(|log| blobs.logs.get(&log.digest));
        builds.extend(record.builds.iter().filter_map(|recorded| blobs.build(recorded, log)));
    }
    if builds.is_empty() { Err(RecordError::NoProvenance) } else { Ok(builds) }
}

/// The records in an archive.
fn records(archive: LayoutArchive<'_>) -> Result<Vec<HistoryRecord>, RecordError> {
    let manifests = manifests(archive)?;
    let configs: Vec<&Descriptor> = manifests.iter().map(|manifest| &manifest.config).collect();
    let configs = archive.read_blobs(&configs)?;
    let read = |manifest: &ImageManifest| {
        let config = configs.get(&manifest.config.digest).map(Vec::as_slice).unwrap_or_default();
        HistoryRecord::read(manifest, config)
    };
    manifests.iter().map(read).collect()
}

/// The manifests of records in an archive, in the order of its indexes.
fn manifests(archive: LayoutArchive<'_>) -> Result<Vec<ImageManifest>, RecordError> {
    let mut level = vec![ManifestOrIndex::decode(&archive.index()?)?];
    let mut manifests = Vec::new();
    for _ in 0..=DEEPEST_INDEX {
        let mut entries = Vec::new();
        for document in level {
            match document {
                ManifestOrIndex::Index(index) => entries.extend(index.manifests),
                ManifestOrIndex::Manifest(manifest) if manifest.config.media_type.as_str() == RECORD_TYPE => {
                    manifests.push(manifest);
                }
                ManifestOrIndex::Manifest(_) => {}
            }
        }
        if entries.is_empty() {
            return if manifests.is_empty() { Err(RecordError::Unknown) } else { Ok(manifests) };
        }
        let blobs = archive.read_blobs(&entries.iter().collect::<Vec<_>>())?;
        let documents = entries.iter().filter_map(|entry| blobs.get(&entry.digest));
        level = documents.map(|bytes| ManifestOrIndex::decode(bytes)).collect::<Result<_, _>>()?;
    }
    Err(RecordError::damaged("its indexes stand within one another without end"))
}

impl RecordBlobs {
    /// Reads all provenance and all logs in one pass.
    fn read(archive: LayoutArchive<'_>, records: &[HistoryRecord]) -> Result<Self, RecordError> {
        let mut read = Self::default();
        let logs: HashMap<Digest, &Descriptor> =
            records.iter().filter_map(|record| record.log.as_ref()).map(|log| (log.digest, log)).collect();
        let builds = records.iter().flat_map(|record| &record.builds);
        let mut wanted: Vec<&Descriptor> = builds.map(|build| &build.provenance).collect();
        check_total(&wanted)?;
        wanted.extend(logs.values());
        archive.visit_blobs::<RecordError>(&wanted, &mut |digest, blob| {
            if logs.contains_key(&digest) {
                let damaged = |error| RecordError::damaged(format!("its log {digest}: {error}"));
                read.logs.insert(digest, StatusLog::read(blob).map_err(damaged)?);
            } else {
                let mut bytes = Vec::new();
                blob.read_to_end(&mut bytes).map_err(ArchiveError::Tar)?;
                read.builds.insert(digest, build_of_provenance(&bytes)?);
            }
            Ok(())
        })?;
        Ok(read)
    }

    /// A build with all that its record says of it.
    fn build(&self, recorded: &RecordedBuild, log: Option<&StatusLog>) -> Option<Build> {
        let mut build = self.builds.get(&recorded.provenance.digest)?.clone();
        build.target = recorded.platform.parse().ok();
        build.base_diff_ids.clone_from(&recorded.base_diff_ids);
        if let Some(log) = log {
            for (vertex, step) in &build.vertices {
                build.durations.extend(log.duration(vertex).map(|duration| (*step, duration)));
                build.cached.extend(log.is_cached(vertex).then_some(*step));
            }
        }
        Some(build)
    }
}
