//! What is a build record and what is none, and what is wrong with it.

use std::collections::BTreeMap;

use cache_explain::{Build, Location};
use cache_inputs::{RecordError, read_builds};
use cache_keys::{Op, StepOutput};
use cache_model::{Descriptor, Digest, MediaType};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A predicate with these steps and this metadata.
#[expect(clippy::needless_pass_by_value, reason = "both are made in the call")]
pub(crate) fn version_1(steps: Value, metadata: Value) -> Value {
    json!({
        "buildDefinition": {
            "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
            "internalParameters": { "builderPlatform": "linux/amd64", "buildConfig": { "llbDefinition": steps } },
        },
        "runDetails": { "metadata": { "buildkit_metadata": metadata } },
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the steps are made in the call")]
pub(crate) fn version_02(steps: Value) -> Value {
    json!({
        "buildType": "https://mobyproject.org/buildkit@v1",
        "invocation": { "environment": { "platform": "linux/amd64" } },
        "buildConfig": { "llbDefinition": steps },
    })
}

pub(crate) fn read(record: &Value) -> Result<Build, RecordError> {
    Ok(read_builds(record.to_string().as_bytes())?.remove(0))
}

/// Two steps: a folder, and the end.
fn steps() -> Value {
    json!([
        { "id": "step0", "op": { "Op": { "source": { "identifier": "local://context" } }, "constraints": {} } },
        { "id": "step1", "op": { "Op": {} }, "inputs": ["step0:0"] },
    ])
}

#[track_caller]
fn check_error(record: &Value, message: &str) {
    assert_eq!(read(record).unwrap_err().to_string(), message);
}

#[test]
fn the_least_record_has_steps_and_a_platform() {
    for record in [version_1(steps(), Value::Null), version_02(steps())] {
        let build = read(&record).unwrap();
        assert!(matches!(build.definition.steps()[0].op, Op::Source(_)));
        assert_eq!(build.definition.steps()[1].op, Op::End);
        assert_eq!(build.definition.steps()[1].inputs, [StepOutput { step: 0, output: 0 }]);
        assert_eq!(build, Build::new(build.definition.clone(), "linux/amd64".parse().unwrap()));
    }
}

#[test]
fn null_is_absent_everywhere() {
    let null = Value::Null;
    let mut record =
        version_1(steps(), json!({ "source": { "locations": null, "infos": null }, "layers": null }));
    record["buildDefinition"]["resolvedDependencies"] = null.clone();
    record["buildDefinition"]["externalParameters"] = json!({ "request": { "args": null } });
    record["buildDefinition"]["internalParameters"]["buildConfig"]["digestMapping"] = null.clone();
    record["buildDefinition"]["internalParameters"]["buildConfig"]["llbDefinition"][0]["inputs"] =
        null.clone();
    record["buildDefinition"]["internalParameters"]["buildConfig"]["llbDefinition"][0]["op"]["platform"] =
        null.clone();
    assert_eq!(read(&record).unwrap(), read(&version_1(steps(), null.clone())).unwrap());
    record["runDetails"] = json!({ "metadata": null });
    assert_eq!(read(&record).unwrap(), read(&version_1(steps(), null)).unwrap());
}

#[test]
fn a_build_has_lines_layers_and_vertices_by_step() {
    let layer = Descriptor::new(MediaType::OCI_LAYER_GZIP, Digest::of("layer"), 7).with_annotation("a", "b");
    let layer_json: Value = serde_json::from_slice(&layer.json()).unwrap();
    let range = |first: usize, last: usize| json!({ "start": { "line": first }, "end": { "line": last } });
    let metadata = json!({
        "source": {
            "locations": {
                "step0": { "locations": [
                    { "ranges": [range(9, 9), range(7, 7), range(8, 8)] },
                    { "sourceIndex": 1, "ranges": [range(3, 1)] },
                    { "ranges": [] },
                    { "ranges": null },
                ] },
                "step1": {},
                "step9": { "locations": [{ "ranges": [range(1, 1)] }] },
            },
            "infos": [{ "filename": "Dockerfile", "language": "Dockerfile", "data": "RlJPTf8=" }, {}],
        },
        "layers": { "step0:0": [[layer_json, layer_json], null] },
    });
    let mut record = version_1(steps(), metadata);
    let (vertex, other) = (Digest::of("vertex"), Digest::of("other"));
    record["buildDefinition"]["internalParameters"]["buildConfig"]["digestMapping"] =
        json!({ vertex.to_string(): "step1", other.to_string(): "step9", "x": "step0" });
    let build = read(&record).unwrap();
    let location = |source, first_line, last_line| Location { source, first_line, last_line };
    assert_eq!(build.locations, [vec![location(0, 7, 9), location(1, 3, 3)], Vec::new()]);
    assert_eq!(
        (build.sources[0].filename.as_str(), build.sources[0].text.as_str()),
        ("Dockerfile", "FROM\u{fffd}")
    );
    assert_eq!((build.sources[1].language.as_str(), build.sources[1].text.as_str()), ("", ""));
    let output = StepOutput { step: 0, output: 0 };
    assert_eq!(build.layers, BTreeMap::from([(output, vec![vec![layer.clone(), layer], Vec::new()])]));
    assert_eq!(build.vertices.into_iter().collect::<Vec<_>>(), [(vertex, 1)]);
}

#[test]
fn the_image_below_the_last_stage_is_in_the_response() {
    let (a, b) = (Digest::of("a"), Digest::of("b"));
    let response = |config: Value| {
        let mut provenance = serde_json::Map::new();
        provenance.insert("buildx.build.provenance/linux/386".into(), version_1(steps(), Value::Null));
        provenance.insert("containerimage.base.config/linux/386".into(), config);
        provenance.insert("containerimage.base.config".into(), json!("{}"));
        read(&json!({ "ExporterResponse": provenance })).unwrap()
    };
    let config = |ids: Value| json!({ "rootfs": { "type": "layers", "diff_ids": ids } }).to_string().into();
    let build = response(config(json!([a.to_string(), b.to_string()])));
    assert_eq!(build.base_diff_ids, [a, b]);
    assert_eq!(build.target, Some("linux/386".parse().unwrap()));
    for bad in [config(json!([a.to_string(), "b"])), config(json!(7)), json!("{"), json!(7)] {
        assert!(response(bad).base_diff_ids.is_empty());
    }
}

#[test]
fn what_is_no_record_is_refused() {
    let unknown = RecordError::Unknown.to_string();
    for other in
        [json!([]), json!("x"), json!({}), json!({ "predicate": { "a": 1 } }), json!({ "layers": [] })]
    {
        check_error(&other, &unknown);
    }
    check_error(&json!({ "buildx.build.provenance": {} }), &unknown);
    let json = read_builds(b"{").unwrap_err();
    assert!(json.to_string().starts_with("the build record is not JSON: "), "{json}");
    // Deep values are refused before they exhaust the stack.
    assert!(matches!(read_builds("[".repeat(1 << 20).as_bytes()), Err(RecordError::Json(_))));
}

#[test]
fn an_entry_of_the_history_names_its_record() {
    let named = |kind: &str| {
        json!({ "media_type": "application/vnd.in-toto+json", "digest": format!("sha256:{kind}"),
            "annotations": { "in-toto.io/predicate-type": kind } })
    };
    let all = json!([{}, named("https://spdx.dev/Document"), named("https://slsa.dev/provenance/v1")]);
    let message = "this entry of the builder's history only names the build record: get it with \
        `buildctl debug get sha256:https://slsa.dev/provenance/v1`";
    let response = json!({ "image.name": "app" });
    check_error(&json!({ "record": { "Ref": "x", "Result": { "Attestations": all } } }), message);
    check_error(
        &json!({ "Results": { "linux/amd64": { "Attestations": all } }, "ExporterResponse": response }),
        message,
    );
    check_error(&json!({ "record": { "Result": {} } }), &RecordError::Unknown.to_string());
}

#[test]
fn steps_must_name_one_another() {
    let with = |change: fn(&mut Value)| {
        let mut steps = steps();
        change(&mut steps);
        version_1(steps, Value::Null)
    };
    check_error(
        &with(|steps| steps[1]["inputs"] = json!(["step7:0"])),
        "the build record is damaged: there is no step with the id \"step7\"",
    );
    check_error(
        &with(|steps| steps[1]["inputs"] = json!(["step0"])),
        "the build record is damaged: \"step0\" should be a step and its output, as step1:0",
    );
    check_error(
        &with(|steps| steps[0]["inputs"] = json!(["step1:0"])),
        "the build record is damaged: step 0 takes an output of step 1, which does not come before it",
    );
    check_error(
        &with(|steps| steps[1]["id"] = json!("step0")),
        "the build record is damaged: two steps have the id \"step0\"",
    );
    check_error(&with(|steps| *steps = json!([])), &RecordError::NoSteps.to_string());
    check_error(&with(|steps| steps[0] = json!({})), "the build record is damaged: missing field `id`");
}

#[test]
fn damage_is_named() {
    let mut record = version_1(steps(), Value::Null);
    record["buildDefinition"]["internalParameters"]["builderPlatform"] = json!("");
    check_error(
        &record,
        "the build record is damaged: the platform of the builder: \"\" is not a platform: it should look like linux/amd64 or linux/arm64/v8",
    );
    let base64 =
        read(&version_1(steps(), json!({ "source": { "infos": [{ "filename": "D", "data": "?" }] } })));
    let base64 = base64.unwrap_err().to_string();
    assert!(base64.starts_with("the build record is damaged: the text of \"D\" is not base64: "), "{base64}");
    let layer = json!({ "mediaType": "x", "digest": "sha256:0", "size": 0 });
    let layer =
        read(&version_1(steps(), json!({ "layers": { "step0:0": [[layer]] } }))).unwrap_err().to_string();
    assert!(
        layer.starts_with("the build record is damaged: a layer: digest \"sha256:0\" does not have"),
        "{layer}"
    );
    let layers = read(&version_1(steps(), json!({ "layers": { "step9:0": [] } }))).unwrap_err().to_string();
    assert_eq!(layers, "the build record is damaged: there is no step with the id \"step9\"");
    let text = json!({ "buildx.build.provenance": "?" });
    assert!(
        read(&text)
            .unwrap_err()
            .to_string()
            .starts_with("the build record is damaged: the provenance is not base64: ")
    );
    let json = json!({ "buildx.build.provenance": "e30=e30=" });
    assert!(read(&json).is_err());
    let json = json!({ "buildx.build.provenance": "ew==" });
    assert!(matches!(read(&json), Err(RecordError::Json(_))));
}

/// JSON of any shape, often with names that records have.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2..3_i64).prop_map(Value::from),
        "(|step[01]:0|local://context|linux/amd64|[a-z/:]{0,4})".prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "id",
        "op",
        "Op",
        "exec",
        "file",
        "source",
        "merge",
        "diff",
        "inputs",
        "meta",
        "mounts",
        "args",
        "env",
        "actions",
        "Action",
        "copy",
        "mkdir",
        "mkfile",
        "rm",
        "owner",
        "user",
        "User",
        "byName",
        "input",
        "secondaryInput",
        "output",
        "platform",
        "OS",
        "lower",
        "upper",
        "src",
        "dest",
        "selector",
        "cacheOpt",
        "sharing",
        "mountType",
        "data",
    ]);
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..5).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    /// Law: a record of any shape is read or refused; and what is read can be asked for its keys.
    #[test]
    fn records_of_any_shape_are_read_or_refused(op in any_json(), metadata in any_json(), any in any_json()) {
        let steps = json!([
            { "id": "step0", "op": { "Op": { "source": { "identifier": "local://context" } } } },
            { "id": "step1", "op": { "Op": op }, "inputs": ["step0:0", "step0:1"] },
        ]);
        for record in [version_1(steps.clone(), metadata.clone()), version_02(steps), metadata, any] {
            if let Ok(build) = read(&record) {
                for step in build.definition.steps() {
                    prop_assert_eq!(step.deps().len(), step.inputs.len());
                    if let Ok(key) = step.key(&build.platform) {
                        prop_assert!(!key.fields().is_empty());
                    }
                }
            }
        }
    }
}

#[test]
fn the_patterns_of_an_ignore_file_are_read() {
    let record = |patterns: &str| {
        let source =
            json!({ "identifier": "local://context", "attrs": { "local.excludepatterns": patterns } });
        let mut steps = steps();
        steps[0]["op"]["Op"]["source"] = source;
        version_1(steps, Value::Null)
    };
    let build = read(&record(r#"["drafts","!a"]"#)).unwrap();
    assert_eq!(build.excluded, BTreeMap::from([(0, vec!["drafts".to_owned(), "!a".to_owned()])]));
    let message = "the build record is damaged: the attribute local.excludepatterns of step 0: expected value at line 1 column 1";
    check_error(&record("drafts"), message);
}
