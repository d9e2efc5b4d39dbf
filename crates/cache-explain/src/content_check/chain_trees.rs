//! The trees of chains of layers.

use std::collections::HashMap;
use std::rc::Rc;

use cache_keys::{ContentSelector, Header, LayerTree, Tree};
use cache_model::{Descriptor, Digest};

use crate::copying::Accounts;

/// How many trees are kept. Steps that follow each other stand on the same layers, and mostly copy from one stage.
const KEPT: usize = 3;

/// Lays layers on each other. The latest trees are kept, so that one layer more costs little.
pub(crate) struct ChainTrees<'a> {
    layers: &'a HashMap<Digest, LayerTree>,
    kept: Vec<(Vec<Digest>, Rc<Tree>)>,
}

impl<'a> ChainTrees<'a> {
    pub(crate) fn new(layers: &'a HashMap<Digest, LayerTree>) -> Self {
        Self { layers, kept: Vec::new() }
    }

    /// A layer, if it was read.
    pub(crate) fn layer(&self, layer: &Descriptor) -> Result<&'a LayerTree, String> {
        self.layers.get(&layer.digest).ok_or_else(|| format!("the layer {} was not read", layer.digest))
    }

    /// The tree of some layers, lowest first.
    ///
    /// # Errors
    /// Why there is none, as a part of a sentence.
    pub(crate) fn tree(&mut self, chain: &[&Descriptor]) -> Result<Rc<Tree>, String> {
        let digests: Vec<Digest> = chain.iter().map(|layer| layer.digest).collect();
        if let Some(position) = self.kept.iter().position(|(known, _)| *known == digests) {
            let known = self.kept.remove(position);
            let tree = Rc::clone(&known.1);
            self.kept.push(known);
            return Ok(tree);
        }
        let longest = self.kept.iter().filter(|(known, _)| digests.starts_with(known));
        let longest = longest.max_by_key(|(known, _)| known.len());
        let (count, mut tree) = match longest {
            Some((known, tree)) => (known.len(), Tree::clone(tree)),
            None => (0, Tree::rooted(Header::default())),
        };
        for layer in chain.iter().skip(count) {
            let read = self.layer(layer)?;
            tree.apply(read).map_err(|error| {
                format!("the layer {} does not fit the layers below: {error}", layer.digest)
            })?;
        }
        let tree = Rc::new(tree);
        if self.kept.len() == KEPT {
            self.kept.remove(0);
        }
        self.kept.push((digests, Rc::clone(&tree)));
        Ok(tree)
    }

    /// Whether two chains give the same files.
    pub(crate) fn are_equal(&mut self, a: &[&Descriptor], b: &[&Descriptor]) -> Result<bool, String> {
        let whole = ContentSelector::new("/");
        let mut checksum = |chain| self.tree(chain)?.checksum(&whole).map_err(|error| error.to_string());
        Ok(checksum(a)? == checksum(b)?)
    }

    /// The accounts in the tree of some layers; `None` if their files are there, but their bytes were not kept.
    pub(crate) fn accounts(&self, chain: &[&Descriptor], tree: &Tree) -> Option<Accounts<'a>> {
        let content = |path: &[u8]| {
            let Some(entry) = tree.get(path) else { return Some(None) };
            let layers = chain.iter().rev().filter_map(|layer| self.layers.get(&layer.digest));
            let mut holding = layers.filter(|layer| layer.tree().get(path) == Some(entry));
            holding.find_map(|layer| layer.content(path)).map(Some)
        };
        Some(Accounts { passwd: content(b"etc/passwd")?, group: content(b"etc/group")? })
    }
}

/// Whether two chains have the same layers, however they are compressed.
pub(crate) fn has_same_layers(a: &[&Descriptor], b: &[&Descriptor]) -> bool {
    let identity = |layer: &&Descriptor| layer.diff_id().unwrap_or(layer.digest);
    a.iter().map(identity).eq(b.iter().map(identity))
}
