//! The outcome of each law.
//!
//! It has every violation, not only the first. A law that was left out does not count as holding.

use std::fmt;

use crate::Violation;

/// The outcome of one law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The law holds.
    Held,
    /// The law was left out, since the store lacks the trait or ability of this name.
    LeftOut(&'static str),
    /// The law is broken.
    Broken(Violation),
}

impl From<Result<(), Violation>> for Outcome {
    fn from(checked: Result<(), Violation>) -> Self {
        checked.map_or_else(Self::Broken, |()| Self::Held)
    }
}

/// The outcomes of all laws, in the order in which they ran. Displays as a line for each violation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    outcomes: Vec<(&'static str, Outcome)>,
}

impl Report {
    pub(crate) fn note(&mut self, law: &'static str, outcome: Outcome) {
        self.outcomes.push((law, outcome));
    }

    /// The laws by name.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, &Outcome)> {
        self.outcomes.iter().map(|(law, outcome)| (*law, outcome))
    }

    /// The laws that are broken.
    pub fn violations(&self) -> impl Iterator<Item = &Violation> {
        self.outcomes.iter().filter_map(|(_, outcome)| match outcome {
            Outcome::Broken(violation) => Some(violation),
            Outcome::Held | Outcome::LeftOut(_) => None,
        })
    }

    /// Whether no law is broken.
    pub fn conforms(&self) -> bool {
        self.violations().next().is_none()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let broken = self.violations().count();
        write!(f, "{broken} of {} laws are broken", self.outcomes.len())?;
        self.violations().try_for_each(|violation| write!(f, "\n{violation}"))
    }
}
