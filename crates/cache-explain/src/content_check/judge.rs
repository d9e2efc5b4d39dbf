//! The verdict on one result of a step that changes files.

use std::ops::Deref;
use std::rc::Rc;

use cache_keys::{FileActionKind, FileOp, LayerTree, SourceKind, Step, StepOutput, Tree};
use cache_model::{Descriptor, RecordDigest};

use crate::content_check::chain_trees::ChainTrees;
use crate::content_check::chains::ChainCheck;
use crate::content_check::check::{ContentFlaw, ContentVerdict, FlawKind, mismatch, unknown};
use crate::content_check::compare::Comparison;
use crate::content_check::step_results::{StepBase, StepResult, StepResults, source_kind};
use crate::contents::local_name;
use crate::copying::{
    Accounts, ActionSource, CannotCarryOut, CopiedInput, CopiedLayer, Lost, actions_in_order, carry_out,
    found_sources,
};
use crate::made_tree::made_tree;
use crate::slots::Slot;
use crate::{BuildInputs, Cache};

/// Judges results.
pub(crate) struct Judge<'j, 'a> {
    pub(crate) inputs: &'j BuildInputs<'j>,
    pub(crate) cache: &'j Cache<'a>,
    pub(crate) results: &'j StepResults<'a>,
    pub(crate) trees: ChainTrees<'a>,
}

/// A result that is judged.
pub(crate) struct JudgedResult<'j, 'a> {
    pub(crate) step: &'j Step,
    pub(crate) file: &'j FileOp,
    pub(crate) output: usize,
    pub(crate) slots: Vec<Slot>,
    pub(crate) result: &'j StepResult<'a>,
}

/// What is at hand of an input from which a step copies.
#[derive(Default)]
struct SourceAtHand<'j> {
    /// Trees that can be the input's.
    trees: Vec<TreeAtHand<'j>>,
    /// Whether a tree has the content that the key names, or follows from the build's definition.
    is_sure: bool,
    /// Whether the cache has a result of the input, whose files are others than those that the key names.
    is_other: bool,
}

/// A tree that was given, or made of layers.
enum TreeAtHand<'j> {
    Given(&'j Tree),
    Made(Rc<Tree>),
}

impl Deref for TreeAtHand<'_> {
    type Target = Tree;

    fn deref(&self) -> &Tree {
        match self {
            Self::Given(tree) => tree,
            Self::Made(tree) => tree,
        }
    }
}

impl<'j, 'a> Judge<'j, 'a> {
    pub(crate) fn verdict(&mut self, judged: &JudgedResult<'_, 'a>) -> ContentVerdict {
        let Some((top, below)) = judged.result.chain.split_last() else {
            return unknown("it has no layer");
        };
        let base = StepBase::of(judged.step, judged.output);
        let chains = ChainCheck { build: self.inputs.build, results: self.results };
        let chain = chains.of_step(base, judged.result, &judged.slots, below, &mut self.trees);
        if matches!(chain, ContentVerdict::Mismatch { .. }) {
            return chain;
        }
        let layer = match (self.trees.layer(top), self.trees.tree(below)) {
            (Ok(layer), Ok(tree)) => self.layer_verdict(judged, base, layer, below, &tree),
            (Err(reason), _) | (_, Err(reason)) => unknown(reason),
        };
        layer.worse(chain)
    }

