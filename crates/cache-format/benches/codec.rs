//! How fast configs and manifests are read and written. Inputs are made here, none is read from disk.

#![allow(missing_docs, reason = "the macros of criterion make undocumented items")]
#![allow(clippy::unwrap_used, reason = "a benchmark that fails should stop")]

use std::hint::black_box;

use cache_format::{CacheManifest, Form, ManifestOrIndex, decode_config, encode_config};
use cache_model::{
    CacheConfig, CacheConfigBuilder, ConfigLayer, ConfigResult, Descriptor, Digest, MediaType, RecordDigest,
    Timestamp,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const RECORDS: i32 = 50_000;
const LAYERS: i32 = 10_000;

fn digest(kind: &str, n: i32) -> Digest {
    Digest::of(format!("{kind}{n}"))
}

fn time(n: i32) -> Timestamp {
    Timestamp::from_unix(1_770_000_000 + i64::from(n), 123_456_789).unwrap()
}

/// Records with two inputs of two links each, every fourth link under a selector, every second record with a layer.
fn config() -> CacheConfig {
    let mut builder = CacheConfigBuilder::new();
    for n in 0..RECORDS / 2 {
        builder.layer(ConfigLayer { blob: Some(digest("layer", n)), parent: n - 1, annotations: None });
    }
    for n in 0..RECORDS {
        let mut record = builder.record(RecordDigest::from(digest("record", n)));
        if n % 2 == 1 {
            record.result(ConfigResult::new(n / 2, time(n)));
        }
        for input in 0..if n < 4 { 0 } else { 2 } {
            let selector = if n % 2 == 0 { digest("selector", n % 50).to_string() } else { String::new() };
            record.input().link(&selector, n - 1 - input).link("", n - 3 - input);
        }
    }
    builder.finish()
}

fn layers() -> Vec<Descriptor> {
    let layer = |n| {
        Descriptor::new(MediaType::OCI_LAYER_GZIP, digest("layer", n), 1_000_000)
            .with_annotation("buildkit/createdat", &time(n).to_string())
            .with_annotation("containerd.io/uncompressed", &digest("diff", n).to_string())
    };
    (0..LAYERS).map(layer).collect()
}

fn configs(c: &mut Criterion) {
    let config = config();
    let text = encode_config(&config);
    let mut group = c.benchmark_group("config");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("decode", |b| b.iter(|| decode_config(black_box(&text))));
    group.bench_function("encode", |b| b.iter(|| encode_config(black_box(&config))));
    group.finish();
}

fn manifests(c: &mut Criterion) {
    let layers = layers();
    let config = Descriptor::new(MediaType::CACHE_CONFIG, digest("config", 0), 2);
    let pack = |form, layers: &[Descriptor]| {
        CacheManifest::new(form, config.clone(), layers.to_vec()).pack(Vec::new()).unwrap().root.bytes
    };
    let text = pack(Form::Manifest, &layers);
    let document = ManifestOrIndex::decode(&text).unwrap();
    let mut group = c.benchmark_group("manifest");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("decode", |b| b.iter(|| ManifestOrIndex::decode(black_box(&text))));
    group.bench_function("encode", |b| b.iter(|| black_box(&document).encode()));
    group.bench_function("build", |b| b.iter(|| pack(Form::DockerList, black_box(&layers))));
    group.finish();
}

criterion_group!(codec, configs, manifests);
criterion_main!(codec);
