//! The identity of a key, the same in every cache.

use std::fmt;

use cache_model::RecordDigest;

/// The id of a key. The id of a root is its record digest; any other id is derived from the record digest and the
/// inputs, so the same key has the same id in every cache.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(RecordDigest);

impl KeyId {
    /// The id of the root with this record digest, as it stands in a cache.
    pub fn root(digest: &RecordDigest) -> Self {
        Self(digest.clone())
    }

    /// The id of the root that stands for one output of a step without inputs. `digest` is that of the step's cache
    /// key; the record stands under [`RecordDigest::of_output`].
    ///
    /// ```
    /// use cache_keys::KeyId;
    /// use cache_model::RecordDigest;
    /// assert_eq!(KeyId::of_root("source", 0), KeyId::root(&RecordDigest::of_output("source", 0)));
    /// ```
    pub fn of_root(digest: impl fmt::Display, output: usize) -> Self {
        Self(RecordDigest::of_output(digest, output))
    }

    /// The id of the root that stands for the content of an input: see [`RecordDigest::of_content`].
    pub fn of_content(digest: impl fmt::Display) -> Self {
        Self(RecordDigest::of_content(digest))
    }

    pub(crate) fn derived(hash: [u8; 32]) -> Self {
        Self(RecordDigest::sha256(hash))
    }

    pub(crate) fn digest(&self) -> &RecordDigest {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
