//! Which messages are hashed together, and how far.
//!
//! It decides from the lengths alone, and changes no result.

use sha2::block_api::compress256;

use crate::Sha256;
use crate::sha256::Block;

/// How many messages are hashed together: with a third, the registers are too few.
pub const LANES: usize = 2;

/// Whether this processor hashes two messages faster together than one after the other.
pub fn is_faster_together() -> bool {
    #[cfg(target_arch = "x86_64")]
    return crate::x86_64::is_fast();
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// Gives each hasher its next bytes.
///
/// The result is that of one [`Sha256::update`] after the other. It is fastest for two pieces of equal length, at best of
/// some kilobytes or more; more than two are taken two by two.
pub fn update_together(parts: &mut [(&mut Sha256, &[u8])]) {
    let mut lanes: Vec<Lane<'_>> = Vec::with_capacity(parts.len());
    for (hasher, bytes) in parts {
        let (blocks, rest) = hasher.begin(bytes);
        lanes.push(Lane { hasher, blocks, rest });
    }
    while advance(&mut lanes) {}
    for lane in lanes {
        compress256(&mut lane.hasher.state, lane.blocks);
        lane.hasher.end(lane.rest);
    }
}

/// What is left to do for one message.
struct Lane<'p> {
    hasher: &'p mut Sha256,
    blocks: &'p [Block],
    rest: &'p [u8],
}

#[cfg(target_arch = "x86_64")]
impl<'p> Lane<'p> {
    fn take(&mut self, count: usize) -> &'p [Block] {
        let (taken, left) = self.blocks.split_at(count.min(self.blocks.len()));
        self.blocks = left;
        taken
    }
}

/// Hashes the two longest lanes together, as far as the shorter of them goes; no when that cannot be done.
#[cfg(target_arch = "x86_64")]
fn advance(lanes: &mut [Lane<'_>]) -> bool {
    lanes.sort_unstable_by_key(|lane| std::cmp::Reverse(lane.blocks.len()));
    let [a, b, ..] = lanes else { return false };
    if b.blocks.is_empty() || !crate::x86_64::is_fast() {
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
