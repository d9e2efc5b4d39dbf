//! The text of a label: a JSON value in each line.
//!
//! An object names a build, a record, a folder or a layer. The arrays after a folder or layer are its entries.

use std::collections::{BTreeMap, HashMap};

use cache_explain::{Build, Dictionary, Instructions, Meaning, Name, NameSource, SourceIdentity};
use cache_keys::{LayerLimits, LayerTree, Tree};
use cache_model::{Digest, OneLine};
use serde_json::{Value, json};

use crate::label::build_text::{build_text, read_build};
use crate::label::files::{add_to_layer, add_to_tree, entry_line, layer_lines};
use crate::record::RecordError;

/// The most entries of a layer, with the folders above them, and the most bytes of their names. A label has the layers of
/// copies.
const LIMITS: LayerLimits = LayerLimits { entries: 1 << 20, name_bytes: 64 << 20 };

/// What explains a cache: with it, neither the record of its build nor its layers are needed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Label {
    /// The builds that made the cache, with digests in the place of values.
    pub builds: Vec<Build>,
    /// The folders of the builds, by name, as they were sent.
    pub contexts: BTreeMap<String, Tree>,
    /// The layers of copies, by the digests of their blobs.
    pub layers: HashMap<Digest, LayerTree>,
}

/// A line of a label that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the label cannot be read: {reason}")]
#[non_exhaustive]
pub struct LabelError {
    /// The number of the line, from 1.
    pub line: usize,
    reason: String,
}

/// The folder or layer to which the next entries belong.
enum Open {
    Nothing,
    Context(String),
    Layer(Digest),
}

impl Label {
    /// A label for builds, whose values are replaced by digests.
    pub fn new(builds: &[Build]) -> Self {
        Self { builds: builds.iter().map(Build::without_values).collect(), ..Self::default() }
    }

    /// The text, with the names of the cache's records. It is the same for the same cache, builds and files.
    pub fn text(&self, names: &Dictionary) -> Vec<u8> {
        let mut lines: Vec<Value> =
            self.builds.iter().map(|build| json!({"build": build_text(build)})).collect();
        lines.extend(self.record_lines(names));
        for (name, tree) in &self.contexts {
            lines.push(json!({"context": name}));
            lines.extend(tree.iter().map(|(path, entry)| entry_line(&path, entry)));
        }
        let mut layers: Vec<_> = self.layers.iter().collect();
        layers.sort_unstable_by_key(|(digest, _)| **digest);
        for (digest, layer) in layers {
            lines.push(json!({"layer": digest.to_string()}));
            lines.extend(layer_lines(layer));
        }
        let mut text = String::new();
        for line in lines {
            text.push_str(&line.to_string());
            text.push('\n');
        }
        text.into_bytes()
    }

    /// Reads a text. Objects of other kinds are passed over, as a newer version may write them.
    ///
    /// # Errors
    /// [`LabelError`] for a line that is no JSON, or not what its kind has to be.
    pub fn read(text: &[u8]) -> Result<Self, LabelError> {
        let mut label = Self::default();
        let mut open = Open::Nothing;
        let lines = text.split(|byte| *byte == b'\n').enumerate();
        for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
            let failed =
                |reason: String| LabelError { line: number + 1, reason: OneLine(reason).to_string() };
            let value: Value = serde_json::from_slice(line).map_err(|error| failed(error.to_string()))?;
            match &value {
                Value::Array(items) => {
                    label.add(&open, items).ok_or_else(|| failed("it is no entry of a tree".to_owned()))?;
                }
                value => open = label.open(value).map_err(|error| failed(error.to_string()))?,
            }
        }
        Ok(label)
    }

    /// Begins what an object names.
    fn open(&mut self, value: &Value) -> Result<Open, RecordError> {
        if let Some(build) = value.get("build") {
            self.builds.push(read_build(build)?);
        } else if let Some(name) = value.get("context").and_then(Value::as_str) {
            self.contexts.insert(name.to_owned(), Tree::sent());
            return Ok(Open::Context(name.to_owned()));
        } else if let Some(digest) = value.get("layer").and_then(Value::as_str) {
            let digest = digest.parse::<Digest>().map_err(|error| RecordError::damaged(error.to_string()))?;
            self.layers.insert(digest, LayerTree::new(LIMITS));
            return Ok(Open::Layer(digest));
        }
        Ok(Open::Nothing)
    }

    fn add(&mut self, open: &Open, line: &[Value]) -> Option<()> {
        match open {
            // The entries of something that only a newer version knows.
            Open::Nothing => Some(()),
            Open::Context(name) => add_to_tree(self.contexts.get_mut(name)?, line),
            Open::Layer(digest) => add_to_layer(self.layers.get_mut(digest)?, line),
        }
    }

    /// A line for each record that has names, with the line and the keyword of each step.
    fn record_lines(&self, names: &Dictionary) -> Vec<Value> {
        let instructions: Vec<Instructions> = self.builds.iter().map(Instructions::of).collect();
        let mut digests: Vec<_> = names.digests().collect();
        digests.sort_unstable_by_key(|digest| digest.to_string());
        let line = |digest: &cache_model::RecordDigest| {
            let names: Vec<Value> =
                names.names(digest).iter().map(|name| name_text(name, &instructions)).collect();
            json!({"record": digest.to_string(), "names": names})
        };
        digests.into_iter().map(line).collect()
    }
}

fn name_text(name: &Name, instructions: &[Instructions]) -> Value {
    let (step, what) = match &name.meaning {
        Meaning::Step { step, output } => (*step, json!({"output": output})),
        Meaning::Content { step, input, paths } => (*step, json!({"input": input, "paths": paths})),
        Meaning::Source { step, identity } => (*step, json!({"source": identity_text(identity)})),
        _ => return json!({}),
    };
    let instructions = instructions.get(name.build);
    let mut text = json!({
        "build": name.build,
        "step": step,
        "line": instructions.and_then(|instructions| instructions.line(step)),
        "keyword": instructions.and_then(|instructions| instructions.keyword(step)),
        "found": if name.found == NameSource::Computed { "computed" } else { "by place" },
    });
    if let (Some(text), Value::Object(what)) = (text.as_object_mut(), what) {
        text.extend(what);
        text.retain(|_, value| !value.is_null());
    }
    text
}

fn identity_text(identity: &SourceIdentity) -> Value {
    match identity {
        SourceIdentity::Manifest(digest) => json!({"manifest": digest.to_string()}),
        SourceIdentity::Layers(count) => json!({"layers": count}),
        SourceIdentity::Commit(commit) => json!({"commit": commit}),
        SourceIdentity::File(digest) => json!({"file": digest.to_string()}),
        _ => json!({}),
    }
}
