//! Build records that are JSON documents: which form a document has.

use cache_explain::Build;
use serde_json::{Map, Value};

use crate::record::RecordError;
use crate::record::predicate::build_of_predicate;
use crate::record::predicate_type::{PREDICATE_TYPE, is_provenance};
use crate::record::response::builds_of_response;

/// The builds in a document.
pub(crate) fn builds_of_json(bytes: &[u8]) -> Result<Vec<Build>, RecordError> {
    let value = serde_json::from_slice(bytes).map_err(RecordError::not_json)?;
    let Value::Object(document) = &value else { return Err(RecordError::Unknown) };
    if let Some(build) = build_of(&value) {
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

/// The build of a document that has to be a predicate, or an in-toto statement.
pub(crate) fn build_of_provenance(bytes: &[u8]) -> Result<Build, RecordError> {
    let value = serde_json::from_slice(bytes).map_err(RecordError::not_json)?;
    build_of(&value).unwrap_or(Err(RecordError::Unknown))
}

/// The build of a predicate or statement; `None` for any other document.
fn build_of(document: &Value) -> Option<Result<Build, RecordError>> {
    build_of_predicate(document.get("predicate").unwrap_or(document))
}

/// The digest of the first provenance that an entry of a builder's history names.
fn named_provenance(entry: &Map<String, Value>) -> Option<String> {
    let by_platform = entry.get("Results").and_then(Value::as_object).into_iter().flat_map(Map::values);
    let results = entry.get("Result").into_iter().chain(by_platform);
    let mut attestations = results.filter_map(|result| result.get("Attestations")?.as_array()).flatten();
    let has_provenance = |attestation: &&Value| {
        let kind = attestation.get("annotations").and_then(|all| all.get(PREDICATE_TYPE));
        kind.and_then(Value::as_str).is_some_and(is_provenance)
    };
    Some(attestations.find(has_provenance)?.get("digest")?.as_str()?.to_owned())
}
