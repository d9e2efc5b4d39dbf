//! Many surveys under their names: as a table, and as JSON.
//!
//! The table is escaped and cut; JSON is exact and whole.

use std::fmt::{self, Display, Formatter};
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::text::{age, cut, grouped, padded, printable, short, size};
use crate::{Content, Survey};

/// The most characters of a name that are shown: the longest tag that a registry takes.
const LONGEST: usize = 128;
/// Stands in a cell without a value.
const NONE: &str = "-";

/// A name and the manifest behind it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// The tag or digest; `None` for a manifest without a name.
    pub name: Option<String>,
    /// What it stands for, or why that could not be read.
    pub found: Result<Survey, String>,
}

impl Entry {
    /// An entry of a list.
    pub fn new(name: Option<String>, found: Result<Survey, String>) -> Self {
        Self { name, found }
    }
}

/// Entries in columns of even width.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Table {
    /// The line of headings.
    pub head: String,
    /// A row for each entry, in their order.
    pub rows: Vec<Row>,
}

/// A line of a [`Table`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// An entry that was read.
    Found(String),
    /// An entry that could not be read.
    Unreadable {
        /// Its name, as wide as the column of names.
        name: String,
        /// Why.
        reason: String,
    },
}

impl Table {
    /// Lays entries out; `now` tells their age.
    pub fn of(entries: &[Entry], now: SystemTime) -> Self {
        let head = ["NAME", "KIND", "SIZE", "AGE", "RECORDS", "DIGEST"].map(str::to_owned);
        let cells: Vec<_> =
            entries.iter().map(|entry| entry.found.as_ref().map(|found| cells(entry, found, now))).collect();
        let mut widths = head.each_ref().map(|cell| cell.chars().count());
        for row in cells.iter().flatten() {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |cells: &[String; 6]| {
            let cells = cells.iter().zip(widths).map(|(cell, width)| padded(cell, width));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let [names, ..] = widths;
        let rows = entries.iter().zip(&cells).map(|(entry, cells)| match cells {
            Ok(cells) => Row::Found(line(cells)),
            Err(reason) => {
                Row::Unreadable { name: padded(&shown_name(entry), names), reason: printable(reason) }
            }
        });
        Self { head: line(&head), rows: rows.collect() }
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.head)?;
        self.rows.iter().try_for_each(|row| match row {
            Row::Found(line) => writeln!(f, "{line}"),
            Row::Unreadable { name, reason } => writeln!(f, "{name}  error: {reason}"),
        })
    }
}

fn shown_name(entry: &Entry) -> String {
    entry.name.as_ref().map_or_else(|| NONE.to_owned(), |name| cut(name, LONGEST))
}

fn cells(entry: &Entry, survey: &Survey, now: SystemTime) -> [String; 6] {
    let content = survey.content();
    [
        shown_name(entry),
        content.to_string(),
        size(survey.size()),
        survey.newest().map_or_else(|| NONE.to_owned(), |newest| age(newest, now)),
        if content.has_cache() { grouped(survey.records() as u64) } else { NONE.to_owned() },
        short(&survey.descriptor().digest),
    ]
}

/// Entries as a JSON array of objects, indented.
pub fn entries_json(entries: &[Entry]) -> String {
    let list: Value = entries.iter().map(entry_json).collect();
    format!("{list:#}")
}

fn entry_json(entry: &Entry) -> Value {
    let survey = match &entry.found {
        Ok(survey) => survey,
        Err(reason) => return json!({"name": entry.name, "error": reason}),
    };
    let (kind, form, artifact) = match survey.content() {
        Content::Cache(form) => ("cache", Some(form.name()), None),
        Content::ImageWithCache => ("image-with-cache", None, None),
        Content::Image => ("image", None, None),
        Content::Other(media_type) => ("other", None, Some(media_type.as_str())),
    };
    json!({
        "name": entry.name,
        "kind": kind,
        "form": form,
        "artifact": artifact,
        "size": survey.size(),
        "records": survey.records(),
        "newest": survey.newest().map(|newest| newest.to_string()),
        "digest": survey.descriptor().digest.to_string(),
        "mediaType": survey.descriptor().media_type.as_str(),
    })
}
