//! References as Docker reads them: host, repository, tag and digest, in their normal form.
//!
//! The grammar and the defaults are those of github.com/distribution/reference. No registry is contacted here.

use std::fmt;
use std::str::FromStr;

use cache_ingest::Name;
use cache_model::Digest;

use crate::host::{DOCKER_HUB, Host};

/// The longest path of a repository, in bytes.
const LONGEST_PATH: usize = 255;
/// The longest tag, in bytes.
const LONGEST_TAG: usize = 128;

/// A repository of a registry, as in `registry.example.com:5000/team/app`. It holds blobs and manifests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Repository {
    host: String,
    path: String,
}

impl Repository {
    /// The host in lower case, with its port if one was given: `docker.io`, `[::1]:5000`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path within the registry, as in `library/app`.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

impl FromStr for Repository {
    type Err = ReferenceError;

    /// Reads a reference without tag and digest.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (rest, tag, digest) = split(text)?;
        if tag.is_some() || digest.is_some() {
            return Err(error(text, "a repository has no tag and no digest"));
        }
        parse_repository(text, rest)
    }
}

/// The user's name of a manifest in a registry: a repository, and a tag or a digest or both.
///
/// ```
/// use cache_target::Reference;
/// let reference: Reference = "user/app".parse()?;
/// assert_eq!(reference.to_string(), "docker.io/user/app:latest");
/// let reference: Reference = "[::1]:5000/app:main".parse()?;
/// assert_eq!((reference.repository().host(), reference.tag()), ("[::1]:5000", Some("main")));
/// # Ok::<(), cache_target::ReferenceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    repository: Repository,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag; `latest` if neither tag nor digest was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one was given.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Whether a text is a tag: a letter, a digit or `_`, then up to 127 of these, `.` and `-`.
    pub fn is_tag(text: &str) -> bool {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        text.starts_with(word)
            && text.len() <= LONGEST_TAG
            && text.chars().all(|c| word(c) || c == '.' || c == '-')
    }

    /// The name within the repository: the digest if one was given, else the tag.
    pub fn name(&self) -> Name {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Name::Digest(*digest),
            (None, Some(tag)) => Name::Tag(tag.clone()),
            (None, None) => Name::Unspecified,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (rest, tag, digest) = split(text)?;
        let repository = parse_repository(text, rest)?;
        let tag = match (tag, digest) {
            (Some(tag), _) => Some(tag.to_owned()),
            (None, Some(_)) => None,
            (None, None) => Some(Name::LATEST.to_owned()),
        };
        Ok(Self { repository, tag, digest })
    }
}

/// The reason why a text is no reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a reference: {reason}")]
pub struct ReferenceError {
    text: String,
    reason: String,
}

fn error(text: &str, reason: impl fmt::Display) -> ReferenceError {
    ReferenceError { text: text.to_owned(), reason: reason.to_string() }
}

/// Splits a reference into the text before tag and digest, the tag, and the digest.
fn split(text: &str) -> Result<(&str, Option<&str>, Option<Digest>), ReferenceError> {
    if text.contains("://") {
        return Err(error(text, "leave out the scheme, as in registry.example.com/app"));
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => {
            let wrong = |cause| error(text, format_args!("after @: {cause}"));
            (rest, Some(digest.parse().map_err(wrong)?))
        }
        None => (text, None),
    };
    // A colon before the last slash belongs to a port.
    let (rest, tag) = match rest.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => (before, Some(tag)),
        _ => (rest, None),
    };
    match tag {
        Some(tag) if tag.len() > LONGEST_TAG => {
            Err(error(text, format_args!("its tag is longer than {LONGEST_TAG} characters")))
        }
        Some(tag) if !Reference::is_tag(tag) => Err(error(
            text,
            format_args!(
                "the tag {tag:?} may have only letters, digits, '_', '.' and '-', and begins with none of the last two"
            ),
        )),
        _ => Ok((rest, tag, digest)),
    }
}

fn parse_repository(text: &str, rest: &str) -> Result<Repository, ReferenceError> {
    let (host, path) = match rest.split_once('/') {
        Some((host, path)) if Host::split(host).is_recognizable() => (host.to_ascii_lowercase(), path),
        _ => (DOCKER_HUB.to_owned(), rest),
    };
    let parts = Host::split(&host);
    parts.check().map_err(|reason| error(text, reason))?;
    let host = if parts.is_docker_hub() { DOCKER_HUB.to_owned() } else { host };
    check_path(text, path)?;
    let is_official = host == DOCKER_HUB && !path.contains('/');
    let path = if is_official { format!("library/{path}") } else { path.to_owned() };
    if path.len() > LONGEST_PATH {
        return Err(error(text, format_args!("its repository is longer than {LONGEST_PATH} characters")));
    }
    Ok(Repository { host, path })
}

fn check_path(text: &str, path: &str) -> Result<(), ReferenceError> {
    if path.is_empty() {
        return Err(error(text, "it names no repository"));
    }
    if path.contains(|c: char| c.is_uppercase()) {
        let lower = path.to_lowercase();
        return Err(error(text, format_args!("a repository has no upper-case letters; try {lower:?}")));
    }
    if path.len() == 64 && path.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(error(text, "64 hexadecimal digits are an identifier; write a digest as app@sha256:…"));
    }
    match path.split('/').find(|part| !is_component(part)) {
        None => Ok(()),
        Some("") => Err(error(text, "its repository has an empty part")),
        Some(part) => Err(error(
            text,
            format_args!(
                "{part:?} in its repository may have only lower-case letters and digits, separated by '.', '_', '__' or '-'s"
            ),
        )),
    }
}

