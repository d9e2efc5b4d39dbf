//! How a cache is to be written, as a destination's attributes say it, whatever store it goes to.

use crate::{Attribute, Attributes, TargetError, ValueKind};

const AS_THEY_ARE: &str = "layers are copied as they are";

/// How a cache is to be written, as far as a destination's attributes say. `None`: they say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportAttributes {
    /// `image-manifest`: as an image manifest rather than an index.
    pub image_manifest: Option<bool>,
    /// `oci-mediatypes`: with OCI's media types rather than Docker's.
    pub oci_mediatypes: Option<bool>,
    /// `ignore-error`: a failure to write is reported, but fails nothing.
    pub ignore_error: bool,
}

impl ExportAttributes {
    /// What every destination takes, those that are refused included.
    pub(crate) const KNOWN: &[Attribute] = &[
        Attribute::new("image-manifest", ValueKind::Bool),
        Attribute::new("oci-mediatypes", ValueKind::Bool),
        Attribute::new("ignore-error", ValueKind::Bool),
        Attribute::only(
            "mode",
            ValueKind::Choice(&["min", "max"]),
            "max",
            "a cache is written with all that it has; what it has was chosen when it was built",
        ),
        Attribute::refused(
            "compression",
            ValueKind::Choice(&["uncompressed", "gzip", "estargz", "zstd"]),
            AS_THEY_ARE,
        ),
        Attribute::refused("compression-level", ValueKind::Integer, AS_THEY_ARE),
        Attribute::only("force-compression", ValueKind::Flag, "false", AS_THEY_ARE),
    ];

    /// Reads `image-manifest`, `oci-mediatypes` and `ignore-error`.
    ///
    /// # Errors
    ///
    /// [`TargetError::Usage`], where one is not a boolean.
    pub fn of(attributes: &Attributes) -> Result<Self, TargetError> {
        Ok(Self {
            image_manifest: attributes.boolean("image-manifest")?,
            oci_mediatypes: attributes.boolean("oci-mediatypes")?,
            ignore_error: attributes.boolean("ignore-error")?.unwrap_or(false),
        })
    }
}
