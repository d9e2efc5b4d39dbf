//! Reading descriptors (OCI image specification, descriptor.md).
//!
//! A malformed digest and a size that no blob can have are errors here already.

use std::sync::Arc;

use cache_model::{Annotations, Descriptor, DescriptorExtra, Digest, MediaType, Platform};
use serde::Deserializer;
use serde::de::Error as _;

use crate::json::read::{self, List, Object, Place, members, string};

/// Which members a descriptor must have, and may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// For manifests: the media type may be absent, unknown members are skipped.
    Manifest,
    /// For our own record lines: the media type is required, unknown members are errors.
    Records,
}

/// Reads a descriptor; `None` for null.
pub(crate) fn descriptor<'de, D>(value: D, strictness: Strictness) -> Result<Option<Descriptor>, D::Error>
where
    D: Deserializer<'de>,
{
    let mut members = DescriptorMembers {
        strictness,
        media_type: None,
        digest: None,
        size: None,
        annotations: Annotations::default(),
        extra: DescriptorExtra::default(),
    };
    if !read::object(value, &mut members)? {
        return Ok(None);
    }
    let missing = |name: &str| D::Error::custom(format_args!("{name} is missing"));
    if members.media_type.is_none() && strictness == Strictness::Records {
        return Err(missing("mediaType"));
    }
    Ok(Some(Descriptor {
        media_type: members.media_type.unwrap_or_default(),
        digest: members.digest.ok_or_else(|| missing("digest"))?,
        size: members.size.ok_or_else(|| missing("size"))?,
        annotations: members.annotations,
        extra: (members.extra != DescriptorExtra::default()).then(|| Arc::new(members.extra)),
    }))
}

/// A list of descriptors; an entry is never null.
pub(crate) struct Descriptors<'p> {
    pub(crate) found: Vec<Descriptor>,
    pub(crate) strictness: Strictness,
    /// The noun for an entry, and the place to note it in; `None` if the caller has noted a larger part.
    pub(crate) entry: Option<(&'static str, &'p Place)>,
}

impl<'de> List<'de> for Descriptors<'_> {
    const WHAT: &'static str = "a list of descriptors";

    fn item<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        if let Some((noun, place)) = self.entry {
            place.entry(noun, self.found.len());
        }
        let found = descriptor(value, self.strictness)?;
        self.found.push(found.ok_or_else(|| D::Error::custom("null is no descriptor"))?);
        Ok(())
    }
}

struct DescriptorMembers {
    strictness: Strictness,
    media_type: Option<MediaType>,
    digest: Option<Digest>,
    size: Option<u64>,
    annotations: Annotations,
    extra: DescriptorExtra,
}

impl<'de> Object<'de> for DescriptorMembers {
    const WHAT: &'static str = "a descriptor (an object)";
    fn is_strict(&self) -> bool {
        self.strictness == Strictness::Records
    }

    members! { |self, value, key|
        "mediaType" => self.media_type = read::text(value, key)?.map(|text| MediaType::new(&text)),
        "digest" => self.digest = read::parsed(value, key, str::parse)?,
        "size" => self.size = read::number(value, key)?,
        "urls" => read::list(value, &mut Texts(&mut self.extra.urls))?,
        "annotations" => self.annotations = annotations(value)?,
        "data" => self.extra.data = string(value, key)?,
        "platform" => {
            let mut platform =
                PlatformMembers { strict: self.is_strict(), platform: Platform::default() };
            self.extra.platform = read::object(value, &mut platform)?.then_some(platform.platform);
        },
        "artifactType" => self.extra.artifact_type = string(value, key)?,
    }
}

struct PlatformMembers {
    strict: bool,
    platform: Platform,
}

impl<'de> Object<'de> for PlatformMembers {
    const WHAT: &'static str = "a platform (an object)";
    fn is_strict(&self) -> bool {
        self.strict
    }

    members! { |self, value, key|
        "architecture" => self.platform.architecture = string(value, key)?,
        "os" => self.platform.os = string(value, key)?,
        "os.version" => self.platform.os_version = string(value, key)?,
        "os.features" => read::list(value, &mut Texts(&mut self.platform.os_features))?,
        "variant" => self.platform.variant = string(value, key)?,
    }
}

/// A list of strings; null is the empty list, as in Go.
struct Texts<'t>(&'t mut Vec<String>);

impl<'de> List<'de> for Texts<'_> {
    const WHAT: &'static str = "a list of strings";

    fn item<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        self.0.push(string(value, "an item")?);
        Ok(())
    }
}

/// Reads annotations: an object of strings. Null means none. Of several values for one key the last counts, as in Go.
pub(crate) fn annotations<'de, D: Deserializer<'de>>(value: D) -> Result<Annotations, D::Error> {
    Ok(read::string_map(value, "annotations")?.into_iter().collect())
}
