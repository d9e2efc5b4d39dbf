//! `bkcache layers`: what each layer holds, and the step that made it.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::why::WhyCase;

use crate::support::{self, bkcache, blob, copy_of, fixture};

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn record(case: &WhyCase) -> String {
    text(&case.folder.join("provenance.json"))
}

#[test]
fn a_paragraph_for_each_layer_says_what_it_holds() {
    let case = WhyCase::load("kitchen");
    let cache = text(&case.cache_folder());
    insta::assert_snapshot!("layers", bkcache(["layers", &cache]).ok().text());
    let record = record(&case);
    let args = ["layers", "--record", &record, "--files", "1", &cache];
    insta::assert_snapshot!("layers_with_a_record", bkcache(args).ok().text());
    let none = bkcache(["layers", "--files", "0", "-q", &cache]).ok().text();
    assert!(!none.contains("largest") && none.ends_with("\n\n"), "{none}");
}

/// The lines of the instructions that made layers, by the layers' digests, as the build's record has them.
fn made_by(record: &Value) -> BTreeMap<String, Vec<u64>> {
    let parameters = &record["buildDefinition"]["internalParameters"]["buildConfig"];
    let metadata = &record["runDetails"]["metadata"]["buildkit_metadata"];
    let is_source = |step: &str| {
        let steps = parameters["llbDefinition"].as_array().unwrap();
        steps.iter().find(|found| found["id"] == step).unwrap()["op"]["Op"]["source"].is_object()
    };
    let mut made = BTreeMap::new();
    for (output, chains) in metadata["layers"].as_object().unwrap() {
        let (step, _) = output.split_once(':').unwrap();
        let locations = metadata["source"]["locations"][step]["locations"].as_array();
        let lines =
            locations.into_iter().flatten().flat_map(|location| location["ranges"].as_array().unwrap());
        let Some(line) = lines.map(|range| range["start"]["line"].as_u64().unwrap()).min() else { continue };
        let layers = chains[0].as_array().unwrap();
        // A base image has made all of its layers, another step the topmost.
        let layers = if is_source(step) { &layers[..] } else { &layers[layers.len() - 1..] };
        for layer in layers {
            let lines: &mut Vec<u64> = made.entry(layer["digest"].as_str().unwrap().to_owned()).or_default();
            lines.push(line);
        }
    }
    made
}

#[test]
fn each_layer_has_the_steps_that_made_it() {
    let mut checked = 0;
    for case in WhyCase::all() {
        let provenance: Value = serde_json::from_slice(&case.provenance()).unwrap();
        if provenance["buildDefinition"].is_null() {
            continue;
        }
        let made = made_by(&provenance);
        let record = record(&case);
        let shown =
            bkcache(["layers", "--json", "--record", &record, &text(&case.cache_folder())]).ok().json();
        let layers = shown["layers"].as_array().unwrap();
        let sizes: Vec<_> = layers.iter().map(|layer| layer["size"].as_u64().unwrap()).collect();
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{}: {sizes:?}", case.name);
        for layer in layers {
            let Some(lines) = made.get(layer["blob"].as_str().unwrap()) else { continue };
            let steps: Vec<_> =
                layer["steps"].as_array().unwrap().iter().map(|step| step.as_str().unwrap()).collect();
            for line in lines {
                let start = format!("line {line}, ");
                assert!(
                    steps.iter().any(|step| step.starts_with(&start)),
                    "{}: {line} of {layer}",
                    case.name
                );
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 527);
}

#[test]
fn json_has_everything() {
    let case = WhyCase::load("web");
    let shown = bkcache(["layers", "--json", "--files", "1", &text(&case.cache_folder())]).ok().json();
    let layers = shown["layers"].as_array().unwrap();
    let copied = layers.iter().find(|layer| layer["in"][0] == "/app/src").unwrap();
    let mut copied = copied.clone();
    copied.as_object_mut().unwrap().remove("blob");
    let expected = serde_json::json!({
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": 243, "steps": [],
        "files": 3, "folders": 2, "others": 0, "bytes": 45, "in": ["/app/src"],
        "largest": [{"path": "/app/src/view.js", "size": 19}], "hidden": [],
    });
    assert_eq!(copied, expected);
}

#[test]
fn every_form_and_compression_of_a_cache_is_read() {
    for name in support::standalone() {
        let shown = bkcache(["layers", "--json", &text(&fixture(&name))]).ok().json();
        let inspected = bkcache(["inspect", "--json", &text(&fixture(&name))]).ok().json();
        let caches = inspected["caches"].as_array().unwrap();
        let layers = caches.iter().flat_map(|cache| cache["layers"].as_array().unwrap());
        let digests: std::collections::BTreeSet<_> =
            layers.filter_map(|layer| layer["blob"].as_str()).collect();
        let shown: std::collections::BTreeSet<_> =
            shown["layers"].as_array().unwrap().iter().map(|layer| layer["blob"].as_str().unwrap()).collect();
        assert_eq!(shown, digests, "{name}");
    }
}

#[test]
fn a_layer_that_cannot_be_read_is_named_and_the_others_are_shown() {
    let to = tempfile::tempdir().unwrap();
    let layout = copy_of("app-max-manifest-oci-gzip", to.path());
    let shown = bkcache(["layers", "--json", &text(&layout)]).ok().json();
    let first = shown["layers"][0]["blob"].as_str().unwrap().to_owned();
    let path = blob(&layout, &first);
    let mut bytes = fs::read(&path).unwrap();
    bytes.reverse();
    fs::write(&path, bytes).unwrap();
    let failed = bkcache(["layers", &text(&layout)]);
    assert_eq!(failed.code, 1);
    let paragraph = failed.text();
    let paragraph = paragraph.split("\n\n").next().unwrap();
    assert!(paragraph.contains(&first) && paragraph.contains("\nunread    "), "{paragraph}");
    let count = shown["layers"].as_array().unwrap().len();
    assert!(failed.stderr.contains(&format!("1 of {count} layers cannot be read")), "{}", failed.stderr);
    assert!(failed.stderr.contains("bkcache verify"), "{}", failed.stderr);
    assert!(failed.text().matches("\nholds ").count() == count - 1, "{}", failed.text());
}
