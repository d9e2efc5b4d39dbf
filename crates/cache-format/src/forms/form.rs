//! The forms, and the table of their rules.
//!
//! A new form is a variant here and a file beside this one.

use std::fmt;
use std::str::FromStr;

use cache_model::{Dialect, MediaType};

use crate::FormatError;
use crate::forms::rules::FormRules;
use crate::forms::{docker_list, image_manifest, inline_image, oci_index};

/// The form in which a cache's layers and its config are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// An OCI image manifest with the cache config as its config; BuildKit's default.
    #[default]
    Manifest,
    /// An OCI image index: the layers as entries, then the config.
    Index,
    /// A Docker manifest list, with Docker's layer types.
    DockerList,
    /// An OCI image with the records inside its config, and the cache's distinct blobs as its layers.
    Inline,
}

impl Form {
    /// Every form, in the order in which messages list them.
    pub const ALL: &'static [Self] = &[Self::Manifest, Self::Index, Self::DockerList, Self::Inline];

    pub(crate) fn rules(self) -> &'static FormRules {
        match self {
            Self::Manifest => &image_manifest::RULES,
            Self::Index => &oci_index::RULES,
            Self::DockerList => &docker_list::RULES,
            Self::Inline => &inline_image::RULES,
        }
    }

    /// The form that BuildKit's attributes `image-manifest` and `oci-mediatypes` ask for; `None` for an attribute that
    /// is not given. OCI media types are the default. An image manifest is the default with OCI media types only.
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
                "cache manifest",
                "invalid configuration for remote cache, OCI mediatypes are required for image-manifest cache format",
            )),
        }
    }

    /// The name that users type: `manifest`, `index`, `docker` or `inline`.
    pub fn name(self) -> &'static str {
        self.rules().name
    }

    /// The media type of the root document.
    pub fn media_type(self) -> MediaType {
        self.rules().media_type.clone()
    }

    /// Whether the root document is an image manifest, not an index. BuildKit's progress names it accordingly.
    pub fn is_image_manifest(self) -> bool {
        self.rules().is_image_manifest
    }

    /// Whether the records are inside the config of an image. Then every layer needs a diff ID and a media type that is known
    /// as a layer's, and BuildKit's limit ([`BUILDKIT_IMPORT_LIMIT`](crate::BUILDKIT_IMPORT_LIMIT)) does not hold for the config.
    pub fn is_inline(self) -> bool {
        self.rules().config_type == MediaType::OCI_IMAGE_CONFIG
    }

    /// The dialect of the layers' media types.
    pub fn dialect(self) -> Dialect {
        self.rules().dialect
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
        Self::ALL.iter().copied().find(|form| form.name() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|form| form.name()).collect();
            FormatError::unsupported(
                "cache manifest",
                format!("unknown form {text:?}: known are {}", known.join(", ")),
            )
        })
    }
}
