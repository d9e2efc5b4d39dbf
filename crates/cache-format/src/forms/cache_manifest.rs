//! The manifest of a cache: its layers and its config, in one of three forms.
//!
//! BuildKit keeps the manifest of a cache as an OCI image manifest, as an OCI index, or as a Docker manifest list. An
//! image manifest with Docker's media types is no cache, and cannot be asked for.

use std::fmt;
use std::str::FromStr;

use cache_model::{Annotations, Converted, Descriptor, Dialect, Digest, MediaType};
use sha2::{Digest as _, Sha256};

use crate::{Document, FormatError, ImageIndex, ImageManifest};

const WHAT: &str = "cache manifest";

/// The form in which a cache's layers and its config are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// An OCI image manifest whose config is the cache config; BuildKit's default.
    #[default]
    Manifest,
    /// An OCI image index: the layers as entries, then the config.
    Index,
    /// A Docker manifest list, with Docker's layer types.
    DockerList,
}

impl Form {
    /// The form that BuildKit's attributes `image-manifest` and `oci-mediatypes` ask for; `None` where one is not
    /// given. OCI media types are the default, and so is the image manifest, except without OCI media types.
    ///
    /// # Errors
    ///
    /// An image manifest without OCI media types, with BuildKit's message.
    ///
    /// ```
    /// use cache_format::Form;
    /// assert_eq!(Form::from_attributes(None, None)?, Form::Manifest);
    /// assert_eq!(Form::from_attributes(Some(false), None)?, Form::Index);
    /// assert_eq!(Form::from_attributes(None, Some(false))?, Form::DockerList);
    /// assert!(Form::from_attributes(Some(true), Some(false)).is_err());
    /// # Ok::<(), cache_format::FormatError>(())
    /// ```
    pub fn from_attributes(
        image_manifest: Option<bool>,
        oci_mediatypes: Option<bool>,
    ) -> Result<Self, FormatError> {
        let oci = oci_mediatypes.unwrap_or(true);
        match (image_manifest.unwrap_or(oci), oci) {
            (true, true) => Ok(Self::Manifest),
            (false, true) => Ok(Self::Index),
            (false, false) => Ok(Self::DockerList),
            (true, false) => Err(FormatError::unsupported(
                WHAT,
                "invalid configuration for remote cache, OCI mediatypes are required for image-manifest cache format",
            )),
        }
    }

    /// The name that users type: `manifest`, `index` or `docker`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Index => "index",
            Self::DockerList => "docker",
        }
    }

    /// The media type of the document.
    pub fn media_type(self) -> MediaType {
        match self {
            Self::Manifest => MediaType::OCI_MANIFEST,
            Self::Index => MediaType::OCI_INDEX,
            Self::DockerList => MediaType::DOCKER_LIST,
        }
    }

    /// The dialect of the layers' media types.
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Manifest | Self::Index => Dialect::Oci,
            Self::DockerList => Dialect::Docker,
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Form {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        [Self::Manifest, Self::Index, Self::DockerList]
            .into_iter()
            .find(|form| form.name() == text)
            .ok_or_else(|| {
                FormatError::unsupported(
                    WHAT,
                    format!("unknown form {text:?}: known are manifest, index, docker"),
                )
            })
    }
}

/// The manifest of a cache, whatever its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheManifest {
    /// The form in which it was read, or is to be written.
    pub form: Form,
    /// The layers: one for each entry of the config's `layers`, in that order, so that a blob may stand twice.
    pub layers: Vec<Descriptor>,
    /// The cache config.
    pub config: Descriptor,
    /// The type of the artifact; empty where there is none, as in all that BuildKit writes.
    pub artifact_type: String,
    /// The manifest that this one refers to.
    pub subject: Option<Descriptor>,
    /// Annotations of the manifest.
    pub annotations: Annotations,
}

/// A manifest in bytes, with the descriptor that names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltManifest {
    /// The JSON text.
    pub bytes: Vec<u8>,
    /// Media type, SHA-256 digest and size of the bytes.
    pub descriptor: Descriptor,
    /// The layers whose media types could not be converted.
    pub warnings: Vec<ManifestWarning>,
}

/// A layer that stands in a manifest under a media type that is not of the manifest's dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestWarning {
    /// The position of the layer.
    pub layer: usize,
    /// The digest of the layer's blob.
    pub digest: Digest,
    /// The media type, used unchanged; may be empty.
    pub media_type: MediaType,
    /// The dialect in which it has no name.
    pub dialect: Dialect,
}

impl fmt::Display for ManifestWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, digest, media_type, dialect } = self;
        let dialect = match dialect {
            Dialect::Oci => "OCI",
            Dialect::Docker => "Docker",
        };
        let media_type = media_type.as_str();
        write!(
            f,
            "layer {layer} ({digest}): media type {media_type:?} has no {dialect} form and stays as it is"
        )
    }
}

impl CacheManifest {
    /// The manifest of a cache in a document; `None` where the document names no cache config: maybe it is an image,
    /// or an index of images, with inline caches.
    ///
    /// In the index forms the config is the last entry of its media type, wherever it stands; other entries of that
    /// type are no layers.
    pub fn from_document(document: &Document) -> Option<Self> {
        match document {
            Document::Manifest(manifest) => Self::from_manifest(manifest),
            Document::Index(index) => Self::from_index(index),
        }
    }

