//! Which steps or records follow from causes: those that are reachable from them through what missed.

use std::collections::HashMap;
use std::time::Duration;

use foldhash::fast::RandomState;

/// How many causes are followed at once: one for each bit.
const AT_ONCE: usize = 64;

/// What follows from one cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Followers {
    pub(crate) count: usize,
    /// How long they ran.
    pub(crate) ran: Duration,
}

/// Counts what is reachable from each of some positions through positions that `passes`. `inputs` has for each position those
/// that it takes, which come before it. A position is not reachable from itself.
///
/// Takes time linear in the number of inputs for each 64 causes.
pub(crate) fn followers(
    inputs: &[Vec<usize>],
    from: &[usize],
    passes: impl Fn(usize) -> bool,
    ran: impl Fn(usize) -> Duration,
) -> Vec<Followers> {
    let mut all = Vec::with_capacity(from.len());
    for from in from.chunks(AT_ONCE) {
        // Many positions follow from the same causes, so these are counted together.
        let mut totals: HashMap<u64, Followers, RandomState> = HashMap::default();
        for (position, causes) in reached(inputs, from, &passes).into_iter().enumerate() {
            if causes != 0 {
                let total = totals.entry(causes).or_default();
                total.count += 1;
                total.ran = total.ran.saturating_add(ran(position));
            }
        }
        for bit in 0..from.len() {
            let following = totals.iter().filter(|(causes, _)| *causes >> bit & 1 == 1);
            all.push(following.fold(Followers::default(), |sum, (_, total)| Followers {
                count: sum.count + total.count,
                ran: sum.ran.saturating_add(total.ran),
            }));
        }
    }
    all
}

/// By position, from which causes it is reachable: a bit for each.
fn reached(inputs: &[Vec<usize>], from: &[usize], passes: impl Fn(usize) -> bool) -> Vec<u64> {
    let mut reached = vec![0; inputs.len()];
    let mut starts = vec![0_u64; inputs.len()];
    for (bit, position) in from.iter().enumerate() {
        if let Some(start) = starts.get_mut(*position) {
            *start |= 1 << bit;
        }
    }
    for (position, inputs) in inputs.iter().enumerate() {
        let bits = |of: &[u64], input: usize| of.get(input).copied().unwrap_or_default();
        let taken = inputs.iter().map(|input| bits(&reached, *input) | bits(&starts, *input));
        let taken = taken.fold(0, |all, bits| all | bits);
        if let Some(reached) = reached.get_mut(position).filter(|_| passes(position)) {
            *reached = taken;
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(inputs: &[Vec<usize>], from: &[usize], passes: impl Fn(usize) -> bool) -> Vec<usize> {
        let followers = followers(inputs, from, passes, |_| Duration::from_secs(1));
        assert!(followers.iter().all(|followers| followers.ran.as_secs() == followers.count as u64));
        followers.iter().map(|followers| followers.count).collect()
    }

    #[test]
    fn what_follows_is_reachable_through_what_missed() {
        // 0 -> 1 -> 2 -> 4, 0 -> 3 -> 4, 3 -> 5; 3 was cached.
        let inputs = [vec![], vec![0], vec![1], vec![0], vec![2, 3], vec![3]];
        assert_eq!(counts(&inputs, &[0, 2, 3, 9], |position| position != 3), [3, 1, 2, 0]);
        assert_eq!(counts(&inputs, &[], |_| true), []);
    }

    #[test]
    fn more_causes_than_bits_are_followed() {
        let inputs: Vec<Vec<usize>> =
            (0..200_usize).map(|position| position.checked_sub(1).into_iter().collect()).collect();
        let from: Vec<usize> = (0..200).collect();
        let expected: Vec<usize> = (0..200).rev().collect();
        assert_eq!(counts(&inputs, &from, |_| true), expected);
    }
}
