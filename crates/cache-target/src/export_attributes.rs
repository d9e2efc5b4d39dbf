//! The attributes of every destination, whatever its store: how a cache is to be written.
//!
//! The values are read here, and honoured by the program that writes the cache. So the program chooses the table of
//! attributes that it honours: [`ExportAttributes::COPY`], [`ExportAttributes::BUILD`], or its own.

use std::fmt;
use std::str::FromStr;

use cache_model::Compression;

use crate::attribute::Attribute;
use crate::attributes::Attributes;
use crate::error::TargetError;
use crate::value::{ValueKind, not_a_choice};

/// How a cache is to be written, by a destination's attributes. `None` stands for an attribute that is not given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ExportAttributes {
    /// `image-manifest`: as an image manifest rather than an index.
    pub image_manifest: Option<bool>,
    /// `oci-mediatypes`: with OCI's media types rather than Docker's.
    pub oci_mediatypes: Option<bool>,
    /// `ignore-error`: a failure to write is reported, but fails nothing.
    pub ignore_error: bool,
    /// `mode`: which steps of a build are cached.
    pub mode: Option<Mode>,
    /// `compression`: how new layers are compressed.
    pub compression: Option<Compression>,
    /// `compression-level`: how much time is spent on it. The scale is that of the compression.
    pub compression_level: Option<i64>,
    /// `force-compression`: layers that exist are recompressed, too.
    pub force_compression: Option<bool>,
}

/// Which steps of a build are cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// `min`: the steps whose layers are part of the result.
    Min,
    /// `max`: all steps.
    Max,
}

impl Mode {
    const NAMES: &[&str] = &["min", "max"];
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Min => "min",
            Self::Max => "max",
        })
    }
}

impl FromStr for Mode {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        match text {
            "min" => Ok(Self::Min),
            "max" => Ok(Self::Max),
            _ => Err(not_a_choice("mode", text, Self::NAMES)),
        }
    }
}

const IMAGE_MANIFEST: Attribute = Attribute::new("image-manifest", ValueKind::Bool);
const OCI_MEDIATYPES: Attribute = Attribute::new("oci-mediatypes", ValueKind::Bool);
const IGNORE_ERROR: Attribute = Attribute::new("ignore-error", ValueKind::Bool);
const COMPRESSIONS: &[&str] = &["uncompressed", "gzip", "estargz", "zstd"];
const MODE: ValueKind = ValueKind::Choice(Mode::NAMES);
const COMPRESSION: ValueKind = ValueKind::Choice(COMPRESSIONS);

/// Why a copy refuses another compression.
const AS_THEY_ARE: &str = "layers are copied as they are";

impl ExportAttributes {
    /// The attributes as a program treats them that copies existing caches. Those about new layers are refused, unless
    /// they ask for what a copy does anyway. It is the default of [`Targets`](crate::Targets).
    pub const COPY: &[Attribute] = &[
        IMAGE_MANIFEST,
        OCI_MEDIATYPES,
        IGNORE_ERROR,
        Attribute::only(
            "mode",
            MODE,
            "max",
            "a cache is copied whole; its steps were chosen when it was built",
        ),
        Attribute::refused("compression", COMPRESSION, AS_THEY_ARE),
        Attribute::refused("compression-level", ValueKind::Integer, AS_THEY_ARE),
        Attribute::only("force-compression", ValueKind::Flag, "false", AS_THEY_ARE),
    ];

    /// The attributes as a build tool treats them that chooses the steps and compresses the layers: all are honoured.
    pub const BUILD: &[Attribute] = &[
        IMAGE_MANIFEST,
        OCI_MEDIATYPES,
        IGNORE_ERROR,
        Attribute::new("mode", MODE),
        Attribute::new("compression", COMPRESSION),
        Attribute::new("compression-level", ValueKind::Integer),
        Attribute::new("force-compression", ValueKind::Flag),
    ];

    /// Reads the values, whether or not they are honoured.
    ///
    /// # Errors
    ///
    /// [`TargetError::Usage`] if a value is malformed.
    pub fn of(attributes: &Attributes) -> Result<Self, TargetError> {
        Ok(Self {
            image_manifest: attributes.boolean("image-manifest")?,
            oci_mediatypes: attributes.boolean("oci-mediatypes")?,
            ignore_error: attributes.boolean("ignore-error")?.unwrap_or(false),
            mode: attributes.get("mode").map(str::parse).transpose()?,
            compression: attributes.get("compression").map(compression).transpose()?,
            compression_level: attributes.integer("compression-level")?,
            force_compression: attributes.flag("force-compression")?,
        })
    }
}

fn compression(text: &str) -> Result<Compression, TargetError> {
    text.parse().map_err(|_| not_a_choice("compression", text, COMPRESSIONS))
}
