//! Which entries of a folder a client sends.
//!
//! It reads names and metadata, and the bytes of no file. Links are not followed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use cache_keys::{EntryKind, SentFilter, SentFolder};

use super::attributes::{mode_of, name_bytes, path_below, special_kind};
use super::context_error::ContextError;

/// An entry that is sent.
#[derive(Debug)]
pub(super) struct ContextEntry {
    /// Its path in the folder, without a `/` in front.
    pub(super) path: Vec<u8>,
    pub(super) mode: u32,
    pub(super) kind: EntryKind,
}

impl ContextEntry {
    /// The size of a file; `None` for another entry.
    pub(super) fn file_size(&self) -> Option<u64> {
        match self.kind {
            EntryKind::File { size } => Some(size),
            _ => None,
        }
    }
}

/// The entries of a folder that a client sends, in any order.
pub(super) fn walk(root: &Path, filter: &SentFilter) -> Result<Vec<ContextEntry>, ContextError> {
    let mut sent = Vec::new();
    // Folders that are sent only if an entry in them is.
    let mut unsent: BTreeMap<Vec<u8>, ContextEntry> = BTreeMap::new();
    let mut pending: Vec<(Vec<u8>, SentFolder)> = vec![(Vec::new(), filter.root())];
    while let Some((folder, above)) = pending.pop() {
        let path = if folder.is_empty() { root.to_owned() } else { path_below(root, &folder) };
        let of_path = |cause| match folder.is_empty() {
            true => ContextError::Folder { path: path.clone(), cause },
            false => ContextError::Entry { path: path.clone(), cause },
        };
        for entry in fs::read_dir(&path).map_err(of_path)? {
            let entry = entry.map_err(of_path)?;
            let mut inner = folder.clone();
            if !inner.is_empty() {
                inner.push(b'/');
            }
            inner.extend_from_slice(&name_bytes(&entry.file_name()));
            let of_entry = |cause| ContextError::Entry { path: entry.path(), cause };
            let is_folder = entry.file_type().map_err(of_entry)?.is_dir();
            let checked = filter.check(&above, &inner, is_folder)?;
            if !checked.is_sent && checked.folder.is_none() {
                continue;
            }
            let found = context_entry(inner.clone(), &entry).map_err(of_entry)?;
            match checked.is_sent {
                true => sent.push(found),
                false => drop(unsent.insert(inner.clone(), found)),
            }
            pending.extend(checked.folder.map(|folder| (inner, folder)));
        }
    }
    let mut above = Vec::new();
    for entry in &sent {
        let mut path = entry.path.as_slice();
        while let Some(slash) = path.iter().rposition(|byte| *byte == b'/') {
            path = path.get(..slash).unwrap_or_default();
            above.extend(unsent.remove(path));
        }
    }
    sent.extend(above);
    Ok(sent)
}

fn context_entry(path: Vec<u8>, entry: &fs::DirEntry) -> io::Result<ContextEntry> {
    let metadata = entry.metadata()?;
    let kind = if metadata.is_dir() {
        EntryKind::Folder
    } else if metadata.is_symlink() {
        EntryKind::Symlink { target: name_bytes(fs::read_link(entry.path())?.as_os_str()) }
    } else {
        special_kind(&metadata).unwrap_or(EntryKind::File { size: metadata.len() })
    };
    Ok(ContextEntry { path, mode: mode_of(&metadata), kind })
}
