//! The files that a step copied, as its layer has them, under the paths that they had in the source.
//!
//! A layer has no modes, owners and attributes that the copying replaced, and not the header of a folder whose contents were copied.
//! Where it does not tell the path of a file in the source, nothing is said at all.

use std::collections::{HashMap, HashSet};

use cache_keys::{CopyAction, Entry, FileActionKind, FileOp, LayerTree, Tree, has_wildcard, path_match};
use cache_model::Digest;

use crate::changed_files::{ReplacedHeader, SourceFiles, tree_order};
use crate::copying::{CopyFilter, above, below, join, split};
use crate::step_layer::StepLayer;

/// How many folders that were copied into one are told apart.
const MAX_FOLDERS: usize = 64;

/// The paths in a layer that copies lead to.
#[derive(Default)]
struct CopyPlaces {
    /// The source of each file, by its path in the layer.
    files: HashMap<Vec<u8>, Vec<u8>>,
    /// The folders whose contents were copied into one of the layer, by the path of that.
    folders: HashMap<Vec<u8>, Vec<CopiedFolder>>,
    /// Names that a wildcard at the end of a path matches.
    wildcards: Vec<WildcardPlace>,
}

/// A folder of the source whose contents were copied.
struct CopiedFolder {
    source: Vec<u8>,
    /// Which of its entries; `None` if the patterns cannot be read.
    filter: Option<CopyFilter>,
}

/// The copies of a path with a wildcard in its last name.
struct WildcardPlace {
    /// The folder in the layer.
    place: Vec<u8>,
    /// The folder in the source.
    folder: Vec<u8>,
    pattern: String,
}

/// The files that a step copied from one input, and where in its layer they are.
pub(crate) struct CopiedFiles<'l> {
    pub(crate) files: SourceFiles<'l>,
    places: CopyPlaces,
}

/// The files that a step copied from one input. `source` is what is known of the input's files, of this build or another one: it
/// tells files from folders and names what wildcards match.
pub(crate) fn copied_files<'l>(
    op: &FileOp,
    input: usize,
    layer: &'l LayerTree,
    source: Option<&Tree>,
) -> Option<CopiedFiles<'l>> {
    let mut places = CopyPlaces::default();
    let mut replaced = ReplacedHeader { xattrs: true, ..ReplacedHeader::default() };
    for action in op.actions.iter().filter(|action| action.secondary_input == Some(input)) {
        let FileActionKind::Copy(copy) = &action.kind else { return None };
        places.add(copy, layer.tree(), source)?;
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
    let lost = places.folders.values().flatten().map(|folder| folder.source.clone()).collect();
    Some(CopiedFiles { files: SourceFiles { entries, lost, replaced }, places })
}

