//! One message: its state between blocks, and the padding at its end (FIPS 180-4, sections 5.1.1 and 6.2).
//!
//! The rounds within a block are not here.

use std::fmt;

use sha2::block_api::compress256;

/// The unit that is hashed at a time.
pub(crate) type Block = [u8; BLOCK];
/// The size of a block in bytes.
pub(crate) const BLOCK: usize = 64;
/// The position of the message's length in the last block.
const LENGTH_AT: usize = BLOCK - size_of::<u64>();
/// The byte behind the message.
const END: u8 = 0x80;
/// The state before the first block (FIPS 180-4, section 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// A SHA-256 hasher.
///
/// [`update`](Self::update) feeds one hasher, [`update_together`](crate::update_together) feeds several at once.
#[derive(Clone)]
pub struct Sha256 {
    pub(crate) state: [u32; 8],
    /// The beginning of a block that is not complete yet.
    partial: Block,
    /// How many bytes of `partial` are taken.
    partial_len: usize,
    /// How many bytes the message has so far.
    length: u64,
}

impl Sha256 {
    /// A hasher that has seen no bytes.
    pub fn new() -> Self {
        Self { state: INITIAL, partial: [0; BLOCK], partial_len: 0, length: 0 }
    }

    /// The digest of some bytes.
    pub fn digest(bytes: &[u8]) -> [u8; 32] {
        let mut hasher = Self::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let (blocks, rest) = self.complete_partial(bytes);
        compress256(&mut self.state, blocks);
        self.keep_partial(rest);
    }

    /// The digest of all the bytes taken.
    pub fn finish(mut self) -> [u8; 32] {
        // A message of 2^61 bytes or more has no SHA-256.
        let bits = self.length.wrapping_mul(8);
        let mut padding = [0; 2 * BLOCK];
        let (message, after) = padding.split_at_mut(self.partial_len);
        message.copy_from_slice(self.partial.get(..self.partial_len).unwrap_or_default());
        if let Some(first) = after.first_mut() {
            *first = END;
        }
        let (blocks, _) = padding.as_chunks_mut::<BLOCK>();
        let used = if self.partial_len < LENGTH_AT { 1 } else { 2 };
        let blocks = blocks.get_mut(..used).unwrap_or_default();
        if let Some(last) = blocks.last_mut() {
            last[LENGTH_AT..].copy_from_slice(&bits.to_be_bytes());
        }
        compress256(&mut self.state, blocks);
        let mut digest = [0; 32];
        for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(self.state) {
            *bytes = word.to_be_bytes();
        }
        digest
    }

    /// Completes the partial block. Gives the whole blocks, which the caller has to compress, and the rest, which goes
    /// to [`keep_partial`](Self::keep_partial) then.
    pub(crate) fn complete_partial<'b>(&mut self, mut bytes: &'b [u8]) -> (&'b [Block], &'b [u8]) {
        self.length = self.length.wrapping_add(bytes.len() as u64);
        if self.partial_len > 0 {
            let missing = self.partial.get_mut(self.partial_len..).unwrap_or_default();
            let (taken, rest) = bytes.split_at(missing.len().min(bytes.len()));
            missing.iter_mut().zip(taken).for_each(|(to, from)| *to = *from);
            self.partial_len += taken.len();
            bytes = rest;
            if self.partial_len < BLOCK {
                return (&[], &[]);
            }
            compress256(&mut self.state, &[self.partial]);
            self.partial_len = 0;
        }
        bytes.as_chunks()
    }

    /// Keeps the beginning of the next block.
    pub(crate) fn keep_partial(&mut self, rest: &[u8]) {
        if let Some(partial) = self.partial.get_mut(..rest.len()).filter(|_| !rest.is_empty()) {
            partial.copy_from_slice(rest);
            self.partial_len = rest.len();
        }
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sha256").field("length", &self.length).finish_non_exhaustive()
    }
}
