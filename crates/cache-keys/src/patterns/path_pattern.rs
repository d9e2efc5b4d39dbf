//! The wildcards of a source path: Go's `path.Match`.
//!
//! A `*` is tried at each place once and never again, so matching takes at most the product of both lengths.

use std::ops::RangeInclusive;

use super::pattern_error::PatternError;

/// A pattern, read once for many names.
#[derive(Clone, Debug)]
pub(crate) struct PathPattern {
    /// What stands before the first `*`.
    head: Vec<NamePart>,
    /// What follows each `*`.
    tails: Vec<Vec<NamePart>>,
}

/// A part of a pattern that matches one byte or one character.
#[derive(Clone, Debug)]
enum NamePart {
    Byte(u8),
    /// `?`: one character, but not `/`.
    AnyCharacter,
    /// `[…]`: one character, also `/`.
    Class {
        is_negated: bool,
        ranges: Vec<RangeInclusive<char>>,
    },
}

/// Whether a whole path matches a pattern of Go's `path.Match`: `*` is any text without `/`, `?` a character but `/`,
/// `[a-z]` and `[^a-z]` a character, and `\` takes the next character as it is.
///
/// ```
/// use cache_keys::path_match;
/// assert!(path_match("/src/*.js", b"/src/app.js")?);
/// assert!(!path_match("/src/*.js", b"/src/lib/app.js")?);
/// # Ok::<(), cache_keys::PatternError>(())
/// ```
///
/// # Errors
///
/// If the pattern is malformed: a `[` without `]`, a range without an end, a `\` at the end.
pub fn path_match(pattern: &str, path: &[u8]) -> Result<bool, PatternError> {
    Ok(PathPattern::parse(pattern)?.matches(path))
}

/// Whether a path has a `*`, `?` or `[` without a `\` before it.
pub fn has_wildcard(path: impl AsRef<[u8]>) -> bool {
    let mut bytes = path.as_ref().iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'*' | b'?' | b'[' => return true,
            _ => {}
        }
    }
    false
}

impl PathPattern {
    pub(crate) fn parse(pattern: &str) -> Result<Self, PatternError> {
        let malformed = |reason: &str| PatternError::malformed(pattern, reason);
        let mut parsed = Self { head: Vec::new(), tails: Vec::new() };
        let mut rest = pattern.chars();
        while let Some(character) = rest.next() {
            let part = match character {
                '*' => {
                    parsed.tails.push(Vec::new());
                    continue;
                }
                '?' => NamePart::AnyCharacter,
                '[' => class(&mut rest).map_err(malformed)?,
                '\\' => {
                    let escaped = rest.next().ok_or_else(|| malformed(r"a \ at the end escapes nothing"))?;
                    parsed.push_text(escaped);
                    continue;
                }
                _ => {
                    parsed.push_text(character);
                    continue;
                }
            };
            parsed.last().push(part);
        }
        Ok(parsed)
    }

    pub(crate) fn matches(&self, path: &[u8]) -> bool {
        let Some(mut path) = match_parts(&self.head, path) else { return false };
        let mut tails = self.tails.iter().peekable();
        while let Some(tail) = tails.next() {
            if tail.is_empty() {
                // Several `*` are one.
                if tails.peek().is_none() {
                    return !path.contains(&b'/');
                }
                continue;
            }
            let is_last = tails.peek().is_none();
            let Some(rest) = match_after_star(tail, path, is_last) else { return false };
            path = rest;
        }
        path.is_empty()
    }

    fn push_text(&mut self, character: char) {
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).bytes();
        self.last().extend(bytes.map(NamePart::Byte));
    }

    fn last(&mut self) -> &mut Vec<NamePart> {
        self.tails.last_mut().unwrap_or(&mut self.head)
    }
}

/// The class behind a `[`, with its `]`.
fn class(rest: &mut std::str::Chars<'_>) -> Result<NamePart, &'static str> {
    let is_negated = rest.as_str().starts_with('^');
    if is_negated {
        rest.next();
    }
    let mut ranges = Vec::new();
    while ranges.is_empty() || !rest.as_str().starts_with(']') {
        let first = class_end(rest)?;
        let mut last = first;
        if rest.as_str().starts_with('-') {
            rest.next();
            last = class_end(rest)?;
        }
        ranges.push(first..=last);
    }
    rest.next();
    Ok(NamePart::Class { is_negated, ranges })
}

/// One end of a range in a class.
fn class_end(rest: &mut std::str::Chars<'_>) -> Result<char, &'static str> {
    match rest.next() {
        None => Err("a [ has no ]"),
        Some('-' | ']') => Err("a range within [ ] has no end"),
        Some('\\') => rest.next().ok_or(r"a \ at the end escapes nothing"),
        Some(character) => Ok(character),
    }
}

/// What is left of a path behind some text without `/` and behind the parts, at the first place where they match.
fn match_after_star<'p>(parts: &[NamePart], path: &'p [u8], is_last: bool) -> Option<&'p [u8]> {
    let mut path = path;
    loop {
        if let Some(rest) = match_parts(parts, path)
            && (rest.is_empty() || !is_last)
        {
            return Some(rest);
        }
        let (first, rest) = path.split_first()?;
        if *first == b'/' {
            return None;
        }
        path = rest;
    }
}

/// What is left of a path behind parts that match its beginning.
fn match_parts<'p>(parts: &[NamePart], path: &'p [u8]) -> Option<&'p [u8]> {
    parts.iter().try_fold(path, |path, part| match part {
        NamePart::Byte(byte) => path.strip_prefix(&[*byte]),
        NamePart::AnyCharacter => {
            let (character, rest) = split_character(path)?;
            (character != '/').then_some(rest)
        }
        NamePart::Class { is_negated, ranges } => {
            let (character, rest) = split_character(path)?;
            let is_in_range = ranges.iter().any(|range| range.contains(&character));
            (is_in_range != *is_negated).then_some(rest)
        }
    })
}

/// The first character of some bytes, and the rest. A byte that is no UTF-8 counts as U+FFFD, as in Go.
fn split_character(bytes: &[u8]) -> Option<(char, &[u8])> {
    let (_, after_byte) = bytes.split_first()?;
    let first = bytes.get(..4).unwrap_or(bytes).utf8_chunks().next()?;
    match first.valid().chars().next() {
        Some(character) => Some((character, bytes.get(character.len_utf8()..)?)),
        None => Some((char::REPLACEMENT_CHARACTER, after_byte)),
    }
}
