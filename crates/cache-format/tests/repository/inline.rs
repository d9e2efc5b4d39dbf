//! Inline caches, real and made up.

use cache_format::{
    ImageConfig, ImageManifest, InlineCache, InlineOutcome, ManifestOrIndex, NoInlineCache, encode_records,
    read_inline,
};
use cache_model::{Descriptor, Digest, MediaType};
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::data::Fixture;

fn image(fixture: &Fixture) -> (ImageManifest, Vec<u8>) {
    let ManifestOrIndex::Manifest(manifest) = ManifestOrIndex::decode(&fixture.manifest()).unwrap() else {
        panic!()
    };
    let config = fixture.blob(&manifest.config.digest);
    (manifest, config)
}

/// An image of `layers` layers and the members of its config.
fn read(layers: u8, config: &Value) -> Result<InlineOutcome, cache_format::FormatError> {
    let layer = |n| Descriptor::new(MediaType::OCI_LAYER_TAR, Digest::sha256([n; 32]), 1);
    let manifest = ImageManifest {
        schema_version: 2,
        media_type: MediaType::OCI_MANIFEST,
        artifact_type: String::new(),
        config: Descriptor::new(MediaType::OCI_IMAGE_CONFIG, Digest::sha256([99; 32]), 2),
        layers: (0..layers).map(|n| layer(n).with_annotation("buildkit/createdat", "old")).collect(),
        subject: None,
        annotations: cache_model::Annotations::default(),
    };
    read_inline(&manifest, config.to_string().as_bytes())
}

fn found(outcome: InlineOutcome) -> InlineCache {
    match outcome {
        InlineOutcome::Cache(cache) => cache,
        InlineOutcome::Absent(why) => panic!("{why}"),
    }
}

fn diff_ids(count: u8) -> Value {
    (0..count).map(|n| Digest::sha256([n + 100; 32]).to_string()).collect()
}

#[test]
fn the_inline_cache_of_a_real_image_is_read() {
    for name in ["inline-oci-true", "inline-oci-false"] {
        let (manifest, config) = image(&Fixture::named(name));
        let cache = found(read_inline(&manifest, &config).unwrap());
        assert_eq!(cache.layers.len(), 3);
        let parents: Vec<_> = cache.config.layers().iter().map(|l| (l.blob, l.parent)).collect();
        let want: Vec<_> =
            manifest.layers.iter().zip(-1..).map(|(l, parent)| (Some(l.digest), parent)).collect();
        assert_eq!(parents, want);
        let encoded: Value = serde_json::from_slice(&config).unwrap();
        let records = BASE64.decode(encoded["moby.buildkit.cache.v0"].as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(encode_records(&cache.config), records);
        assert!(cache.config.records().any(|record| record.chains().len() > 0));
        insta::assert_debug_snapshot!(name, cache.layers);
    }
}

#[test]
fn the_history_of_a_real_image_is_read() {
    let (_, config) = image(&Fixture::named("inline-oci-true"));
    let config = ImageConfig::decode(&config).unwrap();
    assert_eq!(config.diff_ids.len(), 3);
    assert_eq!(config.history.len(), 4);
    let steps: Vec<_> = config.layer_steps().map(|step| step.created_by.as_str()).collect();
    assert_eq!(
        steps,
        [
            "COPY /app.bin /app.bin # buildkit",
            "COPY /docs.bin /docs.bin # buildkit",
            "COPY /app.sum /app.sum # buildkit"
        ]
    );
}

#[test]
fn an_image_without_the_member_has_no_cache() {
    for config in
        [json!({}), json!({"moby.buildkit.cache.v0": null}), json!({"rootfs": null, "history": null})]
    {
        assert_eq!(read(0, &config).unwrap(), InlineOutcome::Absent(NoInlineCache::NoField));
    }
}

#[test]
fn an_image_whose_layers_are_not_those_of_its_config_is_skipped() {
    let config =
        json!({"moby.buildkit.cache.v0": "W10=", "rootfs": {"type": "layers", "diff_ids": diff_ids(1)}});
    let why = NoInlineCache::LayerCount { layers: 2, diff_ids: 1 };
    assert_eq!(read(2, &config).unwrap(), InlineOutcome::Absent(why));
    assert_eq!(
        why.to_string(),
        "the image's manifest has 2 layers but its config has 1 diff IDs, so its inline cache cannot be used"
    );
    assert!(matches!(read(1, &config).unwrap(), InlineOutcome::Cache(_)));
}

#[test]
fn a_history_shorter_than_the_layers_gives_fewer_annotations() {
    let config = json!({
        "moby.buildkit.cache.v0": BASE64.encode(br#"[{"digest":"r","chains":[{"layers":[2,0]}]}]"#),
        "rootfs": {"diff_ids": diff_ids(3)},
        "history": [
            {"created": "2026-01-02T03:04:05.60+02:00", "created_by": "first", "empty_layer": false},
            {"created": "2026-01-02T03:04:06Z", "created_by": "nothing", "empty_layer": true},
            {"created": null, "created_by": ""},
        ],
    });
    let cache = found(read(3, &config).unwrap());
    let annotations: Vec<Vec<_>> = cache
        .layers
        .iter()
        .map(|layer| layer.annotations.iter().filter(|(key, _)| key.starts_with("buildkit")).collect())
        .collect();
    assert_eq!(
        annotations,
        [
            vec![("buildkit/createdat", "2026-01-02T03:04:05.6+02:00"), ("buildkit/description", "first")],
            vec![("buildkit/createdat", "old")],
            vec![("buildkit/createdat", "old")],
        ]
    );
    let diff_ids: Vec<_> = cache.layers.iter().map(|layer| layer.diff_id().unwrap()).collect();
    assert_eq!(diff_ids, [100, 101, 102].map(|n| Digest::sha256([n; 32])));
}

#[test]
fn base64_is_read_as_leniently_as_go_does() {
    let read = |text: &str| read(0, &json!({ "moby.buildkit.cache.v0": text }));
    assert!(matches!(read("W1\r\n0=\n").unwrap(), InlineOutcome::Cache(_)));
    assert!(matches!(read("W11=").unwrap(), InlineOutcome::Cache(_)));
    for bad in ["W10", "W1 0=", "!!!!", "", "W10=W10="] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
}
