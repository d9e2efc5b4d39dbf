//! Compares the files that a step read in two builds.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use cache_keys::{Entry, EntryKind, Header, LayerTree};

use crate::{FileChange, FileChangeKind, FileFacts, FileType};

/// Files by their paths in the source, and how far their headers are those of the source.
#[derive(Debug, Default)]
pub(crate) struct SourceFiles<'t> {
    /// In the order of a tree: by bytes, with `/` before every other byte; each path once.
    pub(crate) entries: Vec<(Vec<u8>, &'t Entry)>,
    /// Paths of which these files cannot say anything.
    pub(crate) lost: BTreeSet<Vec<u8>>,
    /// What the copying has replaced.
    pub(crate) replaced: ReplacedHeader,
}

/// The parts of headers that are not those of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplacedHeader {
    pub(crate) mode: bool,
    pub(crate) owner: bool,
    pub(crate) xattrs: bool,
}

/// The header under which files have to be hashed beside their own, in folders and layers, so that files of different modes or
/// owners can be compared.
///
/// Most files have this header anyway: then nothing is hashed twice.
pub fn comparison_header() -> Header {
    Header::new(0o644, 0, 0)
}

/// The order of a tree's paths.
pub(crate) fn tree_order(a: &[u8], b: &[u8]) -> Ordering {
    let slash_first = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    a.iter().map(slash_first).cmp(b.iter().map(slash_first))
}

/// What differs between older and newer files, in the order of the paths. What one side cannot tell is left out.
pub(crate) fn changed_files(old: &SourceFiles<'_>, new: &SourceFiles<'_>) -> Vec<FileChange> {
    let replaced = old.replaced.or(new.replaced);
    let is_lost = |path: &[u8]| old.lost.contains(path) || new.lost.contains(path);
    let mut changes = Vec::new();
    let (mut old, mut new) = (old.entries.iter().peekable(), new.entries.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some((old, _)), Some((new, _))) => tree_order(old, new),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        let (old, new) = (old.next_if(|_| order.is_le()), new.next_if(|_| order.is_ge()));
        let Some((path, _)) = new.or(old) else { break };
        let (old, new) = (old.map(|(_, entry)| *entry), new.map(|(_, entry)| *entry));
        let change = match (old, new) {
            _ if is_lost(path) => None,
            (None, _) => Some(FileChangeKind::Added),
            (_, None) => Some(FileChangeKind::Removed),
            (Some(old), Some(new)) => changed_entry(old, new, replaced),
        };
        if let Some(change) = change {
            let (old, new) = (old.map(facts), new.map(facts));
            changes.push(FileChange { path: path.clone(), change, old, new });
        }
    }
    changes
}

/// What differs between two entries: the first that applies.
///
/// If it is not known whether the bytes differ, the difference of the headers is reported.
fn changed_entry(old: &Entry, new: &Entry, replaced: ReplacedHeader) -> Option<FileChangeKind> {
    let (old_header, new_header) = (old.header(), new.header());
    if facts(old).kind != facts(new).kind {
        Some(FileChangeKind::Type)
    } else if old.same_bytes(new) == Some(false) {
        Some(FileChangeKind::Modified)
    } else if old_header.mode != new_header.mode && !replaced.mode {
        Some(FileChangeKind::Mode)
    } else if (old_header.uid, old_header.gid) != (new_header.uid, new_header.gid) && !replaced.owner {
        Some(FileChangeKind::Owner)
    } else if old_header.xattrs != new_header.xattrs && !replaced.xattrs {
        Some(FileChangeKind::Xattr)
    } else {
        None
    }
}

fn facts(entry: &Entry) -> FileFacts {
    let header = entry.header();
    let (kind, size) = match entry.kind() {
        EntryKind::File { size } => (FileType::File, *size),
        EntryKind::Folder => (FileType::Folder, 0),
        EntryKind::Symlink { .. } => (FileType::Symlink, 0),
        _ => (FileType::Special, 0),
    };
    FileFacts { kind, size, mode: header.mode, uid: header.uid, gid: header.gid }
}

impl<'t> SourceFiles<'t> {
    /// All entries of a layer, by their paths in it.
    pub(crate) fn of_layer(layer: &'t LayerTree) -> Self {
        Self { entries: layer.entries().collect(), ..Self::default() }
    }
}

