//! Blobs to test with: content in memory and its descriptor.
//!
//! The same length or label gives the same bytes on every run; nothing here is random.

use std::fmt::Write as _;

use bytes::Bytes;
use cache_ingest::{Hasher, Job, Source};
use cache_model::{Algorithm, Descriptor, MediaType};

/// Content and its descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Describes the content.
    pub descriptor: Descriptor,
    /// The content.
    pub bytes: Bytes,
}

impl Blob {
    /// A blob with a sha256 digest.
    pub fn new(media_type: MediaType, bytes: impl Into<Bytes>) -> Self {
        Self::hashed(Algorithm::Sha256, media_type, bytes.into())
    }

    /// A layer of `len` bytes, with a digest by `algorithm`.
    pub fn layer(algorithm: Algorithm, len: u32) -> Self {
        let mut state = len | 1;
        let bytes: Vec<u8> = (0..len)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state.to_le_bytes()[0]
            })
            .collect();
        Self::hashed(algorithm, MediaType::OCI_LAYER_TAR, bytes.into())
    }

    /// An OCI index without entries. Different labels give different indexes.
    pub fn index(label: &str) -> Self {
        let text = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_INDEX.as_str(),
            "manifests": [],
            "annotations": { "label": label },
        });
        Self::new(MediaType::OCI_INDEX, text.to_string())
    }

    /// An OCI index without entries that refers to a manifest. Its descriptor has an artifact type and an annotation.
    pub fn referrer(subject: &Self, label: &str) -> Self {
        const ARTIFACT_TYPE: &str = "application/vnd.example.label";
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = write!(
            text,
            r#"{{"schemaVersion":2,"mediaType":"{}","artifactType":"{ARTIFACT_TYPE}","manifests":[],"subject":{},"annotations":{{"label":"{label}"}}}}"#,
            MediaType::OCI_INDEX.as_str(),
            subject.json()
        );
        let mut referrer = Self::new(MediaType::OCI_INDEX, text);
        referrer.descriptor =
            referrer.descriptor.with_annotation("label", label).with_artifact_type(ARTIFACT_TYPE);
        referrer
    }

    /// An OCI image manifest that names a config and layers.
    pub fn manifest(config: &Self, layers: &[Self]) -> Self {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = write!(
            text,
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":["#,
            MediaType::OCI_MANIFEST.as_str(),
            config.json()
        );
        for (n, layer) in layers.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            let _ = write!(text, "{comma}{}", layer.json());
        }
        text.push_str("]}");
        Self::new(MediaType::OCI_MANIFEST, text)
    }

    /// A source of the blob without retries.
    pub fn source(&self) -> Source<'static> {
        Source::from_bytes(self.descriptor.clone(), self.bytes.clone()).with_job(&Job::without_retries())
    }

    fn hashed(algorithm: Algorithm, media_type: MediaType, bytes: Bytes) -> Self {
        let digest = Hasher::digest(algorithm, &bytes);
        Self { descriptor: Descriptor::new(media_type, digest, bytes.len() as u64), bytes }
    }

    fn json(&self) -> String {
        String::from_utf8_lossy(&self.descriptor.json()).into_owned()
    }
}