    fn layer_verdict(
        &mut self,
        judged: &JudgedResult<'_, 'a>,
        base: StepBase,
        layer: &LayerTree,
        below: &[&'a Descriptor],
        tree: &Rc<Tree>,
    ) -> ContentVerdict {
        let accounts = self.trees.accounts(below, tree);
        let mut at_hand = Vec::new();
        for input in 0..judged.slots.len() {
            at_hand.push(self.source(judged, base, input, tree));
        }
        match self.forward(judged, layer, tree, accounts, &at_hand) {
            Ok(verdict) => verdict,
            Err(error) => self.backward(judged, layer, tree, accounts, &at_hand, &error),
        }
    }

    /// Carries out the step on the sources, and compares.
    fn forward(
        &self,
        judged: &JudgedResult<'_, 'a>,
        layer: &LayerTree,
        below: &Tree,
        accounts: Option<Accounts<'_>>,
        at_hand: &[SourceAtHand<'_>],
    ) -> Result<ContentVerdict, CannotCarryOut> {
        let tries = at_hand.iter().filter(|source| source.is_sure).map(|source| source.trees.len()).max();
        let mut verdict = None;
        for n in 0..tries.unwrap_or(1) {
            let sources: Vec<Option<ActionSource<'_>>> = at_hand
                .iter()
                .zip(&judged.slots)
                .map(|(source, slot)| {
                    let tree = source.trees.get(n).or(source.trees.first()).filter(|_| source.is_sure)?;
                    let added =
                        local_name(self.inputs, slot.input).and_then(|name| self.inputs.added.get(name));
                    let (is_sent, added) = (self.is_sent(slot.input), added.copied());
                    Some(ActionSource { tree, is_sent, added })
                })
                .collect();
            let written = carry_out(judged.file, judged.output, below.clone(), &sources, accounts)?;
            let found = of_comparison(Comparison::of(layer, below, &written));
            if found == ContentVerdict::Sound {
                return Ok(found);
            }
            verdict = verdict.or(Some(found));
        }
        Ok(verdict.unwrap_or(ContentVerdict::Sound))
    }

    /// Finds the sources from the layer, and compares their contents.
    fn backward(
        &self,
        judged: &JudgedResult<'_, 'a>,
        layer: &LayerTree,
        below: &Tree,
        accounts: Option<Accounts<'_>>,
        at_hand: &[SourceAtHand<'_>],
        error: &CannotCarryOut,
    ) -> ContentVerdict {
        let inputs: Vec<CopiedInput> = judged
            .slots
            .iter()
            .zip(at_hand)
            .enumerate()
            .map(|(n, (slot, source))| {
                let contents = match (&slot.content, source.is_sure) {
                    (Some(rule), true) => {
                        source.trees.iter().filter_map(|tree| tree.content(rule).ok()).collect()
                    }
                    _ => self.contents(judged, n),
                };
                CopiedInput { is_sent: self.is_sent(slot.input), rule: slot.content.clone(), contents }
            })
            .collect();
        let copied =
            CopiedLayer { op: judged.file, output: judged.output, layer, below, accounts, inputs: &inputs };
        let Ok(found) = found_sources(&copied) else { return unknown(error.to_string()) };
        if !found.comparison.flaws.is_empty() {
            return of_comparison(found.comparison);
        }
        if found.is_proven {
            return match at_hand.iter().any(|source| source.is_other) {
                true => {
                    unknown("the cache has other files of the step from which it copies than its key names")
                }
                false => ContentVerdict::Sound,
            };
        }
        if *error != CannotCarryOut::NoSource {
            return unknown(error.to_string());
        }
        match found.lost.first() {
            Some(lost) => unknown(lost.reason()),
            None => mismatch(self.destinations(judged, below)),
        }
    }

    /// What is at hand of an input.
    fn source(
        &mut self,
        judged: &JudgedResult<'_, 'a>,
        base: StepBase,
        input: usize,
        below: &Rc<Tree>,
    ) -> SourceAtHand<'j> {
        let Some(slot) = judged.slots.get(input) else { return SourceAtHand::default() };
        if base == StepBase::Input(input) {
            return SourceAtHand {
                trees: vec![TreeAtHand::Made(Rc::clone(below))],
                is_sure: true,
                is_other: false,
            };
        }
        if let Some(made) = made_tree(self.inputs.build, slot.input) {
            return SourceAtHand {
                trees: vec![TreeAtHand::Made(Rc::new(made))],
                is_sure: true,
                is_other: false,
            };
        }
        let (trees, is_stage) = match local_name(self.inputs, slot.input) {
            Some(name) => {
                let tree = self.inputs.contexts.get(name);
                (tree.map(|tree| TreeAtHand::Given(tree)).into_iter().collect(), false)
            }
            None => {
                (self.layered(judged, input, slot), source_kind(self.inputs.build, slot.input.step).is_none())
            }
        };
        let Some(rule) = &slot.content else {
            return SourceAtHand { trees, is_sure: false, is_other: false };
        };
        let contents = self.contents(judged, input);
        let found = trees.len();
        let named: Vec<TreeAtHand<'j>> = trees
            .into_iter()
            .filter(|tree| tree.content(rule).is_ok_and(|content| contents.contains(&content)))
            .collect();
        let is_sure = !named.is_empty();
        SourceAtHand { trees: named, is_sure, is_other: is_stage && found > 0 && !is_sure }
    }

    /// The trees of an input whose files are in layers of the cache.
    fn layered(&mut self, judged: &JudgedResult<'_, 'a>, input: usize, slot: &Slot) -> Vec<TreeAtHand<'j>> {
        let sources = self.results.sources(judged.result.record, input, slot);
        let results = self.results.of(slot.input);
        let linked = results.iter().filter(|result| sources.is_empty() || sources.contains(&result.record));
        let chains: Vec<Vec<&'a Descriptor>> = linked.map(|result| result.chain.clone()).collect();
        let mut trees: Vec<Rc<Tree>> =
            chains.iter().filter_map(|chain| self.trees.tree(chain).ok()).collect();
        if trees.is_empty() {
            trees.extend(self.image_chain(slot.input).and_then(|chain| self.trees.tree(&chain).ok()));
        }
        trees.into_iter().map(TreeAtHand::Made).collect()
    }

    /// The layers of an image, if the cache has all of them.
    fn image_chain(&self, image: StepOutput) -> Option<Vec<&'a Descriptor>> {
        let lists = self.inputs.build.layers.get(&image)?;
        let graph = self.cache.graph();
        let find = |wanted: &Descriptor| graph.blobs().find(|layer| layer.digest == wanted.digest);
        lists.iter().find_map(|list| list.iter().map(find).collect::<Option<Vec<_>>>())
    }

