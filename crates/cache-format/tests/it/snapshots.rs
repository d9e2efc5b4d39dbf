//! Small texts to look at: each form of a manifest, samples of configs, the messages of bad input.

use cache_format::{
    CacheManifest, Form, FormatError, ImageConfig, ManifestOrIndex, Packed, decode_config,
    decode_record_line, encode_config,
};
use cache_model::{
    CacheConfigBuilder, ConfigLayer, ConfigResult, Descriptor, Digest, LayerAnnotations, MediaType,
    RecordDigest, Timestamp,
};

fn layer(n: u8, media_type: &str) -> Descriptor {
    Descriptor::new(MediaType::new(media_type), Digest::sha256([n; 32]), u64::from(n))
        .with_annotation("containerd.io/uncompressed", &Digest::sha256([n + 100; 32]).to_string())
}

fn config() -> Descriptor {
    Descriptor::new(MediaType::CACHE_CONFIG, Digest::sha256([9; 32]), 77)
}

fn pack(form: Form, layers: &[Descriptor], config: Descriptor) -> Result<Packed, FormatError> {
    CacheManifest::new(form, config, layers.to_vec()).pack(Vec::new())
}

#[test]
fn each_form_of_a_manifest() {
    let layers = [
        layer(1, "application/vnd.oci.image.layer.v1.tar+gzip"),
        layer(2, "application/vnd.docker.image.rootfs.diff.tar"),
        layer(3, "application/x-unknown"),
        layer(1, "application/vnd.oci.image.layer.v1.tar+gzip"),
    ];
    for form in [Form::Manifest, Form::Index, Form::DockerList] {
        let built = pack(form, &layers, config()).unwrap();
        let root = &built.root;
        let text =
            String::from_utf8(ManifestOrIndex::decode(&root.bytes).unwrap().encode_indented()).unwrap();
        let warnings: String = built.warnings.iter().map(|warning| format!("\n{warning}")).collect();
        insta::assert_snapshot!(format!("form_{form}"), format!("{:?}\n{text}{warnings}", root.descriptor));
    }
}

#[test]
fn a_manifest_with_everything() {
    let mut manifest = CacheManifest {
        form: Form::Manifest,
        layers: vec![layer(1, "application/vnd.oci.image.layer.v1.tar+zstd")],
        config: config(),
        artifact_type: "application/x-artifact".to_owned(),
        subject: Some(Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256([5; 32]), 5)),
        annotations: [("b", "<2>"), ("a", "1")].into_iter().collect(),
    };
    let as_manifest =
        String::from_utf8(manifest.clone().pack(Vec::new()).unwrap().root.bytes.into()).unwrap();
    manifest.form = Form::Index;
    let as_index = String::from_utf8(manifest.pack(Vec::new()).unwrap().root.bytes.into()).unwrap();
    insta::assert_snapshot!("with_everything", format!("{as_manifest}\n\n{as_index}"));
}

#[test]
fn a_config_with_everything() {
    let time: Timestamp = "2026-01-02T03:04:05.120+01:00".parse().unwrap();
    let mut builder = CacheConfigBuilder::new();
    let annotations = LayerAnnotations {
        media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
        diff_id: Digest::sha256([8; 32]).to_string(),
        size: 1234,
        created_at: time,
    };
    let empty = LayerAnnotations {
        media_type: String::new(),
        diff_id: String::new(),
        size: 0,
        created_at: Timestamp::ZERO,
    };
    for (n, parent, annotations) in [(1, -1, Some(annotations)), (2, 0, None), (3, 1, Some(empty))] {
        let annotations = annotations.map(Box::new);
        builder.layer(ConfigLayer { blob: Some(Digest::sha256([n; 32])), parent, annotations });
    }
    builder.layer(ConfigLayer { blob: None, parent: 0, annotations: None });
    builder.record(RecordDigest::new("sha256:root <&>\u{2028}\"\n"));
    let mut full = builder.record(RecordDigest::from(Digest::sha256([4; 32])));
    full.result(ConfigResult::new(0, Timestamp::ZERO)).result(ConfigResult::new(2, time));
    full.chain(&[0, 1], time).chain(&[], Timestamp::ZERO);
    full.input().link("/src", 0).link("", 0);
    full.input();
    builder.record(RecordDigest::new(""));
    insta::assert_snapshot!(
        "config_with_everything",
        String::from_utf8(encode_config(&builder.finish())).unwrap()
    );
}

