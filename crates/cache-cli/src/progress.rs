//! Progress on standard error: a bar on a terminal, lines elsewhere, JSON lines on request.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use cache_ingest::{Event, Progress, Stored};
use cache_model::Digest;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::cli::{Global, ProgressMode};
use crate::display::{short, size};

/// The progress that the options ask for.
pub(crate) fn reporter(global: &Global) -> Box<dyn Progress> {
    let mode = match global.progress {
        _ if global.quiet => ProgressMode::None,
        ProgressMode::Auto if std::io::stderr().is_terminal() => ProgressMode::Bar,
        ProgressMode::Auto => ProgressMode::Plain,
        mode => mode,
    };
    match mode {
        ProgressMode::Bar => Box::new(Bar::new(global.verbose)),
        ProgressMode::Json => Box::new(Json),
        ProgressMode::None => Box::new(Warnings),
        ProgressMode::Plain | ProgressMode::Auto => Box::new(Plain { verbose: global.verbose }),
    }
}

/// Warnings alone, where the options would show a line for each blob of their own accord.
pub(crate) fn quiet_reporter(global: &Global) -> Option<Box<dyn Progress>> {
    let is_line_by_line = global.progress == ProgressMode::Auto && !std::io::stderr().is_terminal();
    is_line_by_line.then(|| Box::new(Warnings) as Box<dyn Progress>)
}

/// Writes a line to standard error; when that is closed there is no one to tell.
fn line(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

fn outcome(stored: Stored) -> &'static str {
    match stored {
        Stored::Stored => "done",
        Stored::AlreadyPresent => "already there",
        Stored::Mounted => "mounted",
    }
}

/// Warnings only.
struct Warnings;

impl Progress for Warnings {
    fn event(&self, event: &Event<'_>) {
        if let Event::Warning { message } = event {
            line(&format!("warning: {message}"));
        }
    }
}

/// A line for each blob that is done.
struct Plain {
    verbose: bool,
}

impl Progress for Plain {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Finished { step, descriptor, stored } => {
                line(&format!("{step} {} {} {}", descriptor.digest, size(descriptor.size), outcome(*stored)));
            }
            Event::Retrying { descriptor, attempt, error } if self.verbose => {
                line(&format!("retrying {}, attempt {attempt}: {error}", descriptor.digest));
            }
            Event::Repeating { request, attempt, error, .. } if self.verbose => {
                line(&format!("repeating {request}, attempt {attempt}: {error}"));
            }
            event => Warnings.event(event),
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
            Event::Retrying { descriptor, attempt, error } => json!({
                "event": "retrying", "digest": descriptor.digest.to_string(),
                "attempt": attempt, "error": error.to_string(),
            }),
            Event::Repeating { request, attempt, error, .. } => json!({
                "event": "repeating", "request": request, "attempt": attempt, "error": error.to_string(),
            }),
            Event::Finished { step, descriptor, stored } => json!({
                "event": "finished", "step": step.to_string(), "digest": descriptor.digest.to_string(),
                "size": descriptor.size, "outcome": outcome(*stored),
            }),
            Event::Warning { message } => json!({"event": "warning", "message": message}),
            _ => return,
        };
        line(&value.to_string());
    }
}

/// One bar for all bytes.
struct Bar {
    bar: ProgressBar,
    verbose: bool,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    done: u64,
    planned: u64,
    /// The bytes that went over of each blob under way, to be taken back when it is tried again.
    under_way: HashMap<Digest, u64>,
}

impl Bar {
    fn new(verbose: bool) -> Self {
        let bar = ProgressBar::new(0);
        let template = "{bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self { bar, verbose, counts: Mutex::default() }
    }

    fn update(&self, event: &Event<'_>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Planned { blobs, bytes } => {
                self.bar.inc_length(*bytes);
                counts.planned += blobs;
            }
            Event::Transferred { descriptor, bytes } => {
                *counts.under_way.entry(descriptor.digest).or_default() += bytes;
                self.bar.inc(*bytes);
            }
            Event::Retrying { descriptor, .. } => {
                let lost = counts.under_way.remove(&descriptor.digest).unwrap_or(0);
                self.bar.set_position(self.bar.position().saturating_sub(lost));
            }
            Event::Finished { descriptor, .. } => {
                let sent = counts.under_way.remove(&descriptor.digest).unwrap_or(0);
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
        match event {
            Event::Retrying { descriptor, attempt, error } if self.verbose => {
                let message = format!("retrying {}, attempt {attempt}: {error}", short(&descriptor.digest));
                self.bar.suspend(|| line(&message));
            }
            Event::Repeating { request, attempt, error, .. } if self.verbose => {
                let message = format!("repeating {request}, attempt {attempt}: {error}");
                self.bar.suspend(|| line(&message));
            }
            Event::Warning { .. } => self.bar.suspend(|| Warnings.event(event)),
            _ => {}
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
