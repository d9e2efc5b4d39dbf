//! Any bytes as a tar of a layer: an error on one line or a layer within its limits, the same however the bytes are cut.
//!
//! The first byte says how much of the rest is read at once, and whether each block gets the checksum of a header first: a
//! fuzzer would hardly ever find a right one. The laws of a layer: its paths are clean, a folder stands above
//! each of its entries, and it makes the same of an empty tree as of one that has its entries already.

use std::io::{self, Read};

use cache_inputs::{LayerOptions, read_tar};
use cache_keys::{Header, LayerTree, Tree, clean_path};

use crate::check::assert_one_line;

/// The most entries and the most bytes of names of a layer, so that no input takes long.
const LIMIT: usize = 1 << 12;

/// Gives so many bytes at once.
struct Pieces<'b> {
    bytes: &'b [u8],
    size: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(self.size);
        self.bytes.read(&mut into[..most])
    }
}

/// Runs the target on some bytes.
pub fn run(bytes: &[u8]) {
    let Some((first, tar)) = bytes.split_first() else { return };
    let sealed = if first & 1 == 1 { sealed(tar) } else { tar.to_vec() };
    let tar = &*sealed;
    let mut options = LayerOptions::default();
    options.max_expansion = 1 << 20;
    options.limits.entries = LIMIT;
    options.limits.name_bytes = LIMIT << 6;
    let whole = read_tar(tar, &options);
    let pieces = read_tar(Pieces { bytes: tar, size: usize::from(*first) + 1 }, &options);
    assert_eq!(format!("{whole:?}"), format!("{pieces:?}"), "it depends on how it is cut");
    let layer = match whole {
        Ok(layer) => layer,
        Err(error) => return assert_one_line(&error),
    };
    check_layer(&layer);
    let mut tree = Tree::rooted(Header::default());
    if let Err(error) = tree.apply(&layer) {
        assert!(layer.links_below().next().is_some(), "only a link to a file below can fail");
        return assert_one_line(&error);
    }
    let once = format!("{tree:?}");
    tree.apply(&layer).expect("its links lead to files");
    assert_eq!(format!("{tree:?}"), once, "twice it makes another tree");
}

/// The same tar, where each block has the checksum of a header in the place of one.
fn sealed(tar: &[u8]) -> Vec<u8> {
    let mut tar = tar.to_vec();
    for block in tar.as_chunks_mut::<512>().0 {
        if block.iter().any(|byte| *byte != 0) {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
        }
    }
    tar
}

fn check_layer(layer: &LayerTree) {
    let mut entries = 0;
    for (path, _) in layer.tree().iter() {
        entries += 1;
        assert_eq!(clean_path(&path), path, "a path that is not clean");
        if let Some(slash) = path.iter().rposition(|byte| *byte == b'/') {
            let above = layer.tree().get(&path[..slash]);
            assert!(above.is_some_and(|above| above.is_folder()), "an entry without a folder above it");
        }
    }
    assert!(entries <= LIMIT, "more entries than the limit");
    for (path, link) in layer.links_below() {
        assert!(layer.tree().get(path).is_none(), "a link and another entry at one path");
        assert_eq!(clean_path(&link.target), link.target, "a target that is not clean");
    }
    for folder in layer.opaque_folders() {
        assert!(
            layer.tree().get(folder).is_some_and(|entry| entry.is_folder()),
            "an opaque path without a folder"
        );
    }
}
