//! Many surveys under their names: as a table, and as JSON.
//!
//! The table is escaped and cut; JSON is exact and whole.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::time::SystemTime;

use cache_format::Form;
use cache_model::{count, grouped};
use serde_json::{Value, json};

use crate::text::{age, cut, padded, printable, short, size};
use crate::{Content, Survey};

/// The most characters of a name that are shown: the longest tag that a registry takes.
const LONGEST: usize = 128;
/// Stands in a cell without a value.
const NONE: &str = "-";
/// Stands between two columns.
const GAP: &str = "  ";
/// The least width of the columns that are narrowed where a line is too long: kinds, then names.
const NARROWED: [(usize, usize); 2] = [(1, 16), (0, 12)];

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
    /// The line below the rows: how many entries and caches there are, and the size of all, shared blobs counted once.
    pub total: String,
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
    /// Lays entries out; `now` tells their age. Where lines would be longer than `width` characters, media types are cut
    /// first, then names. The reasons of unreadable entries stay whole.
    pub fn of(entries: &[Entry], now: SystemTime, width: Option<usize>) -> Self {
        let head = ["NAME", "KIND", "SIZE", "AGE", "RECORDS", "DIGEST"].map(str::to_owned);
        let cells: Vec<_> =
            entries.iter().map(|entry| entry.found.as_ref().map(|found| cells(entry, found, now))).collect();
        let mut widths = head.each_ref().map(|cell| cell.chars().count());
        let mut widen = |row: &[String]| {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        };
        for (entry, cells) in entries.iter().zip(&cells) {
            match cells {
                Ok(row) => widen(row),
                Err(_) => widen(&[shown_name(entry)]),
            }
        }
        narrow(&mut widths, width);
        let line = |cells: &[String; 6]| {
            let cells = cells.iter().zip(widths).map(|(cell, width)| padded(&cut(cell, width), width));
            let line = cells.collect::<Vec<_>>().join(GAP).trim_end().to_owned();
            width.map_or(line.clone(), |width| cut(&line, width))
        };
        let [names, ..] = widths;
        let rows = entries.iter().zip(&cells).map(|(entry, cells)| match cells {
            Ok(cells) => Row::Found(line(cells)),
            Err(reason) => {
                let name = padded(&cut(&shown_name(entry), names), names);
                Row::Unreadable { name, reason: printable(reason) }
            }
        });
        Self { head: line(&head), rows: rows.collect(), total: total(entries) }
    }
}

/// Narrows columns until a line has at most `width` characters, if it can.
fn narrow(widths: &mut [usize; 6], width: Option<usize>) {
    let Some(width) = width else { return };
    for (column, least) in NARROWED {
        let line = widths.iter().sum::<usize>() + GAP.len() * (widths.len() - 1);
        let excess = line.saturating_sub(width);
        if let Some(narrowed) = widths.get_mut(column) {
            *narrowed = narrowed.saturating_sub(excess).max(least.min(*narrowed));
        }
    }
}

fn total(entries: &[Entry]) -> String {
    let found = || entries.iter().filter_map(|entry| entry.found.as_ref().ok());
    let caches = found().filter(|survey| survey.content().has_cache()).count() as u64;
    let sizes: HashMap<_, _> = found().flat_map(Survey::sizes).collect();
    let bytes = sizes.values().fold(0u64, |sum, bytes| sum.saturating_add(**bytes));
    let shared = if entries.len() > 1 { ", shared blobs counted once" } else { "" };
    let (names, caches) = (count(entries.len() as u64, "name"), count(caches, "cache"));
    format!("{names}, {caches}: {}{shared}", size(bytes))
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.head)?;
        self.rows.iter().try_for_each(|row| match row {
            Row::Found(line) => writeln!(f, "{line}"),
            Row::Unreadable { name, reason } => writeln!(f, "{name}{GAP}error: {reason}"),
        })?;
        writeln!(f, "{}", self.total)
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
        Content::ImageWithCache => ("image-with-cache", Some(Form::Inline.name()), None),
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
