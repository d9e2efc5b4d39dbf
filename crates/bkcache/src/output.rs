//! Standard output: text with colours, or bytes as they are.

use std::io::{BufWriter, Result, Write};

use console::Term;

use crate::failure::{Doing, Failure};

/// The clause that an error of writing begins with.
pub(crate) fn writing() -> String {
    "cannot write to standard output".to_owned()
}

/// The number of columns of the terminal that standard output is; `None` for a pipe or a file, where no line is cut.
pub(crate) fn terminal_width() -> Option<usize> {
    let terminal = Term::stdout();
    terminal.is_term().then(|| usize::from(terminal.size().1))
}

/// Writes text, without its colours if standard output is no terminal.
pub(crate) fn write_text(
    write: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> std::result::Result<(), Failure> {
    let mut out = BufWriter::new(anstream::stdout().lock());
    write(&mut out).and_then(|()| out.flush()).doing(writing)
}

/// Writes bytes unchanged.
pub(crate) fn write_exactly(bytes: &[u8]) -> std::result::Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).doing(writing)
}
