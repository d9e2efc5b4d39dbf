//! The entries of a tar, one after the other: headers, the headers that extend them, and the bytes of files.
//!
//! It accepts what Go's `archive/tar` accepts, since that is what unpacks layers. It needs little memory, whatever the archive
//! asks for, and it knows nothing of layers.

use std::io::BufRead;
use std::mem;

use cache_keys::TreePath;
use tar::Header as Block;

use super::number::{decimal, number};
use super::pax::{self, Records, XATTR};
use super::sparse::{self, Part, SparseMap};
use super::tar_error::TarError;

const BLOCK: usize = 512;
/// The most bytes of a header that extends another, as in Go.
const MAX_EXTENSION: u64 = 1 << 20;
const MAP: &str = "the map of a sparse file is wrong";
const OWNER: &str = "the number of an owner is no number of a user or group";
const ZEROS: &[u8] = &[0; 16 * 1024];

/// The entries of a tar.
pub(super) struct Archive<R> {
    reader: R,
    /// How many bytes were read.
    position: u64,
    /// How many bytes of the current entry are left in the archive.
    left: u64,
    /// How many bytes fill up its last block.
    padding: u64,
}

/// One entry, with what other headers say of it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) kind: MemberKind,
    /// The size of a file.
    pub(super) size: u64,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// The parts of a sparse file that are in the archive.
    parts: Option<Vec<Part>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberKind {
    File,
    HardLink,
    Symlink,
    CharDevice,
    BlockDevice,
    Folder,
    Fifo,
}

/// What the headers in front of an entry say of it.
#[derive(Default)]
struct Extensions {
    records: Records,
    long_name: Vec<u8>,
    long_target: Vec<u8>,
}

impl Member {
    /// Whether the archive has not all bytes of the file.
    pub(super) fn is_sparse(&self) -> bool {
        self.parts.is_some()
    }
}

