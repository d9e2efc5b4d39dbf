//! Content checksums: what BuildKit's `cache/contenthash` computes for a path of an input, and for the rule of an input.
//!
//! Digests are hashed as texts, `sha256:…`. The digest of a folder is computed once.

use cache_model::{Digest, RecordDigest};
use sha2::{Digest as _, Sha256};

use super::content_error::ContentError;
use super::filtered::{FilteredEntry, filtered};
use super::{Child, FolderIx, Tree, TreeNode, TreeWalk, without_slash};
use crate::content_rule::{ContentRule, ContentSelector};
use crate::go_path::base;

/// The most bytes of paths that one folder hashes a second time.
const MOST_REPEATED: usize = 1 << 16;

impl Tree {
    /// The checksum of the content that a selector selects.
    ///
    /// # Errors
    ///
    /// [`ContentError`], where BuildKit would fail the step.
    pub fn checksum(&self, selector: &ContentSelector) -> Result<Digest, ContentError> {
        if !selector.is_filtered() {
            return self.plain_checksum(selector.path.as_bytes(), selector.follow);
        }
        let listed = filtered(self, selector)?;
        let digests = listed.entries.iter().map(|entry| self.filtered_digest(entry));
        let digests = digests.collect::<Result<Vec<Digest>, ContentError>>()?;
        if let ([entry], [digest]) = (listed.entries.as_slice(), digests.as_slice())
            && base(&selector.path).as_bytes() == last_name(&entry.path)
        {
            return Ok(*digest);
        }
        let mut hash = Sha256::new();
        let mut text = Vec::new();
        for (entry, digest) in listed.entries.iter().zip(digests) {
            let below = entry.path.get(listed.prefix..).unwrap_or_default();
            text.clear();
            text.extend(key(below));
            if text.is_empty() {
                text.push(0);
            }
            digest.write_to(&mut text);
            hash.update(&text);
        }
        Ok(Digest::sha256(hash.finalize().into()))
    }

    /// The digest of the record that stands for the content of an input.
    ///
    /// # Errors
    ///
    /// [`ContentError`], where BuildKit would fail the step.
    pub fn content(&self, rule: &ContentRule) -> Result<RecordDigest, ContentError> {
        let mut joined = Vec::new();
        for (n, selector) in rule.selectors.iter().enumerate() {
            if n > 0 {
                joined.push(0);
            }
            self.checksum(selector)?.write_to(&mut joined);
        }
        Ok(RecordDigest::of_content(Digest::of(joined)))
    }

    /// The paths of all entries that count for a rule, in order, each once. Where a link is followed, these are what it leads to.
    /// The root has the empty path; it is among them if its header counts.
    ///
    /// # Errors
    ///
    /// [`ContentError`], where BuildKit would fail the step.
    pub fn selected(&self, rule: &ContentRule) -> Result<Vec<Vec<u8>>, ContentError> {
        let mut paths = Vec::new();
        for selector in &rule.selectors {
            if !selector.is_filtered() {
                self.push_all(selector.path.as_bytes(), selector.follow, &mut paths)?;
                continue;
            }
            for entry in filtered(self, selector)?.entries {
                if entry.is_followed {
                    self.push_all(&entry.path, true, &mut paths)?;
                } else {
                    paths.push(without_slash(&entry.real_path).to_vec());
                }
            }
        }
        paths.sort_by(|a, b| key(a).cmp(key(b)));
        paths.dedup();
        Ok(paths)
    }

    /// Appends the paths of the entry to which a path leads and of all below it.
    fn push_all(&self, path: &[u8], follow: bool, paths: &mut Vec<Vec<u8>>) -> Result<(), ContentError> {
        let found = self.find(path, follow)?;
        let TreeNode::Folder(folder) = found.node else {
            paths.push(without_slash(&found.path).to_vec());
            return Ok(());
        };
        if folder != self.root || self.has_root_header() {
            paths.push(without_slash(&found.path).to_vec());
        }
        let mut walk = TreeWalk::new(self, found.node, found.path);
        while walk.next().is_some() {
            paths.push(without_slash(&walk.path).to_vec());
        }
        Ok(())
    }

