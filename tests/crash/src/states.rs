//! Chooses the states after a loss of power that are checked: all simple ones, and some random ones.
//!
//! It only chooses; [`Disk::left`] computes the content that a choice leaves.

use std::fmt;

use crate::disk::{Data, Disk, DiskContent};

const DATA: [Data; 4] = [Data::Lost, Data::Kept, Data::Torn, Data::Zeros];

/// The unsynced changes of names that are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Names {
    /// This many, the first ones.
    First(usize),
    AllBut(usize),
    Only(usize),
    /// Chosen by the bits of a random number.
    Random(u64),
}

/// A choice of the changes that are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    names: Names,
    /// One for all files, or a random number that chooses one for each file.
    data: Result<Data, u64>,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.names {
            Names::First(count) => write!(f, "the first {count} unsynced names kept")?,
            Names::AllBut(number) => write!(f, "all unsynced names kept but number {number}")?,
            Names::Only(number) => write!(f, "of the unsynced names only number {number} kept")?,
            Names::Random(bits) => write!(f, "the unsynced names kept by {bits:#x}")?,
        }
        match self.data {
            Ok(data) => write!(f, ", unsynced data {data:?}"),
            Err(bits) => write!(f, ", unsynced data by {bits:#x}"),
        }
    }
}

/// Calls `look` with each choice and the content that it leaves; `random` of the choices are random.
pub(crate) fn each(disk: &Disk, random: usize, rng: &mut Random, mut look: impl FnMut(Choice, DiskContent)) {
    let count = disk.unsure_names();
    let singles = (0..count).flat_map(|number| [Names::AllBut(number), Names::Only(number)]);
    for names in (0..=count).map(Names::First).chain(singles) {
        for data in DATA {
            let choice = Choice { names, data: Ok(data) };
            let (left, has_unsure_data) = leave(disk, choice);
            look(choice, left);
            if !has_unsure_data {
                break;
            }
        }
    }
    for _ in 0..random {
        let choice = Choice { names: Names::Random(rng.next()), data: Err(rng.next()) };
        look(choice, leave(disk, choice).0);
    }
}

/// The content that a choice leaves, and whether any file has unsynced data.
fn leave(disk: &Disk, choice: Choice) -> (DiskContent, bool) {
    let keep = |number: usize| match choice.names {
        Names::First(count) => number < count,
        Names::AllBut(one) => number != one,
        Names::Only(one) => number == one,
        Names::Random(bits) => Random(bits.wrapping_add(number as u64)).next() & 1 == 1,
    };
    let mut asked = 0u64;
    let left = disk.left(keep, || {
        asked += 1;
        choice.data.unwrap_or_else(|bits| {
            let number = Random(bits.wrapping_add(asked)).next() % DATA.len() as u64;
            *DATA.get(usize::try_from(number).unwrap_or_default()).unwrap_or(&Data::Kept)
        })
    });
    (left, asked > 0)
}

/// Random numbers, the same for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a limit, which is not 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