#[test]
fn the_messages_of_bad_input() {
    let mut report = String::new();
    let mut note = |title: &str, text: &str, error: Option<FormatError>| {
        let message =
            error.map_or_else(|| "no error".to_owned(), |error| format!("[{:?}] {error}", error.kind()));
        report.push_str(&format!("{title}: {text}\n    {message}\n"));
    };
    let digest = Digest::sha256([1; 32]).to_string();
    for text in [
        "",
        "[]",
        "{",
        "{} {}",
        r#"{"layers":{}}"#,
        r#"{"layers":[{"parent":-1},{"blob":"sha256:xyz"}]}"#,
        r#"{"layers":[{"blob":"../../etc/passwd"}]}"#,
        r#"{"layers":[{"parent":4294967296}]}"#,
        r#"{"layers":[{"annotations":{"size":"5"}}]}"#,
        r#"{"records":[{},{"inputs":[[{"link":1099511627776}]]}]}"#,
        r#"{"records":[{"inputs":[[{"link":1e300}]]}]}"#,
        r#"{"records":[{"inputs":[{"link":0}]}]}"#,
        r#"{"records":[{"layers":[{"layer":0,"createdAt":"yesterday"}]}]}"#,
        r#"{"records":[{"layers":[{"layer":0.5}]}]}"#,
        r#"{"records":[{"chains":[{"layers":[-3000000000]}]}]}"#,
        r#"{"records":[{"digest":5}]}"#,
        r#"{"records":[{"digest":"a","digest":"b"}]}"#,
        "{\n  \"records\": [\n    {\"digest\": tru}\n  ]\n}",
    ] {
        note("config", text, decode_config(text.as_bytes()).err());
    }
    let index = r#""mediaType":"application/vnd.oci.image.index.v1+json""#;
    let manifest = r#""mediaType":"application/vnd.docker.distribution.manifest.v2+json""#;
    let entry = format!(r#"{{"mediaType":"a/b","digest":"{digest}","size":1}}"#);
    for text in [
        "<html>",
        "null",
        "{}",
        r#"{"manifests":5}"#,
        r#"{"manifests":[null]}"#,
        r#"{"manifests":[{"digest":"sha256:0","size":1}]}"#,
        &format!(r#"{{"manifests":[{entry},{{"digest":"{digest}","size":-1}}]}}"#),
        &format!(r#"{{"manifests":[{{"digest":"{digest}"}}]}}"#),
        &format!(r#"{{"manifests":[{{"size":1}}],{index}}}"#),
        &format!(r#"{{"config":{{"digest":"{digest}","size":1,"annotations":[]}}}}"#),
        &format!(r#"{{"config":{entry},"manifests":[]}}"#),
        &format!(r#"{{"config":{entry},{index}}}"#),
        &format!(r#"{{"manifests":[],{manifest}}}"#),
        r#"{"layers":[]}"#,
        r#"{"schemaVersion":1,"name":"a","fsLayers":[{"blobSum":"b"}],"history":[]}"#,
        r#"{"layers":[{"blob":"b"}],"records":[{"digest":"d"}]}"#,
        r#"{"architecture":"amd64","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#,
        r#"{"schemaVersion":-1,"manifests":[]}"#,
    ] {
        note("document", text, ManifestOrIndex::decode(text.as_bytes()).err());
    }
    for text in [
        "",
        "null",
        "{}",
        r#"{"digest":null}"#,
        r#"{"digest":"a","input":[]}"#,
        r#"{"digest":"a","inputs":[[{"selector":"s"}]]}"#,
        r#"{"digest":"a","inputs":[[{"record":-1}]]}"#,
        r#"{"digest":"a","results":[{"layers":[]}]}"#,
        r#"{"digest":"a","results":[{"createdAt":"2026-01-02T03:04:05Z"}]}"#,
        r#"{"digest":"a","results":[{"createdAt":"2026-01-02T03:04:05Z","layers":[{"digest":"x","size":1}]}]}"#,
    ] {
        note("record line", text, decode_record_line(text.as_bytes()).err());
    }
    for text in [
        r#"{"rootfs":{"diff_ids":["sha256:0"]}}"#,
        r#"{"history":[{"created":"2026-13-01T00:00:00Z"}]}"#,
        r#"{"history":[{},{"empty_layer":1}]}"#,
        r#"{"moby.buildkit.cache.v0":[]}"#,
    ] {
        note("image config", text, ImageConfig::decode(text.as_bytes()).err());
    }
    note("form", "oci", "oci".parse::<Form>().err());
    note(
        "form",
        "image-manifest=true,oci-mediatypes=false",
        Form::from_attributes(Some(true), Some(false)).err(),
    );
    note("build", "an image's config", pack(Form::Index, &[], layer(1, "a/b")).err());
    note("build", "a config as a layer", pack(Form::Index, &[layer(1, "a/b"), config()], config()).err());
    let sized = |size, descriptor: Descriptor| Descriptor { size, ..descriptor };
    let largest = i64::MAX.unsigned_abs();
    let huge = |descriptor| sized(largest + 1, descriptor);
    note(
        "build",
        "a layer beyond Go's numbers",
        pack(Form::Index, &[layer(1, "a/b"), huge(layer(2, "a/b"))], config()).err(),
    );
    note("build", "a config beyond Go's numbers", pack(Form::Index, &[], huge(config())).err());
    let built = pack(Form::Index, &[sized(largest, layer(1, "a/b"))], config()).unwrap();
    let mut manifest =
        CacheManifest::from_document(&ManifestOrIndex::decode(&built.root.bytes).unwrap()).unwrap();
    manifest.subject = Some(huge(layer(1, "a/b")));
    note("build", "a subject beyond Go's numbers", manifest.pack(Vec::new()).err());
    insta::assert_snapshot!("messages", report);
}
