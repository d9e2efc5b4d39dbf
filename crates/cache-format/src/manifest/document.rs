//! Image manifests and indexes as documents (OCI image specification, manifest.md and image-index.md).
//!
//! Reads and writes both, in the OCI and in the Docker spelling. It never guesses: the structure decides which of the
//! two a text is, and a text that is neither, or both, is refused by name.

use cache_model::json::{self, Object as JsonObject};
use cache_model::{Annotations, Descriptor, MediaType};

use crate::json::indent;

/// An image manifest: one config, and layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageManifest {
    /// The version of the schema, 2; kept as it was read, 0 where it was absent.
    pub schema_version: u32,
    /// The media type that the document gives itself; empty where it gives none.
    pub media_type: MediaType,
    /// The type of the artifact; empty where it is an image.
    pub artifact_type: String,
    /// The descriptor of the config.
    pub config: Descriptor,
    /// The descriptors of the layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// The manifest that this one refers to.
    pub subject: Option<Descriptor>,
    /// Annotations of the manifest.
    pub annotations: Annotations,
}

/// An image index, or Docker's manifest list: descriptors of manifests, or of whatever else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageIndex {
    /// The version of the schema, 2; kept as it was read, 0 where it was absent.
    pub schema_version: u32,
    /// The media type that the document gives itself; empty where it gives none.
    pub media_type: MediaType,
    /// The type of the artifact; empty where it is none.
    pub artifact_type: String,
    /// The descriptors of the entries.
    pub manifests: Vec<Descriptor>,
    /// The manifest that this index refers to.
    pub subject: Option<Descriptor>,
    /// Annotations of the index.
    pub annotations: Annotations,
}

/// What a name in a registry or a layout leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// An image manifest.
    Manifest(ImageManifest),
    /// An image index, or a manifest list.
    Index(ImageIndex),
}

impl Document {
    /// The compact JSON text, members in the order of Go's structs, those that are empty left out (the list of
    /// layers or entries always stands).
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Manifest(manifest) => manifest.encode(),
            Self::Index(index) => index.encode(),
        }
    }

    /// The text with line breaks and an indent of two spaces, as BuildKit writes the manifests of images (Go's
    /// `json.MarshalIndent`). Caches are written compactly, by [`Document::encode`].
    pub fn encode_indented(&self) -> Vec<u8> {
        indent::indented(&self.encode())
    }

    /// The media type under which the document is served: the one that it gives itself where that is a manifest's
    /// or an index's, else OCI's for its structure.
    pub fn media_type(&self) -> MediaType {
        let (own, default) = match self {
            Self::Manifest(manifest) => (&manifest.media_type, MediaType::OCI_MANIFEST),
            Self::Index(index) => (&index.media_type, MediaType::OCI_INDEX),
        };
        if own.is_manifest() { own.clone() } else { default }
    }
}

impl ImageManifest {
    /// Whether its config is that of an image, OCI's or Docker's, by its media type.
    pub fn has_image_config(&self) -> bool {
        [MediaType::OCI_IMAGE_CONFIG, MediaType::DOCKER_IMAGE_CONFIG].contains(&self.config.media_type)
    }

    /// The compact JSON text; see [`Document::encode`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512 + self.layers.len() * 384);
        let mut members = open(&mut out, self.schema_version, &self.media_type, &self.artifact_type);
        self.config.write_json(members.key("config"));
        json::push_list(&self.layers, members.key("layers"), Descriptor::write_json);
        close(members, self.subject.as_ref(), &self.annotations);
        out
    }
}

impl ImageIndex {
    /// The compact JSON text; see [`Document::encode`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.manifests.len() * 384);
        let mut members = open(&mut out, self.schema_version, &self.media_type, &self.artifact_type);
        json::push_list(&self.manifests, members.key("manifests"), Descriptor::write_json);
        close(members, self.subject.as_ref(), &self.annotations);
        out
    }
}

/// Opens the object with the members that stand first in both documents.
fn open<'a>(
    out: &'a mut Vec<u8>,
    version: u32,
    media_type: &MediaType,
    artifact_type: &str,
) -> JsonObject<'a> {
    let mut members = JsonObject::open(out);
    json::push_number(version, members.key("schemaVersion"));
    members.string_unless_empty("mediaType", media_type.as_str());
    members.string_unless_empty("artifactType", artifact_type);
    members
}

/// Closes the object with the members that stand last in both documents.
fn close(mut members: JsonObject<'_>, subject: Option<&Descriptor>, annotations: &Annotations) {
    if let Some(subject) = subject {
        subject.write_json(members.key("subject"));
    }
    annotations.write_member(&mut members);
    members.close();
}