impl ReplacedHeader {
    fn or(self, other: Self) -> Self {
        Self {
            mode: self.mode || other.mode,
            owner: self.owner || other.owner,
            xattrs: self.xattrs || other.xattrs,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use cache_keys::EntryHasher;

    use super::*;

    /// A file whose bytes are known under its own header and under a common one.
    fn file(mode: u32, uid: u32, bytes: &[u8]) -> Entry {
        let size = bytes.len() as u64;
        let digest = |header: &Header| {
            let mut hasher = EntryHasher::new(header, &EntryKind::File { size });
            hasher.update(bytes);
            hasher.finish()
        };
        let (own, common) = (Header::new(mode, uid, 0), comparison_header());
        Entry::file(own.clone(), size, digest(&own)).with_digest_as(common.clone(), digest(&common))
    }

    fn files<'t>(entries: &'t [(&str, Entry)]) -> SourceFiles<'t> {
        let entries = entries.iter().map(|(path, entry)| (path.as_bytes().to_vec(), entry)).collect();
        SourceFiles { entries, ..SourceFiles::default() }
    }

    #[track_caller]
    fn check(old: &SourceFiles<'_>, new: &SourceFiles<'_>, expected: &[(&str, &str)]) {
        let changes = changed_files(old, new);
        let found: Vec<_> = changes
            .iter()
            .map(|change| (str::from_utf8(&change.path).unwrap(), change.change.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn files_differ_in_one_way_each_in_the_order_of_a_tree() {
        let folder = || Entry::of(Header::new(0o755, 0, 0), EntryKind::Folder);
        let link = |target: &[u8]| {
            Entry::of(Header::new(0o777, 0, 0), EntryKind::Symlink { target: target.to_vec() })
        };
        let attributes = Header::new(0o755, 0, 0).with_xattrs([(b"user.a".to_vec(), b"1".to_vec())]);
        let old = [
            ("a", folder()),
            ("a/b", file(0o644, 0, b"same")),
            ("a-b", file(0o644, 0, b"gone")),
            ("bytes", file(0o644, 0, b"one")),
            ("link", link(b"one")),
            ("mode", file(0o644, 0, b"same")),
            ("owner", file(0o644, 0, b"same")),
            ("type", folder()),
            ("xattr", folder()),
        ];
        let new = [
            ("a", folder()),
            ("a/b", file(0o644, 0, b"same")),
            ("a/c", file(0o644, 0, b"came")),
            ("bytes", file(0o600, 0, b"two")),
            ("link", link(b"two")),
            ("mode", file(0o755, 7, b"same")),
            ("owner", file(0o644, 7, b"same")),
            ("type", link(b"one")),
            ("xattr", Entry::of(attributes, EntryKind::Folder)),
        ];
        let expected = [
            ("a/c", "added"),
            ("a-b", "removed"),
            ("bytes", "modified"),
            ("link", "modified"),
            ("mode", "mode"),
            ("owner", "owner"),
            ("type", "type"),
            ("xattr", "xattr"),
        ];
        check(&files(&old), &files(&new), &expected);
        check(&files(&old), &files(&old), &[]);
    }

    #[test]
    fn what_the_copying_replaced_is_not_compared() {
        let old =
            [("a", file(0o600, 7, b"same")), ("b", file(0o600, 0, b"one")), ("top", file(0o600, 0, b""))];
        let new = [("a", file(0o644, 0, b"same")), ("b", file(0o644, 0, b"two"))];
        let mut old = files(&old);
        old.replaced = ReplacedHeader { mode: true, owner: true, xattrs: true };
        old.lost.insert(b"top".to_vec());
        check(&old, &files(&new), &[("b", "modified")]);
        check(&files(&new), &old, &[("b", "modified")]);
    }

    #[test]
    fn files_that_were_never_hashed_alike_differ_in_their_headers() {
        let alone = |mode| Entry::file(Header::new(mode, 0, 0), 3, [1; 32]);
        check(&files(&[("a", alone(0o600))]), &files(&[("a", alone(0o640))]), &[("a", "mode")]);
    }
}
