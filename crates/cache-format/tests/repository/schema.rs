//! The schema of record lines allows exactly the lines that the reader accepts.

use cache_format::{RecordLine, decode_record_line};
use serde_json::{Map, Value, json};

use crate::data::vectors;

const SCHEMA: &str = include_str!("../../records.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// A line with every member of the schema.
fn full_line() -> Value {
    let digest = format!("sha256:{}", "ab".repeat(32));
    json!({
        "digest": "sha256:run",
        "inputs": [[{"record": 0, "selector": "/src"}]],
        "results": [{"createdAt": "2026-01-02T03:04:05Z", "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": 5,
            "urls": ["https://example.com/"], "annotations": {"a": "b"}, "data": "e30=",
            "platform": {
                "architecture": "arm", "os": "linux", "os.version": "1", "os.features": ["f"], "variant": "v7",
            },
            "artifactType": "a/b",
        }]}],
        "outcome": "added",
        "error": {"any": ["thing"]},
    })
}

/// The place of each object of the schema in [`full_line`].
const OBJECTS: [(&str, &str); 5] = [
    ("record", ""),
    ("link", "/inputs/0/0"),
    ("result", "/results/0"),
    ("descriptor", "/results/0/layers/0"),
    ("platform", "/results/0/layers/0/platform"),
];

fn decode(line: &Value) -> Result<RecordLine, String> {
    decode_record_line(line.to_string().as_bytes()).map_err(|error| error.to_string())
}

fn object<'a>(line: &'a mut Value, place: &str) -> &'a mut Map<String, Value> {
    line.pointer_mut(place).unwrap().as_object_mut().unwrap()
}

/// The violations of the schema in a value. Knows the part of JSON Schema that this schema uses.
fn violations(schema: &Value, rule: &Value, value: &Value, place: &str) -> Vec<String> {
    if let Some(target) = rule["$ref"].as_str() {
        return violations(schema, schema.pointer(target.trim_start_matches('#')).unwrap(), value, place);
    }
    let mut found = Vec::new();
    if rule["type"].is_null() {
        return found;
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &rule["type"] {
        Value::Array(kinds) => kinds.iter().any(|k| k == kind),
        one => one == kind,
    };
    if !allowed {
        found.push(format!("{place}: {kind}"));
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(violations(schema, &rule["items"], item, &format!("{place}/{n}")));
    }
    for required in rule["required"].as_array().into_iter().flatten() {
        if value.is_object() && value.get(required.as_str().unwrap()).is_none() {
            found.push(format!("{place}: {required} is missing"));
        }
    }
    for (key, member) in value.as_object().into_iter().flatten() {
        let rule = match rule["properties"].get(key) {
            Some(rule) => rule,
            None if rule["additionalProperties"].is_object() => &rule["additionalProperties"],
            None => {
                found.push(format!("{place}: {key} is unknown"));
                continue;
            }
        };
        found.extend(violations(schema, rule, member, &format!("{place}/{key}")));
    }
    found
}

#[test]
fn every_line_of_the_vectors_is_as_the_schema_says() {
    let schema = schema();
    for file in ["chains.ndjson", "canonical.ndjson"] {
        for vector in vectors(file) {
            for op in vector["ops"].as_array().unwrap() {
                assert_eq!(violations(&schema, &schema, op, ""), Vec::<String>::new());
            }
        }
    }
    assert_eq!(violations(&schema, &schema, &full_line(), ""), Vec::<String>::new());
}

#[test]
fn a_line_with_every_member_of_the_schema_is_read_and_no_member_is_left_untested() {
    let mut line = full_line();
    for (name, place) in OBJECTS {
        let known: Vec<String> =
            schema()["$defs"][name]["properties"].as_object().unwrap().keys().cloned().collect();
        let tested: Vec<String> = object(&mut line, place).keys().cloned().collect();
        assert_eq!(known, tested, "{name}");
    }
    decode(&line).unwrap();
}

#[test]
fn the_reader_requires_the_members_that_the_schema_requires_and_no_others() {
    for (name, place) in OBJECTS {
        let definition = &schema()["$defs"][name];
        for key in definition["properties"].as_object().unwrap().keys() {
            let required =
                definition["required"].as_array().is_some_and(|list| list.iter().any(|k| k == key.as_str()));
            let mut line = full_line();
            object(&mut line, place).remove(key);
            let read = decode(&line);
            assert_eq!(read.is_err(), required, "{name}: {key}");
            if let Err(message) = read {
                assert!(message.contains(&format!("{key} is missing")), "{message}");
            }
        }
    }
}

#[test]
fn the_reader_takes_null_where_the_schema_does() {
    for (name, place) in OBJECTS {
        for (key, rule) in schema()["$defs"][name]["properties"].as_object().unwrap() {
            let mut line = full_line();
            object(&mut line, place).insert(key.clone(), Value::Null);
            assert_eq!(
                decode(&line).is_ok(),
                violations(&schema(), rule, &Value::Null, "").is_empty(),
                "{name}: {key}"
            );
        }
    }
}

#[test]
fn the_reader_refuses_members_that_the_schema_does_not_know() {
    for (name, place) in OBJECTS {
        let mut line = full_line();
        object(&mut line, place).insert("Digest".to_owned(), json!(1));
        let message = decode(&line).unwrap_err();
        assert!(message.contains("unknown member \"Digest\"; known are "), "{name}: {message}");
    }
}
