//! Packs a cache into the blobs to store, in the order of writing.
//!
//! Pure; it never touches the bytes of layers.

use std::fmt;

use bytes::Bytes;
use cache_model::{CacheConfig, Descriptor, Dialect, Digest, MediaType};

use crate::forms::cache_manifest::CacheManifest;
use crate::forms::form::Form;
use crate::{FormatError, ManifestOrIndex};

/// A cache as the blobs to store. The order of writing is the order of the fields, so that no document is written
/// before everything that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packed {
    /// The layers, to be copied from the store that has them. A blob may appear several times.
    pub layers: Vec<Descriptor>,
    /// The documents below the root, to be written in this order: the config.
    pub metadata: Vec<PackedBlob>,
    /// The root document, which a name will point at.
    pub root: PackedBlob,
    /// Warnings about layers with media types that have no name in the form's dialect.
    pub warnings: Vec<ManifestWarning>,
}

/// A document in bytes, with its descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PackedBlob {
    /// Media type, digest and size of the bytes.
    pub descriptor: Descriptor,
    /// The bytes.
    pub bytes: Bytes,
}

/// A layer that is listed in a manifest under a media type that is not of the manifest's dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManifestWarning {
    /// The position of the layer.
    pub layer: usize,
    /// The digest of the layer's blob.
    pub digest: Digest,
    /// The media type, used unchanged; may be empty.
    pub media_type: MediaType,
    /// The dialect that has no name for it.
    pub dialect: Dialect,
}

/// Packs a new cache: encodes the config, then the document that names it and the layers. `layers` has one
/// descriptor for each entry of the config's `layers`, in that order.
///
/// # Errors
///
/// Those of [`CacheManifest::pack`].
///
/// ```
/// use cache_format::{Form, pack};
/// use cache_model::{CacheConfigBuilder, MediaType, RecordDigest};
/// let mut config = CacheConfigBuilder::new();
/// config.record(RecordDigest::new("sha256:a"));
/// let packed = pack(Form::DockerList, &config.finish(), &[])?;
/// assert_eq!(packed.root.descriptor.media_type, MediaType::DOCKER_LIST);
/// assert_eq!(packed.metadata[0].bytes, br#"{"records":[{"digest":"sha256:a"}]}"#[..]);
/// assert!(packed.warnings.is_empty());
/// # Ok::<(), cache_format::FormatError>(())
/// ```
pub fn pack(form: Form, config: &CacheConfig, layers: &[Descriptor]) -> Result<Packed, FormatError> {
    let rules = form.rules();
    let (bytes, listed) = (rules.write)(config, layers)?;
    let config = PackedBlob::new(rules.config_type.clone(), bytes);
    CacheManifest::new(form, config.descriptor, listed).pack(config.bytes)
}

impl CacheManifest {
    /// Packs an existing cache: the bytes of its config are kept, and the document that names it is encoded anew, in
    /// the form of this manifest, with the layers' media types converted to the form's dialect.
    ///
    /// `config_bytes` are the bytes that [`config`](Self::config) describes; they are not hashed here.
    ///
    /// # Errors
    ///
    /// A config with another media type than a cache config's; a layer with the media type of a cache config, which a
    /// reader would take for the config; a size beyond 2^63 - 1, the largest that Go's readers and this crate's accept.
    pub fn pack(self, config_bytes: impl Into<Bytes>) -> Result<Packed, FormatError> {
        self.check()?;
        let rules = self.form.rules();
        let (listed, warnings) = in_dialect(&self.layers, rules.dialect);
        let mut root = (rules.join)(self.config.clone(), listed);
        root.set_head(self.artifact_type, self.subject, self.annotations);
        Ok(Packed {
            layers: self.layers,
            metadata: vec![PackedBlob { descriptor: self.config, bytes: config_bytes.into() }],
            root: PackedBlob::new(rules.media_type.clone(), root.encode()),
            warnings,
        })
    }

