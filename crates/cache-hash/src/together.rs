//! Chooses the messages that are hashed together, and how far.
//!
//! The choice depends on the lengths alone and never changes a digest.

use sha2::block_api::compress256;

use crate::Sha256;
use crate::sha256::Block;

/// How many messages are hashed together. There are too few registers for a third.
pub const LANES: usize = 2;

/// Whether this processor hashes two messages faster together than one after the other.
pub fn is_faster_together() -> bool {
    #[cfg(target_arch = "x86_64")]
    return crate::x86_64::has_sha();
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// Gives each hasher its next bytes, as [`Sha256::update`] for each would.
///
/// It is fastest for two pieces of equal length, of some kilobytes or more. More than two are hashed in pairs.
pub fn update_together(parts: &mut [(&mut Sha256, &[u8])]) {
    let mut lanes: Vec<Lane<'_>> = Vec::with_capacity(parts.len());
    for (hasher, bytes) in parts {
        let (blocks, rest) = hasher.complete_partial(bytes);
        lanes.push(Lane { hasher, blocks, rest });
    }
    while advance(&mut lanes) {}
    for lane in lanes {
        compress256(&mut lane.hasher.state, lane.blocks);
        lane.hasher.keep_partial(lane.rest);
    }
}

/// The bytes of one message that are not hashed yet.
struct Lane<'p> {
    hasher: &'p mut Sha256,
    blocks: &'p [Block],
    rest: &'p [u8],
}

#[cfg(target_arch = "x86_64")]
impl<'p> Lane<'p> {
    /// The next `count` blocks, or all if there are fewer.
    fn take(&mut self, count: usize) -> &'p [Block] {
        let (taken, left) = self.blocks.split_at(count.min(self.blocks.len()));
        self.blocks = left;
        taken
    }
}

/// Hashes the two longest lanes together, up to the end of the shorter one. False if there are no two lanes with blocks,
/// or the processor cannot.
#[cfg(target_arch = "x86_64")]
fn advance(lanes: &mut [Lane<'_>]) -> bool {
    lanes.sort_unstable_by_key(|lane| std::cmp::Reverse(lane.blocks.len()));
    let [a, b, ..] = lanes else { return false };
    if b.blocks.is_empty() || !crate::x86_64::has_sha() {
        return false;
    }
    let blocks = [a.take(b.blocks.len()), b.take(b.blocks.len())];
    crate::x86_64::compress([&mut a.hasher.state, &mut b.hasher.state], blocks);
    true
}

#[cfg(not(target_arch = "x86_64"))]
fn advance(_: &mut [Lane<'_>]) -> bool {
    false
}
