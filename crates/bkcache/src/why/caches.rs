//! The answer from two caches alone, as text and as JSON. Records stand in the place of instructions.

use std::io::{self, Write};

use anstyle::Style;
use cache_explain::{CachesExplanation, CauseKind, RecordCause, RecordCauseKind};
use cache_model::{ANNOTATION_DESCRIPTION, Graph, count};
use cache_report::text::{cut, printable, shorten};
use serde_json::{Map, Value, json};

use crate::cli::GlobalArgs;
use crate::output::first_lines;
use crate::why::{Compared, json, words};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
/// What a content cause says. Only layers tell more, and they hold what the step made of the content.
const CONTENT: &str = "the content that it reads changed";
/// The most characters of what a cache says of a step.
const DESCRIPTION: usize = 60;

/// An answer from two caches alone.
pub(crate) struct CachesReport<'a> {
    pub(crate) explanation: &'a CachesExplanation,
    /// The records of the newer cache.
    pub(crate) new: &'a Graph<'a>,
    pub(crate) compared: Compared,
}

impl CachesReport<'_> {
    /// Writes the answer as text, the most expensive cause first.
    pub(crate) fn write_lines(&self, out: &mut dyn Write, global: &GlobalArgs) -> io::Result<()> {
        let mut causes: Vec<&RecordCause> = self.explanation.causes.iter().collect();
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.follow));
        for cause in causes {
            let place = printable(&self.place(cause));
            writeln!(out, "{BOLD}{place}:{BOLD:#} {}", printable(&message(cause)))?;
            let files = cause.files.as_deref().filter(|files| files.len() > 1).unwrap_or_default();
            for line in
                first_lines(files, "file", global, |file| format!("  {}", printable(&words::file(file))))
            {
                writeln!(out, "{line}")?;
            }
        }
        if global.quiet {
            return Ok(());
        }
        let CachesExplanation { cached, ran, .. } = *self.explanation;
        writeln!(out, "{BOLD}{}{BOLD:#}", words::summary(cached, ran, 0, "ran"))?;
        let hints = self.compared.hints.iter();
        hints.map(|hint| printable(hint)).try_for_each(|hint| writeln!(out, "{DIM}hint:{DIM:#} {hint}"))
    }

    /// Writes the answer as one JSON object, with the members of an answer that knows the builds.
    pub(crate) fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let explanation = self.explanation;
        let value = json::answer(
            &self.compared,
            [
                ("steps", json!([])),
                ("cached", json!(explanation.cached)),
                ("ran", json!(explanation.ran)),
                ("unknown", json!(0)),
                ("causes", explanation.causes.iter().map(|cause| self.cause(cause)).collect()),
                ("notes", json!([])),
            ],
        );
        serde_json::to_writer_pretty(&mut *out, &value)?;
        writeln!(out)
    }

    fn cause(&self, cause: &RecordCause) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
        put("kind", json!(kind_name(cause.kind)));
        put("record", json!(cause.record));
        put("digest", json!(self.new.at(cause.record).map(|record| record.digest().to_string())));
        put("line", Value::Null);
        put("instruction", Value::Null);
        put("follow", json!(cause.follow));
        if cause.kind == RecordCauseKind::Content {
            let files = cause.files.as_ref().map(|files| files.iter().map(json::file).collect::<Vec<_>>());
            put("files", json!(files));
        }
        put("message", json!(message(cause)));
        Value::Object(object)
    }

    /// The record by its digest, with what the cache says of its step.
    fn place(&self, cause: &RecordCause) -> String {
        let Some(record) = self.new.at(cause.record) else { return "a record".to_owned() };
        let top = record.newest_result().and_then(|result| result.top());
        let description = top.and_then(|top| top.descriptor().annotations.get(ANNOTATION_DESCRIPTION));
        let description = description.map(|text| format!(", {}", cut(text, DESCRIPTION)));
        format!("record {}{}", shorten(&record.digest().to_string()), description.unwrap_or_default())
    }
}

/// The name that causes of this kind have where the builds are known.
fn kind_name(kind: RecordCauseKind) -> &'static str {
    let kind = match kind {
        RecordCauseKind::Content => CauseKind::Content,
        RecordCauseKind::Base => CauseKind::Base,
        RecordCauseKind::Order => CauseKind::Order,
        RecordCauseKind::NoResult => CauseKind::NoResult,
        _ => CauseKind::Definition,
    };
    kind.as_str()
}

/// What is different, and what it costs.
fn message(cause: &RecordCause) -> String {
    let difference = match (cause.kind, cause.files.as_deref()) {
        (RecordCauseKind::Content, Some([one])) => format!("{CONTENT}; in its layer, {}", words::file(one)),
        (RecordCauseKind::Content, Some(files)) if !files.is_empty() => {
            format!("{CONTENT}; in its layer, {} changed", count(files.len() as u64, "file"))
        }
        (RecordCauseKind::Content, _) => CONTENT.to_owned(),
        (RecordCauseKind::Base, _) => "another base image or download".to_owned(),
        (RecordCauseKind::Order, _) => "it stands on another step than before".to_owned(),
        (RecordCauseKind::NoResult, _) => "the older cache knows it, but holds no result of it".to_owned(),
        _ => "the older cache has no step of this definition".to_owned(),
    };
    words::with_cost(difference, cause.follow, 0, None)
}
