//! Standard error: errors, warnings and notes, as lines or as JSON.
//!
//! With `--progress json` every line is an object that parses alone. With `-q` only errors are written.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use cache_report::text::printable;
use serde_json::{Value, json};

use crate::cli::{GlobalArgs, ProgressMode};
use crate::failure::Failure;

const RED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red))).bold();

/// How messages are written. A failure to write is ignored: there is no other place to report it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Messages {
    is_json: bool,
    is_quiet: bool,
    is_verbose: bool,
}

impl Messages {
    /// The messages that the options ask for.
    pub(crate) fn of(global: &GlobalArgs) -> Self {
        let is_json = global.progress == ProgressMode::Json;
        Self { is_json, is_quiet: global.quiet, is_verbose: global.verbose }
    }

    /// The messages for a command line that cannot be parsed.
    pub(crate) fn of_unparsed(arguments: impl Iterator<Item = String>) -> Self {
        let arguments: Vec<String> = arguments.take_while(|argument| argument != "--").collect();
        let is_json = arguments.iter().any(|argument| argument == "--progress=json")
            || arguments.windows(2).any(|pair| pair == ["--progress", "json"]);
        let is_verbose = arguments.iter().any(|argument| argument == "-v" || argument == "--verbose");
        Self { is_json, is_quiet: false, is_verbose }
    }

    pub(crate) fn is_json(self) -> bool {
        self.is_json
    }

    /// Writes a failure: its line, and with `-v` its causes and where to read more.
    pub(crate) fn error(self, failure: &Failure) {
        if self.is_json {
            if let Some(event) = failure.event() {
                print(&event.to_string());
            }
            return;
        }
        let mut stderr = anstream::stderr().lock();
        if let Some(line) = failure.line() {
            let _ = writeln!(stderr, "{RED}bkcache:{RED:#} {line}");
        }
        if self.is_verbose {
            for cause in failure.causes() {
                let _ = writeln!(stderr, "  caused by: {cause}");
            }
        }
        drop(stderr);
        self.see(failure);
    }

    /// With `-v`, writes where to read more about a failure, unless its event says that.
    pub(crate) fn see(self, failure: &Failure) {
        if let (true, false, Some(address)) = (self.is_verbose, self.is_json, failure.help()) {
            print(&format!("  see {address}"));
        }
    }

    /// Writes a warning.
    pub(crate) fn warning(self, text: &str) {
        self.message("warning", "warning: ", text);
    }

    /// Writes something that a user may want to know.
    pub(crate) fn note(self, text: &str) {
        self.message("note", "", text);
    }

    fn message(self, event: &str, prefix: &str, text: &str) {
        match self {
            Self { is_quiet: true, .. } => {}
            Self { is_json: true, .. } => print(&message_event(event, text).to_string()),
            _ => print(&format!("{prefix}{}", printable(text))),
        }
    }
}

/// The event of a warning or a note.
pub(crate) fn message_event(kind: &str, text: &str) -> Value {
    json!({"event": kind, "message": text})
}

/// Writes a line to standard error in one piece, so that lines of several threads do not mix.
pub(crate) fn print(text: &str) {
    let _ = anstream::stderr().lock().write_all(format!("{text}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_asked_for_in_either_spelling_and_not_after_two_dashes() {
        let is_json = |line: &str| Messages::of_unparsed(line.split(' ').map(str::to_owned)).is_json();
        assert!(is_json("bkcache copy --progress=json a"));
        assert!(is_json("bkcache --progress json copy a"));
        assert!(!is_json("bkcache copy --progress plain json"));
        assert!(!is_json("bkcache copy -- --progress=json"));
    }
}
