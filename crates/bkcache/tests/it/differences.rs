//! Where bkcache differs from BuildKit: one small case for each heading of `docs/differences.md`, under the heading's name.

use std::collections::BTreeSet;
use std::fs;

use crate::support::{self, caches::Caches};
use serde_json::{Value, json};

use crate::support::{Ran, bkcache, bkcache_with_input, copy_of, fixture, layout, sha256};

const PAGE: &str = include_str!("../../../../docs/differences.md");
const TESTS: &str = include_str!("differences.rs");

/// Links to these records, without selectors.
fn links(records: &[usize]) -> Value {
    records.iter().map(|record| json!({"record": record})).collect()
}

fn result(hour: u32, layers: &[Value]) -> Value {
    json!({"createdAt": format!("2026-01-02T{hour:02}:00:00Z"), "layers": layers})
}

/// The config of records.
fn config_of(records: &[Value]) -> Ran {
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    bkcache_with_input(["export", "--records", "-", "--print-config"], lines.join("\n").as_bytes())
}

/// Exports records to the folder `cache`.
fn export(caches: &Caches, records: &[Value]) -> Ran {
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    let (blobs, to) = (caches.at("layers"), caches.at("cache"));
    let args = ["export", "--records", "-", "--blobs", &blobs, "--to", &to];
    bkcache_with_input(args, lines.join("\n").as_bytes())
}

/// The records of a config that have this digest.
fn records<'c>(config: &'c Value, digest: &str) -> Vec<&'c Value> {
    config["records"].as_array().unwrap().iter().filter(|record| record["digest"] == digest).collect()
}

fn inspected(cache: &str) -> Value {
    bkcache(["inspect", "--json", cache]).ok().json()
}

/// A cache of one record with a result, as `config` gives it and with these layers listed in the manifest.
fn handmade(caches: &Caches, config: &str, layers: &[Value]) -> String {
    layout(&caches.folder(""), "handmade", config.as_bytes(), layers)
}

#[test]
fn the_page_has_a_heading_for_each_test_and_a_test_for_each_heading() {
    let name = |heading: &str| {
        let plain =
            heading.to_lowercase().replace(|char: char| !char.is_ascii_alphanumeric() && char != ' ', "");
        plain.replace(' ', "_")
    };
    let headings: BTreeSet<String> =
        PAGE.lines().filter_map(|line| line.strip_prefix("## ")).map(name).collect();
    let named = TESTS.lines().filter_map(|line| line.strip_prefix("fn ")?.strip_suffix("() {"));
    let this = "the_page_has_a_heading_for_each_test_and_a_test_for_each_heading";
    let tests: BTreeSet<String> = named.filter(|name| *name != this).map(str::to_owned).collect();
    assert_eq!(headings, tests);
    assert!(tests.len() > 10);
}

#[test]
fn two_results_of_one_instant_are_both_kept() {
    let caches = Caches::new();
    let (one, two) = (caches.layer("one"), caches.layer("two"));
    let config = json!({
        "layers": [{"blob": one["digest"], "parent": -1}, {"blob": two["digest"], "parent": -1}],
        "records": [{"digest": "r", "layers": [
            {"layer": 0, "createdAt": "2026-01-02T00:00:00Z"}, {"layer": 1, "createdAt": "2026-01-02T00:00:00Z"}]}],
    });
    let cache = handmade(&caches, &config.to_string(), &[one, two]);
    assert_eq!(inspected(&cache)["caches"][0]["counts"]["results"], 2);
    // When the greater one is lost, the other one takes its place.
    let greater =
        config["layers"].as_array().unwrap().iter().map(|layer| layer["blob"].as_str().unwrap()).max();
    let kept = bkcache(["repair", "--print-config", "--missing", greater.unwrap(), &cache]).ok().json();
    assert_eq!(kept["layers"].as_array().unwrap().len(), 1);
}

#[test]
fn all_candidates_become_one_record() {
    let config = config_of(&[
        json!({"digest": "r"}),
        json!({"digest": "s"}),
        json!({"digest": "x", "inputs": [links(&[0])]}),
        json!({"digest": "x", "inputs": [links(&[1])]}),
        json!({"digest": "x", "inputs": [links(&[0, 1])]}),
    ]);
    let config = config.ok().json();
    let found = records(&config, "x");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["inputs"][0].as_array().unwrap().len(), 2);
}

