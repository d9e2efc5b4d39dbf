//! Layers as trees: a tar is read once, its files are hashed as they stream by, and nothing is unpacked.

mod archive;
mod number;
mod pax;
mod sparse;
mod tar_error;

use std::io::{BufRead, BufReader, Read};

use cache_keys::{DeviceNumber, Entry, EntryKind, Header, LayerEntry, LayerOddity, LayerTree, clean_path};

use crate::also::HashedFile;
use crate::layer_options::LayerOptions;
use archive::{Archive, Member, MemberKind};

pub use tar_error::TarError;

/// How many bytes are read and hashed at once.
const BUFFER: usize = 128 * 1024;
/// The extended attribute that BuildKit writes into layers.
const CAPABILITY: &[u8] = b"security.capability";

/// Reads a tar as a layer, to the end of its last entry.
///
/// It takes what containerd unpacks, and refuses what containerd refuses. Of an entry its kind, size, mode, owner, extended
/// attributes and bytes count; times do not. The archive is not verified: see [`read_layer_tree`](crate::read_layer_tree).
///
/// # Errors
///
/// The tar is damaged, or is no layer, or exceeds a limit of the options.
pub fn read_tar(tar: impl Read, options: &LayerOptions) -> Result<LayerTree, TarError> {
    let mut archive = Archive::new(BufReader::with_capacity(BUFFER, tar));
    let mut layer = LayerTree::new(options.limits);
    let mut sparse_bytes: u64 = 0;
    while let Some(member) = archive.next()? {
        if member.is_sparse() {
            sparse_bytes = sparse_bytes.saturating_add(member.size);
            if sparse_bytes > options.max_expansion {
                return Err(TarError::TooLarge { limit: options.max_expansion });
            }
        }
        let (entry, kept) = layer_entry(&mut archive, &member, options)?;
        if member.xattrs.iter().any(|(name, _)| name != CAPABILITY) {
            layer.note(&member.name, LayerOddity::Attributes);
        }
        layer.add(&member.name, entry)?;
        if let Some(bytes) = kept {
            layer.keep_content(&member.name, bytes)?;
        }
    }
    Ok(layer)
}

/// The entry, and the bytes of a file that is kept.
fn layer_entry<R: BufRead>(
    archive: &mut Archive<R>,
    member: &Member,
    options: &LayerOptions,
) -> Result<(LayerEntry, Option<Vec<u8>>), TarError> {
    let header = Header::new(member.mode, member.uid, member.gid).with_xattrs(xattrs_of(member));
    let kind = match member.kind {
        MemberKind::File => {
            let path = clean_path(&member.name);
            let mut hashed = HashedFile::new(&path, header, member.size, &options.also);
            let mut kept = (options.keeps)(&path, member.size).then(Vec::new);
            archive.read(member, &mut |bytes| {
                hashed.update(bytes);
                kept.iter_mut().for_each(|kept| kept.extend_from_slice(bytes));
            })?;
            return Ok((LayerEntry::Entry(hashed.finish()), kept));
        }
        MemberKind::HardLink => {
            return Ok((LayerEntry::HardLink { target: member.target.clone(), header }, None));
        }
        MemberKind::Symlink => EntryKind::Symlink { target: member.target.clone() },
        MemberKind::CharDevice => EntryKind::CharDevice(DeviceNumber::default()),
        MemberKind::BlockDevice => EntryKind::BlockDevice(DeviceNumber::default()),
        MemberKind::Folder => EntryKind::Folder,
        MemberKind::Fifo => EntryKind::Fifo,
    };
    Ok((LayerEntry::Entry(Entry::of(header, kind)), None))
}

/// The extended attributes that an entry has once it is unpacked. Linux gives attributes of users to files and folders only.
fn xattrs_of(member: &Member) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    let may_have_users = matches!(member.kind, MemberKind::File | MemberKind::Folder | MemberKind::HardLink);
    let xattrs = member.xattrs.iter().filter(move |(name, _)| may_have_users || !name.starts_with(b"user."));
    xattrs.cloned()
}
