//! The response of a builder to a request: a map whose keys name a kind of value and perhaps a platform.
//!
//! buildx writes it as metadata file, and entries of a builder's history hold it.

use cache_explain::Build;
use cache_model::{Digest, Platform};
use data_encoding::BASE64;
use serde::Deserialize;

use crate::record::RecordError;
use crate::record::document::{Document, Member};
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
pub(crate) fn builds_of_response(response: &Document<'_>) -> Option<Result<Vec<Build>, RecordError>> {
    let found = response.members().filter_map(|(key, member)| Some((suffix(key, PROVENANCE)?, member)));
    let mut found = found.peekable();
    found.peek()?;
    Some(found.map(|(platform, member)| build(response, platform, member)).collect())
}

/// The diff IDs of the image on which the last stage stands. The response has a config for each platform, if it has several;
/// `config` gives the text of a member.
pub(crate) fn base_diff_ids(platform: &str, config: impl FnOnce(&str) -> Option<String>) -> Vec<Digest> {
    let key = if platform.is_empty() { BASE_CONFIG.to_owned() } else { format!("{BASE_CONFIG}/{platform}") };
    let Some(config) = config(&key) else { return Vec::new() };
    let diff_ids = serde_json::from_str::<ImageConfig>(&config).map(|config| config.rootfs.diff_ids);
    let diff_ids = diff_ids.iter().flatten().map(|id| id.parse());
    // Half of them would be another image.
    diff_ids.collect::<Result<_, _>>().unwrap_or_default()
}

fn build(response: &Document<'_>, platform: &str, member: Member<'_>) -> Result<Build, RecordError> {
    let decoded = member.read().map(|text: String| decode(&text)).transpose()?;
    let predicate = match &decoded {
        Some(json) => Some(Document::parse(json)?),
        None => member.object(),
    };
    let build = predicate.and_then(|predicate| build_of_predicate(&predicate));
    let mut build = build.unwrap_or(Err(RecordError::Unknown))?;
    build.target = platform.parse::<Platform>().ok();
    build.base_diff_ids = base_diff_ids(platform, |key| response.member(key)?.read());
    Ok(build)
}

/// A value as the API gives it: base64 of JSON.
fn decode(text: &str) -> Result<Vec<u8>, RecordError> {
    let json = BASE64.decode(text.as_bytes());
    json.map_err(|error| RecordError::damaged(format!("the provenance is not base64: {error}")))
}

/// The platform in a key of this kind: empty if it names none.
fn suffix<'k>(key: &'k str, kind: &str) -> Option<&'k str> {
    match key.strip_prefix(kind)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}
