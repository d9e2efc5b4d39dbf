//! The way through manifests and configs, down to the layers to check.
//!
//! It never reads a layer.

use std::collections::HashSet;

use bytes::Bytes;
use cache_format::{
    CacheManifest, Form, ImageManifest, InlineOutcome, ManifestOrIndex, ManifestQueue, NotACache,
    decode_config, read_inline,
};
use cache_model::{CacheConfig, Descriptor, Digest};

use crate::blob::BlobChecker;
use crate::cache_findings::CacheFindings;
use crate::graph::{self, GraphChecks};
use crate::metadata::above_import_limit;
use crate::{Finding, FindingKind, Place, Severity};

/// The manifests, configs and caches that were met so far.
pub(crate) struct MetadataWalk<'a> {
    checker: BlobChecker<'a>,
    pub(crate) sections: Vec<CacheFindings>,
    pub(crate) form: Option<Form>,
    pub(crate) caches: u64,
    pub(crate) records: u64,
    pub(crate) manifests: HashSet<Digest>,
    pub(crate) configs: HashSet<Digest>,
    pub(crate) bytes: u64,
}

/// A search for images below a document.
struct ImageSearch {
    queue: ManifestQueue,
    /// What the document is if no cache is found.
    found: NotACache,
}

fn manifest(descriptor: &Descriptor) -> Place {
    Place::Manifest { digest: descriptor.digest }
}

impl<'a> MetadataWalk<'a> {
    pub(crate) fn new(checker: BlobChecker<'a>) -> Self {
        Self {
            checker,
            sections: Vec::new(),
            form: None,
            caches: 0,
            records: 0,
            manifests: HashSet::new(),
            configs: HashSet::new(),
            bytes: 0,
        }
    }

    /// Counts a manifest that was read.
    pub(crate) fn count_manifest(&mut self, descriptor: &Descriptor, bytes: &Bytes) {
        self.manifests.insert(descriptor.digest);
        self.count_bytes(bytes.len() as u64);
    }

