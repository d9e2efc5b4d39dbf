//! Conversions to and from the types of `oci-spec`, with the feature of that name.
//!
//! Only values are converted. `oci-spec` never reads or writes our bytes: it keeps annotations in no fixed order, writes
//! empty members, and renames two members of a platform.

use std::collections::HashMap;
use std::sync::Arc;

use cache_model::{Annotations, Descriptor, DescriptorExtra, MediaType, Platform};
use oci_spec::image as oci;

use crate::{FormatError, ImageIndex, ImageManifest};

/// Converts a descriptor of `oci-spec` to one of ours. Its reserved member `platform.features` is dropped.
///
/// # Errors
///
/// A digest other than a SHA-256 or SHA-512 in lower-case hexadecimal digits.
///
/// ```
/// use oci_spec::image::{Descriptor, MediaType, Sha256Digest};
/// let digest: Sha256Digest = "11".repeat(32).parse()?;
/// let theirs = Descriptor::new(MediaType::ImageLayerGzip, 5, digest);
/// let ours = cache_format::descriptor_from_oci(&theirs)?;
/// assert_eq!(cache_format::descriptor_to_oci(&ours)?, theirs);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn descriptor_from_oci(descriptor: &oci::Descriptor) -> Result<Descriptor, FormatError> {
    let digest = descriptor.digest().as_ref();
    let extra = DescriptorExtra {
        urls: descriptor.urls().clone().unwrap_or_default(),
        data: descriptor.data().clone().unwrap_or_default(),
        platform: descriptor.platform().as_ref().map(platform_from_oci),
        artifact_type: artifact_type(descriptor.artifact_type().as_ref()),
    };
    Ok(Descriptor {
        media_type: MediaType::new(descriptor.media_type().as_ref()),
        digest: digest
            .parse()
            .map_err(|error| FormatError::invalid("descriptor", format!("digest: {error}")))?,
        size: descriptor.size(),
        annotations: annotations_from_oci(descriptor.annotations().as_ref()),
        extra: (extra != DescriptorExtra::default()).then(|| Arc::new(extra)),
    })
}

/// Converts one of our descriptors to one of `oci-spec`. Empty members are absent there.
///
/// # Errors
///
/// A digest that `oci-spec` refuses. It accepts every digest that this crate's types can hold.
pub fn descriptor_to_oci(descriptor: &Descriptor) -> Result<oci::Descriptor, FormatError> {
    let digest: oci::Digest = descriptor
        .digest
        .to_string()
        .parse()
        .map_err(|error| FormatError::invalid("descriptor", format!("digest: {error}")))?;
    let mut theirs = oci::Descriptor::new(descriptor.media_type.as_str().into(), descriptor.size, digest);
    theirs.set_annotations(annotations_to_oci(&descriptor.annotations));
    if let Some(extra) = descriptor.extra.as_deref() {
        theirs.set_urls(unless_empty(&extra.urls));
        theirs.set_data(text_unless_empty(&extra.data));
        theirs.set_platform(extra.platform.as_ref().map(platform_to_oci));
        theirs.set_artifact_type(media_type_unless_empty(&extra.artifact_type));
    }
    Ok(theirs)
}

impl TryFrom<&oci::ImageManifest> for ImageManifest {
    type Error = FormatError;

    /// The same manifest in our types.
    ///
    /// # Errors
    ///
    /// A malformed digest, as [`descriptor_from_oci`]; the error names the layer.
    fn try_from(manifest: &oci::ImageManifest) -> Result<Self, FormatError> {
        Ok(Self {
            schema_version: manifest.schema_version(),
            media_type: own_media_type(manifest.media_type().as_ref()),
            artifact_type: artifact_type(manifest.artifact_type().as_ref()),
            config: named(descriptor_from_oci(manifest.config()), "config")?,
            layers: all(manifest.layers(), "layer", descriptor_from_oci)?,
            subject: named(manifest.subject().as_ref().map(descriptor_from_oci).transpose(), "subject")?,
            annotations: annotations_from_oci(manifest.annotations().as_ref()),
        })
    }
}

impl TryFrom<&ImageManifest> for oci::ImageManifest {
    type Error = FormatError;

