//! Reading manifests and indexes, and telling by name what is neither.
//!
//! It never decides by the media type alone: a `mediaType` is checked against the structure.

use cache_model::{Annotations, Descriptor, MediaType};
use serde::Deserializer;

use crate::FormatError;
use crate::json::read::{self, Object, Place};
use crate::manifest::descriptor::{Descriptors, Strictness, annotations, descriptor, string};
use crate::manifest::document::{Document, ImageIndex, ImageManifest};

const MANIFEST: &str = "manifest";
const INDEX: &str = "index";

impl Document {
    /// Reads a manifest or an index.
    ///
    /// `config` or `layers` mean a manifest, `manifests` an index; without any of them a `mediaType` of an index
    /// means an empty one. Null means absent (a null `layers` or `manifests` is an empty list), unknown members and
    /// an unknown `mediaType` are ignored.
    ///
    /// # Errors
    ///
    /// A text that is no JSON; `config` or `layers` together with `manifests`; a known `mediaType` that contradicts
    /// the structure; an entry without digest or size, with a malformed digest or a negative size (the error names
    /// it); a Docker manifest of schema 1; any other document, such as a cache config or an image config.
    ///
    /// ```
    /// use cache_format::Document;
    /// let text = br#"{"schemaVersion":2,"manifests":[]}"#;
    /// let document = Document::decode(text)?;
    /// assert!(matches!(document, Document::Index(_)));
    /// assert_eq!(document.encode(), text);
    /// # Ok::<(), cache_format::FormatError>(())
    /// ```
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let found = read::document(MANIFEST, bytes, |json, place| {
            let mut members = Members { found: Found::default(), place };
            read::object(json, &mut members)?;
            Ok(members.found)
        });
        // What the document is instead says more than which member would not do as a manifest's.
        found.and_then(Found::recognize).map_err(|error| foreign(bytes).unwrap_or(error))
    }
}

/// The members of both documents, as they were found.
#[derive(Default)]
struct Found {
    schema_version: u32,
    media_type: MediaType,
    artifact_type: String,
    config: Option<Descriptor>,
    /// `None` where the member is absent; a null is an empty list.
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Annotations,
}

struct Members<'p> {
    found: Found,
    place: &'p Place,
}

impl<'de> Object<'de> for Members<'_> {
    const WHAT: &'static str = "a manifest or an index (an object)";
    const KEYS: &'static [&'static str] = &[
        "schemaVersion",
        "mediaType",
        "artifactType",
        "config",
        "layers",
        "manifests",
        "subject",
        "annotations",
    ];

    fn member<D: Deserializer<'de>>(&mut self, key: &'static str, value: D) -> Result<(), D::Error> {
        let found = &mut self.found;
        match key {
            "schemaVersion" => found.schema_version = read::number(value, key)?.unwrap_or(0),
            "mediaType" => found.media_type = MediaType::new(&read::text(value, key)?.unwrap_or_default()),
            "artifactType" => found.artifact_type = string(value, key)?,
            "config" => {
                self.place.member(key);
                found.config = descriptor(value, Strictness::Manifest)?;
            }
            "layers" => found.layers = Some(descriptors(value, "layer", self.place)?),
            "manifests" => found.manifests = Some(descriptors(value, "entry", self.place)?),
            "subject" => {
                self.place.member(key);
                found.subject = descriptor(value, Strictness::Manifest)?;
            }
            _ => found.annotations = annotations(value)?,
        }
        self.place.clear();
        Ok(())
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

impl Found {
    fn recognize(self) -> Result<Document, FormatError> {
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

    fn into_manifest(self) -> Result<Document, FormatError> {
        if is_index(&self.media_type) {
            let message = format!("mediaType {} is an index's, but it has config or layers", self.media_type);
            return Err(FormatError::invalid(MANIFEST, message));
        }
        let Some(config) = self.config else {
            return Err(FormatError::invalid(MANIFEST, "config is missing"));
        };
        Ok(Document::Manifest(ImageManifest {
            schema_version: self.schema_version,
            media_type: self.media_type,
            artifact_type: self.artifact_type,
            config,
            layers: self.layers.unwrap_or_default(),
            subject: self.subject,
            annotations: self.annotations,
        }))
    }

    fn into_index(self) -> Result<Document, FormatError> {
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
        Ok(Document::Index(ImageIndex {
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

/// The error for a document of another kind, where the bytes are one that we know.
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

/// Which members there are, whatever their values.
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
    const KEYS: &'static [&'static str] = &["config", "layers", "manifests", "records", "rootfs", "fsLayers"];

    fn member<D: Deserializer<'de>>(&mut self, key: &'static str, value: D) -> Result<(), D::Error> {
        let seen = match key {
            "config" => &mut self.config,
            "layers" => &mut self.layers,
            "manifests" => &mut self.manifests,
            "records" => &mut self.records,
            "rootfs" => &mut self.rootfs,
            _ => &mut self.fs_layers,
        };
        *seen = read::skip(value)?;
        Ok(())
    }
}
