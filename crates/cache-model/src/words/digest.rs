//! Blob digests: strict, held as bytes, safe as part of a path.
//!
//! A digest always has the length and the letters of a registered algorithm (OCI image specification, descriptor.md,
//! "Registered Algorithms"). Cache keys are not blob digests: see [`RecordDigest`](crate::RecordDigest).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The digest of a blob: SHA-256 or SHA-512.
///
/// Digests order as their texts do (`sha256:…` before `sha512:…`, then by the hexadecimal digits).
///
/// ```
/// use cache_model::Digest;
/// let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// let digest: Digest = text.parse()?;
/// assert_eq!(digest.to_string(), text);
/// assert_eq!(digest, Digest::of(b""));
/// assert!("sha256:../../etc/passwd".parse::<Digest>().is_err());
/// # Ok::<(), cache_model::DigestError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Repr);

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Repr {
    Sha256([u8; 32]),
    Sha512([u8; 64]),
}

/// The hash function of a [`Digest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, the algorithm of nearly every blob.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// The name in front of the colon, which is also the folder below `blobs/` in an OCI layout.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// No `algorithm:` in front.
    #[error("{0:?} is not a digest: it should look like sha256:<64 hexadecimal digits>")]
    Form(String),
    /// An algorithm other than sha256 and sha512.
    #[error("digest {0:?} has an unknown algorithm: known are sha256 and sha512")]
    Algorithm(String),
    /// Not the algorithm's number of lower-case hexadecimal digits.
    #[error("digest {0:?} does not have the {1} lower-case hexadecimal digits of its algorithm")]
    Encoded(String, usize),
}

impl Digest {
    /// The SHA-256 digest of some bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self::sha256(Sha256::digest(bytes).into())
    }

    /// The digest with these bytes of SHA-256.
    pub const fn sha256(bytes: [u8; 32]) -> Self {
        Self(Repr::Sha256(bytes))
    }

    /// The digest with these bytes of SHA-512.
    pub const fn sha512(bytes: [u8; 64]) -> Self {
        Self(Repr::Sha512(bytes))
    }

    /// The hash function.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Repr::Sha256(_) => Algorithm::Sha256,
            Repr::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The bytes of the hash: 32 or 64.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Sha256(bytes) => bytes,
            Repr::Sha512(bytes) => bytes,
        }
    }

    /// The hexadecimal digits, lower case, without the algorithm.
    pub fn hex(&self) -> String {
        const_hex::encode(self.as_bytes())
    }

    /// Appends the text to `out`, without an allocation of its own.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.algorithm().name().as_bytes());
        out.push(b':');
        push_hex(self.as_bytes(), out);
    }
}

/// Appends lower-case hexadecimal digits.
pub(crate) fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len() * 2, 0);
    if let Some(target) = out.get_mut(start..) {
        // The target has exactly the length that the digits need, so this cannot fail.
        let _ = const_hex::encode_to_slice(bytes, target);
    }
}

/// The bytes that exactly `2 * N` lower-case hexadecimal digits stand for.
pub(crate) fn strict_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let lower = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 2 * N || !text.iter().all(lower) {
        return None;
    }
    const_hex::decode_to_array(text).ok()
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let Some((algorithm, encoded)) = text.split_once(':') else {
            return Err(DigestError::Form(text.to_owned()));
        };
        match algorithm {
            "sha256" => strict_hex(encoded.as_bytes())
                .map(Self::sha256)
                .ok_or_else(|| DigestError::Encoded(text.to_owned(), 64)),
            "sha512" => strict_hex(encoded.as_bytes())
                .map(Self::sha512)
                .ok_or_else(|| DigestError::Encoded(text.to_owned(), 128)),
            _ => Err(DigestError::Algorithm(text.to_owned())),
        }
    }
}

impl TryFrom<&str> for Digest {
    type Error = DigestError;

    fn try_from(text: &str) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl FromStr for Algorithm {
    type Err = DigestError;

    /// Reads the [`name`](Self::name).
    fn from_str(name: &str) -> Result<Self, DigestError> {
        let known = [Self::Sha256, Self::Sha512].into_iter().find(|algorithm| algorithm.name() == name);
        known.ok_or_else(|| DigestError::Algorithm(name.to_owned()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm().name())?;
        f.write_str(":")?;
        f.write_str(&self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Compares the text of a SHA-256 digest, given as bytes, with any other text.
pub(crate) fn cmp_sha256_text(bytes: &[u8; 32], text: &str) -> Ordering {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let hex = bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]);
    b"sha256:".iter().copied().chain(hex).cmp(text.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn only_strict_texts_are_digests() {
        assert!(EMPTY.parse::<Digest>().is_ok());
        assert!(format!("sha512:{}", "0f".repeat(64)).parse::<Digest>().is_ok());
        for bad in [
            "",
            "sha256",
            "sha256:",
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
            "sha256:0x",
            "sha256:../../../../etc/passwd",
            EMPTY.strip_suffix('5').unwrap(),
            &format!("{EMPTY}0"),
            &format!(" {EMPTY}"),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn algorithms_are_read_by_their_names() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
        assert_eq!("SHA256".parse::<Algorithm>(), Err(DigestError::Algorithm("SHA256".to_owned())));
        assert_eq!(Digest::try_from(EMPTY), Ok(Digest::of("")));
    }

    proptest! {
        /// Law: digests order as their texts do, and a text comes back as it was.
        #[test]
        fn digests_order_as_their_texts(a: [u8; 32], b: [u8; 32], c: [[u8; 32]; 2]) {
            let mut long = [0; 64];
            long[..32].copy_from_slice(&c[0]);
            long[32..].copy_from_slice(&c[1]);
            let all = [Digest::sha256(a), Digest::sha256(b), Digest::sha512(long)];
            for x in all {
                prop_assert_eq!(x.to_string().parse::<Digest>(), Ok(x));
                for y in all {
                    prop_assert_eq!(x.cmp(&y), x.to_string().cmp(&y.to_string()));
                }
            }
            prop_assert_eq!(cmp_sha256_text(&a, &all[1].to_string()), a.cmp(&b));
        }
    }
}
