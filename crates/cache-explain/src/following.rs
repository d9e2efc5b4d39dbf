//! Which steps missed because of a cause: those that are reachable from it through steps that missed.

use cache_keys::Definition;

/// How many causes are followed at once: one for each bit.
const AT_ONCE: usize = 64;

/// The steps that follow from causes, for some causes at once.
pub(crate) struct Following {
    /// By step: for each cause a bit.
    reached: Vec<u64>,
    first: usize,
    count: usize,
}

impl Following {
    /// The steps that are reachable from each of some steps through steps that `passes`. A step is not reachable from itself.
    ///
    /// Takes time linear in the number of inputs for each 64 steps.
    pub(crate) fn of<'d>(
        definition: &'d Definition,
        from: &'d [usize],
        passes: impl Fn(usize) -> bool + 'd,
    ) -> impl Iterator<Item = Self> + 'd {
        from.chunks(AT_ONCE).enumerate().map(move |(chunk, from)| {
            let mut reached = vec![0; definition.steps().len()];
            let mut starts = vec![0_u64; definition.steps().len()];
            for (bit, step) in from.iter().enumerate() {
                if let Some(start) = starts.get_mut(*step) {
                    *start |= 1 << bit;
                }
            }
            for (position, step) in definition.steps().iter().enumerate() {
                let input = |bits: &[u64], input: usize| bits.get(input).copied().unwrap_or_default();
                let bits = step
                    .inputs
                    .iter()
                    .fold(0, |bits, taken| bits | input(&reached, taken.step) | input(&starts, taken.step));
                if let Some(reached) = reached.get_mut(position).filter(|_| passes(position)) {
                    *reached = bits;
                }
            }
            Self { reached, first: chunk * AT_ONCE, count: from.len() }
        })
    }

    /// For each of the steps: its position among them, and the steps that are reachable from it.
    pub(crate) fn each(&self) -> impl Iterator<Item = (usize, impl Iterator<Item = usize>)> {
        (0..self.count).map(|bit| {
            let steps = self.reached.iter().enumerate();
            (self.first + bit, steps.filter(move |(_, bits)| *bits >> bit & 1 == 1).map(|(step, _)| step))
        })
    }
}
