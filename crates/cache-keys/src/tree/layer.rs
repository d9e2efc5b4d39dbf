//! A layer: what its archive adds to the layers below it, and what it hides of them.
//!
//! The rules are those by which containerd unpacks a layer for an overlay (`pkg/archive`), and the whiteouts of the OCI image
//! specification (`layer.md`). It knows entries and names; the format of the archive is known elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use super::layer_error::LayerError;
use super::{Entry, EntryKind, Header, Tree, TreeNode, TreePath, names_of};

/// What the name of a file begins with that hides another.
const WHITEOUT: &[u8] = b".wh.";
/// The name of the file that hides all of a folder of the layers below.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// The longest path, and the longest text of a link, that Linux takes.
const MAX_PATH: usize = 4095;
/// How many names are looked up for links in a whole layer. Archives have the real paths of their entries, so links are hardly
/// ever followed; without a bound an archive could ask for years of work.
const MAX_LINK_WORK: usize = 1 << 22;

/// What a layer adds to the layers below it, and what it hides of them.
///
/// An archive is added to it entry by entry, in order. Of several entries with one name the last one counts. A name stays inside
/// of the root: it is cleaned first, `..` leads no higher, and a link on the way that the layer itself has made is followed
/// from there. A link of a layer below is not followed; a folder takes its place. An entry for the root is ignored.
///
/// ```
/// use cache_keys::{Entry, EntryKind, Header, LayerEntry, LayerTree, Tree};
///
/// let mut below = Tree::rooted(Header::default());
/// below.insert(b"etc/old", Entry::of(Header::new(0o644, 0, 0), EntryKind::File { size: 0 }));
///
/// let mut layer = LayerTree::default();
/// let new = Entry::of(Header::new(0o644, 0, 0), EntryKind::File { size: 0 });
/// layer.add(b"./etc/new", LayerEntry::Entry(new.clone()))?;
/// layer.add(b"./etc/.wh.old", LayerEntry::Entry(new))?;
/// below.apply(&layer)?;
/// assert!(below.get(b"etc/new").is_some() && below.get(b"etc/old").is_none());
/// # Ok::<(), cache_keys::LayerError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LayerTree {
    /// The entries of the archive, with folders above them.
    own: Tree,
    /// The folders that an entry of the archive describes.
    described: BTreeSet<Vec<u8>>,
    whiteouts: BTreeSet<Vec<u8>>,
    opaque: BTreeSet<Vec<u8>>,
    links_below: BTreeMap<Vec<u8>, LinkBelow>,
    oddities: BTreeMap<Vec<u8>, LayerOddity>,
    contents: BTreeMap<Vec<u8>, Vec<u8>>,
    limits: LayerLimits,
    added: usize,
    name_bytes: usize,
    link_work: usize,
}

/// How much a [`LayerTree`] takes, since its memory grows with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerLimits {
    /// How many entries, with the folders above them that have none.
    pub entries: usize,
    /// How many bytes of paths, targets of links and extended attributes.
    pub name_bytes: usize,
}

/// An entry of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerEntry {
    /// A file, folder, symlink, device or pipe. If its name begins with `.wh.` it hides entries, whatever it is.
    Entry(Entry),
    /// Another name for an earlier entry.
    HardLink {
        /// The name of that entry.
        target: Vec<u8>,
        /// The header, which has to be that of the entry.
        header: Header,
    },
}

/// A hard link to a file of a layer below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkBelow {
    /// The path of the file.
    pub target: Vec<u8>,
    /// The header that the archive has for the link.
    pub header: Header,
}

/// What is odd about an entry of an archive: BuildKit writes no layer with it. Unpacking takes it all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LayerOddity {
    /// The archive has two entries for the path. The last one counts.
    Repeated,
    /// Its name leads through a link of the layer, or is not clean.
    ThroughLink,
    /// It gives another header to the root.
    Root,
    /// It has extended attributes beside capabilities.
    Attributes,
}

impl LayerTree {
    /// A layer without entries.
    pub fn new(limits: LayerLimits) -> Self {
        Self {
            own: Tree::rooted(Header::default()),
            described: BTreeSet::new(),
            whiteouts: BTreeSet::new(),
            opaque: BTreeSet::new(),
            links_below: BTreeMap::new(),
            oddities: BTreeMap::new(),
            contents: BTreeMap::new(),
            limits,
            added: 0,
            name_bytes: 0,
            link_work: 0,
        }
    }

