//! Random trees and selections: few names, so that paths, links and patterns meet; names that are no UTF-8, that begin with the
//! byte 0xff, or that look like wildcards.

use std::collections::BTreeMap;

use super::dice::Dice;
use crate::content::{ContentEntry, ContentKind, ContentSelection, ContentTree};

const NAMES: [&[u8]; 16] = [
    b"a",
    b"b",
    b"a-b",
    b"a.c",
    b"ab",
    b"B",
    b"a b",
    b"[x]",
    b"\\a",
    b"*",
    "\u{fc}".as_bytes(),
    b"\xff",
    b"\xffa",
    b"x\n",
    b"a\xfe",
    b"..b",
];
const MODES: [u32; 6] = [0o755, 0o644, 0o600, 0o4755, 0o2750, 0o1777];
const TARGETS: [&str; 12] =
    ["a", "b", "/a", "../b", "..//a/./b", "a/b", "/", ".", "nope/../a", "/\u{fc}", "[x]", "a-b/../b/a"];
const ATTRIBUTES: [&str; 5] = ["user.a", "user.b", "security.capability", "security.ima", "system.acl"];
const WILDCARDS: [&str; 14] = [
    "*",
    "?",
    "[ab]",
    "[^a]",
    "a*",
    "*.c",
    "\\a",
    "\\[x]",
    "[",
    "*b",
    "??",
    "[a-",
    "\\*",
    "[\u{fffd}-\u{ffff}]",
];
const PATTERN_PARTS: [&str; 41] = [
    "a",
    "b",
    "*",
    "**",
    "?",
    "/",
    "/",
    "/**",
    "**/",
    "!",
    "[ab]",
    "[^a]",
    "[a-c]",
    "\\[x\\]",
    "\\a",
    ".",
    "..",
    "a.c",
    "a b",
    "\u{fc}",
    "\u{fffd}",
    "x",
    "-",
    "^",
    "$",
    "+",
    "[[:alpha:]]",
    "[*]",
    "[]",
    "[z-a]",
    "\\d",
    "\\w",
    "\\b",
    "(",
    "|",
    " ",
    "\\q",
    "[\\d-x]",
    "#",
    "[[:]",
    "&&",
];

/// A random tree. `is_local` makes it a local folder: owners are 0.
pub fn random_tree(dice: &mut Dice, is_local: bool) -> ContentTree {
    let owner = |dice: &mut Dice| if is_local || dice.percent(70) { 0 } else { dice.below(3) };
    let mut entries = BTreeMap::new();
    let mut folders = vec![Vec::new()];
    let root = if is_local || dice.percent(80) { 0o755 } else { 0o700 };
    entries.insert(Vec::new(), entry(ContentKind::Folder, root, [0, 0]));
    for _ in 0..dice.below(18) {
        let path = [dice.one_of(&folders).as_slice(), b"\0", *dice.one_of(&NAMES)].concat();
        if entries.contains_key(&path) {
            continue;
        }
        let kind = match dice.below(10) {
            0..=3 => ContentKind::Folder,
            4..=6 => ContentKind::File(vec![b'x'; dice.below(3)]),
            7 | 8 => ContentKind::Link(dice.one_of(&TARGETS).as_bytes().to_vec()),
            _ if dice.percent(50) => ContentKind::Fifo,
            _ if is_local => ContentKind::Device(1, 3),
            _ => ContentKind::Device(0, 0),
        };
        if kind == ContentKind::Folder {
            folders.push(path.clone());
        }
        let owners = [owner(dice), owner(dice)];
        let mut made = entry(kind, *dice.one_of(&MODES), owners);
        if dice.percent(20) {
            let name = dice.one_of(&ATTRIBUTES).as_bytes().to_vec();
            made.xattrs.insert(name, vec![b'v'; dice.below(2)]);
        }
        entries.insert(path, made);
    }
    ContentTree { entries, is_sent: is_local }
}

fn entry(kind: ContentKind, mode: u32, [uid, gid]: [usize; 2]) -> ContentEntry {
    let number = |number: usize| u32::try_from(number).unwrap();
    ContentEntry { kind, mode, uid: number(uid), gid: number(gid), xattrs: BTreeMap::new() }
}

/// A random selection, often of a path that is in a tree.
pub fn random_selection(dice: &mut Dice, tree: &ContentTree) -> ContentSelection {
    let wildcard = dice.percent(40);
    let paths: Vec<&Vec<u8>> = tree.entries.keys().collect();
    let key = *dice.one_of(&paths);
    let mut names: Vec<String> =
        key.split(|byte| *byte == 0).skip(1).map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let parts: &[&str] = if wildcard { &WILDCARDS } else { &TARGETS };
    for _ in 0..dice.below(3) {
        let part = (*dice.one_of(parts)).to_owned();
        if names.is_empty() || dice.percent(50) {
            names.push(part);
        } else {
            let at = dice.below(names.len());
            names[at] = part;
        }
    }
    let end = if dice.percent(15) { "/" } else { "" };
    let path = if names.is_empty() && dice.percent(20) {
        String::new()
    } else {
        format!("/{}{end}", names.join("/"))
    };
    let patterns = |dice: &mut Dice| if dice.percent(40) { random_patterns(dice) } else { Vec::new() };
    let (include, exclude) = (patterns(dice), patterns(dice));
    ContentSelection { path, wildcard, follow: dice.percent(50), include, exclude }
}

/// One to three random patterns.
pub fn random_patterns(dice: &mut Dice) -> Vec<String> {
    let pattern =
        |dice: &mut Dice| (0..1 + dice.below(4)).map(|_| *dice.one_of(&PATTERN_PARTS)).collect::<String>();
    (0..1 + dice.below(3)).map(|_| pattern(dice)).collect()
}