#[test]
fn an_incomplete_result_gives_way_to_an_older_one() {
    let caches = Caches::new();
    let (old, new) = (caches.layer("old"), caches.layer("new"));
    let lost = new["digest"].as_str().unwrap().to_owned();
    fs::remove_file(caches.folder("layers").join(&lost)).unwrap();
    let record =
        json!({"digest": "r", "results": [result(1, std::slice::from_ref(&old)), result(2, &[new])]});
    let cache = caches.export("cache", &[record]);
    let results = &inspected(&cache)["caches"][0]["records"][0]["results"];
    assert_eq!(results[0]["createdAt"], "2026-01-02T01:00:00Z");
    assert_eq!(inspected(&cache)["caches"][0]["layers"][0]["blob"], old["digest"]);
}

#[test]
fn a_record_that_lost_its_links_is_left_out() {
    let caches = Caches::new();
    let lines = [
        json!({"digest": "r", "results": [result(1, &[caches.layer("layer")])]}),
        json!({"digest": "s"}),
        json!({"digest": "x", "inputs": [links(&[0])]}),
        json!({"digest": "x", "inputs": [links(&[1])]}),
        json!({"digest": "w", "inputs": [links(&[3]), links(&[0])]}),
        json!({"digest": "x", "inputs": [links(&[0, 4])]}),
        json!({"digest": "x", "inputs": [links(&[0, 1])]}),
    ];
    let ran = export(&caches, &lines).ok();
    assert!(ran.stderr.contains("record w is left out"), "{}", ran.stderr);
    let config = bkcache(["config", &caches.at("cache")]).ok().json();
    assert_eq!(records(&config, "w"), Vec::<&Value>::new());
    assert_eq!(records(&config, "x").len(), 1);
    assert!(!config.to_string().contains("null"));
}

#[test]
fn an_export_without_any_blob_fails() {
    let caches = Caches::new();
    let layer = caches.layer("layer");
    fs::remove_dir_all(caches.folder("layers")).unwrap();
    fs::create_dir(caches.folder("layers")).unwrap();
    let ran = export(&caches, &[json!({"digest": "r", "results": [result(1, &[layer])]})]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("no result has all of its blobs"), "{}", ran.stderr);
}

#[test]
fn a_dropped_result_is_reported() {
    let caches = Caches::new();
    let digest = sha256(b"not listed");
    let config = format!(
        r#"{{"layers":[{{"blob":"{digest}","parent":-1}}],"records":[{{"digest":"r","layers":[{{"layer":0,"createdAt":"2026-01-02T00:00:00Z"}}]}}]}}"#
    );
    let shown = inspected(&handmade(&caches, &config, &[]));
    let warning = shown["warnings"][0].as_str().unwrap();
    for named in ["record 0", "layer 0", &digest] {
        assert!(warning.contains(named), "{named}: {warning}");
    }
}

#[test]
fn a_config_above_1_mib_is_read() {
    let caches = Caches::new();
    let layers = [caches.layer("layer")];
    let mut lines: Vec<Value> =
        (0..14_000).map(|n| json!({"digest": sha256(format!("{n}").as_bytes())})).collect();
    lines.extend((0..14_000).map(
        |n| json!({"digest": format!("{n}"), "inputs": [links(&[n])], "results": [result(1, &layers)]}),
    ));
    let ran = export(&caches, &lines).ok();
    assert!(ran.stderr.contains("BuildKit imports at most 1,048,576"), "{}", ran.stderr);
    let shown = inspected(&caches.at("cache"));
    assert!(shown["caches"][0]["config"]["size"].as_u64().unwrap() > 1 << 20);
    assert_eq!(shown["caches"][0]["counts"]["records"], 28_000);
}

