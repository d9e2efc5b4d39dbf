//! A source as it was found from a layer, while what was lost is tried out.

use cache_keys::{Entry, Header, Tree};

/// The most trees that are tried for one reading of a layer.
const MOST_TRIES: usize = 4096;
/// The most entries that are hashed in all tries together, for all readings.
pub(crate) const MOST_WORK: usize = 1 << 22;

/// A source as it was found, with the headers that were lost.
pub(crate) struct FoundSource {
    pub(crate) tree: Tree,
    /// Paths with the entries that can be there, the most likely first.
    pub(crate) unsettled: Vec<(Vec<u8>, Vec<Entry>)>,
    entries: usize,
}

impl FoundSource {
    pub(crate) fn new(is_sent: bool) -> Self {
        let tree = if is_sent { Tree::sent() } else { Tree::rooted(Header::default()) };
        Self { tree, unsettled: Vec::new(), entries: 0 }
    }

    pub(crate) fn insert(&mut self, path: &[u8], mut entries: Vec<Entry>) {
        let Some(first) = entries.first() else { return };
        self.entries += 1;
        self.tree.insert(path, first.clone());
        if entries.len() > 1 {
            entries.dedup();
            self.unsettled.push((path.to_vec(), entries));
        }
    }

    /// Settles what was lost, so that a test holds. All combinations are tried if they are few; else those in which all files have
    /// one set of permissions, and all folders one. `work` is how many entries may be hashed.
    pub(crate) fn settle(&mut self, work: &mut usize, holds: impl Fn(&Tree) -> bool) -> bool {
        if holds(&self.tree) {
            return true;
        }
        let tries = self.tries(*work);
        *work = work.saturating_sub(tries * self.entries.max(1));
        match self.combinations() {
            Some(all) if all <= tries => self.settle_each(all, holds),
            _ => self.settle_alike(tries, holds),
        }
    }

    /// Whether `work` is enough to try everything. Of one folder the usual permissions are.
    pub(crate) fn can_try_all(&self, work: usize) -> bool {
        self.unsettled.len() <= 1 || self.combinations().is_some_and(|all| all <= self.tries(work))
    }

    fn combinations(&self) -> Option<usize> {
        self.unsettled.iter().try_fold(1_usize, |all, (_, entries)| all.checked_mul(entries.len()))
    }

    fn tries(&self, work: usize) -> usize {
        (work / self.entries.max(1)).min(MOST_TRIES)
    }

    fn settle_each(&mut self, all: usize, holds: impl Fn(&Tree) -> bool) -> bool {
        for choice in 1..all {
            let mut rest = choice;
            for (path, entries) in &self.unsettled {
                let entry = entries.get(rest % entries.len());
                rest /= entries.len();
                if let Some(entry) = entry.filter(|entry| self.tree.get(path) != Some(entry)) {
                    self.tree.insert(path, entry.clone());
                }
            }
            if holds(&self.tree) {
                return true;
            }
        }
        false
    }

    fn settle_alike(&mut self, tries: usize, holds: impl Fn(&Tree) -> bool) -> bool {
        let modes = |is_folder: bool| {
            let of_kind = self.unsettled.iter().filter(move |(_, entries)| {
                entries.first().is_some_and(|entry| entry.is_folder() == is_folder)
            });
            let longest = of_kind.max_by_key(|(_, entries)| entries.len());
            let modes = longest.into_iter().flat_map(|(_, entries)| entries).map(|entry| entry.header().mode);
            let modes: Vec<u32> = modes.take(16).collect();
            if modes.is_empty() { vec![0] } else { modes }
        };
        let (files, folders) = (modes(false), modes(true));
        let pairs = folders.iter().flat_map(|folder| files.iter().map(move |file| (*file, *folder)));
        for (file, folder) in pairs.take(tries) {
            for (path, entries) in &self.unsettled {
                let alike = entries
                    .iter()
                    .find(|entry| entry.header().mode == if entry.is_folder() { folder } else { file });
                if let Some(entry) = alike {
                    self.tree.insert(path, entry.clone());
                }
            }
            if holds(&self.tree) {
                return true;
            }
        }
        false
    }
}
