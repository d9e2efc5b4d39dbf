//! The program gives the answers of a reference program for pruning, repairing and comparing.

use std::path::Path;

use crate::support::{bkcache, layout, vectors};
use serde_json::Value;

/// One of this many vectors is run.
const SAMPLE: usize = 4;

/// A sample of the vectors of an operation.
fn sample(op: &str) -> Vec<Value> {
    let of_op: Vec<Value> = vectors("edit.ndjson").into_iter().filter(|case| case["op"] == op).collect();
    assert!(of_op.len() > 30, "{op}: {}", of_op.len());
    of_op.into_iter().step_by(SAMPLE).collect()
}

/// A layout for each source of a vector. No blob of a layer is there.
fn sources(folder: &Path, case: &Value) -> Vec<String> {
    let sources = case["sources"].as_array().unwrap().iter().enumerate();
    let stored = sources.map(|(n, source)| {
        let config = source["config"].as_str().unwrap();
        layout(folder, &format!("source-{n}"), config.as_bytes(), source["layers"].as_array().unwrap())
    });
    stored.collect()
}

/// The options of a vector, as they are typed.
fn options(case: &Value) -> Vec<String> {
    let mut words = Vec::new();
    let mut add = |option: &str, value: &Value| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        words.extend([option.to_owned(), value]);
    };
    for (key, value) in case["options"].as_object().into_iter().flatten() {
        match key.as_str() {
            "older_than" => add("--older-than", value),
            "keep_bytes" => add("--keep-bytes", value),
            "fit" => add("--fit", value),
            "bad" => value.as_array().unwrap().iter().for_each(|digest| add("--missing", digest)),
            other => panic!("an unknown option: {other}"),
        }
    }
    words
}

#[test]
fn prune_and_repair_print_the_config_of_the_reference_program() {
    for command in ["prune", "repair"] {
        for case in sample(command) {
            let folder = tempfile::tempdir().unwrap();
            let args = [vec![command.to_owned(), "--print-config".to_owned()], options(&case)].concat();
            let ran = bkcache(args.into_iter().chain(sources(folder.path(), &case))).ok();
            assert_eq!(ran.text(), case["config"].as_str().unwrap(), "{}", case["name"]);
        }
    }
}

#[test]
fn diff_prints_the_rows_of_the_reference_program() {
    for case in sample("diff") {
        let folder = tempfile::tempdir().unwrap();
        let sources = sources(folder.path(), &case);
        let ran = bkcache(["diff", "--json"].into_iter().chain(sources.iter().map(String::as_str))).ok();
        let shown = ran.json();
        let row = |row: &Value| ["digest", "in", "result"].map(|key| row[key].clone());
        let rows = |rows: &Value| rows.as_array().unwrap().iter().map(row).collect::<Vec<_>>();
        assert_eq!(rows(&shown["records"]), rows(&case["rows"]), "{}", case["name"]);
    }
}
