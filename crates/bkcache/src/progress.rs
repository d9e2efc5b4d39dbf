//! Progress on standard error: a bar on a terminal, lines elsewhere, JSON lines on request.
//!
//! It only shows events; which there are is decided by cache-ingest.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use cache_ingest::{Event, Progress};
use cache_model::Digest;
use cache_report::text::{printable, size};
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use crate::cli::{GlobalArgs, ProgressMode};

/// The progress that the options ask for. Without a terminal, a line for each blob.
pub(crate) fn reporter(global: &GlobalArgs) -> Arc<dyn Progress> {
    by_mode(global, ProgressMode::Plain)
}

/// The progress that the options ask for. Without a terminal none, since lines for each blob would bury the output.
pub(crate) fn quiet_reporter(global: &GlobalArgs) -> Arc<dyn Progress> {
    by_mode(global, ProgressMode::None)
}

/// The progress that the options ask for; `without_terminal` is for `--progress auto`.
fn by_mode(global: &GlobalArgs, without_terminal: ProgressMode) -> Arc<dyn Progress> {
    let mode = match global.progress {
        _ if global.quiet => ProgressMode::None,
        ProgressMode::Auto if std::io::stderr().is_terminal() => ProgressMode::Bar,
        ProgressMode::Auto => without_terminal,
        mode => mode,
    };
    let long_waits = !global.quiet && global.progress != ProgressMode::None;
    let notices = Notices { verbose: global.verbose && !global.quiet, long_waits };
    match mode {
        ProgressMode::Bar => Arc::new(Bar::new(notices)),
        ProgressMode::Json => Arc::new(Json),
        ProgressMode::None => Arc::new(notices),
        ProgressMode::Plain | ProgressMode::Auto => Arc::new(Plain(notices)),
    }
}

/// Forwards events without keeping their receiver alive, so that a bar disappears with its command and not with the last
/// connection.
pub(crate) struct Relay(Weak<dyn Progress>);

impl Relay {
    pub(crate) fn to(progress: &Arc<dyn Progress>) -> Self {
        Self(Arc::downgrade(progress))
    }
}

impl Progress for Relay {
    fn event(&self, event: &Event<'_>) {
        if let Some(progress) = self.0.upgrade() {
            progress.event(event);
        }
    }
}

/// Writes a line to standard error. Failures are ignored: there is no other place to report them.
fn print(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// The events that are printed in every mode: warnings, and the retries that the options ask for.
#[derive(Clone, Copy)]
struct Notices {
    /// Whether `-v` is given: print every retry.
    verbose: bool,
    /// Whether to print the first retry after a long wait, and that a server is silent.
    long_waits: bool,
}

impl Notices {
    fn line(self, event: &Event<'_>) -> Option<String> {
        let text = match event {
            Event::Warning { message } => format!("warning: {message}"),
            Event::Waiting { .. } if self.long_waits => event.to_string(),
            Event::Retrying { restarted: Some(descriptor), attempt, error, .. } if self.verbose => {
                format!("retrying {}, attempt {attempt}: {error}", descriptor.digest)
            }
            Event::Retrying { restarted: None, attempt, wait, error, .. }
                if self.verbose || self.long_waits && *wait >= LONG_WAIT && *attempt == 2 =>
            {
                format!("attempt {attempt} in {:.1} s: {error}", wait.as_secs_f64())
            }
            _ => return None,
        };
        Some(printable(&text))
    }
}

impl Progress for Notices {
    fn event(&self, event: &Event<'_>) {
        if let Some(text) = self.line(event) {
            print(&text);
        }
    }
}

/// A line for each finished blob, and with `-v` for each manifest and config that is imported.
struct Plain(Notices);

impl Progress for Plain {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Finished { step, descriptor, stored } => {
                print(&format!(
                    "{step} {} {} {}",
                    descriptor.digest,
                    size(descriptor.size),
                    step.outcome(*stored)
                ));
            }
            Event::Importing { .. } if self.0.verbose => print(&event.to_string()),
            event => self.0.event(event),
        }
    }
}

/// A JSON object for each event.
struct Json;

impl Progress for Json {
    fn event(&self, event: &Event<'_>) {
        let value = match event {
            Event::Planned { blobs, bytes } => json!({"event": "planned", "blobs": blobs, "bytes": bytes}),
            Event::Started { step, descriptor } => json!({
                "event": "started", "step": step.to_string(),
                "digest": descriptor.digest.to_string(), "size": descriptor.size,
            }),
            Event::Transferred { descriptor, bytes } => json!({
                "event": "transferred", "digest": descriptor.digest.to_string(), "bytes": bytes,
            }),
            Event::Importing { what, from } => json!({"event": "importing", "what": what, "from": from}),
            Event::Retrying { restarted: Some(descriptor), attempt, error, .. } => json!({
                "event": "retrying", "digest": descriptor.digest.to_string(),
                "attempt": attempt, "error": error.to_string(),
            }),
            Event::Retrying { restarted: None, request, attempt, wait, error } => json!({
                "event": "repeating", "request": request, "attempt": attempt,
                "waitMs": u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), "error": error.to_string(),
            }),
            Event::Waiting { host, request, silent } => json!({
                "event": "waiting", "host": host, "request": request,
                "silentMs": u64::try_from(silent.as_millis()).unwrap_or(u64::MAX),
            }),
            Event::Finished { step, descriptor, stored } => json!({
                "event": "finished", "step": step.to_string(), "digest": descriptor.digest.to_string(),
                "size": descriptor.size, "outcome": step.outcome(*stored),
            }),
            Event::Failed { step, descriptor, error } => json!({
                "event": "failed", "step": step.to_string(), "digest": descriptor.digest.to_string(),
                "size": descriptor.size, "error": error.to_string(),
            }),
            Event::Warning { message } => json!({"event": "warning", "message": message}),
            _ => return,
        };
        print(&value.to_string());
    }
}