    /// The entries of the layer, with folders above them that it may not describe. Hard links to files below are not in it.
    pub fn tree(&self) -> &Tree {
        &self.own
    }

    /// Whether the archive has an entry for the folder at a path. The header of another folder is that of the layers below.
    pub fn describes_folder(&self, path: &[u8]) -> bool {
        self.described.contains(path)
    }

    /// The entries that the archive has, by path. Hard links to files below are not among them.
    pub fn entries(&self) -> impl Iterator<Item = (Vec<u8>, &Entry)> {
        self.own.iter().filter(|(path, entry)| !entry.is_folder() || self.describes_folder(path))
    }

    /// The paths that are hidden of the layers below, with all below them.
    pub fn whiteouts(&self) -> impl Iterator<Item = &[u8]> {
        self.whiteouts.iter().map(Vec::as_slice)
    }

    /// The folders whose content in the layers below is hidden.
    pub fn opaque_folders(&self) -> impl Iterator<Item = &[u8]> {
        self.opaque.iter().map(Vec::as_slice)
    }

    /// The hard links to files of the layers below, by path.
    pub fn links_below(&self) -> impl Iterator<Item = (&[u8], &LinkBelow)> {
        self.links_below.iter().map(|(path, link)| (path.as_slice(), link))
    }

    /// Whether a path is hidden of the layers below, by an entry of its own.
    pub fn hides(&self, path: &[u8]) -> bool {
        self.whiteouts.contains(path)
    }

    /// Whether the content of a folder in the layers below is hidden.
    pub fn is_opaque(&self, path: &[u8]) -> bool {
        self.opaque.contains(path)
    }

    /// The entries that BuildKit would not have written, by their paths.
    pub fn oddities(&self) -> impl Iterator<Item = (&[u8], LayerOddity)> {
        self.oddities.iter().map(|(path, oddity)| (path.as_slice(), *oddity))
    }

    /// The bytes of a file, if they were [kept](Self::keep_content).
    pub fn content(&self, path: &[u8]) -> Option<&[u8]> {
        let bytes = self.contents.get(path)?;
        let size = bytes.len() as u64;
        self.own.get(path).filter(|entry| *entry.kind() == EntryKind::File { size })?;
        Some(bytes)
    }

