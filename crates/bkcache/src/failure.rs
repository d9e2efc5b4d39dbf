//! From errors of the libraries to what a user sees: one line that says what failed, on what, and what to do, and an
//! exit code.
//!
//! It prints nothing itself.

use std::error::Error as StdError;
use std::process::ExitCode;

use cache_export::{ExportError, RecordsError};
use cache_format::{FormatError, NotACache};
use cache_import::ImportError;
use cache_ingest::{AboveMetadataLimit, ErrorKind, OtherNames, Side};
use cache_inputs::{ContextError, RecordError};
use cache_model::ReadError;
use cache_report::text::printable;
use cache_target::TargetError;
use cache_verify::VerifyError;
use serde_json::{Value, json};

use crate::help::help_address;
use crate::signal::Signal;

/// A command that did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An operation failed: the clause that says which, why, and what to do about it.
    Failed { doing: String, kind: ErrorKind, error: anyhow::Error, hint: Option<String> },
    /// The command line is wrong.
    Usage(String),
    /// Verification found errors, which have been printed: what to do about them.
    Unsound { advice: Option<String> },
    /// The answer was printed, and is to be the exit code: two caches differ, a step missed.
    Negative,
    /// The reader of standard output has closed it.
    Closed,
    /// A signal asked the program to end.
    Interrupted { signal: Signal, hint: Option<&'static str> },
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Interrupted { signal, .. } => signal.die(),
            _ => ExitCode::from(self.exit_number()),
        }
    }

    /// The exit code as a shell reports it.
    fn exit_number(&self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::Failed { .. } | Self::Negative => 1,
            Self::Usage(_) => 2,
            Self::Unsound { .. } => 3,
            Self::Interrupted { signal, .. } => signal.exit_code(),
        }
    }

    /// The same failure with this advice, if it is that of an operation.
    pub(crate) fn advise(mut self, advice: &str) -> Self {
        if let Self::Failed { hint, .. } = &mut self {
            *hint = Some(advice.to_owned());
        }
        self
    }

    /// The same failure; if something was not found, with this advice.
    pub(crate) fn advise_if_not_found(mut self, advice: &str) -> Self {
        if let Self::Failed { kind: ErrorKind::NotFound, hint, .. } = &mut self {
            *hint = Some(advice.to_owned());
        }
        self
    }

    /// The same failure; if a blob of a copy's source is missing or damaged, with this advice.
    pub(crate) fn advise_on_source_blobs(mut self, advice: impl FnOnce() -> String) -> Self {
        if let Self::Failed { kind: ErrorKind::NotFound | ErrorKind::Corrupt, error, hint, .. } = &mut self
            && store_error(error.as_ref()).is_some_and(|error| error.side() == Some(Side::Source))
        {
            *hint = Some(advice());
        }
        self
    }

    /// The line to print; `None` if everything has been printed.
    pub(crate) fn line(&self) -> Option<String> {
        match self {
            Self::Closed | Self::Negative => None,
            Self::Unsound { advice } => advice.clone(),
            _ => {
                let hint = self.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
                Some(format!("{}{hint}", self.message()?))
            }
        }
    }

    /// The `error` event of `--progress json`; `None` for no error.
    pub(crate) fn event(&self) -> Option<Value> {
        let message = self.message()?;
        let store = match self {
            Self::Failed { error, .. } => store_error(error.as_ref()),
            _ => None,
        };
        Some(json!({
            "event": "error",
            "kind": self.kind_name(),
            "message": message,
            "subject": store.map(cache_ingest::Error::subject),
            "side": store.and_then(cache_ingest::Error::side).map(side_name),
            "causes": self.causes(),
            "advice": self.hint(),
            "help": self.help(),
            "exitCode": self.exit_number(),
        }))
    }

    /// The address of the page about this kind of failure; `None` for no error.
    pub(crate) fn help(&self) -> Option<String> {
        self.kind_name().map(help_address)
    }

    /// What failed, and why, without the advice; `None` for no error.
    fn message(&self) -> Option<String> {
        Some(match self {
            Self::Failed { doing, error, .. } => printable(&format!("{doing}: {}", detail(doing, error))),
            Self::Usage(message) => printable(message),
            Self::Unsound { .. } => "verification found errors".to_owned(),
            Self::Interrupted { .. } => "interrupted".to_owned(),
            Self::Closed | Self::Negative => return None,
        })
    }

    fn hint(&self) -> Option<&str> {
        match self {
            Self::Failed { hint, .. } => hint.as_deref(),
            Self::Interrupted { hint, .. } => *hint,
            Self::Unsound { advice } => advice.as_deref(),
            Self::Usage(_) | Self::Closed | Self::Negative => None,
        }
    }

    /// The name of the kind of failure; `None` for no error.
    fn kind_name(&self) -> Option<&'static str> {
        Some(match self {
            Self::Failed { kind, .. } => kind.name(),
            Self::Usage(_) => "usage",
            Self::Unsound { .. } => "unsound",
            Self::Interrupted { .. } => "interrupted",
            Self::Negative | Self::Closed => return None,
        })
    }

    /// The causes behind the line, nearest first. A cause whose text has been shown already is left out.
    pub(crate) fn causes(&self) -> Vec<String> {
        let Self::Failed { error, .. } = self else { return Vec::new() };
        let mut shown = vec![printable(&error.to_string())];
        for cause in error.chain().skip(1) {
            let text = printable(&cause.to_string());
            if !shown.iter().any(|before| before.contains(&text)) {
                shown.push(text);
            }
        }
        shown.split_off(1)
    }

    fn failed(
        doing: impl Into<String>,
        error: impl StdError + Send + Sync + 'static,
        kind: ErrorKind,
    ) -> Self {
        let hint = hint(kind, &error).map(str::to_owned);
        Self::Failed { doing: doing.into(), kind, error: error.into(), hint }
    }

    /// What a place is that is not a cache.
    pub(crate) fn not_a_cache(doing: String, found: NotACache) -> Self {
        let advice = Some(found.advice());
        Self::failed(doing, found, ErrorKind::Unsupported).or_hint(advice)
    }

    /// The same failure, with another hint if there is one.
    fn or_hint(mut self, other: Option<&'static str>) -> Self {
        if let Self::Failed { hint, .. } = &mut self {
            *hint = other.map(str::to_owned).or(hint.take());
        }
        self
    }
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Source => "source",
        Side::Destination => "destination",
    }
}

