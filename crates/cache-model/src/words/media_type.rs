//! Media types, their OCI and Docker spellings, and the compression that a layer's type names.
//!
//! Any text is a media type. A type outside the tables has no compression and no spelling in another dialect.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// A media type. The well-known ones cost no allocation.
///
/// ```
/// use cache_model::{Compression, MediaType};
/// let layer: MediaType = "application/vnd.oci.image.layer.v1.tar+gzip".into();
/// assert_eq!(layer, MediaType::OCI_LAYER_GZIP);
/// assert_eq!(layer.compression(), Some(Compression::Gzip));
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MediaType(Cow<'static, str>);

impl MediaType {
    /// BuildKit's cache config.
    pub const CACHE_CONFIG: Self = Self::fixed("application/vnd.buildkit.cacheconfig.v0");

    /// An OCI image manifest.
    pub const OCI_MANIFEST: Self = Self::fixed("application/vnd.oci.image.manifest.v1+json");
    /// An OCI image index.
    pub const OCI_INDEX: Self = Self::fixed("application/vnd.oci.image.index.v1+json");
    /// An OCI image config.
    pub const OCI_IMAGE_CONFIG: Self = Self::fixed("application/vnd.oci.image.config.v1+json");
    /// An uncompressed OCI layer.
    pub const OCI_LAYER_TAR: Self = Self::fixed("application/vnd.oci.image.layer.v1.tar");
    /// An OCI layer in gzip, also in eStargz.
    pub const OCI_LAYER_GZIP: Self = Self::fixed("application/vnd.oci.image.layer.v1.tar+gzip");
    /// An OCI layer in zstd.
    pub const OCI_LAYER_ZSTD: Self = Self::fixed("application/vnd.oci.image.layer.v1.tar+zstd");
    /// An uncompressed OCI layer that must not be distributed.
    pub const OCI_NONDISTRIBUTABLE_TAR: Self =
        Self::fixed("application/vnd.oci.image.layer.nondistributable.v1.tar");
    /// An OCI layer in gzip that must not be distributed.
    pub const OCI_NONDISTRIBUTABLE_GZIP: Self =
        Self::fixed("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
    /// An OCI layer in zstd that must not be distributed.
    pub const OCI_NONDISTRIBUTABLE_ZSTD: Self =
        Self::fixed("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd");

    /// A Docker image manifest, schema 2.
    pub const DOCKER_MANIFEST: Self = Self::fixed("application/vnd.docker.distribution.manifest.v2+json");
    /// A Docker manifest list.
    pub const DOCKER_LIST: Self = Self::fixed("application/vnd.docker.distribution.manifest.list.v2+json");
    /// A Docker image config.
    pub const DOCKER_IMAGE_CONFIG: Self = Self::fixed("application/vnd.docker.container.image.v1+json");
    /// An uncompressed Docker layer.
    pub const DOCKER_LAYER_TAR: Self = Self::fixed("application/vnd.docker.image.rootfs.diff.tar");
    /// A Docker layer in gzip, also in eStargz.
    pub const DOCKER_LAYER_GZIP: Self = Self::fixed("application/vnd.docker.image.rootfs.diff.tar.gzip");
    /// A Docker layer in zstd.
    pub const DOCKER_LAYER_ZSTD: Self = Self::fixed("application/vnd.docker.image.rootfs.diff.tar.zstd");
    /// An uncompressed Docker layer that must not be distributed.
    pub const DOCKER_FOREIGN_TAR: Self = Self::fixed("application/vnd.docker.image.rootfs.foreign.diff.tar");
    /// A Docker layer in gzip that must not be distributed.
    pub const DOCKER_FOREIGN_GZIP: Self =
        Self::fixed("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
}

/// The known types that are no layers.
static OTHERS: [MediaType; 7] = [
    MediaType::CACHE_CONFIG,
    MediaType::OCI_MANIFEST,
    MediaType::OCI_INDEX,
    MediaType::OCI_IMAGE_CONFIG,
    MediaType::DOCKER_MANIFEST,
    MediaType::DOCKER_LIST,
    MediaType::DOCKER_IMAGE_CONFIG,
];

/// A kind of layer, with its name in each dialect.
struct LayerType {
    oci: MediaType,
    docker: Option<MediaType>,
    compression: Compression,
}

static LAYERS: [LayerType; 6] = [
    LayerType {
        oci: MediaType::OCI_LAYER_GZIP,
        docker: Some(MediaType::DOCKER_LAYER_GZIP),
        compression: Compression::Gzip,
    },
    LayerType {
        oci: MediaType::OCI_LAYER_ZSTD,
        docker: Some(MediaType::DOCKER_LAYER_ZSTD),
        compression: Compression::Zstd,
    },
    LayerType {
        oci: MediaType::OCI_LAYER_TAR,
        docker: Some(MediaType::DOCKER_LAYER_TAR),
        compression: Compression::Uncompressed,
    },
    LayerType {
        oci: MediaType::OCI_NONDISTRIBUTABLE_GZIP,
        docker: Some(MediaType::DOCKER_FOREIGN_GZIP),
        compression: Compression::Gzip,
    },
    LayerType {
        oci: MediaType::OCI_NONDISTRIBUTABLE_TAR,
        docker: Some(MediaType::DOCKER_FOREIGN_TAR),
        compression: Compression::Uncompressed,
    },
    LayerType { oci: MediaType::OCI_NONDISTRIBUTABLE_ZSTD, docker: None, compression: Compression::Zstd },
];

/// How a layer's tar stream is compressed on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Compression {
    /// A plain tar.
    Uncompressed,
    /// Gzip (RFC 1952).
    Gzip,
    /// Gzip with a table of contents that allows lazy pulling. Every reader can read it as gzip; only annotations mark it.
    EStargz,
    /// Zstandard (RFC 8878).
    Zstd,
}

impl Compression {
    /// All compressions.
    pub const ALL: [Self; 4] = [Self::Uncompressed, Self::Gzip, Self::EStargz, Self::Zstd];

    /// The name that `compression=` takes in BuildKit's attributes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uncompressed => "uncompressed",
            Self::Gzip => "gzip",
            Self::EStargz => "estargz",
            Self::Zstd => "zstd",
        }
    }
}

