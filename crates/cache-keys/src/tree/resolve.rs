//! Where a path leads in a tree, through the links on the way, as BuildKit resolves it.

use super::content_error::{ContentError, TreePath};
use super::entry::EntryKind;
use super::{Tree, TreeNode, names_of, without_slash};

/// BuildKit's limit.
const MOST_LINKS: u32 = 255;

/// A path without links, and the node at it.
pub(super) struct ResolvedPath<'t> {
    /// From the root, with a `/` before each name; empty for the root.
    pub(super) path: Vec<u8>,
    pub(super) node: TreeNode<'t>,
}

impl Tree {
    /// The path of the entry to which a path leads. Links on the way are followed, absolute ones from the root of the tree,
    /// and `..` leads no higher than the root; a link at the end is followed only with `follow`.
    ///
    /// # Errors
    ///
    /// [`ContentError::NotFound`] and [`ContentError::TooManyLinks`].
    pub fn resolve(&self, path: &[u8], follow: bool) -> Result<Vec<u8>, ContentError> {
        Ok(without_slash(&self.find(path, follow)?.path).to_vec())
    }

    pub(super) fn find(&self, path: &[u8], follow: bool) -> Result<ResolvedPath<'_>, ContentError> {
        self.look_up(path, follow)?.ok_or_else(|| ContentError::NotFound(TreePath(path.to_vec())))
    }

    /// Where a path leads; `None` if nothing is there.
    pub(super) fn look_up(
        &self,
        path: &[u8],
        follow: bool,
    ) -> Result<Option<ResolvedPath<'_>>, ContentError> {
        let clean = names_of(path).join(&b'/');
        let way = self.way(&clean, follow, &mut 0);
        let way = way.ok_or_else(|| ContentError::TooManyLinks(TreePath(path.to_vec())))?;
        let node = way.last().map_or(Some(TreeNode::Folder(self.root)), |(_, node)| *node);
        let names = way.iter().flat_map(|(name, _)| [b"/".as_slice(), *name]);
        let path = names.collect::<Vec<_>>().concat();
        Ok(node.map(|node| ResolvedPath { path, node }))
    }

    /// The names of a path from the root, and what stands at each. Links on the way are followed; `..` leads back. What is
    /// missing has no node. `None` if there are too many links. Each name after a link adds one to `work`.
    pub(super) fn way<'t: 'p, 'p>(
        &'t self,
        path: &'p [u8],
        follow: bool,
        work: &mut usize,
    ) -> Option<Vec<(&'p [u8], Option<TreeNode<'t>>)>> {
        let root = TreeNode::Folder(self.root);
        // What is still to go through: the path, and the links on the way. The last one comes next.
        let mut left: Vec<&'p [u8]> = vec![path];
        let mut way: Vec<(&'p [u8], Option<TreeNode<'t>>)> = Vec::new();
        let mut links = 0;
        while let Some(name) = next_name(&mut left) {
            *work += usize::from(links > 0);
            if matches!(name, b"" | b".") {
                continue;
            }
            if name == b".." {
                way.pop();
                continue;
            }
            let above = way.last().map_or(Some(root), |(_, node)| *node);
            let node = above.and_then(|above| self.child(above, name));
            let target = node.and_then(link_target).filter(|_| follow || !left.is_empty());
            let Some(target) = target else {
                // A name that is missing does not end the way: `..` may lead back.
                way.push((name, node));
                continue;
            };
            links += 1;
            if links > MOST_LINKS {
                return None;
            }
            if target.starts_with(b"/") {
                way.clear();
            }
            left.push(target);
        }
        Some(way)
    }
}

fn link_target(node: TreeNode<'_>) -> Option<&[u8]> {
    match node {
        TreeNode::Other(entry) => match entry.kind() {
            EntryKind::Symlink { target } => Some(target),
            _ => None,
        },
        TreeNode::Folder(_) => None,
    }
}

/// Takes the next name off the last text.
fn next_name<'p>(left: &mut Vec<&'p [u8]>) -> Option<&'p [u8]> {
    let mut parts = left.pop()?.splitn(2, |byte| *byte == b'/');
    let name = parts.next()?;
    left.extend(parts.next());
    Some(name)
}
