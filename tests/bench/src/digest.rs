//! The digest of bytes as text, computed without the crates that are measured.

use sha2::{Digest as _, Sha256};

/// The SHA-256 digest of these bytes, as `sha256:` and 64 hexadecimal digits.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", const_hex::encode(Sha256::digest(bytes)))
}
