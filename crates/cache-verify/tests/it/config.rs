//! Configs and manifests that do not go together, and graphs that make no sense.

use cache_format::{Form, encode_config, pack};
use cache_model::{
    CacheConfigBuilder, ConfigLayer, ConfigResult, Descriptor, MediaType, RecordDigest, Timestamp,
};

use crate::store::Store;
use crate::support::{config, lines, only_finding, publish, publish_bytes, report, three_layers};

fn sound_layers() -> (Store, Vec<Descriptor>) {
    let store = Store::default();
    let mut layers = three_layers(&store);
    layers.sort_by_key(|layer| layer.digest);
    (store, layers)
}

#[tokio::test]
async fn a_config_of_every_form_is_found() {
    for form in [Form::Manifest, Form::Index, Form::DockerList] {
        let (store, layers) = sound_layers();
        let config = config(&[(&layers[0], -1), (&layers[1], 0), (&layers[2], 1)], &[2]);
        store.insert(MediaType::CACHE_CONFIG, encode_config(&config));
        let root = pack(form, &config, &layers).unwrap().root;
        publish_bytes(&store, root.descriptor.media_type, root.bytes).await;
        let report = report(&store).await;
        assert_eq!(lines(&report), "");
        assert_eq!(report.form, Some(form));
    }
}

#[tokio::test]
async fn a_config_that_cannot_be_read_or_makes_no_sense_is_a_finding() {
    let mut all = String::new();
    for text in [
        "not JSON",
        "[]",
        r#"{"records":[{"digest":"sha256:a","inputs":[[{"link":1}]]},{"digest":"sha256:b","inputs":[[{"link":0}]]}]}"#,
        r#"{"records":[{"digest":"sha256:a","inputs":[[{"link":7}]]}]}"#,
        r#"{"records":[{"digest":"sha256:a","inputs":[[]]}]}"#,
        r#"{"records":[{"digest":"sha256:a","layers":[{"layer":3,"createdAt":"0001-01-01T00:00:00Z"}]}]}"#,
    ] {
        let store = Store::default();
        publish(&store, &[], text).await;
        let (_, line) = only_finding(&store).await;
        all += &line;
    }
    insta::assert_snapshot!(all);
}

