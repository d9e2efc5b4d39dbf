//! One message: its state between the blocks, and the padding that ends it (FIPS 180-4, sections 5.1.1 and 6.2).
//!
//! What happens within a block is not here.

use std::fmt;

use sha2::block_api::compress256;

/// What is hashed at a time.
pub(crate) type Block = [u8; BLOCK];
/// The size of a block in bytes.
pub(crate) const BLOCK: usize = 64;
/// Where in the last block the length of the message stands.
const LENGTH_AT: usize = BLOCK - size_of::<u64>();
/// What follows the message.
const END: u8 = 0x80;
/// The state before the first block (FIPS 180-4, section 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// A SHA-256 hasher.
///
/// It hashes alone as any other does; [`update_together`](crate::update_together) feeds several.
#[derive(Clone)]
pub struct Sha256 {
    pub(crate) state: [u32; 8],
    /// The beginning of a block whose rest has not come.
    partial: Block,
    /// How many bytes that is.
    held: usize,
    /// How many bytes have come.
    length: u64,
}

impl Sha256 {
    /// A hasher that has seen no bytes.
    pub fn new() -> Self {
        Self { state: INITIAL, partial: [0; BLOCK], held: 0, length: 0 }
    }

    /// The digest of some bytes.
    pub fn digest(bytes: &[u8]) -> [u8; 32] {
        let mut hasher = Self::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let (blocks, rest) = self.begin(bytes);
        compress256(&mut self.state, blocks);
        self.end(rest);
    }

    /// The digest of all the bytes taken.
    pub fn finish(mut self) -> [u8; 32] {
        // A message of 2^61 bytes or more has no SHA-256.
        let bits = self.length.wrapping_mul(8);
        let mut padding = [0; 2 * BLOCK];
        let (message, after) = padding.split_at_mut(self.held);
        message.copy_from_slice(self.partial.get(..self.held).unwrap_or_default());
        if let Some(first) = after.first_mut() {
            *first = END;
        }
        let (blocks, _) = padding.as_chunks_mut::<BLOCK>();
        let used = if self.held < LENGTH_AT { 1 } else { 2 };
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

    /// Takes what completes a block that has begun. What is left is whole blocks, to be compressed by whoever asked, and
    /// then the [`end`](Self::end).
    pub(crate) fn begin<'b>(&mut self, mut bytes: &'b [u8]) -> (&'b [Block], &'b [u8]) {
        self.length = self.length.wrapping_add(bytes.len() as u64);
        if self.held > 0 {
            let missing = self.partial.get_mut(self.held..).unwrap_or_default();
            let (taken, rest) = bytes.split_at(missing.len().min(bytes.len()));
            missing.iter_mut().zip(taken).for_each(|(to, from)| *to = *from);
            self.held += taken.len();
            bytes = rest;
            if self.held < BLOCK {
                return (&[], &[]);
            }
            compress256(&mut self.state, &[self.partial]);
            self.held = 0;
        }
        bytes.as_chunks()
    }

    /// Keeps the beginning of a block.
    pub(crate) fn end(&mut self, rest: &[u8]) {
        if let Some(partial) = self.partial.get_mut(..rest.len()).filter(|_| !rest.is_empty()) {
            partial.copy_from_slice(rest);
            self.held = rest.len();
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
