//! Image manifests and indexes as data, and as the JSON that Go writes (OCI image specification, manifest.md and
//! image-index.md).
//!
//! In OCI's and in Docker's words. It never reads JSON.

use cache_model::json::{self, Object as JsonObject};
use cache_model::{Annotations, Descriptor, MediaType};

use crate::json::indent;

/// An image manifest: one config, and layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageManifest {
    /// The version of the schema, 2; kept as it was read, 0 if absent.
    pub schema_version: u32,
    /// The media type that the document gives itself; may be empty.
    pub media_type: MediaType,
    /// The type of the artifact; empty for an image.
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

/// An image index, or Docker's manifest list: descriptors of manifests, or of anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageIndex {
    /// The version of the schema, 2; kept as it was read, 0 if absent.
    pub schema_version: u32,
    /// The media type that the document gives itself; may be empty.
    pub media_type: MediaType,
    /// The type of the artifact; empty for an index of images.
    pub artifact_type: String,
    /// The descriptors of the entries.
    pub manifests: Vec<Descriptor>,
    /// The manifest that this index refers to.
    pub subject: Option<Descriptor>,
    /// Annotations of the index.
    pub annotations: Annotations,
}

/// A document that a name in a registry or a layout can point at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestOrIndex {
    /// An image manifest.
    Manifest(ImageManifest),
    /// An image index, or a manifest list.
    Index(ImageIndex),
}

impl ManifestOrIndex {
    /// The compact JSON text, members in the order of Go's structs. Empty members are left out, except for the list of
    /// layers or entries.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Manifest(manifest) => manifest.encode(),
            Self::Index(index) => index.encode(),
        }
    }

    /// The text with line breaks and an indent of two spaces, as BuildKit writes the manifests of images (Go's
    /// `json.MarshalIndent`). Caches are written compactly, by [`ManifestOrIndex::encode`].
    pub fn encode_indented(&self) -> Vec<u8> {
        indent::indented(&self.encode())
    }

    /// The media type under which the document is served: its own if that is a manifest's or an index's, otherwise
    /// OCI's for its structure.
    pub fn media_type(&self) -> MediaType {
        let (own, default) = match self {
            Self::Manifest(manifest) => (&manifest.media_type, MediaType::OCI_MANIFEST),
            Self::Index(index) => (&index.media_type, MediaType::OCI_INDEX),
        };
        if own.is_manifest() { own.clone() } else { default }
    }

    pub(crate) fn artifact_type(&self) -> &str {
        match self {
            Self::Manifest(manifest) => &manifest.artifact_type,
            Self::Index(index) => &index.artifact_type,
        }
    }

    pub(crate) fn subject(&self) -> Option<&Descriptor> {
        match self {
            Self::Manifest(manifest) => manifest.subject.as_ref(),
            Self::Index(index) => index.subject.as_ref(),
        }
    }

    pub(crate) fn annotations(&self) -> &Annotations {
        match self {
            Self::Manifest(manifest) => &manifest.annotations,
            Self::Index(index) => &index.annotations,
        }
    }

    pub(crate) fn annotations_mut(&mut self) -> &mut Annotations {
        match self {
            Self::Manifest(manifest) => &mut manifest.annotations,
            Self::Index(index) => &mut index.annotations,
        }
    }

    /// Sets the members that both documents have beside their descriptors.
    pub(crate) fn set_head(
        &mut self,
        artifact_type: String,
        subject: Option<Descriptor>,
        annotations: Annotations,
    ) {
        match self {
            Self::Manifest(manifest) => {
                manifest.artifact_type = artifact_type;
                manifest.subject = subject;
                manifest.annotations = annotations;
            }
            Self::Index(index) => {
                index.artifact_type = artifact_type;
                index.subject = subject;
                index.annotations = annotations;
            }
        }
    }
}

impl ImageManifest {
    /// A manifest in OCI's words, with nothing beside its config and layers.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: MediaType::OCI_MANIFEST,
            artifact_type: String::new(),
            config,
            layers,
            subject: None,
            annotations: Annotations::default(),
        }
    }

    /// The type of the artifact that this is the manifest of; `None` for an image, which has an image's config, and an
    /// image's layer unless it has none. Signatures and attestations may have an image's config, too.
    ///
    /// It is the artifact type that the manifest states, or else the media type of the config or layer that is no image's.
    ///
    /// ```
    /// use cache_format::ImageManifest;
    /// use cache_model::{Descriptor, MediaType};
    /// let of = |config, layer| {
    ///     let layers = vec![Descriptor::of(MediaType::new(layer), "layer")];
    ///     ImageManifest::new(Descriptor::of(config, "{}"), layers).artifact_type()
    /// };
    /// assert_eq!(of(MediaType::OCI_IMAGE_CONFIG, "application/vnd.oci.image.layer.v1.tar+gzip"), None);
    /// let signature = MediaType::new("application/vnd.dev.cosign.simplesigning.v1+json");
    /// assert_eq!(of(MediaType::OCI_IMAGE_CONFIG, signature.as_str()), Some(signature.clone()));
    /// let chart = MediaType::new("application/vnd.cncf.helm.config.v1+json");
    /// assert_eq!(of(chart.clone(), "application/vnd.cncf.helm.chart.content.v1.tar+gzip"), Some(chart));
    /// ```
    pub fn artifact_type(&self) -> Option<MediaType> {
        let has_image_config =
            [MediaType::OCI_IMAGE_CONFIG, MediaType::DOCKER_IMAGE_CONFIG].contains(&self.config.media_type);
        let foreign = match self.layers.first() {
            _ if !has_image_config => &self.config,
            Some(first) if !self.layers.iter().any(is_image_layer) => first,
            _ => return None,
        };
        let stated = Some(self.artifact_type.as_str()).filter(|text| !text.is_empty());
        Some(stated.map_or_else(|| foreign.media_type.clone(), MediaType::new))
    }

    /// The compact JSON text; see [`ManifestOrIndex::encode`].
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
    /// An index in OCI's words, with nothing beside its entries.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: MediaType::OCI_INDEX,
            artifact_type: String::new(),
            manifests,
            subject: None,
            annotations: Annotations::default(),
        }
    }

    /// The compact JSON text; see [`ManifestOrIndex::encode`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.manifests.len() * 384);
        let mut members = open(&mut out, self.schema_version, &self.media_type, &self.artifact_type);
        json::push_list(&self.manifests, members.key("manifests"), Descriptor::write_json);
        close(members, self.subject.as_ref(), &self.annotations);
        out
    }
}

/// Whether a layer is one of an image, also in an encoding that is not known here, such as an encrypted one.
fn is_image_layer(layer: &Descriptor) -> bool {
    let media_type = layer.media_type.as_str();
    let prefixes = ["application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs."];
    media_type.is_empty() || prefixes.iter().any(|prefix| media_type.starts_with(prefix))
}

/// Opens the object with the first members of both documents.
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

/// Closes the object with the last members of both documents.
fn close(mut members: JsonObject<'_>, subject: Option<&Descriptor>, annotations: &Annotations) {
    if let Some(subject) = subject {
        subject.write_json(members.key("subject"));
    }
    annotations.write_member(&mut members);
    members.close();
}