impl<R: BufRead> Archive<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, position: 0, left: 0, padding: 0 }
    }

    /// The next entry; `None` at the end. The bytes of the last file are skipped where they were not read.
    pub(super) fn next(&mut self) -> Result<Option<Member>, TarError> {
        let mut extensions = Extensions::default();
        loop {
            if !self.skip()? {
                return Ok(None);
            }
            let Some(block) = self.header()? else { return Ok(None) };
            let flag = block.as_old().linkflag[0];
            let size = self.field(&block.as_old().size, "its size is no number")?;
            self.expect(if is_header_only(flag) { 0 } else { size });
            match flag {
                b'x' => extensions.records = self.records()?,
                // It is for the entries that follow; containerd ignores it, with what stands in front of it.
                b'g' => {
                    self.records()?;
                    extensions = Extensions::default();
                }
                b'L' => extensions.long_name = text_of(&self.extension()?),
                b'K' => extensions.long_target = text_of(&self.extension()?),
                _ => return self.member(&block, flag, extensions).map(Some),
            }
        }
    }

    /// Gives all bytes of a file, in pieces. Sparse files are filled with zeros.
    pub(super) fn read(&mut self, member: &Member, sink: &mut dyn FnMut(&[u8])) -> Result<(), TarError> {
        let Some(parts) = &member.parts else { return self.copy(self.left, sink) };
        let mut end = 0;
        for part in parts {
            fill(part.offset - end, sink);
            self.copy(part.length, sink)?;
            end = part.offset + part.length;
        }
        fill(member.size - end, sink);
        Ok(())
    }

    fn copy(&mut self, len: u64, sink: &mut dyn FnMut(&[u8])) -> Result<(), TarError> {
        let mut left = len;
        while left > 0 {
            let piece = self.reader.fill_buf()?;
            let piece = piece.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(piece);
            if piece.is_empty() {
                return Err(TarError::Truncated);
            }
            sink(piece);
            let len = piece.len();
            self.reader.consume(len);
            self.position += len as u64;
            left -= len as u64;
        }
        self.left -= len;
        Ok(())
    }

    /// Skips what is left of the current entry. False if the archive ends within the padding of its last block.
    fn skip(&mut self) -> Result<bool, TarError> {
        self.copy(self.left, &mut |_| {})?;
        self.left = mem::take(&mut self.padding);
        match self.copy(self.left, &mut |_| {}) {
            Err(TarError::Truncated) => Ok(false),
            skipped => skipped.map(|()| true),
        }
    }

    /// The next header, if the archive does not end here.
    fn header(&mut self) -> Result<Option<Block>, TarError> {
        if self.reader.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let block = self.block()?;
        if is_zero(&block) {
            if self.reader.fill_buf()?.is_empty() || is_zero(&self.block()?) {
                return Ok(None);
            }
            return Err(self.damaged("an entry follows the end"));
        }
        let sums = checksums(block.as_bytes());
        let is_sound = number(&block.as_old().cksum).is_some_and(|sum| sums.contains(&sum));
        if is_sound { Ok(Some(block)) } else { Err(self.damaged("the checksum of a header is wrong")) }
    }

    fn block(&mut self) -> Result<Block, TarError> {
        let mut block = Block::new_old();
        self.reader.read_exact(block.as_mut_bytes())?;
        self.position += BLOCK as u64;
        Ok(block)
    }

    fn member(&mut self, block: &Block, flag: u8, extensions: Extensions) -> Result<Member, TarError> {
        let Extensions { records, long_name, long_target } = extensions;
        let old = block.as_old();
        let text = |key: &[u8], long: Vec<u8>, own: Vec<u8>| match pax::value(&records, key) {
            _ if !long.is_empty() => long,
            Some(value) => value.to_vec(),
            None => own,
        };
        let mut name = text(b"path", long_name, name_of(block));
        let target = text(b"linkpath", long_target, text_of(&old.linkname));
        let kind = kind_of(flag, &name)
            .ok_or_else(|| TarError::UnknownKind { name: TreePath(name.clone()), flag: char::from(flag) })?;
        if let Some(size) = pax::value(&records, b"size") {
            let size = decimal(size).ok_or_else(|| self.damaged("its size is no number"))?;
            self.expect(if is_header_only(flag) { 0 } else { size });
        }
        let (mut size, mut parts) = (self.left, None);
        let map = sparse::sparse_map(&records).ok_or_else(|| self.damaged(MAP))?;
        if let Some(map) = map.filter(|_| kind == MemberKind::File) {
            if let Some(real) = pax::value(&records, b"GNU.sparse.name") {
                name = real.to_vec();
            }
            if let Some(real) = sparse::real_size(&records) {
                size = decimal(real).ok_or_else(|| self.damaged("its size is no number"))?;
            }
            let known = match map {
                SparseMap::Known(parts) => parts,
                SparseMap::InFront => self.map_in_front()?,
            };
            if !sparse::are_valid(&known, size, self.left) {
                return Err(self.damaged(MAP));
            }
            parts = Some(known);
        }
        let mode = self.number(&old.mode, "its mode is no number")?;
        Ok(Member {
            name,
            target,
            kind,
            size,
            mode: u32::try_from(mode & 0o7777).unwrap_or_default(),
            uid: self.owner(&old.uid, pax::value(&records, b"uid"))?,
            gid: self.owner(&old.gid, pax::value(&records, b"gid"))?,
            xattrs: xattrs_of(records),
            parts,
        })
    }

    /// The map of a sparse file of version 1.0: numbers, each with a line feed, filled up to a whole block.
    fn map_in_front(&mut self) -> Result<Vec<Part>, TarError> {
        let (mut numbers, mut digits, mut expected, mut read) = (Vec::new(), Vec::new(), None, 0);
        while expected.is_none_or(|expected| (numbers.len() as u64) < expected) {
            if read >= MAX_EXTENSION || self.left < BLOCK as u64 {
                return Err(self.damaged(MAP));
            }
            let block = self.block()?;
            self.left -= BLOCK as u64;
            read += BLOCK as u64;
            for byte in block.as_bytes() {
                let is_complete = expected.is_some_and(|expected| numbers.len() as u64 >= expected);
                match byte {
                    _ if is_complete => break,
                    b'\n' => {
                        let number = decimal(&mem::take(&mut digits)).ok_or_else(|| self.damaged(MAP))?;
                        match expected {
                            None => expected = number.checked_mul(2),
                            Some(_) => numbers.push(number),
                        }
                    }
                    digit => digits.push(*digit),
                }
            }
        }
        sparse::parts(&numbers).ok_or_else(|| self.damaged(MAP))
    }

    fn records(&mut self) -> Result<Records, TarError> {
        let bytes = self.extension()?;
        pax::records(&bytes).ok_or_else(|| self.damaged("an extended header is no list of records"))
    }

    fn extension(&mut self) -> Result<Vec<u8>, TarError> {
        if self.left > MAX_EXTENSION {
            return Err(self.damaged("a header that extends another has more than 1 MiB"));
        }
        let mut bytes = Vec::new();
        self.copy(self.left, &mut |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }

    /// The bytes of the current entry that follow its header.
    fn expect(&mut self, size: u64) {
        self.left = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
    }

    fn owner(&self, field: &[u8], record: Option<&[u8]>) -> Result<u32, TarError> {
        let id = match record {
            Some(record) => decimal(record),
            None => Some(self.field(field, OWNER)?),
        };
        id.and_then(|id| u32::try_from(id).ok()).ok_or_else(|| self.damaged(OWNER))
    }

    /// A number that is not negative.
    fn field(&self, field: &[u8], reason: &'static str) -> Result<u64, TarError> {
        u64::try_from(self.number(field, reason)?).map_err(|_| self.damaged(reason))
    }

    fn number(&self, field: &[u8], reason: &'static str) -> Result<i64, TarError> {
        number(field).ok_or_else(|| self.damaged(reason))
    }

    fn damaged(&self, reason: &'static str) -> TarError {
        TarError::Damaged { position: self.position, reason }
    }
}