    /// The contents that the links of a slot name.
    fn contents(&self, judged: &JudgedResult<'_, 'a>, input: usize) -> Vec<RecordDigest> {
        let Some(slot) = judged.slots.get(input) else { return Vec::new() };
        let links = judged.result.record.inputs().nth(input).into_iter().flatten();
        links.filter(|link| slot.is_content(*link)).map(|link| link.source.digest().clone()).collect()
    }

    /// Whether an input is sent by a client or downloaded, so that root owns all of it.
    fn is_sent(&self, input: StepOutput) -> bool {
        matches!(source_kind(self.inputs.build, input.step), Some(SourceKind::Local(_) | SourceKind::Http(_)))
    }

    /// The paths to which a step copies.
    fn destinations(&self, judged: &JudgedResult<'_, 'a>, below: &Tree) -> Vec<ContentFlaw> {
        let actions = actions_in_order(judged.file, judged.output, judged.slots.len()).unwrap_or_default();
        let dests = actions.iter().filter_map(|action| match &action.kind {
            FileActionKind::Copy(copy) => crate::copying::through_links(below, copy.dest.as_bytes()),
            _ => None,
        });
        let mut flaws: Vec<_> = dests.map(|path| ContentFlaw { path, kind: FlawKind::Changed }).collect();
        flaws.sort();
        flaws.dedup();
        flaws
    }
}

impl Lost {
    /// Why something is not known, as a part of a sentence.
    fn reason(self) -> &'static str {
        match self {
            Self::Names => "a folder that a wildcard matches leaves no name in the layer",
            Self::Archive => "the files of an archive that was unpacked do not tell what the archive was",
            Self::Overlap => "its sources went into one folder, and which file came from which is lost",
            Self::Modes => "the permissions of its source are lost",
            Self::Owners => "the owners of its source are lost",
            Self::Unchanged => "files that a layer below has already are in no layer twice",
        }
    }
}

fn of_comparison(comparison: Comparison) -> ContentVerdict {
    if !comparison.flaws.is_empty() {
        return mismatch(comparison.flaws);
    }
    match comparison.undecided.first() {
        None => ContentVerdict::Sound,
        Some(path) => {
            unknown(format!("the bytes of {} could not be compared", cache_keys::TreePath(path.clone())))
        }
    }
}
