//! Content checks as text and as JSON.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use cache_explain::{ContentCheck, ContentFlaw, ContentVerdict, FlawKind};
use cache_model::{Digest, count};
use cache_report::text::printable;
use serde_json::{Value, json};

use crate::cli::GlobalArgs;
use crate::content::BuildChecks;
use crate::output::first_lines;

/// A line for each thing that is wrong, one for each step that cannot be judged, and what was checked.
pub(crate) fn write_content(
    out: &mut dyn Write,
    builds: &[BuildChecks],
    global: &GlobalArgs,
) -> std::io::Result<()> {
    for build in builds {
        for check in &build.checks.checks {
            let step = step_text(check, build);
            match &check.verdict {
                ContentVerdict::Mismatch { flaws } => {
                    let line =
                        |flaw: &ContentFlaw| format!("{step}: {}", flaw_text(flaw, check.layer.as_ref()));
                    let style = bold(AnsiColor::Red);
                    for text in first_lines(flaws, "flaw", global, line) {
                        writeln!(out, "{style}error{style:#}: {}", printable(&text))?;
                    }
                }
                ContentVerdict::CannotTell { reason } if !global.quiet => {
                    let style = bold(AnsiColor::Cyan);
                    let text = format!("{step}: its content cannot be told: {reason}");
                    writeln!(out, "{style}note{style:#}: {}", printable(&text))?;
                }
                _ => {}
            }
        }
        if !global.quiet {
            writeln!(out, "{}", summary(build))?;
        }
    }
    Ok(())
}

/// The findings, in the form of those of the other checks.
pub(crate) fn findings_json(builds: &[BuildChecks]) -> Vec<Value> {
    let mut findings = Vec::new();
    for build in builds {
        for check in &build.checks.checks {
            let ContentVerdict::Mismatch { flaws } = &check.verdict else { continue };
            findings.extend(flaws.iter().map(|flaw| {
                json!({
                    "severity": "error",
                    "kind": finding_kind(flaw),
                    "message": format!("{}: {}", step_text(check, build), flaw_text(flaw, check.layer.as_ref())),
                    "digest": check.layer.map(|layer| layer.to_string()),
                    "image": Value::Null,
                    "layers": [],
                    "records": [],
                    "line": check.line,
                    "path": path_text(flaw),
                })
            }));
        }
    }
    findings
}

/// The kinds of the findings, as `findings_json` names them.
pub(crate) fn finding_kinds(builds: &[BuildChecks]) -> Vec<String> {
    let mut kinds = Vec::new();
    for check in builds.iter().flat_map(|build| &build.checks.checks) {
        if let ContentVerdict::Mismatch { flaws } = &check.verdict {
            kinds.extend(flaws.iter().map(finding_kind));
        }
    }
    kinds
}

fn finding_kind(flaw: &ContentFlaw) -> String {
    format!("content-{}", flaw.kind.name())
}

/// The verdict on each step.
pub(crate) fn content_json(builds: &[BuildChecks]) -> Value {
    let build = |build: &BuildChecks| {
        let steps: Vec<Value> = build.checks.checks.iter().map(check_json).collect();
        json!({
            "platform": build.platform,
            "steps": steps,
            "commands": build.checks.commands,
            "unnamed": build.checks.unnamed,
        })
    };
    builds.iter().map(build).collect()
}

fn check_json(check: &ContentCheck) -> Value {
    let (reason, flaws): (Option<&String>, &[ContentFlaw]) = match &check.verdict {
        ContentVerdict::CannotTell { reason } => (Some(reason), &[]),
        ContentVerdict::Mismatch { flaws } => (None, flaws),
        _ => (None, &[]),
    };
    let flaws: Vec<Value> =
        flaws.iter().map(|flaw| json!({ "path": path_text(flaw), "kind": flaw.kind.name() })).collect();
    json!({
        "step": check.step,
        "line": check.line,
        "instruction": check.instruction,
        "verdict": check.verdict.name(),
        "reason": reason,
        "layer": check.layer.map(|layer| layer.to_string()),
        "flaws": flaws,
    })
}

fn summary(build: &BuildChecks) -> String {
    let counted = |verdict, words: &str| {
        let count = build.count(verdict);
        (count > 0).then(|| format!("{count} {words}"))
    };
    let verdicts = [
        counted("sound", "as their keys say"),
        counted("mismatch", "wrong"),
        counted("unknown", "that cannot be told"),
    ];
    let verdicts: Vec<String> = verdicts.into_iter().flatten().collect();
    let verdicts = if verdicts.is_empty() { "none to check".to_owned() } else { verdicts.join(", ") };
    let platform = build.platform.as_ref().map(|platform| format!(" for {platform}")).unwrap_or_default();
    let mut text = format!("content{platform}: steps that only change files: {verdicts}");
    if build.checks.commands > 0 {
        let commands = count(build.checks.commands as u64, "command");
        text.push_str(&format!("; layers of {commands} cannot be checked"));
    }
    // With several builds, they may be of another one.
    if build.checks.unnamed > 0 && build.platform.is_none() {
        let unnamed = count(build.checks.unnamed as u64, "record");
        text.push_str(&format!("; {unnamed} with layers are not of this build"));
    }
    text
}

fn step_text(check: &ContentCheck, build: &BuildChecks) -> String {
    let platform = build.platform.as_ref().map(|platform| format!("{platform}, ")).unwrap_or_default();
    match check.line {
        Some(line) => format!("{platform}line {line}, {}", check.instruction),
        None => format!("{platform}step {}", check.step),
    }
}

fn flaw_text(flaw: &ContentFlaw, layer: Option<&Digest>) -> String {
    let path = path_text(flaw);
    let layer = layer.map(|layer| format!("the layer {layer}")).unwrap_or_else(|| "its result".to_owned());
    let what = match flaw.kind {
        FlawKind::Planted => format!("{layer} has or hides {path}, which the step does not write"),
        FlawKind::Missing => format!("{layer} lacks {path}, which the step leaves"),
        FlawKind::Changed => format!("in {layer}, {path} has other content than the key names"),
        FlawKind::Mode => format!("in {layer}, {path} has other permissions than the step gives it"),
        FlawKind::Owner => format!("in {layer}, {path} has another owner than the step gives it"),
        FlawKind::Capabilities => {
            format!("in {layer}, {path} has other capabilities than the step gives it")
        }
        FlawKind::Layers => format!("{layer} stands on other layers than those of its input"),
        FlawKind::Unreadable => format!("{layer} is no layer that BuildKit writes, and cannot be read"),
        _ => format!("in {layer}, {path} is not as the step leaves it"),
    };
    format!("{what}; do not build from this cache")
}

fn path_text(flaw: &ContentFlaw) -> String {
    match flaw.path.as_slice() {
        b"" => "/".to_owned(),
        path => String::from_utf8_lossy(path).into_owned(),
    }
}

fn bold(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(colour.into())).bold()
}
