//! The forms in which users have one build record, made from the form that a builder keeps.

use data_encoding::BASE64;
use serde_json::{Map, Value, json};

/// SLSA version 1 of the predicate, which the builder keeps, as version 0.2.
pub fn version_02(version_1: &Value) -> Value {
    let definition = &version_1["buildDefinition"];
    let metadata = &version_1["runDetails"]["metadata"];
    json!({
        "builder": { "id": "" },
        "buildType": "https://mobyproject.org/buildkit@v1",
        "materials": definition["resolvedDependencies"],
        "invocation": {
            "configSource": { "entryPoint": "Dockerfile" },
            "parameters": {
                "frontend": "dockerfile.v0",
                "args": definition["externalParameters"]["request"]["args"],
            },
            "environment": { "platform": definition["internalParameters"]["builderPlatform"] },
        },
        "buildConfig": definition["internalParameters"]["buildConfig"],
        "metadata": {
            "buildInvocationID": metadata["invocationId"],
            "completeness": { "parameters": true, "environment": true, "materials": false },
            "reproducible": false,
            "https://mobyproject.org/buildkit@v1#metadata": metadata["buildkit_metadata"],
        },
    })
}

/// A statement with a predicate, as it is attached to an image.
pub fn statement(predicate: &Value) -> Value {
    let version = if predicate["buildDefinition"].is_null() { "v0.2" } else { "v1" };
    json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": format!("https://slsa.dev/provenance/{version}"),
        "subject": [{ "name": "pkg:docker/app@latest", "digest": { "sha256": "00" } }],
        "predicate": predicate,
    })
}

/// The metadata file of buildx, with a predicate for each platform; an empty platform is none.
pub fn metadata_file(predicates: &[(&str, Value)]) -> Value {
    response(predicates, Clone::clone)
}

/// What the API of the builder answers: predicates are texts in base64.
pub fn exporter_response(predicates: &[(&str, Value)]) -> Value {
    response(predicates, |predicate| BASE64.encode(predicate.to_string().as_bytes()).into())
}

fn response(predicates: &[(&str, Value)], value: impl Fn(&Value) -> Value) -> Value {
    let mut response = Map::new();
    response.insert("buildx.build.ref".to_owned(), "default/default/x".into());
    for (platform, predicate) in predicates {
        let separator = if platform.is_empty() { "" } else { "/" };
        response.insert(format!("buildx.build.provenance{separator}{platform}"), value(predicate));
    }
    Value::Object(response)
}
