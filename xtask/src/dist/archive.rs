//! A compressed tar whose bytes depend on its files and one time only.
//!
//! It reads no file and no clock.

use std::io::Write;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

/// A file of the archive.
pub(crate) struct Entry {
    /// Below the archive's one folder.
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) mode: u32,
}

impl Entry {
    /// A file that is no program.
    pub(crate) fn text(path: &str, bytes: Vec<u8>) -> Self {
        Self { path: path.to_owned(), bytes, mode: 0o644 }
    }
}

/// The archive: its files in one folder, sorted, owned by user 0, all of one time in seconds since 1970.
pub(crate) fn archive(folder: &str, mut entries: Vec<Entry>, time: u64) -> Result<Vec<u8>> {
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    // A header of gzip without a name and a time.
    let gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    let mut tar = Builder::new(gzip);
    for entry in &entries {
        append(&mut tar, folder, entry, time).with_context(|| format!("cannot pack {}", entry.path))?;
    }
    let gzip = tar.into_inner().context("cannot end the archive")?;
    gzip.finish().context("cannot compress the archive")
}

fn append(tar: &mut Builder<impl Write>, folder: &str, entry: &Entry, time: u64) -> std::io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(entry.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(time);
    header.set_size(entry.bytes.len() as u64);
    tar.append_data(&mut header, format!("{folder}/{}", entry.path), entry.bytes.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        let program = Entry { path: "bkcache".to_owned(), bytes: b"program".to_vec(), mode: 0o755 };
        vec![
            Entry::text("man/bkcache.1", b"page".to_vec()),
            program,
            Entry::text("README.md", b"read".to_vec()),
        ]
    }

    #[test]
    fn the_order_in_which_files_were_found_does_not_count() {
        let mut reversed = entries();
        reversed.reverse();
        assert_eq!(archive("a", entries(), 7).unwrap(), archive("a", reversed, 7).unwrap());
        assert_ne!(archive("a", entries(), 7).unwrap(), archive("a", entries(), 8).unwrap());
    }

    #[test]
    fn files_have_one_owner_one_time_and_the_mode_of_their_kind() {
        let bytes = archive("bkcache-1", entries(), 1_700_000_000).unwrap();
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
        let seen: Vec<String> = tar
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                let owner = (header.uid().unwrap(), header.gid().unwrap());
                assert_eq!((owner, header.mtime().unwrap()), ((0, 0), 1_700_000_000));
                format!("{:o} {}", header.mode().unwrap(), entry.path().unwrap().display())
            })
            .collect();
        assert_eq!(seen, ["644 bkcache-1/README.md", "755 bkcache-1/bkcache", "644 bkcache-1/man/bkcache.1"]);
    }
}
