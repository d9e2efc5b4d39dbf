//! The answer as text: the most expensive cause first, each on one line with its details below, and a summary at the end.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use cache_explain::{Cause, CauseKind, Explanation, StepOutcome};
use cache_report::text::{cut, printable};

use crate::cli::GlobalArgs;
use crate::output::first_lines;
use crate::why::{WhyReport, by_cost, words};

const RED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const GREEN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// The most characters of an instruction in front of a cause.
const INSTRUCTION: usize = 80;

/// Writes the answer as text. With `-q` only the causes are written, with `-v` the steps and all files, too.
pub(crate) fn write_lines(
    out: &mut dyn Write,
    report: &WhyReport<'_>,
    global: &GlobalArgs,
) -> io::Result<()> {
    for cause in by_cost(report.explanation) {
        write_cause(out, cause, report, global)?;
    }
    if global.quiet {
        return Ok(());
    }
    for note in &report.explanation.notes {
        let place = cut(&words::place(&note.at), INSTRUCTION);
        writeln!(out, "{DIM}note:{DIM:#} {place}: {}", printable(&words::note(note)))?;
    }
    let (of_step, of_all) = if report.compared.new.is_some() { ("ran", "ran") } else { ("runs", "to run") };
    if global.verbose {
        write_steps(out, report.explanation, of_step)?;
    }
    let explanation = report.explanation;
    let unknown = explanation.count(StepOutcome::Unknown);
    let summary = words::summary(explanation.cached(), explanation.ran(), unknown, of_all);
    writeln!(out, "{BOLD}{summary}{BOLD:#}")?;
    for hint in &report.compared.hints {
        writeln!(out, "{DIM}hint:{DIM:#} {}", printable(hint))?;
    }
    Ok(())
}

fn write_cause(
    out: &mut dyn Write,
    cause: &Cause,
    report: &WhyReport<'_>,
    global: &GlobalArgs,
) -> io::Result<()> {
    let place = match global.verbose {
        true => printable(&words::place(&cause.at)),
        false => cut(&words::place(&cause.at), INSTRUCTION),
    };
    writeln!(out, "{BOLD}{place}:{BOLD:#} {}", printable(&words::cause(cause, &report.shown)))?;
    let files = cause.files.as_deref().filter(|files| files.len() > 1).unwrap_or_default();
    for line in first_lines(files, "file", global, |file| format!("  {}", printable(&words::file(file)))) {
        writeln!(out, "{line}")?;
    }
    if let Some(ignore) = &cause.ignore {
        for (verb, patterns) in [("no longer ignored", &ignore.removed), ("now ignored", &ignore.added)] {
            for pattern in patterns {
                writeln!(out, "  {verb}: {}", printable(pattern))?;
            }
        }
    }
    match cause.kind {
        CauseKind::Arg | CauseKind::Env | CauseKind::Platform => Ok(()),
        _ => write_changes(out, cause, report),
    }
}

/// The changed fields of a definition; a command as the lines that went and came.
fn write_changes(out: &mut dyn Write, cause: &Cause, report: &WhyReport<'_>) -> io::Result<()> {
    for change in &cause.changes {
        let shown = report.shown.texts(cause, change);
        match shown {
            Some([old, new]) if cause.kind == CauseKind::Command => {
                for (style, sign, text) in [(RED, '-', old), (GREEN, '+', new)] {
                    for line in text.unwrap_or_default().lines() {
                        writeln!(out, "  {style}{sign} {}{style:#}", printable(line))?;
                    }
                }
            }
            shown => writeln!(out, "  {}", printable(&words::field(change, shown)))?,
        }
    }
    Ok(())
}

/// Writes a line for each step; `ran` says that one ran, or will.
fn write_steps(out: &mut dyn Write, explanation: &Explanation, ran: &str) -> io::Result<()> {
    for step in &explanation.steps {
        let outcome = match step.outcome {
            StepOutcome::Cached => "cached",
            StepOutcome::Ran => ran,
            StepOutcome::Always => "always",
            _ => "unknown",
        };
        writeln!(out, "{DIM}{outcome:>7}{DIM:#}  {}", printable(&words::place(&step.at)))?;
    }
    Ok(())
}