/// The text of an error, without its subject if the clause before it ends with that already.
fn detail(doing: &str, error: &anyhow::Error) -> String {
    let whole = error.to_string();
    let store = store_error(error.as_ref());
    match store.filter(|store| store.to_string() == whole && doing.ends_with(store.subject())) {
        Some(store) => store.reason().to_owned(),
        None => whole,
    }
}

/// What to do about a kind of failure, unless the message says so itself.
fn hint(kind: ErrorKind, error: &(dyn StdError + 'static)) -> Option<&'static str> {
    match kind {
        _ if is_out_of_files(error) => {
            Some("raise the limit of open files (ulimit -n), or copy fewer blobs at once (--jobs)")
        }
        ErrorKind::NoSpace => Some("free some space and run the same command again to continue"),
        ErrorKind::Unavailable => Some("try again later"),
        ErrorKind::Denied if is_read_only(error) => {
            Some("it is mounted read-only: name another folder, or mount it for writing")
        }
        // The error of a registry says what to do.
        ErrorKind::Denied if is_caused_by::<std::io::Error>(error) => Some("check the permissions"),
        ErrorKind::TooLarge if is_caused_by::<AboveMetadataLimit>(error) => Some(RAISE_THE_LIMIT),
        ErrorKind::Conflict if is_caused_by::<OtherNames>(error) => Some("--yes removes them all"),
        _ => None,
    }
}

/// Whether this process has as many open files as the system allows it.
fn is_out_of_files(error: &(dyn StdError + 'static)) -> bool {
    // std has no kind for it. The number is that of every Unix.
    const EMFILE: i32 = 24;
    let cause = store_error(error).and_then(|store| store.cause_as::<std::io::Error>());
    cfg!(unix) && cause.is_some_and(|cause| cause.raw_os_error() == Some(EMFILE))
}

/// Whether a file system takes no changes.
fn is_read_only(error: &(dyn StdError + 'static)) -> bool {
    let cause = store_error(error).and_then(|store| store.cause_as::<std::io::Error>());
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::ReadOnlyFilesystem)
}

/// Whether an error of this type is among the causes.
fn is_caused_by<T: StdError + 'static>(error: &(dyn StdError + 'static)) -> bool {
    store_error(error).is_some_and(|store| store.cause_as::<T>().is_some())
}

/// The failure of a store, if that is what an error reports.
fn store_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a cache_ingest::Error> {
    let of_import = || error.downcast_ref::<ImportError>().and_then(ImportError::store_error);
    let of_export = || error.downcast_ref::<ExportError>().and_then(ExportError::store_error);
    let of_verify = || error.downcast_ref::<VerifyError>().and_then(VerifyError::store_error);
    error.downcast_ref().or_else(of_import).or_else(of_export).or_else(of_verify)
}

const RAISE_THE_LIMIT: &str = "--max-metadata-size raises it";
pub(crate) const CHECK_THE_PATH: &str = "check the path";

/// Adds to an error what was being done.
pub(crate) trait Doing<T> {
    /// `doing` is a clause such as `cannot read ./cache`.
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: IntoFailure> Doing<T> for Result<T, E> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| error.into_failure(doing()))
    }
}

/// An error of a library.
pub(crate) trait IntoFailure {
    /// The failure of what was being done.
    fn into_failure(self, doing: String) -> Failure;
}

