//! Go's `path.Match`: a `*` takes as little as lets the text up to the next `*` match, and never takes more after that.

use super::Failed;

/// Whether a whole path matches.
pub fn path_match(pattern: &str, path: &[u8]) -> Result<bool, Failed> {
    let mut pieces = vec![String::new()];
    let mut is_class = false;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        is_class = character == '[' || is_class && character != ']';
        if character == '*' && !is_class {
            pieces.push(String::new());
            continue;
        }
        let piece = pieces.last_mut().unwrap();
        piece.push(character);
        if character == '\\' {
            piece.extend(characters.next());
        }
    }
    for piece in &pieces {
        one(piece, b"a")?;
    }
    // `**` is `*`.
    let last = pieces.len() - 1;
    let pieces: Vec<&String> = pieces
        .iter()
        .enumerate()
        .filter(|(n, piece)| *n == 0 || *n == last || !piece.is_empty())
        .map(|(_, piece)| piece)
        .collect();
    let Some(mut rest) = one(pieces[0], path)? else { return Ok(false) };
    for (n, piece) in pieces.iter().enumerate().skip(1) {
        let is_last = n == pieces.len() - 1;
        if is_last && piece.is_empty() {
            return Ok(!rest.contains(&b'/'));
        }
        let reach = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        let mut ends = (0..=reach).filter_map(|skip| one(piece, &rest[skip..]).unwrap());
        match ends.find(|end| end.is_empty() || !is_last) {
            Some(end) => rest = end,
            None => return Ok(false),
        }
    }
    Ok(rest.is_empty())
}

/// What is left of a path behind a pattern without `*`, if it matches.
fn one<'p>(pattern: &str, path: &'p [u8]) -> Result<Option<&'p [u8]>, Failed> {
    let mut left = Some(path);
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        let first = left.and_then(first_character);
        let (is_match, width) = match character {
            '?' => (first.is_some_and(|(found, _)| found != '/'), first.map_or(0, |(_, width)| width)),
            '[' => {
                let is_negated = characters.next_if_eq(&'^').is_some();
                let mut is_inside = false;
                let mut is_empty = true;
                while is_empty || characters.next_if_eq(&']').is_none() {
                    let low = bound(&mut characters)?;
                    let high =
                        if characters.next_if_eq(&'-').is_some() { bound(&mut characters)? } else { low };
                    is_inside |= first.is_some_and(|(found, _)| low <= found && found <= high);
                    is_empty = false;
                }
                (first.is_some() && is_inside != is_negated, first.map_or(0, |(_, width)| width))
            }
            _ => {
                let literal = if character == '\\' { characters.next().ok_or(Failed)? } else { character };
                let text = literal.to_string();
                (left.is_some_and(|left| left.starts_with(text.as_bytes())), text.len())
            }
        };
        left = left.filter(|_| is_match).map(|left| &left[width..]);
    }
    Ok(left)
}

fn bound(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<char, Failed> {
    match characters.next() {
        Some('\\') => characters.next().ok_or(Failed),
        None | Some('-' | ']') => Err(Failed),
        Some(character) => Ok(character),
    }
}

/// The first character and its width. A byte that is no UTF-8 is U+FFFD.
fn first_character(path: &[u8]) -> Option<(char, usize)> {
    if path.is_empty() {
        return None;
    }
    for width in 1..=4.min(path.len()) {
        if let Ok(text) = std::str::from_utf8(&path[..width]) {
            return Some((text.chars().next().unwrap(), width));
        }
    }
    Some(('\u{fffd}', 1))
}
