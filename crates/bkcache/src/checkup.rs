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
        use Topic::{Blobs, Config, History, Layers, Records};
        let form = report.form.map_or("images with caches inside", Form::name);
        let of_numbers = |text: &dyn Fn(&Numbers) -> String| numbers.map(text);
        let mut points = vec![
            Point::of(Topic::Form, report, source, || {
                Some(format!("{form}, {}", count(report.caches, "cache")))
            }),
            Point::of(Config, report, source, || of_numbers(&|numbers| config_text(report, numbers))),
            Point::of(Records, report, source, || {
                of_numbers(&|numbers| {
                    let Numbers { records, results, .. } = *numbers;
                    format!("{}, {}", count(records as u64, "record"), count(results as u64, "result"))
                })
            }),
            Point::of(Blobs, report, source, || {
                (report.blobs > 0).then(|| format!("{}, none missing", count(report.blobs, "blob")))
            }),
            Point::of(Layers, report, source, || {
                Some("media types and diff IDs as BuildKit needs them".to_owned())
            }),
        ];
        if matches!(report.form, None | Some(Form::Inline)) {
            points.push(Point::of(History, report, source, || {
                Some("a step for each layer of the image".to_owned())
            }));
        }
        points.push(registries::point(report, numbers, source));
        points.extend(numbers.into_iter().flat_map(|numbers| numbers.points(now)));
        points.retain(|point| !point.text.is_empty());
        Self { points }
    }

    /// Whether BuildKit imports the cache, and can use all of it.
    pub(crate) fn is_usable(&self) -> bool {
        self.points.iter().all(|point| point.mark != Mark::Error)
    }

    fn verdict(&self) -> &'static str {
        let mut wrong = self.points.iter().filter(|point| point.mark == Mark::Error);
        match wrong.clone().next() {
            None => "BuildKit will import it",
            Some(_) if wrong.all(|point| matches!(point.topic, Topic::Blobs | Topic::Layers)) => {
                "BuildKit will import it, but builds that need what is missing or wrong will fail"
            }
            Some(_) => "BuildKit will not import it",
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

fn config_text(report: &Report, numbers: &Numbers) -> String {
    let config = size(numbers.config);
    match report.form {
        Some(Form::Inline) | None => format!("{config}, inside an image, where BuildKit has no limit"),
        _ => format!("{config}, of at most {} that BuildKit reads", size(BUILDKIT_IMPORT_LIMIT)),
    }
}
