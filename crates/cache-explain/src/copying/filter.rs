//! Which entries of a folder a copy takes: those that its include patterns match, and its exclude patterns do not.

use cache_keys::{CopyAction, PatternMatches, Patterns};

use crate::copying::cannot_carry_out::CannotCarryOut;

/// The patterns of a copy.
#[derive(Clone, Debug)]
pub(crate) struct CopyFilter {
    include: Option<Patterns>,
    exclude: Option<Patterns>,
}

/// What the patterns say of an entry. It is needed to ask for the entries below.
#[derive(Clone, Debug)]
pub(crate) struct FilterMatches {
    pub(crate) is_included: bool,
    include: Option<PatternMatches>,
    exclude: Option<PatternMatches>,
}

impl CopyFilter {
    pub(crate) fn new(copy: &CopyAction) -> Result<Self, CannotCarryOut> {
        let patterns = |patterns: &[String]| match patterns {
            [] => Ok(None),
            patterns => Patterns::parse(patterns).map(Some),
        };
        Ok(Self { include: patterns(&copy.include_patterns)?, exclude: patterns(&copy.exclude_patterns)? })
    }

    pub(crate) fn has_include(&self) -> bool {
        self.include.is_some()
    }

    /// Whether an entry is taken. The path is that below the source, and `above` what was said of the folder that holds it, unless
    /// that is the source.
    pub(crate) fn check(
        &self,
        path: &[u8],
        above: Option<&FilterMatches>,
    ) -> Result<FilterMatches, CannotCarryOut> {
        let matches = |patterns: &Option<Patterns>, above: Option<&PatternMatches>| match patterns {
            None => Ok(None),
            Some(patterns) => patterns.check(path, above).map(Some),
        };
        let include = matches(&self.include, above.and_then(|above| above.include.as_ref()))?;
        let exclude = matches(&self.exclude, above.and_then(|above| above.exclude.as_ref()))?;
        let is_included = include.as_ref().is_none_or(|(is_match, _)| *is_match)
            && !exclude.as_ref().is_some_and(|(is_match, _)| *is_match);
        let (include, exclude) = (include.map(|(_, matches)| matches), exclude.map(|(_, matches)| matches));
        Ok(FilterMatches { is_included, include, exclude })
    }
}
