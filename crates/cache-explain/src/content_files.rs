//! Which files differ where the content that a step reads is another one.
//!
//! The files come from folders, from definitions, or from the layers of the copies.

use std::collections::BTreeMap;

use cache_keys::{ContentRule, LayerTree, Op, StepOutput, Tree};
use cache_model::Digest;

use crate::changed_files::{SourceFiles, changed_files};
use crate::copied_files::{CopiedFiles, copied_files};
use crate::keyed_build::KeyedBuild;
use crate::made_tree::made_tree;
use crate::step_layer::StepLayer;
use crate::{FileChange, FileChangeKind, FilesUnknown};

/// An input of a step in one of the two builds, with the record of the step in that build's cache.
#[derive(Clone, Copy)]
pub(crate) struct ReadInput<'s> {
    pub(crate) build: &'s KeyedBuild<'s>,
    /// The folders of that build.
    pub(crate) contexts: &'s BTreeMap<String, &'s Tree>,
    pub(crate) step: usize,
    pub(crate) input: usize,
    pub(crate) layer: Option<StepLayer<'s>>,
    /// The layers below it that copies made, the highest first.
    pub(crate) below: &'s [StepLayer<'s>],
}

/// What came of a comparison.
pub(crate) struct ComparedFiles {
    pub(crate) files: Option<Vec<FileChange>>,
    pub(crate) unknown: Option<FilesUnknown>,
    /// Layers that would have told more.
    pub(crate) wanted: Vec<Digest>,
}

/// Files of one side: a tree, or what a layer has of one.
enum InputFiles<'s> {
    Tree(TreeOf<'s>),
    Layer(&'s LayerTree),
    NotRead(Digest),
    None,
}

/// The files that a step read, from a tree or a layer.
enum ReadFiles<'f> {
    Tree(SourceFiles<'f>),
    Layer(CopiedFiles<'f>),
}

enum TreeOf<'s> {
    Given(&'s Tree),
    Made(Box<Tree>),
}

/// Compares what a step read from an input in two builds.
pub(crate) fn compare_files(old: ReadInput<'_>, new: ReadInput<'_>) -> ComparedFiles {
    let (old_files, new_files) = (old.files(), new.files());
    let mut wanted = Vec::new();
    for files in [&old_files, &new_files] {
        wanted.extend(files.not_read());
    }
    let mut new_side = new.source_files(&new_files, old_files.tree());
    let mut old_side = old.source_files(&old_files, new_files.tree());
    let unknown = match (&old_side, &new_side) {
        (Some(_), Some(_)) => None,
        (None, _) if !old.is_copied() => Some(FilesUnknown::OnlyMounted),
        (None, _) => Some(FilesUnknown::NoOldFiles),
        (_, None) => Some(FilesUnknown::NoNewFiles),
    };
    let (Some(old_side), Some(new_side)) = (&mut old_side, &mut new_side) else {
        return ComparedFiles { files: None, unknown, wanted };
    };
    let mut files = changed_files(old_side.files(), new_side.files());
    if files.iter().any(|file| matches!(file.change, FileChangeKind::Added | FileChangeKind::Removed)) {
        wanted.extend(old_side.add_unchanged(old.below, new_side.files()));
        wanted.extend(new_side.add_unchanged(new.below, old_side.files()));
        let found = changed_files(old_side.files(), new_side.files());
        if found.is_empty() && !wanted.is_empty() {
            return ComparedFiles { files: None, unknown: Some(FilesUnknown::NoOldFiles), wanted };
        }
        // Something differs, so not all of these are unchanged files.
        if !found.is_empty() {
            files = found;
        }
    }
    ComparedFiles { files: Some(files), unknown, wanted }
}

impl<'s> ReadInput<'s> {
    fn files(self) -> InputFiles<'s> {
        let Some(output) = self.output() else { return InputFiles::None };
        let name = self.build.local_name(output.step);
        if let Some(tree) = name.and_then(|name| self.contexts.get(name)) {
            return InputFiles::Tree(TreeOf::Given(tree));
        }
        if let Some(tree) = made_tree(self.build.build(), output) {
            return InputFiles::Tree(TreeOf::Made(Box::new(tree)));
        }
        match self.layer.filter(|_| self.is_copied()) {
            Some(StepLayer { tree: Some(tree), .. }) => InputFiles::Layer(tree),
            Some(layer) => InputFiles::NotRead(layer.digest),
            None => InputFiles::None,
        }
    }

    /// The files that the step read. `other` are all files of the input in the other build.
    fn source_files<'f>(self, files: &'f InputFiles<'f>, other: Option<&Tree>) -> Option<ReadFiles<'f>> {
        match files {
            InputFiles::Tree(tree) => selected_files(tree.tree(), &self.rule()?).map(ReadFiles::Tree),
            InputFiles::Layer(layer) => match &self.build.step(self.step)?.op {
                Op::File(file) => copied_files(file, self.input, layer, other).map(ReadFiles::Layer),
                _ => None,
            },
            InputFiles::NotRead(_) | InputFiles::None => None,
        }
    }

    /// The patterns that leave out files of the folder that the step reads.
    pub(crate) fn excluded(self) -> Option<&'s [String]> {
        let folder = self.output()?.step;
        self.build.local_name(folder)?;
        Some(self.build.build().excluded.get(&folder).map(Vec::as_slice).unwrap_or_default())
    }

    /// Whether the step copies what it reads into its layer.
    fn is_copied(self) -> bool {
        matches!(self.build.step(self.step).map(|step| &step.op), Some(Op::File(_)))
    }

    fn output(self) -> Option<StepOutput> {
        self.build.step(self.step)?.inputs.get(self.input).copied()
    }

    fn rule(self) -> Option<ContentRule> {
        self.build.step(self.step)?.deps().into_iter().nth(self.input)?.content
    }
}

impl<'f> ReadFiles<'f> {
    fn files(&self) -> &SourceFiles<'f> {
        match self {
            Self::Tree(files) => files,
            Self::Layer(copied) => &copied.files,
        }
    }

    /// Adds files that a layer lacks because a layer below has them: see [`CopiedFiles::add_unchanged`].
    fn add_unchanged(&mut self, below: &[StepLayer<'f>], other: &SourceFiles<'_>) -> Vec<Digest> {
        match self {
            Self::Tree(_) => Vec::new(),
            Self::Layer(copied) => copied.add_unchanged(below, other),
        }
    }
}

impl InputFiles<'_> {
    fn tree(&self) -> Option<&Tree> {
        match self {
            Self::Tree(tree) => Some(tree.tree()),
            _ => None,
        }
    }

    fn not_read(&self) -> Option<Digest> {
        match self {
            Self::NotRead(digest) => Some(*digest),
            _ => None,
        }
    }
}

impl TreeOf<'_> {
    fn tree(&self) -> &Tree {
        match self {
            Self::Given(tree) => tree,
            Self::Made(tree) => tree,
        }
    }
}

/// The files that a rule reads of a tree. `None` if the tree lacks a path of the rule.
fn selected_files<'t>(tree: &'t Tree, rule: &ContentRule) -> Option<SourceFiles<'t>> {
    let paths = tree.selected(rule).ok()?.into_iter();
    let entries = paths.filter_map(|path| tree.get(&path).map(|entry| (path, entry))).collect();
    Some(SourceFiles { entries, ..SourceFiles::default() })
}
