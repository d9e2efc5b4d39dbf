//! An entry of a layout's index, as data.
//!
//! An entry without a valid descriptor is kept: it has its names, and gives an error when its descriptor is asked for.

use std::sync::Arc;

use cache_model::{
    ANNOTATION_IMAGE_NAME, ANNOTATION_REF_NAME, Annotations, Descriptor, DescriptorExtra, Digest, MediaType,
    Platform,
};
use serde::Deserialize;

use crate::layout::index::members::JsonMembers;
use crate::{Error, ErrorKind};

/// The annotation of an entry without a name with the digest of the manifest to which it refers.
pub(crate) const ANNOTATION_SUBJECT: &str = "vnd.bkcache.subject";

/// An entry of the `index.json` of a [`LayoutStore`](crate::LayoutStore).
#[derive(Clone, Debug)]
pub struct LayoutEntry {
    annotations: Annotations,
    /// The descriptor, or why it is invalid.
    descriptor: Result<Descriptor, String>,
}

impl LayoutEntry {
    pub(crate) fn new(descriptor: Descriptor) -> Self {
        Self { annotations: descriptor.annotations.clone(), descriptor: Ok(descriptor) }
    }

    /// The tag (`org.opencontainers.image.ref.name`).
    pub fn tag(&self) -> Option<&str> {
        self.annotations.get(ANNOTATION_REF_NAME)
    }

    /// The full image name (`io.containerd.image.name`).
    pub fn image_name(&self) -> Option<&str> {
        self.annotations.get(ANNOTATION_IMAGE_NAME).filter(|name| !name.is_empty())
    }

    /// The descriptor; [`ErrorKind::Corrupt`] if its digest or size is invalid.
    pub fn descriptor(&self) -> Result<&Descriptor, Error> {
        self.descriptor.as_ref().map_err(|reason| {
            let name = self.image_name().or(self.tag()).unwrap_or("without a name");
            Error::new(ErrorKind::Corrupt, "read", format_args!("entry {name} of index.json"), reason)
        })
    }

    /// The manifest that this one refers to, if it has no name of its own and is kept for as long as that one.
    pub(crate) fn subject(&self) -> Option<Digest> {
        let subject = self.annotations.get(ANNOTATION_SUBJECT)?;
        if self.tag().is_some() || self.image_name().is_some() { None } else { subject.parse().ok() }
    }

    pub(crate) fn digest(&self) -> Option<Digest> {
        self.descriptor.as_ref().ok().map(|descriptor| descriptor.digest)
    }
}

/// A descriptor in the JSON text. `null` counts as absent, as in Go.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonDescriptor {
    media_type: Option<String>,
    digest: Option<String>,
    size: Option<i64>,
    urls: Option<Vec<String>>,
    annotations: Option<JsonMembers<Option<String>>>,
    data: Option<String>,
    platform: Option<JsonPlatform>,
    artifact_type: Option<String>,
}

#[derive(Deserialize)]
struct JsonPlatform {
    architecture: Option<String>,
    os: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
    #[serde(rename = "os.features")]
    os_features: Option<Vec<String>>,
    variant: Option<String>,
}

/// Reads an entry.
pub(crate) fn parse(text: &str) -> Result<LayoutEntry, serde_json::Error> {
    let written: JsonDescriptor = serde_json::from_str(text)?;
    let annotations = written.annotations.iter().flat_map(|annotations| &annotations.0);
    let annotations: Annotations =
        annotations.map(|(key, value)| (key, value.as_deref().unwrap_or_default())).collect();
    let descriptor = written.into_descriptor(annotations.clone());
    Ok(LayoutEntry { annotations, descriptor })
}

impl JsonDescriptor {
    fn into_descriptor(self, annotations: Annotations) -> Result<Descriptor, String> {
        let digest: Digest = self
            .digest
            .unwrap_or_default()
            .parse()
            .map_err(|cause: cache_model::DigestError| cause.to_string())?;
        let size = self.size.unwrap_or(0);
        let size = u64::try_from(size).map_err(|_| format!("its size is {size}"))?;
        let extra = DescriptorExtra {
            urls: self.urls.unwrap_or_default(),
            data: self.data.unwrap_or_default(),
            platform: self.platform.map(JsonPlatform::into_platform),
            artifact_type: self.artifact_type.unwrap_or_default(),
        };
        let mut descriptor =
            Descriptor::new(MediaType::new(&self.media_type.unwrap_or_default()), digest, size);
        descriptor.annotations = annotations;
        descriptor.extra = (extra != DescriptorExtra::default()).then(|| Arc::new(extra));
        Ok(descriptor)
    }
}

impl JsonPlatform {
    fn into_platform(self) -> Platform {
        Platform {
            architecture: self.architecture.unwrap_or_default(),
            os: self.os.unwrap_or_default(),
            os_version: self.os_version.unwrap_or_default(),
            os_features: self.os_features.unwrap_or_default(),
            variant: self.variant.unwrap_or_default(),
        }
    }
}
