//! The checksum of what a selection selects.

use std::collections::{BTreeMap, BTreeSet};

use super::Failed;
use super::path_match::path_match;
use super::patterns::{Verdict, pattern_verdict};
use super::tree::{ContentKind, ContentSelection, ContentTree, sha};

type Key = Vec<u8>;

/// The checksum as a text.
pub fn content_checksum(tree: &ContentTree, selection: &ContentSelection) -> Result<String, Failed> {
    let is_filtered = selection.wildcard || !selection.include.is_empty() || !selection.exclude.is_empty();
    if is_filtered { filtered(tree, selection) } else { plain(tree, &key(&selection.path), selection.follow) }
}

/// A path as a key: cleaned, with a NUL before each name.
fn key(path: &str) -> Key {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        if name == ".." {
            names.pop();
        } else if !name.is_empty() && name != "." {
            names.push(name);
        }
    }
    names.iter().flat_map(|name| [b"\0", name.as_bytes()].concat()).collect()
}

fn plain(tree: &ContentTree, path: &Key, follow: bool) -> Result<String, Failed> {
    let found = resolve(tree, path, follow, &mut 0)?;
    if tree.entries.contains_key(&found) { Ok(digest(tree, &found)) } else { Err(Failed) }
}

/// Where a path leads, whether anything is there or not.
fn resolve(tree: &ContentTree, path: &Key, follow: bool, links: &mut usize) -> Result<Key, Failed> {
    let mut at = Key::new();
    let names: Vec<&[u8]> = path.split(|byte| *byte == 0).collect();
    for (n, name) in names.iter().enumerate() {
        match *name {
            b"" | b"." => continue,
            b".." => {
                at.truncate(at.iter().rposition(|byte| *byte == 0).unwrap_or(0));
                continue;
            }
            _ => {}
        }
        let next = [at.as_slice(), b"\0", name].concat();
        let rest = &names[n + 1..];
        match tree.entries.get(&next).map(|entry| &entry.kind) {
            Some(ContentKind::Link(target)) if follow || !rest.is_empty() => {
                *links += 1;
                if *links > 255 {
                    return Err(Failed);
                }
                let target: Key = target.iter().map(|byte| if *byte == b'/' { 0 } else { *byte }).collect();
                let start = if target.starts_with(b"\0") { b"" } else { at.as_slice() };
                let all = [start, b"\0", &target, b"\0", &rest.join(&0)].concat();
                return resolve(tree, &all, follow, links);
            }
            _ => at = next,
        }
    }
    Ok(at)
}

/// The digest of an entry; of a folder that of all below it.
fn digest(tree: &ContentTree, path: &Key) -> String {
    if !tree.entries[path].is_folder() {
        return tree.entries[path].digest();
    }
    let mut text = [b"\0", header(tree, path).as_bytes()].concat();
    for child in children(tree, path) {
        text.extend([&child[path.len()..], digest(tree, &child).as_bytes()].concat());
        again(tree, &child, path.len(), &mut text);
    }
    sha(&text)
}

/// After a folder, its children whose names begin with the byte 0xff follow again.
fn again(tree: &ContentTree, folder: &Key, prefix: usize, text: &mut Vec<u8>) {
    for child in children(tree, folder) {
        if child[folder.len() + 1] == 0xff {
            text.extend([&child[prefix..], digest(tree, &child).as_bytes()].concat());
            again(tree, &child, prefix, text);
        }
    }
}

fn children(tree: &ContentTree, path: &Key) -> Vec<Key> {
    let is_child = |key: &&Key| {
        key.len() > path.len()
            && key.starts_with(path)
            && key.iter().rposition(|byte| *byte == 0) == Some(path.len())
    };
    tree.entries.keys().filter(is_child).cloned().collect()
}

fn header(tree: &ContentTree, path: &Key) -> String {
    if path.is_empty() && tree.is_sent && tree.entries.len() > 1 {
        return sha(b"");
    }
    tree.entries[path].digest()
}