    /// Packs an existing cache in another form, with the artifact type, the subject and the annotations of this manifest.
    /// The bytes of the config are kept where both forms have a config of the same kind; else `config`, decoded from them, is
    /// written anew. This manifest has one layer for each of the config's, in that order.
    ///
    /// # Errors
    ///
    /// Those of [`pack`](Self::pack), and of [`pack`](crate::pack()) for the form.
    pub fn pack_as(
        self,
        form: Form,
        config: &CacheConfig,
        config_bytes: impl Into<Bytes>,
    ) -> Result<Packed, FormatError> {
        let rules = form.rules();
        if rules.config_type == self.config.media_type {
            return Self { form, ..self }.pack(config_bytes);
        }
        let (bytes, layers) = (rules.write)(config, &self.layers)?;
        let config = PackedBlob::new(rules.config_type.clone(), bytes);
        Self { form, layers, config: config.descriptor, ..self }.pack(config.bytes)
    }

    /// Packs an existing cache with every byte kept. `root_bytes` are the bytes of this manifest, and `root` describes them.
    ///
    /// The root keeps its media type, as Docker's for an image manifest: its bytes may state it. If `root` has none of a
    /// manifest, it gets the one of the form.
    pub fn pack_unchanged(
        self,
        root: &Descriptor,
        root_bytes: impl Into<Bytes>,
        config_bytes: impl Into<Bytes>,
    ) -> Packed {
        let root_bytes = root_bytes.into();
        let media_type =
            if root.media_type.is_manifest() { root.media_type.clone() } else { self.form.media_type() };
        Packed {
            layers: self.layers,
            metadata: vec![PackedBlob { descriptor: self.config, bytes: config_bytes.into() }],
            root: PackedBlob {
                descriptor: Descriptor::new(media_type, root.digest, root_bytes.len() as u64),
                bytes: root_bytes,
            },
            warnings: Vec::new(),
        }
    }
}

impl Packed {
    /// The descriptor of the cache config.
    pub fn config(&self) -> &Descriptor {
        // A form without a manifest has the config for its root.
        &self.metadata.first().unwrap_or(&self.root).descriptor
    }

    /// Sets annotations of the root document, each in place of one with its key. Says whether that changed anything: the
    /// root is encoded anew then, without members that are unknown here, and has another digest.
    ///
    /// # Errors
    ///
    /// Those of [`ManifestOrIndex::decode`].
    ///
    /// ```
    /// use cache_format::{Form, pack};
    /// use cache_model::CacheConfigBuilder;
    /// let mut packed = pack(Form::Index, &CacheConfigBuilder::new().finish(), &[])?;
    /// let commit = [("org.example.commit".to_owned(), "1a2b3c".to_owned())];
    /// assert!(packed.annotate(&commit)?);
    /// assert!(packed.root.bytes.ends_with(br#""annotations":{"org.example.commit":"1a2b3c"}}"#));
    /// assert!(!packed.annotate(&commit)?);
    /// # Ok::<(), cache_format::FormatError>(())
    /// ```
    pub fn annotate(&mut self, annotations: &[(String, String)]) -> Result<bool, FormatError> {
        if annotations.is_empty() {
            return Ok(false);
        }
        let mut document = ManifestOrIndex::decode(&self.root.bytes)?;
        let before = document.annotations().clone();
        annotations.iter().for_each(|(key, value)| document.annotations_mut().set(key, value));
        let is_changed = *document.annotations() != before;
        if is_changed {
            self.root = PackedBlob::new(self.root.descriptor.media_type.clone(), document.encode());
        }
        Ok(is_changed)
    }
}

impl PackedBlob {
    fn new(media_type: MediaType, bytes: Vec<u8>) -> Self {
        Self { descriptor: Descriptor::of(media_type, &bytes), bytes: bytes.into() }
    }
}

/// The layers with media types of `dialect`, and warnings about media types that have no name in it.
fn in_dialect(layers: &[Descriptor], dialect: Dialect) -> (Vec<Descriptor>, Vec<ManifestWarning>) {
    let mut warnings = Vec::new();
    let convert = |(layer, descriptor): (usize, &Descriptor)| {
        if descriptor.media_type.in_dialect(dialect).is_none() {
            let (digest, media_type) = (descriptor.digest, descriptor.media_type.clone());
            warnings.push(ManifestWarning { layer, digest, media_type, dialect });
        }
        descriptor.in_dialect(dialect)
    };
    let listed = layers.iter().enumerate().map(convert).collect();
    (listed, warnings)
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
