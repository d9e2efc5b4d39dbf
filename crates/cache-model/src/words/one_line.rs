//! Text from outside within a message: it neither breaks the line nor moves the cursor.
//!
//! It changes how a text is shown, never the text that is stored.

use std::fmt::{self, Display, Formatter, Write};
use std::ops::RangeInclusive;

/// Displays its value on one line. Characters that are not drawn, or that move the characters around them, are escaped
/// as in a string literal: control and format characters (also those that turn the direction of writing), line and
/// paragraph separators, spaces other than the plain one, and characters without width.
///
/// For messages that quote data of others.
///
/// ```
/// use cache_model::OneLine;
/// assert_eq!(OneLine("two\nlines").to_string(), r"two\nlines");
/// assert_eq!(OneLine("gpj.exe\u{202e}").to_string(), r"gpj.exe\u{202e}");
/// assert_eq!(OneLine("über \"uns\"").to_string(), "über \"uns\"");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OneLine<T>(pub T);

impl<T: Display> Display for OneLine<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(Escaped(f), "{}", self.0)
    }
}

struct Escaped<'f, 'b>(&'f mut Formatter<'b>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| self.write_char(c))
    }

    fn write_char(&mut self, c: char) -> fmt::Result {
        if is_drawn(c) { self.0.write_char(c) } else { write!(self.0, "{}", c.escape_default()) }
    }
}

/// The letters, marks and selectors that are not drawn: Unicode's Default_Ignorable_Code_Point without the format
/// characters, which the standard library escapes.
const BLANK: [RangeInclusive<char>; 9] = [
    '\u{34f}'..='\u{34f}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180d}',
    '\u{180f}'..='\u{180f}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{e0100}'..='\u{e01ef}',
];

/// Whether a character is drawn, at its own place.
fn is_drawn(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    // The standard library decides, within a text and behind a letter, since a mark alone is escaped.
    !BLANK.iter().any(|blank| blank.contains(&c)) && String::from_iter(['a', c]).escape_debug().eq(['a', c])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways in which it is written: alone, and within a text.
    fn shown(c: char) -> [String; 2] {
        [OneLine(c).to_string(), OneLine(String::from(c)).to_string()]
    }

    #[test]
    fn characters_that_are_not_drawn_or_that_move_others_are_escaped() {
        let ranges = [
            '\0'..='\u{1f}',
            '\u{7f}'..='\u{a0}',
            '\u{ad}'..='\u{ad}',
            '\u{34f}'..='\u{34f}',
            '\u{61c}'..='\u{61c}',
            '\u{115f}'..='\u{1160}',
            '\u{180b}'..='\u{180f}',
            '\u{2000}'..='\u{200f}',
            '\u{2028}'..='\u{202f}',
            '\u{205f}'..='\u{206f}',
            '\u{3000}'..='\u{3000}',
            '\u{3164}'..='\u{3164}',
            '\u{fe00}'..='\u{fe0f}',
            '\u{feff}'..='\u{feff}',
            '\u{fff9}'..='\u{fffb}',
            '\u{e0000}'..='\u{e01ef}',
        ];
        for c in ranges.into_iter().flatten() {
            for shown in shown(c) {
                assert_eq!(shown, c.escape_default().to_string());
                assert!(shown.starts_with('\\') && shown.is_ascii(), "{c:?}");
            }
        }
    }

    #[test]
    fn drawn_characters_stay_as_they_are() {
        let texts = [
            "a b\"'\\c",
            "über",
            "u\u{308}ber",
            "日本語",
            "עברית",
            "العربية",
            "हिन्दी",
            "…→☃",
            "🚀",
            "\u{fffd}",
        ];
        for text in texts {
            assert_eq!(OneLine(text).to_string(), text);
            assert!(text.chars().flat_map(shown).all(|shown| shown.chars().count() == 1), "{text}");
        }
    }
}
