//! The response of a builder to a request: a map whose keys name a kind of value and perhaps a platform.
//!
//! buildx writes it as metadata file, and entries of a builder's history hold it.

use cache_explain::Build;
use cache_model::{Digest, Platform};
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::record::RecordError;
use crate::record::predicate::build_of_predicate;

const PROVENANCE: &str = "buildx.build.provenance";
const BASE_CONFIG: &str = "containerimage.base.config";

#[derive(Deserialize)]
struct ImageConfig {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<String>,
}

/// The builds whose provenance a response holds, by platform; `None` if it holds none.
pub(crate) fn builds_of_response(response: &Map<String, Value>) -> Option<Result<Vec<Build>, RecordError>> {
    let mut found =
        response.iter().filter_map(|(key, value)| Some((suffix(key, PROVENANCE)?, value))).peekable();
    found.peek()?;
    Some(found.map(|(platform, value)| build(response, platform, value)).collect())
}

/// The diff IDs of the image on which the last stage stands, for a platform if the response has several.
pub(crate) fn base_diff_ids(response: &Map<String, Value>, platform: &str) -> Vec<Digest> {
    let key = if platform.is_empty() { BASE_CONFIG.to_owned() } else { format!("{BASE_CONFIG}/{platform}") };
    let Some(config) = response.get(&key).and_then(Value::as_str) else { return Vec::new() };
    let diff_ids = serde_json::from_str::<ImageConfig>(config).map(|config| config.rootfs.diff_ids);
    let diff_ids = diff_ids.iter().flatten().map(|id| id.parse());
    // Half of them would be another image.
    diff_ids.collect::<Result<_, _>>().unwrap_or_default()
}

fn build(response: &Map<String, Value>, platform: &str, value: &Value) -> Result<Build, RecordError> {
    let decoded = value.as_str().map(decode).transpose()?;
    let predicate = decoded.as_ref().unwrap_or(value);
    let mut build = build_of_predicate(predicate).unwrap_or(Err(RecordError::Unknown))?;
    build.target = platform.parse::<Platform>().ok();
    build.base_diff_ids = base_diff_ids(response, platform);
    Ok(build)
}

/// A value as the API gives it: base64 of JSON.
fn decode(text: &str) -> Result<Value, RecordError> {
    let json = BASE64
        .decode(text.as_bytes())
        .map_err(|error| RecordError::damaged(format!("the provenance is not base64: {error}")))?;
    serde_json::from_slice(&json).map_err(RecordError::not_json)
}

/// The platform in a key of this kind: empty if it names none.
fn suffix<'k>(key: &'k str, kind: &str) -> Option<&'k str> {
    match key.strip_prefix(kind)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}
