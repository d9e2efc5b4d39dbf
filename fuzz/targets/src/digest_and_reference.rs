//! Any text as a digest, a record digest, a reference, a time, a form, a bare path. A value that is printed and read again
//! stays the same.
//!
//! The part of the text after its first line break is a second text, to compare with.

use cache_format::Form;
use cache_model::{Algorithm, Digest, MediaType, RecordDigest, Timestamp};
use cache_target::{Attributes, Reference, Repository, Role};

use crate::check::{assert_one_line, assert_says_something};

/// Runs the target on some bytes.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (first, second) = text.split_once('\n').unwrap_or((text, ""));
    blob_digest(first, second);
    record_digest(first, second);
    time(first, second);
    match first.parse::<Form>() {
        Ok(form) => assert_eq!(form.to_string(), first),
        Err(error) => assert_one_line(&error),
    }
    assert_eq!(MediaType::new(first).as_str(), first);
    reference(first);
    bare_path(first);
}

/// A reference has one normal form, and reading it gives the same reference.
fn reference(text: &str) {
    let reference = match text.parse::<Reference>() {
        Ok(reference) => reference,
        Err(error) => return assert_one_line(&error),
    };
    let normal = reference.to_string();
    assert_eq!(normal.parse::<Reference>(), Ok(reference.clone()), "{text:?} is {normal:?}");
    let repository = reference.repository();
    assert_eq!(repository.to_string().parse::<Repository>().as_ref(), Ok(repository));
    let (host, path) = (repository.host(), repository.path());
    assert!(!host.contains(['/', '@', '?', '#', '\\']) && !host.is_empty(), "{host:?}");
    assert!(
        path.split('/').all(|part| !part.is_empty() && !part.starts_with('.')),
        "{path:?} is no path of a URL"
    );
    assert!(!path.contains(['?', '#', '%', '\\', ':']) && path.len() <= 255, "{path:?}");
    let tag = reference.tag().unwrap_or("latest");
    assert!(tag.len() <= 128 && !tag.contains(['/', '?', '#', '%']) && !tag.starts_with('.'), "{tag:?}");
}

fn blob_digest(text: &str, other: &str) {
    let digest = match text.parse::<Digest>() {
        Ok(digest) => digest,
        Err(error) => return assert_says_something(&error),
    };
    assert_eq!(digest.to_string(), text);
    let mut written = Vec::new();
    digest.write_to(&mut written);
    assert_eq!(written, text.as_bytes());
    let digits = match digest.algorithm() {
        Algorithm::Sha256 => 64,
        Algorithm::Sha512 => 128,
    };
    let hex = digest.hex();
    assert_eq!(hex.len(), digits);
    assert!(hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{hex:?} must not become a path");
    assert_eq!(RecordDigest::from(digest).to_string(), text);
    if let Ok(other_digest) = other.parse::<Digest>() {
        assert_eq!(digest.cmp(&other_digest), text.cmp(other));
        assert_eq!(digest == other_digest, text == other);
    }
}

fn record_digest(text: &str, other: &str) {
    let digest = RecordDigest::new(text);
    assert_eq!(digest.to_string(), text);
    let mut written = Vec::new();
    digest.write_to(&mut written);
    assert_eq!(written, text.as_bytes());
    assert_eq!(digest.is_random(), text.starts_with("random:"));
    assert_eq!(digest.is_empty(), text.is_empty());
    assert_eq!(digest.cmp(&RecordDigest::new(other)), text.cmp(other));
    assert_eq!(digest == RecordDigest::new(other), text == other);
}

fn time(text: &str, other: &str) {
    let time = match text.parse::<Timestamp>() {
        Ok(time) => time,
        Err(error) => return assert_says_something(&error),
    };
    let printed = time.to_string();
    let again: Timestamp = printed.parse().expect("a printed time can be read");
    assert!(again == time && again.cmp_with_text(&time).is_eq(), "{text:?} and {printed:?}");
    assert_eq!(again.to_string(), printed);
    if let Ok(other) = other.parse::<Timestamp>() {
        assert_eq!(time.cmp(&other), other.cmp(&time).reverse());
        let same_text = printed == other.to_string();
        assert_eq!(time.cmp_with_text(&other).is_eq(), same_text);
        assert!(time == other || !same_text);
    }
}

/// A bare path, with its tag or digest, becomes attributes. Printed and read again they stay the same.
fn bare_path(text: &str) {
    for role in [Role::Source, Role::Destination] {
        match Attributes::parse(text, role) {
            Ok(attributes) => {
                let printed = attributes.to_string();
                assert_eq!(Attributes::parse(&printed, role).ok().as_ref(), Some(&attributes), "{printed:?}");
                if let Ok(Some(digest)) = attributes.digest("digest") {
                    assert_eq!(attributes.get("digest"), Some(digest.to_string().as_str()));
                }
            }
            Err(error) => assert_one_line(&error),
        }
    }
}
