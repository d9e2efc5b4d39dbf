//! The files of inputs as trees, and the contents that rules select from them.

use std::collections::HashMap;
use std::rc::Rc;

use cache_keys::{ContentRule, ContentSelector, LayerTree, Op, SourceKind, StepOutput, Tree};
use cache_model::{Digest, RecordDigest};

use crate::BuildInputs;
use crate::made_tree::made_tree;

/// How many contents are computed that need a walk over a whole tree, or a tree that is laid together anew. Real builds need a few
/// hundred; the bound is for records that were made to be slow.
const MOST_WALKS: usize = 5_000;

/// The contents of a build's inputs. Each is computed once.
pub(crate) struct Contents<'a> {
    inputs: &'a BuildInputs<'a>,
    /// Trees that follow from definitions.
    made: HashMap<StepOutput, Option<Rc<Tree>>>,
    /// The last tree that was laid together of layers. Steps that read one stage mostly follow each other.
    laid: Option<(Vec<Digest>, Option<Rc<Tree>>)>,
    known: HashMap<(StepOutput, ContentRule), Selected>,
    walks: usize,
}

/// What a rule selects from an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selected {
    /// The files of the input are not at hand.
    NoFiles,
    /// The files are at hand, and lack a path of the rule, or cannot be evaluated. A build would fail.
    Fails,
    /// Too many contents were computed already.
    TooMany,
    /// The content, as the digest of its record.
    Content(RecordDigest),
}

impl<'a> Contents<'a> {
    pub(crate) fn new(inputs: &'a BuildInputs<'a>) -> Self {
        Self { inputs, made: HashMap::new(), laid: None, known: HashMap::new(), walks: 0 }
    }

    /// The content of an input that is a local folder, or that follows from its definition alone.
    pub(crate) fn defined(&mut self, output: StepOutput, rule: &ContentRule) -> Selected {
        self.select(output, rule, |contents| {
            let build = contents.inputs.build;
            if let Some(name) = local_name(contents.inputs, output) {
                return contents.inputs.contexts.get(name).map(|tree| select(tree, rule));
            }
            if !contents.made.contains_key(&output) {
                let made = made_tree(build, output).map(Rc::new);
                contents.walks += usize::from(made.is_some());
                contents.made.insert(output, made);
            }
            contents.made.get(&output)?.as_deref().map(|tree| select(tree, rule))
        })
    }

    /// The content of an input whose files are in layers, lowest first.
    pub(crate) fn layered(
        &mut self,
        output: StepOutput,
        rule: &ContentRule,
        blobs: &[Digest],
        layers: &HashMap<Digest, LayerTree>,
    ) -> Selected {
        self.select(output, rule, |contents| {
            if contents.laid.as_ref().is_none_or(|(laid, _)| laid != blobs) {
                contents.walks += 1;
                contents.laid = Some((blobs.to_vec(), lay(blobs, layers).map(Rc::new)));
            }
            let (_, tree) = contents.laid.as_ref()?;
            tree.as_deref().map(|tree| select(tree, rule))
        })
    }

    fn select(
        &mut self,
        output: StepOutput,
        rule: &ContentRule,
        compute: impl FnOnce(&mut Self) -> Option<Selected>,
    ) -> Selected {
        let key = (output, rule.clone());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        if self.walks >= MOST_WALKS {
            return Selected::TooMany;
        }
        self.walks += usize::from(rule.selectors.iter().any(ContentSelector::is_filtered));
        let selected = compute(self).unwrap_or(Selected::NoFiles);
        if selected != Selected::NoFiles {
            self.known.insert(key, selected.clone());
        }
        selected
    }
}

/// The name of the local folder that an output is.
pub(crate) fn local_name<'a>(inputs: &BuildInputs<'a>, output: StepOutput) -> Option<&'a str> {
    match &inputs.build.definition.step(output.step)?.op {
        Op::Source(source) => match source.kind() {
            SourceKind::Local(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

fn select(tree: &Tree, rule: &ContentRule) -> Selected {
    tree.content(rule).map_or(Selected::Fails, Selected::Content)
}

/// The tree of layers that are laid on each other, if all of them were read.
pub(crate) fn lay(blobs: &[Digest], layers: &HashMap<Digest, LayerTree>) -> Option<Tree> {
    let mut tree = Tree::rooted(cache_keys::Header::default());
    for blob in blobs {
        tree.apply(layers.get(blob)?).ok()?;
    }
    Some(tree)
}
