//! The ways in which a layer can be read as the work of some copies: whether what each one copied was a file or a folder.

use cache_keys::{CopyAction, Entry, LayerTree, Tree};

use crate::copying::cannot_carry_out::CannotCarryOut;
use crate::copying::paths::{join, split, through_links};
use crate::copying::wildcards::split_at_wildcard;

/// A copy of a step, and where it put what it copied.
pub(crate) struct PlacedCopy<'a> {
    pub(crate) copy: &'a CopyAction,
    /// The position of the input from which it copies.
    pub(crate) input: usize,
    /// The destination, without links.
    pub(crate) dest: Vec<u8>,
    /// What it can have copied, the most likely first.
    pub(crate) readings: Vec<Reading>,
}

/// What a copy can have copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A file, which the layer has at this path.
    File(Vec<u8>),
    /// A file, which a layer below has at this path already.
    FileBelow(Vec<u8>),
    /// What is in a folder.
    Folder,
    /// Files of one folder, whose names match this pattern.
    Names {
        /// The folder in the source.
        folder: Vec<u8>,
        /// The pattern for names.
        pattern: String,
    },
    /// What leaves nothing of its names or headers: the files of an archive, or folders that a wildcard matches.
    Anything,
}

impl<'a> PlacedCopy<'a> {
    /// Finds the destination and the readings of a copy, by its layer and the layers below.
    pub(crate) fn new(
        copy: &'a CopyAction,
        input: usize,
        layer: &LayerTree,
        below: &Tree,
    ) -> Result<Self, CannotCarryOut> {
        let named = copy.dest.as_bytes();
        let dest = through_links(below, named).ok_or_else(|| CannotCarryOut::TooManyLinks(named.to_vec()))?;
        let is_copied_by_wildcard = copy.allow_wildcard && !split_at_wildcard(&copy.src).1.is_empty();
        let readings = if is_copied_by_wildcard {
            wildcard_readings(copy)
        } else {
            plain_readings(copy, &dest, layer, below)
        };
        Ok(Self { copy, input, dest, readings })
    }

    /// The path of what is copied, without a slash in front.
    pub(crate) fn source(&self) -> Vec<u8> {
        split_at_wildcard(&self.copy.src).0.into_bytes()
    }
}

/// Files whose names match are told from their names in the layer; a folder that matches leaves none.
fn wildcard_readings(copy: &CopyAction) -> Vec<Reading> {
    let (folder, pattern) = split_at_wildcard(&copy.src);
    let is_name = !pattern.contains('/') && !copy.attempt_unpack;
    let names = is_name.then(|| Reading::Names { folder: folder.into_bytes(), pattern });
    names.into_iter().chain([Reading::Anything]).collect()
}

fn plain_readings(copy: &CopyAction, dest: &[u8], layer: &LayerTree, below: &Tree) -> Vec<Reading> {
    let inside = join(dest, split(copy.src.as_bytes()).1);
    let is_file = |tree: &Tree, path: &[u8]| tree.get(path).is_some_and(|entry| !entry.is_folder());
    let is_folder = |tree: &Tree, path: &[u8]| tree.get(path).is_some_and(Entry::is_folder);
    let of_file = [dest, &inside].into_iter().find_map(|path| {
        let path = path.to_vec();
        match (is_file(layer.tree(), &path), is_file(below, &path)) {
            (true, _) => Some(Reading::File(path)),
            (false, true) => Some(Reading::FileBelow(path)),
            (false, false) => None,
        }
    });
    let mut readings: Vec<Reading> = of_file.into_iter().collect();
    if is_folder(layer.tree(), dest) || is_folder(below, dest) {
        readings.push(Reading::Folder);
    }
    if copy.attempt_unpack {
        readings.push(Reading::Anything);
    }
    readings
}
