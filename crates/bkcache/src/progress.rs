//! Progress on standard error: a bar on a terminal, lines elsewhere, JSON lines on request.
//!
//! It only shows events; which there are is decided by cache-ingest.

mod json;
mod meter;
mod notices;

use std::fmt;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use cache_ingest::{Event, Progress, Stored};
use cache_report::text::{printable, size};
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::cli::{GlobalArgs, ProgressMode};
use crate::lock::lock;
use crate::messages::print;
use json::JsonProgress;
use meter::Meter;
use notices::{Notices, OnlyNotices};

/// The time between two lines of progress without a terminal.
const LINE_PERIOD: Duration = Duration::from_secs(5);
/// The time after which a bar is shown. For a shorter command it would only flicker.
const BAR_DELAY: Duration = Duration::from_millis(300);
/// The time between two drawings of a bar while no event comes.
const BAR_PERIOD: Duration = Duration::from_millis(200);

/// The template of the bar by the least number of columns. Each fits with the largest numbers, since a line that wraps
/// is not erased. The message is cut.
const TEMPLATES: [(u16, &str); 5] = [
    (100, "{bar:30} {binary_bytes}/{binary_total_bytes} {rate} {wide_msg}"),
    (70, "{bar:15} {binary_bytes}/{binary_total_bytes} {rate} {wide_msg}"),
    (40, "{binary_bytes}/{binary_total_bytes} {rate} {wide_msg}"),
    (25, "{binary_bytes}/{binary_total_bytes} {wide_msg}"),
    (0, "{wide_msg}"),
];
/// The template while it is not known how much there is to do.
const INDETERMINATE: &str = "{spinner} {wide_msg}";

/// The progress that the options ask for.
pub(crate) fn reporter(global: &GlobalArgs) -> Arc<dyn Progress> {
    let mode = match global.progress {
        _ if global.quiet => return Arc::new(()),
        ProgressMode::Auto if can_show_a_bar() => ProgressMode::Bar,
        mode => mode,
    };
    let notices = Notices::new(global.verbose, mode != ProgressMode::None);
    match mode {
        ProgressMode::Bar => Arc::new(Bar::new(notices)),
        ProgressMode::Json => Arc::new(JsonProgress),
        ProgressMode::None => Arc::new(OnlyNotices::new(notices)),
        ProgressMode::Plain | ProgressMode::Auto => {
            Arc::new(Plain::new(notices, mode == ProgressMode::Plain))
        }
    }
}

/// Whether standard error is a terminal that can go back in a line.
fn can_show_a_bar() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
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

/// Calls `tick` after a delay and then in a period, until it returns false. If no thread can be started, there is no tick.
fn tick_every(delay: Duration, period: Duration, mut tick: impl FnMut() -> bool + Send + 'static) {
    let _ = thread::Builder::new().name("progress".to_owned()).spawn(move || {
        thread::sleep(delay);
        while tick() {
            thread::sleep(period);
        }
    });
}

/// A line for each blob that is written, a line for all of them every few seconds, and one at the end.
struct Plain(Arc<Mutex<PlainLines>>);

struct PlainLines {
    notices: Notices,
    meter: Meter,
    /// Whether there is something to sum up at the end: a line was printed, or lines were asked for.
    has_summary: bool,
    /// The last line that said how far the work is.
    said: String,
    is_over: bool,
}

impl Plain {
    fn new(notices: Notices, has_summary: bool) -> Self {
        let meter = Meter::new(Instant::now());
        let lines = PlainLines { notices, meter, has_summary, said: String::new(), is_over: false };
        let lines = Arc::new(Mutex::new(lines));
        let ticking = Arc::downgrade(&lines);
        tick_every(LINE_PERIOD, LINE_PERIOD, move || {
            ticking.upgrade().is_some_and(|lines| lock(&lines).tick(Instant::now()))
        });
        Self(lines)
    }
}

impl PlainLines {
    /// Prints how far the work is; false once it is over.
    fn tick(&mut self, now: Instant) -> bool {
        if self.is_over {
            return false;
        }
        if let Some(line) = self.news(now) {
            self.print(&line);
        }
        true
    }

    /// How far the work is, unless that was said before: a manifest that is waited for is the same line each time.
    fn news(&mut self, now: Instant) -> Option<String> {
        self.meter.sample(now);
        let line = self.meter.line(now).filter(|line| *line != self.said)?;
        self.said.clone_from(&line);
        Some(line)
    }

    fn print(&mut self, line: &str) {
        self.has_summary = true;
        print(&printable(line));
    }
}

