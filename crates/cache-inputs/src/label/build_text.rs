//! A build in the JSON form of a provenance predicate (SLSA version 0.2, as BuildKit writes it), which is read as any other record.
//!
//! Beside the predicate stand the members that it has no place for.

use std::collections::BTreeMap;
use std::fmt;

use cache_explain::Build;
use cache_keys::StepOutput;
use cache_model::{Descriptor, Digest, Platform, PlatformError};
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::label::op_text::{op_text, platform_text};
use crate::record::{RecordError, build_of_provenance};

/// What a build has beside its predicate.
#[derive(Default, Deserialize)]
struct Beside {
    target: Option<String>,
    #[serde(rename = "baseDiffIds", default)]
    base_diff_ids: Vec<String>,
    #[serde(default)]
    keys: BTreeMap<usize, String>,
}

/// The text of a build.
pub(crate) fn build_text(build: &Build) -> Value {
    let steps: Vec<Value> = build
        .definition
        .steps()
        .iter()
        .enumerate()
        .map(|(position, step)| {
            let mut op = Map::from_iter([("Op".to_owned(), op_text(&step.op))]);
            op.extend(
                step.platform.as_ref().map(|platform| ("platform".to_owned(), platform_text(platform))),
            );
            let inputs: Vec<String> = step.inputs.iter().map(output_id).collect();
            json!({"id": step_id(position), "op": op, "inputs": inputs})
        })
        .collect();
    let locations: Map<String, Value> = build.locations.iter().enumerate().map(|(position, locations)| {
        let list: Vec<Value> = locations.iter().map(|location| {
            let line = |line: usize| json!({"line": line});
            json!({"sourceIndex": location.source, "ranges": [{"start": line(location.first_line), "end": line(location.last_line)}]})
        }).collect();
        (step_id(position), json!({"locations": list}))
    }).collect();
    let infos: Vec<Value> = build.sources.iter().map(|source| {
        json!({"filename": source.filename, "language": source.language, "data": BASE64.encode(source.text.as_bytes())})
    }).collect();
    let layers: Map<String, Value> = build
        .layers
        .iter()
        .map(|(output, lists)| {
            let lists: Vec<Vec<Value>> =
                lists.iter().map(|list| list.iter().map(layer_text).collect()).collect();
            (output_id(output), json!(lists))
        })
        .collect();
    let materials: Vec<Value> = build
        .resolved
        .iter()
        .map(|resolved| json!({"uri": resolved.uri, "digest": resolved.digests}))
        .collect();
    let predicate = json!({
        "buildType": "https://mobyproject.org/buildkit@v1",
        "materials": materials,
        "invocation": {
            "environment": {"platform": build.platform.to_string()},
            "parameters": {"args": build.arguments},
        },
        "buildConfig": {"llbDefinition": steps},
        "metadata": {"https://mobyproject.org/buildkit@v1#metadata": {
            "source": {"locations": locations, "infos": infos},
            "layers": layers,
        }},
    });
    let keys: Map<String, Value> =
        build.replaced_keys.iter().map(|(step, key)| (step.to_string(), key.to_string().into())).collect();
    json!({
        "predicate": predicate,
        "target": build.target.as_ref().map(Platform::to_string),
        "baseDiffIds": build.base_diff_ids.iter().map(Digest::to_string).collect::<Vec<_>>(),
        "keys": keys,
    })
}

/// Reads what [`build_text`] writes.
pub(crate) fn read_build(text: &Value) -> Result<Build, RecordError> {
    let mut build = build_of_provenance(text.to_string().as_bytes())?;
    let damaged = |error: &dyn fmt::Display| RecordError::damaged(error.to_string());
    let beside = Beside::deserialize(text).map_err(|error| damaged(&error))?;
    let digest = |text: &String| text.parse::<Digest>().map_err(|error| damaged(&error));
    build.target = beside
        .target
        .map(|target| target.parse().map_err(|error: PlatformError| damaged(&error)))
        .transpose()?;
    build.base_diff_ids = beside.base_diff_ids.iter().map(digest).collect::<Result<_, _>>()?;
    for (step, key) in &beside.keys {
        build.replaced_keys.insert(*step, digest(key)?);
    }
    Ok(build)
}

fn step_id(step: usize) -> String {
    format!("step{step}")
}

fn output_id(output: &StepOutput) -> String {
    format!("step{}:{}", output.step, output.output)
}

fn layer_text(layer: &Descriptor) -> Value {
    let annotations: Map<String, Value> =
        layer.annotations.iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({
        "mediaType": layer.media_type.as_str(),
        "digest": layer.digest.to_string(),
        "size": layer.size,
        "annotations": annotations,
    })
}
