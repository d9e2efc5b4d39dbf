//! Digests, computed without the crates under test.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256, Sha512};

/// The sha256 digest of some bytes, as `sha256:…`.
pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(bytes)))
}

/// The digest of some bytes by the algorithm of `like`; `None` if that is neither sha256 nor sha512.
pub fn digest_of(bytes: &[u8], like: &str) -> Option<String> {
    match like.split_once(':')?.0 {
        "sha256" => Some(sha256(bytes)),
        "sha512" => Some(format!("sha512:{}", HEXLOWER.encode(&Sha512::digest(bytes)))),
        _ => None,
    }
}
