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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use cache_keys::{CopyAction, FileAction, LayerEntry, LayerTree, OwnerPart};

    use super::*;
    use crate::copying::added_file::{AddedFile, AddedFiles};

    fn tree(entries: &[(&str, Entry)]) -> Tree {
        let mut tree = Tree::rooted(Header::default());
        entries.iter().for_each(|(path, entry)| tree.insert(path.as_bytes(), entry.clone()));
        tree
    }

    fn file(mode: u32) -> Entry {
        Entry::file(Header::new(mode, 7, 8), 3, [1; 32])
    }

    fn folder(mode: u32) -> Entry {
        Entry::of(Header::new(mode, 7, 8), EntryKind::Folder)
    }

    fn link(target: &str) -> Entry {
        Entry::of(Header::new(0o777, 0, 0), EntryKind::Symlink { target: target.into() })
    }

    fn copy(src: &str, dest: &str) -> CopyAction {
        let (src, dest) = (src.to_owned(), dest.to_owned());
        let flags = CopyAction {
            follow_symlink: true,
            dir_copy_contents: true,
            allow_wildcard: true,
            ..CopyAction::default()
        };
        CopyAction { src, dest, mode: -1, timestamp: -1, create_dest_path: true, ..flags }
    }

    fn op(kind: FileActionKind) -> FileOp {
        let action = FileAction { input: Some(0), secondary_input: Some(1), output: Some(0), kind };
        FileOp { actions: vec![action] }
    }

    /// What was written, as `path mode uid:gid`, or why not.
    fn carried(kind: FileActionKind, below: Tree, source: &Tree) -> Result<Vec<String>, CannotCarryOut> {
        let source = ActionSource { tree: source, is_sent: false, added: None };
        let written = carry_out(&op(kind), 0, below, &[None, Some(source)], None)?;
        let shown = written.writes.iter().map(|(path, write)| {
            let Header { mode, uid, gid, .. } = &write.header;
            format!("{} {mode:o} {uid}:{gid}", String::from_utf8_lossy(path))
        });
        Ok(shown.collect())
    }

    fn copied(copy: CopyAction, below: Tree, source: &Tree) -> Result<Vec<String>, CannotCarryOut> {
        carried(FileActionKind::Copy(copy), below, source)
    }

    #[test]
    fn a_new_folder_is_made_for_root_and_what_is_in_it_keeps_its_header() {
        let source = tree(&[("src", folder(0o700)), ("src/a", file(0o640)), ("src/b/c", file(0o4755))]);
        let below = tree(&[("app", link("srv")), ("srv", folder(0o711))]);
        let written = copied(copy("/src", "/app/x/y"), below, &source).unwrap();
        assert_eq!(
            written,
            [
                "srv/x 755 0:0",
                "srv/x/y 755 0:0",
                "srv/x/y/a 640 7:8",
                "srv/x/y/b 755 0:0",
                "srv/x/y/b/c 4755 7:8"
            ]
        );
    }

    #[test]
    fn permissions_and_owners_are_given_also_to_folders_that_are_made() {
        let source = tree(&[("a", file(0o600))]);
        let owner = Owner { user: Some(OwnerPart::Id(1000)), group: Some(OwnerPart::Id(50)) };
        let changed = CopyAction { mode: 0o644, owner: Some(owner), ..copy("/a", "/t/") };
        assert_eq!(copied(changed, tree(&[]), &source).unwrap(), ["t 644 1000:50", "t/a 644 1000:50"]);
        let words = CopyAction { mode_str: "u=rwX,go=r".to_owned(), ..copy("/a", "/t/b") };
        assert_eq!(copied(words, tree(&[]), &source).unwrap(), ["t 755 0:0", "t/b 644 7:8"]);
    }

    #[test]
    fn folders_that_exist_get_the_header_of_the_source_but_not_the_destination() {
        let source = tree(&[("src", folder(0o700)), ("src/d", folder(0o750)), ("src/d/f", file(0o644))]);
        let below = || tree(&[("x", folder(0o711)), ("x/d", folder(0o777))]);
        assert_eq!(copied(copy("/src", "/x"), below(), &source).unwrap(), ["x/d 750 7:8", "x/d/f 644 7:8"]);
        // With patterns a folder on the way gets only the permissions.
        let parents = CopyAction { include_patterns: vec!["d/f".to_owned()], ..copy("/src", "/x") };
        let mut other = below();
        other.insert(b"x/d", Entry::of(Header::new(0o777, 1, 1), EntryKind::Folder));
        assert_eq!(copied(parents, other, &source).unwrap(), ["x/d 750 1:1", "x/d/f 644 7:8"]);
    }

    #[test]
    fn patterns_choose_and_folders_are_made_only_for_what_is_chosen() {
        let source = tree(&[
            ("a/x.md", file(0o644)),
            ("a/y.txt", file(0o644)),
            ("b/y.txt", file(0o644)),
            ("c.md", file(0o600)),
        ]);
        let chosen = CopyAction { include_patterns: vec!["**/*.md".to_owned()], ..copy("/", "/q/") };
        assert_eq!(
            copied(chosen, tree(&[]), &source).unwrap(),
            ["q 755 0:0", "q/a 755 0:0", "q/a/x.md 644 7:8", "q/c.md 600 7:8"]
        );
        let left_out = CopyAction { exclude_patterns: vec!["*.txt".to_owned()], ..copy("/a", "/q") };
        assert_eq!(copied(left_out, tree(&[]), &source).unwrap(), ["q 755 0:0", "q/x.md 644 7:8"]);
    }

    #[test]
    fn wildcards_copy_each_match_and_malformed_ones_none() {
        let source = tree(&[("a.md", file(0o644)), ("d.md/in", file(0o600)), ("e/f.md", file(0o644))]);
        assert_eq!(
            copied(copy("/*.md", "/m/"), tree(&[]), &source).unwrap(),
            ["m 755 0:0", "m/a.md 644 7:8", "m/in 600 7:8"]
        );
        assert_eq!(copied(copy("/[", "/m/"), tree(&[]), &source).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_in_the_way_is_replaced_only_if_the_action_says_so() {
        let source = tree(&[("s/a", file(0o644)), ("s/l/x", file(0o644))]);
        let below = || tree(&[("x/a/inside", file(0o600)), ("x/l", link("/etc"))]);
        assert_eq!(
            copied(copy("/s/a", "/x/a/../a/."), tree(&[("x/a/a/b", file(0o600))]), &source),
            Err(CannotCarryOut::FolderInTheWay(b"x/a/a".to_vec()))
        );
        assert_eq!(
            copied(copy("/s", "/x"), below(), &source),
            Err(CannotCarryOut::FolderInTheWay(b"x/a".to_vec()))
        );
        let replace = CopyAction { always_replace_existing_dest_paths: true, ..copy("/s", "/x") };
        let written = copied(replace, below(), &source).unwrap();
        assert_eq!(written, ["x/a 644 7:8", "x/l 755 0:0", "x/l/x 644 7:8"]);
        assert_eq!(
            copied(copy("/s/a", "/x/f/b"), tree(&[("x/f", file(0o600))]), &source),
            Err(CannotCarryOut::NoFolder(b"x/f".to_vec()))
        );
    }

    #[test]
    fn folders_and_files_are_made_and_removed() {
        let mkdir = MkdirAction {
            path: "/w/app".to_owned(),
            mode: 0o755,
            make_parents: true,
            ..MkdirAction::default()
        };
        let made = carried(FileActionKind::Mkdir(mkdir.clone()), tree(&[]), &tree(&[])).unwrap();
        assert_eq!(made, ["w 755 0:0", "w/app 755 0:0"]);
        let one = MkdirAction { make_parents: false, ..mkdir };
        assert_eq!(
            carried(FileActionKind::Mkdir(one.clone()), tree(&[("w/app", folder(0o700))]), &tree(&[]))
                .unwrap(),
            Vec::<String>::new()
        );
        assert_eq!(
            carried(FileActionKind::Mkdir(one), tree(&[("w", folder(0o700))]), &tree(&[])).unwrap(),
            ["w/app 755 0:0"]
        );
        let mkfile = MkfileAction {
            path: "/f".to_owned(),
            mode: 0o600,
            data: b"x".to_vec(),
            ..MkfileAction::default()
        };
        assert_eq!(carried(FileActionKind::Mkfile(mkfile), tree(&[]), &tree(&[])).unwrap(), ["f 600 0:0"]);
        let rm = |path: &str, allow_wildcard| RmAction {
            path: path.to_owned(),
            allow_not_found: true,
            allow_wildcard,
        };
        for (path, wildcard) in [("/d", false), ("/[d]", true)] {
            let below = tree(&[("d/a", file(0o600)), ("e", file(0o600))]);
            let written =
                carry_out(&op(FileActionKind::Rm(rm(path, wildcard))), 0, below, &[None, None], None)
                    .unwrap();
            assert!(written.tree.get(b"d").is_none() && written.tree.get(b"e").is_some());
            assert!(written.removed.contains(&b"d"[..]));
        }
    }

    #[test]
    fn archives_are_unpacked_and_unknown_files_are_not_guessed() {
        let mut archive = LayerTree::default();
        let root = |mode, kind| LayerEntry::Entry(Entry::of(Header::new(mode, 5, 6), kind));
        archive.add(b"d", root(0o750, EntryKind::Folder)).unwrap();
        archive.add(b"d/f", root(0o640, EntryKind::File { size: 0 })).unwrap();
        archive.add(b"n/g", root(0o600, EntryKind::File { size: 0 })).unwrap();
        let source = tree(&[("a.tar", file(0o644))]);
        let add = CopyAction { attempt_unpack: true, ..copy("/a.tar", "/un") };
        let unpacked = |found: AddedFile, below: Tree| {
            let added = AddedFiles::from([(b"a.tar".to_vec(), found)]);
            let source = ActionSource { tree: &source, is_sent: true, added: Some(&added) };
            let written =
                carry_out(&op(FileActionKind::Copy(add.clone())), 0, below, &[None, Some(source)], None)?;
            Ok(written
                .writes
                .keys()
                .map(|path| String::from_utf8_lossy(path).into_owned())
                .collect::<Vec<_>>())
        };
        let boxed = || AddedFile::Archive(Box::new(archive.clone()));
        assert_eq!(
            unpacked(boxed(), tree(&[])),
            Ok(["un", "un/d", "un/d/f", "un/n", "un/n/g"].map(str::to_owned).to_vec())
        );
        assert_eq!(
            unpacked(boxed(), tree(&[("un/n", link("/etc"))])),
            Err(CannotCarryOut::Archive(b"un/n".to_vec()))
        );
        assert_eq!(unpacked(AddedFile::Plain, tree(&[])), Ok(vec!["un".to_owned()]));
        assert_eq!(unpacked(AddedFile::Unknown, tree(&[])), Err(CannotCarryOut::Archive(b"a.tar".to_vec())));
        let mut hiding = archive.clone();
        hiding.add(b".wh.x", root(0o600, EntryKind::File { size: 0 })).unwrap();
        assert_eq!(
            unpacked(AddedFile::Archive(Box::new(hiding)), tree(&[])),
            Err(CannotCarryOut::Archive(b"un".to_vec()))
        );
    }

    #[test]
    fn what_cannot_be_carried_out_says_why() {
        let source = tree(&[("a", file(0o644)), ("x", link("y")), ("y", link("x"))]);
        let named = Owner { user: Some(OwnerPart::Name { name: "app".to_owned(), input: 0 }), group: None };
        let reasons = [
            copied(CopyAction { owner: Some(named), ..copy("/a", "/b") }, tree(&[]), &source),
            copied(CopyAction { mode_str: "z".to_owned(), ..copy("/a", "/b") }, tree(&[]), &source),
            copied(copy("/none", "/b"), tree(&[]), &source),
            copied(copy("/a", "/x/b"), source.clone(), &source),
            copied(
                CopyAction { exclude_patterns: vec!["[".to_owned()], ..copy("/", "/b") },
                tree(&[]),
                &source,
            ),
            carried(FileActionKind::Unrecorded, tree(&[]), &source),
        ];
        let shown: Vec<String> = reasons.into_iter().map(|reason| reason.unwrap_err().to_string()).collect();
        assert!(shown[0].starts_with("the accounts that translate"), "{shown:?}");
        assert!(shown[1].contains("\"z\" cannot be understood"), "{shown:?}");
        assert!(shown[2].contains("none"), "{shown:?}");
        assert!(shown[3].contains("too many links"), "{shown:?}");
        assert!(!shown[4].is_empty());
        assert_eq!(shown[5], "the record does not hold what it does");
        let mut apart = op(FileActionKind::Rm(RmAction::default()));
        apart.actions.push(FileAction { input: Some(0), output: Some(1), ..apart.actions[0].clone() });
        let error = carry_out(&apart, 1, tree(&[]), &[None, None], None).err().unwrap();
        assert_eq!(error.to_string(), "its actions do not follow one another");
    }
}
