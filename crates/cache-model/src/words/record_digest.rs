//! The digest of a record: a cache key as BuildKit wrote it, not validated.
//!
//! Never used as a path and never looked up in a store; it is compared and printed.

use std::cmp::Ordering;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::digest::{cmp_sha256_text, push_hex, strict_hex};
use crate::{Digest, DigestError, OneLine};

/// The most bytes of a text that a message shows. The text itself may be as long as a config.
const LONGEST_EXCERPT: usize = 128;

/// The digest of a record's cache key. Nearly always `sha256:…`, which takes 32 bytes; any other text is kept as it is.
///
/// Record digests order as their texts do. [`of_output`](Self::of_output) computes the one under which a build step's
/// output is found.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RecordDigest(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Sha256([u8; 32]),
    /// Shared, because a text can be as long as a config, and every warning about the record repeats it.
    Text(Arc<str>),
}

impl RecordDigest {
    /// The digest of the record that stands for one output of a build step: the SHA-256 of `<digest>@<output>`.
    ///
    /// `digest` is the digest of the step's cache key, `output` the output's position, from 0. A solver knows steps
    /// and outputs, a cache has records: BuildKit exports records under these digests and looks them up by these
    /// digests. A record with the bare digest of a step is never found.
    ///
    /// ```
    /// use cache_model::RecordDigest;
    /// let record = RecordDigest::of_output("source", 0);
    /// let expected = "sha256:a86d5429b44775a54238a0badddf224dd2fe5c90323b2e4e9959ab045d07a0d4";
    /// assert_eq!(record.to_string(), expected);
    /// ```
    pub fn of_output(digest: impl fmt::Display, output: usize) -> Self {
        Digest::of(format!("{digest}@{output}")).into()
    }

    /// The digest of the record that stands for the content of an input: the SHA-256 of `<digest>@-1`.
    ///
    /// A step that depends on files rather than on the step that made them links to such a record. `digest` is that of
    /// the content's checksums.
    pub fn of_content(digest: impl fmt::Display) -> Self {
        Digest::of(format!("{digest}@-1")).into()
    }

    /// The record digest with this text.
    pub fn new(text: &str) -> Self {
        match text.strip_prefix("sha256:").and_then(|hex| strict_hex(hex.as_bytes())) {
            Some(bytes) => Self(Repr::Sha256(bytes)),
            None => Self(Repr::Text(text.into())),
        }
    }

    /// The record digest `sha256:…` of these hash bytes.
    pub const fn sha256(bytes: [u8; 32]) -> Self {
        Self(Repr::Sha256(bytes))
    }

    /// The hash bytes, when the text is a well-formed `sha256:…`.
    pub fn as_sha256(&self) -> Option<&[u8; 32]> {
        match &self.0 {
            Repr::Sha256(bytes) => Some(bytes),
            Repr::Text(_) => None,
        }
    }

    /// Whether the text starts with `random:`: BuildKit's mark of a key that must not be cached.
    pub fn is_random(&self) -> bool {
        matches!(&self.0, Repr::Text(text) if text.starts_with("random:"))
    }

    /// Whether the text is empty, as that of a record without a digest.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Repr::Text(text) if text.is_empty())
    }

    /// The text, when it is not a well-formed `sha256:…`.
    pub fn as_text(&self) -> Option<&str> {
        match &self.0 {
            Repr::Sha256(_) => None,
            Repr::Text(text) => Some(text),
        }
    }

    /// The text for a message: on one line, a long text cut after its beginning, an empty text as `""`.
    ///
    /// ```
    /// use cache_model::RecordDigest;
    /// assert_eq!(RecordDigest::new("two\nlines").excerpt().to_string(), r"two\nlines");
    /// assert_eq!(RecordDigest::default().excerpt().to_string(), r#""""#);
    /// ```
    pub fn excerpt(&self) -> impl fmt::Display {
        Excerpt(self)
    }

    /// Appends the text to `out`, not escaped.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Repr::Sha256(bytes) => {
                out.extend_from_slice(b"sha256:");
                push_hex(bytes, out);
            }
            Repr::Text(text) => out.extend_from_slice(text.as_bytes()),
        }
    }
}

impl Default for RecordDigest {
    /// The empty digest, as of a config's record without one.
    fn default() -> Self {
        Self(Repr::Text(Arc::default()))
    }
}

impl From<&str> for RecordDigest {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for RecordDigest {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl FromStr for RecordDigest {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }
}

impl From<Digest> for RecordDigest {
    fn from(digest: Digest) -> Self {
        match digest.as_bytes().try_into() {
            Ok(bytes) => Self::sha256(bytes),
            Err(_) => Self::new(&digest.to_string()),
        }
    }
}

impl TryFrom<&RecordDigest> for Digest {
    type Error = DigestError;

