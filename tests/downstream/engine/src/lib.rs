//! A build engine in small. It solves steps with an index of a cache's keys, runs those that are not cached, exports what it
//! knows, and imports it on another machine.
//!
//! A step's definition is a text, and what it makes is a layer of that text.

use std::collections::HashMap;
use std::sync::Arc;

use cache_export::{Exported, Exporter, resolve_exporter};
use cache_import::open;
use cache_ingest::{Job, MemoryStore, MultiProvider, Provider};
use cache_keys::{CacheKeys, KeyLink, StepMatch};
use cache_model::{
    CacheChains, Descriptor, Digest, Link, MediaType, NewResult, RecordDigest, RecordId, Timestamp,
};
use cache_target::{Attributes, Role, Targets};

/// Why a build, an import or an export failed.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A step: its definition, and its inputs as positions of earlier steps, each with what it reads of that.
#[derive(Clone, Debug)]
pub struct Step {
    /// The definition.
    pub definition: String,
    /// The inputs.
    pub inputs: Vec<(usize, String)>,
}

impl Step {
    /// A step of a definition and its inputs.
    pub fn new(definition: &str, inputs: &[(usize, &str)]) -> Self {
        let inputs = inputs.iter().map(|(step, reads)| (*step, (*reads).to_owned())).collect();
        Self { definition: definition.to_owned(), inputs }
    }

    fn key(&self) -> Digest {
        Digest::of(self.definition.as_bytes())
    }
}

/// What a build did.
#[derive(Debug)]
pub struct Built {
    /// The records to export.
    pub chains: CacheChains,
    /// The definitions of the steps that ran.
    pub ran: Vec<String>,
    /// The layers of each step.
    pub layers: Vec<Vec<Descriptor>>,
}

/// The engine: the layers that it made, and the caches that it imported.
pub struct Engine {
    targets: Targets,
    made: MemoryStore,
    imported: Vec<(Arc<dyn Provider>, Vec<Digest>)>,
    keys: CacheKeys,
}

/// A step that was solved: its record in the cache to export, and what the imported cache has of it.
struct Solved<'k> {
    record: RecordId,
    found: StepMatch<'k>,
}

impl Engine {
    /// An engine without a cache, which knows local folders.
    pub fn new() -> Result<Self, Error> {
        let keys = CacheKeys::new(CacheChains::new())?;
        Ok(Self { targets: Targets::with_local(), made: MemoryStore::new(), imported: Vec::new(), keys })
    }

    /// Imports a cache, as `--cache-from` says.
    pub async fn cache_from(&mut self, target: &str) -> Result<(), Error> {
        let opened = self.targets.open(target, Role::Source).await?;
        let job = Job::default();
        let cache = open(&*opened.store, &opened.name, &job).await?;
        let chains = cache.import(&*opened.store, &job).await?.into_chains()?;
        let mut all = self.keys.graph().chains().clone();
        all.unite(&chains)?;
        self.imported.push((opened.store, chains.blobs().map(|blob| blob.digest).collect()));
        self.keys = CacheKeys::new(all)?;
        Ok(())
    }

    /// Builds steps, each after its inputs.
    pub fn build(&self, steps: &[Step]) -> Result<Built, Error> {
        let mut built = Built { chains: CacheChains::new(), ran: Vec::new(), layers: Vec::new() };
        let mut solved: HashMap<usize, Solved<'_>> = HashMap::new();
        for (position, step) in steps.iter().enumerate() {
            let mut questions: Vec<Vec<KeyLink<'_>>> = Vec::new();
            let mut links: Vec<[Link<'_>; 1]> = Vec::new();
            for (input, reads) in &step.inputs {
                let input = solved.get(input).ok_or("an input has to be an earlier step")?;
                questions.push(input.found.links(reads));
                links.push([Link::new(input.record, reads)]);
            }
            let questions: Vec<&[KeyLink<'_>]> = questions.iter().map(Vec::as_slice).collect();
            let found = self.keys.find(step.key(), 0, &questions);
            let (layers, created_at) = match found.results().next() {
                Some(result) => (result.layers().into_iter().cloned().collect(), result.created_at()),
                None => {
                    built.ran.push(step.definition.clone());
                    (vec![self.run(step)], Timestamp::now())
                }
            };
            let result = NewResult::new(built.chains.layers(&layers)?, created_at);
            let links: Vec<&[Link<'_>]> = links.iter().map(<[_; 1]>::as_slice).collect();
            let record = built.chains.add(&RecordDigest::of_output(step.key(), 0), &links, &[result])?;
            built.layers.push(layers);
            solved.insert(position, Solved { record: record.ok_or("no key of a step is random")?, found });
        }
        Ok(built)
    }

    /// Exports what a build knows, as `--cache-to` says.
    pub async fn cache_to(&self, built: &Built, target: &str) -> Result<Exported, Error> {
        let made: Arc<dyn Provider> = Arc::new(self.made.clone());
        let mut provider = MultiProvider::new([made]);
        for (store, blobs) in &self.imported {
            provider.add(store.clone(), blobs.iter().copied());
        }
        let attributes = Attributes::parse(target, Role::Destination)?;
        let exporter = resolve_exporter(&self.targets, &attributes, Arc::new(provider)).await?;
        Ok(exporter.finalize(&built.chains, &Job::default()).await?)
    }

    /// Runs a step: its layer is its definition.
    fn run(&self, step: &Step) -> Descriptor {
        self.made.insert(MediaType::OCI_LAYER_TAR, step.definition.clone())
    }
}
