//! Random trees and selections that the bytes decide: their checksums, and what a client sends of them, are those of the
//! definitions.

use cache_keys::{
    ContentRule, ContentSelector, DeviceNumber, Entry, EntryHasher, EntryKind, Header, SentFilter,
    SentFolder, Tree,
};
use reference::{
    ContentEntry, ContentKind, ContentSelection, ContentTree, Dice, content_checksum, random_patterns,
    random_selection, random_tree, sent,
};

use crate::check::assert_one_line;

/// Selections for each tree.
const SELECTIONS: usize = 4;

/// Runs the target on some bytes.
pub fn run(bytes: &[u8]) {
    let dice = &mut Dice::of_bytes(bytes);
    let is_local = dice.percent(50);
    let mut reference = random_tree(dice, is_local);
    if is_local && dice.percent(50) {
        let Some(sent) = check_sent(&reference, dice) else { return };
        reference = sent;
    }
    let tree = tree(&reference);
    for _ in 0..SELECTIONS {
        check_checksum(&reference, &tree, &random_selection(dice, &reference));
    }
}

fn check_checksum(reference: &ContentTree, tree: &Tree, selection: &ContentSelection) {
    let selector = selector(selection);
    let found = tree.checksum(&selector);
    let expected = content_checksum(reference, selection).ok();
    let text = found.as_ref().ok().map(ToString::to_string);
    assert_eq!(text, expected, "{selection:?} gives {found:?} in\n{tree:#?}");
    let selected = tree.selected(&ContentRule::new(vec![selector]));
    match (selected, found) {
        (Ok(paths), Ok(_)) => assert!(paths.iter().all(|path| tree.get(path).is_some())),
        (Err(error), Err(_)) => assert_one_line(&error),
        (selected, found) => panic!("{selection:?} selects {selected:?} with {found:?}"),
    }
}

/// The tree that a client sends, if no pattern is malformed.
fn check_sent(folder: &ContentTree, dice: &mut Dice) -> Option<ContentTree> {
    let (include, exclude) = (random_patterns(dice), random_patterns(dice));
    let expected = sent(folder, &include, &exclude).ok()?;
    let filter = SentFilter::new(&include, &exclude).expect("the reference has read the patterns");
    let all = tree(folder);
    let mut found = Tree::sent();
    let mut left: Vec<(Vec<u8>, SentFolder)> = vec![(Vec::new(), filter.root())];
    while let Some((above, known)) = left.pop() {
        for (name, entry) in all.children(&above) {
            let path = if above.is_empty() { name.to_vec() } else { [&above, name].join(&b'/') };
            let verdict =
                filter.check(&known, &path, entry.is_folder()).expect("the reference has tried them");
            if verdict.is_sent {
                found.insert(&path, entry.clone());
            }
            left.extend(verdict.folder.map(|known| (path, known)));
        }
    }
    let found: Vec<Vec<u8>> = found.iter().map(|(path, _)| path).collect();
    let paths: Vec<Vec<u8>> = expected.entries.keys().skip(1).map(|key| path(&key[1..])).collect();
    assert_eq!(found, paths, "{include:?} {exclude:?}");
    Some(expected)
}

fn tree(reference: &ContentTree) -> Tree {
    let mut tree = if reference.is_sent { Tree::sent() } else { Tree::rooted(Header::default()) };
    reference.entries.iter().for_each(|(key, value)| tree.insert(&path(key), entry(value)));
    tree
}

fn entry(entry: &ContentEntry) -> Entry {
    let xattrs = entry.xattrs.iter().map(|(name, value)| (name.clone(), value.clone()));
    let header = Header::new(entry.mode, entry.uid, entry.gid).with_xattrs(xattrs);
    let kind = match &entry.kind {
        ContentKind::File(data) => {
            let size = data.len() as u64;
            let mut hasher = EntryHasher::new(&header, &EntryKind::File { size });
            hasher.update(data);
            return Entry::file(header, size, hasher.finish());
        }
        ContentKind::Folder => EntryKind::Folder,
        ContentKind::Link(target) => EntryKind::Symlink { target: target.clone() },
        ContentKind::Device(major, minor) => {
            EntryKind::CharDevice(DeviceNumber { major: *major, minor: *minor })
        }
        ContentKind::Fifo => EntryKind::Fifo,
    };
    Entry::of(header, kind)
}

fn selector(selection: &ContentSelection) -> ContentSelector {
    let mut selector = ContentSelector::new(&selection.path);
    (selector.wildcard, selector.follow) = (selection.wildcard, selection.follow);
    (selector.include, selector.exclude) = (selection.include.clone(), selection.exclude.clone());
    selector
}

fn path(key: &[u8]) -> Vec<u8> {
    key.iter().map(|byte| if *byte == 0 { b'/' } else { *byte }).collect()
}
