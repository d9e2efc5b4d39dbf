//! Descriptors: a manifest's description of one blob (OCI image specification, descriptor.md).
//!
//! A descriptor is data and never reads the blob. Its fields are those of the specification, in an order that does not
//! change from run to run.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::json::{self, Object};
use crate::{Compression, Dialect, Digest, MediaType};

/// The diff ID of a layer: the digest of its uncompressed tar.
pub const ANNOTATION_DIFF_ID: &str = "containerd.io/uncompressed";
/// When BuildKit made the layer.
pub const ANNOTATION_CREATED_AT: &str = "buildkit/createdat";
/// The step that made the layer.
pub const ANNOTATION_DESCRIPTION: &str = "buildkit/description";
/// The digest of an eStargz layer's table of contents.
pub const ANNOTATION_ESTARGZ_TOC: &str = "containerd.io/snapshot/stargz/toc.digest";
/// The size, in bytes, of an eStargz layer's tar.
pub const ANNOTATION_ESTARGZ_SIZE: &str = "io.containers.estargz.uncompressed-size";
/// The tag of an entry of an OCI layout's index.
pub const ANNOTATION_REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The full image name of an entry of an OCI layout's index, as containerd and BuildKit write it.
pub const ANNOTATION_IMAGE_NAME: &str = "io.containerd.image.name";

const KNOWN_KEYS: [&str; 7] = [
    ANNOTATION_CREATED_AT,
    ANNOTATION_DIFF_ID,
    ANNOTATION_DESCRIPTION,
    ANNOTATION_ESTARGZ_TOC,
    ANNOTATION_ESTARGZ_SIZE,
    ANNOTATION_REF_NAME,
    ANNOTATION_IMAGE_NAME,
];

/// A content descriptor: the media type, the digest and the size of a blob, with annotations and rarer fields.
///
/// Cheap to clone: the parts that vary in length are shared.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Descriptor {
    /// The type of the blob; may be empty.
    pub media_type: MediaType,
    /// The digest of the blob.
    pub digest: Digest,
    /// The size of the blob in bytes.
    pub size: u64,
    /// Annotations, sorted by key.
    pub annotations: Annotations,
    /// The rarer fields; `None` where all are absent.
    pub extra: Option<Arc<DescriptorExtra>>,
}

/// The fields of a descriptor that a cache's layers do not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DescriptorExtra {
    /// Further addresses of the blob.
    pub urls: Vec<String>,
    /// The blob itself, in base64 as it was written.
    pub data: String,
    /// The platform of the image it describes.
    pub platform: Option<Platform>,
    /// The type of the artifact it describes.
    pub artifact_type: String,
}

/// The platform of an image (OCI image index specification, "platform").
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Platform {
    /// The processor, as Go names it.
    pub architecture: String,
    /// The operating system, as Go names it.
    pub os: String,
    /// `os.version`.
    pub os_version: String,
    /// `os.features`.
    pub os_features: Vec<String>,
    /// The variant of the processor.
    pub variant: String,
}

impl Descriptor {
    /// The descriptor of some bytes: their SHA-256 digest and their number.
    ///
    /// ```
    /// use cache_model::{Descriptor, Digest, MediaType};
    /// let config = Descriptor::of(MediaType::CACHE_CONFIG, b"{}");
    /// assert_eq!(config, Descriptor::new(MediaType::CACHE_CONFIG, Digest::of(b"{}"), 2));
    /// ```
    pub fn of(media_type: MediaType, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        Self::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// A descriptor without annotations. The size is in bytes.
    pub fn new(media_type: MediaType, digest: Digest, size: u64) -> Self {
        Self { media_type, digest, size, annotations: Annotations::default(), extra: None }
    }

    /// The same descriptor with one annotation set.
    #[must_use]
    pub fn with_annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.set(key, value);
        self
    }

    /// The layer's diff ID, if the annotation holds a well-formed one.
    pub fn diff_id(&self) -> Option<Digest> {
        self.annotations.get(ANNOTATION_DIFF_ID)?.parse().ok()
    }

    /// The layer's compression by its media type; eStargz by its annotation. `None` for a type that is not known as a
    /// layer's.
    pub fn compression(&self) -> Option<Compression> {
        match self.media_type.compression()? {
            Compression::Gzip if self.annotations.get(ANNOTATION_ESTARGZ_TOC).is_some() => {
                Some(Compression::EStargz)
            }
            other => Some(other),
        }
    }

    /// The same descriptor with its media type in `dialect`; unchanged if the type has no name there.
    #[must_use]
    pub fn in_dialect(&self, dialect: Dialect) -> Self {
        let mut converted = self.clone();
        if let Some(media_type) = self.media_type.in_dialect(dialect) {
            converted.media_type = media_type;
        }
        converted
    }

