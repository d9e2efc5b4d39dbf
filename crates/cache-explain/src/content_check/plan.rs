//! What has to be read for the content checks of a build, so that each blob and each file is read once.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cache_keys::{CopyAction, FileActionKind, FileOp, Header, Op, SourceKind, StepOutput, Tree};
use cache_model::Digest;

use crate::content_check::step_results::{StepResults, source_kind};
use crate::copying::{actions_in_order, gives_headers, named_files, to_hash};
use crate::{Build, Cache};

/// The files that translate the names of owners.
const ACCOUNTS: &[&[u8]] = &[b"etc/passwd", b"etc/group"];

/// Larger files of accounts are not kept.
const MOST_ACCOUNTS: u64 = 1 << 20;
/// Larger files that got other permissions are not kept.
const SMALL: u64 = 16 << 10;
/// The most small files that are kept of one layer.
const MOST_KEPT: usize = 8;

/// What the content checks of a build need of a cache and of folders.
#[derive(Clone, Debug, Default)]
pub struct ContentPlan {
    layers: BTreeMap<Digest, PlannedLayer>,
    /// The copies that unpack archives, by the names of the folders that hold them.
    unpacking: BTreeMap<String, Vec<CopyAction>>,
}

#[derive(Clone, Debug, Default)]
struct PlannedLayer {
    /// The copies that made the layer and gave headers to files, of folders that are not at hand: each with whether a client sends its source.
    copies: Vec<(CopyAction, bool)>,
    /// Whether its files get other headers, or are given them by a copy.
    is_changed: bool,
    /// How many small files were kept.
    kept: Arc<AtomicUsize>,
}

impl ContentPlan {
    /// The plan for a build and a cache, of which no layer need be read. `folders` are the names of the folders that are at hand.
    pub fn new(build: &Build, cache: &Cache<'_>, folders: &[&str]) -> Self {
        let results = StepResults::new(build, cache);
        let mut plan = Self::default();
        for (position, step) in build.definition.steps().iter().enumerate() {
            let Op::File(file) = &step.op else { continue };
            for output in build.definition.outputs(position) {
                let at = StepOutput { step: position, output };
                plan.add(build, &results, at, file, folders);
            }
        }
        let stored: HashSet<Digest> = cache.graph().blobs().map(|layer| layer.digest).collect();
        plan.layers.retain(|layer, _| stored.contains(layer));
        plan
    }

    fn add(
        &mut self,
        build: &Build,
        results: &StepResults<'_>,
        at: StepOutput,
        file: &FileOp,
        folders: &[&str],
    ) {
        let Some(step) = build.definition.step(at.step) else { return };
        let actions = actions_in_order(file, at.output, step.inputs.len()).unwrap_or_default();
        let copies = actions.iter().filter_map(|action| match &action.kind {
            FileActionKind::Copy(copy) => Some((copy, *step.inputs.get(action.secondary_input?)?)),
            _ => None,
        });
        let copies: Vec<(&CopyAction, StepOutput)> = copies.collect();
        for result in results.of(at) {
            for layer in &result.chain {
                self.layers.entry(layer.digest).or_default();
            }
            let Some(top) = result.chain.last() else { continue };
            for (copy, _) in &copies {
                self.layers.entry(top.digest).or_default().is_changed |= gives_headers(copy);
            }
        }
        for (copy, source) in copies {
            let folder = local_folder(build, source);
            let is_at_hand = folder.is_some_and(|folder| folders.contains(&folder));
            let changes = gives_headers(copy);
            if let Some(folder) = folder.filter(|_| copy.attempt_unpack) {
                self.unpacking.entry(folder.to_owned()).or_default().push(copy.clone());
            }
            for layer in results.of(source).iter().flat_map(|result| &result.chain) {
                self.layers.entry(layer.digest).or_default().is_changed |= changes;
            }
            for list in build.layers.get(&source).into_iter().flatten() {
                for layer in list {
                    self.layers.entry(layer.digest).or_default().is_changed |= changes;
                }
            }
            if changes && !is_at_hand {
                let kind = source_kind(build, source.step);
                let is_sent = matches!(kind, Some(SourceKind::Local(_) | SourceKind::Http(_)));
                for result in results.of(at) {
                    let Some(top) = result.chain.last() else { continue };
                    self.layers.entry(top.digest).or_default().copies.push((copy.clone(), is_sent));
                }
            }
        }
    }

    /// The blobs of the layers that have to be read as trees.
    pub fn layers(&self) -> impl Iterator<Item = &Digest> {
        self.layers.keys()
    }

    /// Whether a layer has to be read as a tree.
    pub fn has_layer(&self, layer: &Digest) -> bool {
        self.layers.contains_key(layer)
    }

    /// The further headers under which a file of a layer has to be hashed.
    pub fn layer_headers(&self, layer: &Digest, header: &Header, size: u64) -> Vec<Header> {
        let Some(planned) = self.layers.get(layer) else { return Vec::new() };
        let copies: Vec<_> = planned.copies.iter().map(|(copy, is_sent)| (copy, *is_sent)).collect();
        let mut headers = to_hash(&copies, header, size);
        headers.extend(planned.is_changed.then(Self::common_header));
        headers.retain(|wanted| wanted != header);
        headers
    }

    /// The header under which the files of folders have to be hashed, too, so that they can be compared with copies that got other
    /// permissions and owners.
    pub fn common_header() -> Header {
        Header::default()
    }

    /// The paths, without links, of the files of a folder that may be archives: see [`AddedFile`](crate::AddedFile).
    pub fn added_files(&self, folder: &str, tree: &Tree) -> Vec<Vec<u8>> {
        let copies = self.unpacking.get(folder).into_iter().flatten();
        let mut files: Vec<Vec<u8>> = copies.flat_map(|copy| named_files(tree, copy)).collect();
        files.sort();
        files.dedup();
        files
    }

    /// Whether the bytes of a file of a layer have to be kept: those that translate the names of owners, and a small file that got
    /// other permissions.
    pub fn keeps(&self, layer: &Digest, path: &[u8], size: u64) -> bool {
        let is_changed = || self.layers.get(layer).is_some_and(|planned| planned.keeps(size));
        (size <= MOST_ACCOUNTS && ACCOUNTS.contains(&path)) || is_changed()
    }
}

impl PlannedLayer {
    /// A layer with more than a few files is not that of one file.
    fn keeps(&self, size: u64) -> bool {
        !self.copies.is_empty() && size <= SMALL && self.kept.fetch_add(1, Ordering::Relaxed) < MOST_KEPT
    }
}

fn local_folder(build: &Build, source: StepOutput) -> Option<&str> {
    match source_kind(build, source.step)? {
        SourceKind::Local(name) => Some(name),
        _ => None,
    }
}
