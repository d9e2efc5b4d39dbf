//! Unpacking an archive into a folder of a tree (BuildKit's `solver/llbsolver/file`, `applyRootArchive`).

use cache_keys::{Entry, EntryKind, Header, LayerTree};

use crate::copying::cannot_carry_out::CannotCarryOut;
use crate::copying::paths::{above, join};
use crate::copying::written::WrittenTree;

/// Unpacks an archive. `owner` replaces the owners of its entries. Folders that it has no entry for are made for root.
pub(crate) fn unpack(
    archive: &LayerTree,
    owner: Option<(u32, u32)>,
    folder: &[u8],
    written: &mut WrittenTree,
) -> Result<(), CannotCarryOut> {
    let is_strange = archive.whiteouts().next().is_some()
        || archive.opaque_folders().next().is_some()
        || archive.links_below().next().is_some()
        || archive.oddities().next().is_some();
    if is_strange {
        return Err(CannotCarryOut::Archive(folder.to_vec()));
    }
    for (path, entry) in archive.tree().iter() {
        let target = join(folder, &path);
        let is_described = !entry.is_folder() || archive.describes_folder(&path);
        let existing = written.tree.get(&target);
        // Where a link leads depends on the folder, so it is not followed.
        if existing.is_some_and(|existing| is_link(existing) && entry.is_folder()) {
            return Err(CannotCarryOut::Archive(target));
        }
        match existing {
            Some(existing) if existing.is_folder() && entry.is_folder() && !is_described => continue,
            Some(existing) if !(existing.is_folder() && entry.is_folder()) => written.remove(&target),
            _ => {}
        }
        let is_below_folders =
            above(&target).all(|above| written.tree.get(above).is_some_and(Entry::is_folder));
        if !is_below_folders {
            return Err(CannotCarryOut::Archive(target));
        }
        let header = entry.header();
        let header = match owner {
            Some((uid, gid)) if is_described => Header::new(header.mode, uid, gid),
            _ => Header::new(header.mode, header.uid, header.gid),
        };
        written.put(&target, entry, header)?;
    }
    Ok(())
}

fn is_link(entry: &Entry) -> bool {
    matches!(entry.kind(), EntryKind::Symlink { .. })
}
