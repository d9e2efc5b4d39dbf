//! A model of a disk: which changes survive a loss of power, and which may.
//!
//! It promises less than any file system. An fsync of a file makes its content durable, not its name. An fsync of a folder
//! makes the names in it durable, not the content below. Every other change may survive or not, independently of earlier
//! and later ones. A rename is two such changes: the new name, and the loss of the old one. It touches no real file.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::recorder::Change;

type Names = BTreeMap<OsString, usize>;

/// A disk, with the changes that are not durable yet.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    /// Files and folders by number; the first is the root, which always exists.
    nodes: Vec<Node>,
    /// Changes of names that no fsync of their folder has covered yet, in order.
    unsure: Vec<NameChange>,
}

#[derive(Clone, Debug)]
enum Node {
    Folder {
        durable: Names,
        now: Names,
    },
    File {
        durable: Vec<u8>,
        /// Writes since the last fsync.
        unsure: Vec<(usize, Arc<[u8]>)>,
    },
}

/// A name in a folder that is given to a node, or removed.
#[derive(Clone, Debug)]
struct NameChange {
    folder: usize,
    name: OsString,
    node: Option<usize>,
}

/// The fate of the writes that no fsync has covered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Data {
    Lost,
    Kept,
    /// The first half of them is kept, and half of the write in the middle.
    Torn,
    /// The file has its full length, with zeros in the place of the written bytes.
    Zeros,
}

/// The content of a disk after a loss of power.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct DiskContent(pub(crate) BTreeMap<std::path::PathBuf, Entry>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Entry {
    Folder,
    File(Vec<u8>),
}

impl Disk {
    /// A disk with nothing on it.
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::Folder { durable: Names::new(), now: Names::new() }], unsure: Vec::new() }
    }

    /// The number of changes of names that may be lost.
    pub(crate) fn unsure_names(&self) -> usize {
        self.unsure.len()
    }

    /// Applies a change.
    pub(crate) fn apply(&mut self, change: &Change) -> Result<()> {
        match change {
            Change::CreateFolder(path) => {
                self.add(path, Node::Folder { durable: Names::new(), now: Names::new() })
            }
            Change::CreateFile(path) if self.find(path).is_some() => Ok(()),
            Change::CreateFile(path) => {
                self.add(path, Node::File { durable: Vec::new(), unsure: Vec::new() })
            }
            Change::Write { path, offset, bytes } => match self.node(path)? {
                Node::File { unsure, .. } => {
                    unsure.push((*offset, bytes.clone()));
                    Ok(())
                }
                Node::Folder { .. } => bail!("{} is a folder", path.display()),
            },
            Change::SyncFile(path) => {
                if let Node::File { durable, unsure } = self.node(path)? {
                    unsure.drain(..).for_each(|(offset, bytes)| write(durable, offset, &bytes));
                }
                Ok(())
            }
            Change::SyncFolder(path) => self.sync_folder(path),
            Change::Rename(from, to) => {
                let node = self.find(from).with_context(|| format!("{} is not there", from.display()))?;
                self.name(to, Some(node))?;
                self.name(from, None)
            }
            Change::Remove(path) => self.name(path, None),
        }
    }

    /// The content after a loss of power that keeps exactly the unsynced changes of names for whose number `keep` is true,
    /// and treats the unsynced writes of each file as `data` says.
    pub(crate) fn left(&self, keep: impl Fn(usize) -> bool, mut data: impl FnMut() -> Data) -> DiskContent {
        let mut names: Vec<Names> = self
            .nodes
            .iter()
            .map(|node| if let Node::Folder { durable, .. } = node { durable.clone() } else { Names::new() })
            .collect();
        for (number, change) in self.unsure.iter().enumerate() {
            if let Some(names) = names.get_mut(change.folder).filter(|_| keep(number)) {
                change.make(names);
            }
        }
        let mut left = DiskContent::default();
        let mut waiting = vec![(std::path::PathBuf::new(), 0)];
        while let Some((path, number)) = waiting.pop() {
            match self.nodes.get(number) {
                Some(Node::Folder { .. }) => {
                    for (name, node) in names.get(number).into_iter().flatten() {
                        waiting.push((path.join(name), *node));
                    }
                    left.0.insert(path, Entry::Folder);
                }
                Some(Node::File { durable, unsure }) => {
                    left.0.insert(path, Entry::File(content(durable, unsure, &mut data)));
                }
                None => {}
            }
        }
        left
    }

    fn find(&self, path: &Path) -> Option<usize> {
        let mut number = 0;
        for name in path {
            number = match self.nodes.get(number)? {
                Node::Folder { now, .. } => *now.get(name)?,
                Node::File { .. } => return None,
            };
        }
        Some(number)
    }

    fn node(&mut self, path: &Path) -> Result<&mut Node> {
        let number = self.find(path);
        number
            .and_then(|number| self.nodes.get_mut(number))
            .with_context(|| format!("{} is not there", path.display()))
    }

    fn add(&mut self, path: &Path, node: Node) -> Result<()> {
        self.nodes.push(node);
        self.name(path, Some(self.nodes.len() - 1))
    }

    fn name(&mut self, path: &Path, node: Option<usize>) -> Result<()> {
        let folder = path.parent().and_then(|parent| self.find(parent));
        let (Some(folder), Some(name)) = (folder, path.file_name().map(OsStr::to_owned)) else {
            bail!("{} has no folder", path.display());
        };
        let change = NameChange { folder, name, node };
        if let Some(Node::Folder { now, .. }) = self.nodes.get_mut(folder) {
            change.make(now);
        }
        self.unsure.push(change);
        Ok(())
    }

    fn sync_folder(&mut self, path: &Path) -> Result<()> {
        let number = self.find(path).with_context(|| format!("{} is not there", path.display()))?;
        let (covered, unsure): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.unsure).into_iter().partition(|change| change.folder == number);
        self.unsure = unsure;
        if let Some(Node::Folder { durable, .. }) = self.nodes.get_mut(number) {
            covered.iter().for_each(|change| change.make(durable));
        }
        Ok(())
    }
}

impl NameChange {
    fn make(&self, names: &mut Names) {
        match self.node {
            Some(node) => names.insert(self.name.clone(), node),
            None => names.remove(&self.name),
        };
    }
}

fn content(durable: &[u8], unsure: &[(usize, Arc<[u8]>)], data: &mut impl FnMut() -> Data) -> Vec<u8> {
    let mut content = durable.to_vec();
    if unsure.is_empty() {
        return content;
    }
    match data() {
        Data::Lost => {}
        Data::Kept => unsure.iter().for_each(|(offset, bytes)| write(&mut content, *offset, bytes)),
        Data::Torn => {
            let middle = unsure.len() / 2;
            for (offset, bytes) in unsure.iter().take(middle) {
                write(&mut content, *offset, bytes);
            }
            if let Some((offset, bytes)) = unsure.get(middle) {
                write(&mut content, *offset, bytes.get(..bytes.len() / 2).unwrap_or_default());
            }
        }
        Data::Zeros => {
            let end = unsure.iter().map(|(offset, bytes)| offset + bytes.len()).max().unwrap_or_default();
            content.resize(end.max(content.len()), 0);
        }
    }
    content
}

fn write(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    if let Some(place) = content.get_mut(offset..end) {
        place.copy_from_slice(bytes);
    }
}
