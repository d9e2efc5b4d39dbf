//! Text from outside within a message: it neither breaks the line nor moves a cursor.
//!
//! It changes what is shown, never what is kept.

use std::fmt::{self, Display, Formatter, Write};

/// Displays as its value does, but on one line: control characters are escaped as in a string literal.
///
/// For errors that quote what they were given.
///
/// ```
/// use cache_model::OneLine;
/// assert_eq!(OneLine("two\nlines").to_string(), r"two\nlines");
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
        if c.is_control() { write!(self.0, "{}", c.escape_default()) } else { self.0.write_char(c) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_is_let_through_and_every_other_is() {
        for c in '\0'..='\u{FFFF}' {
            // Alone and within a text, which are written in two ways.
            for shown in [OneLine(c).to_string(), OneLine(String::from(c)).to_string()] {
                assert!(!shown.contains(char::is_control) && !shown.is_empty(), "{c:?}");
                assert!(c.is_control() || shown == String::from(c), "{c:?}");
            }
        }
    }
}
