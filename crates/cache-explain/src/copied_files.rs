//! The files that a step copied, as its layer has them, under the paths that they had in the source.
//!
//! A layer has no modes, owners and attributes that the copying replaced, and not the header of a folder whose contents were copied.
//! Where it does not tell the path of a file in the source, nothing is said at all.

use std::collections::HashMap;

use cache_keys::{CopyAction, Entry, FileActionKind, FileOp, LayerTree, Tree, has_wildcard, path_match};

use crate::changed_files::{ReplacedHeader, SourceFiles, tree_order};
use crate::copying::{above, below, join, split};

/// How many folders that were copied into one are told apart.
const MAX_FOLDERS: usize = 64;

/// The paths in a layer that copies lead to.
#[derive(Default)]
struct CopyPlaces<'a> {
    /// The source of each file, by its path in the layer.
    files: HashMap<Vec<u8>, Vec<u8>>,
    /// The folders whose contents were copied into one of the layer, by the path of that.
    folders: HashMap<Vec<u8>, Vec<Vec<u8>>>,
    /// Names that a wildcard at the end of a path matches.
    wildcards: Vec<WildcardPlace<'a>>,
}

/// The copies of a path with a wildcard in its last name.
struct WildcardPlace<'a> {
    /// The folder in the layer.
    place: Vec<u8>,
    /// The folder in the source.
    folder: Vec<u8>,
    pattern: &'a str,
}

/// The files that a step copied from one input. `source` is what is known of the input's files, of this build or another one: it
/// tells files from folders and names what wildcards match.
pub(crate) fn copied_files<'l>(
    op: &FileOp,
    input: usize,
    layer: &'l LayerTree,
    source: Option<&Tree>,
) -> Option<SourceFiles<'l>> {
    let mut places = CopyPlaces::default();
    let mut replaced = ReplacedHeader { xattrs: true, ..ReplacedHeader::default() };
    for action in op.actions.iter().filter(|action| action.secondary_input == Some(input)) {
        let FileActionKind::Copy(copy) = &action.kind else { return None };
        if copy.attempt_unpack {
            return None;
        }
        places.add(copy, layer.tree(), source);
        replaced.mode |= copy.mode != -1 || !copy.mode_str.is_empty();
        replaced.owner |= copy.owner.is_some();
    }
    let mut entries: Vec<(Vec<u8>, &Entry)> = Vec::new();
    for (path, entry) in layer.entries() {
        if let Some(named) = places.source_of(&path, entry, source)? {
            entries.push((named, entry));
        }
    }
    entries.sort_by(|(a, _), (b, _)| tree_order(a, b));
    entries.dedup_by(|(a, _), (b, _)| a == b);
    let lost = places.folders.into_values().flatten().collect();
    Some(SourceFiles { entries, lost, replaced })
}

impl<'a> CopyPlaces<'a> {
    fn add(&mut self, copy: &'a CopyAction, layer: &Tree, source: Option<&Tree>) {
        let dest = clean(&copy.dest);
        let is_folder = copy.dest.ends_with('/') || layer.get(&dest).is_some_and(Entry::is_folder);
        if !(copy.allow_wildcard && has_wildcard(&copy.src)) {
            return self.add_path(copy, clean(&copy.src), layer, source);
        }
        let src = clean(&copy.src);
        for path in source.map(|source| matches(source, &src)).unwrap_or_default() {
            self.add_path(copy, path, layer, source);
        }
        let (folder, _) = split(&src);
        let pattern = copy.src.rsplit('/').next().unwrap_or_default();
        if is_folder && !has_wildcard(folder) {
            self.wildcards.push(WildcardPlace { place: dest, folder: folder.to_vec(), pattern });
        }
    }

    fn add_path(&mut self, copy: &CopyAction, path: Vec<u8>, layer: &Tree, source: Option<&Tree>) {
        let dest = clean(&copy.dest);
        let inside = join(&dest, split(&path).1);
        let has_folder = copy.dest.ends_with('/') || layer.get(&dest).is_some_and(Entry::is_folder);
        // A path that is followed counts as what it leads to.
        let real = source.and_then(|source| source.resolve(&path, copy.follow_symlink).ok());
        let entry = source.zip(real.as_ref()).and_then(|(source, real)| source.get(real));
        let is_folder = match entry {
            Some(entry) => entry.is_folder(),
            None => has_folder && (path.is_empty() || layer.get(&inside).is_none_or(Entry::is_folder)),
        };
        let real = real.unwrap_or(path);
        match is_folder {
            true if copy.dir_copy_contents || !has_folder => self.folders.entry(dest).or_default().push(real),
            true => self.folders.entry(inside).or_default().push(real),
            false => drop(self.files.insert(if has_folder { inside } else { dest }, real)),
        }
    }

    /// The path in the source of an entry of the layer. The outer `None` means that it cannot be told, the inner that it was not
    /// copied.
    fn source_of(&self, path: &[u8], entry: &Entry, source: Option<&Tree>) -> Option<Option<Vec<u8>>> {
        if let Some(named) = self.files.get(path) {
            return Some(Some(named.clone()));
        }
        let (folder, name) = split(path);
        let is_match = |wildcard: &&WildcardPlace<'_>| {
            wildcard.place == folder && path_match(wildcard.pattern, name).unwrap_or_default()
        };
        let wildcard = self.wildcards.iter().find(is_match).filter(|_| !entry.is_folder());
        let Some((place, folders)) = self.folder_above(path) else {
            return Some(wildcard.map(|wildcard| join(&wildcard.folder, name)));
        };
        let rest = below(path, place).unwrap_or_default();
        let mut named = folders.iter().map(|folder| join(folder, rest));
        if wildcard.is_none() && folders.len() == 1 {
            return Some(named.next());
        }
        if folders.len() > MAX_FOLDERS {
            return None;
        }
        let known = named.find(|named| source.is_some_and(|source| source.get(named).is_some()));
        match (known, wildcard) {
            (Some(known), _) => Some(Some(known)),
            (None, Some(wildcard)) => Some(Some(join(&wildcard.folder, name))),
            (None, None) => None,
        }
    }

    /// The nearest folder above a path into which folders were copied.
    fn folder_above<'p>(&self, path: &'p [u8]) -> Option<(&'p [u8], &[Vec<u8>])> {
        let mut folders: Vec<&[u8]> = std::iter::once(&b""[..]).chain(above(path)).collect();
        folders.reverse();
        folders.into_iter().find_map(|folder| Some((folder, self.folders.get(folder)?.as_slice())))
    }
}

/// The paths that a pattern matches. Nothing below a match matches, since no wildcard matches a slash.
fn matches(source: &Tree, pattern: &[u8]) -> Vec<Vec<u8>> {
    let Ok(pattern) = str::from_utf8(pattern) else { return Vec::new() };
    let is_match = |path: &Vec<u8>| path_match(pattern, path).unwrap_or_default();
    source.iter().map(|(path, _)| path).filter(is_match).collect()
}

/// A path without the slash in front.
fn clean(path: &str) -> Vec<u8> {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names.join("/").into_bytes()
}
