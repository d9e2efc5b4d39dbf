//! As much of Go's regular expressions as patterns are turned into, by sets of positions.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

use super::Failed;

enum Part {
    Character(char),
    /// `.`: any character but a line feed.
    Any,
    Class(Class),
    Start,
    End,
    WordBoundary,
    Star(Box<Part>),
    /// `(…)?`.
    Maybe(Vec<Part>),
}

#[derive(Default)]
struct Class {
    is_negated: bool,
    ranges: Vec<(char, char)>,
    nested: Vec<Class>,
}

/// Whether a regular expression matches somewhere in a text.
pub(super) fn go_regex_matches(regex: &str, text: &[char]) -> Result<bool, Failed> {
    let parts = parts(&mut regex.chars().peekable())?;
    let mut at: BTreeSet<usize> = (0..=text.len()).collect();
    for part in &parts {
        at = after(part, text, &at);
    }
    Ok(!at.is_empty())
}

/// The parts up to a `)` or the end.
fn parts(rest: &mut Peekable<Chars<'_>>) -> Result<Vec<Part>, Failed> {
    let mut found = Vec::new();
    while let Some(character) = rest.next() {
        let part = match character {
            ')' => break,
            '(' => {
                let inner = parts(rest)?;
                assert_eq!(rest.next(), Some('?'));
                Part::Maybe(inner)
            }
            '^' => Part::Start,
            '$' => Part::End,
            '.' => Part::Any,
            '[' => Part::Class(class(rest)?),
            '\\' if rest.next_if_eq(&'b').is_some() => Part::WordBoundary,
            '\\' => match escaped(rest)? {
                Ok(character) => Part::Character(character),
                Err(class) => Part::Class(class),
            },
            _ => Part::Character(character),
        };
        found.push(if rest.next_if_eq(&'*').is_some() { Part::Star(Box::new(part)) } else { part });
    }
    Ok(found)
}

fn class(rest: &mut Peekable<Chars<'_>>) -> Result<Class, Failed> {
    let mut class = Class { is_negated: rest.next_if_eq(&'^').is_some(), ..Class::default() };
    let mut is_first = true;
    while is_first || rest.next_if_eq(&']').is_none() {
        is_first = false;
        let left: String = rest.clone().collect();
        if let Some((name, _)) = left.strip_prefix("[:").and_then(|left| left.split_once(":]")) {
            class.nested.push(named(name)?);
            rest.nth(name.chars().count() + 3);
            continue;
        }
        let low = match rest.next().ok_or(Failed)? {
            '\\' => match escaped(rest)? {
                Ok(character) => character,
                Err(nested) => {
                    class.nested.push(nested);
                    continue;
                }
            },
            character => character,
        };
        let mut high = low;
        let left: Vec<char> = rest.clone().take(2).collect();
        if left.len() == 2 && left[0] == '-' && left[1] != ']' {
            rest.next();
            high = match rest.next().unwrap() {
                '\\' => escaped(rest)?.map_err(|_| Failed)?,
                character => character,
            };
        }
        if high < low {
            return Err(Failed);
        }
        class.ranges.push((low, high));
    }
    Ok(class)
}

fn named(name: &str) -> Result<Class, Failed> {
    let is_negated = name.starts_with('^');
    let ranges: &[(char, char)] = match name.trim_start_matches('^') {
        _ if name.starts_with("^^") => return Err(Failed),
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "ascii" => &[('\0', '\x7f')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        "digit" => &[('0', '9')],
        "graph" => &[('!', '~')],
        "lower" => &[('a', 'z')],
        "print" => &[(' ', '~')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "upper" => &[('A', 'Z')],
        "word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return Err(Failed),
    };
    Ok(Class { is_negated, ranges: ranges.to_vec(), nested: Vec::new() })
}

/// What stands behind a `\`: a character, or a class.
fn escaped(rest: &mut Peekable<Chars<'_>>) -> Result<Result<char, Class>, Failed> {
    let character = rest.next().ok_or(Failed)?;
    let class = |ranges: &[(char, char)]| {
        let is_negated = character.is_ascii_uppercase();
        Ok(Err(Class { is_negated, ranges: ranges.to_vec(), nested: Vec::new() }))
    };
    match character.to_ascii_lowercase() {
        'd' => class(&[('0', '9')]),
        's' => class(&[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')]),
        'w' => class(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
        _ => match character {
            'a' => Ok(Ok('\x07')),
            'f' => Ok(Ok('\x0c')),
            'n' => Ok(Ok('\n')),
            'r' => Ok(Ok('\r')),
            't' => Ok(Ok('\t')),
            'v' => Ok(Ok('\x0b')),
            _ if character.is_alphanumeric() || !character.is_ascii() => Err(Failed),
            _ => Ok(Ok(character)),
        },
    }
}

/// The positions behind a part that begins at some positions.
fn after(part: &Part, text: &[char], at: &BTreeSet<usize>) -> BTreeSet<usize> {
    let is_word = |at: usize| {
        text.get(at).is_some_and(|character| character.is_ascii_alphanumeric() || *character == '_')
    };
    let take = |is_taken: &dyn Fn(char) -> bool| -> BTreeSet<usize> {
        at.iter().filter(|at| text.get(**at).is_some_and(|found| is_taken(*found))).map(|at| at + 1).collect()
    };
    match part {
        Part::Character(character) => take(&|found| found == *character),
        Part::Any => take(&|found| found != '\n'),
        Part::Class(class) => take(&|found| class.contains(found)),
        Part::Start => at.iter().copied().filter(|at| *at == 0).collect(),
        Part::End => at.iter().copied().filter(|at| *at == text.len()).collect(),
        Part::WordBoundary => {
            let is_boundary = |at: &usize| (*at > 0 && is_word(at - 1)) != is_word(*at);
            at.iter().copied().filter(is_boundary).collect()
        }
        Part::Star(part) => {
            let mut all = at.clone();
            loop {
                let more: BTreeSet<usize> = all.union(&after(part, text, &all)).copied().collect();
                if more == all {
                    return all;
                }
                all = more;
            }
        }
        Part::Maybe(parts) => {
            let inside = parts.iter().fold(at.clone(), |at, part| after(part, text, &at));
            at.union(&inside).copied().collect()
        }
    }
}

impl Class {
    fn contains(&self, character: char) -> bool {
        let is_inside = self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&character))
            || self.nested.iter().any(|class| class.contains(character));
        is_inside != self.is_negated
    }
}
