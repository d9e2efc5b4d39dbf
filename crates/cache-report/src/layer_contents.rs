//! What a cache's layers hold, a paragraph for each, and as JSON.
//!
//! The text is escaped and cut; JSON is whole, except that names which are no UTF-8 are shown with U+FFFD.

use cache_model::{Descriptor, OneLine, count, grouped};
use serde_json::{Value, json};

use crate::text::{cut, padded, size};

/// The width of the column of names, in characters.
const NAMES: usize = 10;
/// How many paths or folders are listed on one line.
const LISTED: usize = 3;

/// A layer of a cache, and what is in it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LayerContents {
    /// The blob.
    pub layer: Descriptor,
    /// The steps that made it, each in one line, if they are known.
    pub steps: Vec<String>,
    /// What it holds, or why that could not be read.
    pub files: Result<LayerFiles, String>,
}

/// What a layer holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerFiles {
    /// How many files it has, hard links included.
    pub files: u64,
    /// How many folders.
    pub folders: u64,
    /// How many symbolic links, devices and pipes.
    pub others: u64,
    /// How many bytes the files have together.
    pub bytes: u64,
    /// The folder that has all of its files, or if that is the root, the folders and files in it, those with the most bytes first;
    /// without a `/` in front.
    pub places: Vec<Vec<u8>>,
    /// The largest files with their sizes, largest first.
    pub biggest: Vec<(Vec<u8>, u64)>,
    /// The paths that it hides of the layers below, sorted.
    pub hidden: Vec<Vec<u8>>,
}

impl LayerContents {
    /// A layer.
    pub fn new(layer: Descriptor, steps: Vec<String>, files: Result<LayerFiles, String>) -> Self {
        Self { layer, steps, files }
    }

    /// The lines of the layer's paragraph, each a name and a value. The name is filled up to the width of its column, and a value is
    /// cut where the line would have more than `width` characters.
    pub fn rows(&self, width: Option<usize>) -> Vec<(String, String)> {
        let mut rows = Vec::new();
        let mut put = |name: &str, value: String| rows.push((name.to_owned(), value));
        let stored = size(self.layer.size);
        match &self.files {
            Ok(files) => {
                let unpacked = size(files.bytes);
                put("layer", format!("{} ({stored}, {unpacked} of files)", self.layer.digest));
                self.steps.iter().for_each(|step| put("step", step.clone()));
                put("holds", files.holds());
                if !files.hidden.is_empty() {
                    put("hides", first_of(&files.hidden));
                }
                let widest = files.biggest.iter().map(|(_, bytes)| size(*bytes).len()).max().unwrap_or(0);
                for (at, (path, bytes)) in files.biggest.iter().enumerate() {
                    let name = if at == 0 { "largest" } else { "" };
                    let bytes = size(*bytes);
                    put(name, format!("{bytes:>widest$}  {}", shown(path)));
                }
            }
            Err(reason) => {
                put("layer", format!("{} ({stored})", self.layer.digest));
                self.steps.iter().for_each(|step| put("step", step.clone()));
                put("unread", reason.clone());
            }
        }
        let room = width.map_or(usize::MAX, |width| width.saturating_sub(NAMES).max(1));
        rows.into_iter().map(|(name, value)| (padded(&name, NAMES), cut(&value, room))).collect()
    }

    fn json(&self) -> Value {
        let mut value = json!({
            "blob": self.layer.digest.to_string(),
            "mediaType": self.layer.media_type.as_str(),
            "size": self.layer.size,
            "steps": self.steps,
        });
        let added = match &self.files {
            Ok(files) => files.json(),
            Err(reason) => json!({"error": reason}),
        };
        if let (Some(value), Value::Object(added)) = (value.as_object_mut(), added) {
            value.extend(added);
        }
        value
    }
}

impl LayerFiles {
    /// How many entries of which kind there are, and where.
    fn holds(&self) -> String {
        let kinds = [(self.files, "file"), (self.folders, "folder"), (self.others, "link or device")];
        let kinds = kinds.iter().filter(|(number, _)| *number > 0).map(|(number, noun)| match *noun {
            "link or device" if *number > 1 => format!("{} links or devices", grouped(*number)),
            noun => count(*number, noun),
        });
        let kinds: Vec<_> = kinds.collect();
        match (kinds.is_empty(), self.places.is_empty()) {
            (true, _) => "no files".to_owned(),
            (_, true) => kinds.join(", "),
            _ => format!("{} in {}", kinds.join(", "), first_of(&self.places)),
        }
    }

    fn json(&self) -> Value {
        let paths =
            |paths: &mut dyn Iterator<Item = &Vec<u8>>| paths.map(|path| text(path)).collect::<Vec<_>>();
        let biggest = self.biggest.iter().map(|(path, size)| json!({"path": text(path), "size": size}));
        json!({
            "files": self.files,
            "folders": self.folders,
            "others": self.others,
            "bytes": self.bytes,
            "in": paths(&mut self.places.iter()),
            "largest": biggest.collect::<Vec<_>>(),
            "hidden": paths(&mut self.hidden.iter()),
        })
    }
}

/// Layers as JSON.
pub fn layers_json(layers: &[LayerContents]) -> String {
    let layers: Vec<Value> = layers.iter().map(LayerContents::json).collect();
    format!("{:#}", json!({ "layers": layers }))
}

/// The line below all layers: how many there are, and their size.
pub fn layers_total(layers: &[LayerContents]) -> String {
    let stored = layers.iter().fold(0, |sum: u64, layer| sum.saturating_add(layer.layer.size));
    let files = layers.iter().filter_map(|layer| layer.files.as_ref().ok());
    let unpacked = files.fold(0, |sum: u64, files| sum.saturating_add(files.bytes));
    let (number, stored) = (count(layers.len() as u64, "blob"), size(stored));
    format!("{number}, {stored} ({} of files)", size(unpacked))
}

/// The first paths, and how many more there are.
fn first_of<'p>(paths: impl IntoIterator<Item = &'p Vec<u8>, IntoIter: ExactSizeIterator>) -> String {
    let paths = paths.into_iter();
    let more = paths.len().saturating_sub(LISTED) as u64;
    let first: Vec<_> = paths.take(LISTED).map(|path| shown(path)).collect();
    let first = first.join(", ");
    if more == 0 { first } else { format!("{first} and {} more", grouped(more)) }
}

fn shown(path: &[u8]) -> String {
    OneLine(text(path)).to_string()
}

fn text(path: &[u8]) -> String {
    format!("/{}", String::from_utf8_lossy(path))
}