    /// Whether the layer changes nothing.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty()
            && self.whiteouts.is_empty()
            && self.opaque.is_empty()
            && self.links_below.is_empty()
    }

    /// Adds the next entry of the archive, under its name in the archive.
    ///
    /// # Errors
    ///
    /// containerd would fail on it, too, or its meaning depends on how containerd is set up, or a limit is exceeded. The layer
    /// is then of no use.
    pub fn add(&mut self, name: &[u8], entry: LayerEntry) -> Result<(), LayerError> {
        self.count(name, &entry)?;
        let names = names_of(name);
        let Some((base, parents)) = names.split_last() else {
            if matches!(&entry, LayerEntry::Entry(root) if root.header() != &Header::default()) {
                self.note(name, LayerOddity::Root);
            }
            return Ok(());
        };
        let parent = self.place(name, parents)?;
        if parent.iter().map(Vec::as_slice).ne(parents.iter().copied()) {
            self.note(name, LayerOddity::ThroughLink);
        }
        self.make_folders(&parent)?;
        if *base == OPAQUE {
            self.opaque.insert(parent.join(&b'/'));
            return Ok(());
        }
        if let Some(hidden) = base.strip_prefix(WHITEOUT) {
            return self.hide(name, parent, hidden);
        }
        let path = path_below(parent, base);
        let known =
            self.own.get(&path).is_some_and(|known| !known.is_folder() || self.described.contains(&path));
        if known || self.links_below.contains_key(&path) {
            self.note(name, LayerOddity::Repeated);
        }
        match entry {
            LayerEntry::Entry(entry) => self.put(path, entry),
            LayerEntry::HardLink { target, header } => self.link(path, &target, header)?,
        }
        self.check_limit()
    }

    /// Notes that the entry of this name is odd. What is noted first stays.
    pub fn note(&mut self, name: &[u8], oddity: LayerOddity) {
        self.oddities.entry(names_of(name).join(&b'/')).or_insert(oddity);
    }

    /// Keeps the bytes of the file that was added last under this name. They count as bytes of names.
    ///
    /// # Errors
    ///
    /// A limit is exceeded. The layer is then of no use.
    pub fn keep_content(&mut self, name: &[u8], bytes: Vec<u8>) -> Result<(), LayerError> {
        self.name_bytes += bytes.len();
        self.contents.insert(names_of(name).join(&b'/'), bytes);
        self.check_limit()
    }

    fn count(&mut self, name: &[u8], entry: &LayerEntry) -> Result<(), LayerError> {
        let (target, header): (&[u8], _) = match entry {
            LayerEntry::HardLink { target, header } => (target, header),
            LayerEntry::Entry(entry) => match entry.kind() {
                EntryKind::Symlink { target } => (target, entry.header()),
                _ => (b"", entry.header()),
            },
        };
        if name.len().max(target.len()) > MAX_PATH {
            let start = name.get(..MAX_PATH.min(name.len())).unwrap_or_default();
            return Err(LayerError::TooLong { name: TreePath(start.to_vec()) });
        }
        let attributes: usize = header.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.added += 1;
        self.name_bytes += name.len() + target.len() + attributes;
        self.check_limit()
    }

    fn check_limit(&self) -> Result<(), LayerError> {
        let LayerLimits { entries, name_bytes } = self.limits;
        // Folders that were replaced count, too: they need memory until the layer is dropped.
        match self.added + self.own.folders.len() {
            count if count > entries => Err(LayerError::TooManyEntries { limit: entries }),
            _ if self.name_bytes > name_bytes => Err(LayerError::TooManyNames { limit: name_bytes }),
            _ => Ok(()),
        }
    }

    /// The real names of a folder of this layer: links on the way are followed inside of the layer. What is missing needs no
    /// link followed.
    fn place(&mut self, name: &[u8], parents: &[&[u8]]) -> Result<Vec<Vec<u8>>, LayerError> {
        let path = parents.join(&b'/');
        let way = self.own.way(&path, true, &mut self.link_work);
        let way = way.filter(|_| self.link_work <= MAX_LINK_WORK);
        let way = way.ok_or_else(|| LayerError::TooManyLinks { name: TreePath(name.to_vec()) })?;
        if way.iter().any(|(_, node)| matches!(node, Some(TreeNode::Other(_)))) {
            return Err(LayerError::BelowFile { name: TreePath(name.to_vec()) });
        }
        let names: Vec<Vec<u8>> = way.into_iter().map(|(name, _)| name.to_vec()).collect();
        match self.is_below_link(&names) {
            true => Err(LayerError::BelowFile { name: TreePath(name.to_vec()) }),
            false => Ok(names),
        }
    }

    fn is_below_link(&self, names: &[Vec<u8>]) -> bool {
        let mut path = Vec::new();
        !self.links_below.is_empty()
            && names.iter().any(|name| {
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(name);
                self.links_below.contains_key(&path)
            })
    }

    /// Makes the folders that are missing. The path of each counts as a name, since so few bytes of an archive can ask for many.
    fn make_folders(&mut self, names: &[Vec<u8>]) -> Result<(), LayerError> {
        let (mut folder, mut path_bytes) = (self.own.root, 0);
        for name in names {
            let known = self.own.folders.len();
            folder = self.own.make_folder(folder, name);
            path_bytes += name.len() + 1;
            if self.own.folders.len() > known {
                self.name_bytes += path_bytes;
            }
        }
        self.check_limit()
    }

    fn hide(&mut self, name: &[u8], parent: Vec<Vec<u8>>, hidden: &[u8]) -> Result<(), LayerError> {
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(LayerError::InvalidWhiteout { name: TreePath(name.to_vec()) });
        }
        let path = path_below(parent, hidden);
        if self.own.get(&path).is_some() || self.links_below.contains_key(&path) {
            return Err(LayerError::HiddenEntry { name: TreePath(name.to_vec()) });
        }
        self.whiteouts.insert(path);
        Ok(())
    }

    fn put(&mut self, path: Vec<u8>, entry: Entry) {
        let is_folder = entry.is_folder();
        match is_folder {
            // A folder in place of a folder keeps what is in it.
            true => drop(self.links_below.remove(&path)),
            false => self.forget(&path),
        }
        self.own.insert(&path, entry);
        if is_folder {
            self.described.insert(path);
        }
    }

    fn link(&mut self, path: Vec<u8>, target: &[u8], header: Header) -> Result<(), LayerError> {
        let names: Vec<&[u8]> = target.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
        let target = match names.split_last() {
            Some((base, parents)) if !matches!(*base, b"." | b"..") => {
                path_below(self.place(target, parents)?, base)
            }
            _ => return Err(no_link(&path, target)),
        };
        // As in the unpacking, the entry goes first. So no link to itself can be made.
        self.forget(&path);
        self.own.remove(&path);
        if let Some(entry) = self.own.get(&target) {
            let entry = linked(&path, &target, entry, &header)?;
            self.own.insert(&path, entry);
        } else {
            let target = self.links_below.get(&target).map_or(target, |link| link.target.clone());
            self.links_below.insert(path, LinkBelow { target, header });
        }
        Ok(())
    }

    /// Forgets what is known of a path and of everything below it, because another entry takes its place.
    fn forget(&mut self, path: &[u8]) {
        self.links_below.remove(path);
        if self.own.get(path).is_some_and(Entry::is_folder) {
            // The byte after `/`: so the range has exactly the paths below this one.
            let inside = [path, b"/"].concat()..[path, b"0"].concat();
            for set in [&mut self.described, &mut self.whiteouts, &mut self.opaque] {
                set.remove(path);
                set.extract_if(inside.clone(), |_| true).for_each(drop);
            }
            self.links_below.extract_if(inside, |_, _| true).for_each(drop);
        }
    }
}

