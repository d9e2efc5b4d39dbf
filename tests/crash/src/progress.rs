//! One line on a terminal that says how far a run is.

use std::io::IsTerminal;

/// Replaces the line that was shown before. Without a terminal it does nothing.
pub(crate) fn progress(line: std::fmt::Arguments<'_>) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{line}");
    }
}
