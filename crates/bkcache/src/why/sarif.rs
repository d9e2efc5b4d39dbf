//! The answer as SARIF 2.1.0 (OASIS), which code reviews show at the lines of the Dockerfile.
//!
//! A cause is a result of the level `note`, as a changed file is no mistake. A step whose runs differ is a `warning`.

use std::io::{self, Write};

use cache_explain::{CauseKind, NoteKind, StepPlace};
use cache_model::Digest;
use serde_json::{Value, json};

use crate::why::{SourceFiles, WhyReport, by_cost, words};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// The kinds of causes, each a rule with its description.
const CAUSES: [(CauseKind, &str); 14] = [
    (CauseKind::Content, "Files that a step reads changed"),
    (CauseKind::Inline, "A document in the Dockerfile changed"),
    (CauseKind::Base, "The base image changed"),
    (CauseKind::Source, "A download changed"),
    (CauseKind::Platform, "The platform changed"),
    (CauseKind::Command, "The command of a RUN changed"),
    (CauseKind::Arg, "A build argument changed"),
    (CauseKind::Env, "An environment variable changed"),
    (CauseKind::Mount, "The mounts of a RUN changed"),
    (CauseKind::Instruction, "An instruction changed"),
    (CauseKind::NewStep, "A step is new"),
    (CauseKind::Order, "A step stands on another step"),
    (CauseKind::NoResult, "The cache holds no result of a step"),
    (CauseKind::Definition, "A step is defined in another way"),
];
/// The kinds of notes, likewise.
const NOTES: [(NoteKind, &str); 1] = [(NoteKind::NotReproducible, "Runs of a step make different files")];

/// One result, before it gets its place.
struct ReviewComment<'a> {
    rule: &'static str,
    level: &'static str,
    at: &'a StepPlace,
    text: String,
}

/// Writes the answer as a SARIF log with one run. The causes come first, the most expensive one at the top.
pub(crate) fn write_sarif(
    out: &mut dyn Write,
    report: &WhyReport<'_>,
    files: &SourceFiles,
) -> io::Result<()> {
    let causes = CAUSES.iter().map(|(kind, text)| rule(kind.as_str(), text));
    let rules: Vec<Value> =
        causes.chain(NOTES.iter().map(|(kind, text)| rule(kind.as_str(), text))).collect();
    let causes = by_cost(report.explanation).into_iter().map(|cause| ReviewComment {
        rule: cause.kind.as_str(),
        level: "note",
        at: &cause.at,
        text: words::cause(cause, &report.shown),
    });
    let notes = report.explanation.notes.iter().map(|note| ReviewComment {
        rule: note.kind.as_str(),
        level: "warning",
        at: &note.at,
        text: words::note(note),
    });
    let value = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": env!("CARGO_PKG_NAME"),
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": causes.chain(notes).map(|comment| comment.result(files)).collect::<Vec<_>>(),
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &value)?;
    writeln!(out)
}

impl ReviewComment<'_> {
    fn result(&self, files: &SourceFiles) -> Value {
        let place = words::place(self.at);
        // A review recognises the comment by it, also when the lines move.
        let parts = [&self.at.platform, &self.at.instruction].map(|part| part.as_deref().unwrap_or_default());
        let identity = Digest::of(format!("{}\n{}", self.rule, parts.join("\n")).as_bytes());
        json!({
            "ruleId": self.rule,
            "level": self.level,
            "message": {"text": format!("{place}: {}", self.text)},
            "locations": location(self.at, files).into_iter().collect::<Vec<_>>(),
            "partialFingerprints": {"cause/v1": identity.hex()},
        })
    }
}

fn rule(id: &str, text: &str) -> Value {
    json!({"id": id, "shortDescription": {"text": text}})
}

/// The line of the source file; `None` for a step that no file has.
fn location(at: &StepPlace, files: &SourceFiles) -> Option<Value> {
    let uri = files.of_step(at)?;
    let mut physical = json!({"artifactLocation": {"uri": encoded(uri), "uriBaseId": "%SRCROOT%"}});
    if let (Some(line), Some(members)) = (at.line, physical.as_object_mut()) {
        members.insert("region".to_owned(), json!({"startLine": line}));
    }
    Some(json!({"physicalLocation": physical}))
}

/// A path as a relative URI reference (RFC 3986).
fn encoded(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let text = |byte: u8| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    path.bytes().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_relative_uri() {
        assert_eq!(encoded("docker/Dockerfile.dev"), "docker/Dockerfile.dev");
        assert_eq!(encoded("a b/100%:é"), "a%20b/100%25%3A%C3%A9");
    }
}
