//! Sources of a build: what they name, and their keys once it is known what they resolve to (BuildKit: `source`).

use std::collections::BTreeMap;

use cache_model::{Digest, Platform};

use crate::go_path::base;
use crate::ops::hashed::{Object, Value};
use crate::ops::platform::with_platform;

/// Fetches an image, a repository, a file or a local folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceOp {
    /// What is fetched, with a scheme: `docker-image://example.com/app:1@sha256:…`, `local://context`.
    pub identifier: String,
    /// Attributes by name: `git.keepgitdir`, `local.excludepatterns`.
    pub attributes: BTreeMap<String, String>,
}

/// A source by its scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceKind<'a> {
    /// An image in a registry or in an OCI layout.
    Image(ImageSource<'a>),
    /// A repository.
    Git(GitSource<'a>),
    /// A file behind a URL.
    Http(HttpSource<'a>),
    /// A folder that the client sends, by its name: `context` is that of the build. It has no key.
    Local(&'a str),
    /// Another scheme.
    Other,
}

/// An image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSource<'a> {
    /// The reference, perhaps with a digest.
    pub reference: &'a str,
    op: &'a SourceOp,
}

/// A repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GitSource<'a> {
    /// Where the repository is.
    pub remote: &'a str,
    /// The branch, tag or commit; empty for the default branch.
    pub reference: &'a str,
    /// The folder in the repository; empty for the whole.
    pub subdir: &'a str,
    op: &'a SourceOp,
}

/// A file behind a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpSource<'a> {
    /// The URL.
    pub url: &'a str,
    op: &'a SourceOp,
}

/// What a server has answered for a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpFacts<'a> {
    /// The SHA-256 digest of the file.
    pub checksum: Digest,
    /// The name that `Content-Disposition` gives.
    pub filename: Option<&'a str>,
    /// `Last-Modified` as `Mon, 02 Jan 2006 15:04:05 GMT`, if the server has sent it.
    pub last_modified: Option<&'a str>,
}

impl SourceOp {
    /// What the source is, by the scheme of its identifier.
    pub fn kind(&self) -> SourceKind<'_> {
        let Some((scheme, rest)) = self.identifier.split_once("://") else { return SourceKind::Other };
        match scheme {
            "docker-image" | "oci-layout" => SourceKind::Image(ImageSource { reference: rest, op: self }),
            "git" => SourceKind::Git(GitSource::new(rest, self)),
            "http" | "https" => SourceKind::Http(HttpSource { url: &self.identifier, op: self }),
            "local" => SourceKind::Local(rest),
            _ => SourceKind::Other,
        }
    }

    fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map(String::as_str).unwrap_or_default()
    }

    fn is_set(&self, name: &str) -> bool {
        self.attribute(name) == "true"
    }
}

impl ImageSource<'_> {
    /// The digest that the reference names.
    pub fn digest(&self) -> Option<Digest> {
        self.reference.rsplit_once('@')?.1.parse().ok()
    }

    /// The key of the manifest or index that the reference resolves to; of an index that of the index itself.
    pub fn manifest_key(&self, digest: &Digest, platform: &Platform) -> Digest {
        let object = with_platform(Object::default().with("Digest", &digest.to_string()), platform);
        let limits = ["image.layerlimit", "oci.layerlimit"].map(|name| self.op.attribute(name));
        let limit = limits.iter().find_map(|limit| limit.parse::<i64>().ok()).unwrap_or_default();
        source_key(&hashed(object.with_set("Limit", limit)))
    }

    /// The key of the layers, by the diff IDs in the image's config: the same for all images with these layers. An
    /// image without layers has none.
    pub fn layers_key(diff_ids: &[Digest]) -> Option<Digest> {
        let (first, rest) = diff_ids.split_first()?;
        let chain = rest.iter().fold(*first, |chain, id| Digest::of(format!("{chain} {id}")));
        Some(Self::chain_key(&chain))
    }

    /// The key of layers by their chain id: that of the lowest layer is its diff ID; every other is the SHA-256 of the chain id
    /// below, a space and the layer's diff ID (OCI image spec, `config.md`).
    pub fn chain_key(chain: &Digest) -> Digest {
        source_key(&chain.to_string())
    }
}

