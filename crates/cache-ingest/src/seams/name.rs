//! Names of manifests within one store, and the manifest that a publisher expects behind a name.
//!
//! A name never says which store it belongs to.

use std::fmt;

use cache_model::{Descriptor, Digest};

use crate::{Error, ErrorKind};

/// What a name has to stand for when it is published: a compare-and-swap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// Anything or nothing.
    #[default]
    Any,
    /// Nothing: the name must be free.
    Absent,
    /// The manifest with this digest.
    Digest(Digest),
}

/// A name of a manifest within one store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Name {
    /// No name was given: the store's default. In an OCI layout `latest`, else the only entry.
    #[default]
    Unspecified,
    /// A tag (or, in an OCI layout, a full image name).
    Tag(String),
    /// The manifest with this digest, whether or not a tag has it.
    Digest(Digest),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unspecified => f.write_str("the default tag"),
            Self::Tag(tag) => write!(f, "tag {tag:?}"),
            Self::Digest(digest) => write!(f, "{digest}"),
        }
    }
}

impl Name {
    /// The tag of a manifest that is published without a name, as in BuildKit.
    pub const LATEST: &'static str = "latest";

    /// The name to publish a manifest under: `latest` if none is given. For publishers.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an empty tag, and for a digest other than the manifest's.
    pub fn to_publish(&self, descriptor: &Descriptor) -> Result<Self, Error> {
        let reason = match self {
            Self::Unspecified => return Ok(Self::Tag(Self::LATEST.to_owned())),
            Self::Tag(tag) if tag.is_empty() => "a tag must not be empty".to_owned(),
            Self::Digest(digest) if *digest != descriptor.digest => {
                format!("the manifest has the digest {}", descriptor.digest)
            }
            Self::Tag(_) | Self::Digest(_) => return Ok(self.clone()),
        };
        Err(Error::new(ErrorKind::Invalid, "publish", self, reason))
    }
}

impl Expect {
    /// Compares with the digest of the manifest that `name` stands for now. For publishers.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if it is not the expected one.
    pub fn check(self, name: &Name, current: Option<Digest>) -> Result<(), Error> {
        let reason = match (self, current) {
            (Self::Any, _) | (Self::Absent, None) => return Ok(()),
            (Self::Digest(expected), Some(current)) if expected == current => return Ok(()),
            (Self::Absent, Some(current)) => format!("it stands for {current} already"),
            (Self::Digest(expected), Some(current)) => format!("it stands for {current}, not for {expected}"),
            (Self::Digest(expected), None) => format!("it stands for nothing, not for {expected}"),
        };
        Err(Error::new(ErrorKind::Conflict, "publish", name, reason))
    }
}
