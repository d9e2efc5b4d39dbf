//! The events that are printed in every mode: warnings, and what is waited for.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use cache_ingest::{Event, Progress};
use cache_report::text::printable;

use crate::lock::lock;
use crate::messages::print;

/// A wait from which a user wants to know why nothing moves.
const LONG_WAIT: Duration = Duration::from_secs(5);

/// Which events are printed.
pub(super) struct Notices {
    /// Whether `-v` is given: print every retry.
    verbose: bool,
    /// Whether to print why nothing moves for long.
    long_waits: bool,
    /// When the last retry was printed, or the first one came.
    last_reason: Option<Instant>,
}

/// A progress that prints nothing else.
pub(super) struct OnlyNotices(Mutex<Notices>);

impl OnlyNotices {
    pub(super) fn new(notices: Notices) -> Self {
        Self(Mutex::new(notices))
    }
}

impl Notices {
    pub(super) fn new(verbose: bool, long_waits: bool) -> Self {
        Self { verbose, long_waits, last_reason: None }
    }

    pub(super) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// The line of an event that is printed.
    pub(super) fn line(&mut self, event: &Event<'_>, now: Instant) -> Option<String> {
        let text = match event {
            Event::Warning { message } => format!("warning: {message}"),
            Event::Resumed { .. } if self.verbose => event.to_string(),
            Event::Waiting { .. } if self.long_waits => event.to_string(),
            Event::Retrying { .. } if self.verbose => event.to_string(),
            Event::Retrying { restarted: None, attempt, wait, .. }
                if self.long_waits && self.is_reason_due(*attempt, *wait, now) =>
            {
                event.to_string()
            }
            _ => return None,
        };
        Some(printable(&text))
    }

    /// Whether it is time to say why requests are repeated: before the first long wait of a request, and every few seconds
    /// while waits go on, however short each one is.
    fn is_reason_due(&mut self, attempt: u32, wait: Duration, now: Instant) -> bool {
        let since = *self.last_reason.get_or_insert(now);
        let is_due = attempt == 2 && wait >= LONG_WAIT || now.saturating_duration_since(since) >= LONG_WAIT;
        if is_due {
            self.last_reason = Some(now);
        }
        is_due
    }
}

impl Progress for OnlyNotices {
    fn event(&self, event: &Event<'_>) {
        if let Some(text) = lock(&self.0).line(event, Instant::now()) {
            print(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use cache_ingest::{Error, ErrorKind};

    use super::*;

    fn retrying(error: &Error, attempt: u32, wait: Duration) -> Event<'_> {
        Event::Retrying { request: "get r/app", restarted: None, attempt, wait, error }
    }

    #[test]
    fn a_notice_is_one_line_whatever_it_quotes() {
        let message = "two\nlines\u{202e}";
        let line = Notices::new(true, true).line(&Event::Warning { message }, Instant::now());
        assert_eq!(line.as_deref(), Some(r"warning: two\nlines\u{202e}"));
    }

    #[test]
    fn a_long_wait_is_printed_without_v() {
        let error = Error::new(ErrorKind::Unavailable, "get", "r/app", "it is busy");
        let line = |(verbose, long_waits), wait| {
            let event = retrying(&error, 2, Duration::from_millis(wait));
            Notices::new(verbose, long_waits).line(&event, Instant::now())
        };
        assert_eq!(line((false, true), 5000).as_deref(), Some("attempt 2 in 5 s: get r/app: it is busy"));
        assert_eq!((line((false, true), 4999), line((false, false), 5000)), (None, None));
        assert!(line((true, false), 1).is_some());
    }

    #[test]
    fn short_waits_that_go_on_are_printed_every_few_seconds() {
        let error = Error::new(ErrorKind::Unavailable, "get", "r/app", "429");
        let (mut notices, began) = (Notices::new(false, true), Instant::now());
        let mut printed = Vec::new();
        for second in 0..12 {
            let (event, now) = (
                retrying(&error, second + 2, Duration::from_secs(1)),
                began + Duration::from_secs(second.into()),
            );
            if notices.line(&event, now).is_some() {
                printed.push(second);
            }
        }
        assert_eq!(printed, [5, 10]);
    }
}
