//! What a client sends of a local folder (tonistiigi/fsutil).
//!
//! It decides by paths alone. A client also sends what `followpaths` name, but this never changes the content of what a step
//! reads, so it is left out here.

use super::pattern_error::PatternError;
use super::pattern_list::{PatternMatches, Patterns};

/// Which entries of a local folder a client sends: those that the includes match, if there are any, and the excludes do not. The
/// folders above an entry that is sent are sent, too.
///
/// ```
/// use cache_keys::SentFilter;
///
/// let filter = SentFilter::new(&[], &["*".to_owned(), "!src/app.js".to_owned()])?;
/// let src = filter.check(&filter.root(), b"src", true)?;
/// // The folder itself is not sent, but an entry in it may be.
/// assert!(!src.is_sent);
/// let below = src.folder.expect("the folder has to be looked at");
/// assert!(filter.check(&below, b"src/app.js", false)?.is_sent);
/// assert!(filter.check(&filter.root(), b"out", true)?.folder.is_none());
/// # Ok::<(), cache_keys::PatternError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SentFilter {
    include: Option<Patterns>,
    exclude: Option<Patterns>,
}

/// What is known of a folder that a client looks at: which patterns match it.
#[derive(Clone, Debug, Default)]
pub struct SentFolder {
    include: Option<PatternMatches>,
    exclude: Option<PatternMatches>,
}

/// What a client does with an entry.
#[derive(Clone, Debug)]
pub struct SentEntry {
    /// Whether it is sent, whatever is in it.
    pub is_sent: bool,
    /// For a folder that has to be looked at: what is needed to check the entries in it.
    pub folder: Option<SentFolder>,
}

impl SentFilter {
    /// The filter with these includes and excludes: `local.includepattern` and `local.excludepatterns` of a local source.
    ///
    /// # Errors
    ///
    /// If a pattern is malformed.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, PatternError> {
        let parse = |texts: &[String]| (!texts.is_empty()).then(|| Patterns::parse(texts)).transpose();
        Ok(Self { include: parse(include)?, exclude: parse(exclude)? })
    }

    /// The root of the folder.
    pub fn root(&self) -> SentFolder {
        SentFolder::default()
    }

    /// What happens to an entry in a folder. The path has no `/` in front.
    ///
    /// # Errors
    ///
    /// If a pattern that has to be tried is malformed.
    pub fn check(&self, above: &SentFolder, path: &[u8], is_folder: bool) -> Result<SentEntry, PatternError> {
        let mut is_sent = true;
        let mut is_skipped = !is_folder;
        let mut folder = SentFolder::default();
        if let Some(include) = &self.include {
            let (is_match, matches) = include.check(path, above.include.as_ref())?;
            is_sent &= is_match;
            is_skipped |= !is_match && !include.may_match_inside(path, false);
            folder.include = Some(matches);
        }
        if let Some(exclude) = &self.exclude {
            let (is_match, matches) = exclude.check(path, above.exclude.as_ref())?;
            is_sent &= !is_match;
            is_skipped |= is_match && !exclude.may_match_inside(path, true);
            folder.exclude = Some(matches);
        }
        Ok(SentEntry { is_sent, folder: (!is_skipped).then_some(folder) })
    }
}