    fn from_manifest(manifest: &ImageManifest) -> Option<Self> {
        is_config(&manifest.config).then(|| Self {
            form: Form::Manifest,
            layers: manifest.layers.clone(),
            config: manifest.config.clone(),
            artifact_type: manifest.artifact_type.clone(),
            subject: manifest.subject.clone(),
            annotations: manifest.annotations.clone(),
        })
    }

    fn from_index(index: &ImageIndex) -> Option<Self> {
        let config = index.manifests.iter().rfind(|entry| is_config(entry))?;
        let is_docker = index.media_type == MediaType::DOCKER_LIST;
        Some(Self {
            form: if is_docker { Form::DockerList } else { Form::Index },
            layers: index.manifests.iter().filter(|entry| !is_config(entry)).cloned().collect(),
            config: config.clone(),
            artifact_type: index.artifact_type.clone(),
            subject: index.subject.clone(),
            annotations: index.annotations.clone(),
        })
    }

    /// Writes the manifest in its form, the layers' media types converted to the form's dialect.
    ///
    /// Set [`form`](Self::form) before for another form: the artifact type, the subject and the annotations are kept.
    ///
    /// # Errors
    ///
    /// A config whose media type is not the cache config's; a layer whose media type is, which nobody could tell
    /// from the config; a size beyond 2^63 - 1, the largest that Go's readers and this crate's take.
    pub fn build(&self) -> Result<BuiltManifest, FormatError> {
        self.check()?;
        let mut warnings = Vec::new();
        let dialect = self.form.dialect();
        let layers = self.layers.iter().enumerate().map(|(layer, descriptor)| {
            if descriptor.media_type.in_dialect(dialect) == Converted::Unknown {
                let (digest, media_type) = (descriptor.digest, descriptor.media_type.clone());
                warnings.push(ManifestWarning { layer, digest, media_type, dialect });
            }
            descriptor.in_dialect(dialect)
        });
        let bytes = self.document(layers.collect()).encode();
        let digest = Digest::sha256(Sha256::digest(&bytes).into());
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(BuiltManifest {
            descriptor: Descriptor::new(self.form.media_type(), digest, size),
            bytes,
            warnings,
        })
    }

    fn check(&self) -> Result<(), FormatError> {
        if !is_config(&self.config) {
            let message =
                format!("the media type {} is not {}", self.config.media_type, MediaType::CACHE_CONFIG);
            return Err(FormatError::invalid(WHAT, message).at(Some("config".to_owned())));
        }
        check_size(&self.config, || "config".to_owned())?;
        if let Some(subject) = &self.subject {
            check_size(subject, || "subject".to_owned())?;
        }
        for (number, layer) in self.layers.iter().enumerate() {
            let place = || format!("layer {number}");
            if is_config(layer) {
                let message = "a layer has the media type of the cache config";
                return Err(FormatError::invalid(WHAT, message).at(Some(place())));
            }
            check_size(layer, place)?;
        }
        Ok(())
    }

    fn document(&self, mut layers: Vec<Descriptor>) -> Document {
        let media_type = self.form.media_type();
        let artifact_type = self.artifact_type.clone();
        let (subject, annotations) = (self.subject.clone(), self.annotations.clone());
        match self.form {
            Form::Manifest => Document::Manifest(ImageManifest {
                schema_version: 2,
                media_type,
                artifact_type,
                config: self.config.clone(),
                layers,
                subject,
                annotations,
            }),
            Form::Index | Form::DockerList => {
                layers.push(self.config.clone());
                let manifests = layers;
                let schema_version = 2;
                Document::Index(ImageIndex {
                    schema_version,
                    media_type,
                    artifact_type,
                    manifests,
                    subject,
                    annotations,
                })
            }
        }
    }
}

/// Writes the manifest of a cache: `layers` has one descriptor for each entry of the config's `layers`, in that order.
///
/// # Errors
///
/// Those of [`CacheManifest::build`].
///
/// ```
/// use cache_format::{Form, build_manifest};
/// use cache_model::{Descriptor, Digest, MediaType};
/// let config = Descriptor::new(MediaType::CACHE_CONFIG, Digest::sha256([7; 32]), 2);
/// let built = build_manifest(Form::DockerList, &[], config)?;
/// assert_eq!(built.descriptor.media_type, MediaType::DOCKER_LIST);
/// assert!(built.warnings.is_empty());
/// # Ok::<(), cache_format::FormatError>(())
/// ```
pub fn build_manifest(
    form: Form,
    layers: &[Descriptor],
    config: Descriptor,
) -> Result<BuiltManifest, FormatError> {
    let manifest = CacheManifest {
        form,
        layers: layers.to_vec(),
        config,
        artifact_type: String::new(),
        subject: None,
        annotations: Annotations::default(),
    };
    manifest.build()
}

fn check_size(descriptor: &Descriptor, place: impl Fn() -> String) -> Result<(), FormatError> {
    if i64::try_from(descriptor.size).is_ok() {
        return Ok(());
    }
    let message = format!("size {} is out of range", descriptor.size);
    Err(FormatError::invalid(WHAT, message).at(Some(place())))
}

fn is_config(descriptor: &Descriptor) -> bool {
    descriptor.media_type == MediaType::CACHE_CONFIG
}
