//! What a client sends of a local folder.

use std::collections::BTreeMap;

use super::Failed;
use super::patterns::pattern_verdict;
use super::tree::{ContentEntry, ContentTree};

/// The tree that a client sends of a folder: every entry is asked for.
pub fn sent(folder: &ContentTree, include: &[String], exclude: &[String]) -> Result<ContentTree, Failed> {
    let mut known: BTreeMap<&[u8], [Vec<bool>; 2]> = BTreeMap::new();
    let mut entries: BTreeMap<Vec<u8>, ContentEntry> = BTreeMap::new();
    for patterns in [include, exclude] {
        pattern_verdict(patterns, b"", None, true)?;
    }
    for (key, entry) in &folder.entries {
        let Some(name) = key.iter().rposition(|byte| *byte == 0) else {
            entries.insert(key.clone(), entry.clone());
            continue;
        };
        let path: Vec<u8> = key[1..].iter().map(|byte| if *byte == 0 { b'/' } else { *byte }).collect();
        let above = known.get(&key[..name]);
        let included = pattern_verdict(include, &path, above.map(|known| known[0].as_slice()), false)?;
        let excluded = pattern_verdict(exclude, &path, above.map(|known| known[1].as_slice()), false)?;
        if (include.is_empty() || included.is_match) && !excluded.is_match {
            let ends = key.iter().enumerate().filter(|(_, byte)| **byte == 0).map(|(end, _)| end);
            for end in ends.chain([key.len()]) {
                entries.insert(key[..end].to_vec(), folder.entries[&key[..end]].clone());
            }
        }
        if entry.is_folder() {
            known.insert(key, [included.matched, excluded.matched]);
        }
    }
    Ok(ContentTree { entries, is_sent: true })
}