    /// The same descriptor for an image of this platform.
    #[must_use]
    pub fn with_platform(mut self, platform: Platform) -> Self {
        Arc::make_mut(self.extra.get_or_insert_default()).platform = Some(platform);
        self
    }

    /// The platform of the image, if the descriptor names it.
    pub fn platform(&self) -> Option<&Platform> {
        self.extra.as_deref()?.platform.as_ref()
    }

    /// The same descriptor for an artifact of this type.
    #[must_use]
    pub fn with_artifact_type(mut self, artifact_type: &str) -> Self {
        artifact_type.clone_into(&mut Arc::make_mut(self.extra.get_or_insert_default()).artifact_type);
        self
    }

    /// The type of the artifact that it describes; empty if the descriptor does not name it.
    pub fn artifact_type(&self) -> &str {
        self.extra.as_deref().map_or("", |extra| &extra.artifact_type)
    }

    /// Orders descriptors by their JSON texts: BuildKit's order between several descriptors of one digest.
    pub fn cmp_text(&self, other: &Self) -> Ordering {
        if self == other { Ordering::Equal } else { self.json().cmp(&other.json()) }
    }

    /// The compact JSON text. Fields come in the order mediaType, digest, size, urls, annotations, data, platform,
    /// artifactType; the empty ones after the size are left out.
    pub fn json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.write_json(&mut out);
        out
    }

    /// Appends [`Descriptor::json`] to `out`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.string("mediaType", self.media_type.as_str());
        let place = object.key("digest");
        place.push(b'"');
        self.digest.write_to(place);
        place.push(b'"');
        json::push_number(self.size, object.key("size"));
        if let Some(extra) = &self.extra {
            object.strings_unless_empty("urls", &extra.urls);
        }
        self.annotations.write_member(&mut object);
        if let Some(extra) = &self.extra {
            object.string_unless_empty("data", &extra.data);
            if let Some(platform) = &extra.platform {
                platform.write_json(object.key("platform"));
            }
            object.string_unless_empty("artifactType", &extra.artifact_type);
        }
        object.close();
    }
}

impl Platform {
    /// A platform by the names that Go uses, such as `linux` and `amd64`.
    pub fn new(os: &str, architecture: &str) -> Self {
        Self { architecture: architecture.to_owned(), os: os.to_owned(), ..Self::default() }
    }

    /// The same platform with a variant of the processor, such as `v8`.
    #[must_use]
    pub fn with_variant(mut self, variant: &str) -> Self {
        variant.clone_into(&mut self.variant);
        self
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.string("architecture", &self.architecture);
        object.string("os", &self.os);
        object.string_unless_empty("os.version", &self.os_version);
        object.strings_unless_empty("os.features", &self.os_features);
        object.string_unless_empty("variant", &self.variant);
        object.close();
    }
}

impl fmt::Display for Platform {
    /// `os/architecture`, and `/variant` if there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

/// A text that does not name a platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a platform: it should look like linux/amd64 or linux/arm64/v8")]
pub struct PlatformError(String);

impl FromStr for Platform {
    type Err = PlatformError;

    /// Reads `os/architecture` or `os/architecture/variant`. The parts are taken as they are: no part is guessed, and
    /// no alias is replaced.
    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        match *parts.as_slice() {
            _ if parts.contains(&"") => Err(PlatformError(text.to_owned())),
            [os, architecture] => Ok(Self::new(os, architecture)),
            [os, architecture, variant] => Ok(Self::new(os, architecture).with_variant(variant)),
            _ => Err(PlatformError(text.to_owned())),
        }
    }
}

impl fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.json()))
    }
}

/// Annotations: texts by key, sorted by key, shared when cloned.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Annotations(Option<Arc<Vec<Annotation>>>);

type Annotation = (Cow<'static, str>, Box<str>);

impl Annotations {
    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// Sets `key` to `value` and replaces a former value.
    pub fn set(&mut self, key: &str, value: &str) {
        let list = Arc::make_mut(self.0.get_or_insert_default());
        match list.binary_search_by(|(k, _)| k.as_ref().cmp(key)) {
            Ok(at) => {
                if let Some(entry) = list.get_mut(at) {
                    entry.1 = value.into();
                }
            }
            Err(at) => list.insert(at, (owned_key(key), value.into())),
        }
    }

    /// Removes `key`.
    pub fn remove(&mut self, key: &str) {
        if self.get(key).is_some() {
            let rest: Self = self.iter().filter(|(k, _)| *k != key).collect();
            *self = rest;
        }
    }

    /// All keys with their values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|list| list.iter()).map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// The number of annotations.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |list| list.len())
    }

    /// Whether there are no annotations.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Appends the member `"annotations"` to a JSON object, unless there are none.
    pub fn write_member(&self, object: &mut Object<'_>) {
        if self.is_empty() {
            return;
        }
        let mut members = Object::open(object.key("annotations"));
        for (key, value) in self.iter() {
            members.string(key, value);
        }
        members.close();
    }
}

