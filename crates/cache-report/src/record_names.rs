//! What the records of a cache stand for in builds, as the views show it.
//!
//! Names are handed to it; it computes none.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};

use cache_model::RecordDigest;
use serde_json::{Map, Value, json};

/// The names of a cache's records, by the digest of the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordNames {
    names: HashMap<RecordDigest, Vec<RecordName>>,
}

/// What a record stands for in one build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordName {
    /// What it is.
    pub kind: RecordKind,
    /// The platform of the build, if it is one of several.
    pub platform: Option<String>,
    /// The line of the instruction, from 1.
    pub line: Option<usize>,
    /// The text of the instruction on one line.
    pub instruction: Option<String>,
    /// Whether the instruction only uses the step, which has none of its own.
    pub is_used_only: bool,
    /// Whether the record's digest was computed and is equal. Otherwise it is named by its place: nothing else can hang there.
    pub is_computed: bool,
}

/// What a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// An output of the instruction's step.
    Step {
        /// The position of the output, nearly always 0.
        output: usize,
    },
    /// The content that the instruction reads from an input.
    Content {
        /// The position of the input.
        input: usize,
        /// The paths that it reads.
        paths: Vec<String>,
    },
    /// What the instruction's image or download resolved to.
    Source {
        /// What of it the digest stands for, such as `manifest` or `layers`.
        identity: String,
    },
}

impl RecordNames {
    /// Adds a name of the records with this digest, unless they have it.
    pub fn add(&mut self, digest: &RecordDigest, name: RecordName) {
        let names = self.names.entry(digest.clone()).or_default();
        if !names.contains(&name) {
            names.push(name);
        }
    }

    /// The names of the records with this digest, in the order in which they were added.
    pub fn of(&self, digest: &RecordDigest) -> &[RecordName] {
        self.names.get(digest).map_or(&[], Vec::as_slice)
    }

    /// The first name of the records with this digest, and how many more there are, as in `line 2, WORKDIR /app (and 1 more)`.
    pub fn text(&self, digest: &RecordDigest) -> Option<String> {
        let (first, others) = self.of(digest).split_first()?;
        Some(match others.len() {
            0 => first.to_string(),
            more => format!("{first} (and {more} more)"),
        })
    }

    /// The names of the records with this digest, as JSON.
    pub(crate) fn json(&self, digest: &RecordDigest) -> Vec<Value> {
        self.of(digest).iter().map(RecordName::json).collect()
    }
}

impl RecordName {
    fn json(&self) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
        match &self.kind {
            RecordKind::Step { output } => {
                put("kind", json!("step"));
                put("output", json!(output));
            }
            RecordKind::Content { input, paths } => {
                put("kind", json!("content"));
                put("input", json!(input));
                put("paths", json!(paths));
            }
            RecordKind::Source { identity } => {
                put("kind", json!("source"));
                put("identity", json!(identity));
            }
        }
        if let Some(platform) = &self.platform {
            put("platform", json!(platform));
        }
        let instruction = json!({"line": self.line, "instruction": self.instruction});
        match self.is_used_only {
            true => drop(put("usedBy", instruction)),
            false => {
                put("line", json!(self.line));
                put("instruction", json!(self.instruction));
            }
        }
        put("found", json!(if self.is_computed { "computed" } else { "by-place" }));
        Value::Object(object)
    }
}

impl Display for RecordName {
    /// One line, as in `line 10, COPY src ./src` and `/src of line 10, COPY src ./src`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            RecordKind::Step { output: 0 } if self.is_used_only => write!(f, "an input of ")?,
            RecordKind::Step { output: 0 } => {}
            RecordKind::Step { output } => write!(f, "output {output} of ")?,
            RecordKind::Content { paths, .. } => write!(f, "{} of ", paths.join(", "))?,
            RecordKind::Source { identity } => write!(f, "{identity} of ")?,
        }
        if let Some(platform) = &self.platform {
            write!(f, "{platform}, ")?;
        }
        match (self.line, &self.instruction) {
            (Some(line), Some(instruction)) => write!(f, "line {line}, {instruction}")?,
            (Some(line), None) => write!(f, "line {line}")?,
            (None, Some(instruction)) => write!(f, "{instruction}")?,
            (None, None) => write!(f, "an internal step")?,
        }
        if self.is_computed { Ok(()) } else { write!(f, " (by place)") }
    }
}
