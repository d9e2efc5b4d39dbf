//! Which steps or records follow from causes: those that are reachable from them through what missed.

/// How many causes are followed at once: one for each bit.
const AT_ONCE: usize = 64;

/// What is reachable from some causes at once.
pub(crate) struct Following {
    /// By position: for each cause a bit.
    reached: Vec<u64>,
    first: usize,
    count: usize,
}

impl Following {
    /// What is reachable from each of some positions through positions that `passes`. `inputs` has for each position those
    /// that it takes, which come before it. A position is not reachable from itself.
    ///
    /// Takes time linear in the number of inputs for each 64 causes.
    pub(crate) fn of<'i>(
        inputs: &'i [Vec<usize>],
        from: &'i [usize],
        passes: impl Fn(usize) -> bool + 'i,
    ) -> impl Iterator<Item = Self> + 'i {
        from.chunks(AT_ONCE).enumerate().map(move |(chunk, from)| {
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
            Self { reached, first: chunk * AT_ONCE, count: from.len() }
        })
    }

    /// For each cause its number, from 0, and the positions that are reachable from it.
    pub(crate) fn each(&self) -> impl Iterator<Item = (usize, impl Iterator<Item = usize>)> {
        (0..self.count).map(|bit| {
            let positions = self.reached.iter().enumerate();
            let following = positions.filter(move |(_, bits)| *bits >> bit & 1 == 1);
            (self.first + bit, following.map(|(position, _)| position))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_is_reachable_through_what_missed() {
        // 0 -> 1 -> 2 -> 4, 0 -> 3 -> 4; 3 was cached.
        let inputs = [vec![], vec![0], vec![1], vec![0], vec![2, 3], vec![3]];
        let following = |from: &[usize]| {
            let following: Vec<_> = Following::of(&inputs, from, |position| position != 3).collect();
            let each = following.iter().flat_map(|following| {
                following.each().map(|(cause, positions)| (cause, positions.collect::<Vec<_>>()))
            });
            each.collect::<Vec<_>>()
        };
        assert_eq!(following(&[0, 2, 3]), [(0, vec![1, 2, 4]), (1, vec![4]), (2, vec![4, 5])]);
        assert_eq!(following(&[]), []);
        assert_eq!(following(&[9]), [(0, vec![])]);
    }

    #[test]
    fn more_causes_than_bits_are_followed() {
        let inputs: Vec<Vec<usize>> =
            (0..200_usize).map(|position| position.checked_sub(1).into_iter().collect()).collect();
        let from: Vec<usize> = (0..200).collect();
        let mut causes = 0;
        for following in Following::of(&inputs, &from, |_| true) {
            for (cause, positions) in following.each() {
                assert_eq!(positions.count(), 199 - cause);
                causes += 1;
            }
        }
        assert_eq!(causes, 200);
    }
}