impl<'a> GitSource<'a> {
    fn new(rest: &'a str, op: &'a SourceOp) -> Self {
        let (remote, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (reference, subdir) = fragment.split_once(':').unwrap_or((fragment, ""));
        Self { remote, reference, subdir, op }
    }

    /// The keys that the source can have at a commit. It is one, unless the repository's own folder is kept: then the key has the
    /// full name of the reference, and whether that is a branch or a tag is not in the identifier. A source with a bundle has none that
    /// is known; neither has the kept folder of a default branch.
    ///
    /// `commit` is the commit's id; of a kept folder and an annotated tag that of the tag.
    pub fn keys(&self, commit: &str) -> Vec<Digest> {
        // It is not known how bundles count.
        if ["git.bundle", "git.checkoutbundle"].iter().any(|name| !self.op.attribute(name).is_empty()) {
            return Vec::new();
        }
        let mut options = String::new();
        if !self.subdir.is_empty() {
            options = format!(":{}", self.subdir);
        }
        if self.op.is_set("git.skipsubmodules") {
            options.push_str("(skip-submodules)");
        }
        let mtime = self.op.attribute("git.mtime");
        if !mtime.is_empty() && mtime != "checkout" {
            options.push_str(&format!("(mtime={mtime})"));
        }
        if !self.op.is_set("git.keepgitdir") {
            return vec![source_key(&format!("{commit}{options}"))];
        }
        let names = self.full_names(commit);
        names.iter().map(|name| source_key(&format!("{commit}.git#{name}{options}"))).collect()
    }

    fn full_names(&self, commit: &str) -> Vec<String> {
        match self.reference {
            reference if reference == commit || reference.starts_with("refs/") => vec![reference.to_owned()],
            // The name of the default branch is nowhere.
            "" => Vec::new(),
            reference => vec![format!("refs/heads/{reference}"), format!("refs/tags/{reference}")],
        }
    }
}

impl HttpSource<'_> {
    /// The key of the file that the server has sent.
    pub fn key(&self, facts: &HttpFacts<'_>) -> Digest {
        let named = Some(self.op.attribute("http.filename")).filter(|name| !name.is_empty());
        let filename = named.or(facts.filename).map_or_else(|| name_in_url(self.url), str::to_owned);
        let is_pinned = !self.op.attribute("http.checksum").is_empty();
        let last_modified = facts.last_modified.filter(|_| !is_pinned).unwrap_or_default();
        let header = [("Accept", "http.header.accept"), ("User-Agent", "http.header.user-agent")];
        let header = header.map(|(name, attribute)| (name, self.op.attribute(attribute)));
        let header = header.iter().filter(|(_, value)| !value.is_empty());
        let header = header.map(|(name, value)| Object::default().with("Name", *name).with("Value", *value));
        let object = Object::default()
            .with("Filename", &filename)
            .with("Perm", number(self.op.attribute("http.perm")))
            .with("UID", number(self.op.attribute("http.uid")))
            .with("GID", number(self.op.attribute("http.gid")))
            .with("Checksum", &facts.checksum.to_string())
            .with_set("LastModTime", last_modified)
            .with_set("AuthHeaderSecret", self.op.attribute("http.authheadersecret"))
            .with_set("Header", Value::list(header));
        source_key(&hashed(object))
    }
}

/// The digest of a source with this key.
fn source_key(key: &str) -> Digest {
    Digest::of(format!("buildkit.source.v0:{key}"))
}

fn hashed(object: Object) -> String {
    Digest::of(Value::from(object).json()).to_string()
}

/// A number as Go reads it with a base of its prefix: `0600` and `0o600` are octal. What is no number is 0.
fn number(text: &str) -> i64 {
    match text.strip_prefix("0o").or_else(|| text.strip_prefix('0')) {
        Some(octal) => i64::from_str_radix(octal, 8).unwrap_or_default(),
        None => text.parse().unwrap_or_default(),
    }
}

/// The name of a file that has none but its URL: the last part of the path (BuildKit: `source/http`).
fn name_in_url(url: &str) -> String {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once('/').map_or("", |(_, path)| path);
    let Some(path) = percent_decoded(path) else { return "download".to_owned() };
    match base(&path) {
        "." | "/" => "download".to_owned(),
        name => name.to_owned(),
    }
}

/// The text with each `%` and its two digits replaced; `None` if it is no text then.
fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut decoded = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
        decoded.push(u8::from_str_radix(digits, 16).ok()?);
        decoded.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(decoded).ok()
}