    fn plain_checksum(&self, path: &[u8], follow: bool) -> Result<Digest, ContentError> {
        match self.find(path, follow)?.node {
            TreeNode::Other(entry) => Ok(Digest::sha256(*entry.digest())),
            TreeNode::Folder(folder) => self.folder_digest(folder),
        }
    }

    fn filtered_digest(&self, entry: &FilteredEntry<'_>) -> Result<Digest, ContentError> {
        match entry.node {
            _ if entry.is_followed => self.plain_checksum(&entry.path, true),
            TreeNode::Other(entry) => Ok(Digest::sha256(*entry.digest())),
            TreeNode::Folder(folder) => Ok(self.folder_header(folder)),
        }
    }

    /// Whether the header of the root counts.
    fn has_root_header(&self) -> bool {
        !self.is_sent || self.is_empty()
    }

    fn folder_header(&self, folder: FolderIx) -> Digest {
        if folder == self.root && !self.has_root_header() {
            return Digest::of(b"");
        }
        Digest::sha256(*self.folders[folder].entry.digest())
    }

    /// The digest of a folder with everything below it. It and all folders below have it at hand from now on.
    fn folder_digest(&self, top: FolderIx) -> Result<Digest, ContentError> {
        let mut left = vec![top];
        while let Some(folder) = left.last().copied() {
            if self.folders[folder].digest.get().is_some() {
                left.pop();
                continue;
            }
            let before = left.len();
            left.extend(self.folders[folder].children.values().filter_map(|child| match child {
                Child::Folder(inner) if self.folders[*inner].digest.get().is_none() => Some(*inner),
                _ => None,
            }));
            if left.len() == before {
                let digest = self.hash_folder(folder)?;
                self.folders[folder].digest.get_or_init(|| digest);
            }
        }
        Ok(self.ready_digest(TreeNode::Folder(top)))
    }

    /// The digest of a folder, when all folders in it have theirs.
    ///
    /// BuildKit skips the inside of a folder by a search for the name `\xff` in it. So it finds the children whose names begin
    /// with this byte, and hashes them here again; and those in each folder among them.
    fn hash_folder(&self, folder: FolderIx) -> Result<[u8; 32], ContentError> {
        let mut hash = Sha256::new();
        let mut text = vec![0];
        self.folder_header(folder).write_to(&mut text);
        hash.update(&text);
        let mut repeated = 0;
        for (name, child) in &self.folders[folder].children {
            let mut walk = TreeWalk::from_name(self, child.as_node(), [b"/", &**name].concat(), b"\xff");
            let mut next = Some(child.as_node());
            while let Some(node) = next {
                text.clear();
                text.extend(key(&walk.path));
                self.ready_digest(node).write_to(&mut text);
                hash.update(&text);
                next = walk.next();
                repeated += next.map_or(0, |_| walk.path.len());
                if repeated > MOST_REPEATED {
                    return Err(ContentError::TooManyRepeats { most: MOST_REPEATED });
                }
            }
        }
        Ok(hash.finalize().into())
    }

    /// The digest of an entry, or of a folder that has it at hand.
    fn ready_digest(&self, node: TreeNode<'_>) -> Digest {
        match node {
            TreeNode::Other(entry) => Digest::sha256(*entry.digest()),
            TreeNode::Folder(folder) => {
                Digest::sha256(self.folders[folder].digest.get().copied().unwrap_or_default())
            }
        }
    }
}

/// A path as it is hashed: with NUL for `/`.
fn key(path: &[u8]) -> impl Iterator<Item = u8> {
    path.iter().map(|byte| if *byte == b'/' { 0 } else { *byte })
}

/// The last name of a path of the tree, as [`base`] gives it.
fn last_name(path: &[u8]) -> &[u8] {
    match path.rsplit(|byte| *byte == b'/').next() {
        None | Some(b"") => b".",
        Some(name) => name,
    }
}