fn filtered(tree: &ContentTree, selection: &ContentSelection) -> Result<String, Failed> {
    // Patterns that have no meaning fail, also when nothing is there.
    for patterns in [&selection.include, &selection.exclude] {
        pattern_verdict(patterns, b"", None, true)?;
    }
    let whole = key(&selection.path);
    let prefix = if selection.wildcard { without_wildcards(&whole) } else { whole.clone() };
    let start = resolve(tree, &prefix, prefix.len() < whole.len(), &mut 0)?;
    let listed = list(tree, selection, &whole, (&prefix, &start))?;
    let mut digests = Vec::new();
    for (path, named) in &listed {
        let entry = &tree.entries[path];
        let is_top = !listed.keys().any(|other| below(path, other).is_some());
        digests.push((
            named,
            match entry.kind {
                ContentKind::Link(_) if selection.follow && is_top => plain(tree, named, true)?,
                ContentKind::Folder => header(tree, path),
                _ => entry.digest(),
            },
        ));
    }
    if let [(named, digest)] = digests.as_slice()
        && base(selection.path.as_bytes(), b'/') == base(named, 0)
    {
        return Ok(digest.clone());
    }
    let part = |(named, digest): (&&Key, &String)| {
        let path: &[u8] = if named.len() == prefix.len() { b"\0" } else { &named[prefix.len()..] };
        [path, digest.as_bytes()].concat()
    };
    Ok(sha(&digests.iter().map(|(named, digest)| part((named, digest))).collect::<Vec<_>>().concat()))
}

/// The chosen entries, with the paths by which they are reached.
fn list(
    tree: &ContentTree,
    selection: &ContentSelection,
    whole: &Key,
    (prefix, start): (&Key, &Key),
) -> Result<BTreeMap<Key, Key>, Failed> {
    let mut bases: BTreeSet<Key> = BTreeSet::new();
    let mut folders: BTreeMap<Key, [Option<Vec<bool>>; 2]> = BTreeMap::new();
    let mut listed = BTreeMap::new();
    let named = |path: &Key| [prefix, &path[start.len()..]].concat();
    for (path, entry) in
        tree.entries.iter().filter(|(path, _)| *path == start || below(path, start).is_some())
    {
        let known = bases.iter().find_map(|base| below(path, base));
        let candidate = match known {
            Some(candidate) => candidate,
            None if !selection.wildcard || whole.is_empty() => below(path, start).unwrap_or_default(),
            None => {
                let pattern: Vec<u8> = slashes(whole);
                if !path_match(std::str::from_utf8(&pattern).unwrap(), &slashes(&named(path)))? {
                    continue;
                }
                bases.insert(path.clone());
                Key::new()
            }
        };
        let above = folders.iter().rev().find(|(folder, _)| below(path, folder).is_some());
        let verdict = |n: usize, patterns: &[String]| {
            let parent = above.and_then(|(_, known)| known[n].as_deref());
            pattern_verdict(patterns, &slashes(&candidate), parent, false)
        };
        let is_headless = entry.is_folder() && selection.path.ends_with('/') && named(path) == *whole;
        let mut known = [None, None];
        let mut is_chosen = true;
        if !selection.include.is_empty() {
            let Verdict { is_match, matched } = verdict(0, &selection.include)?;
            (known[0], is_chosen) = (Some(matched), is_match);
        }
        if is_chosen && !selection.exclude.is_empty() {
            let Verdict { is_match, matched } = verdict(1, &selection.exclude)?;
            (known[1], is_chosen) = (Some(matched), !is_match);
        }
        if is_headless {
            continue;
        }
        if is_chosen {
            let above = folders.keys().filter(|folder| below(path, folder).is_some());
            listed.extend(above.map(|folder| (folder.clone(), named(folder))));
            listed.insert(path.clone(), named(path));
        }
        if entry.is_folder() {
            folders.insert(path.clone(), known);
        }
    }
    Ok(listed)
}

/// The names before the first one with a wildcard.
fn without_wildcards(path: &Key) -> Key {
    let names = path.split(|byte| *byte == 0).skip(1);
    let is_plain = |name: &&[u8]| {
        let mut is_escaped = false;
        !name.iter().any(|byte| {
            let is_wildcard = !is_escaped && b"*?[".contains(byte);
            is_escaped = !is_escaped && *byte == b'\\';
            is_wildcard
        })
    };
    names.take_while(is_plain).flat_map(|name| [b"\0", name].concat()).collect()
}

/// What a path has below another, without the NUL in front.
fn below(path: &[u8], folder: &[u8]) -> Option<Key> {
    Some(path.strip_prefix(folder)?.strip_prefix(b"\0")?.to_vec())
}

fn slashes(path: &[u8]) -> Vec<u8> {
    path.iter().map(|byte| if *byte == 0 { b'/' } else { *byte }).collect()
}

fn base(path: &[u8], separator: u8) -> Vec<u8> {
    match path.split(|byte| *byte == separator).rfind(|name| !name.is_empty()) {
        Some(name) => name.to_vec(),
        None if path.is_empty() => b".".to_vec(),
        None => b"/".to_vec(),
    }
}
