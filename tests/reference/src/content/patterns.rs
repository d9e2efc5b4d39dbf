//! Patterns of moby/patternmatcher, and the ignore files that they stand in.

use super::Failed;
use super::go_regex::go_regex_matches;
use super::path_match::path_match;

/// What patterns say of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether they match it.
    pub is_match: bool,
    /// Which of them do.
    pub matched: Vec<bool>,
}

/// What patterns say of a path. `parent` says which of them matched its folder. With `read_only` they are read, but not tried.
pub fn pattern_verdict(
    patterns: &[String],
    path: &[u8],
    parent: Option<&[bool]>,
    read_only: bool,
) -> Result<Verdict, Failed> {
    let patterns = patterns.iter().map(|pattern| pattern.trim()).filter(|pattern| !pattern.is_empty());
    let patterns = patterns.map(read).collect::<Result<Vec<_>, Failed>>()?;
    let mut verdict = Verdict { is_match: false, matched: vec![false; patterns.len()] };
    for (n, (is_exception, pattern)) in patterns.iter().enumerate().filter(|_| !read_only) {
        verdict.matched[n] = match parent {
            Some(parent) if parent[n] => true,
            _ if *is_exception != verdict.is_match => false,
            Some(_) => matches(pattern, path)?,
            None => {
                let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
                let mut is_match = matches(pattern, path)?;
                for end in ends {
                    is_match |= matches(pattern, &path[..end])?;
                }
                is_match
            }
        };
        if verdict.matched[n] {
            verdict.is_match = !is_exception;
        }
    }
    Ok(verdict)
}

/// The patterns in an ignore file.
pub fn ignore_patterns(file: &[u8]) -> Vec<String> {
    let file = file.strip_prefix("\u{feff}".as_bytes()).unwrap_or(file);
    let mut patterns = Vec::new();
    for line in file.split(|byte| *byte == b'\n') {
        let line: String = characters(line).into_iter().collect();
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let is_exception = line.trim().starts_with('!');
        let mut pattern = line.trim()[usize::from(is_exception)..].trim().to_owned();
        if !pattern.is_empty() {
            pattern = clean(&pattern);
            if pattern.len() > 1 && pattern.starts_with('/') {
                pattern.remove(0);
            }
        }
        patterns.push(format!("{}{pattern}", if is_exception { "!" } else { "" }));
    }
    patterns
}

/// Whether it is an exception, and the rest of the pattern.
fn read(pattern: &str) -> Result<(bool, String), Failed> {
    let cleaned = clean(pattern);
    let (is_exception, rest) = match cleaned.strip_prefix('!') {
        Some(rest) => (true, rest.to_owned()),
        None => (false, cleaned),
    };
    if rest.is_empty() {
        return Err(Failed);
    }
    path_match(&rest, b".")?;
    Ok((is_exception, rest))
}

fn matches(pattern: &str, path: &[u8]) -> Result<bool, Failed> {
    let is_plain = |text: &str| !text.contains(['*', '?', '[', ']', '\\']);
    if is_plain(pattern) {
        return Ok(path == pattern.as_bytes());
    }
    if let Some(end) = pattern.strip_prefix("**").filter(|end| is_plain(end)) {
        return Ok(path.ends_with(end.as_bytes()) || [b"/", path].concat() == end.as_bytes());
    }
    if let Some(beginning) = pattern.strip_suffix("**").filter(|beginning| is_plain(beginning)) {
        return Ok(path.starts_with(beginning.as_bytes()));
    }
    go_regex_matches(&regex(pattern), &characters(path))
}

fn regex(pattern: &str) -> String {
    let mut regex = "^".to_owned();
    let mut left = pattern;
    while let Some(character) = left.chars().next() {
        let rest = &left[character.len_utf8()..];
        let (text, after) = match character {
            '*' if left == "**" || left == "**/" => (".*".to_owned(), ""),
            '*' if left.starts_with("**/") => ("(.*/)?".to_owned(), &left[3..]),
            '*' if left.starts_with("**") => ("(.*/)?".to_owned(), &left[2..]),
            '*' => ("[^/]*".to_owned(), rest),
            '?' => ("[^/]".to_owned(), rest),
            '\\' => {
                let width = rest.chars().next().map_or(0, char::len_utf8);
                (format!("\\{}", &rest[..width]), &rest[width..])
            }
            '.' | '+' | '(' | ')' | '|' | '{' | '}' | '$' => (format!("\\{character}"), rest),
            _ => (character.to_string(), rest),
        };
        regex += &text;
        left = after;
    }
    regex + "$"
}

/// Bytes as characters. Each byte that is no UTF-8 is U+FFFD.
fn characters(bytes: &[u8]) -> Vec<char> {
    let mut characters = Vec::new();
    let mut left = bytes;
    while !left.is_empty() {
        let width = (1..=4.min(left.len())).find(|width| std::str::from_utf8(&left[..*width]).is_ok());
        let first = width.and_then(|width| std::str::from_utf8(&left[..width]).unwrap().chars().next());
        characters.push(first.unwrap_or('\u{fffd}'));
        left = &left[width.unwrap_or(1)..];
    }
    characters
}

/// Go's `path.Clean`.
fn clean(path: &str) -> String {
    let root = if path.starts_with('/') { "/" } else { "" };
    let mut cleaned: Vec<&str> = Vec::new();
    for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
        let is_up = cleaned.last().is_none_or(|last| *last == "..");
        match name {
            ".." if is_up && root == "/" => {}
            ".." if !is_up => {
                cleaned.pop();
            }
            _ => cleaned.push(name),
        }
    }
    let cleaned = root.to_owned() + &cleaned.join("/");
    if cleaned.is_empty() { ".".to_owned() } else { cleaned }
}
