//! The files of an input as a tree: entries by path, with digests but without bytes.
//!
//! A tree is pure data: it never reads a file. Nothing here is recursive, so a path may be of any depth.

mod checksum;
mod content_error;
mod entry;
mod filtered;
mod header;
mod layer;
mod layer_error;
mod resolve;

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::fmt;
use std::ops::Bound;
use std::sync::OnceLock;

use cache_model::arena::IndexVec;

pub use content_error::{ContentError, TreePath};
pub use entry::{DeviceNumber, Entry, EntryHasher, EntryKind};
pub use header::{Header, Xattrs};
pub use layer::{LayerEntry, LayerLimits, LayerOddity, LayerTree, LinkBelow};
pub use layer_error::LayerError;

cache_model::index_types! {
    /// A folder of a tree.
    FolderIx;
}

type Name = Box<[u8]>;

/// A tree of entries.
///
/// Paths are bytes, with or without a `/` in front; `.` and empty parts are skipped, and `..` leads no higher than the root.
/// A path that a tree gives has no `/` in front; that of the root is empty. Entries stand in the order of their paths, by
/// bytes, with `/` before every other byte: `a/b` before `a-b`.
///
/// ```
/// use cache_keys::{Entry, EntryKind, Header, Tree};
///
/// let mut tree = Tree::sent();
/// let link = EntryKind::Symlink { target: b"app.js".to_vec() };
/// tree.insert(b"/src/main.js", Entry::of(Header::new(0o777, 0, 0), link));
/// let paths: Vec<Vec<u8>> = tree.iter().map(|(path, _)| path).collect();
/// assert_eq!(paths, [b"src".to_vec(), b"src/main.js".to_vec()]);
/// ```
#[derive(Clone)]
pub struct Tree {
    /// A folder that was removed stays in the arena until the tree is dropped.
    folders: IndexVec<FolderIx, Folder>,
    root: FolderIx,
    is_sent: bool,
}

#[derive(Clone)]
struct Folder {
    entry: Entry,
    children: BTreeMap<Name, Child>,
    /// The digest of the folder with everything below it, once it was asked for.
    digest: OnceLock<[u8; 32]>,
}

#[derive(Clone)]
enum Child {
    Other(Entry),
    Folder(FolderIx),
}

/// What stands at a path of a tree.
#[derive(Clone, Copy)]
enum TreeNode<'t> {
    Other(&'t Entry),
    Folder(FolderIx),
}

/// What is below a node, in order. The path is built in one buffer.
struct TreeWalk<'t> {
    tree: &'t Tree,
    /// In each folder, the walk begins at the first name that is not less.
    from: &'static [u8],
    above: Vec<FolderWalk<'t>>,
    /// The path of the latest node, with a `/` before each name.
    path: Vec<u8>,
    /// How far the latest node is below the start.
    depth: usize,
}

/// A folder on the way of a walk.
struct FolderWalk<'t> {
    /// The length of its path.
    length: usize,
    /// Its children that are still to come.
    children: btree_map::Range<'t, Name, Child>,
}

impl Tree {
    /// An empty tree for a local folder as a client sends it. The header of its root does not count, unless nothing was sent.
    pub fn sent() -> Self {
        Self::new(Header::default(), true)
    }

    /// An empty tree for any other input: a stage, an image, a git or http source. The header of its root counts;
    /// it is nearly always [`Header::default`].
    pub fn rooted(root: Header) -> Self {
        Self::new(root, false)
    }

    fn new(root: Header, is_sent: bool) -> Self {
        let mut folders = IndexVec::new();
        let root = folders.push(Folder::new(Entry::of(root, EntryKind::Folder)));
        Self { folders, root, is_sent }
    }

    /// Whether there is no entry beside the root.
    pub fn is_empty(&self) -> bool {
        self.folders[self.root].children.is_empty()
    }

    /// The entry at a path. No link is followed.
    pub fn get(&self, path: &[u8]) -> Option<&Entry> {
        Some(self.entry_of(self.node_at(path)?))
    }

    /// The names and entries in the folder at a path, in order. No link is followed; there are none if it is no folder.
    pub fn children(&self, path: &[u8]) -> impl Iterator<Item = (&[u8], &Entry)> {
        let folder = match self.node_at(path) {
            Some(TreeNode::Folder(folder)) => Some(folder),
            _ => None,
        };
        let children = folder.into_iter().flat_map(|folder| &self.folders[folder].children);
        children.map(|(name, child)| (&**name, self.entry_of(child.as_node())))
    }

    /// All entries with their paths, in order, without the root.
    pub fn iter(&self) -> impl Iterator<Item = (Vec<u8>, &Entry)> {
        self.below(b"")
    }

