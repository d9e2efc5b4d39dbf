//! The paths that the source of a copy stands for.

use cache_keys::{CopyAction, EntryKind, Tree, has_wildcard, path_match};

use crate::copying::cannot_carry_out::CannotCarryOut;
use crate::copying::paths::{join, split, through_links};

/// The paths in a tree that a path with wildcards matches, in order: below a folder that matches nothing more is looked for. A
/// path without wildcards stands for itself.
pub(crate) fn matches(tree: &Tree, path: &str, follow: bool) -> Result<Vec<Vec<u8>>, CannotCarryOut> {
    let (fixed, pattern) = split_at_wildcard(path);
    if pattern.is_empty() {
        return Ok(vec![fixed.into_bytes()]);
    }
    let start = start(tree, fixed.as_bytes(), follow)?;
    let mut found = Vec::new();
    let mut pending = vec![Vec::new()];
    while let Some(path) = pending.pop() {
        // A malformed pattern matches nothing.
        if !path.is_empty() && path_match(&pattern, &path).unwrap_or_default() {
            found.push(join(&start, &path));
            continue;
        }
        let folder = join(&start, &path);
        let below: Vec<Vec<u8>> = tree.children(&folder).map(|(name, _)| join(&path, name)).collect();
        pending.extend(below.into_iter().rev());
    }
    Ok(found)
}

/// The files, without links, that a copy names itself: not those that it finds in folders.
pub(crate) fn named_files(tree: &Tree, copy: &CopyAction) -> Vec<Vec<u8>> {
    let named = match copy.allow_wildcard {
        true => matches(tree, &copy.src, copy.follow_symlink).unwrap_or_default(),
        false => vec![copy.src.clone().into_bytes()],
    };
    let paths = named.iter().filter_map(|path| tree.resolve(path, copy.follow_symlink).ok());
    paths
        .filter(|path| tree.get(path).is_some_and(|entry| matches!(entry.kind(), EntryKind::File { .. })))
        .collect()
}

/// The part of a path before the first name with a wildcard, and the rest.
pub(crate) fn split_at_wildcard(path: &str) -> (String, String) {
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    let first = names.iter().position(has_wildcard).unwrap_or(names.len());
    let (fixed, pattern) = names.split_at_checked(first).unwrap_or_default();
    (fixed.join("/"), pattern.join("/"))
}

fn start(tree: &Tree, fixed: &[u8], follow: bool) -> Result<Vec<u8>, CannotCarryOut> {
    let too_many = || CannotCarryOut::TooManyLinks(fixed.to_vec());
    if follow {
        return through_links(tree, fixed).ok_or_else(too_many);
    }
    let (folder, name) = split(fixed);
    Ok(join(&through_links(tree, folder).ok_or_else(too_many)?, name))
}
