//! Which headers an entry of a source can have had, by that of its copy.

use cache_keys::{CopyAction, Entry, EntryKind, Header};

use crate::copying::modes::ModeChange;

/// Permissions of most files, the most frequent ones first.
const USUAL_OF_FILES: &[u32] = &[
    0o644, 0o755, 0o664, 0o775, 0o600, 0o700, 0o640, 0o750, 0o660, 0o770, 0o666, 0o777, 0o444, 0o555, 0o400,
    0o500,
];
/// Permissions of most folders.
const USUAL_OF_FOLDERS: &[u32] =
    &[0o755, 0o775, 0o700, 0o750, 0o777, 0o770, 0o555, 0o500, 0o2755, 0o2775, 0o2770, 0o1777, 0o711, 0o751];
/// Files of more bytes are hashed under the first few of the usual permissions.
const LARGE: u64 = 1 << 20;
/// How many permissions count for a large file.
const FEW: usize = 4;

/// The headers that an entry of a source can have had, if the copy got this entry of a layer. There is one if nothing was lost.
/// `all` is for all permissions that there are.
pub(crate) fn of_source(
    change: &ModeChange,
    owner: Option<(u32, u32)>,
    copy: &Entry,
    all: bool,
) -> Vec<Header> {
    let header = copy.header();
    let (uid, gid) = owner.unwrap_or((header.uid, header.gid));
    let with = |mode| Header::new(mode, uid, gid).with_xattrs(owned_xattrs(header));
    if matches!(copy.kind(), EntryKind::Symlink { .. }) || *change == ModeChange::Keep {
        return vec![with(header.mode)];
    }
    let is_folder = copy.is_folder();
    let can_be = |mode: &u32| change.apply(*mode, is_folder) == header.mode;
    let others = (0..0o10000).filter(|mode| all && !usual_modes(copy).contains(mode));
    usual_modes(copy).iter().copied().chain(others).filter(can_be).map(with).collect()
}

/// The headers that the folder of a source can have had. Its copy tells nothing.
pub(crate) fn of_top_folder() -> impl Iterator<Item = Header> {
    let others = (0..0o10000).filter(|mode| !USUAL_OF_FOLDERS.contains(mode));
    USUAL_OF_FOLDERS.iter().copied().chain(others).map(|mode| Header::new(mode, 0, 0))
}

/// Under which further headers a file of a layer has to be hashed, so that its source can be told from the copy: for each copy of
/// the step, with whether a client sends its source.
pub(crate) fn to_hash(copies: &[(&CopyAction, bool)], header: &Header, size: u64) -> Vec<Header> {
    let mut wanted = Vec::new();
    for (copy, is_sent) in copies {
        let Some(change) = ModeChange::of(copy.mode, &copy.mode_str) else { continue };
        if !gives_headers(copy) {
            continue;
        }
        let owner = (copy.owner.is_some() || *is_sent).then_some((0, 0));
        let file = Entry::file(header.clone(), size, [0; 32]);
        wanted.extend(of_source(&change, owner, &file, false).into_iter().filter(|wanted| wanted != header));
    }
    wanted.sort();
    wanted.dedup();
    wanted
}

/// Whether a copy gives permissions or owners to files.
pub(crate) fn gives_headers(copy: &CopyAction) -> bool {
    copy.owner.is_some() || ModeChange::of(copy.mode, &copy.mode_str) != Some(ModeChange::Keep)
}

fn usual_modes(entry: &Entry) -> &'static [u32] {
    match entry.kind() {
        EntryKind::Folder => USUAL_OF_FOLDERS,
        EntryKind::File { size } if *size > LARGE => USUAL_OF_FILES.get(..FEW).unwrap_or_default(),
        _ => USUAL_OF_FILES,
    }
}

fn owned_xattrs(header: &Header) -> Vec<(Vec<u8>, Vec<u8>)> {
    header.xattrs.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}
