//! Reading manifests and indexes. The error for another document of the field names its kind.
//!
//! The structure decides which of the two a text is. The media type alone never does: it is checked against the
//! structure.

use cache_model::{Annotations, Descriptor, MediaType};
use serde::Deserializer;

use crate::FormatError;
use crate::json::read::{self, Object, Place, members, string};
use crate::manifest::descriptor::{Descriptors, Strictness, annotations, descriptor};
use crate::manifest::document::{ImageIndex, ImageManifest, ManifestOrIndex};

const MANIFEST: &str = "manifest";
const INDEX: &str = "index";

impl ManifestOrIndex {
    /// Reads a manifest or an index.
    ///
    /// `config` or `layers` mean a manifest, `manifests` an index; without any of them a `mediaType` of an index
    /// means an empty one. Null means absent (a null `layers` or `manifests` is an empty list), unknown members and
    /// an unknown `mediaType` are ignored.
    ///
    /// # Errors
    ///
    /// Invalid JSON; `config` or `layers` together with `manifests`; a known `mediaType` that contradicts the
    /// structure; an entry without digest or size, with a malformed digest or a negative size (the error names the
    /// entry); a Docker manifest of schema 1; any other document, such as a cache config or an image config.
    ///
    /// ```
    /// use cache_format::ManifestOrIndex;
    /// let text = br#"{"schemaVersion":2,"manifests":[]}"#;
    /// let document = ManifestOrIndex::decode(text)?;
    /// assert!(matches!(document, ManifestOrIndex::Index(_)));
    /// assert_eq!(document.encode(), text);
    /// # Ok::<(), cache_format::FormatError>(())
    /// ```
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let members = read::document(MANIFEST, bytes, |json, place| {
            let mut reader = MembersReader { members: DocumentMembers::default(), place };
            read::object(json, &mut reader)?;
            Ok(reader.members)
        });
        // The kind of the document is a better message than the first member that no manifest can have.
        members.and_then(DocumentMembers::recognize).map_err(|error| foreign(bytes).unwrap_or(error))
    }
}

/// The members of both documents, before it is known which of the two this is.
#[derive(Default)]
struct DocumentMembers {
    schema_version: u32,
    media_type: MediaType,
    artifact_type: String,
    config: Option<Descriptor>,
    /// `None` if the member is absent; a null is an empty list.
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Annotations,
}

struct MembersReader<'p> {
    members: DocumentMembers,
    place: &'p Place,
}

impl<'de> Object<'de> for MembersReader<'_> {
    const WHAT: &'static str = "a manifest or an index (an object)";

    members! { |self, value, key|
        "schemaVersion" => self.members.schema_version = read::number(value, key)?.unwrap_or(0),
        "mediaType" => self.members.media_type = MediaType::new(&read::text(value, key)?.unwrap_or_default()),
        "artifactType" => self.members.artifact_type = string(value, key)?,
        "config" => {
            self.place.member(key);
            self.members.config = descriptor(value, Strictness::Manifest)?;
        },
        "layers" => self.members.layers = Some(descriptors(value, "layer", self.place)?),
        "manifests" => self.members.manifests = Some(descriptors(value, "entry", self.place)?),
        "subject" => {
            self.place.member(key);
            self.members.subject = descriptor(value, Strictness::Manifest)?;
        },
        "annotations" => self.members.annotations = annotations(value)?,
    }

    fn end_member(&mut self) {
        self.place.clear();
    }
}

fn descriptors<'de, D: Deserializer<'de>>(
    value: D,
    noun: &'static str,
    place: &Place,
) -> Result<Vec<Descriptor>, D::Error> {
    let mut list =
        Descriptors { found: Vec::new(), strictness: Strictness::Manifest, entry: Some((noun, place)) };
    read::list(value, &mut list)?;
    Ok(list.found)
}

impl DocumentMembers {
    fn recognize(self) -> Result<ManifestOrIndex, FormatError> {
        let is_manifest = self.config.is_some() || self.layers.is_some();
        match (is_manifest, self.manifests.is_some()) {
            (true, true) => Err(FormatError::invalid(
                MANIFEST,
                "it has config or layers as a manifest does, and manifests as an index does",
            )),
            (true, false) => self.into_manifest(),
            (false, _) => self.into_index(),
        }
    }

    fn into_manifest(self) -> Result<ManifestOrIndex, FormatError> {
        if is_index(&self.media_type) {
            let message = format!("mediaType {} is an index's, but it has config or layers", self.media_type);
            return Err(FormatError::invalid(MANIFEST, message));
        }
        let Some(config) = self.config else {
            return Err(FormatError::invalid(MANIFEST, "config is missing"));
        };
        Ok(ManifestOrIndex::Manifest(ImageManifest {
            schema_version: self.schema_version,
            media_type: self.media_type,
            artifact_type: self.artifact_type,
            config,
            layers: self.layers.unwrap_or_default(),
            subject: self.subject,
            annotations: self.annotations,
        }))
    }

    fn into_index(self) -> Result<ManifestOrIndex, FormatError> {
        if self.media_type.is_manifest() && !is_index(&self.media_type) {
            let message =
                format!("mediaType {} is a manifest's, but it has no config and no layers", self.media_type);
            return Err(FormatError::invalid(INDEX, message));
        }
        if self.manifests.is_none() && !is_index(&self.media_type) {
            return Err(FormatError::unsupported(
                MANIFEST,
                "this is neither a manifest nor an index: it has no config, no layers and no manifests",
            ));
        }
        Ok(ManifestOrIndex::Index(ImageIndex {
            schema_version: self.schema_version,
            media_type: self.media_type,
            artifact_type: self.artifact_type,
            manifests: self.manifests.unwrap_or_default(),
            subject: self.subject,
            annotations: self.annotations,
        }))
    }
}

fn is_index(media_type: &MediaType) -> bool {
    *media_type == MediaType::OCI_INDEX || *media_type == MediaType::DOCKER_LIST
}

/// The error for a document of another known kind; `None` for any other bytes.
fn foreign(bytes: &[u8]) -> Option<FormatError> {
    let shape = read::document(MANIFEST, bytes, |json, _| {
        let mut shape = Shape::default();
        read::object(json, &mut shape)?;
        Ok(shape)
    });
    let shape = shape.ok()?;
    let message = if shape.fs_layers {
        "this is a Docker image manifest of schema 1, which is not supported: push the image again with a current tool"
    } else if shape.records && !shape.manifests && !shape.config {
        "this is a cache config, not the manifest or index that names it"
    } else if shape.rootfs && !shape.manifests && !shape.layers {
        "this is an image config, not the manifest that names it"
    } else {
        return None;
    };
    Some(FormatError::unsupported(MANIFEST, message))
}

/// Which telling members are present, with any value but null.
#[derive(Default)]
struct Shape {
    config: bool,
    layers: bool,
    manifests: bool,
    records: bool,
    rootfs: bool,
    fs_layers: bool,
}

impl<'de> Object<'de> for Shape {
    const WHAT: &'static str = "an object";

    members! { |self, value, key|
        "config" => self.config = read::skip(value)?,
        "layers" => self.layers = read::skip(value)?,
        "manifests" => self.manifests = read::skip(value)?,
        "records" => self.records = read::skip(value)?,
        "rootfs" => self.rootfs = read::skip(value)?,
        "fsLayers" => self.fs_layers = read::skip(value)?,
    }
}
