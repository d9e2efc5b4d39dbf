//! The files of a step that only makes files and folders: they follow from its definition.

use cache_keys::{
    Entry, EntryHasher, EntryKind, FileAction, FileActionKind, FileOp, Header, MkdirAction, MkfileAction, Op,
    Owner, OwnerPart, StepOutput, Tree,
};

use crate::Build;

/// How many steps may stand on each other.
const DEEPEST: usize = 64;
/// How many files and folders they may make. A document of a Dockerfile is one.
const MOST_ACTIONS: usize = 10_000;
/// The longest path that Linux takes.
const LONGEST: usize = 4095;

/// The files of an output, if they follow from definitions alone: actions that make files and folders, each on the one before, the
/// first on nothing or on such a step. Not if the documents in them were replaced.
pub(crate) fn made_tree(build: &Build, output: StepOutput) -> Option<Tree> {
    let mut ops: Vec<&FileOp> = Vec::new();
    let mut at = Some(output);
    while let Some(output) = at {
        let step = build.definition.step(output.step)?;
        let Op::File(file) = &step.op else { return None };
        if build.replaced_keys.contains_key(&output.step) {
            return None;
        }
        if ops.len() == DEEPEST || !is_chain(file, step.inputs.len(), output.output) {
            return None;
        }
        ops.push(file);
        at = step.inputs.first().copied();
    }
    if ops.iter().map(|file| file.actions.len()).sum::<usize>() > MOST_ACTIONS {
        return None;
    }
    let mut tree = Tree::rooted(Header::default());
    let actions = ops.iter().rev().flat_map(|file| &file.actions);
    for action in actions {
        match &action.kind {
            FileActionKind::Mkdir(mkdir) => make_folder(&mut tree, mkdir)?,
            FileActionKind::Mkfile(mkfile) => make_file(&mut tree, mkfile)?,
            _ => return None,
        }
    }
    Some(tree)
}

/// Whether each action works on what the one before made, and the last one gives the output.
fn is_chain(file: &FileOp, inputs: usize, output: usize) -> bool {
    let count = file.actions.len();
    let is_next = |(position, action): (usize, &FileAction)| {
        let input = match position.checked_sub(1) {
            None => (inputs > 0).then_some(0),
            Some(before) => Some(inputs + before),
        };
        let gives = (position + 1 == count).then_some(output);
        action.input == input && action.secondary_input.is_none() && action.output == gives
    };
    inputs <= 1 && count > 0 && file.actions.iter().enumerate().all(is_next)
}

fn make_folder(tree: &mut Tree, mkdir: &MkdirAction) -> Option<()> {
    let header = header(mkdir.mode, mkdir.owner.as_ref())?;
    let path = Some(mkdir.path.as_bytes()).filter(|path| path.len() <= LONGEST)?;
    let ends = path.iter().enumerate().filter(|(at, byte)| **byte == b'/' && *at > 0).map(|(at, _)| at);
    for end in ends.filter(|_| mkdir.make_parents).chain([path.len()]) {
        let path = path.get(..end)?;
        if tree.get(path).is_none() {
            tree.insert(path, Entry::of(header.clone(), EntryKind::Folder));
        }
    }
    Some(())
}

fn make_file(tree: &mut Tree, mkfile: &MkfileAction) -> Option<()> {
    let header = header(mkfile.mode, mkfile.owner.as_ref())?;
    let size = u64::try_from(mkfile.data.len()).ok()?;
    let mut hasher = EntryHasher::new(&header, &EntryKind::File { size });
    hasher.update(&mkfile.data);
    tree.insert(mkfile.path.as_bytes(), Entry::file(header, size, hasher.finish()));
    Some(())
}

/// The header of what an action makes. None if an owner is a name: nothing says which number it has.
fn header(mode: i64, owner: Option<&Owner>) -> Option<Header> {
    let id = |part: Option<&OwnerPart>| match part {
        None => Some(0),
        Some(OwnerPart::Id(id)) => Some(*id),
        Some(OwnerPart::Name { .. }) => None,
    };
    let uid = id(owner.and_then(|owner| owner.user.as_ref()))?;
    let gid = id(owner.and_then(|owner| owner.group.as_ref()))?;
    Some(Header::new(u32::try_from(mode).ok()? & 0o777, uid, gid))
}
