//! What a step that changes files does to a tree, action by action (BuildKit's `solver/llbsolver/file`, and `copy` of
//! tonistiigi/fsutil).
//!
//! Times are not looked at.

use cache_keys::{
    Entry, EntryHasher, EntryKind, FileActionKind, FileOp, Header, MkdirAction, MkfileAction, Owner,
    RmAction, Tree,
};

use crate::copying::actions::{ActionSource, actions_in_order};
use crate::copying::cannot_carry_out::CannotCarryOut;
use crate::copying::copier::Copier;
use crate::copying::owners::{Accounts, owner_numbers};
use crate::copying::paths::{join, split};
use crate::copying::wildcards::matches;
use crate::copying::written::WrittenTree;

/// The tree of one output of a step, with what the step wrote. `below` is the tree of the input that is changed, and
/// `accounts` are those of that tree, if they are at hand.
pub(crate) fn carry_out(
    op: &FileOp,
    output: usize,
    below: Tree,
    sources: &[Option<ActionSource<'_>>],
    accounts: Option<Accounts<'_>>,
) -> Result<WrittenTree, CannotCarryOut> {
    let mut written = WrittenTree::new(below);
    for action in actions_in_order(op, output, sources.len())? {
        match &action.kind {
            FileActionKind::Copy(copy) => {
                let source = action.secondary_input.and_then(|input| *sources.get(input)?);
                let source = source.ok_or(CannotCarryOut::NoSource)?;
                Copier::new(copy, source, accounts)?.copy(&mut written)?;
            }
            FileActionKind::Mkdir(mkdir) => make_folder(&mut written, mkdir, accounts)?,
            FileActionKind::Mkfile(mkfile) => make_file(&mut written, mkfile, accounts)?,
            FileActionKind::Rm(rm) => remove(&mut written, rm)?,
            _ => return Err(CannotCarryOut::Unrecorded),
        }
    }
    Ok(written)
}

fn make_folder(
    written: &mut WrittenTree,
    mkdir: &MkdirAction,
    accounts: Option<Accounts<'_>>,
) -> Result<(), CannotCarryOut> {
    let header = made_header(mkdir.mode, mkdir.owner.as_ref(), accounts)?;
    let path = written.through_links(mkdir.path.as_bytes())?;
    if mkdir.make_parents {
        return written.make_folders(&path, &header);
    }
    match written.tree.get(&path) {
        Some(_) => Ok(()),
        None => written.put_folder(&path, header),
    }
}

fn make_file(
    written: &mut WrittenTree,
    mkfile: &MkfileAction,
    accounts: Option<Accounts<'_>>,
) -> Result<(), CannotCarryOut> {
    let header = made_header(mkfile.mode, mkfile.owner.as_ref(), accounts)?;
    let path = written.through_links(mkfile.path.as_bytes())?;
    let size = mkfile.data.len() as u64;
    let mut hasher = EntryHasher::new(&header, &EntryKind::File { size });
    hasher.update(&mkfile.data);
    written.put(&path, &Entry::file(header.clone(), size, hasher.finish()), header)
}

fn made_header(
    mode: i64,
    owner: Option<&Owner>,
    accounts: Option<Accounts<'_>>,
) -> Result<Header, CannotCarryOut> {
    let (uid, gid) = owner_numbers(owner, accounts)?.unwrap_or_default();
    let mode = u32::try_from(mode & 0o777).unwrap_or_default();
    Ok(Header::new(mode, uid, gid))
}

fn remove(written: &mut WrittenTree, rm: &RmAction) -> Result<(), CannotCarryOut> {
    let paths = match rm.allow_wildcard {
        true => matches(&written.tree, &rm.path, false)?,
        false => vec![rm.path.clone().into_bytes()],
    };
    for path in paths {
        let (folder, name) = split(&path);
        let path = join(&written.through_links(folder)?, name);
        written.remove(&path);
    }
    Ok(())
}
