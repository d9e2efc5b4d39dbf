//! What a source gives up where it lost and two runs could clash: the results of its run, and the links by which later
//! steps were made from it.
//!
//! Links to content that was copied out of its run stay, since a build that arrives with that very content is served
//! rightly; unless the winner has a record for this content, which the build is then to find.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::EditError;
use crate::budget::Budget;
use crate::index::{DigestIx, LinkIx, PartIx, SourceIx};
use crate::parts::{PartLink, Parts, whole};

/// Cuts what depends on the parts that give up their results.
pub(crate) struct Retreat<'a> {
    parts: &'a mut Parts,
    budget: &'a mut Budget,
    /// The sources that lose in this round, in order.
    losers: &'a [SourceIx],
    held: HashMap<(DigestIx, u32), Held, RandomState>,
    /// The parts that lost links or are gone.
    changed: Vec<PartIx>,
}

/// The content for which the other sources have a record of one digest and number of inputs: by position of the input and
/// digest of the content.
type Held = HashSet<(u32, DigestIx), RandomState>;

impl<'a> Retreat<'a> {
    /// A round in which these sources lose, which are in order.
    pub(crate) fn new(parts: &'a mut Parts, budget: &'a mut Budget, losers: &'a [SourceIx]) -> Self {
        Self { parts, budget, losers, held: HashMap::default(), changed: Vec::new() }
    }

    /// Takes the results of these parts and cuts what was made from them. Gives the parts that lost links or are gone, each
    /// once.
    pub(crate) fn run(mut self, outvoted: Vec<PartIx>) -> Result<Vec<PartIx>, EditError> {
        for part in &outvoted {
            self.parts.outvote(*part);
        }
        let mut stale = outvoted;
        while let Some(part) = stale.pop() {
            let links: Vec<PartLink> = self.parts.dependents(part).copied().collect();
            self.budget.spend(self.parts.dependents_work(part))?;
            for link in links {
                // A link before this one may have removed the part.
                if !self.parts.of(link.target).is_gone && self.cut_input(&link)? {
                    self.parts.remove(link.target);
                    stale.push(link.target);
                }
            }
        }
        self.changed.sort_unstable();
        self.changed.dedup();
        Ok(self.changed)
    }

    /// Cuts the links of the input that a link is in, except links to content that count. Whether none is left.
    fn cut_input(&mut self, stale: &PartLink) -> Result<bool, EditError> {
        let of_input: Vec<(LinkIx, PartLink)> = self
            .parts
            .links(stale.target)
            .filter(|(_, link)| link.input == stale.input)
            .map(|(at, link)| (at, *link))
            .collect();
        self.budget.spend(self.parts.links_work(stale.target))?;
        let mut is_empty = true;
        for (at, link) in of_input {
            if self.parts.is_content(&link) && !self.is_held(&link)? {
                is_empty = false;
            } else {
                self.parts.cut(at);
            }
        }
        self.changed.push(stale.target);
        Ok(is_empty)
    }

    /// Whether a source that does not lose in this round has, for the content that a link leads to, a record with a
    /// result. Sources that do not lose do not change in the round.
    fn is_held(&mut self, link: &PartLink) -> Result<bool, EditError> {
        let target = self.parts.of(link.target);
        let key = (target.digest, target.inputs);
        if !self.held.contains_key(&key) {
            let held = self.held_for(key)?;
            self.held.insert(key, held);
        }
        let content = self.parts.of(link.source).digest;
        Ok(self.held.get(&key).is_some_and(|held| held.contains(&(link.input, content))))
    }

    fn held_for(&mut self, (digest, inputs): (DigestIx, u32)) -> Result<Held, EditError> {
        let mut held = Held::default();
        for part in self.parts.with_digest(digest) {
            self.budget.spend(self.parts.links_work(part))?;
            let of = self.parts.of(part);
            let loses = self.losers.binary_search(&of.source).is_ok();
            if loses || of.inputs != inputs || self.parts.results(part).is_empty() {
                continue;
            }
            for (_, link) in self.parts.links(part) {
                if link.selector == whole() && self.parts.of(link.source).inputs == 0 {
                    held.insert((link.input, self.parts.of(link.source).digest));
                }
            }
        }
        Ok(held)
    }
}
