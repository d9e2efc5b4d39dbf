//! The content checks of a cache: its layers are read as trees while they are verified, and judged by the record of its build.
//!
//! It decides nothing: `cache-explain` judges.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use cache_explain::{AddedFiles, Cache, ContentChecks, ContentPlan, ContentVerdict, content_checks};
use cache_ingest::{Error, Event};
use cache_inputs::{AlsoHeaders, LayerOptions, TarError, read_added_file, read_tar};
use cache_keys::{LayerError, LayerTree};
use cache_model::{Digest, Graph};
use cache_verify::{LayerDone, LayerReader, LayerTask};

use crate::failure::{Doing, Failure};
use crate::inputs::{Builds, platform_of};
use crate::stores::Stores;

/// Reads the layers that content checks need, in the pass that verifies them.
pub(crate) struct ContentReader {
    plans: Arc<[ContentPlan]>,
    read: Arc<Mutex<ReadLayers>>,
    max_expansion: u64,
}

#[derive(Default)]
struct ReadLayers {
    trees: HashMap<Digest, LayerTree>,
    /// Those that could not be read as layers, and why.
    unreadable: BTreeMap<Digest, TarError>,
}

/// The content checks of one build.
pub(crate) struct BuildChecks {
    /// The platform, if there are several builds.
    pub(crate) platform: Option<String>,
    pub(crate) checks: ContentChecks,
}

impl ContentReader {
    pub(crate) fn new(graph: &Graph<'_>, builds: &Builds, max_expansion: u64) -> Self {
        let no_layers = HashMap::new();
        let cache = Cache::new(graph, &no_layers);
        let names: Vec<&str> = builds.contexts.keys().map(String::as_str).collect();
        let plans = builds.builds.iter().map(|build| ContentPlan::new(build, &cache, &names)).collect();
        Self { plans, read: Arc::default(), max_expansion }
    }

    /// Judges the layers that were read.
    pub(crate) fn checks(
        self,
        stores: &Stores,
        graph: &Graph<'_>,
        builds: &Builds,
    ) -> Result<Vec<BuildChecks>, Failure> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let ReadLayers { trees, unreadable } = std::mem::take(&mut *read);
        for (layer, reason) in &unreadable {
            let message = format!("layer {layer} cannot be read: {reason}; what it holds is not known");
            stores.job.event(&Event::Warning { message: &message });
        }
        let wrong = unreadable.iter().filter(|(_, error)| !is_limit(error)).map(|(layer, _)| layer);
        let cache = Cache::new(graph, &trees);
        let mut checked = Vec::new();
        for ((build, plan), inputs) in builds.builds.iter().zip(&*self.plans).zip(builds.inputs()) {
            let added = added_files(plan, builds)?;
            let inputs =
                added.iter().fold(inputs, |inputs, (name, files)| inputs.with_added_files(name, files));
            let platform = (builds.builds.len() > 1).then(|| platform_of(build).to_string());
            let mut checks = content_checks(&inputs, &cache);
            checks.mark_unreadable(wrong.clone());
            checked.push(BuildChecks { platform, checks });
        }
        Ok(checked)
    }
}

impl LayerReader for ContentReader {
    fn read(&self, layer: &Digest) -> Option<LayerTask> {
        if !self.plans.iter().any(|plan| plan.has_layer(layer)) {
            return None;
        }
        let (layer, read) = (*layer, Arc::clone(&self.read));
        let mut options = LayerOptions::default();
        options.max_expansion = self.max_expansion;
        let plans = Arc::clone(&self.plans);
        options.also = Arc::new(move |_, header, size| {
            plans.iter().flat_map(|plan| plan.layer_headers(&layer, header, size)).collect()
        });
        let plans = Arc::clone(&self.plans);
        options.keeps = Arc::new(move |path, size| plans.iter().any(|plan| plan.keeps(&layer, path, size)));
        Some(Box::new(move |tar: &mut dyn Read| {
            let tree = read_tar(tar, &options);
            Box::new(move || {
                let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
                match tree {
                    Ok(tree) => drop(read.trees.insert(layer, tree)),
                    Err(error) => drop(read.unreadable.insert(layer, error)),
                }
            }) as LayerDone
        }))
    }
}

impl BuildChecks {
    /// Whether no layer is known to hold something else than its key names.
    pub(crate) fn is_sound(&self) -> bool {
        self.flaws() == 0
    }

    /// How many things are wrong.
    pub(crate) fn flaws(&self) -> usize {
        let flaws = self.checks.checks.iter().map(|check| match &check.verdict {
            ContentVerdict::Mismatch { flaws } => flaws.len(),
            _ => 0,
        });
        flaws.sum()
    }

    /// How many steps have this verdict.
    pub(crate) fn count(&self, verdict: &str) -> usize {
        self.checks.checks.iter().filter(|check| check.verdict.name() == verdict).count()
    }
}

/// Whether a layer can be right, and only has more than is read, or cannot be decompressed, which is a finding already.
fn is_limit(error: &TarError) -> bool {
    use LayerError::{TooManyEntries, TooManyNames};
    matches!(
        error,
        TarError::Read(_)
            | TarError::TooLarge { .. }
            | TarError::Layer(TooManyEntries { .. } | TooManyNames { .. })
    )
}

/// Folders are hashed under one more header, so that copies with other permissions and owners can be compared.
pub(crate) fn also_common_header() -> AlsoHeaders {
    Arc::new(|_, _, _| vec![ContentPlan::common_header()])
}

/// Looks at the files of folders that may be archives.
fn added_files(plan: &ContentPlan, builds: &Builds) -> Result<BTreeMap<String, AddedFiles>, Failure> {
    let mut options = LayerOptions::default();
    options.also = also_common_header();
    let mut added = BTreeMap::new();
    for (name, tree) in &builds.contexts {
        let Some(folder) = builds.folders.get(name) else { continue };
        let mut files = AddedFiles::new();
        for path in plan.added_files(name, tree) {
            // A name that is not UTF-8 is no file that can be opened everywhere.
            let Ok(relative) = String::from_utf8(path.clone()) else { continue };
            let file = folder.join(&relative);
            let failed = |cause| Error::io("read", file.display(), cause);
            let opened = File::open(&file).map_err(failed);
            let read = opened.and_then(|opened| read_added_file(opened, &options).map_err(failed));
            files.insert(path, read.doing(|| format!("cannot read {}", file.display()))?);
        }
        added.insert(name.clone(), files);
    }
    Ok(added)
}
