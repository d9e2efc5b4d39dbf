//! The stages of the graph, one by one: loading, reading by either rule, marshalling, uniting.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]

use cache_model::{
    CacheChains, CacheConfig, CacheConfigBuilder, ConfigLayer, ConfigResult, Descriptor, Digest, MediaType,
    RecordDigest, Rule, Timestamp,
};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// A cache of `records` records, each on up to three earlier ones near it, every second one with a result.
fn cache(records: u32) -> (CacheConfig, Vec<Descriptor>) {
    let hash = |kind: u8, n: u32| {
        let mut bytes = [kind; 32];
        bytes[..4].copy_from_slice(&n.wrapping_mul(0x9E37_79B9).to_be_bytes());
        bytes[4..8].copy_from_slice(&n.to_be_bytes());
        bytes
    };
    let gzip = MediaType::OCI_LAYER_GZIP;
    let mut builder = CacheConfigBuilder::new();
    let mut descriptors = Vec::new();
    for n in 0..records {
        let mut result = None;
        if n % 2 == 1 {
            let layer = i32::try_from(descriptors.len()).unwrap();
            let blob = Digest::sha256(hash(b'l', n));
            let parent = if layer % 60 == 0 { -1 } else { layer - 1 };
            builder.layer(ConfigLayer { blob: Some(blob), parent, annotations: None });
            descriptors.push(Descriptor::new(gzip.clone(), blob, u64::from(n)));
            result = Some(ConfigResult::new(layer, Timestamp::from_unix(i64::from(n), 0).unwrap()));
        }
        let mut record = builder.record(RecordDigest::sha256(hash(b'r', n)));
        if let Some(result) = result {
            record.result(result);
        }
        for input in 0..n.min(3) {
            let source = n - 1 - (n.wrapping_mul(7 + input) % n.min(100));
            let selector = if input == 1 { "sha256:selector" } else { "" };
            record.input().link(selector, i32::try_from(source).unwrap());
        }
    }
    (builder.finish(), descriptors)
}

fn stages(criterion: &mut Criterion) {
    for records in [1_000, 100_000] {
        let (config, descriptors) = cache(records);
        let load = || CacheChains::from_config(&config, &descriptors).unwrap().chains;
        let chains = load();
        let mut closed = load();
        closed.unite(&chains).unwrap();
        let mut doubled = closed.clone();
        doubled.set_rule(Rule::BuildKit);
        let graph = chains.graph().unwrap();

        let mut group = criterion.benchmark_group("graph");
        group.throughput(Throughput::Elements(u64::from(records)));
        group.sample_size(if records > 10_000 { 10 } else { 50 });
        group.bench_function(BenchmarkId::new("load", records), |b| b.iter_with_large_drop(load));
        group
            .bench_function(BenchmarkId::new("read", records), |b| b.iter_with_large_drop(|| chains.graph()));
        group.bench_function(BenchmarkId::new("marshal", records), |b| {
            b.iter_with_large_drop(|| graph.marshal(&|_| true));
        });
        group.bench_function(BenchmarkId::new("read overlapping", records), |b| {
            b.iter_with_large_drop(|| doubled.graph());
        });
        group.bench_function(BenchmarkId::new("close overlapping", records), |b| {
            b.iter_with_large_drop(|| closed.graph());
        });
        group.bench_function(BenchmarkId::new("unite", records), |b| {
            b.iter_batched(|| chains.clone(), |mut first| first.unite(&chains), BatchSize::LargeInput);
        });
        group.finish();
    }
}

criterion_group!(benches, stages);
criterion_main!(benches);
