//! Laws of errors and warnings, checked by every target.

use std::fmt::Display;

/// Law of errors and findings that promise one line: the text is one line and not empty.
pub(crate) fn assert_one_line(error: &impl Display) {
    let text = error.to_string();
    assert!(!text.is_empty(), "an error that says nothing");
    assert!(!text.contains(['\n', '\r']), "an error of several lines: {text:?}");
}

/// Law of all other errors and warnings: the text is not empty.
pub(crate) fn assert_says_something(error: &impl Display) {
    assert!(!error.to_string().is_empty(), "an error that says nothing");
}
