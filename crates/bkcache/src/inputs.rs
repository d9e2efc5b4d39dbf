//! What explains caches, read as the options name it: builds from their records, their folders, and layers as trees.
//!
//! Every command that explains a cache reads it here. What is made of it is for the commands to say.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use cache_compress::read_concurrency;
use cache_explain::{Build, BuildInputs};
use cache_ingest::{Error, ErrorKind, Event, Provider, Source, Step, Stored};
use cache_inputs::{
    AlsoHeaders, ContextOptions, IgnoreFile, LayerOptions, LayerReadError, attached_builds, read_builds,
    read_context, read_layer_tree,
};
use cache_keys::{LayerTree, Op, SourceKind, Tree, normalized};
use cache_model::{Descriptor, Digest, Platform};
use futures_util::{StreamExt, stream};

use crate::cli::{BuildArgs, ContextFolder};
use crate::failure::{Doing, Failure};
use crate::open::open_source;
use crate::stores::Stores;

/// The name in a build of the folder that its command names.
pub(crate) const MAIN_CONTEXT: &str = "context";

/// Builds, and the folders that they read.
#[derive(Default)]
pub(crate) struct Builds {
    /// In the order of the records.
    pub(crate) builds: Vec<Build>,
    /// By the names that the builds have for them.
    pub(crate) contexts: BTreeMap<String, Tree>,
    /// Where they are, by the same names.
    pub(crate) folders: BTreeMap<String, PathBuf>,
}

/// Layers that were read as trees, by the digests of their blobs.
#[derive(Default)]
pub(crate) struct LayerTrees {
    pub(crate) trees: HashMap<Digest, LayerTree>,
    /// Those that could not be read, which was reported.
    unreadable: HashSet<Digest>,
}

impl Builds {
    /// Reads the builds and the folders that the options name: none without options. `also` gives further headers under
    /// which the files of a folder are hashed.
    pub(crate) async fn read(stores: &Stores, args: &BuildArgs, also: &AlsoHeaders) -> Result<Self, Failure> {
        Self::read_like(stores, args, also, &Self::default()).await
    }

    /// The same, where builds that are not named are like others.
    pub(crate) async fn read_like(
        stores: &Stores,
        args: &BuildArgs,
        also: &AlsoHeaders,
        others: &Self,
    ) -> Result<Self, Failure> {
        let builds = read_records(stores, &args.records, args.platform.as_ref()).await?;
        let readers = if builds.is_empty() { &others.builds } else { &builds };
        let (mut contexts, mut folders) = (BTreeMap::new(), BTreeMap::new());
        for folder in &args.contexts {
            let name = local_name(readers, &folder.name);
            folders.insert(name.clone(), folder.folder.clone());
            let mut options = context_options(readers, folder, &name, args);
            options.also = also.clone();
            contexts.insert(name, read_folder(stores, folder, options).await?);
        }
        Ok(Self { builds, contexts, folders })
    }

    /// Keeps only the builds for a platform, if there are any.
    pub(crate) fn prefer(&mut self, platform: Option<&Platform>) {
        let Some(platform) = platform else { return };
        let fits = |build: &Build| is_for(build, platform);
        if self.builds.iter().any(fits) {
            self.builds.retain(fits);
        }
    }

    /// Each build with the folders.
    pub(crate) fn inputs(&self) -> Vec<BuildInputs<'_>> {
        let with_contexts = |build| {
            let mut inputs = BuildInputs::new(build);
            inputs.contexts = self.trees();
            inputs
        };
        self.builds.iter().map(with_contexts).collect()
    }

    /// The folders by their names.
    pub(crate) fn trees(&self) -> BTreeMap<String, &Tree> {
        self.contexts.iter().map(|(name, tree)| (name.clone(), tree)).collect()
    }

    /// The names of the folders that the builds read and that are not at hand.
    pub(crate) fn missing_contexts(&self) -> BTreeSet<&str> {
        let names = self.builds.iter().flat_map(local_sources).map(|(name, _)| name);
        names.filter(|name| !self.contexts.contains_key(*name)).collect()
    }
}

