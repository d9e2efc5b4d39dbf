//! Regular expressions of Go in the syntax of the `regex` crate. They differ in classes and in escapes.
//!
//! Only what a pattern can be made into is read; the rest is refused.

use std::iter::Peekable;
use std::str::Chars;

/// The names of classes within a class, as in `[[:digit:]]`.
const CLASS_NAMES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// What stands behind a `\`.
enum Escape {
    Character(char),
    /// A class, with its brackets.
    Class(&'static str),
}

/// The same expression for the `regex` crate, or what is wrong with it.
pub(super) fn rust_regex(go: &str) -> Result<String, String> {
    let mut rust = String::with_capacity(go.len());
    let mut rest = go.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '[' => push_class(&mut rest, &mut rust)?,
            ']' => rust.push_str(r"\]"),
            '\\' if rest.next_if_eq(&'b').is_some() => rust.push_str(r"(?-u:\b)"),
            '\\' => match escape(&mut rest)? {
                Escape::Character(character) => push_character(character, &mut rust),
                Escape::Class(class) => rust.push_str(class),
            },
            _ => rust.push(character),
        }
    }
    Ok(rust)
}

/// Appends the class behind a `[`.
fn push_class(rest: &mut Peekable<Chars<'_>>, rust: &mut String) -> Result<(), String> {
    rust.push('[');
    if rest.next_if_eq(&'^').is_some() {
        rust.push('^');
    }
    let mut is_first = true;
    loop {
        match rest.next() {
            None => return Err("a [ has no ]".to_owned()),
            Some(']') if !is_first => break,
            Some('[') => match class_name(rest)? {
                Some(name) => rust.push_str(&name),
                None => push_range('[', rest, rust)?,
            },
            Some('\\') => match escape(rest)? {
                Escape::Character(first) => push_range(first, rest, rust)?,
                Escape::Class(class) => rust.push_str(class),
            },
            Some(first) => push_range(first, rest, rust)?,
        }
        is_first = false;
    }
    rust.push(']');
    Ok(())
}

/// Takes the name of a class, from its `:` to its `:]`, if there is one.
fn class_name(rest: &mut Peekable<Chars<'_>>) -> Result<Option<String>, String> {
    let text: String = rest.clone().collect();
    let Some((name, _)) = text.strip_prefix(':').and_then(|text| text.split_once(":]")) else {
        return Ok(None);
    };
    if !CLASS_NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Err(format!("there is no class [:{name}:]"));
    }
    rest.nth(name.chars().count() + 2);
    Ok(Some(format!("[:{name}:]")))
}

/// Appends a character of a class, or the range that begins with it.
fn push_range(first: char, rest: &mut Peekable<Chars<'_>>, rust: &mut String) -> Result<(), String> {
    push_character(first, rust);
    let mut ahead = rest.clone();
    if ahead.next() != Some('-') || matches!(ahead.peek(), None | Some(']')) {
        return Ok(());
    }
    rest.next();
    let last = match rest.next() {
        Some('\\') => match escape(rest)? {
            Escape::Character(character) => character,
            Escape::Class(_) => return Err("a range within [ ] ends in a class".to_owned()),
        },
        Some(character) => character,
        None => return Err("a [ has no ]".to_owned()),
    };
    if last < first {
        return Err(format!("the range {first}-{last} ends before it begins"));
    }
    rust.push('-');
    push_character(last, rust);
    Ok(())
}

fn escape(rest: &mut Peekable<Chars<'_>>) -> Result<Escape, String> {
    let Some(character) = rest.next() else { return Err(r"a \ at the end escapes nothing".to_owned()) };
    Ok(match character {
        'd' => Escape::Class("[0-9]"),
        'D' => Escape::Class("[^0-9]"),
        's' => Escape::Class(r"[\t\n\x0c\r ]"),
        'S' => Escape::Class(r"[^\t\n\x0c\r ]"),
        'w' => Escape::Class("[0-9A-Za-z_]"),
        'W' => Escape::Class("[^0-9A-Za-z_]"),
        'a' => Escape::Character('\x07'),
        'f' => Escape::Character('\x0c'),
        'n' => Escape::Character('\n'),
        'r' => Escape::Character('\r'),
        't' => Escape::Character('\t'),
        'v' => Escape::Character('\x0b'),
        _ if character.is_ascii() && !character.is_ascii_alphanumeric() => Escape::Character(character),
        _ => {
            return Err(format!(
                r"\{character} has no meaning: write / between folders, and no \ before letters"
            ));
        }
    })
}

/// Appends a character that stands for itself.
fn push_character(character: char, rust: &mut String) {
    let code = u32::from(character);
    rust.push_str(&format!(r"\x{{{code:x}}}"));
}
