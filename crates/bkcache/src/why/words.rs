//! The words for causes, files and places, on one line each.
//!
//! Text and SARIF share them.

use std::time::Duration;

use cache_explain::{
    Cause, CauseKind, Change, FileChange, FileChangeKind, FileFacts, FileType, FilesUnknown, Note, NoteKind,
    StepPlace,
};
use cache_model::{count, duration, grouped};

use crate::why::shown::ShownTexts;

/// The least time that is called lost.
const LEAST_LOSS: Duration = Duration::from_millis(100);

/// Where a step stands, as in `line 10, COPY src ./src`.
pub(crate) fn place(at: &StepPlace) -> String {
    let line = at.line.map(|line| format!("line {line}"));
    let parts: Vec<String> = line.into_iter().chain(at.instruction.clone()).collect();
    let place = match parts.as_slice() {
        [] => format!("step {}", at.step),
        parts => parts.join(", "),
    };
    match &at.platform {
        Some(platform) => format!("{platform}, {place}"),
        None => place,
    }
}

/// What is different, and what it costs, as in `src/view.js changed (19 -> 20 bytes); 6 steps follow`.
pub(crate) fn cause(cause: &Cause, shown: &ShownTexts) -> String {
    with_cost(difference(cause, shown), cause.follow, cause.may_follow, cause.lost)
}

/// A difference with the number of steps that follow, of those that may, and the time that was lost.
pub(crate) fn with_cost(
    difference: String,
    follow: usize,
    may_follow: usize,
    lost: Option<Duration>,
) -> String {
    let verb = |number: usize| if number == 1 { "follows" } else { "follow" };
    let steps = |number: usize| count(number as u64, "step");
    let follow = match (follow, may_follow) {
        (0, 0) => None,
        (0, may) => Some(format!("{} may follow", steps(may))),
        (follow, 0) => Some(format!("{} {}", steps(follow), verb(follow))),
        (follow, may) => {
            Some(format!("{} {}, {} more may", steps(follow), verb(follow), grouped(may as u64)))
        }
    };
    let lost = lost.filter(|lost| *lost >= LEAST_LOSS).map(|lost| format!("{} lost", duration(lost)));
    let cost: Vec<String> = follow.into_iter().chain(lost).collect();
    if cost.is_empty() { difference } else { format!("{difference}; {}", cost.join(", ")) }
}

/// What a remark says.
pub(crate) fn note(note: &Note) -> String {
    let files = match note.files.as_slice() {
        [] => String::new(),
        [file] => format!(" in {}", path(&file.path)),
        files => format!(" in {}", count(files.len() as u64, "file")),
    };
    match note.kind {
        NoteKind::NotReproducible => format!("not reproducible: two runs over equal files differ{files}"),
        kind => kind.to_string(),
    }
}

/// As in `5 of 12 steps cached, 7 ran`. `verb` says that the others ran, or will.
pub(crate) fn summary(cached: usize, ran: usize, unknown: usize, verb: &str) -> String {
    let all = cached + ran + unknown;
    if all == cached {
        return match all {
            0 => "no step to cache".to_owned(),
            1 => "the only step is cached".to_owned(),
            many => format!("all {} are cached", count(many as u64, "step")),
        };
    }
    let [cached, ran] = [cached, ran].map(|number| grouped(number as u64));
    let unknown = match unknown {
        0 => String::new(),
        many => format!(", {} unknown", grouped(many as u64)),
    };
    format!("{cached} of {} cached, {ran} {verb}{unknown}", count(all as u64, "step"))
}

/// A file that differs, as in `src/view.js changed (19 -> 20 bytes)`.
pub(crate) fn file(file: &FileChange) -> String {
    let change = match (file.change, file.old, file.new) {
        (FileChangeKind::Added, _, Some(new)) => format!("added ({})", entry(new)),
        (FileChangeKind::Removed, Some(old), _) => format!("removed ({})", entry(old)),
        (FileChangeKind::Type, Some(old), Some(new)) => {
            format!("is {} (was {})", type_name(new.kind), type_name(old.kind))
        }
        (FileChangeKind::Modified, Some(old), Some(new)) if new.kind == FileType::File => {
            match old.size == new.size {
                true => format!("changed ({}, as before)", count(new.size, "byte")),
                false => format!("changed ({} -> {})", grouped(old.size), count(new.size, "byte")),
            }
        }
        (FileChangeKind::Modified, _, Some(new)) if new.kind == FileType::Symlink => {
            "leads to another path".to_owned()
        }
        (FileChangeKind::Mode, Some(old), Some(new)) => {
            format!("has another mode ({:o} -> {:o})", old.mode, new.mode)
        }
        (FileChangeKind::Owner, Some(old), Some(new)) => {
            format!("has another owner ({}:{} -> {}:{})", old.uid, old.gid, new.uid, new.gid)
        }
        (FileChangeKind::Xattr, ..) => "has other extended attributes".to_owned(),
        _ => "changed".to_owned(),
    };
    format!("{} {change}", path(&file.path))
}