impl LayerTrees {
    /// Reads those of these blobs that are wanted and were not read yet. One that cannot be read is a warning, since what it
    /// holds is then unknown. Says whether any was read.
    pub(crate) async fn read<'b>(
        &mut self,
        stores: &Stores,
        (provider, blobs): (&dyn Provider, impl Iterator<Item = &'b Descriptor>),
        wanted: impl IntoIterator<Item = &Digest>,
        options: &LayerOptions,
    ) -> bool {
        let is_new =
            |digest: &&Digest| !self.trees.contains_key(*digest) && !self.unreadable.contains(*digest);
        let wanted: HashSet<&Digest> = wanted.into_iter().filter(is_new).collect();
        let mut layers: Vec<&Descriptor> = blobs.filter(|blob| wanted.contains(&blob.digest)).collect();
        layers.sort_by_key(|layer| layer.digest);
        layers.dedup_by_key(|layer| layer.digest);
        if layers.is_empty() {
            return false;
        }
        let bytes = layers.iter().fold(0u64, |sum, layer| sum.saturating_add(layer.size));
        stores.job.event(&Event::Planned { blobs: layers.len() as u64, bytes });
        let mut reads = stream::iter(layers)
            .map(|layer| async { (layer.digest, read_layer(stores, provider, layer, options).await) })
            .buffer_unordered(read_concurrency(&stores.job));
        let mut has_read = false;
        while let Some((digest, read)) = reads.next().await {
            match read {
                Ok(tree) => {
                    self.trees.insert(digest, tree);
                    has_read = true;
                }
                Err(error) => {
                    let message = format!("{error}; what it holds is not known");
                    stores.job.event(&Event::Warning { message: &message });
                    self.unreadable.insert(digest);
                }
            }
        }
        has_read
    }
}

/// The platform for which a build was made.
pub(crate) fn platform_of(build: &Build) -> &Platform {
    build.target.as_ref().unwrap_or(&build.platform)
}

/// Whether a build was made for a platform, whatever name that has.
fn is_for(build: &Build, platform: &Platform) -> bool {
    normalized(platform_of(build)) == normalized(platform)
}

/// Reads the builds of some records; with a platform, those for it.
async fn read_records(
    stores: &Stores,
    records: &[String],
    platform: Option<&Platform>,
) -> Result<Vec<Build>, Failure> {
    let mut builds = Vec::new();
    for record in records {
        builds.extend(read_record(stores, record).await?);
    }
    let Some(platform) = platform.filter(|_| !builds.is_empty()) else { return Ok(builds) };
    let (fitting, others): (Vec<Build>, Vec<Build>) =
        builds.into_iter().partition(|build| is_for(build, platform));
    if fitting.is_empty() {
        let others: BTreeSet<String> = others.iter().map(|build| platform_of(build).to_string()).collect();
        let others: Vec<String> = others.into_iter().collect();
        return Err(Failure::Usage(format!(
            "--platform {platform}: the record {} is of {}",
            records.join(", "),
            others.join(", ")
        )));
    }
    Ok(fitting)
}

/// Reads the builds of a record: a file, or an image that has it as an attestation.
async fn read_record(stores: &Stores, record: &str) -> Result<Vec<Build>, Failure> {
    let doing = || format!("cannot read the record {record}");
    stores.job.event(&Event::Importing { what: "build record", from: record });
    if !is_a_file(record) {
        let target = open_source(stores, record).await?;
        let resolved = target.store.resolve(&target.name).await.doing(doing)?;
        return attached_builds(&*target.store, &resolved, &stores.job).await.doing(doing);
    }
    let bytes = read_file(Path::new(record), stores.job.max_metadata).doing(doing)?;
    read_builds(&bytes).doing(doing)
}

/// Those of some records that are images, in the form of sources that are opened.
pub(crate) fn images_of(records: &[String]) -> impl Iterator<Item = &str> {
    records.iter().map(String::as_str).filter(|record| !is_a_file(record))
}

fn is_a_file(record: &str) -> bool {
    Path::new(record).is_file()
}

