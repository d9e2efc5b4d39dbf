//! One pattern of moby/patternmatcher.

use regex::{Regex, RegexBuilder};

use super::go_regex::rust_regex;
use super::ignore_file::go_text;
use super::path_pattern::PathPattern;
use super::pattern_error::PatternError;
use crate::go_path::clean;

/// The most memory that a regular expression may take, in bytes, and the most for its cache while it matches. A pattern of a
/// thousand characters takes far less.
const LARGEST_REGEX: usize = 1 << 20;

/// A pattern, read once for many paths.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// The cleaned text, without the `!` of an exception.
    text: String,
    is_exception: bool,
    form: PatternForm,
}

#[derive(Clone, Debug)]
enum PatternForm {
    /// The path is the text.
    Exact,
    /// The path begins with the text before the `**` at the end.
    Prefix,
    /// The path ends with the text behind the `**` in front.
    Suffix,
    Regex(Regex),
    /// BuildKit finds out only when it tries the pattern that it has no meaning.
    Malformed(PatternError),
}

impl Pattern {
    /// Reads a pattern. `None` if the text is blank.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, PatternError> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Ok(None);
        }
        let cleaned = clean(trimmed);
        let (is_exception, text) = match cleaned.strip_prefix('!') {
            Some("") => return Err(PatternError::malformed(trimmed, "there is no exception behind the !")),
            Some(rest) => (true, rest.to_owned()),
            None => (false, cleaned),
        };
        PathPattern::parse(&text)?;
        let form = PatternForm::of(&text);
        Ok(Some(Self { text, is_exception, form }))
    }

    pub(super) fn is_exception(&self) -> bool {
        self.is_exception
    }

    /// Whether the pattern matches a whole path, without a look at the folders above.
    pub(super) fn matches(&self, path: &[u8]) -> Result<bool, PatternError> {
        match &self.form {
            PatternForm::Exact => Ok(path == self.text.as_bytes()),
            PatternForm::Prefix => {
                let text = self.text.strip_suffix("**").unwrap_or(&self.text);
                Ok(path.starts_with(text.as_bytes()))
            }
            PatternForm::Suffix => {
                let text = self.text.strip_prefix("**").unwrap_or(&self.text).as_bytes();
                Ok(path.ends_with(text) || text.strip_prefix(b"/") == Some(path))
            }
            PatternForm::Regex(regex) => Ok(regex.is_match(&go_text(path))),
            PatternForm::Malformed(error) => Err(error.clone()),
        }
    }

    /// Whether it is known, without a match, that no path in a folder matches.
    pub(super) fn is_outside(&self, folder: &[u8]) -> bool {
        let text = self.text.strip_suffix("/**").unwrap_or(&self.text);
        let text = text.strip_suffix("/*").unwrap_or(text);
        let is_plain = !text.contains(['*', '[', ']', '?', '^', '\\']);
        let is_inside = text
            .as_bytes()
            .strip_prefix(folder)
            .is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/'));
        is_plain && !is_inside
    }
}

impl PatternForm {
    fn of(text: &str) -> Self {
        let mut form = Self::Exact;
        let mut is_regex = false;
        // The regular expression, in Go's syntax.
        let mut regex = "^".to_owned();
        let mut rest = text.chars().peekable();
        let mut is_first = true;
        while let Some(character) = rest.next() {
            match character {
                '*' if rest.next_if_eq(&'*').is_some() => {
                    rest.next_if_eq(&'/');
                    match (rest.peek().is_none(), &form, is_regex) {
                        (true, Self::Exact, false) => form = Self::Prefix,
                        (true, ..) => {
                            regex.push_str(".*");
                            is_regex = true;
                        }
                        (false, ..) => {
                            regex.push_str("(.*/)?");
                            is_regex = true;
                        }
                    }
                    if is_first {
                        form = Self::Suffix;
                        is_regex = false;
                    }
                }
                '*' => {
                    regex.push_str("[^/]*");
                    is_regex = true;
                }
                '?' => {
                    regex.push_str("[^/]");
                    is_regex = true;
                }
                '.' | '+' | '(' | ')' | '|' | '{' | '}' | '$' => regex.extend(['\\', character]),
                '\\' => {
                    regex.push('\\');
                    regex.extend(rest.next());
                    is_regex = true;
                }
                '[' | ']' => {
                    regex.push(character);
                    is_regex = true;
                }
                _ => regex.push(character),
            }
            is_first = false;
        }
        if !is_regex {
            return form;
        }
        regex.push('$');
        let built = rust_regex(&regex).and_then(|regex| {
            let mut builder = RegexBuilder::new(&regex);
            let built = builder.size_limit(LARGEST_REGEX).dfa_size_limit(LARGEST_REGEX).build();
            built.map_err(|error| reason(&error))
        });
        match built {
            Ok(regex) => Self::Regex(regex),
            Err(reason) => Self::Malformed(PatternError::malformed(text, reason)),
        }
    }
}

/// What is wrong, in one line.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it is too long".to_owned(),
        _ => "it is no regular expression".to_owned(),
    }
}
