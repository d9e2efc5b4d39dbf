//! The content of a document that leads to no cache, and what a user can do about it.
//!
//! One line each, the same for every reader.

use std::fmt;

use cache_model::{Digest, MediaType, OneLine, count, grouped};

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
    /// A document, before anything below it is known.
    pub fn of(document: &ManifestOrIndex) -> Self {
        let content = match document {
            ManifestOrIndex::Manifest(manifest) => {
                manifest.artifact_type().map_or(ForeignContent::Image, ForeignContent::Artifact)
            }
            ManifestOrIndex::Index(_) => ForeignContent::EmptyIndex,
        };
        Self { content, missing: Vec::new(), unusable: None, is_cut: false }
    }

    /// Counts an image below an index. An index with an image is one of images.
    pub fn add_image(&mut self) {
        match &mut self.content {
            ForeignContent::ImageIndex(images) => *images += 1,
            index @ (ForeignContent::EmptyIndex | ForeignContent::ArtifactIndex(..)) => {
                *index = ForeignContent::ImageIndex(1);
            }
            ForeignContent::Image | ForeignContent::Artifact(_) => {}
        }
    }

    /// Counts an artifact below an index.
    pub fn add_artifact(&mut self, artifact_type: MediaType) {
        match &mut self.content {
            ForeignContent::ArtifactIndex(artifacts, _) => *artifacts += 1,
            index @ ForeignContent::EmptyIndex => *index = ForeignContent::ArtifactIndex(1, artifact_type),
            ForeignContent::Image | ForeignContent::Artifact(_) | ForeignContent::ImageIndex(_) => {}
        }
    }

    /// Notes why an image has no cache. An image that was built without one has no defect.
    pub fn add_reason(&mut self, reason: NoInlineCache) {
        if reason != NoInlineCache::NoField {
            self.unusable = Some(reason);
        }
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
                more => write!(f, " and {} more", grouped(more as u64))?,
            }
        }
        if self.is_cut {
            let limit = count(ManifestQueue::LIMIT as u64, "manifest");
            write!(f, "; it leads to more than {limit}, and the others are not read")?;
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
            Self::ImageIndex(images) => write!(f, "an index of {}", count(*images as u64, "image")),
            Self::Artifact(of) => write!(f, "{} ({})", noun(of), OneLine(of)),
            Self::ArtifactIndex(1, of) => write!(f, "an index of {} ({})", noun(of), OneLine(of)),
            Self::ArtifactIndex(artifacts, of) => {
                write!(f, "an index of {} ({})", count(*artifacts as u64, "artifact"), OneLine(of))
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
        let below = |document: &ManifestOrIndex, images: usize, artifacts: &[&MediaType]| {
            let mut found = NotACache::of(document);
            artifacts.iter().for_each(|of| found.add_artifact((*of).clone()));
            (0..images).for_each(|_| found.add_image());
            found
        };
        let image = below(&manifest(&MediaType::OCI_IMAGE_CONFIG), 1, &[]);
        for (no_cache, line) in [
            (image.clone(), "it is an image, not a cache"),
            (
                below(&manifest(&chart), 0, &[&chart]),
                "it is a Helm chart (application/vnd.cncf.helm.config.v1+json), not a cache",
            ),
            (below(&manifest(&other), 0, &[&other]), r"it is an artifact (application/x\n), not a cache"),
            (below(&index, 0, &[]), "it is an index without manifests, not a cache"),
            (below(&index, 1, &[]), "it is an index of an image, not a cache"),
            (below(&index, 2, &[&other]), "it is an index of 2 images, not a cache"),
            (
                below(&index, 0, &[&chart]),
                "it is an index of a Helm chart (application/vnd.cncf.helm.config.v1+json), not a cache",
            ),
            (
                below(&index, 0, &[&chart, &other]),
                "it is an index of 2 artifacts (application/vnd.cncf.helm.config.v1+json), not a cache",
            ),
        ] {
            assert_eq!(no_cache.to_string(), line);
            assert_eq!(no_cache.advice().contains("type=inline"), line.contains("image"), "{line}");
        }
        let mut unusable = image.clone();
        unusable.add_reason(NoInlineCache::NoField);
        assert_eq!(unusable, image);
        unusable.add_reason(NoInlineCache::LayerCount { layers: 1, diff_ids: 2 });
        assert_eq!(unusable.advice(), "build and push the image again");
        let missing = (0..5).map(|n| Digest::sha256([n; 32])).collect();
        let cut = NotACache { missing, is_cut: true, ..image };
        assert!(
            cut.to_string()
                .ends_with(" and 2 more; it leads to more than 1,000 manifests, and the others are not read")
        );
        assert!(cut.advice().starts_with("copy the image again"));
    }
}