/// Whether a text is a component of a path: runs of `a-z0-9`, separated by `.`, `_`, `__` or any number of `-`.
fn is_component(part: &str) -> bool {
    let run = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators = |text: &str| text.split(run).filter(|s| !s.is_empty()).all(is_separator);
    part.starts_with(run) && part.ends_with(run) && separators(part)
}

fn is_separator(text: &str) -> bool {
    matches!(text, "." | "_" | "__") || text.bytes().all(|byte| byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn references_have_the_normal_form_that_docker_gives_them() {
        let cases = [
            ("app", "docker.io/library/app:latest"),
            ("app:v1", "docker.io/library/app:v1"),
            ("user/app", "docker.io/user/app:latest"),
            ("docker.io/app", "docker.io/library/app:latest"),
            ("index.docker.io/app", "docker.io/library/app:latest"),
            ("index.docker.io/user/app", "docker.io/user/app:latest"),
            ("a/b/c", "docker.io/a/b/c:latest"),
            ("localhost/x", "localhost/x:latest"),
            ("localhost:5000/x", "localhost:5000/x:latest"),
            ("[::1]:5000/x", "[::1]:5000/x:latest"),
            ("[::1]/x:y", "[::1]/x:y"),
            ("127.0.0.1:5000/a/b:c", "127.0.0.1:5000/a/b:c"),
            ("ghcr.io/org/app_a__b--c.d:X.y-z_1", "ghcr.io/org/app_a__b--c.d:X.y-z_1"),
            ("Registry.Example.Com/app", "registry.example.com/app:latest"),
            ("localhost:5000", "docker.io/library/localhost:5000"),
        ];
        for (text, normal) in cases {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), normal, "{text}");
            assert_eq!(normal.parse::<Reference>().unwrap(), reference, "{text}");
        }
    }

    #[test]
    fn a_digest_is_the_name_and_stands_for_itself() {
        let reference: Reference = format!("app@{DIGEST}").parse().unwrap();
        assert_eq!(reference.to_string(), format!("docker.io/library/app@{DIGEST}"));
        assert_eq!((reference.tag(), reference.name()), (None, Name::Digest(DIGEST.parse().unwrap())));
        let reference: Reference = format!("localhost:1/app:v1@{DIGEST}").parse().unwrap();
        assert_eq!(reference.to_string(), format!("localhost:1/app:v1@{DIGEST}"));
        assert_eq!((reference.tag(), reference.name()), (Some("v1"), Name::Digest(DIGEST.parse().unwrap())));
    }

    #[test]
    fn a_malformed_reference_is_refused_with_its_reason_and_place() {
        let long_tag = format!("app:{}", "t".repeat(129));
        let long_path = format!("localhost/{}", "p".repeat(256));
        let id = "0123456789abcdef".repeat(4);
        let cases = [
            ("", "it names no repository"),
            ("localhost/", "it names no repository"),
            ("user/App", "a repository has no upper-case letters; try \"user/app\""),
            ("User/app", "a repository has no upper-case letters; try \"user/app\""),
            ("APP", "a repository has no upper-case letters; try \"app\""),
            ("https://ghcr.io/app", "leave out the scheme, as in registry.example.com/app"),
            ("app:", "the tag \"\" may have only"),
            ("app:-x", "the tag \"-x\" may have only"),
            ("app:ä", "the tag \"ä\" may have only"),
            (&long_tag, "its tag is longer than 128 characters"),
            (&long_path, "its repository is longer than 255 characters"),
            (&id, "64 hexadecimal digits are an identifier"),
            ("a//b", "its repository has an empty part"),
            ("a/b/", "its repository has an empty part"),
            ("a/-b", "\"-b\" in its repository"),
            ("a/b___c", "\"b___c\" in its repository"),
            ("a/b._c", "\"b._c\" in its repository"),
            ("a/ä", "\"ä\" in its repository"),
            ("[::1:5000/x", "the host lacks a closing bracket"),
            ("[xyz:]/x", "\"xyz:\" is not an IPv6 address"),
            ("a..b/x", "\"a..b\" is not the name of a host"),
            ("-a.b/x", "\"-a.b\" is not the name of a host"),
            ("a_b.c/x", "\"a_b.c\" is not the name of a host"),
            ("localhost:0/x", "\":0\" is not a port"),
            ("localhost:+1/x", "\":+1\" is not a port"),
            ("localhost:99999/x", "\":99999\" is not a port"),
            ("app@sha256:12", "after @: "),
            ("app\n", "\"app\\n\" in its repository"),
        ];
        for (text, reason) in cases {
            let message = text.parse::<Reference>().unwrap_err().to_string();
            assert!(message.starts_with(&format!("{text:?} is not a reference: {reason}")), "{message}");
        }
    }

    #[test]
    fn a_repository_has_neither_tag_nor_digest() {
        assert_eq!("app".parse::<Repository>().unwrap().to_string(), "docker.io/library/app");
        assert!("app:v1".parse::<Repository>().is_err());
    }
}