impl Default for LayerTree {
    fn default() -> Self {
        Self::new(LayerLimits::default())
    }
}

impl Default for LayerLimits {
    /// A million entries, with 256 bytes each for names.
    fn default() -> Self {
        Self { entries: 1 << 20, name_bytes: 1 << 28 }
    }
}

impl Tree {
    /// Lays a layer on this tree.
    ///
    /// # Errors
    ///
    /// The layer has a hard link to a file that this tree lacks or has with another header. The tree is then of no use.
    pub fn apply(&mut self, layer: &LayerTree) -> Result<(), LayerError> {
        let linked = layer.links_below().map(|(path, link)| {
            let target = self.get(&link.target).ok_or_else(|| no_link(path, &link.target))?;
            Ok((path, linked(path, &link.target, target, &link.header)?))
        });
        let linked: Vec<_> = linked.collect::<Result<_, LayerError>>()?;
        for folder in layer.opaque_folders() {
            self.clear_folder(folder);
        }
        for path in layer.whiteouts() {
            self.remove(path);
        }
        for (path, entry) in layer.own.iter() {
            let is_kept = entry.is_folder()
                && !layer.describes_folder(&path)
                && self.get(&path).is_some_and(Entry::is_folder);
            if !is_kept {
                self.insert(&path, entry.clone());
            }
        }
        for (path, entry) in linked {
            self.insert(path, entry);
        }
        Ok(())
    }
}

/// The entry that a hard link is.
///
/// Unpacking sets the mode and owner of the link on the file, hence for all its names. The digests under the new header would
/// need the bytes, so only a link with the header of the file is taken; no program writes others.
fn linked(path: &[u8], target: &[u8], entry: &Entry, header: &Header) -> Result<Entry, LayerError> {
    if entry.is_folder() {
        return Err(no_link(path, target));
    }
    let expected = Entry::of(header.clone(), entry.kind().clone());
    if entry.header() != expected.header() {
        let (name, target) = (TreePath(path.to_vec()), TreePath(target.to_vec()));
        return Err(LayerError::OtherHeader { name, target });
    }
    Ok(entry.clone())
}

fn no_link(path: &[u8], target: &[u8]) -> LayerError {
    LayerError::NoTarget { name: TreePath(path.to_vec()), target: TreePath(target.to_vec()) }
}

fn path_below(mut parent: Vec<Vec<u8>>, name: &[u8]) -> Vec<u8> {
    parent.push(name.to_vec());
    parent.join(&b'/')
}
