//! Standard output: text with colours, the first lines of long lists, or bytes as they are.

use std::io::{self, BufWriter, ErrorKind, Write};

use cache_model::count;
use console::Term;

use crate::cli::GlobalArgs;
use crate::failure::{Doing, Failure};

/// How many of many things are listed without `-v`.
const LISTED: usize = 10;

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
pub(crate) fn write_text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(anstream::stdout().lock());
    written(write(&mut out).and_then(|()| out.flush()), writing)
}

/// Writes bytes unchanged.
pub(crate) fn write_exactly(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()), writing)
}

/// The outcome of writing to standard output. Its reader may close it early, as `head` does; no other file has such a
/// reader, so elsewhere a broken pipe is an error like others.
pub(crate) fn written(result: io::Result<()>, doing: impl FnOnce() -> String) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::Closed),
        result => result.doing(doing),
    }
}

/// The outcome of a command that has written what it found wrong. The failure counts even if nobody reads the output any
/// more.
pub(crate) fn report_then(written: Result<(), Failure>, failure: Option<Failure>) -> Result<(), Failure> {
    match (written, failure) {
        (Ok(()) | Err(Failure::Closed), Some(failure)) => Err(failure),
        (written, _) => written,
    }
}

/// A line for each of the first things, and how many more there are; with `-v` a line for each.
pub(crate) fn first_lines<T>(
    things: &[T],
    noun: &str,
    global: &GlobalArgs,
    line: impl Fn(&T) -> String,
) -> Vec<String> {
    let listed = if global.verbose { things.len() } else { LISTED.min(things.len()) };
    let mut lines: Vec<String> = things.iter().take(listed).map(line).collect();
    let more = (things.len() - listed) as u64;
    if more > 0 {
        lines.push(format!("  … and {} (-v lists all)", count(more, &format!("more {noun}"))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn only_the_reader_of_standard_output_may_close_early() {
        let broken = || io::Error::from(ErrorKind::BrokenPipe);
        assert!(matches!(written(Err(broken()), writing), Err(Failure::Closed)));
        let elsewhere = Err::<(), _>(broken()).doing(|| "cannot write a file".to_owned());
        assert_eq!(elsewhere.unwrap_err().line().as_deref(), Some("cannot write a file: broken pipe"));
    }

    #[test]
    fn ten_of_many_things_are_listed_and_all_with_verbose() {
        let global = |option: &str| Cli::try_parse_from(["bkcache", option, "gc", "."]).unwrap().global;
        let lines = |number: usize, option| {
            first_lines(&vec![(); number], "blob", &global(option), |()| "line".to_owned())
        };
        let whole = |number| vec!["line".to_owned(); number];
        assert_eq!((lines(10, "-q"), lines(12, "-v")), (whole(10), whole(12)));
        let mut shown = whole(10);
        shown.push("  … and 1 more blob (-v lists all)".to_owned());
        assert_eq!(lines(11, "-q"), shown);
    }

    #[test]
    fn a_failure_counts_even_if_nobody_reads_the_output() {
        let failure = || Some(Failure::Unsound { advice: None });
        for written in [Ok(()), Err(Failure::Closed)] {
            assert!(matches!(report_then(written, failure()), Err(Failure::Unsound { .. })));
        }
        let full = Err(Failure::Usage("no".to_owned()));
        assert!(matches!(report_then(full, failure()), Err(Failure::Usage(_))));
        assert!(matches!(report_then(Err(Failure::Closed), None), Err(Failure::Closed)));
    }
}