    /// The same digest, if its text is that of a blob's digest.
    fn try_from(digest: &RecordDigest) -> Result<Self, DigestError> {
        match &digest.0 {
            Repr::Sha256(bytes) => Ok(Self::sha256(*bytes)),
            Repr::Text(text) => text.parse(),
        }
    }
}

impl Ord for RecordDigest {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Sha256(a), Repr::Sha256(b)) => a.cmp(b),
            (Repr::Text(a), Repr::Text(b)) => a.cmp(b),
            (Repr::Sha256(a), Repr::Text(b)) => cmp_sha256_text(a, b),
            (Repr::Text(a), Repr::Sha256(b)) => cmp_sha256_text(b, a).reverse(),
        }
    }
}

impl PartialOrd for RecordDigest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RecordDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Sha256(bytes) => write!(f, "sha256:{}", const_hex::encode(bytes)),
            Repr::Text(text) => f.write_str(text),
        }
    }
}

/// See [`RecordDigest::excerpt`].
struct Excerpt<'a>(&'a RecordDigest);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(text) = self.0.as_text() else { return self.0.fmt(f) };
        match text.split_at(text.floor_char_boundary(LONGEST_EXCERPT)) {
            ("", "") => f.write_str(r#""""#),
            (text, "") => write!(f, "{}", OneLine(text)),
            (beginning, rest) => write!(f, "{}… and {} more bytes", OneLine(beginning), rest.len()),
        }
    }
}

impl fmt::Debug for RecordDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_digest_is_a_hash_or_any_other_text() {
        let hash = RecordDigest::new(&format!("sha256:{}", "0a".repeat(32)));
        assert_eq!((hash.as_sha256(), hash.as_text()), (Some(&[10; 32]), None));
        assert!(!hash.is_empty() && !hash.is_random());
        assert_eq!(RecordDigest::default(), RecordDigest::new(""));
        for text in ["", "random:1", "sha256:0a"] {
            let digest = RecordDigest::new(text);
            assert_eq!((digest.as_sha256(), digest.as_text()), (None, Some(text)));
            assert_eq!((digest.is_empty(), digest.is_random()), (text.is_empty(), text == "random:1"));
        }
    }

    #[test]
    fn a_message_shows_a_digest_on_one_line_and_a_long_one_by_its_beginning() {
        let shown = |text: &str| RecordDigest::new(text).excerpt().to_string();
        let hash = format!("sha256:{}", "0a".repeat(32));
        assert_eq!([shown(&hash), shown("random:1")], [hash, "random:1".to_owned()]);
        assert_eq!([shown(""), shown("two\nlines")], [r#""""#, r"two\nlines"]);
        let beginning = "x".repeat(128);
        assert_eq!(shown(&beginning), beginning);
        assert_eq!(shown(&"x".repeat(1_000_128)), format!("{beginning}… and 1000000 more bytes"));
        assert_eq!(shown(&"é".repeat(65)), format!("{}… and 2 more bytes", "é".repeat(64)));
    }

    #[test]
    fn the_digest_of_an_output_is_the_hash_of_a_text_with_the_number_of_the_output() {
        let step = Digest::of(b"step");
        for (record, text) in [
            (RecordDigest::of_output(step, 0), format!("{step}@0")),
            (RecordDigest::of_output(RecordDigest::from(step), 12), format!("{step}@12")),
            (RecordDigest::of_content(step), format!("{step}@-1")),
            (RecordDigest::of_output("", 0), "@0".to_owned()),
        ] {
            assert_eq!(record, RecordDigest::new(&Digest::of(text).to_string()));
        }
    }

    #[test]
    fn a_blob_digest_is_a_record_digest_and_comes_back() {
        for digest in [Digest::of(b"a"), Digest::sha512([7; 64])] {
            assert_eq!(Digest::try_from(&RecordDigest::from(digest)), Ok(digest));
            assert_eq!(digest.to_string().parse(), Ok(RecordDigest::from(digest)));
        }
        assert!(Digest::try_from(&RecordDigest::new("random:1")).is_err());
    }

    proptest! {
        /// Law: record digests order as their texts do, well-formed or not, and every text comes back as it was.
        #[test]
        fn record_digests_order_as_their_texts(texts in prop::collection::vec(
            prop_oneof!["sha256:[0-9a-f]{64}", "sha256:[0-9a-fA-F]{62,66}", "[a-z:]{0,9}", ".*"], 1..6)) {
            for a in &texts {
                prop_assert_eq!(&RecordDigest::new(a).to_string(), a);
                let mut written = Vec::new();
                RecordDigest::new(a).write_to(&mut written);
                prop_assert_eq!(&String::from_utf8(written).unwrap(), a);
                for b in &texts {
                    prop_assert_eq!(RecordDigest::new(a).cmp(&RecordDigest::new(b)), a.cmp(b));
                    prop_assert_eq!(RecordDigest::new(a) < RecordDigest::new(b), a < b);
                }
            }
        }
    }
}
