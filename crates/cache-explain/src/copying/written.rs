//! A tree while actions change it, with what they wrote.

use std::collections::{BTreeMap, BTreeSet};

use cache_keys::{Entry, EntryKind, Header, Tree};

use crate::copying::cannot_carry_out::CannotCarryOut;
use crate::copying::paths::{above, through_links};

/// The tree of a step while its actions are carried out.
pub(crate) struct WrittenTree {
    /// The tree as it is by now. An entry that got another header has the digest of its source if its own is not known, so
    /// digests count only where nothing was written.
    pub(crate) tree: Tree,
    /// What was written, by path. What was written and then removed is not in it.
    pub(crate) writes: BTreeMap<Vec<u8>, Write>,
    /// What was removed. It may have been written again.
    pub(crate) removed: BTreeSet<Vec<u8>>,
}

/// An entry that was written.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// The entry as it is in the source.
    pub(crate) entry: Entry,
    /// The header that it got.
    pub(crate) header: Header,
}

impl WrittenTree {
    pub(crate) fn new(tree: Tree) -> Self {
        Self { tree, writes: BTreeMap::new(), removed: BTreeSet::new() }
    }

    /// Where a path leads by now.
    pub(crate) fn through_links(&self, path: &[u8]) -> Result<Vec<u8>, CannotCarryOut> {
        through_links(&self.tree, path).ok_or_else(|| CannotCarryOut::TooManyLinks(path.to_vec()))
    }

    /// Puts an entry at a path without links. The folder above it has to be there.
    pub(crate) fn put(&mut self, path: &[u8], entry: &Entry, header: Header) -> Result<(), CannotCarryOut> {
        let is_replaced = self.tree.get(path).is_some_and(|old| old.is_folder() && !entry.is_folder());
        if is_replaced && !path.is_empty() {
            return Err(CannotCarryOut::FolderInTheWay(path.to_vec()));
        }
        self.tree.insert(path, entry.under(&header).unwrap_or_else(|| entry.clone()));
        self.writes.insert(path.to_vec(), Write { entry: entry.clone(), header });
        Ok(())
    }

    /// Gives a folder a header.
    pub(crate) fn put_folder(&mut self, path: &[u8], header: Header) -> Result<(), CannotCarryOut> {
        if self.tree.get(path).is_some_and(|old| !old.is_folder()) {
            return Err(CannotCarryOut::NoFolder(path.to_vec()));
        }
        self.put(path, &Entry::of(header.clone(), EntryKind::Folder), header)
    }

    /// Makes the folders on a path without links that are missing.
    pub(crate) fn make_folders(&mut self, path: &[u8], header: &Header) -> Result<(), CannotCarryOut> {
        for folder in above(path).chain([path]) {
            match self.tree.get(folder) {
                Some(entry) if entry.is_folder() => {}
                Some(_) => return Err(CannotCarryOut::NoFolder(folder.to_vec())),
                None => self.put_folder(folder, header.clone())?,
            }
        }
        Ok(())
    }

    /// Removes what is at a path, with everything below it.
    pub(crate) fn remove(&mut self, path: &[u8]) {
        if self.tree.remove(path) {
            self.removed.insert(path.to_vec());
        }
        self.writes.remove(path);
        // What is below a folder begins with its path and a slash; `0` is the byte after the slash.
        let below = [path, b"/"].concat()..[path, b"0"].concat();
        let below: Vec<Vec<u8>> = self.writes.range(below).map(|(written, _)| written.clone()).collect();
        for written in below {
            self.writes.remove(&written);
        }
    }
}
