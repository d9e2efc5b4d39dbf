//! Media types, their OCI and Docker spellings, and what they say of a layer's compression.
//!
//! The table is total: a type that it does not know is handed back unchanged, and told apart.

use std::borrow::Cow;
use std::fmt;

/// A media type. The well-known ones cost no allocation.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MediaType(Cow<'static, str>);

/// BuildKit's cache config.
const CACHE_CONFIG: &str = "application/vnd.buildkit.cacheconfig.v0";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_IMAGE_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// The layer types: OCI's name, Docker's name where there is one, the compression.
const LAYERS: [(&str, Option<&str>, Compression); 6] = [
    (
        "application/vnd.oci.image.layer.v1.tar+gzip",
        Some("application/vnd.docker.image.rootfs.diff.tar.gzip"),
        Compression::Gzip,
    ),
    (
        "application/vnd.oci.image.layer.v1.tar+zstd",
        Some("application/vnd.docker.image.rootfs.diff.tar.zstd"),
        Compression::Zstd,
    ),
    (
        "application/vnd.oci.image.layer.v1.tar",
        Some("application/vnd.docker.image.rootfs.diff.tar"),
        Compression::Uncompressed,
    ),
    (
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        Some("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
        Compression::Gzip,
    ),
    (
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        Some("application/vnd.docker.image.rootfs.foreign.diff.tar"),
        Compression::Uncompressed,
    ),
    ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", None, Compression::Zstd),
];

const OTHERS: [&str; 7] = [
    CACHE_CONFIG,
    OCI_MANIFEST,
    OCI_INDEX,
    OCI_IMAGE_CONFIG,
    DOCKER_MANIFEST,
    DOCKER_LIST,
    DOCKER_IMAGE_CONFIG,
];

/// How a layer's tar stream is compressed on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Compression {
    /// A plain tar.
    Uncompressed,
    /// Gzip (RFC 1952).
    Gzip,
    /// Gzip with a table of contents that allows lazy pulling: gzip to every reader, told apart by
    /// annotations only.
    EStargz,
    /// Zstandard (RFC 8878).
    Zstd,
}

impl Compression {
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

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The family of names that a manifest uses for its layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `application/vnd.oci.image.…`
    Oci,
    /// `application/vnd.docker.…`
    Docker,
}

/// What converting a layer's media type gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Converted {
    /// The type in the wanted dialect (often the type itself).
    Known(MediaType),
    /// A type that is no layer type we know, or that has no twin: to be used unchanged.
    Unknown,
}

impl MediaType {
    /// BuildKit's cache config, `application/vnd.buildkit.cacheconfig.v0`.
    pub const CACHE_CONFIG: Self = Self::fixed(CACHE_CONFIG);
    /// An OCI image manifest.
    pub const OCI_MANIFEST: Self = Self::fixed(OCI_MANIFEST);
    /// An OCI image index.
    pub const OCI_INDEX: Self = Self::fixed(OCI_INDEX);
    /// An OCI image configuration.
    pub const OCI_IMAGE_CONFIG: Self = Self::fixed(OCI_IMAGE_CONFIG);
    /// A Docker image manifest, version 2 schema 2.
    pub const DOCKER_MANIFEST: Self = Self::fixed(DOCKER_MANIFEST);
    /// A Docker manifest list.
    pub const DOCKER_LIST: Self = Self::fixed(DOCKER_LIST);
    /// A Docker image configuration.
    pub const DOCKER_IMAGE_CONFIG: Self = Self::fixed(DOCKER_IMAGE_CONFIG);

    const fn fixed(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The media type with this text; the empty text is the absent type.
    pub fn new(text: &str) -> Self {
        let layers = LAYERS.iter().flat_map(|(oci, docker, _)| [Some(*oci), *docker]).flatten();
        match layers.chain(OTHERS).find(|known| *known == text) {
            Some(known) => Self(Cow::Borrowed(known)),
            None => Self(Cow::Owned(text.to_owned())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether no type was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A manifest or index of either dialect: what a registry serves below `/manifests/`.
    pub fn is_manifest(&self) -> bool {
        matches!(self.as_str(), OCI_MANIFEST | OCI_INDEX | DOCKER_MANIFEST | DOCKER_LIST)
    }

    /// The compression of a layer of this type; `None` where the type does not say.
    pub fn compression(&self) -> Option<Compression> {
        self.layer_row().map(|row| row.2)
    }

    /// This layer type in another dialect. A type is its own twin in its own dialect.
    ///
    /// ```
    /// use cache_model::{Converted, Dialect, MediaType};
    /// let gzip = MediaType::new("application/vnd.docker.image.rootfs.diff.tar.gzip");
    /// assert_eq!(
    ///     gzip.in_dialect(Dialect::Oci),
    ///     Converted::Known(MediaType::new("application/vnd.oci.image.layer.v1.tar+gzip")),
    /// );
    /// assert_eq!(MediaType::new("text/plain").in_dialect(Dialect::Oci), Converted::Unknown);
    /// ```
    pub fn in_dialect(&self, dialect: Dialect) -> Converted {
        match (self.layer_row(), dialect) {
            (Some((oci, ..)), Dialect::Oci) => Converted::Known(Self::fixed(oci)),
            (Some((_, Some(docker), _)), Dialect::Docker) => Converted::Known(Self::fixed(docker)),
            _ => Converted::Unknown,
        }
    }

    fn layer_row(&self) -> Option<&'static (&'static str, Option<&'static str>, Compression)> {
        LAYERS.iter().find(|(oci, docker, _)| *oci == self.as_str() || *docker == Some(self.as_str()))
    }
}

impl From<&str> for MediaType {
    fn from(text: &str) -> Self {
        Self::new(text)
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
        for (oci, docker, _) in LAYERS {
            let oci = MediaType::new(oci);
            assert_eq!(oci.in_dialect(Dialect::Oci), Converted::Known(oci.clone()));
            match docker {
                Some(docker) => {
                    let docker = MediaType::new(docker);
                    assert_eq!(oci.in_dialect(Dialect::Docker), Converted::Known(docker.clone()));
                    assert_eq!(docker.in_dialect(Dialect::Oci), Converted::Known(oci.clone()));
                    assert_eq!(docker.in_dialect(Dialect::Docker), Converted::Known(docker));
                }
                None => assert_eq!(oci.in_dialect(Dialect::Docker), Converted::Unknown),
            }
        }
    }

    #[test]
    fn manifests_are_told_from_what_they_list_and_no_type_from_any() {
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
        let all = [Compression::Uncompressed, Compression::Gzip, Compression::EStargz, Compression::Zstd];
        assert_eq!(all.map(|c| c.to_string()), ["uncompressed", "gzip", "estargz", "zstd"]);
    }

    #[test]
    fn an_unknown_type_has_no_twin_and_no_compression() {
        for text in ["", "application/x-unknown", CACHE_CONFIG, OCI_MANIFEST] {
            let media_type = MediaType::new(text);
            assert_eq!(media_type.in_dialect(Dialect::Oci), Converted::Unknown, "{text}");
            assert_eq!(media_type.in_dialect(Dialect::Docker), Converted::Unknown, "{text}");
            assert_eq!(media_type.compression(), None, "{text}");
        }
    }
}
