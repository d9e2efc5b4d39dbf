//! What the manifests of the sources say of blobs.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::instant::last_instant;

/// The diff ID of a layer.
const DIFF_ID: &str = "containerd.io/uncompressed";
/// The day on which a layer was last used.
const USED: &str = "bkcache/used";
/// The media types of Docker's dialect that have a twin in OCI's.
const OCI: [(&str, &str); 5] = [
    ("application/vnd.docker.image.rootfs.diff.tar", "application/vnd.oci.image.layer.v1.tar"),
    ("application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.oci.image.layer.v1.tar+gzip"),
    ("application/vnd.docker.image.rootfs.diff.tar.zstd", "application/vnd.oci.image.layer.v1.tar+zstd"),
    (
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
    ),
    (
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ),
];

/// What a descriptor says of a blob.
#[derive(Clone, Debug)]
pub struct Blob {
    /// The size in bytes.
    pub size: u64,
    /// The diff ID, if the descriptor names one.
    pub diff_id: Option<String>,
    /// The day on which the blob was last used, as `2026-11-28`.
    pub used: Option<String>,
    /// The JSON text of the descriptor, with an OCI media type and without a mark of use.
    pub exported: String,
}

/// A blob to which two sources give different sizes.
#[derive(Debug, PartialEq, Eq)]
pub struct SizeConflict(pub String);

/// The blobs of one or several sources, by their digests.
#[derive(Clone, Debug, Default)]
pub struct Blobs(pub(crate) BTreeMap<String, Blob>);

impl Blob {
    /// Reads the JSON text of a descriptor: its digest, and what it says of the blob.
    pub(crate) fn read(text: &str) -> Option<(String, Self)> {
        let descriptor: Value = serde_json::from_str(text).ok()?;
        let annotation = |key: &str| descriptor["annotations"][key].as_str();
        let media_type = |name: &str| format!(r#"{{"mediaType":"{name}","#);
        let exported = OCI.iter().find_map(|(docker, oci)| {
            text.strip_prefix(&media_type(docker)).map(|rest| media_type(oci) + rest)
        });
        let blob = Self {
            size: descriptor["size"].as_u64()?,
            diff_id: annotation(DIFF_ID).map(str::to_owned),
            used: annotation(USED).filter(|day| last_instant(day).is_some()).map(str::to_owned),
            exported: without_mark(&exported.unwrap_or_else(|| text.to_owned()), annotation(USED)),
        };
        Some((descriptor["digest"].as_str()?.to_owned(), blob))
    }
}

impl Blobs {
    /// The size of a blob in bytes.
    pub fn size(&self, blob: &str) -> u64 {
        self.0[blob].size
    }

    /// The last instant of the day on which a blob was last used, if a source says so.
    pub(crate) fn used(&self, blob: &str) -> Option<i128> {
        last_instant(self.0[blob].used.as_ref()?)
    }

    /// The JSON text of the descriptor of a blob, with an OCI media type and the mark of use.
    pub(crate) fn exported(&self, blob: &str) -> String {
        let blob = &self.0[blob];
        blob.used.as_ref().map_or_else(|| blob.exported.clone(), |day| with_mark(&blob.exported, day))
    }

    /// The identity of a layer: its diff ID, otherwise the digest of its blob.
    pub(crate) fn identity(&self, blob: &str) -> String {
        self.0[blob].diff_id.clone().unwrap_or_else(|| blob.to_owned())
    }

    /// The identities of layers. Two results are the same when these are equal.
    pub(crate) fn identities(&self, blobs: &[String]) -> Vec<String> {
        blobs.iter().map(|blob| self.identity(blob)).collect()
    }

    /// Adds the blobs of another source. Of two diff IDs and of two descriptors the smaller text counts, of two marks the
    /// later one.
    pub(crate) fn unite(&mut self, other: &Self) -> Result<(), SizeConflict> {
        for (digest, blob) in &other.0 {
            let known = self.0.entry(digest.clone()).or_insert_with(|| blob.clone());
            if known.size != blob.size {
                return Err(SizeConflict(digest.clone()));
            }
            known.diff_id = known.diff_id.iter().chain(&blob.diff_id).min().cloned();
            known.used = known.used.iter().chain(&blob.used).max().cloned();
            if blob.exported < known.exported {
                known.exported.clone_from(&blob.exported);
            }
        }
        Ok(())
    }
}

/// The text of a descriptor without its mark, which is the first of its annotations.
fn without_mark(text: &str, day: Option<&str>) -> String {
    let Some(day) = day else { return text.to_owned() };
    let mark = format!(r#""{USED}":"{day}""#);
    let alone = format!(r#","annotations":{{{mark}}}"#);
    text.replacen(&alone, "", 1).replacen(&format!("{mark},"), "", 1)
}

/// The text of a descriptor with a mark, which comes before its other annotations.
fn with_mark(text: &str, day: &str) -> String {
    let mark = format!(r#""{USED}":"{day}""#);
    let annotations = r#","annotations":{"#;
    match text.split_once(annotations) {
        Some((start, rest)) => format!("{start}{annotations}{mark},{rest}"),
        None => format!("{}{annotations}{mark}}}}}", text.strip_suffix('}').unwrap()),
    }
}