/// Reads a file whole, unless it has more bytes than metadata may have.
fn read_file(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let failed = |cause| Error::io("read", path.display(), cause);
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > most {
        return Err(Error::above_metadata_limit("read", path.display(), Some(size), most));
    }
    std::fs::read(path).map_err(failed)
}

/// The name that a build has for a folder. A client may send a named context under another name.
fn local_name(builds: &[Build], name: &str) -> String {
    let argument = format!("context:{name}");
    let local = builds.iter().find_map(|build| build.arguments.get(&argument)?.strip_prefix("local:"));
    local.unwrap_or(name).to_owned()
}

/// The local folders that a build reads, with their attributes.
fn local_sources(build: &Build) -> impl Iterator<Item = (&str, &BTreeMap<String, String>)> {
    build.definition.steps().iter().filter_map(|step| match &step.op {
        Op::Source(source) => match source.kind() {
            SourceKind::Local(name) => Some((name, &source.attributes)),
            _ => None,
        },
        _ => None,
    })
}

/// What of a folder a client sends: what the ignore file of now leaves, or for a build without a Dockerfile what its record
/// says.
fn context_options(builds: &[Build], folder: &ContextFolder, name: &str, args: &BuildArgs) -> ContextOptions {
    let mut options = ContextOptions::default();
    let dockerfile =
        builds.iter().flat_map(|build| &build.sources).find(|source| is_dockerfile(&source.language));
    let mut sources = builds.iter().flat_map(local_sources).filter(|(local, _)| *local == name);
    options.ignore = match (&args.ignore_file, dockerfile) {
        _ if name != MAIN_CONTEXT => IgnoreFile::InFolder,
        (Some(file), _) => IgnoreFile::Given(file.clone()),
        (None, Some(dockerfile)) => {
            IgnoreFile::OfDockerfile(folder.folder.join(PathBuf::from(&dockerfile.filename)))
        }
        (None, None) if builds.is_empty() => IgnoreFile::InFolder,
        (None, None) => IgnoreFile::Absent,
    };
    if options.ignore == IgnoreFile::Absent
        && let Some((_, attributes)) = sources.next()
    {
        options.include = patterns(attributes, "local.includepattern");
        options.exclude = patterns(attributes, "local.excludepatterns");
    }
    options
}

fn is_dockerfile(language: &str) -> bool {
    language.eq_ignore_ascii_case("Dockerfile")
}

/// A list of patterns of a local source, which is JSON.
fn patterns(attributes: &BTreeMap<String, String>, name: &str) -> Vec<String> {
    attributes.get(name).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Reads a folder on another thread, since hashing it may take long.
async fn read_folder(
    stores: &Stores,
    folder: &ContextFolder,
    options: ContextOptions,
) -> Result<Tree, Failure> {
    let (path, progress) = (folder.folder.clone(), stores.job.progress.clone());
    let read = tokio::task::spawn_blocking(move || read_context(&path, &options, &*progress)).await;
    let doing = || format!("cannot read the context {}", folder.folder.display());
    match read {
        Ok(read) => read.doing(doing),
        Err(cause) => Err(Error::new(ErrorKind::Other, "read", folder.folder.display(), cause)).doing(doing),
    }
}

/// Reads a layer as a tree, and reports the progress.
pub(crate) async fn read_layer(
    stores: &Stores,
    provider: &dyn Provider,
    layer: &Descriptor,
    options: &LayerOptions,
) -> Result<LayerTree, LayerReadError> {
    let begun = stores.job.begin(Step::ReadLayer, layer);
    let source = Source::new(provider, layer.clone(), &stores.job);
    match read_layer_tree(&source, options).await {
        Ok(read) => {
            begun.finish(Stored::AlreadyPresent);
            Ok(read.tree)
        }
        Err(error) => {
            match &error {
                LayerReadError::Store(error) => begun.fail(error),
                other => begun.fail(&Error::new(ErrorKind::Corrupt, "read", layer.digest, other)),
            }
            Err(error)
        }
    }
}