/// A text that is not the name of a compression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a compression: it should be uncompressed, gzip, estargz or zstd")]
pub struct CompressionError(String);

impl FromStr for Compression {
    type Err = CompressionError;

    fn from_str(text: &str) -> Result<Self, CompressionError> {
        let named = Self::ALL.into_iter().find(|compression| compression.name() == text);
        named.ok_or_else(|| CompressionError(text.to_owned()))
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The family of names that a manifest uses for its layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// `application/vnd.oci.image.…`
    Oci,
    /// `application/vnd.docker.…`
    Docker,
}

impl MediaType {
    const fn fixed(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The media type with this text; the empty text is the absent type.
    pub fn new(text: &str) -> Self {
        let layers = LAYERS.iter().flat_map(|layer| [Some(&layer.oci), layer.docker.as_ref()]).flatten();
        match layers.chain(&OTHERS).find(|known| known.as_str() == text) {
            Some(known) => known.clone(),
            None => Self(Cow::Owned(text.to_owned())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the type is absent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is a manifest or index of either dialect, which a registry serves below `/manifests/`.
    pub fn is_manifest(&self) -> bool {
        [Self::OCI_MANIFEST, Self::OCI_INDEX, Self::DOCKER_MANIFEST, Self::DOCKER_LIST].contains(self)
    }

    /// Whether it is a known type of a layer.
    pub fn is_layer(&self) -> bool {
        self.layer_type().is_some()
    }

    /// The compression of a layer of this type; `None` for a type that is not known as a layer's.
    pub fn compression(&self) -> Option<Compression> {
        self.layer_type().map(|layer| layer.compression)
    }

    /// This layer type in a dialect, often the type itself. `None` for a type that is not known as a layer's, and for
    /// one that has no name in the dialect.
    ///
    /// ```
    /// use cache_model::{Dialect, MediaType};
    /// assert_eq!(MediaType::DOCKER_LAYER_GZIP.in_dialect(Dialect::Oci), Some(MediaType::OCI_LAYER_GZIP));
    /// assert_eq!(MediaType::new("text/plain").in_dialect(Dialect::Oci), None);
    /// ```
    pub fn in_dialect(&self, dialect: Dialect) -> Option<Self> {
        let layer = self.layer_type()?;
        match dialect {
            Dialect::Oci => Some(layer.oci.clone()),
            Dialect::Docker => layer.docker.clone(),
        }
    }

    fn layer_type(&self) -> Option<&'static LayerType> {
        LAYERS.iter().find(|layer| layer.oci == *self || layer.docker.as_ref() == Some(self))
    }
}

impl From<&str> for MediaType {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for MediaType {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl FromStr for MediaType {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }
}

impl AsRef<str> for MediaType {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converting_is_idempotent_and_goes_back_where_there_is_a_twin() {
        for LayerType { oci, docker, compression } in &LAYERS {
            assert_eq!(oci.in_dialect(Dialect::Oci).as_ref(), Some(oci));
            assert_eq!(oci.in_dialect(Dialect::Docker), *docker);
            assert!(oci.is_layer());
            for name in [Some(oci), docker.as_ref()].into_iter().flatten() {
                assert_eq!(name.compression(), Some(*compression));
                assert_eq!(MediaType::new(name.as_str()), *name);
            }
            if let Some(docker) = docker {
                assert_eq!(docker.in_dialect(Dialect::Oci).as_ref(), Some(oci));
                assert_eq!(docker.in_dialect(Dialect::Docker).as_ref(), Some(docker));
            }
        }
    }

    #[test]
    fn only_the_types_of_manifests_and_indexes_are_manifests_and_only_the_missing_type_is_empty() {
        for (media_type, is_manifest) in [
            (MediaType::OCI_MANIFEST, true),
            (MediaType::OCI_INDEX, true),
            (MediaType::DOCKER_MANIFEST, true),
            (MediaType::DOCKER_LIST, true),
            (MediaType::OCI_IMAGE_CONFIG, false),
            (MediaType::CACHE_CONFIG, false),
            (MediaType::default(), false),
        ] {
            assert_eq!(media_type.is_manifest(), is_manifest, "{media_type}");
            assert_eq!(media_type.is_empty(), media_type == "".into(), "{media_type}");
            assert_eq!(MediaType::from(media_type.as_str()), media_type);
        }
    }

    #[test]
    fn compressions_have_the_names_that_buildkit_takes() {
        let names = ["uncompressed", "gzip", "estargz", "zstd"];
        assert_eq!(Compression::ALL.map(|c| c.to_string()), names);
        assert_eq!(names.map(str::parse), Compression::ALL.map(Ok));
        let error = "Gzip".parse::<Compression>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"Gzip\" is not a compression: it should be uncompressed, gzip, estargz or zstd"
        );
    }

    #[test]
    fn an_unknown_type_has_no_twin_and_no_compression() {
        let unknown = [MediaType::default(), "application/x-unknown".into()];
        for media_type in unknown.into_iter().chain(OTHERS.clone()) {
            assert_eq!(media_type.in_dialect(Dialect::Oci), None, "{media_type}");
            assert_eq!(media_type.in_dialect(Dialect::Docker), None, "{media_type}");
            assert_eq!(media_type.compression(), None, "{media_type}");
            assert!(!media_type.is_layer(), "{media_type}");
        }
    }
}
