//! What explains a build with known truth, read as the program reads it: its record, its contexts and the layers of its cache.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cache_explain::{Build, BuildInputs};
use cache_ingest::Source;
use cache_inputs::{
    AlsoHeaders, ContextOptions, IgnoreFile, LayerOptions, read_builds, read_context, read_layer_tree,
};
use cache_keys::{Header, LayerTree, Tree};
use cache_model::Digest;

use crate::why::WhyCase;

/// A build with everything that explains it.
pub struct WhyInputs {
    /// The builds of its record, one for each platform.
    pub builds: Vec<Build>,
    /// The contexts, by the names that the builds have for them.
    pub contexts: BTreeMap<String, Tree>,
    /// All layers of its cache, by the digests of their blobs.
    pub layers: HashMap<Digest, LayerTree>,
}

impl WhyInputs {
    /// Reads all that a build has.
    pub fn read(case: &WhyCase) -> Self {
        let none: AlsoHeaders = Arc::new(|_: &[u8], _: &Header, _| Vec::new());
        Self::read_also(case, &none)
    }

    /// Reads all that a build has. Files are hashed under further headers, too.
    pub fn read_also(case: &WhyCase, also: &AlsoHeaders) -> Self {
        let builds = read_builds(&case.provenance()).unwrap();
        let contexts = case.contexts().into_iter().map(|(name, folder)| {
            let mut options = ContextOptions::default();
            options.also = also.clone();
            if name == "context" {
                options.ignore = IgnoreFile::OfDockerfile(case.folder.join("Dockerfile"));
            }
            (name, read_context(&folder, &options, &()).unwrap())
        });
        let mut options = LayerOptions::default();
        options.also = also.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let chains = case.chains();
        let layers = chains.blobs().map(|layer| {
            let source = Source::from_bytes(layer.clone(), case.blob(&layer.digest));
            let read = runtime.block_on(read_layer_tree(&source, &options)).unwrap();
            (layer.digest, read.tree)
        });
        Self { builds, contexts: contexts.collect(), layers: layers.collect() }
    }

    /// The builds with their contexts.
    pub fn with_contexts(&self) -> Vec<BuildInputs<'_>> {
        let with_contexts = |build| {
            let contexts = self.contexts.iter();
            contexts.fold(BuildInputs::new(build), |inputs, (name, tree)| inputs.with_context(name, tree))
        };
        self.builds.iter().map(with_contexts).collect()
    }

    /// The builds alone.
    pub fn without_contexts(&self) -> Vec<BuildInputs<'_>> {
        self.builds.iter().map(BuildInputs::new).collect()
    }
}
