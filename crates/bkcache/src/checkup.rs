//! What `doctor` says of a cache: a mark, a sentence and a command for each point.
//!
//! It is made of the findings of `cache-verify` and of what the records say. Nothing is read here.

mod numbers;
mod point;
mod registries;

use std::io::{self, Write};

use anstyle::Style;
use cache_format::{BUILDKIT_IMPORT_LIMIT, Form};
use cache_model::{Timestamp, count};
use cache_report::text::{printable, size};
use cache_verify::Report;
use serde_json::{Value, json};

pub(crate) use numbers::Numbers;

use crate::cli::SourceArgs;
use point::{Mark, Point, Topic};

/// The points, in order.
pub(crate) struct Checkup {
    points: Vec<Point>,
}

impl Checkup {
    /// Judges a cache whose blobs were looked up. There are no numbers if its records cannot be read.
    pub(crate) fn of(
        report: &Report,
        numbers: Option<&Numbers>,
        source: &SourceArgs,
        now: Timestamp,
    ) -> Self {
        let point = |topic, fine| Point::of(topic, report, source, fine);
        let is_image = report.form == Some(Form::Inline);
        let has_blobs = report.blobs > 0;
        let points = [
            point(Topic::Form, form_text(report)),
            point(Topic::Config, numbers.map(|numbers| config_text(report, numbers))),
            point(Topic::Records, numbers.map(Numbers::records_text)),
            point(Topic::Blobs, has_blobs.then(|| format!("{}, none missing", count(report.blobs, "blob")))),
            point(Topic::Layers, has_blobs.then(|| layers_text(is_image))),
            point(Topic::History, is_image.then(|| "a step for each layer of the image".to_owned())),
            registries::point(report, numbers, source),
            numbers.and_then(|numbers| Some(Point::fine(Topic::Age, numbers.age_text(now)?))),
            numbers.map(|numbers| Point::fine(Topic::Size, numbers.size_text())),
        ];
        Self { points: points.into_iter().flatten().collect() }
    }

    /// Whether BuildKit imports the cache, and can use all of it.
    pub(crate) fn is_usable(&self) -> bool {
        self.points.iter().all(|point| point.mark != Mark::Error)
    }

    fn verdict(&self) -> &'static str {
        let wrong = || self.points.iter().filter(|point| point.mark == Mark::Error);
        let are_parts_usable = wrong().all(|point| matches!(point.topic, Topic::Blobs | Topic::Layers));
        match (wrong().count(), are_parts_usable) {
            (0, _) => "BuildKit will import it",
            (_, true) => {
                "BuildKit will import it, but steps that need what is missing or wrong will fail or run again"
            }
            (_, false) => "BuildKit will not import it",
        }
    }

    /// Writes a line for each point, and the command below; with `quiet` only those that are errors.
    pub(crate) fn write_lines(
        &self,
        out: &mut dyn Write,
        place: &str,
        report: &Report,
        quiet: bool,
    ) -> io::Result<()> {
        for point in self.points.iter().filter(|point| !quiet || point.mark == Mark::Error) {
            let style = Style::new().fg_color(Some(point.mark.colour().into())).bold();
            let (mark, topic) = (point.mark.name(), point.topic.name());
            writeln!(out, "{style}{mark:<8}{style:#} {topic:<10}  {}", printable(&point.text))?;
            if let Some(command) = &point.command {
                writeln!(out, "{:21}{}", "", printable(command))?;
            }
        }
        if quiet {
            return Ok(());
        }
        writeln!(out, "{}: {}: {}", printable(place), report.subject.digest, self.verdict())
    }

    pub(crate) fn json(&self, place: &str, report: &Report) -> Value {
        let points = self.points.iter().map(|point| {
            json!({
                "topic": point.topic.name(),
                "mark": point.mark.name(),
                "text": point.text,
                "kinds": point.kinds,
                "command": point.command,
            })
        });
        json!({
            "name": place,
            "manifest": report.subject.digest.to_string(),
            "form": report.form.map(Form::name),
            "usable": self.is_usable(),
            "points": points.collect::<Vec<_>>(),
        })
    }
}

fn form_text(report: &Report) -> Option<String> {
    Some(format!("{}, {}", report.form?.name(), count(report.caches, "cache")))
}

fn config_text(report: &Report, numbers: &Numbers) -> String {
    let config = size(numbers.config);
    match report.form {
        Some(Form::Inline) => format!("{config}, inside an image, where BuildKit has no limit"),
        _ => format!("{config}, of at most {} that BuildKit reads", size(BUILDKIT_IMPORT_LIMIT)),
    }
}

/// What BuildKit needs to use a layer. An image has the diff IDs in its config.
fn layers_text(is_image: bool) -> String {
    let diff_ids = if is_image { "diff IDs" } else { "annotations with diff IDs" };
    format!("media types and {diff_ids} as BuildKit needs them")
}
