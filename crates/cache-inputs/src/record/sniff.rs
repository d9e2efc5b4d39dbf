//! Which form of a build record some bytes have.

use cache_explain::Build;
use serde_json::{Map, Value};

use crate::record::RecordError;
use crate::record::predicate::build_of_predicate;
use crate::record::response::builds_of_response;

/// Reads the builds of a record: one, or one for each platform or target.
///
/// Known are a provenance predicate (SLSA version 1 or 0.2), an in-toto statement with one, a metadata file of `buildx build`
/// or `buildx bake`, and the response in an entry of a builder's history.
///
/// # Errors
/// [`RecordError`] if the bytes have none of these forms, or hold no steps.
pub fn read_builds(bytes: &[u8]) -> Result<Vec<Build>, RecordError> {
    let value = serde_json::from_slice(bytes).map_err(RecordError::Json)?;
    let Value::Object(document) = &value else { return Err(RecordError::Unknown) };
    let predicate = document.get("predicate").unwrap_or(&value);
    if let Some(build) = build_of_predicate(predicate) {
        return Ok(vec![build?]);
    }
    let entry = document.get("record").and_then(Value::as_object).unwrap_or(document);
    let response = entry.get("ExporterResponse").and_then(Value::as_object).unwrap_or(entry);
    if let Some(builds) = builds_of_response(response) {
        return builds;
    }
    if let Some(digest) = named_provenance(entry) {
        return Err(RecordError::OnlyNamed { digest });
    }
    // A metadata file of bake has one response for each target.
    let targets = document.values().filter_map(|value| builds_of_response(value.as_object()?));
    let builds: Vec<Vec<Build>> = targets.collect::<Result<_, _>>()?;
    if builds.is_empty() { Err(RecordError::Unknown) } else { Ok(builds.into_iter().flatten().collect()) }
}

/// The digest of the first provenance that an entry of a builder's history names.
fn named_provenance(entry: &Map<String, Value>) -> Option<String> {
    let by_platform = entry.get("Results").and_then(Value::as_object).into_iter().flat_map(Map::values);
    let results = entry.get("Result").into_iter().chain(by_platform);
    let mut attestations = results.filter_map(|result| result.get("Attestations")?.as_array()).flatten();
    let is_provenance = |attestation: &&Value| {
        let kind = attestation.get("annotations").and_then(|all| all.get("in-toto.io/predicate-type"));
        kind.and_then(Value::as_str).is_some_and(|kind| kind.starts_with("https://slsa.dev/provenance/"))
    };
    Some(attestations.find(is_provenance)?.get("digest")?.as_str()?.to_owned())
}