/// A changed field of a step's definition, as in `dest: /app/public -> /app/pub`.
pub(crate) fn field(change: &Change, shown: Option<[Option<&str>; 2]>) -> String {
    // Most steps have one action, so its number says nothing.
    let parts = ["Exec.meta.", "Exec.", "Actions[0]."];
    let name = parts.iter().find_map(|part| change.at.strip_prefix(part)).unwrap_or(&change.at);
    let text = |text: Option<&str>| text.map_or_else(|| "(none)".to_owned(), str::to_owned);
    match shown {
        Some([old, new]) => format!("{name}: {} -> {}", text(old), text(new)),
        None => format!("{name}: changed"),
    }
}

/// A path. Bytes that are not UTF-8 are replaced.
pub(crate) fn path(path: &[u8]) -> String {
    if path.is_empty() { "/".to_owned() } else { String::from_utf8_lossy(path).into_owned() }
}

fn difference(cause: &Cause, shown: &ShownTexts) -> String {
    match cause.kind {
        CauseKind::Content => content(cause),
        CauseKind::Inline => "the document in it changed".to_owned(),
        CauseKind::Base if !cause.is_certain => {
            "another base image, unless its layers are the same".to_owned()
        }
        CauseKind::Base => "another base image".to_owned(),
        CauseKind::Source if !cause.is_certain => "what it downloads may have changed".to_owned(),
        CauseKind::Source => "what it downloads changed".to_owned(),
        CauseKind::Platform => match changed_texts(cause, shown).as_slice() {
            [] => "built for another platform".to_owned(),
            texts => format!("built for another platform ({})", texts.join(", ")),
        },
        CauseKind::Command => "the command changed".to_owned(),
        CauseKind::Arg => variables(cause, shown, "build argument"),
        CauseKind::Env => variables(cause, shown, "ENV"),
        CauseKind::Mount => "its mounts changed".to_owned(),
        CauseKind::Instruction => "the instruction changed".to_owned(),
        CauseKind::NewStep => "the older build had no such step".to_owned(),
        CauseKind::Order => "it stands on another step than before".to_owned(),
        CauseKind::NoResult => "the cache knows it, but holds no result of it".to_owned(),
        CauseKind::Definition => "the older cache has no step of this definition".to_owned(),
        kind => kind.to_string(),
    }
}

fn content(cause: &Cause) -> String {
    match (cause.files.as_deref(), cause.files_unknown) {
        (Some([]), _) => {
            "modes, owners or attributes of its files changed, which the older layer does not keep".to_owned()
        }
        (Some([one]), _) => file(one),
        (Some(files), _) => format!("{} changed", count(files.len() as u64, "file")),
        (None, Some(FilesUnknown::OnlyMounted)) => {
            "the files that it mounts changed; no layer keeps the older ones".to_owned()
        }
        (None, Some(FilesUnknown::NoOldFiles)) => {
            "the files that it reads changed; the older ones are not known".to_owned()
        }
        (None, Some(FilesUnknown::NoNewFiles)) => {
            "the files that it reads changed; the newer ones are not known".to_owned()
        }
        (None, _) => "the files that it reads changed".to_owned(),
    }
}

/// The changed variables, as in `build argument MODE (line 7) changed`.
fn variables(cause: &Cause, shown: &ShownTexts, noun: &str) -> String {
    let name = |change: &Change| change.at.rsplit('.').next().unwrap_or_default().to_owned();
    let names: Vec<String> = cause.changes.iter().map(name).collect();
    let declared = cause.declared.map(|line| format!(" (line {line})")).unwrap_or_default();
    let values = |change: &Change| {
        let [old, new] = shown.texts(cause, change)?.map(|text| text.unwrap_or("(unset)"));
        Some(match cause.changes.len() {
            1 => format!("{old} -> {new}"),
            _ => format!("{}: {old} -> {new}", name(change)),
        })
    };
    let values: Vec<String> = cause.changes.iter().filter_map(values).collect();
    let changes = if values.is_empty() { String::new() } else { format!(": {}", values.join(", ")) };
    format!("{noun} {}{declared} changed{changes}", names.join(", "))
}

/// What the changed fields were and are, where that may be shown.
fn changed_texts(cause: &Cause, shown: &ShownTexts) -> Vec<String> {
    let text = |text: Option<&str>| text.unwrap_or("none").to_owned();
    let of = |change: &Change| {
        shown.texts(cause, change).map(|[old, new]| format!("{} -> {}", text(old), text(new)))
    };
    cause.changes.iter().filter_map(of).collect()
}

fn entry(facts: FileFacts) -> String {
    match facts.kind {
        FileType::File => count(facts.size, "byte"),
        kind => type_name(kind).to_owned(),
    }
}

fn type_name(kind: FileType) -> &'static str {
    match kind {
        FileType::File => "a file",
        FileType::Folder => "a folder",
        FileType::Symlink => "a symbolic link",
        _ => "a special file",
    }
}