fn owned_key(key: &str) -> Cow<'static, str> {
    match KNOWN_KEYS.iter().find(|known| **known == key) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(key.to_owned()),
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for Annotations {
    /// Collects annotations; of several values for one key the last stays.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(items: I) -> Self {
        let mut list: Vec<Annotation> =
            items.into_iter().map(|(k, v)| (owned_key(k.as_ref()), v.as_ref().into())).collect();
        if list.is_empty() {
            return Self(None);
        }
        list.sort_by(|(a, _), (b, _)| a.cmp(b));
        list.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(&mut later.1, &mut earlier.1);
            }
            same
        });
        Self(Some(Arc::new(list)))
    }
}

impl fmt::Debug for Annotations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(byte: u8) -> Digest {
        Digest::sha256([byte; 32])
    }

    #[test]
    fn the_json_has_gos_field_order_and_leaves_out_empty_fields() {
        let plain = Descriptor::new(MediaType::new("a/b"), digest(1), 5);
        let hex = "01".repeat(32);
        assert_eq!(
            String::from_utf8(plain.json()).unwrap(),
            format!(r#"{{"mediaType":"a/b","digest":"sha256:{hex}","size":5}}"#)
        );
        let mut full = plain.with_annotation("z", "<1>").with_annotation("a", "2");
        full.extra = Some(Arc::new(DescriptorExtra {
            urls: vec!["https://example.com/x".into()],
            data: "e30=".into(),
            platform: Some(Platform {
                architecture: "arm".into(),
                os: "linux".into(),
                os_version: "1".into(),
                os_features: vec!["f".into()],
                variant: "v7".into(),
            }),
            artifact_type: "t/u".into(),
        }));
        let rest = concat!(
            r#""size":5,"urls":["https://example.com/x"],"annotations":{"a":"2","z":"\u003c1\u003e"},"#,
            r#""data":"e30=","platform":{"architecture":"arm","os":"linux","os.version":"1","#,
            r#""os.features":["f"],"variant":"v7"},"artifactType":"t/u"}"#
        );
        assert!(String::from_utf8(full.json()).unwrap().ends_with(rest));
    }

    #[test]
    fn annotations_are_sorted_and_the_last_value_stays() {
        let collected: Annotations = [("b", "1"), ("a", "2"), ("b", "3")].into_iter().collect();
        assert_eq!(collected.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
        let mut set = Annotations::default();
        for (key, value) in [("b", "1"), ("a", "2"), ("b", "3")] {
            set.set(key, value);
        }
        assert_eq!(set, collected);
        assert_eq!((set.len(), set.is_empty()), (2, false));
        set.remove("a");
        set.remove("b");
        assert_eq!(set, Annotations::default());
        assert_eq!((set.len(), set.is_empty()), (0, true));
    }

    #[test]
    fn the_diff_id_and_the_platform_are_given_where_they_are() {
        let mut descriptor = Descriptor::new(MediaType::new("a/b"), digest(1), 5);
        assert_eq!((descriptor.diff_id(), descriptor.platform()), (None, None));
        let platform = Platform::new("linux", "arm64");
        descriptor = descriptor.with_platform(platform.clone());
        assert_eq!(descriptor.platform(), Some(&platform));
        let with_diff_id = |text: &str| descriptor.clone().with_annotation(ANNOTATION_DIFF_ID, text);
        assert_eq!(with_diff_id(&digest(2).to_string()).diff_id(), Some(digest(2)));
        assert_eq!(with_diff_id("sha256:2").diff_id(), None);
    }

    #[test]
    fn platforms_are_read_as_they_are_shown() {
        let arm = Platform::new("linux", "arm64");
        for (platform, text) in [(arm.clone(), "linux/arm64"), (arm.with_variant("v8"), "linux/arm64/v8")] {
            assert_eq!(platform.to_string(), text);
            assert_eq!(text.parse(), Ok(platform));
        }
        for bad in ["", "linux", "linux/", "/amd64", "linux/amd64/", "linux/arm/v7/x"] {
            let error = bad.parse::<Platform>().unwrap_err();
            assert!(error.to_string().contains("is not a platform"), "{error}");
        }
    }

    #[test]
    fn estargz_is_gzip_with_an_annotation() {
        let gzip = Descriptor::new(MediaType::OCI_LAYER_GZIP, digest(1), 5);
        assert_eq!(gzip.compression(), Some(Compression::Gzip));
        assert_eq!(
            gzip.with_annotation(ANNOTATION_ESTARGZ_TOC, "sha256:x").compression(),
            Some(Compression::EStargz)
        );
    }
}
