//! One copy: from a path of a source to a path of a tree.

use cache_keys::{CopyAction, Entry, EntryKind, Header, LayerTree, Tree};

use crate::copying::actions::ActionSource;
use crate::copying::added_file::AddedFile;
use crate::copying::cannot_carry_out::CannotCarryOut;
use crate::copying::filter::{CopyFilter, FilterMatches};
use crate::copying::modes::ModeChange;
use crate::copying::owners::{Accounts, owner_numbers};
use crate::copying::paths::{join, split};
use crate::copying::unpack::unpack;
use crate::copying::wildcards::matches;
use crate::copying::written::WrittenTree;

/// The only extended attribute that layers hold.
const CAPABILITY: &[u8] = b"security.capability";

/// A copy action with everything that it needs.
pub(crate) struct Copier<'a> {
    copy: &'a CopyAction,
    source: ActionSource<'a>,
    owner: Option<(u32, u32)>,
    mode: ModeChange,
    filter: CopyFilter,
}

/// A folder on the way to the entries that are copied.
struct FolderOnTheWay {
    source: Vec<u8>,
    target: Vec<u8>,
    matches: FilterMatches,
    is_made: bool,
}

impl<'a> Copier<'a> {
    pub(crate) fn new(
        copy: &'a CopyAction,
        source: ActionSource<'a>,
        accounts: Option<Accounts<'_>>,
    ) -> Result<Self, CannotCarryOut> {
        let mode = ModeChange::of(copy.mode, &copy.mode_str);
        Ok(Self {
            copy,
            source,
            owner: owner_numbers(copy.owner.as_ref(), accounts)?,
            mode: mode.ok_or_else(|| CannotCarryOut::Mode(copy.mode_str.clone()))?,
            filter: CopyFilter::new(copy)?,
        })
    }

    /// Carries out the copy.
    pub(crate) fn copy(&self, written: &mut WrittenTree) -> Result<(), CannotCarryOut> {
        let sources = match self.copy.allow_wildcard {
            true => matches(self.source.tree, &self.copy.src, self.copy.follow_symlink)?,
            false => vec![self.copy.src.clone().into_bytes()],
        };
        sources.iter().try_for_each(|source| self.copy_path(source, written))
    }

    fn copy_path(&self, named: &[u8], written: &mut WrittenTree) -> Result<(), CannotCarryOut> {
        let path = self.source.tree.resolve(named, self.copy.follow_symlink)?;
        let entry = self.source.tree.get(&path).ok_or(CannotCarryOut::NoSource)?;
        let dest = self.copy.dest.as_bytes();
        if let Some(archive) = self.archive(&path, entry)? {
            let folder = written.through_links(dest)?;
            let (uid, gid) = self.owner.unwrap_or_default();
            written.make_folders(&folder, &Header::new(0o755, uid, gid))?;
            return unpack(archive, self.owner, &folder, written);
        }
        let (above, name) = split(dest);
        let is_folder_named = dest.ends_with(b"/") || matches!(name, b"." | b"");
        let made = self.made_folder();
        let folder = written.through_links(if is_folder_named { dest } else { above })?;
        written.make_folders(&folder, &made)?;
        let mut target = written.through_links(dest)?;
        let existing = written.tree.get(&target);
        let goes_into = match entry.is_folder() {
            true => !self.copy.dir_copy_contents && existing.is_some(),
            false => existing.is_some_and(Entry::is_folder),
        };
        let is_folder_made = self.copy.dir_copy_contents && entry.is_folder() && existing.is_none();
        if goes_into {
            target = join(&target, split(named).1);
        }
        written.make_folders(if is_folder_made { &target } else { split(&target).0 }, &made)?;
        if entry.is_folder() {
            self.copy_folder(&path, entry, &target, written)
        } else {
            self.remove_in_the_way(&target, entry, written);
            written.put(&target, entry, self.header(entry))
        }
    }

