//! The trees and the selections of the reference as those of `cache-keys`, and what a client sends of a tree.
//!
//! The fuzz target and the tests of `cache-keys` both compile this file. It checks nothing.

use cache_keys::{
    ContentSelector, DeviceNumber, Entry, EntryHasher, EntryKind, Header, PatternError, SentFilter,
    SentFolder, Tree,
};
use reference::{ContentEntry, ContentKind, ContentSelection, ContentTree};

/// A tree with the entries put in from the last one on.
pub(crate) fn tree(reference: &ContentTree) -> Tree {
    let mut tree = if reference.is_sent { Tree::sent() } else { Tree::rooted(Header::default()) };
    for (key, value) in reference.entries.iter().rev() {
        if !key.is_empty() || !reference.is_sent {
            tree.insert(&path(key), entry(value));
        }
    }
    tree
}

pub(crate) fn entry(entry: &ContentEntry) -> Entry {
    let xattrs = entry.xattrs.iter().map(|(name, value)| (name.clone(), value.clone()));
    let header = Header::new(entry.mode, entry.uid, entry.gid).with_xattrs(xattrs);
    let kind = match &entry.kind {
        ContentKind::File(data) => {
            let size = data.len() as u64;
            let mut hasher = EntryHasher::new(&header, &EntryKind::File { size });
            hasher.update(data);
            return Entry::file(header, size, hasher.finish());
        }
        ContentKind::Folder => EntryKind::Folder,
        ContentKind::Link(target) => EntryKind::Symlink { target: target.clone() },
        ContentKind::Device(major, minor) => {
            EntryKind::CharDevice(DeviceNumber { major: *major, minor: *minor })
        }
        ContentKind::Fifo => EntryKind::Fifo,
    };
    Entry::of(header, kind)
}

/// The path of a key of the reference, which has zeros in the place of slashes.
pub(crate) fn path(key: &[u8]) -> Vec<u8> {
    key.iter().map(|byte| if *byte == 0 { b'/' } else { *byte }).collect()
}

pub(crate) fn selector(selection: &ContentSelection) -> ContentSelector {
    let mut selector = ContentSelector::new(&selection.path);
    (selector.wildcard, selector.follow) = (selection.wildcard, selection.follow);
    (selector.include, selector.exclude) = (selection.include.clone(), selection.exclude.clone());
    selector
}

/// The paths that a client sends, with the folders above them, by a walk that enters only folders that the filter names.
pub(crate) fn sent_paths(tree: &Tree, filter: &SentFilter) -> Result<Vec<Vec<u8>>, PatternError> {
    let mut sent = Tree::sent();
    let mut left: Vec<(Vec<u8>, SentFolder)> = vec![(Vec::new(), filter.root())];
    while let Some((above, known)) = left.pop() {
        for (name, entry) in tree.children(&above) {
            let path = if above.is_empty() { name.to_vec() } else { [&above, name].join(&b'/') };
            let verdict = filter.check(&known, &path, entry.is_folder())?;
            if verdict.is_sent {
                sent.insert(&path, entry.clone());
            }
            left.extend(verdict.folder.map(|known| (path, known)));
        }
    }
    Ok(sent.iter().map(|(path, _)| path).collect())
}

/// The paths of a tree that the reference sends.
pub(crate) fn paths(sent: &ContentTree) -> Vec<Vec<u8>> {
    sent.entries.keys().skip(1).map(|key| path(&key[1..])).collect()
}
