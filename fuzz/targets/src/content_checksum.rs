//! Random trees and selections that the bytes decide: their checksums, and what a client sends of them, are those of the
//! definitions.

mod from_reference;

use cache_keys::{ContentRule, SentFilter, Tree};
use reference::{
    ContentSelection, ContentTree, Dice, content_checksum, random_patterns, random_selection, random_tree,
    sent,
};

use crate::check::assert_one_line;
use from_reference::{paths, selector, sent_paths, tree};

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
    let found = sent_paths(&tree(folder), &filter).expect("the reference has tried them");
    assert_eq!(found, paths(&expected), "{include:?} {exclude:?}");
    Some(expected)
}
