//! Small caches made on the spot, and findings as text.

use std::io::Write;

use bytes::Bytes;
use cache_format::{CacheManifest, Form, encode_config};
use cache_ingest::{Expect, Hasher, Job, Name, Publisher};
use cache_model::{
    ANNOTATION_DIFF_ID, Algorithm, CacheChains, CacheConfig, CacheConfigBuilder, ConfigLayer, ConfigResult,
    Descriptor, Digest, Link, MediaType, NewResult, RecordDigest, Timestamp,
};
use cache_verify::{Report, VerifyOptions, verify};

use crate::store::Store;

pub(crate) const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Hasher::digest(Algorithm::Sha256, bytes)
}

/// Bytes that begin as a tar does and do not compress well.
pub(crate) fn tar(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8 & 0x3f
    })
    .take(len.max(512))
    .collect();
    bytes[..9].copy_from_slice(b"some/file");
    bytes[257..262].copy_from_slice(b"ustar");
    bytes
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// A layer whose descriptor says the digest of `diff` as its diff ID.
pub(crate) fn layer(store: &Store, media_type: &str, blob: impl Into<Bytes>, diff: &[u8]) -> Descriptor {
    let layer = store.insert(MediaType::new(media_type), blob);
    layer.with_annotation(ANNOTATION_DIFF_ID, &sha256(diff).to_string())
}

/// Three layers, one of each compression.
pub(crate) fn three_layers(store: &Store) -> Vec<Descriptor> {
    let tars = [tar(1, 3000), tar(2, 3000), tar(3, 3000)];
    vec![
        layer(store, GZIP, gzip(&tars[0]), &tars[0]),
        layer(store, ZSTD, zstd(&tars[1]), &tars[1]),
        layer(store, TAR, tars[2].clone(), &tars[2]),
    ]
}

/// A cache with two records, the second of which has a result with all of the layers, and its name. The manifest
/// lists the layers as they are given.
pub(crate) async fn publish_cache(store: &Store, layers: &[Descriptor]) -> Digest {
    let mut chains = CacheChains::new();
    let top = chains.layers(layers).unwrap();
    let base = chains.add(&RecordDigest::new("sha256:base"), &[], &[]).unwrap().unwrap();
    let result = NewResult { created_at: Timestamp::ZERO, layer: top };
    let link = Link { source: base, selector: "" };
    chains.add(&RecordDigest::new("sha256:run"), &[&[link]], &[result]).unwrap();
    let marshalled = chains.marshal(&|_| true).unwrap();
    let in_order: Vec<_> = marshalled
        .config
        .layers()
        .iter()
        .map(|wanted| layers.iter().find(|layer| Some(layer.digest) == wanted.blob).unwrap().clone())
        .collect();
    publish(store, &in_order, encode_config(&marshalled.config)).await
}

/// A cache with these layers and this config.
pub(crate) async fn publish(store: &Store, layers: &[Descriptor], config: impl Into<Bytes>) -> Digest {
    let config = store.insert(MediaType::CACHE_CONFIG, config);
    let root = CacheManifest::new(Form::Manifest, config, layers.to_vec()).pack(Vec::new()).unwrap().root;
    publish_bytes(store, root.descriptor.media_type, root.bytes).await
}

/// Any bytes under the name.
pub(crate) async fn publish_bytes(store: &Store, media_type: MediaType, bytes: impl Into<Bytes>) -> Digest {
    let bytes = bytes.into();
    let descriptor = Descriptor::new(media_type, sha256(&bytes), bytes.len() as u64);
    store.memory.publish(&Name::Unspecified, &descriptor, bytes, Expect::Any).await.unwrap();
    descriptor.digest
}

/// A config whose layers are given as blob and parent, with a record for each result.
pub(crate) fn config(layers: &[(&Descriptor, i32)], results: &[i32]) -> CacheConfig {
    let mut builder = CacheConfigBuilder::new();
    for (layer, parent) in layers {
        builder.layer(ConfigLayer { blob: Some(layer.digest), parent: *parent, annotations: None });
    }
    for (n, layer) in results.iter().enumerate() {
        let record = RecordDigest::new(&format!("sha256:record-{n}"));
        builder.record(record).result(ConfigResult::new(*layer, Timestamp::ZERO));
    }
    builder.finish()
}

pub(crate) fn options() -> VerifyOptions {
    VerifyOptions::default()
}

/// A job that tries nothing again.
pub(crate) fn job() -> Job {
    Job::without_retries()
}

pub(crate) async fn report(store: &Store) -> Report {
    verify(store, &Name::Unspecified, &options(), &job()).await.unwrap()
}

/// A line for each finding, its digests numbered in the order in which they appear.
pub(crate) fn lines(report: &Report) -> String {
    let mut known: Vec<String> = Vec::new();
    let mut lines = String::new();
    for finding in &report.findings {
        lines += &format!("{} {}: {finding}\n", finding.severity(), finding.kind.code());
    }
    let mut out = String::new();
    let mut rest = lines.as_str();
    while let Some(at) = rest.find("sha256:") {
        let (before, from) = rest.split_at(at + 7);
        let hex: String = from.chars().take_while(char::is_ascii_hexdigit).collect();
        out += before;
        if hex.len() == 64 {
            let number = known.iter().position(|known| *known == hex).unwrap_or_else(|| {
                known.push(hex.clone());
                known.len() - 1
            });
            out += &format!("#{number}");
            rest = &from[64..];
        } else {
            rest = from;
        }
    }
    out + rest
}

/// Verifies, and gives the only finding's name and line.
pub(crate) async fn only_finding(store: &Store) -> (&'static str, String) {
    let report = report(store).await;
    let [finding] = report.findings.as_slice() else { panic!("{}", lines(&report)) };
    (finding.kind.code(), lines(&report))
}
