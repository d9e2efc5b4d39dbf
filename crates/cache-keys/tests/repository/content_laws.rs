//! Content checksums and patterns, against a slow reference that is written by the definitions.

use cache_keys::{ContentRule, ContentSelector, Patterns, SentFilter, ignore_patterns, path_match};
use proptest::prelude::*;
use reference::{Dice, content_checksum, random_patterns, random_selection, random_tree, sent};

use crate::from_reference::{entry, path, paths, selector, sent_paths, tree};

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
        // A malformed pattern is found only where it is tried, and the reference tries more.
        let Ok(expected) = expected else { continue };
        let filter = SentFilter::new(&include, &exclude).unwrap();
        let found = sent_paths(&tree(&folder), &filter).unwrap();
        assert_eq!(found, paths(&expected), "seed {seed}: {include:?} {exclude:?}");
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