    pub(crate) fn count_bytes(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Adds a finding about a manifest that leads no further.
    pub(crate) fn manifest_finding(&mut self, descriptor: &Descriptor, kind: FindingKind) {
        let mut section = CacheFindings::default();
        section.metadata(manifest(descriptor), kind);
        self.sections.push(section);
    }

    async fn read_config_bytes(&mut self, descriptor: &Descriptor) -> Result<Bytes, FindingKind> {
        let bytes = self.checker.metadata_or_finding(descriptor).await?;
        self.configs.insert(descriptor.digest);
        self.count_bytes(bytes.len() as u64);
        Ok(bytes)
    }

    async fn read_config(&mut self, descriptor: &Descriptor) -> Result<CacheConfig, FindingKind> {
        let bytes = self.read_config_bytes(descriptor).await?;
        decode_config(&bytes).map_err(|error| FindingKind::ConfigUnreadable { error })
    }

    async fn read_inline(&mut self, image: &ImageManifest) -> Result<InlineOutcome, FindingKind> {
        let bytes = self.read_config_bytes(&image.config).await?;
        read_inline(image, &bytes).map_err(|error| FindingKind::ConfigUnreadable { error })
    }

    /// A cache with a manifest of its own.
    pub(crate) async fn cache(&mut self, subject: &Descriptor, cache: CacheManifest) {
        self.form = Some(cache.form);
        self.caches += 1;
        let mut section = CacheFindings { layers: cache.layers, ..CacheFindings::default() };
        let place = Place::Config { digest: cache.config.digest };
        match self.read_config(&cache.config).await {
            Err(kind) => section.metadata(place.clone(), kind),
            Ok(config) => {
                self.records += config.records_len() as u64;
                graph::check(&mut section, &place, &config, GraphChecks::OfConfig);
                graph::check_layer_list(&mut section, manifest(subject), &config);
                section.config = Some(config);
            }
        }
        for (place, descriptor) in [(manifest(subject), subject), (place, &cache.config)] {
            if let Some(kind) = above_import_limit(descriptor) {
                section.metadata(place, kind);
            }
        }
        // The sort is stable: findings about one place stay in the order of the checks.
        section.about_metadata.sort_by_key(|finding| finding.place != manifest(subject));
        self.sections.push(section);
    }

    /// An image, or an index that leads to images.
    ///
    /// # Errors
    /// What it is instead of a cache, if it leads to none and nothing below it is damaged.
    pub(crate) async fn images(
        &mut self,
        subject: &Descriptor,
        document: ManifestOrIndex,
    ) -> Result<(), NotACache> {
        let mut search = ImageSearch { queue: ManifestQueue::new(subject), found: NotACache::of(&document) };
        self.enter(subject, &document, &mut search).await;
        while let Some(descriptor) = search.queue.next() {
            match self.read_manifest(&descriptor).await {
                Ok(document) => self.enter(&descriptor, &document, &mut search).await,
                Err(kind) => {
                    if kind == FindingKind::MissingManifest {
                        search.found.add_image();
                        search.found.missing.push(descriptor.digest);
                    }
                    self.manifest_finding(&descriptor, kind);
                }
            }
        }
        // BuildKit has no limit for the manifests below it, nor for the configs of images.
        if let Some(kind) = above_import_limit(subject).filter(|_| self.caches > 0) {
            self.manifest_finding(subject, kind);
        }
        // A document that could not be read may lead to a cache.
        let found = self.sections.iter().flat_map(|section| &section.about_metadata);
        let is_known = found.map(Finding::severity).all(|severity| severity != Severity::Error);
        if self.caches > 0 || !is_known { Ok(()) } else { Err(search.found) }
    }

    async fn enter(&mut self, descriptor: &Descriptor, document: &ManifestOrIndex, search: &mut ImageSearch) {
        match document {
            ManifestOrIndex::Manifest(image) => self.image(descriptor, image, &mut search.found).await,
            ManifestOrIndex::Index(index) => {
                if !search.queue.enter(index) {
                    search.found.is_cut = true;
                    let limit = ManifestQueue::LIMIT;
                    self.manifest_finding(descriptor, FindingKind::TooManyManifests { limit });
                }
            }
        }
    }

    async fn read_manifest(&mut self, descriptor: &Descriptor) -> Result<ManifestOrIndex, FindingKind> {
        let bytes = self.checker.metadata_or_finding(descriptor).await.map_err(|kind| match kind {
            FindingKind::MissingBlob => FindingKind::MissingManifest,
            other => other,
        })?;
        self.count_manifest(descriptor, &bytes);
        ManifestOrIndex::decode(&bytes).map_err(|error| FindingKind::ManifestUnreadable { error })
    }

    async fn image(&mut self, descriptor: &Descriptor, image: &ImageManifest, found: &mut NotACache) {
        if let Some(artifact_type) = image.artifact_type() {
            found.add_artifact(artifact_type);
            return;
        }
        found.add_image();
        let mut section = CacheFindings { image: Some(descriptor.digest), ..CacheFindings::default() };
        let place = Place::Config { digest: image.config.digest };
        match self.read_inline(image).await {
            Err(kind) => section.metadata(place, kind),
            Ok(InlineOutcome::Absent(reason)) => {
                found.add_reason(reason);
                section.image = None;
                section.metadata(manifest(descriptor), FindingKind::SkippedImage { reason });
            }
            Ok(InlineOutcome::Cache(cache)) => {
                self.form = Some(Form::Inline);
                self.caches += 1;
                self.records += cache.config.records_len() as u64;
                section.layers = cache.layers;
                graph::check(&mut section, &place, &cache.config, GraphChecks::OfInline);
                let (steps, layers) = (cache.layer_steps, section.layers.len());
                if steps < layers {
                    section.metadata(place, FindingKind::HistoryTooShort { steps, layers });
                }
                section.config = Some(cache.config);
            }
        }
        self.sections.push(section);
    }
}