#[test]
fn a_result_of_the_form_inline_keeps_its_time() {
    let caches = Caches::new();
    let (one, two) = (caches.layer("one"), caches.layer("two"));
    let cache = caches.export(
        "cache",
        &[
            json!({"digest": "a", "results": [result(1, &[one])]}),
            json!({"digest": "b", "results": [result(2, &[two])]}),
        ],
    );
    let image = caches.at("image");
    bkcache(["copy", "--form", "inline", &cache, &image]).ok();
    let shown = inspected(&image);
    let results = |digest: &str| {
        let records = shown["caches"][0]["records"].as_array().unwrap();
        records.iter().find(|record| record["digest"] == digest).unwrap()["results"][0].clone()
    };
    // One of the two is no beginning of the image, so it lists its layers.
    assert!(["a", "b"].iter().any(|digest| results(digest)["layers"].is_array()));
    assert_eq!(results("a")["createdAt"], "2026-01-02T01:00:00Z");
    assert_eq!(results("b")["createdAt"], "2026-01-02T02:00:00Z");
}

#[test]
fn records_have_one_order() {
    let caches = Caches::new();
    let from = fixture("matrix-two").display().to_string();
    for to in ["once", "again"] {
        let to = caches.at(to);
        bkcache(["copy", "--canonical", &from, &to]).ok();
        let config = &inspected(&to)["caches"][0]["config"]["digest"];
        assert_eq!(config, "sha256:708eb13b6c65e9dabffeb8d74457d96f79d43a9498c46b03522965e7c0a4de40");
    }
}

#[test]
fn a_member_given_twice_is_an_error() {
    let caches = Caches::new();
    let cache = handmade(&caches, r#"{"records":[{"digest":"a"}],"records":[{"digest":"b"}]}"#, &[]);
    let ran = bkcache(["inspect", &cache]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains(r#""records" is given twice"#), "{}", ran.stderr);
}

#[test]
fn an_unknown_mode_or_a_malformed_ignoreerror_is_an_error() {
    let caches = Caches::new();
    let from = fixture("matrix-two").display().to_string();
    for attribute in ["mode=mxa", "ignore-error=maybe"] {
        let ran = bkcache(["copy", &from, &format!("type=local,dest={},{attribute}", caches.at("to"))]);
        assert_ne!(ran.code, 0);
        assert!(ran.stderr.contains(&format!("{attribute}: expected")), "{}", ran.stderr);
        assert!(!caches.folder("to").exists());
    }
}

#[test]
fn a_config_that_costs_too_much_work_is_refused() {
    // Records of one digest with all pairs of two inputs: each shares an input with many others, and both with none.
    let sides = 300;
    let mut lines: Vec<Value> = (0..2 * sides).map(|n| json!({"digest": format!("root {n}")})).collect();
    for pair in 0..sides * sides {
        lines
            .push(json!({"digest": "x", "inputs": [links(&[pair / sides]), links(&[sides + pair % sides])]}));
    }
    let ran = config_of(&lines);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("the records with digest x cannot be compared"), "{}", ran.stderr);
}

#[test]
fn a_folder_without_a_whole_ocilayout_is_read() {
    let caches = Caches::new();
    let cache = copy_of("matrix-two", &caches.folder("cache"));
    let text = cache.display().to_string();
    let expected = inspected(&text);
    fs::write(cache.join("oci-layout"), "").unwrap();
    assert_eq!(inspected(&text), expected);
    fs::remove_file(cache.join("oci-layout")).unwrap();
    assert_eq!(inspected(&text), expected);
}

#[test]
fn a_short_history_of_an_image_is_accepted() {
    let caches = Caches::new();
    let layer = caches.layer("layer");
    let cache = caches.export("cache", &[json!({"digest": "r", "results": [result(1, &[layer])]})]);
    let image = caches.at("image");
    bkcache(["copy", "--form", "inline", &cache, &image]).ok();
    let manifest: Value = bkcache(["manifest", &image]).ok().json();
    let config = support::blob(&caches.folder("image"), manifest["config"]["digest"].as_str().unwrap());
    let mut config: Value = serde_json::from_slice(&fs::read(config).unwrap()).unwrap();
    assert_eq!(config["history"].as_array_mut().unwrap().drain(..).count(), 1);
    let (digest, size) = support::store(&caches.folder("image"), config.to_string().as_bytes());
    let mut manifest = manifest;
    manifest["config"]["digest"] = json!(digest);
    manifest["config"]["size"] = json!(size);
    let (digest, _) = support::store(&caches.folder("image"), manifest.to_string().as_bytes());
    let shown = inspected(&format!("{image}@{digest}"));
    assert_eq!(shown["caches"][0]["counts"]["results"], 1);
}
