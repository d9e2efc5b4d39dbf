//! Build records that are JSON documents: which form a document has.

use cache_explain::Build;
use serde_json::Value;

use crate::record::RecordError;
use crate::record::document::Document;
use crate::record::predicate::build_of_predicate;
use crate::record::predicate_type::{PREDICATE_TYPE, is_provenance};
use crate::record::response::builds_of_response;

/// The builds in a document.
pub(crate) fn builds_of_json(bytes: &[u8]) -> Result<Vec<Build>, RecordError> {
    let document = Document::parse(bytes)?;
    if let Some(build) = build_of(&document) {
        return Ok(vec![build?]);
    }
    let inner = document.object("record");
    let entry = inner.as_ref().unwrap_or(&document);
    let response = entry.object("ExporterResponse");
    if let Some(builds) = builds_of_response(response.as_ref().unwrap_or(entry)) {
        return builds;
    }
    if let Some(digest) = named_provenance(entry) {
        return Err(RecordError::OnlyNamed { digest });
    }
    // A metadata file of bake has one response for each target.
    let targets = document.members().filter_map(|(_, member)| builds_of_response(&member.object()?));
    let builds: Vec<Vec<Build>> = targets.collect::<Result<_, _>>()?;
    if builds.is_empty() { Err(RecordError::Unknown) } else { Ok(builds.into_iter().flatten().collect()) }
}

/// The build of a document that has to be a predicate, or an in-toto statement.
pub(crate) fn build_of_provenance(bytes: &[u8]) -> Result<Build, RecordError> {
    build_of(&Document::parse(bytes)?).unwrap_or(Err(RecordError::Unknown))
}

/// The build of a predicate or statement; `None` for any other document.
fn build_of(document: &Document<'_>) -> Option<Result<Build, RecordError>> {
    match document.object("predicate") {
        Some(predicate) => build_of_predicate(&predicate),
        None => build_of_predicate(document),
    }
}

/// The digest of the first provenance that an entry of a builder's history names.
fn named_provenance(entry: &Document<'_>) -> Option<String> {
    let value = |name| entry.member(name).and_then(|member| member.read::<Value>());
    let (result, by_platform) = (value("Result"), value("Results"));
    let by_platform =
        by_platform.as_ref().and_then(Value::as_object).into_iter().flat_map(|all| all.values());
    let results = result.iter().chain(by_platform);
    let mut attestations = results.filter_map(|result| result.get("Attestations")?.as_array()).flatten();
    let has_provenance = |attestation: &&Value| {
        let kind = attestation.get("annotations").and_then(|all| all.get(PREDICATE_TYPE));
        kind.and_then(Value::as_str).is_some_and(is_provenance)
    };
    Some(attestations.find(has_provenance)?.get("digest")?.as_str()?.to_owned())
}