impl IntoFailure for TargetError {
    fn into_failure(self, doing: String) -> Failure {
        match self {
            Self::Store(error) => error.into_failure(doing).advise_if_not_found(CHECK_THE_PATH),
            usage => Failure::Usage(format!("{doing}: {usage}")),
        }
    }
}

impl IntoFailure for ImportError {
    fn into_failure(self, doing: String) -> Failure {
        let advice = match &self {
            Self::TooLarge { .. } => Some(RAISE_THE_LIMIT),
            Self::NotACache { found, .. } => Some(found.advice()),
            _ => None,
        };
        let kind = self.kind();
        Failure::failed(doing, self, kind).or_hint(advice)
    }
}

impl IntoFailure for VerifyError {
    fn into_failure(self, doing: String) -> Failure {
        let advice = match &self {
            Self::NotACache { found, .. } => Some(found.advice()),
            _ => None,
        };
        let kind = self.kind();
        Failure::failed(doing, self, kind).or_hint(advice)
    }
}

impl IntoFailure for ExportError {
    fn into_failure(self, doing: String) -> Failure {
        let kind = self.kind();
        Failure::failed(doing, self, kind)
    }
}

impl IntoFailure for cache_ingest::Error {
    fn into_failure(self, doing: String) -> Failure {
        let kind = self.kind();
        Failure::failed(doing, self, kind)
    }
}

impl IntoFailure for RecordsError {
    fn into_failure(self, doing: String) -> Failure {
        Failure::failed(doing, self, ErrorKind::Invalid)
    }
}

impl IntoFailure for ContextError {
    fn into_failure(self, doing: String) -> Failure {
        let kind = match &self {
            Self::Folder { cause, .. } | Self::Entry { cause, .. } | Self::IgnoreFile { cause, .. } => {
                cache_ingest::Error::io("read", "", cause.kind().into()).kind()
            }
            _ => ErrorKind::Invalid,
        };
        Failure::failed(doing, self, kind)
    }
}

impl IntoFailure for RecordError {
    fn into_failure(self, doing: String) -> Failure {
        match self {
            Self::Store(error) => error.into_failure(doing),
            Self::NotAttached => Failure::failed(doing, self, ErrorKind::NotFound),
            invalid => Failure::failed(doing, invalid, ErrorKind::Invalid),
        }
    }
}

impl IntoFailure for ReadError {
    fn into_failure(self, doing: String) -> Failure {
        Failure::failed(doing, self, ErrorKind::Corrupt)
    }
}

impl IntoFailure for FormatError {
    fn into_failure(self, doing: String) -> Failure {
        Failure::Usage(format!("{doing}: {self}"))
    }
}

impl IntoFailure for std::io::Error {
    fn into_failure(self, doing: String) -> Failure {
        let kind = cache_ingest::Error::io("write", "", self.kind().into()).kind();
        Failure::Failed { doing, kind, error: self.into(), hint: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_and_causes_are_one_line_each_whatever_they_quote() {
        let error = anyhow::anyhow!("the end\u{2028}").context("the middle\u{202e}").context("the start\n");
        let (doing, kind) = ("cannot read a\u{200b}".to_owned(), ErrorKind::Other);
        let failure = Failure::Failed { doing, kind, error, hint: None };
        assert_eq!(failure.line().as_deref(), Some(r"cannot read a\u{200b}: the start\n"));
        assert_eq!(failure.causes(), [r"the middle\u{202e}", r"the end\u{2028}"]);
    }

    #[test]
    fn an_error_event_has_everything_that_is_known() {
        let cause = std::io::Error::other("the disk");
        let error =
            cache_ingest::Error::new(ErrorKind::NoSpace, "put", "a blob", "no room").with_cause(cause);
        let failure = Err::<(), _>(error.on(Side::Destination)).doing(|| "cannot copy ./a".to_owned());
        let expected = json!({
            "event": "error", "kind": "no-space", "message": "cannot copy ./a: destination: put a blob: no room",
            "subject": "a blob", "side": "destination", "causes": ["the disk"],
            "advice": "free some space and run the same command again to continue", "exitCode": 1,
            "help": help_address("no-space"),
        });
        assert_eq!(failure.unwrap_err().event(), Some(expected));
        let interrupted = Failure::Interrupted { signal: Signal::Interrupt, hint: None }.event().unwrap();
        assert_eq!((&interrupted["kind"], &interrupted["exitCode"]), (&json!("interrupted"), &json!(130)));
        for (failure, kind, code) in
            [(Failure::Usage("no".to_owned()), "usage", 2), (Failure::Unsound { advice: None }, "unsound", 3)]
        {
            let event = failure.event().unwrap();
            assert_eq!((&event["kind"], &event["exitCode"]), (&json!(kind), &json!(code)));
        }
        assert_eq!((Failure::Closed.event(), Failure::Negative.event()), (None, None));
    }
}
