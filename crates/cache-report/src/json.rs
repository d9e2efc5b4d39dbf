//! Everything about a manifest and its caches as one JSON object.
//!
//! Text is exact here: only what JSON requires is escaped. Layers and records are written one by one, since a cache may
//! have more of them than should be held as text.

use std::fmt::{self, Display, Formatter};

use cache_format::CacheManifest;
use cache_model::{ConfigLayer, ConfigRecord, Descriptor, Timestamp};
use serde_json::{Map, Value, json};

use crate::config_layers::{ConfigLayers, RecordResult, results};
use crate::inspection::{compression_name, stored_bytes};
use crate::{Cache, Inspection, RecordNames};

/// A manifest, its caches, their layers and records, as one JSON object.
///
/// `layers` and `records` have the order of the config, so that a position here is a position there.
/// `records[].inputs[][].record` is the position of a record, `records[].results[].layer` and `layers[].parent` the
/// position of a layer in the same cache; `null` stands for none. A result that lists all its layers has `layers` in the
/// place of `layer`. Sizes are in bytes, times in RFC 3339.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct JsonView<'a> {
    /// Where the manifest was read from, such as a folder or a repository.
    pub location: &'a str,
    /// The descriptor of the manifest or index.
    pub descriptor: &'a Descriptor,
    /// The manifest, if it is one of a cache.
    pub manifest: Option<&'a CacheManifest>,
    /// What reading left out, a sentence each.
    pub warnings: &'a [String],
    /// The caches: the one of the manifest, or those inside its images.
    pub caches: &'a [Cache<'a>],
    /// What the records stand for, if that is known. Each record has a list `names` then.
    pub names: Option<&'a RecordNames>,
}

impl<'a> JsonView<'a> {
    /// A manifest or index with its caches.
    pub fn new(location: &'a str, descriptor: &'a Descriptor, caches: &'a [Cache<'a>]) -> Self {
        Self { location, descriptor, manifest: None, warnings: &[], caches, names: None }
    }

    /// With the manifest of a cache.
    #[must_use]
    pub fn with_manifest(self, manifest: Option<&'a CacheManifest>) -> Self {
        Self { manifest, ..self }
    }

    /// With what reading left out.
    #[must_use]
    pub fn with_warnings(self, warnings: &'a [String]) -> Self {
        Self { warnings, ..self }
    }

    /// With what the records stand for.
    #[must_use]
    pub fn with_names(self, names: Option<&'a RecordNames>) -> Self {
        Self { names, ..self }
    }
}

impl Display for JsonView<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let manifest = self.manifest;
        let artifact_type = manifest.map(|m| m.artifact_type.as_str()).filter(|text| !text.is_empty());
        let subject = manifest.and_then(|m| m.subject.as_ref()).map(descriptor_json);
        let annotations = manifest.map(|manifest| {
            let each = manifest.annotations.iter().map(|(key, value)| (key.to_owned(), json!(value)));
            each.collect::<Map<String, Value>>()
        });
        writeln!(f, "{{")?;
        write_members(
            f,
            &[
                ("location", json!(self.location)),
                ("manifest", descriptor_json(self.descriptor)),
                ("artifactType", json!(artifact_type)),
                ("subject", json!(subject)),
                ("annotations", json!(annotations)),
                ("warnings", json!(self.warnings)),
            ],
        )?;
        write!(f, "\"caches\": [")?;
        for (n, cache) in self.caches.iter().enumerate() {
            writeln!(f, "{}{{", if n > 0 { ", " } else { "" })?;
            write_cache(f, cache, self)?;
            write!(f, "}}")?;
        }
        writeln!(f, "]\n}}")
    }
}

/// Writes members of an object, a line each, with a comma after each.
fn write_members<const N: usize>(f: &mut Formatter<'_>, members: &[(&str, Value); N]) -> fmt::Result {
    members.iter().try_for_each(|(key, value)| writeln!(f, "\"{key}\": {value},"))
}

fn write_list(f: &mut Formatter<'_>, key: &str, items: impl Iterator<Item = Value>) -> fmt::Result {
    write!(f, "\"{key}\": [")?;
    for (n, item) in items.enumerate() {
        write!(f, "{}\n{item}", if n > 0 { "," } else { "" })?;
    }
    write!(f, "]")
}

fn write_cache(f: &mut Formatter<'_>, cache: &Cache<'_>, view: &JsonView<'_>) -> fmt::Result {
    let found = Inspection::of(cache);
    let time = |time: Option<Timestamp>| json!(time.map(|time| time.to_string()));
    let compressions: Map<String, Value> =
        found.compressions.iter().map(|(c, n)| (compression_name(*c).to_owned(), json!(n))).collect();
    let counts = json!({
        "records": found.records, "roots": found.roots, "links": found.links, "results": found.results,
        "layers": found.layers, "layerBytes": found.layer_bytes,
        "blobs": found.blobs, "blobBytes": found.blob_bytes,
    });
    write_members(
        f,
        &[
            ("form", json!(cache.origin.form().name())),
            ("image", json!(cache.origin.image().map(descriptor_json))),
            ("config", descriptor_json(cache.origin.config())),
            ("size", json!(stored_bytes(&found, view.descriptor, cache))),
            ("counts", counts),
            ("oldest", time(found.oldest)),
            ("newest", time(found.newest)),
            ("compressions", Value::Object(compressions)),
        ],
    )?;
    let layers = ConfigLayers::of(cache);
    write_list(f, "layers", cache.config.layers().iter().map(|layer| layer_json(layer, &layers)))?;
    writeln!(f, ",")?;
    write_list(f, "records", cache.config.records().map(|record| record_json(record, view.names)))
}

/// A descriptor as the JSON that stands for it in a manifest.
fn descriptor_json(descriptor: &Descriptor) -> Value {
    serde_json::from_slice(&descriptor.json()).unwrap_or(Value::Null)
}

fn layer_json(layer: &ConfigLayer, layers: &ConfigLayers<'_>) -> Value {
    let descriptor = layers.descriptor(layer);
    json!({
        "blob": layer.blob.map(|blob| blob.to_string()),
        "parent": position(layer.parent),
        "compression": compression_name(descriptor.and_then(Descriptor::compression)),
        "descriptor": descriptor.map(descriptor_json),
    })
}

fn record_json(record: ConfigRecord<'_>, names: Option<&RecordNames>) -> Value {
    let inputs: Vec<Vec<Value>> = record
        .inputs()
        .map(|links| links.map(|l| json!({"record": position(l.record), "selector": l.selector})).collect())
        .collect();
    let results: Vec<Value> = results(record).map(result_json).collect();
    let mut value = json!({"digest": record.digest().to_string(), "inputs": inputs, "results": results});
    if let (Some(names), Some(members)) = (names, value.as_object_mut()) {
        members.insert("names".to_owned(), json!(names.json(record.digest())));
    }
    value
}

fn result_json(result: RecordResult<'_>) -> Value {
    let created_at = result.created_at().to_string();
    match result {
        RecordResult::Stack(result) => json!({"createdAt": created_at, "layer": position(result.layer)}),
        RecordResult::List(chain) => json!({"createdAt": created_at, "layers": chain.layers}),
    }
}

/// A position in a list; `None` for -1, which stands for none.
fn position(at: i32) -> Option<u32> {
    u32::try_from(at).ok()
}
