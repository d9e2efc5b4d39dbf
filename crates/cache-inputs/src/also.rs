//! Hashing the bytes of a file once, for all headers under which its digest may be asked for.

use std::sync::Arc;

use cache_keys::{Entry, EntryHasher, EntryKind, Header};

/// Further headers under which the bytes of a file are hashed while they are read. It gets the path of the file, its own header
/// and its size in bytes.
///
/// A digest covers the header. So to compare two files of different modes or owners, or to check a copy that sets them, both
/// have to be hashed under a common header, and the bytes should not be read twice.
pub type AlsoHeaders = Arc<dyn Fn(&[u8], &Header, u64) -> Vec<Header> + Send + Sync>;

/// No further headers.
pub(crate) fn no_headers() -> AlsoHeaders {
    Arc::new(|_, _, _| Vec::new())
}

/// A file that is being hashed, under its own header and others.
pub(crate) struct HashedFile {
    header: Header,
    size: u64,
    hasher: EntryHasher,
    others: Vec<(Header, EntryHasher)>,
}

impl HashedFile {
    pub(crate) fn new(path: &[u8], header: Header, size: u64, also: &AlsoHeaders) -> Self {
        let kind = EntryKind::File { size };
        let others = also(path, &header, size).into_iter().filter(|other| *other != header);
        let others = others.map(|other| (other.clone(), EntryHasher::new(&other, &kind))).collect();
        Self { hasher: EntryHasher::new(&header, &kind), header, size, others }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.others.iter_mut().for_each(|(_, hasher)| hasher.update(bytes));
    }

    pub(crate) fn finish(self) -> Entry {
        let own = Entry::file(self.header, self.size, self.hasher.finish());
        let others = self.others.into_iter();
        others.fold(own, |entry, (header, hasher)| entry.with_digest_as(header, hasher.finish()))
    }
}
