//! Each form of a build record gives the same build.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use cache_explain::Build;
use cache_inputs::{RecordError, read_builds};
use serde_json::{Value, json};
use tests::forms::{exporter_response, metadata_file, statement, version_02};
use tests::why::WhyCase;

fn read(value: &Value) -> Vec<Build> {
    read_builds(value.to_string().as_bytes()).unwrap()
}

/// The predicates of a build, in version 1 of SLSA, by platform.
fn predicates(case: &WhyCase) -> Vec<(String, Value)> {
    let record: Value = serde_json::from_slice(&case.provenance()).unwrap();
    if record["buildDefinition"].is_object() {
        return vec![(String::new(), record)];
    }
    let by_platform = record.as_object().unwrap().clone();
    let platform = |key: &str| key.strip_prefix("buildx.build.provenance/").unwrap().to_owned();
    by_platform.into_iter().map(|(key, predicate)| (platform(&key), predicate)).collect()
}

#[test]
fn every_form_of_a_record_gives_the_same_builds() {
    let mut builds = 0;
    for case in WhyCase::all() {
        let predicates = predicates(&case);
        let kept = read_builds(&case.provenance()).unwrap();
        assert_eq!(kept.len(), predicates.len());
        builds += kept.len();

        let versions: [fn(&Value) -> Value; 2] = [Clone::clone, version_02];
        for version in versions {
            let predicates: Vec<(&str, Value)> = predicates
                .iter()
                .map(|(platform, predicate)| (platform.as_str(), version(predicate)))
                .collect();
            for form in [metadata_file(&predicates), exporter_response(&predicates)] {
                assert_eq!(read(&form), kept, "{}", case.name);
                assert_eq!(read(&json!({ "record": { "ExporterResponse": form } })), kept, "{}", case.name);
                assert_eq!(read(&json!({ "app": form, "db": {}, "warnings": 0 })), kept, "{}", case.name);
            }
            for ((_, predicate), build) in predicates.iter().zip(&kept) {
                // A predicate alone names no platform.
                let mut build = build.clone();
                build.target = None;
                assert_eq!(read(predicate), [build.clone()], "{}", case.name);
                assert_eq!(read(&statement(predicate)), [build], "{}", case.name);
            }
        }
    }
    assert_eq!(builds, 50);
}

#[test]
fn a_record_for_several_platforms_has_a_build_for_each() {
    let builds = read_builds(&WhyCase::load("plat-two").provenance()).unwrap();
    let targets: Vec<String> =
        builds.iter().map(|build| build.target.as_ref().unwrap().to_string()).collect();
    assert_eq!(targets, ["linux/386", "linux/amd64"]);
    assert!(builds.iter().all(|build| build.platform.to_string() == "linux/amd64"));
}

#[test]
fn a_build_has_its_source_its_layers_and_its_arguments() {
    let build = read_builds(&WhyCase::load("kitchen").provenance()).unwrap().remove(0);
    assert_eq!(build.sources.len(), 1);
    assert_eq!(
        (build.sources[0].filename.as_str(), build.sources[0].language.as_str()),
        ("Dockerfile", "Dockerfile")
    );
    assert!(build.sources[0].text.starts_with("FROM example.com/base/tiny:1 AS base\n"));
    assert_eq!(build.arguments["context:extra"], "local:extra");
    let uris: Vec<&str> = build.resolved.iter().map(|dependency| dependency.uri.as_str()).collect();
    assert_eq!(
        uris,
        [
            "pkg:docker/example.com/base/tiny@1?platform=linux%2Famd64",
            "pkg:docker/example.com/base/tiny@2?platform=linux%2Famd64"
        ]
    );
    assert!(build.resolved.iter().all(|dependency| dependency.digests["sha256"].len() == 64));
    // A heredoc is one instruction on several lines.
    let heredoc = build.locations.iter().flatten().find(|location| location.first_line == 12).unwrap();
    assert_eq!((heredoc.source, heredoc.last_line), (0, 16));
    assert_eq!(build.vertices.len(), build.definition.steps().len());
    let layers = build.layers.values().map(|lists| lists[0].len());
    assert!(layers.max().unwrap() > 10);
}

#[test]
fn provenance_without_steps_says_how_to_get_them() {
    let (_, mut predicate) = predicates(&WhyCase::load("web")).remove(0);
    predicate["buildDefinition"]["internalParameters"].as_object_mut().unwrap().remove("buildConfig");
    let old = version_02(&predicate);
    for min in [metadata_file(&[("", old.clone())]), statement(&predicate), old, predicate] {
        let error = read_builds(min.to_string().as_bytes()).unwrap_err();
        assert!(matches!(error, RecordError::NoSteps), "{error}");
        assert!(error.to_string().contains("--provenance mode=max"), "{error}");
    }
}
