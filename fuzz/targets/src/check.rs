//! Laws that every target holds errors and warnings to.

use std::fmt::Display;

/// Law of the errors and findings that promise it: they say something, on one line.
pub(crate) fn assert_one_line(error: &impl Display) {
    let text = error.to_string();
    assert!(!text.is_empty(), "an error that says nothing");
    assert!(!text.contains(['\n', '\r']), "an error of several lines: {text:?}");
}

/// Law of all other errors and warnings: they say something.
pub(crate) fn assert_says_something(error: &impl Display) {
    assert!(!error.to_string().is_empty(), "an error that says nothing");
}