impl<'l> CopiedFiles<'l> {
    /// Adds files that the layer lacks because a layer below has them already: a file that a copy leaves as it was is in no layer
    /// twice. `below` are the layers below that copies made, the highest first: only copies keep the time of a file. They are
    /// asked for the files of the other build. Gives the layers that have to be read to know.
    pub(crate) fn add_unchanged(&mut self, below: &[StepLayer<'l>], other: &SourceFiles<'_>) -> Vec<Digest> {
        let known: HashSet<&[u8]> = self.files.entries.iter().map(|(path, _)| path.as_slice()).collect();
        let missing =
            other.entries.iter().map(|(path, _)| path).filter(|path| !known.contains(path.as_slice()));
        let (mut found, mut lost, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
        for path in missing {
            let Some(place) = self.places.place_of(path) else { continue };
            for layer in below {
                let Some(tree) = layer.tree else {
                    wanted.push(layer.digest);
                    lost.push(path.clone());
                    break;
                };
                let entry = tree.tree().get(&place);
                if let Some(entry) = entry.filter(|entry| !entry.is_folder() || tree.describes_folder(&place))
                {
                    found.push((path.clone(), entry));
                    break;
                }
            }
        }
        self.files.lost.extend(lost);
        self.files.entries.extend(found);
        self.files.entries.sort_by(|(a, _), (b, _)| tree_order(a, b));
        wanted
    }
}

impl CopyPlaces {
    /// `None` if an archive was unpacked: its name is not in the layer.
    fn add(&mut self, copy: &CopyAction, layer: &Tree, source: Option<&Tree>) -> Option<()> {
        let dest = clean(&copy.dest);
        let is_folder = copy.dest.ends_with('/') || layer.get(&dest).is_some_and(Entry::is_folder);
        if !(copy.allow_wildcard && has_wildcard(&copy.src)) {
            return self.add_path(copy, clean(&copy.src), layer, source);
        }
        let src = clean(&copy.src);
        for path in source.map(|source| matches(source, &src)).unwrap_or_default() {
            self.add_path(copy, path, layer, source)?;
        }
        let (folder, _) = split(&src);
        let pattern = copy.src.rsplit('/').next().unwrap_or_default().to_owned();
        if is_folder && !has_wildcard(folder) {
            self.wildcards.push(WildcardPlace { place: dest, folder: folder.to_vec(), pattern });
        }
        Some(())
    }

    fn add_path(
        &mut self,
        copy: &CopyAction,
        path: Vec<u8>,
        layer: &Tree,
        source: Option<&Tree>,
    ) -> Option<()> {
        let dest = clean(&copy.dest);
        let inside = join(&dest, split(&path).1);
        let has_folder = copy.dest.ends_with('/') || layer.get(&dest).is_some_and(Entry::is_folder);
        // A path that is followed counts as what it leads to.
        let real = source.and_then(|source| source.resolve(&path, copy.follow_symlink).ok());
        let entry = source.zip(real.as_ref()).and_then(|(source, real)| source.get(real));
        let is_file_inside = layer.get(&inside).is_some_and(|found| !found.is_folder());
        let is_folder = match entry {
            Some(entry) => entry.is_folder(),
            // It may be an archive.
            None if copy.attempt_unpack && has_folder && !is_file_inside => return None,
            None => has_folder && (path.is_empty() || !is_file_inside),
        };
        let real = real.unwrap_or(path);
        if is_folder {
            let place = if copy.dir_copy_contents || !has_folder { dest } else { inside };
            let folder = CopiedFolder { source: real, filter: CopyFilter::new(copy).ok() };
            self.folders.entry(place).or_default().push(folder);
        } else {
            let place = if has_folder { inside } else { dest };
            let is_unpacked = || layer.get(&place).is_none_or(Entry::is_folder);
            if copy.attempt_unpack && is_unpacked() {
                return None;
            }
            self.files.insert(place, real);
        }
        Some(())
    }

    /// The path in the source of an entry of the layer. The outer `None` means that it cannot be told, the inner that it was not
    /// copied.
    fn source_of(&self, path: &[u8], entry: &Entry, source: Option<&Tree>) -> Option<Option<Vec<u8>>> {
        if let Some(named) = self.files.get(path) {
            return Some(Some(named.clone()));
        }
        let (folder, name) = split(path);
        let is_match = |wildcard: &&WildcardPlace| {
            wildcard.place == folder && path_match(&wildcard.pattern, name).unwrap_or_default()
        };
        let wildcard = self.wildcards.iter().find(is_match).filter(|_| !entry.is_folder());
        let Some((place, folders)) = self.folder_above(path) else {
            return Some(wildcard.map(|wildcard| join(&wildcard.folder, name)));
        };
        let rest = below(path, place).unwrap_or_default();
        if let ([folder], None) = (folders, wildcard) {
            return Some(Some(join(&folder.source, rest)));
        }
        if folders.len() > MAX_FOLDERS {
            return None;
        }
        let taking: Vec<Vec<u8>> = folders
            .iter()
            .filter(|folder| folder.takes(rest))
            .map(|folder| join(&folder.source, rest))
            .collect();
        let known = taking.iter().find(|named| source.is_some_and(|source| source.get(named).is_some()));
        match (known, wildcard, taking.as_slice()) {
            (Some(known), ..) | (None, None, [known]) => Some(Some(known.clone())),
            (None, Some(wildcard), _) => Some(Some(join(&wildcard.folder, name))),
            (None, None, _) => None,
        }
    }

    /// The path in the layer of a path of the source.
    fn place_of(&self, path: &[u8]) -> Option<Vec<u8>> {
        if let Some((place, _)) = self.files.iter().find(|(_, source)| *source == path) {
            return Some(place.clone());
        }
        let mut folders = self
            .folders
            .iter()
            .flat_map(|(place, folders)| folders.iter().map(move |folder| (place, folder)));
        let in_folder = folders.find_map(|(place, folder)| {
            let rest = below(path, &folder.source).filter(|rest| folder.takes(rest))?;
            Some(join(place, rest))
        });
        let (folder, name) = split(path);
        let is_match = |wildcard: &&WildcardPlace| {
            wildcard.folder == folder && path_match(&wildcard.pattern, name).unwrap_or_default()
        };
        in_folder.or_else(|| self.wildcards.iter().find(is_match).map(|wildcard| join(&wildcard.place, name)))
    }

    /// The nearest folder above a path into which folders were copied.
    fn folder_above<'p>(&self, path: &'p [u8]) -> Option<(&'p [u8], &[CopiedFolder])> {
        let mut folders: Vec<&[u8]> = std::iter::once(&b""[..]).chain(above(path)).collect();
        folders.reverse();
        folders.into_iter().find_map(|folder| Some((folder, self.folders.get(folder)?.as_slice())))
    }
}

impl CopiedFolder {
    /// Whether the copy takes an entry at a path below the folder.
    fn takes(&self, path: &[u8]) -> bool {
        let check = self.filter.as_ref().map(|filter| filter.check(path, None));
        check.is_none_or(|check| check.is_ok_and(|matches| matches.is_included))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use cache_keys::{EntryKind, FileAction, Header, LayerEntry, Owner};

    use super::*;

    fn entry(path: &str) -> Entry {
        let kind = if path.ends_with('/') { EntryKind::Folder } else { EntryKind::File { size: 0 } };
        Entry::of(Header::new(0o644, 0, 0), kind)
    }

    fn layer(paths: &[&str]) -> LayerTree {
        let mut layer = LayerTree::default();
        for path in paths {
            layer.add(path.trim_end_matches('/').as_bytes(), LayerEntry::Entry(entry(path))).unwrap();
        }
        layer
    }

    fn tree(paths: &[&str]) -> Tree {
        let mut tree = Tree::sent();
        for path in paths {
            tree.insert(path.as_bytes(), entry(path));
        }
        tree
    }

    /// A copy as a Dockerfile makes it.
    fn copy(src: &str, dest: &str) -> CopyAction {
        CopyAction {
            src: src.to_owned(),
            dest: dest.to_owned(),
            mode: -1,
            timestamp: -1,
            follow_symlink: true,
            dir_copy_contents: true,
            allow_wildcard: true,
            ..CopyAction::default()
        }
    }

    fn op(copies: impl IntoIterator<Item = CopyAction>) -> FileOp {
        let action = |copy| FileAction {
            input: Some(0),
            secondary_input: Some(1),
            output: Some(0),
            kind: FileActionKind::Copy(copy),
        };
        FileOp { actions: copies.into_iter().map(action).collect() }
    }

    /// Checks which paths of the source a layer tells; `None` if it does not.
    #[track_caller]
    fn check(
        copies: impl IntoIterator<Item = CopyAction>,
        in_layer: &[&str],
        source: Option<&[&str]>,
        expected: Option<&[&str]>,
    ) {
        let (layer, source) = (layer(in_layer), source.map(tree));
        let found = copied_files(&op(copies), 1, &layer, source.as_ref());
        let found = found.map(|copied| {
            let paths = copied.files.entries.into_iter().map(|(path, _)| String::from_utf8(path).unwrap());
            paths.collect::<Vec<_>>()
        });
        assert_eq!(
            found.as_deref(),
            expected.map(|paths| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>()).as_deref()
        );
    }

    #[test]
    fn the_contents_of_a_folder_are_found_below_it() {
        let in_layer =
            ["app/", "app/src/", "app/src/a.js", "app/src/sub/", "app/src/sub/b.js", "app/src-b", "other"];
        let expected: &[&str] = &["src/a.js", "src/sub", "src/sub/b.js"];
        check([copy("/src", "/app/src")], &in_layer, Some(&["src/a.js"]), Some(expected));
        check([copy("/src", "/app/src")], &in_layer, None, Some(expected));
        check([copy("/", "/app")], &["app/", "app/a/", "app/a/b"], None, Some(&["a", "a/b"]));
    }

    #[test]
    fn files_are_found_by_their_names_in_a_folder_or_under_another_name() {
        let copies = || [copy("/in/a", "/w/"), copy("/b", "/w/")];
        check(copies(), &["w/", "w/a", "w/b", "w/c"], Some(&["in/a", "b"]), Some(&["b", "in/a"]));
        check(copies(), &["w/", "w/a", "w/b", "w/c"], None, Some(&["b", "in/a"]));
        check([copy("/a", "/etc/b")], &["etc/", "etc/b"], None, Some(&["a"]));
        // Into a folder that exists.
        check([copy("/a", "/etc")], &["etc/", "etc/a"], None, Some(&["a"]));
        check([copy("/./x/../a", "/")], &["a"], Some(&["a"]), Some(&["a"]));
    }

    #[test]
    fn names_that_a_wildcard_matches_are_found_also_if_the_source_lacks_them_now() {
        let in_layer = ["etc/", "etc/a.conf", "etc/gone.conf", "etc/other"];
        let expected: &[&str] = &["conf/a.conf", "conf/gone.conf"];
        check(
            [copy("/conf/*.conf", "/etc/")],
            &in_layer,
            Some(&["conf/a.conf", "conf/b.conf"]),
            Some(expected),
        );
        check([copy("/conf/*.conf", "/etc/")], &in_layer, None, Some(expected));
        // A folder that it matches gives its contents.
        let source: &[&str] = &["d/one/x", "d/two/y", "d/file"];
        check(
            [copy("/d/*", "/")],
            &["x", "y", "file"],
            Some(source),
            Some(&["d/file", "d/one/x", "d/two/y"]),
        );
    }

    #[test]
    fn nothing_is_said_where_a_layer_does_not_tell_the_source() {
        // Of two folders in one, a file that neither has now can be from either.
        let copies = || [copy("/one", "/w/"), copy("/two", "/w/")];
        check(copies(), &["w/a", "w/b"], Some(&["one/a", "two/b"]), Some(&["one/a", "two/b"]));
        check(copies(), &["w/a", "w/gone"], Some(&["one/a", "two/b"]), None);
        // Patterns tell whose it was.
        let include = |pattern: &str| vec![pattern.to_owned()];
        let one = CopyAction { include_patterns: include("sub"), ..copy("/one", "/w/") };
        let two = CopyAction { exclude_patterns: include("sub"), ..copy("/two", "/w/") };
        let expected: &[&str] = &["one/sub/a", "two/gone"];
        check([one, two], &["w/sub/a", "w/gone"], Some(&["one/a", "two/b"]), Some(expected));
        let archive = CopyAction { attempt_unpack: true, ..copy("/a.tar", "/") };
        check([archive], &["packed"], None, None);
    }

    #[test]
    fn a_file_that_an_archive_could_be_is_found_only_under_its_name() {
        let add = |src: &str| [CopyAction { attempt_unpack: true, ..copy(src, "/w/") }];
        check(add("/a"), &["w/", "w/a"], None, Some(&["a"]));
        check(add("/a.tar"), &["w/", "w/packed"], None, None);
        check(add("/*.tar"), &["w/", "w/packed"], Some(&["a.tar"]), None);
    }

    #[test]
    fn a_file_that_a_layer_below_has_is_in_no_layer_twice() {
        let (top, low) = (layer(&["app/", "app/new"]), layer(&["app/", "app/same", "app/sub/"]));
        let source = tree(&["new", "same", "added", "sub/"]);
        let other = SourceFiles { entries: source.iter().collect(), ..SourceFiles::default() };
        let digest = Digest::of("low");
        let copied = || copied_files(&op([copy("/", "/app")]), 1, &top, Some(&source)).unwrap();
        let paths = |copied: &CopiedFiles<'_>| {
            let paths = copied.files.entries.iter().map(|(path, _)| String::from_utf8(path.clone()).unwrap());
            paths.collect::<Vec<_>>()
        };
        let mut found = copied();
        assert!(found.add_unchanged(&[StepLayer { digest, tree: Some(&low) }], &other).is_empty());
        assert_eq!(paths(&found), ["new", "same", "sub"]);
        let mut found = copied();
        let wanted = found.add_unchanged(&[StepLayer { digest, tree: None }], &other);
        assert_eq!(wanted, [digest, digest, digest]);
        assert_eq!(paths(&found), ["new"]);
        assert!(found.files.lost.contains(b"same".as_slice()));

        // Places are found for files and wildcards, too.
        let (top, low) = (layer(&["etc/"]), layer(&["etc/", "etc/a.conf", "etc/b"]));
        let copies = || [copy("/conf/*.conf", "/etc/"), copy("/b", "/etc/")];
        let source = tree(&["conf/a.conf", "b"]);
        let other = SourceFiles { entries: source.iter().collect(), ..SourceFiles::default() };
        for known in [Some(&source), None] {
            let mut found = copied_files(&op(copies()), 1, &top, known).unwrap();
            found.add_unchanged(&[StepLayer { digest, tree: Some(&low) }], &other);
            assert_eq!(paths(&found), ["b", "conf/a.conf"]);
        }
    }

