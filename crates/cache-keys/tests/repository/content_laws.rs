//! Content checksums and patterns, against a slow reference that is written by the definitions.

use cache_keys::{
    ContentRule, ContentSelector, DeviceNumber, Entry, EntryHasher, EntryKind, Header, Patterns, SentFilter,
    SentFolder, Tree, ignore_patterns, path_match,
};
use proptest::prelude::*;
use reference::{
    ContentEntry, ContentKind, ContentSelection, ContentTree, Dice, content_checksum, random_patterns,
    random_selection, random_tree, sent,
};

/// The entry of the reference as one of the crate.
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

fn path(key: &[u8]) -> Vec<u8> {
    key.iter().map(|byte| if *byte == 0 { b'/' } else { *byte }).collect()
}

/// The tree of the reference as one of the crate, with its entries put in from the last one on.
fn tree(reference: &ContentTree) -> Tree {
    let mut tree = if reference.is_sent { Tree::sent() } else { Tree::rooted(Header::default()) };
    for (key, value) in reference.entries.iter().rev() {
        if !key.is_empty() || !reference.is_sent {
            tree.insert(&path(key), entry(value));
        }
    }
    tree
}

fn selector(selection: &ContentSelection) -> ContentSelector {
    let mut selector = ContentSelector::new(&selection.path);
    (selector.wildcard, selector.follow) = (selection.wildcard, selection.follow);
    (selector.include, selector.exclude) = (selection.include.clone(), selection.exclude.clone());
    selector
}

/// The paths that a client sends without the folders above them, by a walk that enters only folders that the filter names.
fn sent_paths(tree: &Tree, filter: &SentFilter) -> Option<Vec<Vec<u8>>> {
    let mut paths = Vec::new();
    let mut left: Vec<(Vec<u8>, SentFolder)> = vec![(Vec::new(), filter.root())];
    while let Some((folder, known)) = left.pop() {
        for (name, entry) in tree.children(&folder) {
            let path = if folder.is_empty() { name.to_vec() } else { [&folder, name].join(&b'/') };
            let verdict = filter.check(&known, &path, entry.is_folder()).ok()?;
            if verdict.is_sent {
                paths.push(path.clone());
            }
            left.extend(verdict.folder.map(|known| (path, known)));
        }
    }
    Some(paths)
}

#[test]
fn random_selections_have_the_checksums_of_the_reference() {
    let (mut checksums, mut errors) = (0, 0);
    for seed in 0..600 {
        let dice = &mut Dice::seeded(seed);
        let is_local = dice.percent(50);
        let reference = random_tree(dice, is_local);
        let tree = tree(&reference);
        for _ in 0..8 {
            let selection = random_selection(dice, &reference);
            let expected = content_checksum(&reference, &selection).ok();
            let found = tree.checksum(&selector(&selection));
            let text = found.as_ref().ok().map(ToString::to_string);
            assert_eq!(text, expected, "seed {seed}: {selection:?} gives {found:?} in\n{tree:#?}");
            let selected = tree.selected(&ContentRule::new(vec![selector(&selection)]));
            assert_eq!(selected.is_ok(), found.is_ok());
            *if expected.is_some() { &mut checksums } else { &mut errors } += 1;
        }
    }
    assert!(checksums > 2_000 && errors > 300, "{checksums} checksums, {errors} errors");
}

#[test]
fn a_client_sends_what_the_reference_sends() {
    let mut trees = 0;
    for seed in 0..600 {
        let dice = &mut Dice::seeded(seed);
        let folder = random_tree(dice, true);
        let patterns = |dice: &mut Dice| if dice.percent(60) { random_patterns(dice) } else { Vec::new() };
        let (include, exclude) = (patterns(dice), patterns(dice));
        let expected = sent(&folder, &include, &exclude);
        let found = SentFilter::new(&include, &exclude).ok();
        let paths = found.and_then(|filter| sent_paths(&tree(&folder), &filter));
        // A malformed pattern is found only where it is tried, and the reference tries more.
        let Ok(expected) = expected else { continue };
        let all = tree(&folder);
        let mut sent = Tree::sent();
        for path in paths.unwrap() {
            sent.insert(&path, all.get(&path).unwrap().clone());
        }
        let found: Vec<Vec<u8>> = sent.iter().map(|(path, _)| path).collect();
        let expected: Vec<Vec<u8>> = expected.entries.keys().skip(1).map(|key| path(&key[1..])).collect();
        assert_eq!(found, expected, "seed {seed}: {include:?} {exclude:?}");
        trees += 1;
    }
    assert!(trees > 300, "{trees}");
}

proptest! {
    /// Law: a tree depends on what is in it, not on how it came to be.
    #[test]
    fn a_tree_that_was_changed_has_the_checksums_of_a_new_one(seed in any::<u64>()) {
        let dice = &mut Dice::seeded(seed);
        let reference = random_tree(dice, false);
        let other = random_tree(dice, false);
        let root = ContentSelector::new("/");
        let mut changed = tree(&other);
        let before = changed.checksum(&root).unwrap();
        for (key, value) in &reference.entries {
            changed.insert(&path(key), entry(value));
        }
        for key in other.entries.keys().filter(|key| !reference.entries.contains_key(*key)) {
            changed.remove(&path(key));
        }
        prop_assert_eq!(changed.checksum(&root), tree(&reference).checksum(&root));
        changed.clear_folder(b"/");
        prop_assert!(changed.is_empty());
        for (key, value) in &other.entries {
            changed.insert(&path(key), entry(value));
        }
        prop_assert_eq!(changed.checksum(&root), Ok(before));
    }

    /// Law: a name matches what Go's rule says, whatever bytes it has.
    #[test]
    fn names_match_as_in_go(pattern in r"[ab*?/\[\]^\\é\-]{0,12}", name in prop::collection::vec(
        prop::sample::select(vec![b'a', b'b', b'/', b'^', 0xc3, 0xa9, 0xff]), 0..10)) {
        prop_assert_eq!(path_match(&pattern, &name).ok(), reference::path_match(&pattern, &name).ok());
    }

    /// Law: patterns match what the definition says, with and without the matches of the folder above.
    #[test]
    fn patterns_match_as_defined(seed in any::<u64>(), above in "[ab]{0,2}", name in r"[ab.\-é \n]{1,3}") {
        let patterns = random_patterns(&mut Dice::seeded(seed));
        let verdict = |path: &str, parent: Option<&[bool]>| {
            reference::pattern_verdict(&patterns, path.as_bytes(), parent, false).ok()
        };
        let path = format!("{above}/{name}");
        let Ok(parsed) = Patterns::parse(&patterns) else {
            prop_assert_eq!(verdict(&path, None), None);
            return Ok(());
        };
        prop_assert_eq!(parsed.matches(path.as_bytes()).ok(), verdict(&path, None).map(|found| found.is_match));
        if let Ok((_, parent)) = parsed.check(above.as_bytes(), None) {
            let expected = verdict(&path, Some(&verdict(&above, None).unwrap().matched));
            let found = parsed.check(path.as_bytes(), Some(&parent));
            prop_assert_eq!(found.ok().map(|(found, _)| found), expected.map(|found| found.is_match));
        }
    }

    /// Law: an ignore file has the patterns that the definition says.
    #[test]
    fn ignore_files_are_read_as_defined(file in prop::collection::vec(
        prop::sample::select(b"ab/.!# \t\r\n\n\xff\xc3\xa9".to_vec()), 0..40)) {
        prop_assert_eq!(ignore_patterns(&file), reference::ignore_patterns(&file));
    }
}
