//! A list of patterns, as moby/patternmatcher matches it.

use super::pattern::Pattern;
use super::pattern_error::PatternError;

/// An ignore file of a thousand lines is a long one.
const MOST_PATTERNS: usize = 1 << 13;

/// The patterns of an ignore file, of an include or an exclude. The last one that matches a path decides; a pattern that begins
/// with `!` is an exception. A pattern that matches a folder matches everything in it.
///
/// ```
/// use cache_keys::Patterns;
/// let patterns = Patterns::parse(&["**/*.log", "out", "!out/keep.txt"])?;
/// assert!(patterns.matches(b"out/app")?);
/// assert!(!patterns.matches(b"out/keep.txt")?);
/// # Ok::<(), cache_keys::PatternError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Patterns(Vec<Pattern>);

/// Which patterns of a list match a path. It is needed to match the paths below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternMatches(Vec<bool>);

impl Patterns {
    /// Reads patterns. Blank ones are left out.
    ///
    /// # Errors
    ///
    /// If a pattern is malformed, or if there are more than 8,192 of them. BuildKit finds some mistakes only when it tries the
    /// pattern; so does [`matches`](Self::matches).
    pub fn parse<S: AsRef<str>>(texts: &[S]) -> Result<Self, PatternError> {
        if texts.len() > MOST_PATTERNS {
            return Err(PatternError::TooMany { count: texts.len(), most: MOST_PATTERNS });
        }
        let patterns = texts.iter().filter_map(|text| Pattern::parse(text.as_ref()).transpose());
        Ok(Self(patterns.collect::<Result<_, _>>()?))
    }

    /// Whether the patterns match a path. It has no `/` in front.
    ///
    /// # Errors
    ///
    /// If a pattern that has to be tried is malformed.
    pub fn matches(&self, path: &[u8]) -> Result<bool, PatternError> {
        Ok(self.check(path, None)?.0)
    }

    /// Whether the patterns match a path, and which of them do. `parent` is which of them match the folder that holds it;
    /// without it each pattern is matched with all folders above, too.
    ///
    /// # Errors
    ///
    /// If a pattern that has to be tried is malformed.
    pub fn check(
        &self,
        path: &[u8],
        parent: Option<&PatternMatches>,
    ) -> Result<(bool, PatternMatches), PatternError> {
        let mut is_match = false;
        let mut matches = vec![false; self.0.len()];
        for (n, (pattern, matched)) in self.0.iter().zip(&mut matches).enumerate() {
            *matched = parent.is_some_and(|parent| parent.0.get(n) == Some(&true));
            if !*matched && pattern.is_exception() == is_match {
                *matched = pattern.matches(path)?;
                if !*matched && parent.is_none() {
                    *matched = matches_above(pattern, path)?;
                }
            }
            if *matched {
                is_match = !pattern.is_exception();
            }
        }
        Ok((is_match, PatternMatches(matches)))
    }

    /// Whether a path in a folder may be matched although the folder is not: whether that is not ruled out by the texts of
    /// the patterns, or of the exceptions.
    pub(super) fn may_match_inside(&self, folder: &[u8], exceptions: bool) -> bool {
        let mut asked = self.0.iter().filter(|pattern| pattern.is_exception() == exceptions);
        asked.any(|pattern| !pattern.is_outside(folder))
    }
}

/// Whether a pattern matches a folder above a path.
fn matches_above(pattern: &Pattern, path: &[u8]) -> Result<bool, PatternError> {
    for (end, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        if pattern.matches(path.get(..end).unwrap_or_default())? {
            return Ok(true);
        }
    }
    Ok(false)
}
