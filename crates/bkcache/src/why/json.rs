//! The answer as JSON.

use std::io::{self, Write};

use cache_explain::{
    Cause, Change, FileChange, FileChangeKind, FileType, FilesUnknown, StepOutcome, StepPlace,
};
use serde_json::{Map, Value, json};

use crate::why::{CacheName, Compared, WhyReport, words};

/// Writes the answer as one JSON object. Causes and steps are in the order of the build.
pub(crate) fn write_json(out: &mut dyn Write, report: &WhyReport<'_>) -> io::Result<()> {
    let explanation = report.explanation;
    let steps = explanation.steps.iter().map(|step| {
        let mut object = place(&step.at);
        let cached = match step.outcome {
            StepOutcome::Cached => Some(true),
            StepOutcome::Ran | StepOutcome::Always => Some(false),
            _ => None,
        };
        object.insert("cached".to_owned(), json!(cached));
        if step.outcome == StepOutcome::Always {
            object.insert("always".to_owned(), json!(true));
        }
        Value::Object(object)
    });
    let notes = explanation.notes.iter().map(|note| {
        let mut object = place(&note.at);
        object.insert("kind".to_owned(), json!(note.kind.as_str()));
        let file =
            |file: &FileChange| json!({"path": words::path(&file.path), "change": file.change.as_str()});
        object.insert("files".to_owned(), note.files.iter().map(file).collect());
        Value::Object(object)
    });
    let value = answer(
        &report.compared,
        [
            ("steps", steps.collect()),
            ("cached", json!(explanation.cached())),
            ("ran", json!(explanation.ran())),
            ("unknown", json!(explanation.count(StepOutcome::Unknown))),
            ("causes", explanation.causes.iter().map(|it| cause(it, report)).collect()),
            ("notes", notes.collect()),
        ],
    );
    serde_json::to_writer_pretty(&mut *out, &value)?;
    writeln!(out)
}

/// The members of an answer, between those that every answer has.
pub(crate) fn answer(compared: &Compared, members: [(&str, Value); 6]) -> Value {
    let caches = [("new", compared.new.as_ref().map(cache)), ("was", compared.was.as_ref().map(cache))];
    let caches = caches.into_iter().map(|(key, name)| (key, json!(name)));
    let members = caches.chain(members).chain([("hints", json!(compared.hints))]);
    members.map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>().into()
}

fn cache(name: &CacheName) -> Value {
    json!({"place": name.place, "manifest": name.manifest})
}

fn place(at: &StepPlace) -> Map<String, Value> {
    let mut object = Map::new();
    if let Some(platform) = &at.platform {
        object.insert("platform".to_owned(), json!(platform));
    }
    object.insert("step".to_owned(), json!(format!("step{}", at.step)));
    object.insert("line".to_owned(), json!(at.line));
    object.insert("instruction".to_owned(), json!(at.instruction));
    object
}

fn cause(cause: &Cause, report: &WhyReport<'_>) -> Value {
    let mut object = place(&cause.at);
    object.insert("kind".to_owned(), json!(cause.kind.as_str()));
    object.insert("follow".to_owned(), json!(cause.follow));
    if !cause.is_certain {
        object.insert("certain".to_owned(), json!(false));
    }
    if cause.may_follow > 0 {
        object.insert("may_follow".to_owned(), json!(cause.may_follow));
    }
    if cause.files.is_some() || cause.files_unknown.is_some() {
        let files = cause.files.as_ref().map(|files| files.iter().map(file).collect::<Vec<_>>());
        object.insert("files".to_owned(), json!(files));
    }
    if let Some(reason) = cause.files_unknown {
        object.insert("files_unknown".to_owned(), json!(files_unknown(reason)));
    }
    if !cause.changes.is_empty() {
        let changes = cause.changes.iter().map(|it| change(it, report.shown.texts(cause, it)));
        object.insert("changes".to_owned(), changes.collect());
    }
    if let Some(line) = cause.declared {
        object.insert("declared".to_owned(), json!(line));
    }
    if let Some(ignore) = &cause.ignore {
        object.insert("ignore".to_owned(), json!({"removed": ignore.removed, "added": ignore.added}));
    }
    if let Some(lost) = cause.lost {
        object.insert("lost_seconds".to_owned(), json!(lost.as_secs_f64()));
    }
    object.insert("message".to_owned(), json!(words::cause(cause, &report.shown)));
    Value::Object(object)
}

/// A changed field: its values, or that they are hidden.
fn change(change: &Change, shown: Option<[Option<&str>; 2]>) -> Value {
    match shown {
        Some([old, new]) => json!({"at": change.at, "old": old, "new": new}),
        None => json!({"at": change.at, "hidden": true}),
    }
}

/// A file that differs.
pub(crate) fn file(file: &FileChange) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("path", json!(words::path(&file.path)));
    put("change", json!(file.change.as_str()));
    let sides = [("old", file.old), ("new", file.new)];
    for (side, facts) in sides.into_iter().filter_map(|(side, facts)| Some((side, facts?))) {
        put(&format!("{side}_size"), json!(facts.size));
        match file.change {
            FileChangeKind::Mode => drop(put(&format!("{side}_mode"), json!(format!("{:o}", facts.mode)))),
            FileChangeKind::Owner => {
                put(&format!("{side}_owner"), json!(format!("{}:{}", facts.uid, facts.gid)));
            }
            FileChangeKind::Type => drop(put(&format!("{side}_type"), json!(facts.kind.as_str()))),
            FileChangeKind::Added | FileChangeKind::Removed if facts.kind != FileType::File => {
                put("type", json!(facts.kind.as_str()));
            }
            _ => {}
        }
    }
    Value::Object(object)
}

fn files_unknown(reason: FilesUnknown) -> &'static str {
    match reason {
        FilesUnknown::OnlyMounted => "only-mounted",
        FilesUnknown::NoOldFiles => "no-old-files",
        FilesUnknown::NoNewFiles => "no-new-files",
        _ => "unknown",
    }
}