    /// All entries below a path with their paths, in order. No link is followed.
    pub fn below(&self, path: &[u8]) -> impl Iterator<Item = (Vec<u8>, &Entry)> + use<'_> {
        let start =
            names_of(path).iter().flat_map(|name| [b"/".as_slice(), name]).collect::<Vec<_>>().concat();
        let mut walk = self.node_at(path).map(|node| TreeWalk::new(self, node, start));
        std::iter::from_fn(move || {
            let walk = walk.as_mut()?;
            let node = walk.next()?;
            Some((without_slash(&walk.path).to_vec(), self.entry_of(node)))
        })
    }

    /// Puts an entry at a path, in place of what was there; a folder in place of a folder keeps what is in it. Folders that are
    /// missing above it are made with [`Header::default`], also in place of other entries. An entry for the root has to be a
    /// folder; any other is ignored.
    pub fn insert(&mut self, path: &[u8], entry: Entry) {
        let names = names_of(path);
        let mut folder = self.root;
        let Some((last, parents)) = names.split_last() else {
            return self.folders[folder].describe(entry);
        };
        for name in parents {
            folder = self.make_folder(folder, name);
        }
        if entry.is_folder() {
            let made = self.make_folder(folder, last);
            self.folders[made].describe(entry);
        } else {
            self.folders[folder].digest.take();
            self.folders[folder].children.insert((*last).into(), Child::Other(entry));
        }
    }

    /// Removes the entry at a path with everything below it. No link is followed. Returns whether there was one.
    pub fn remove(&mut self, path: &[u8]) -> bool {
        let names = names_of(path);
        let Some((last, parents)) = names.split_last() else { return false };
        self.node_at(path).is_some() && self.changed_folder(parents).children.remove(*last).is_some()
    }

    /// Removes everything in the folder at a path, but not the folder. No link is followed.
    pub fn clear_folder(&mut self, path: &[u8]) {
        if let Some(TreeNode::Folder(_)) = self.node_at(path) {
            self.changed_folder(&names_of(path)).children.clear();
        }
    }

    fn entry_of<'t>(&'t self, node: TreeNode<'t>) -> &'t Entry {
        match node {
            TreeNode::Other(entry) => entry,
            TreeNode::Folder(folder) => &self.folders[folder].entry,
        }
    }

    fn node_at(&self, path: &[u8]) -> Option<TreeNode<'_>> {
        let root = TreeNode::Folder(self.root);
        names_of(path).into_iter().try_fold(root, |node, name| self.child(node, name))
    }

    fn child(&self, node: TreeNode<'_>, name: &[u8]) -> Option<TreeNode<'_>> {
        match node {
            TreeNode::Folder(folder) => Some(self.folders[folder].children.get(name)?.as_node()),
            TreeNode::Other(_) => None,
        }
    }

    /// The folder at a path. It is about to change, so its digest and the digests above it are forgotten.
    fn changed_folder(&mut self, names: &[&[u8]]) -> &mut Folder {
        let folder = names.iter().fold(self.root, |folder, name| self.make_folder(folder, name));
        self.folders[folder].digest.take();
        &mut self.folders[folder]
    }

    /// The folder of this name in a folder that is about to change. It is made if it is missing.
    fn make_folder(&mut self, parent: FolderIx, name: &[u8]) -> FolderIx {
        self.folders[parent].digest.take();
        if let Some(Child::Folder(folder)) = self.folders[parent].children.get(name) {
            return *folder;
        }
        let made = self.folders.push(Folder::new(Entry::of(Header::default(), EntryKind::Folder)));
        self.folders[parent].children.insert(name.into(), Child::Folder(made));
        made
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.iter().map(|(path, entry)| (String::from_utf8_lossy(&path).into_owned(), entry));
        f.debug_map().entries(named).finish()
    }
}

impl Folder {
    fn new(entry: Entry) -> Self {
        Self { entry, children: BTreeMap::new(), digest: OnceLock::new() }
    }

    fn describe(&mut self, entry: Entry) {
        if entry.is_folder() {
            self.entry = entry;
            self.digest.take();
        }
    }
}

impl Child {
    fn as_node(&self) -> TreeNode<'_> {
        match self {
            Self::Other(entry) => TreeNode::Other(entry),
            Self::Folder(folder) => TreeNode::Folder(*folder),
        }
    }
}

impl<'t> TreeWalk<'t> {
    /// Walks what is below a node. `path` is the path under which the node is known.
    fn new(tree: &'t Tree, start: TreeNode<'t>, path: Vec<u8>) -> Self {
        Self::from_name(tree, start, path, b"")
    }

    /// Walks what is below a node by names that are not less than one.
    fn from_name(tree: &'t Tree, start: TreeNode<'t>, path: Vec<u8>, from: &'static [u8]) -> Self {
        let mut walk = Self { tree, from, above: Vec::new(), path, depth: 0 };
        walk.enter(start);
        walk
    }

    /// The next node; its path is that of the walk until the next call.
    fn next(&mut self) -> Option<TreeNode<'t>> {
        let (name, child) = loop {
            let folder = self.above.last_mut()?;
            self.path.truncate(folder.length);
            if let Some(child) = folder.children.next() {
                break child;
            }
            self.above.pop();
        };
        self.path.push(b'/');
        self.path.extend_from_slice(name);
        self.depth = self.above.len();
        self.enter(child.as_node());
        Some(child.as_node())
    }

    fn enter(&mut self, node: TreeNode<'_>) {
        if let TreeNode::Folder(folder) = node {
            let from: Bound<&[u8]> = Bound::Included(self.from);
            let children = self.tree.folders[folder].children.range::<[u8], _>((from, Bound::Unbounded));
            self.above.push(FolderWalk { length: self.path.len(), children });
        }
    }
}

/// The shortest form of a path in a tree, without a `/` in front: without `.` and empty parts; each `..` takes away the part
/// before it.
pub fn clean_path(path: &[u8]) -> Vec<u8> {
    names_of(path).join(&b'/')
}

/// The names that a path is made of, from the root.
fn names_of(path: &[u8]) -> Vec<&[u8]> {
    let mut names = Vec::new();
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            _ => names.push(name),
        }
    }
    names
}

fn without_slash(path: &[u8]) -> &[u8] {
    path.strip_prefix(b"/").unwrap_or(path)
}
