//! A layer compared with what its step writes.

use std::collections::BTreeSet;

use cache_keys::{Entry, EntryKind, Header, LayerTree, Tree};

use crate::content_check::check::{ContentFlaw, FlawKind};
use crate::copying::{WrittenTree, is_hidden};

/// What is wrong with a layer, and what could not be compared.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// In the order of the paths, each once.
    pub(crate) flaws: BTreeSet<ContentFlaw>,
    /// Files whose bytes could not be compared, and devices.
    pub(crate) undecided: Vec<Vec<u8>>,
}

impl Comparison {
    /// Compares a layer that was made on `below` with what the step wrote. Every entry of the layer has to be as the step
    /// leaves it, and everything that the step changes has to be in the layer.
    pub(crate) fn of(layer: &LayerTree, below: &Tree, written: &WrittenTree) -> Self {
        let mut comparison = Self::default();
        comparison.check_shape(layer);
        for (path, actual) in layer.entries() {
            comparison.check_entry(&path, actual, written);
        }
        comparison.check_presence(layer, below, written);
        comparison.check_hidden(layer, below, &written.tree);
        comparison
    }

    /// Adds what no builder writes into a layer: entries that stand twice, lead through links, carry foreign attributes or
    /// change the root, and hard links to files below.
    pub(crate) fn check_shape(&mut self, layer: &LayerTree) {
        let odd = layer.oddities().map(|(path, _)| path);
        for path in odd.chain(layer.links_below().map(|(path, _)| path)) {
            self.add(path, FlawKind::Planted);
        }
    }

    fn check_entry(&mut self, path: &[u8], actual: &Entry, written: &WrittenTree) {
        if let Some(write) = written.writes.get(path) {
            return self.compare(path, actual, &write.entry, &write.header);
        }
        match written.tree.get(path) {
            // A folder above what is written.
            Some(existing) if existing.is_folder() => {
                self.compare(path, actual, existing, existing.header());
            }
            Some(existing)
                if existing.header() == actual.header() && existing.same_bytes(actual) == Some(true) => {}
            _ => self.add(path, FlawKind::Planted),
        }
    }

    /// What the step changes, and the layer does not hold, has to be below already.
    fn check_presence(&mut self, layer: &LayerTree, below: &Tree, written: &WrittenTree) {
        for (path, write) in &written.writes {
            let own = layer.tree().get(path);
            let is_described = own.is_some_and(|own| !own.is_folder() || layer.describes_folder(path));
            if is_described {
                continue;
            }
            match below.get(path).filter(|_| !is_hidden(layer, path)) {
                Some(existing) => self.compare(path, existing, &write.entry, &write.header),
                // Unpacking makes folders that have no entry.
                None if own.is_some() => {
                    self.compare(
                        path,
                        &Entry::of(Header::default(), EntryKind::Folder),
                        &write.entry,
                        &write.header,
                    );
                }
                None => self.add(path, FlawKind::Missing),
            }
        }
        for path in &written.removed {
            let is_gone = is_hidden(layer, path) || layer.tree().get(path).is_some();
            if written.tree.get(path).is_none() && below.get(path).is_some() && !is_gone {
                self.add(path, FlawKind::Missing);
            }
        }
    }

    /// A layer may hide only what its step removes.
    fn check_hidden(&mut self, layer: &LayerTree, below: &Tree, after: &Tree) {
        for path in layer.whiteouts() {
            match (below.get(path), after.get(path)) {
                (Some(_), None) => {}
                (None, None) => self.add(path, FlawKind::Planted),
                (_, Some(_)) => self.add(path, FlawKind::Missing),
            }
        }
        for folder in layer.opaque_folders() {
            if !below.get(folder).is_some_and(Entry::is_folder) {
                self.add(folder, FlawKind::Planted);
            }
            let lost = below.below(folder);
            let lost = lost.filter(|(path, _)| after.get(path).is_some() && layer.tree().get(path).is_none());
            let lost: Vec<Vec<u8>> = lost.map(|(path, _)| path).collect();
            lost.iter().for_each(|path| self.add(path, FlawKind::Missing));
        }
    }

    /// Compares an entry with one that was given a header.
    pub(crate) fn compare(&mut self, path: &[u8], actual: &Entry, source: &Entry, header: &Header) {
        use EntryKind::{BlockDevice, CharDevice};
        match (actual.kind(), source.kind()) {
            // The numbers of devices are not in a layer's tree.
            (CharDevice(_), CharDevice(_)) | (BlockDevice(_), BlockDevice(_)) => {
                self.undecided.push(path.to_vec());
            }
            _ => match actual.same_bytes(source) {
                Some(true) => {}
                Some(false) => return self.add(path, FlawKind::Changed),
                None => self.undecided.push(path.to_vec()),
            },
        }
        self.check_header(path, actual, header);
    }

    /// Compares the header of an entry with the one that it should have.
    pub(crate) fn check_header(&mut self, path: &[u8], actual: &Entry, header: &Header) {
        let found = actual.header();
        let is_link = matches!(actual.kind(), EntryKind::Symlink { .. });
        if !is_link && (found.mode ^ header.mode) & 0o7777 != 0 {
            self.add(path, FlawKind::Mode);
        }
        if (found.uid, found.gid) != (header.uid, header.gid) {
            self.add(path, FlawKind::Owner);
        }
        if found.xattrs != header.xattrs {
            self.add(path, FlawKind::Capabilities);
        }
    }

    pub(crate) fn add(&mut self, path: &[u8], kind: FlawKind) {
        self.flaws.insert(ContentFlaw { path: path.to_vec(), kind });
    }
}
