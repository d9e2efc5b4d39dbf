//! Text of a registry, made fit for a message.

/// The longest text of a registry that is shown, in characters.
const LONGEST: usize = 300;

/// A text from outside, for a message: limited, without control characters.
pub(crate) fn printable(text: &str) -> String {
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(LONGEST + 1).collect();
    if shown.chars().count() > LONGEST {
        shown.pop();
        shown.push('…');
    }
    shown
}