    /// The same manifest in the types of `oci-spec`.
    ///
    /// # Errors
    ///
    /// As [`descriptor_to_oci`].
    fn try_from(manifest: &ImageManifest) -> Result<Self, FormatError> {
        let mut theirs = oci::ImageManifestBuilder::default()
            .schema_version(manifest.schema_version)
            .config(descriptor_to_oci(&manifest.config)?)
            .layers(all(&manifest.layers, "layer", descriptor_to_oci)?)
            .build()
            .map_err(|error| FormatError::invalid("manifest", error.to_string()))?;
        theirs
            .set_media_type(media_type_unless_empty(manifest.media_type.as_str()))
            .set_artifact_type(media_type_unless_empty(&manifest.artifact_type))
            .set_subject(manifest.subject.as_ref().map(descriptor_to_oci).transpose()?)
            .set_annotations(annotations_to_oci(&manifest.annotations));
        Ok(theirs)
    }
}

impl TryFrom<&oci::ImageIndex> for ImageIndex {
    type Error = FormatError;

    /// The same index in our types.
    ///
    /// # Errors
    ///
    /// A malformed digest, as [`descriptor_from_oci`]; the error names the entry.
    fn try_from(index: &oci::ImageIndex) -> Result<Self, FormatError> {
        Ok(Self {
            schema_version: index.schema_version(),
            media_type: own_media_type(index.media_type().as_ref()),
            artifact_type: artifact_type(index.artifact_type().as_ref()),
            manifests: all(index.manifests(), "entry", descriptor_from_oci)?,
            subject: named(index.subject().as_ref().map(descriptor_from_oci).transpose(), "subject")?,
            annotations: annotations_from_oci(index.annotations().as_ref()),
        })
    }
}

impl TryFrom<&ImageIndex> for oci::ImageIndex {
    type Error = FormatError;

    /// The same index in the types of `oci-spec`.
    ///
    /// # Errors
    ///
    /// As [`descriptor_to_oci`].
    fn try_from(index: &ImageIndex) -> Result<Self, FormatError> {
        let mut theirs = Self::default();
        theirs
            .set_schema_version(index.schema_version)
            .set_media_type(media_type_unless_empty(index.media_type.as_str()))
            .set_artifact_type(media_type_unless_empty(&index.artifact_type))
            .set_manifests(all(&index.manifests, "entry", descriptor_to_oci)?)
            .set_subject(index.subject.as_ref().map(descriptor_to_oci).transpose()?)
            .set_annotations(annotations_to_oci(&index.annotations));
        Ok(theirs)
    }
}

/// Converts each item of a list; an error names the item.
fn all<A, B>(
    items: &[A],
    noun: &str,
    convert: impl Fn(&A) -> Result<B, FormatError>,
) -> Result<Vec<B>, FormatError> {
    items
        .iter()
        .enumerate()
        .map(|(n, item)| convert(item).map_err(|e| e.at(Some(format!("{noun} {n}")))))
        .collect()
}

fn named<T>(converted: Result<T, FormatError>, member: &str) -> Result<T, FormatError> {
    converted.map_err(|error| error.at(Some(member.to_owned())))
}

fn own_media_type(media_type: Option<&oci::MediaType>) -> MediaType {
    media_type.map(|text| MediaType::new(text.as_ref())).unwrap_or_default()
}

fn artifact_type(media_type: Option<&oci::MediaType>) -> String {
    media_type.map(ToString::to_string).unwrap_or_default()
}

fn media_type_unless_empty(text: &str) -> Option<oci::MediaType> {
    (!text.is_empty()).then(|| text.into())
}

fn text_unless_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn unless_empty(texts: &[String]) -> Option<Vec<String>> {
    (!texts.is_empty()).then(|| texts.to_vec())
}

fn annotations_from_oci(annotations: Option<&HashMap<String, String>>) -> Annotations {
    annotations.into_iter().flatten().collect()
}

fn annotations_to_oci(annotations: &Annotations) -> Option<HashMap<String, String>> {
    let texts = annotations.iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    (!annotations.is_empty()).then(|| texts.collect())
}

fn platform_from_oci(platform: &oci::Platform) -> Platform {
    Platform {
        architecture: platform.architecture().to_string(),
        os: platform.os().to_string(),
        os_version: platform.os_version().clone().unwrap_or_default(),
        os_features: platform.os_features().clone().unwrap_or_default(),
        variant: platform.variant().clone().unwrap_or_default(),
    }
}

fn platform_to_oci(platform: &Platform) -> oci::Platform {
    let mut theirs = oci::Platform::default();
    // oci-spec reads the text `armbe` as arm64be.
    let architecture = match platform.architecture.as_str() {
        "armbe" => oci::Arch::ARMbe,
        other => other.into(),
    };
    theirs
        .set_architecture(architecture)
        .set_os(platform.os.as_str().into())
        .set_os_version(text_unless_empty(&platform.os_version))
        .set_os_features(unless_empty(&platform.os_features))
        .set_variant(text_unless_empty(&platform.variant));
    theirs
}