/// A wait from which a user wants to know why nothing moves.
const LONG_WAIT: Duration = Duration::from_secs(5);
/// The time after which a bar is shown. For a shorter command it would only flicker.
const BAR_DELAY: Duration = Duration::from_millis(300);

/// The template of the bar by the least number of columns. Each fits with the largest numbers, since a line that wraps
/// is not erased. The message is cut.
const TEMPLATES: [(u16, &str); 4] = [
    (70, "{bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {wide_msg}"),
    (40, "{binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {wide_msg}"),
    (25, "{binary_bytes}/{binary_total_bytes} {wide_msg}"),
    (0, "{wide_msg}"),
];

/// One bar for all bytes.
struct Bar {
    bar: ProgressBar,
    notices: Notices,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    done: u64,
    planned: u64,
    /// The bytes counted of each blob in transfer, to be subtracted when it restarts.
    in_transfer: HashMap<Digest, u64>,
}

impl Bar {
    fn new(notices: Notices) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        let (_, columns) = Term::stderr().size();
        let template = TEMPLATES.iter().find(|(least, _)| columns >= *least);
        if let Some(Ok(style)) = template.map(|(_, template)| ProgressStyle::with_template(template)) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        let later = bar.downgrade();
        // If no thread can be started, there is no bar.
        let _ = thread::Builder::new().name("bar".to_owned()).spawn(move || {
            thread::sleep(BAR_DELAY);
            if let Some(bar) = later.upgrade() {
                bar.set_draw_target(ProgressDrawTarget::stderr());
                bar.tick();
            }
        });
        Self { bar, notices, counts: Mutex::default() }
    }

    fn update(&self, event: &Event<'_>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Planned { blobs, bytes } => {
                self.bar.inc_length(*bytes);
                counts.planned += blobs;
            }
            Event::Started { descriptor, .. } => {
                counts.in_transfer.insert(descriptor.digest, 0);
            }
            Event::Transferred { descriptor, bytes } => {
                // Metadata that is read on the way is not in the plan.
                let Some(sent) = counts.in_transfer.get_mut(&descriptor.digest) else { return };
                *sent += bytes;
                self.bar.inc(*bytes);
            }
            Event::Retrying { restarted: Some(descriptor), .. } => {
                let lost = counts.in_transfer.insert(descriptor.digest, 0).unwrap_or(0);
                self.bar.set_position(self.bar.position().saturating_sub(lost));
            }
            Event::Finished { descriptor, .. } | Event::Failed { descriptor, .. } => {
                let sent = counts.in_transfer.remove(&descriptor.digest).unwrap_or(0);
                self.bar.inc(descriptor.size.saturating_sub(sent));
                counts.done += 1;
            }
            _ => return,
        }
        self.bar.set_message(format!("{} of {} blobs", counts.done, counts.planned));
    }
}

impl Progress for Bar {
    fn event(&self, event: &Event<'_>) {
        self.update(event);
        if let Some(text) = self.notices.line(event) {
            self.bar.suspend(|| print(&text));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use cache_ingest::{Error, ErrorKind};

    use super::*;

    #[test]
    fn a_notice_is_one_line_whatever_it_quotes() {
        let notices = Notices { verbose: true, long_waits: true };
        let message = "two\nlines\u{202e}";
        let line = notices.line(&Event::Warning { message });
        assert_eq!(line.as_deref(), Some(r"warning: two\nlines\u{202e}"));
    }

    #[test]
    fn a_long_wait_is_printed_without_v() {
        let error = Error::new(ErrorKind::Unavailable, "get", "r/app", "it is busy");
        let line = |(verbose, long_waits), wait| {
            let wait = Duration::from_millis(wait);
            let event =
                Event::Retrying { request: "get r/app", restarted: None, attempt: 2, wait, error: &error };
            Notices { verbose, long_waits }.line(&event)
        };
        assert_eq!(line((false, true), 5000).as_deref(), Some("attempt 2 in 5.0 s: get r/app: it is busy"));
        assert_eq!((line((false, true), 4999), line((false, false), 5000)), (None, None));
        assert!(line((true, false), 1).is_some());
    }
}
