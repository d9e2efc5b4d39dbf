//! An entry of a tree, and the digest that BuildKit gives it.
//!
//! Bytes are hashed as they stream by and are never kept.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::header::Header;

/// The mode of every symlink, whatever an archive says.
const SYMLINK_MODE: u32 = 0o777;

/// A header, and the digest of an entry under it.
type HeaderDigest = (Header, [u8; 32]);

/// An entry: its kind, its header, its digest, and the digests that its bytes have under other headers.
///
/// The digest of a file covers its header. So two files of different modes cannot be compared by their digests. An entry can
/// therefore hold more digests of the same bytes, each under another header; all are computed in one pass over the bytes.
/// Entries are equal if they are of one kind and have the same header and digest, whatever else is known of their bytes.
#[derive(Clone, Debug)]
pub struct Entry {
    kind: EntryKind,
    header: Header,
    digest: [u8; 32],
    others: Option<Arc<Vec<HeaderDigest>>>,
}

/// What an entry is. A hard link is a file: its digest is that of a file with the same bytes and header.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryKind {
    /// A regular file.
    File {
        /// How many bytes it has.
        size: u64,
    },
    /// A folder.
    Folder,
    /// A symbolic link.
    Symlink {
        /// The text of the link.
        target: Vec<u8>,
    },
    /// A character device.
    CharDevice(DeviceNumber),
    /// A block device.
    BlockDevice(DeviceNumber),
    /// A named pipe.
    Fifo,
}

/// The number of a device. It counts in a local folder only; in every other tree both parts are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceNumber {
    /// The number of the driver.
    pub major: u32,
    /// The number of the device of this driver.
    pub minor: u32,
}

/// Computes the digest of one entry while its bytes stream by (BuildKit's `cache/contenthash`, after Docker's tarsum).
///
/// ```
/// use cache_keys::{Entry, EntryHasher, EntryKind, Header};
///
/// let (header, kind) = (Header::new(0o644, 0, 0), EntryKind::File { size: 5 });
/// let mut hasher = EntryHasher::new(&header, &kind);
/// hasher.update(b"hel");
/// hasher.update(b"lo");
/// let file = Entry::file(header.clone(), 5, hasher.finish());
/// assert_eq!(file.header(), &header);
/// ```
#[derive(Clone, Debug)]
pub struct EntryHasher(Sha256);

impl Entry {
    /// An entry without bytes: a folder, a link, a device, a pipe, or an empty file.
    pub fn of(mut header: Header, kind: EntryKind) -> Self {
        if matches!(kind, EntryKind::Symlink { .. }) {
            header.mode = SYMLINK_MODE;
        }
        let digest = EntryHasher::new(&header, &kind).finish();
        Self { kind, header, digest, others: None }
    }

    /// A file of `size` bytes, with the digest that [`EntryHasher`] gave under this header.
    pub fn file(header: Header, size: u64, digest: [u8; 32]) -> Self {
        Self { kind: EntryKind::File { size }, header, digest, others: None }
    }

    /// The same file, with the digest of its bytes under one more header.
    pub fn with_digest_as(mut self, header: Header, digest: [u8; 32]) -> Self {
        if self.digest_as(&header).is_none() {
            Arc::make_mut(self.others.get_or_insert_default()).push((header, digest));
        }
        self
    }

    /// What it is.
    pub fn kind(&self) -> &EntryKind {
        &self.kind
    }

    /// Its own header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its digest under its own header.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Its digest under another header. `None` for a file whose bytes were not hashed under it.
    pub fn digest_as(&self, header: &Header) -> Option<[u8; 32]> {
        if !self.has_bytes() {
            return Some(Self::of(header.clone(), self.kind.clone()).digest);
        }
        self.digests().find(|(known, _)| *known == header).map(|(_, digest)| *digest)
    }

    /// The same entry under another header. `None` for a file whose bytes were not hashed under it.
    pub fn under(&self, header: &Header) -> Option<Self> {
        if !self.has_bytes() {
            return Some(Self::of(header.clone(), self.kind.clone()));
        }
        let digest = self.digest_as(header)?;
        let others = self.digests().filter(|(known, _)| *known != header);
        let others: Vec<_> = others.map(|(known, digest)| (known.clone(), *digest)).collect();
        let others = (!others.is_empty()).then(|| Arc::new(others));
        Some(Self { kind: self.kind.clone(), header: header.clone(), digest, others })
    }

    /// Whether two entries hold the same: the bytes of files, the text of links, the number of devices. `None` if two files were
    /// not hashed under a common header.
    pub fn same_bytes(&self, other: &Self) -> Option<bool> {
        if self.kind != other.kind {
            return Some(false);
        }
        if !self.has_bytes() {
            return Some(true);
        }
        let mut common =
            self.digests().filter_map(|(header, digest)| Some(*digest == other.digest_as(header)?));
        common.next()
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.kind == EntryKind::Folder
    }

    fn has_bytes(&self) -> bool {
        matches!(self.kind, EntryKind::File { size: 1.. })
    }

    fn digests(&self) -> impl Iterator<Item = (&Header, &[u8; 32])> {
        let others = self.others.as_deref().map(Vec::as_slice).unwrap_or_default();
        let others = others.iter().map(|(header, digest)| (header, digest));
        std::iter::once((&self.header, &self.digest)).chain(others)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (&self.kind, &self.header, &self.digest) == (&other.kind, &other.header, &other.digest)
    }
}

impl Eq for Entry {}

impl EntryKind {
    /// The letter of the kind in a tar header.
    fn type_flag(&self) -> char {
        match self {
            Self::File { .. } => '0',
            Self::Symlink { .. } => '2',
            Self::CharDevice(_) => '3',
            Self::BlockDevice(_) => '4',
            Self::Folder => '5',
            Self::Fifo => '6',
        }
    }
}

impl EntryHasher {
    /// A hasher that has taken everything but the bytes. Only files have bytes to [`update`](Self::update) it with.
    pub fn new(header: &Header, kind: &EntryKind) -> Self {
        let (mode, size, target, device): (_, _, &[u8], _) = match kind {
            EntryKind::File { size } => (header.mode, *size, b"", DeviceNumber::default()),
            EntryKind::Symlink { target } => (SYMLINK_MODE, 0, target, DeviceNumber::default()),
            EntryKind::CharDevice(device) | EntryKind::BlockDevice(device) => (header.mode, 0, b"", *device),
            EntryKind::Folder | EntryKind::Fifo => (header.mode, 0, b"", DeviceNumber::default()),
        };
        let (mode, uid, gid, flag) = (mode & 0o7777, header.uid, header.gid, kind.type_flag());
        let mut hash = Sha256::new();
        hash.update(format!("namemode{mode}uid{uid}gid{gid}size{size}typeflag{flag}linkname"));
        hash.update(target);
        hash.update(format!("unamegnamedevmajor{}devminor{}", device.major, device.minor));
        for (name, value) in header.xattrs.iter() {
            hash.update(name);
            hash.update(value);
        }
        Self(hash)
    }

    /// Takes the next bytes of the file.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
