//! The answer as text: each step with its reason, and a summary at the end.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use cache_model::{count, grouped};
use cache_report::text::{cut, printable};

use super::{PredictedOutcome, Prediction};
use crate::cli::GlobalArgs;

const RED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const GREEN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const YELLOW: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// The most characters of an instruction in front of its reason.
const INSTRUCTION: usize = 80;

/// Writes the answer as text. With `-q` only the misses are written, with `-v` instructions are not cut.
pub(crate) fn write_lines(
    out: &mut dyn Write,
    prediction: &Prediction,
    global: &GlobalArgs,
) -> io::Result<()> {
    let is_shown = |outcome| !global.quiet || outcome == PredictedOutcome::Miss;
    for step in prediction.steps.iter().filter(|step| is_shown(step.outcome)) {
        let style = match step.outcome {
            PredictedOutcome::Hit => GREEN,
            PredictedOutcome::Miss => RED,
            PredictedOutcome::Unknown => YELLOW,
            PredictedOutcome::Always => DIM,
        };
        let place = if global.verbose { printable(&step.place()) } else { cut(&step.place(), INSTRUCTION) };
        writeln!(
            out,
            "{style}{:>7}{style:#}  {place}{DIM}: {}{DIM:#}",
            step.outcome.as_str(),
            printable(&step.reason)
        )?;
    }
    if global.quiet {
        return Ok(());
    }
    writeln!(out, "{BOLD}{}{BOLD:#}", summary(prediction))?;
    for hint in &prediction.hints {
        writeln!(out, "{DIM}hint:{DIM:#} {}", printable(hint))?;
    }
    Ok(())
}

/// As in `5 of 12 steps will hit, 4 miss, 3 are unknown`.
fn summary(prediction: &Prediction) -> String {
    let number = |outcome| prediction.count(outcome);
    let all = prediction.steps.len() - number(PredictedOutcome::Always);
    let (hits, misses) = (number(PredictedOutcome::Hit), number(PredictedOutcome::Miss));
    let unknown = match number(PredictedOutcome::Unknown) {
        0 => String::new(),
        1 => ", 1 is unknown".to_owned(),
        many => format!(", {} are unknown", grouped(many as u64)),
    };
    let steps = count(all as u64, "step");
    format!("{} of {steps} will hit, {} miss{unknown}", grouped(hits as u64), grouped(misses as u64))
}