/// Whether entries of this kind have no bytes, whatever their size is.
fn is_header_only(flag: u8) -> bool {
    matches!(flag, b'1'..=b'6')
}

fn kind_of(flag: u8, name: &[u8]) -> Option<MemberKind> {
    Some(match flag {
        // Old archives know folders by their names only.
        0 if name.ends_with(b"/") => MemberKind::Folder,
        0 | b'0' => MemberKind::File,
        b'1' => MemberKind::HardLink,
        b'2' => MemberKind::Symlink,
        b'3' => MemberKind::CharDevice,
        b'4' => MemberKind::BlockDevice,
        b'5' => MemberKind::Folder,
        b'6' => MemberKind::Fifo,
        _ => return None,
    })
}

fn name_of(block: &Block) -> Vec<u8> {
    let name = text_of(&block.as_old().name);
    match block.as_ustar().map(|ustar| text_of(&ustar.prefix)) {
        Some(prefix) if !prefix.is_empty() => [&*prefix, b"/", &*name].concat(),
        _ => name,
    }
}

/// A text up to its first NUL.
fn text_of(field: &[u8]) -> Vec<u8> {
    field.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

fn xattrs_of(records: Records) -> Vec<(Vec<u8>, Vec<u8>)> {
    let named =
        records.into_iter().filter_map(|(key, value)| Some((key.strip_prefix(XATTR)?.to_vec(), value)));
    named.collect()
}

/// The sums of the bytes of a header, unsigned and signed; the field of the sum counts as spaces.
fn checksums(block: &[u8; BLOCK]) -> [i64; 2] {
    let counted =
        block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
    counted.fold([0, 0], |[unsigned, signed], byte| {
        [unsigned + i64::from(byte), signed + i64::from(byte.cast_signed())]
    })
}

fn is_zero(block: &Block) -> bool {
    block.as_bytes().iter().all(|byte| *byte == 0)
}

fn fill(mut len: u64, sink: &mut dyn FnMut(&[u8])) {
    while len > 0 {
        let zeros = ZEROS.get(..usize::try_from(len).unwrap_or(usize::MAX)).unwrap_or(ZEROS);
        sink(zeros);
        len -= zeros.len() as u64;
    }
}
