//! Walks through indexes within indexes, bounded and without circles.
//!
//! It reads nothing: the caller reads each document and enters it.

use std::collections::HashSet;

use cache_model::{Descriptor, Digest};

use crate::ImageIndex;

/// The manifests below a root that are still to be read. Each digest comes up once, in the order of the indexes, the
/// entries of an inner index before the next entry of the outer one.
///
/// ```
/// use cache_format::{ImageIndex, ManifestQueue};
/// use cache_model::{Descriptor, Digest, MediaType};
/// let manifest = |n| Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256([n; 32]), 2);
/// let mut queue = ManifestQueue::new(&manifest(0));
/// assert!(queue.enter(&ImageIndex::new(vec![manifest(1), manifest(0), manifest(2), manifest(1)])));
/// assert_eq!(queue.next(), Some(manifest(1)));
/// assert_eq!(queue.next(), Some(manifest(2)));
/// assert_eq!(queue.next(), None);
/// ```
#[derive(Clone, Debug)]
pub struct ManifestQueue {
    seen: HashSet<Digest>,
    /// A stack: the next manifest is the last item.
    waiting: Vec<Descriptor>,
}

impl ManifestQueue {
    /// The most manifests that one walk visits, the root included. Images have a handful of platforms.
    pub const LIMIT: usize = 1000;

    /// A queue for the manifests below a root, which itself never comes up.
    pub fn new(root: &Descriptor) -> Self {
        Self { seen: HashSet::from([root.digest]), waiting: Vec::new() }
    }

    /// Adds the new manifests and indexes of an index. False if some did not fit because the [limit](Self::LIMIT) is
    /// reached.
    pub fn enter(&mut self, index: &ImageIndex) -> bool {
        let first = self.waiting.len();
        let mut all_fit = true;
        for entry in index.manifests.iter().filter(|entry| entry.media_type.is_manifest()) {
            if self.seen.contains(&entry.digest) {
                continue;
            }
            if self.seen.len() >= Self::LIMIT {
                all_fit = false;
                break;
            }
            self.seen.insert(entry.digest);
            self.waiting.push(entry.clone());
        }
        if let Some(entered) = self.waiting.get_mut(first..) {
            entered.reverse();
        }
        all_fit
    }
}

impl Iterator for ManifestQueue {
    type Item = Descriptor;

    /// The next manifest or index to read. To keep the order, [enter](Self::enter) an index before the next call.
    fn next(&mut self) -> Option<Descriptor> {
        self.waiting.pop()
    }
}