/// Many records of one digest are left out. A finding for each of them would name the positions of all, so there is one
/// finding for each digest.
#[tokio::test]
async fn records_that_are_left_out_are_one_finding_for_each_digest() {
    let record = |digest: &str, inputs: &str| format!(r#"{{"digest":"{digest}","inputs":[[{inputs}]]}}"#);
    let many = 100;
    let mut records = vec![r#"{"digest":"r1"}"#.to_owned(), r#"{"digest":"r2"}"#.to_owned()];
    records.extend([record("a", r#"{"link":0}"#), record("a", r#"{"link":1}"#)]);
    records.extend((0..many).map(|n| record("x", &format!(r#"{{"selector":"{n}","link":3}}"#))));
    let back: String = (0..many).map(|n| format!(r#",{{"link":{}}}"#, 4 + n)).collect();
    records.push(record("a", &format!(r#"{{"link":0}}{back}"#)));
    records.push(record("a", r#"{"link":0},{"link":1}"#));
    let store = Store::default();
    publish(&store, &[], format!(r#"{{"records":[{}]}}"#, records.join(","))).await;
    let codes: Vec<_> = report(&store).await.findings.iter().map(|finding| finding.kind.code()).collect();
    assert_eq!(codes, ["duplicate-record", "record-left-out"]);
}

/// The codes of the findings about a cache with these records and one layer that no result uses.
async fn codes_for(records: &[String]) -> Vec<&'static str> {
    let (store, layers) = sound_layers();
    let layer = &layers[0];
    let layers = format!(r#"[{{"blob":"{}","parent":-1}}]"#, layer.digest);
    publish(
        &store,
        std::slice::from_ref(layer),
        format!(r#"{{"layers":{layers},"records":[{}]}}"#, records.join(",")),
    )
    .await;
    let report = report(&store).await;
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.kind.code()).collect();
    assert_eq!(report.is_sound(), !codes.contains(&"graph-tangled"), "{}", lines(&report));
    codes
}

#[tokio::test]
async fn a_config_that_takes_too_long_to_read_by_buildkits_rule_is_an_error() {
    // Each record has one of two links in each input, and no two records have the same ones.
    let mut records = vec![r#"{"digest":"r0"}"#.to_owned(), r#"{"digest":"r1"}"#.to_owned()];
    records.extend((0..1 << 11).map(|n: usize| {
        let inputs: Vec<_> = (0..11).map(|bit| format!(r#"[{{"link":{}}}]"#, n >> bit & 1)).collect();
        format!(r#"{{"digest":"x","inputs":[{}]}}"#, inputs.join(","))
    }));
    assert_eq!(codes_for(&records).await, ["graph-tangled", "unreachable-layer"]);
}

#[tokio::test]
async fn a_config_that_takes_too_long_to_read_by_the_closed_rule_only_is_a_warning() {
    // All records share the link of one input and none of the many links of the other. BuildKit's rule looks for a shared
    // link only, the closed rule compares each record with all others.
    let mut records = vec![r#"{"digest":"r0"}"#.to_owned(), r#"{"digest":"r1"}"#.to_owned()];
    records.extend((0..175).map(|n| {
        let own: Vec<_> = (0..180).map(|m| format!(r#"{{"selector":"{n:x} {m:x}","link":1}}"#)).collect();
        format!(r#"{{"digest":"x","inputs":[[{{"link":0}}],[{}]]}}"#, own.join(","))
    }));
    assert_eq!(codes_for(&records).await, ["merge-tangled", "unreachable-layer"]);
}

#[tokio::test]
async fn the_layers_of_an_unsound_config_are_checked_all_the_same() {
    let (store, layers) = sound_layers();
    publish(&store, &layers, "not JSON").await;
    store.memory.remove(&layers[1].digest);
    let codes: Vec<_> = report(&store).await.findings.iter().map(|f| f.kind.code()).collect();
    assert_eq!(codes, ["config-unreadable", "missing-blob"]);
}

#[tokio::test]
async fn a_config_that_is_missing_is_named() {
    let (store, layers) = sound_layers();
    let text = encode_config(&config(&[(&layers[0], -1)], &[0]));
    publish(&store, &layers[..1], text.clone()).await;
    store.memory.remove(&crate::support::sha256(&text));
    insta::assert_snapshot!(only_finding(&store).await.1, @"error missing-blob: config sha256:#0: it is missing; export the cache again");
}

#[tokio::test]
async fn a_manifest_that_lists_the_layers_in_another_order_is_a_warning() {
    let (store, layers) = sound_layers();
    let text = encode_config(&config(&[(&layers[0], -1), (&layers[1], 0), (&layers[2], 1)], &[2]));
    let swapped = [layers[0].clone(), layers[2].clone(), layers[1].clone()];
    publish(&store, &swapped, text.clone()).await;
    insta::assert_snapshot!(only_finding(&store).await.1, @"warning layer-list-mismatch: manifest sha256:#0: it lists 3 layers, the config has 3, and the first difference is at position 1; BuildKit finds them by digest all the same");
    let repeated = [&layers[..], &layers[1..2]].concat();
    publish(&store, &repeated, text).await;
    insta::assert_snapshot!(only_finding(&store).await.1, @"warning layer-list-mismatch: manifest sha256:#0: it lists 4 layers, the config has 3, and the first difference is at position 3; BuildKit finds them by digest all the same");
}

#[tokio::test]
async fn a_blob_that_only_the_manifest_knows_is_a_warning() {
    let (store, layers) = sound_layers();
    let text = encode_config(&config(&[(&layers[0], -1), (&layers[2], 0)], &[1]));
    publish(&store, &layers, text).await;
    insta::assert_snapshot!(only_finding(&store).await.1, @"warning layer-not-in-config: blob sha256:#0: the manifest lists it, but no layer of the config has this blob; nothing uses it");
}

#[tokio::test]
async fn a_blob_that_the_manifest_does_not_list_loses_every_result_on_it() {
    let (store, layers) = sound_layers();
    let text = encode_config(&config(&[(&layers[0], -1), (&layers[1], 0), (&layers[2], 1)], &[0, 1, 2]));
    publish(&store, &[layers[0].clone(), layers[2].clone()], text).await;
    let report = report(&store).await;
    assert_eq!(report.findings[1].records(), [2]);
    insta::assert_snapshot!(lines(&report), @r"
    error dropped-result: record 1 (sha256:record-1): a result is lost on import: its layer 1 has the blob sha256:#0, which the manifest does not list
    error dropped-result: record 2 (sha256:record-2): a result is lost on import: its layer 1 has the blob sha256:#0, which the manifest does not list
    ");
}

#[tokio::test]
async fn a_layer_that_no_result_reaches_is_a_warning() {
    let (store, layers) = sound_layers();
    let text = encode_config(&config(&[(&layers[0], -1), (&layers[1], 0), (&layers[2], 1)], &[1]));
    publish(&store, &layers, text).await;
    insta::assert_snapshot!(only_finding(&store).await.1, @"warning unreachable-layer: layer 2 (sha256:#0): no result of a record reaches it; nothing uses it");
}

#[tokio::test]
async fn a_listed_result_reaches_its_layers_and_a_random_record_reaches_none() {
    let (store, layers) = sound_layers();
    let mut builder = CacheConfigBuilder::new();
    for layer in &layers {
        builder.layer(ConfigLayer { blob: Some(layer.digest), parent: -1, annotations: None });
    }
    builder.record("sha256:a".into()).chain(&[0, 1], Timestamp::ZERO);
    builder.record("random:b".into()).result(ConfigResult::new(2, Timestamp::ZERO));
    publish(&store, &layers, encode_config(&builder.finish())).await;
    let (code, line) = only_finding(&store).await;
    assert_eq!(code, "unreachable-layer");
    assert!(line.contains("layer 2"), "{line}");
}

#[tokio::test]
async fn a_layer_that_stands_twice_is_a_warning() {
    let (store, layers) = sound_layers();
    let text = encode_config(&config(&[(&layers[0], -1), (&layers[1], 0), (&layers[1], 0)], &[1, 2]));
    publish(&store, &[layers[0].clone(), layers[1].clone(), layers[1].clone()], text).await;
    insta::assert_snapshot!(only_finding(&store).await.1, @"warning duplicate-layer: layer 2 (sha256:#0): it has the blob and the parent of layer 1; one of the two is redundant");
}

#[tokio::test]
async fn records_that_mean_the_same_are_a_warning() {
    let (store, layers) = sound_layers();
    let mut builder = CacheConfigBuilder::new();
    builder.layer(ConfigLayer { blob: Some(layers[0].digest), parent: -1, annotations: None });
    builder.record(RecordDigest::new("sha256:root"));
    for _ in 0..3 {
        let mut record = builder.record(RecordDigest::new("sha256:run"));
        record.input().link("", 0);
        record.result(ConfigResult::new(0, Timestamp::ZERO));
    }
    publish(&store, &layers[..1], encode_config(&builder.finish())).await;
    let report = report(&store).await;
    assert_eq!(report.findings[0].records(), [1, 2, 3]);
    insta::assert_snapshot!(lines(&report), @"warning duplicate-record: records 1, 2, 3 (sha256:run): they mean the same and count as 1; merging the cache unites them");
}

#[tokio::test]
async fn what_buildkit_would_not_import_for_its_size_is_a_warning() {
    let store = Store::default();
    let mut builder = CacheConfigBuilder::new();
    for n in 0..30_000 {
        builder.record(RecordDigest::new(&format!("sha256:{n:064}")));
    }
    publish(&store, &[], encode_config(&builder.finish())).await;
    insta::assert_snapshot!(only_finding(&store).await.1, @"warning above-import-limit: config sha256:#0: it has 2,550,013 bytes, and BuildKit imports at most 1,048,576; a cache with fewer records is smaller (mode=min, or one for each target)");
}

#[tokio::test]
async fn a_sound_config_in_any_order_has_no_finding() {
    let (store, layers) = sound_layers();
    let text = encode_config(&config(&[(&layers[1], -1), (&layers[0], -1)], &[0, 1]));
    publish(&store, &[layers[1].clone(), layers[0].clone()], text).await;
    assert_eq!(report(&store).await.findings, []);
}
