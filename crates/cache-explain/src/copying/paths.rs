//! Paths as bytes, without a slash in front; the root's is empty.

use cache_keys::{EntryKind, LayerTree, Tree};

/// BuildKit's limit of links on one path.
const MOST_LINKS: usize = 255;

/// Whether a path is another one, or below it.
pub(crate) fn is_at_or_below(path: &[u8], top: &[u8]) -> bool {
    below(path, top).is_some()
}

/// The rest of a path that is another one, or below it.
pub(crate) fn below<'p>(path: &'p [u8], top: &[u8]) -> Option<&'p [u8]> {
    if top.is_empty() {
        return Some(path);
    }
    match path.strip_prefix(top)? {
        b"" => Some(b""),
        rest => rest.strip_prefix(b"/"),
    }
}

/// Two parts of a path, joined.
pub(crate) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    match (folder, name) {
        (b"", name) => name.to_vec(),
        (folder, b"") => folder.to_vec(),
        (folder, name) => [folder, b"/", name].concat(),
    }
}

/// The folder above a path, and its last name. Slashes at the end do not count.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let path = path.get(..end).unwrap_or_default();
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (path.get(..slash).unwrap_or_default(), path.get(slash + 1..).unwrap_or_default()),
        None => (b"", path),
    }
}

/// The folders above a path, the highest first, without the root.
pub(crate) fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.filter_map(|(at, _)| path.get(..at))
}

/// Where a path of a step leads in a tree: every link is followed, also the last one, absolute ones from the root, and `..`
/// leads no higher than the root. What is missing is taken as it is. `None` if there are too many links.
pub(crate) fn through_links(tree: &Tree, path: &[u8]) -> Option<Vec<u8>> {
    let mut names: Vec<&[u8]> = path.rsplit(|byte| *byte == b'/').collect();
    let mut at = Vec::new();
    let mut links = 0;
    while let Some(name) = names.pop() {
        match name {
            b"" | b"." => {}
            b".." => at = split(&at).0.to_vec(),
            name => {
                let next = join(&at, name);
                let Some(EntryKind::Symlink { target }) = tree.get(&next).map(|entry| entry.kind()) else {
                    at = next;
                    continue;
                };
                links += 1;
                if links > MOST_LINKS {
                    return None;
                }
                if target.starts_with(b"/") {
                    at.clear();
                }
                names.extend(target.rsplit(|byte| *byte == b'/'));
            }
        }
    }
    Some(at)
}

/// Whether a layer hides what the layers below have at a path.
pub(crate) fn is_hidden(layer: &LayerTree, path: &[u8]) -> bool {
    let is_no_folder = |folder: &[u8]| layer.tree().get(folder).is_some_and(|entry| !entry.is_folder());
    let hides = |folder: &[u8]| layer.is_opaque(folder) || layer.hides(folder) || is_no_folder(folder);
    layer.is_opaque(b"") || layer.hides(path) || above(path).any(hides)
}

#[cfg(test)]
mod tests {
    use cache_keys::{Entry, Header};

    use super::*;

    #[test]
    fn paths_are_split_and_joined_at_slashes() {
        assert_eq!(split(b"a/b/c"), (&b"a/b"[..], &b"c"[..]));
        assert_eq!(split(b"/bin/"), (&b""[..], &b"bin"[..]));
        assert_eq!(split(b"/"), (&b""[..], &b""[..]));
        assert_eq!(below(b"a/b", b"a"), Some(&b"b"[..]));
        assert_eq!(below(b"ab", b"a"), None);
        assert_eq!(below(b"a", b""), Some(&b"a"[..]));
        assert_eq!(join(b"", b"a"), b"a");
        assert_eq!(join(b"a", b""), b"a");
        assert_eq!(above(b"a/b/c").collect::<Vec<_>>(), [&b"a"[..], b"a/b"]);
    }

    #[test]
    fn links_are_followed_within_the_root_and_loops_end() {
        let mut tree = Tree::rooted(Header::default());
        let mut link = |path: &[u8], target: &[u8]| {
            let kind = EntryKind::Symlink { target: target.to_vec() };
            tree.insert(path, Entry::of(Header::new(0o777, 0, 0), kind));
        };
        link(b"bin", b"usr/bin");
        link(b"usr/lib", b"/lib64");
        link(b"up", b"../../etc");
        link(b"x", b"y");
        link(b"y", b"x");
        assert_eq!(through_links(&tree, b"/bin/tool").unwrap(), b"usr/bin/tool");
        assert_eq!(through_links(&tree, b"/bin/../lib/./a").unwrap(), b"lib64/a");
        assert_eq!(through_links(&tree, b"up/passwd").unwrap(), b"etc/passwd");
        assert_eq!(through_links(&tree, b"/").unwrap(), b"");
        assert_eq!(through_links(&tree, b"x/a"), None);
    }
}
