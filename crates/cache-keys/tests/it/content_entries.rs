//! Entries on their own: what counts, which bytes are known to be equal, and how a tree takes them.

use cache_keys::{
    ContentRule, ContentSelector, DeviceNumber, Entry, EntryHasher, EntryKind, Header, Tree, Xattrs,
};

fn digest(header: &Header, bytes: &[u8]) -> [u8; 32] {
    let mut hasher = EntryHasher::new(header, &EntryKind::File { size: bytes.len() as u64 });
    hasher.update(bytes);
    hasher.finish()
}

fn file(mode: u32, bytes: &[u8], also: &[u32]) -> Entry {
    let header = Header::new(mode, 0, 0);
    let size = bytes.len() as u64;
    let file = Entry::file(header.clone(), size, digest(&header, bytes));
    also.iter().map(|mode| Header::new(*mode, 0, 0)).fold(file, |file, other| {
        let digest = digest(&other, bytes);
        file.with_digest_as(other, digest)
    })
}

#[test]
fn files_of_other_modes_are_compared_by_a_header_that_both_have() {
    let plain = file(0o644, b"text", &[]);
    assert_eq!(plain.same_bytes(&file(0o644, b"text", &[])), Some(true));
    assert_eq!(plain.same_bytes(&file(0o644, b"Text", &[])), Some(false));
    assert_eq!(plain.same_bytes(&file(0o755, b"longer", &[])), Some(false));
    assert_eq!(plain.same_bytes(&file(0o755, b"text", &[])), None);
    let both = file(0o755, b"text", &[0o600, 0o644]);
    assert_eq!([plain.same_bytes(&both), both.same_bytes(&plain)], [Some(true); 2]);
    assert_eq!(file(0o644, b"Text", &[]).same_bytes(&both), Some(false));
    assert_eq!(both.under(plain.header()).map(|file| *file.digest()), Some(*plain.digest()));
    assert_eq!(both.under(plain.header()).unwrap().digest_as(both.header()), Some(*both.digest()));
    assert_eq!(plain.under(both.header()), None);
}

#[test]
fn entries_without_bytes_have_every_header() {
    let (one, other) = (Header::new(0o755, 0, 0), Header::new(0o700, 1, 2));
    let number = DeviceNumber { major: 0, minor: 3 };
    for kind in
        [EntryKind::Folder, EntryKind::Fifo, EntryKind::BlockDevice(number), EntryKind::File { size: 0 }]
    {
        let entry = Entry::of(one.clone(), kind.clone());
        assert_eq!(entry.under(&other), Some(Entry::of(other.clone(), kind.clone())));
        assert_eq!(entry.same_bytes(&Entry::of(other.clone(), kind)), Some(true));
        assert_eq!(entry.same_bytes(&Entry::of(one.clone(), EntryKind::CharDevice(number))), Some(false));
    }
    let link = |mode| Entry::of(Header::new(mode, 0, 0), EntryKind::Symlink { target: b"a".to_vec() });
    assert_eq!(link(0o644), link(0o777));
}

#[test]
fn attributes_that_do_not_count_are_left_out_and_the_rest_is_sorted() {
    let pair = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let pairs =
        [pair("user.b", "1"), pair("security.selinux", "2"), pair("user.a", "3"), pair("system.x", "4")];
    let xattrs: Xattrs = pairs.into_iter().collect();
    assert_eq!(xattrs.iter().collect::<Vec<_>>(), [(&b"user.a"[..], &b"3"[..]), (b"user.b", b"1")]);
    assert!(Xattrs::is_counted(b"security.capability"));
    let none: Xattrs = [pair("system.posix_acl_access", "")].into_iter().collect();
    assert!(none.is_empty() && none == Xattrs::default());
}

#[test]
fn a_tree_takes_paths_in_any_form_and_order() {
    let mut tree = Tree::rooted(Header::default());
    for path in ["./a-b", "/a//b/../c", "a/b/x", "../z/."] {
        tree.insert(path.as_bytes(), file(0o644, b"x", &[]));
    }
    let paths = |tree: &Tree| -> Vec<String> {
        tree.iter().map(|(path, _)| String::from_utf8(path).unwrap()).collect()
    };
    assert_eq!(paths(&tree), ["a", "a/b", "a/b/x", "a/c", "a-b", "z"]);
    assert!(!tree.remove(b"a/b/x/y") && !tree.remove(b"nope/b") && !tree.remove(b"/"));
    // A folder keeps what is in it; a file does not, and makes way for a folder.
    tree.insert(b"a", Entry::of(Header::new(0o700, 0, 0), EntryKind::Folder));
    assert_eq!(tree.get(b"a").map(|folder| folder.header().mode), Some(0o700));
    tree.insert(b"z/below", file(0o644, b"x", &[]));
    tree.insert(b"a/b", file(0o644, b"x", &[]));
    assert_eq!(paths(&tree), ["a", "a/b", "a/c", "a-b", "z", "z/below"]);
    tree.clear_folder(b"a");
    tree.clear_folder(b"a-b");
    assert_eq!(paths(&tree), ["a", "a-b", "z", "z/below"]);
    assert!(format!("{tree:?}").contains("z/below"));
}

#[test]
fn the_root_counts_in_a_stage_and_where_nothing_was_sent() {
    let root = ContentSelector::new("/");
    let selected = |tree: &Tree| tree.selected(&ContentRule::new(vec![root.clone()])).unwrap();
    let header = Header::new(0o700, 0, 0);
    let (mut stage, mut sent) = (Tree::rooted(header.clone()), Tree::sent());
    assert_eq!(sent.checksum(&root), Tree::rooted(Header::default()).checksum(&root));
    assert_eq!(selected(&sent), [b""]);
    for tree in [&mut stage, &mut sent] {
        tree.insert(b"a", file(0o644, b"x", &[]));
    }
    assert_ne!(stage.checksum(&root), sent.checksum(&root));
    assert_eq!((selected(&stage), selected(&sent)), (vec![b"".to_vec(), b"a".to_vec()], vec![b"a".to_vec()]));
    sent.insert(b"", Entry::of(header, EntryKind::Folder));
    sent.insert(b"", file(0o644, b"", &[]));
    assert_eq!(sent.get(b"/").map(Entry::is_folder), Some(true));
}
