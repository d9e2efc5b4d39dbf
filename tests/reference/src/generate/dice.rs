//! Where random decisions come from: a seed, or the bytes that a fuzzer gives.

/// A source of decisions.
#[derive(Clone, Debug)]
pub struct Dice(Decisions);

#[derive(Clone, Debug)]
enum Decisions {
    /// The state of SplitMix64.
    Seeded(u64),
    /// The bytes that are left, the next one last.
    Given(Vec<u8>),
}

impl Dice {
    /// Decisions that a seed determines.
    pub fn seeded(seed: u64) -> Self {
        Self(Decisions::Seeded(seed))
    }

    /// One decision for each byte. When none is left, each decision is 0.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Decisions::Given(bytes.iter().rev().copied().collect()))
    }

    /// A number below a bound of at most 256.
    pub fn below(&mut self, bound: usize) -> usize {
        let number = match &mut self.0 {
            Decisions::Seeded(state) => {
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                mixed(*state) >> 32
            }
            Decisions::Given(bytes) => u64::from(bytes.pop().unwrap_or_default()),
        };
        usize::try_from(number).unwrap() % bound
    }

    /// Whether something happens that happens so many times of a hundred.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    /// One of some things.
    pub fn one_of<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[self.below(things.len())]
    }
}

/// A number in which each bit depends on all bits of another.
pub(crate) fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