impl Progress for Plain {
    fn event(&self, event: &Event<'_>) {
        let (mut lines, now) = (lock(&self.0), Instant::now());
        lines.meter.update(event, now);
        match event {
            Event::Finished { step, descriptor, stored }
                if step.is_writing() && *stored != Stored::AlreadyPresent =>
            {
                let size = size(descriptor.size);
                lines.print(&format!("{step} {} {size} {}", descriptor.digest, step.outcome(*stored)));
            }
            Event::Importing { .. } if lines.notices.is_verbose() => lines.print(&event.to_string()),
            event => {
                if let Some(text) = lines.notices.line(event, now) {
                    print(&text);
                }
            }
        }
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        let mut lines = lock(&self.0);
        lines.is_over = true;
        if let Some(summary) = lines.meter.summary(Instant::now()).filter(|_| lines.has_summary) {
            print(&summary);
        }
    }
}

/// One bar for all bytes.
struct Bar(Arc<Mutex<BarDrawing>>);

struct BarDrawing {
    notices: Notices,
    bar: ProgressBar,
    meter: Meter,
    /// Bytes per second, for the template.
    rate: Arc<AtomicU64>,
    /// The template that is in use.
    template: &'static str,
    is_over: bool,
}

impl Bar {
    fn new(notices: Notices) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        let (meter, rate) = (Meter::new(Instant::now()), Arc::default());
        let drawing = BarDrawing { notices, bar, meter, rate, template: "", is_over: false };
        let drawing = Arc::new(Mutex::new(drawing));
        let ticking = Arc::downgrade(&drawing);
        tick_every(BAR_DELAY, BAR_PERIOD, move || {
            ticking.upgrade().is_some_and(|drawing| lock(&drawing).tick(Instant::now()))
        });
        Self(drawing)
    }
}

impl BarDrawing {
    /// Draws the bar for the width that the terminal has now; false once the work is over.
    fn tick(&mut self, now: Instant) -> bool {
        if self.is_over {
            return false;
        }
        self.meter.sample(now);
        let (_, columns) = Term::stderr().size();
        self.choose_template(columns);
        self.show(now);
        if self.bar.is_hidden() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.tick();
        true
    }

    fn choose_template(&mut self, columns: u16) {
        let fitting = TEMPLATES.iter().find(|(least, _)| columns >= *least);
        let template = match fitting {
            Some((_, template)) if self.meter.planned_bytes() > 0 => template,
            _ => INDETERMINATE,
        };
        if template == self.template {
            return;
        }
        self.template = template;
        let rate = Arc::clone(&self.rate);
        let rate = move |_: &ProgressState, out: &mut dyn fmt::Write| {
            // A bar that cannot be drawn is left out.
            let _ = write!(out, "{}/s", size(rate.load(Ordering::Relaxed)));
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.with_key("rate", rate).progress_chars("━╸─"));
        }
    }

    fn show(&self, now: Instant) {
        self.rate.store(self.meter.rate(now), Ordering::Relaxed);
        self.bar.set_length(self.meter.planned_bytes());
        self.bar.set_position(self.meter.done_bytes());
        let message = if self.meter.planned_bytes() > 0 {
            // A narrow terminal cuts the end.
            let parts = [self.meter.outlook(now), Some(self.meter.counted())];
            parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
        } else {
            let obstacle = self.meter.obstacle().map(str::to_owned);
            obstacle.or_else(|| self.meter.line(now)).unwrap_or_default()
        };
        self.bar.set_message(printable(&message));
    }
}

impl Progress for Bar {
    fn event(&self, event: &Event<'_>) {
        let (mut drawing, now) = (lock(&self.0), Instant::now());
        drawing.meter.update(event, now);
        if let Some(text) = drawing.notices.line(event, now) {
            drawing.bar.suspend(|| print(&text));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        let mut drawing = lock(&self.0);
        drawing.is_over = true;
        let was_shown = !drawing.bar.is_hidden();
        drawing.bar.finish_and_clear();
        if let Some(summary) = drawing.meter.summary(Instant::now()).filter(|_| was_shown) {
            print(&summary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_progress_is_printed_once_while_nothing_changes() {
        let began = Instant::now();
        let (meter, said) = (Meter::new(began), String::new());
        let notices = Notices::new(false, true);
        let mut lines = PlainLines { notices, meter, has_summary: false, said, is_over: false };
        let mut news = |event: Option<&Event<'_>>, seconds| {
            let now = began + Duration::from_secs(seconds);
            event.inspect(|event| lines.meter.update(event, now));
            lines.news(now)
        };
        let importing = |what| Event::Importing { what, from: "r/app" };
        let first = news(Some(&importing("cache manifest")), 5);
        assert_eq!(first.as_deref(), Some("importing cache manifest from r/app"));
        assert_eq!((news(None, 10), news(None, 15)), (None, None));
        let second = news(Some(&importing("cache config")), 20);
        assert_eq!(second.as_deref(), Some("importing cache config from r/app"));
    }
}
