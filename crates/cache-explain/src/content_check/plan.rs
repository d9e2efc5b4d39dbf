//! What has to be read for the content checks of a build, so that each blob and each file is read once.

use std::collections::{BTreeMap, BTreeSet};

use cache_keys::{CopyAction, FileActionKind, FileOp, Header, Op, SourceKind, StepOutput};
use cache_model::Digest;

use crate::content_check::step_results::{StepResults, source_kind};
use crate::copying::{actions_in_order, gives_headers, to_hash};
use crate::{Build, Cache};

/// The files that translate the names of owners.
const ACCOUNTS: &[&[u8]] = &[b"etc/passwd", b"etc/group"];
/// Larger files of accounts are not kept.
const MOST_ACCOUNTS: u64 = 1 << 20;

/// What the content checks of a build need of a cache and of folders.
#[derive(Clone, Debug, Default)]
pub struct ContentPlan {
    layers: BTreeMap<Digest, PlannedLayer>,
    /// The folders of which some files are copied with other permissions or owners.
    changed_folders: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
struct PlannedLayer {
    /// The copies that made the layer and gave headers to files, of folders that are not at hand: each with whether a client sends its source.
    copies: Vec<(CopyAction, bool)>,
    /// Whether its files get other headers, or are given them by a copy.
    is_changed: bool,
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
            if let (Some(folder), true) = (folder, changes) {
                self.changed_folders.insert(folder.to_owned());
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
        headers.extend(planned.is_changed.then(Header::default));
        headers.retain(|wanted| wanted != header);
        headers
    }

    /// The further headers under which a file of a folder has to be hashed.
    pub fn folder_headers(&self, folder: &str, header: &Header) -> Vec<Header> {
        let is_wanted = self.changed_folders.contains(folder) && *header != Header::default();
        is_wanted.then(Header::default).into_iter().collect()
    }

    /// Whether the bytes of a file of a layer have to be kept.
    pub fn keeps(&self, path: &[u8], size: u64) -> bool {
        size <= MOST_ACCOUNTS && ACCOUNTS.contains(&path)
    }
}

fn local_folder(build: &Build, source: StepOutput) -> Option<&str> {
    match source_kind(build, source.step)? {
        SourceKind::Local(name) => Some(name),
        _ => None,
    }
}
