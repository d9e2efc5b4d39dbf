//! The content of a document that leads to no cache, and what a user can do about it.
//!
//! One line each, the same for every reader.

use std::fmt;

use cache_model::{Digest, MediaType, OneLine};

use crate::{ManifestOrIndex, ManifestQueue, NoInlineCache};

/// The most missing documents that a line names.
const NAMED: usize = 3;

/// Why a document is not a cache, and leads to none. Displays as `it is an image, not a cache`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotACache {
    /// What it is.
    pub content: ForeignContent,
    /// The manifests and image configs below it that are missing, so that a cache in them is not found.
    pub missing: Vec<Digest>,
    /// Why the cache inside of an image cannot be used.
    pub unusable: Option<NoInlineCache>,
    /// Whether it leads to more manifests than are read ([`ManifestQueue::LIMIT`]).
    pub is_cut: bool,
}

/// The content of a document that is not a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForeignContent {
    /// An image.
    Image,
    /// An index of this many images.
    ImageIndex(usize),
    /// An artifact of this type.
    Artifact(MediaType),
    /// An index of this many artifacts, the first of which has this type.
    ArtifactIndex(usize, MediaType),
    /// An index without manifests.
    EmptyIndex,
}

impl NotACache {
    /// A document that leads to this many images, and to artifacts of these types.
    pub fn new(document: &ManifestOrIndex, images: usize, artifacts: &[MediaType]) -> Self {
        let content = match (document, images, artifacts) {
            (ManifestOrIndex::Manifest(manifest), ..) => {
                manifest.artifact_type().map_or(ForeignContent::Image, ForeignContent::Artifact)
            }
            (ManifestOrIndex::Index(_), 0, []) => ForeignContent::EmptyIndex,
            (ManifestOrIndex::Index(_), 0, [first, ..]) => {
                ForeignContent::ArtifactIndex(artifacts.len(), first.clone())
            }
            (ManifestOrIndex::Index(_), images, _) => ForeignContent::ImageIndex(images),
        };
        Self { content, missing: Vec::new(), unusable: None, is_cut: false }
    }

    /// With the manifests and image configs that are missing.
    #[must_use]
    pub fn with_missing(self, missing: Vec<Digest>) -> Self {
        Self { missing, ..self }
    }

    /// With the reason why the cache inside of an image cannot be used.
    #[must_use]
    pub fn with_unusable(self, unusable: Option<NoInlineCache>) -> Self {
        Self { unusable, ..self }
    }

    /// Says whether it leads to more manifests than are read.
    #[must_use]
    pub fn with_cut(self, is_cut: bool) -> Self {
        Self { is_cut, ..self }
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match &self.content {
            _ if !self.missing.is_empty() => "copy the image again, with all of its platforms",
            _ if self.unusable.is_some() => "build and push the image again",
            ForeignContent::Image | ForeignContent::ImageIndex(_) => {
                "an image has a cache inside if it is built with --cache-to type=inline"
            }
            _ => "check the tag; `bkcache ls` lists the tags and what each is",
        }
    }
}

impl fmt::Display for NotACache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is {}, not a cache", self.content)?;
        if let Some(reason) = self.unusable {
            write!(f, ": {reason}")?;
        }
        if !self.missing.is_empty() {
            let named: Vec<String> = self.missing.iter().take(NAMED).map(Digest::to_string).collect();
            write!(f, "; missing: {}", named.join(", "))?;
            match self.missing.len().saturating_sub(NAMED) {
                0 => {}
                more => write!(f, " and {more} more")?,
            }
        }
        if self.is_cut {
            let limit = ManifestQueue::LIMIT;
            write!(f, "; it leads to more than {limit} manifests, and the others are not read")?;
        }
        Ok(())
    }
}

impl std::error::Error for NotACache {}

/// With an article, as in `an index of 2 images`. A type is escaped.
impl fmt::Display for ForeignContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image => f.write_str("an image"),
            Self::ImageIndex(1) => f.write_str("an index of an image"),
            Self::ImageIndex(images) => write!(f, "an index of {images} images"),
            Self::Artifact(of) => write!(f, "{} ({})", noun(of), OneLine(of)),
            Self::ArtifactIndex(1, of) => write!(f, "an index of {} ({})", noun(of), OneLine(of)),
            Self::ArtifactIndex(artifacts, of) => {
                write!(f, "an index of {artifacts} artifacts ({})", OneLine(of))
            }
            Self::EmptyIndex => f.write_str("an index without manifests"),
        }
    }
}

/// The name of an artifact that users meet often.
fn noun(artifact_type: &MediaType) -> &'static str {
    match artifact_type.as_str() {
        "application/vnd.cncf.helm.config.v1+json" => "a Helm chart",
        "application/vnd.dev.cosign.simplesigning.v1+json" => "a signature",
        "application/vnd.in-toto+json"
        | "application/vnd.dsse.envelope.v1+json"
        | "application/vnd.docker.attestation.manifest.v1+json" => "an attestation",
        _ => "an artifact",
    }
}

#[cfg(test)]
mod tests {
    use cache_model::Descriptor;

    use super::*;
    use crate::{ImageIndex, ImageManifest};

    #[test]
    fn each_content_has_its_words_and_its_advice() {
        let chart = MediaType::new("application/vnd.cncf.helm.config.v1+json");
        let other = MediaType::new("application/x\n");
        let manifest = |config: &MediaType| {
            ManifestOrIndex::Manifest(ImageManifest::new(Descriptor::of(config.clone(), "{}"), vec![]))
        };
        let index = ManifestOrIndex::Index(ImageIndex::new(vec![]));
        let image = NotACache::new(&manifest(&MediaType::OCI_IMAGE_CONFIG), 1, &[]);
        for (no_cache, line) in [
            (image.clone(), "it is an image, not a cache"),
            (
                NotACache::new(&manifest(&chart), 0, std::slice::from_ref(&chart)),
                "it is a Helm chart (application/vnd.cncf.helm.config.v1+json), not a cache",
            ),
            (
                NotACache::new(&manifest(&other), 0, std::slice::from_ref(&other)),
                r"it is an artifact (application/x\n), not a cache",
            ),
            (NotACache::new(&index, 0, &[]), "it is an index without manifests, not a cache"),
            (NotACache::new(&index, 1, &[]), "it is an index of an image, not a cache"),
            (
                NotACache::new(&index, 2, std::slice::from_ref(&other)),
                "it is an index of 2 images, not a cache",
            ),
            (
                NotACache::new(&index, 0, std::slice::from_ref(&chart)),
                "it is an index of a Helm chart (application/vnd.cncf.helm.config.v1+json), not a cache",
            ),
            (
                NotACache::new(&index, 0, &[chart.clone(), other]),
                "it is an index of 2 artifacts (application/vnd.cncf.helm.config.v1+json), not a cache",
            ),
        ] {
            assert_eq!(no_cache.to_string(), line);
            assert_eq!(no_cache.advice().contains("type=inline"), line.contains("image"), "{line}");
        }
        let unusable = image.clone().with_unusable(Some(NoInlineCache::NoField));
        assert_eq!(unusable.advice(), "build and push the image again");
        let cut = image.with_missing((0..5).map(|n| Digest::sha256([n; 32])).collect()).with_cut(true);
        assert!(
            cut.to_string()
                .ends_with(" and 2 more; it leads to more than 1000 manifests, and the others are not read")
        );
        assert!(cut.advice().starts_with("copy the image again"));
    }
}
