//! A provenance predicate, in the versions 0.2 and 1 of SLSA.

use std::collections::BTreeMap;

use cache_explain::Build;
use serde::Deserialize;

use crate::record::RecordError;
use crate::record::build_config::{BuildConfig, BuildMetadata, DependencyText};
use crate::record::document::Document;
use crate::record::members::Numbers;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version1 {
    build_definition: BuildDefinition,
    #[serde(default)]
    run_details: RunDetails,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition {
    #[serde(default)]
    internal_parameters: InternalParameters,
    #[serde(default)]
    external_parameters: ExternalParameters,
    resolved_dependencies: Option<Vec<DependencyText>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InternalParameters {
    build_config: Option<BuildConfig>,
    #[serde(default)]
    builder_platform: String,
}

#[derive(Default, Deserialize)]
struct ExternalParameters {
    #[serde(default)]
    request: Parameters,
}

#[derive(Default, Deserialize)]
struct Parameters {
    args: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
struct RunDetails {
    metadata: Option<RunMetadata>,
}

#[derive(Deserialize)]
struct RunMetadata {
    buildkit_metadata: Option<BuildMetadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version02 {
    build_config: Option<BuildConfig>,
    #[serde(default)]
    invocation: Invocation,
    materials: Option<Vec<DependencyText>>,
    metadata: Option<Metadata02>,
}

#[derive(Default, Deserialize)]
struct Invocation {
    #[serde(default)]
    environment: Environment,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Default, Deserialize)]
struct Environment {
    #[serde(default)]
    platform: String,
}

#[derive(Deserialize)]
struct Metadata02 {
    #[serde(rename = "https://mobyproject.org/buildkit@v1#metadata")]
    buildkit_metadata: Option<BuildMetadata>,
}

/// The build of a predicate; `None` if the document is none.
pub(crate) fn build_of_predicate(document: &Document<'_>) -> Option<Result<Build, RecordError>> {
    if document.has("buildDefinition") {
        Some(version_1(document))
    } else if document.has("buildType") && (document.has("invocation") || document.has("buildConfig")) {
        Some(version_02(document))
    } else {
        None
    }
}

fn version_1(document: &Document<'_>) -> Result<Build, RecordError> {
    let Version1 { build_definition, run_details } = document.read()?;
    let internal = build_definition.internal_parameters;
    let config = internal.build_config.ok_or(RecordError::NoSteps)?;
    let metadata = run_details.metadata.and_then(|metadata| metadata.buildkit_metadata);
    // BuildKit makes this version from the other by way of floating point numbers.
    let mut build =
        config.build(&internal.builder_platform, metadata.unwrap_or_default(), Numbers::Rounded)?;
    build.resolved = build_definition.resolved_dependencies.into_iter().flatten().map(Into::into).collect();
    build.arguments = build_definition.external_parameters.request.args.unwrap_or_default();
    Ok(build)
}

fn version_02(document: &Document<'_>) -> Result<Build, RecordError> {
    let predicate: Version02 = document.read()?;
    let config = predicate.build_config.ok_or(RecordError::NoSteps)?;
    let metadata = predicate.metadata.and_then(|metadata| metadata.buildkit_metadata);
    let builder = predicate.invocation.environment.platform;
    let mut build = config.build(&builder, metadata.unwrap_or_default(), Numbers::Exact)?;
    build.resolved = predicate.materials.into_iter().flatten().map(Into::into).collect();
    build.arguments = predicate.invocation.parameters.args.unwrap_or_default();
    Ok(build)
}
