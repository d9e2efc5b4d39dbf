//! Standard output: text with colours, or bytes as they are.

use std::io::{BufWriter, Result, Write};

use crate::failure::{Doing, Failure};

/// The clause that an error of writing begins with.
pub(crate) fn writing() -> String {
    "cannot write to standard output".to_owned()
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