    /// The archive that is unpacked instead of copied.
    fn archive(&self, path: &[u8], entry: &Entry) -> Result<Option<&'a LayerTree>, CannotCarryOut> {
        if !self.copy.attempt_unpack || !matches!(entry.kind(), EntryKind::File { size: 1.. }) {
            return Ok(None);
        }
        match self.source.added.and_then(|added| added.get(path)) {
            Some(AddedFile::Plain) => Ok(None),
            Some(AddedFile::Archive(archive)) => Ok(Some(archive)),
            Some(AddedFile::Unknown) | None => Err(CannotCarryOut::Archive(path.to_vec())),
        }
    }

    /// Copies a folder. One that exists keeps its own header; folders in it get that of the source.
    fn copy_folder(
        &self,
        top: &[u8],
        entry: &Entry,
        target: &[u8],
        written: &mut WrittenTree,
    ) -> Result<(), CannotCarryOut> {
        if written.tree.get(target).is_none() {
            written.put_folder(target, self.header(entry))?;
        }
        let tree = self.source.tree;
        let mut way: Vec<FolderOnTheWay> = Vec::new();
        let mut pending: Vec<(usize, Vec<u8>)> = names(tree, top).map(|name| (0, name)).collect();
        while let Some((depth, below)) = pending.pop() {
            way.truncate(depth);
            let (source, target) = (join(top, &below), join(target, &below));
            let Some(entry) = tree.get(&source) else { continue };
            let matches = self.filter.check(&below, way.last().map(|folder| &folder.matches))?;
            let is_included = matches.is_included;
            if is_included {
                self.remove_in_the_way(&target, entry, written);
                self.make_way(&mut way, written)?;
            }
            if entry.is_folder() {
                if is_included {
                    self.write_folder(entry, &target, written)?;
                }
                pending.extend(names(tree, &source).map(|name| (depth + 1, join(&below, &name))));
                way.push(FolderOnTheWay { source, target, matches, is_made: is_included });
            } else if is_included {
                written.put(&target, entry, self.header(entry))?;
            }
        }
        Ok(())
    }

    /// A folder that matches. With include patterns, one that exists keeps its owner.
    fn write_folder(
        &self,
        entry: &Entry,
        target: &[u8],
        written: &mut WrittenTree,
    ) -> Result<(), CannotCarryOut> {
        let existing = written.tree.get(target).map(Entry::header);
        let header = match existing {
            Some(existing) if self.filter.has_include() => with_mode(existing, entry.header().mode),
            _ => self.header(entry),
        };
        written.put_folder(target, header)
    }

    /// Makes the folders that match nothing themselves, but hold what is copied. Those that exist get the permissions of
    /// the source.
    fn make_way(&self, way: &mut [FolderOnTheWay], written: &mut WrittenTree) -> Result<(), CannotCarryOut> {
        for folder in way.iter_mut().filter(|folder| !folder.is_made) {
            let Some(entry) = self.source.tree.get(&folder.source) else { continue };
            let header = match written.tree.get(&folder.target) {
                Some(existing) => with_mode(existing.header(), entry.header().mode),
                None => self.header(entry),
            };
            written.put_folder(&folder.target, header)?;
            folder.is_made = true;
        }
        Ok(())
    }

    fn remove_in_the_way(&self, target: &[u8], entry: &Entry, written: &mut WrittenTree) {
        let existing = written.tree.get(target);
        let is_other = existing.is_some_and(|existing| !(existing.is_folder() && entry.is_folder()));
        if self.copy.always_replace_existing_dest_paths && is_other {
            written.remove(target);
        }
    }

    /// The header that a copy of an entry gets. Of its extended attributes only capabilities reach a layer.
    pub(crate) fn header(&self, entry: &Entry) -> Header {
        let header = entry.header();
        let (uid, gid) = self.owner.unwrap_or((header.uid, header.gid));
        let mode = match entry.kind() {
            EntryKind::Symlink { .. } => header.mode,
            _ => self.mode.apply(header.mode, entry.is_folder()),
        };
        let capability = header.xattrs.iter().filter(|(name, _)| *name == CAPABILITY && !self.source.is_sent);
        let capability: Vec<_> = capability.map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        Header::new(mode, uid, gid).with_xattrs(capability)
    }

    /// The header of a folder that is made on the way to the destination.
    pub(crate) fn made_folder(&self) -> Header {
        let (uid, gid) = self.owner.unwrap_or_default();
        Header::new(self.mode.made_folder(), uid, gid)
    }
}

/// The names in a folder, the last one first.
fn names(tree: &Tree, folder: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let names: Vec<Vec<u8>> = tree.children(folder).map(|(name, _)| name.to_vec()).collect();
    names.into_iter().rev()
}

fn with_mode(header: &Header, mode: u32) -> Header {
    let mut header = header.clone();
    header.mode = mode;
    header
}