    #[test]
    fn headers_that_the_copy_replaced_are_not_those_of_the_source() {
        let replaced =
            |copy: CopyAction| copied_files(&op([copy]), 1, &layer(&["a"]), None).unwrap().files.replaced;
        let none = ReplacedHeader { mode: false, owner: false, xattrs: true };
        assert_eq!(replaced(copy("/a", "/")), none);
        assert_eq!(
            replaced(CopyAction { mode: 0o600, ..copy("/a", "/") }),
            ReplacedHeader { mode: true, ..none }
        );
        let words = CopyAction { mode_str: "a+x".to_owned(), ..copy("/a", "/") };
        assert_eq!(replaced(words), ReplacedHeader { mode: true, ..none });
        let owned = CopyAction { owner: Some(Owner::default()), ..copy("/a", "/") };
        assert_eq!(replaced(owned), ReplacedHeader { owner: true, ..none });
    }

    #[test]
    fn a_folder_that_is_copied_as_a_whole_is_found_by_its_name() {
        let whole = || [CopyAction { dir_copy_contents: false, ..copy("/src", "/app") }];
        check(whole(), &["app/", "app/src/", "app/src/a"], Some(&["src/a"]), Some(&["src/a"]));
        let other_input = FileAction {
            input: None,
            secondary_input: Some(2),
            output: None,
            kind: FileActionKind::Unrecorded,
        };
        let op = FileOp { actions: vec![other_input] };
        assert!(copied_files(&op, 2, &layer(&["a"]), None).is_none());
        assert_eq!(copied_files(&op, 1, &layer(&["a"]), None).unwrap().files.entries.len(), 0);
    }
}
