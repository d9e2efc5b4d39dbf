//! Generates caches of any size, always the same bytes for a shape and a number of records.
//!
//! Layers and records are written as text while they are drawn, without the measured crates. The tests pin the bytes by
//! their digests: the figures of two versions compare only if those are the same.

use std::fmt;
use std::io::Write as _;

use cache_model::Timestamp;
use clap::ValueEnum;

use crate::digest::digest_of;
use crate::random::SplitMix;

/// A shape of graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// Each record depends on the one before it
    Chain,
    /// All records depend on the first
    Star,
    /// Records with one to three inputs of one to three links, from the hundred records before
    Dag,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Chain => "chain",
            Self::Star => "star",
            Self::Dag => "dag",
        })
    }
}

/// A generated cache.
pub(crate) struct Cache {
    /// The text of the cache config.
    pub(crate) config: Vec<u8>,
    /// The text of the OCI index that names it and its layers.
    pub(crate) index: Vec<u8>,
}

/// The seed of every cache.
const SEED: u64 = 42;
/// 2026-01-02T03:04:05Z, in seconds since 1970.
const EPOCH: i64 = 1_767_323_045;
/// The time of the first layer and result, in nanoseconds after [`EPOCH`].
const FIRST: u64 = 123_456_789;
/// The number of layers in a stack before a new one begins.
const DEEPEST: u32 = 60;
/// The distance from a record of a `dag` to its farthest source, and the number of its roots.
const REACH: u32 = 100;

/// A source of a record, under a selector.
struct Link {
    selector: Option<u64>,
    record: u32,
}

/// A layer: its position, and the number of layers in its stack.
#[derive(Clone, Copy)]
struct Layer {
    number: u32,
    depth: u32,
}

/// The text of a cache in the making.
#[derive(Default)]
struct Writer {
    layers: Vec<u8>,
    records: Vec<u8>,
    manifests: Vec<u8>,
    layers_written: u32,
}

/// The cache of a shape with a number of records.
pub(crate) fn generate(shape: Shape, records: u32) -> Cache {
    let mut random = SplitMix(SEED);
    let mut writer = Writer::default();
    // The layer that each record gives, or the top of the stack below it if it gives none.
    let mut layer_of: Vec<Option<Layer>> = Vec::new();
    for record in 0..records {
        let inputs = inputs(shape, record, &mut random);
        let first = inputs.first().and_then(|links| links.first());
        let below =
            first.and_then(|link| layer_of.get(usize::try_from(link.record).ok()?).copied().flatten());
        let own = (record % 2 == 1).then(|| writer.layer(below.filter(|layer| layer.depth < DEEPEST)));
        writer.record(shape, record, own, &inputs);
        layer_of.push(own.or(below));
    }
    writer.finish()
}

/// The inputs of a record, drawn in the order that the bytes depend on.
fn inputs(shape: Shape, record: u32, random: &mut SplitMix) -> Vec<Vec<Link>> {
    let Some(before) = record.checked_sub(1) else { return Vec::new() };
    let plain = |record| vec![vec![Link { selector: None, record }]];
    match shape {
        Shape::Chain => plain(before),
        Shape::Star => plain(0),
        Shape::Dag if record < REACH => Vec::new(),
        Shape::Dag => (0..1 + random.below(3)).map(|_| links(before, random)).collect(),
    }
}

/// One to three links of an input; the bound is drawn anew at every turn.
fn links(before: u32, random: &mut SplitMix) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    let mut turn = 0;
    while turn < 1 + random.below(3) {
        turn += 1;
        let back = u32::try_from(random.below(u64::from(REACH))).unwrap_or(0);
        let record = before.saturating_sub(back);
        if links.iter().all(|link| link.record != record) {
            let selector = (random.below(4) == 0).then(|| random.below(50));
            links.push(Link { selector, record });
        }
    }
    links
}

impl Writer {
    /// Writes a layer on top of another, and its descriptor.
    fn layer(&mut self, parent: Option<Layer>) -> Layer {
        let number = self.layers_written;
        self.layers_written += 1;
        let blob = digest(format_args!("layer{number}"));
        separate(&mut self.layers);
        put(&mut self.layers, format_args!(r#"{{"blob":"{blob}""#));
        match parent {
            None => put(&mut self.layers, format_args!(r#","parent":-1}}"#)),
            // A parent 0 is written by leaving it out.
            Some(Layer { number: 0, .. }) => put(&mut self.layers, format_args!("}}")),
            Some(Layer { number, .. }) => put(&mut self.layers, format_args!(r#","parent":{number}}}"#)),
        }
        separate(&mut self.manifests);
        put(
            &mut self.manifests,
            format_args!(
                concat!(
                    r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{}","size":{},"#,
                    r#""annotations":{{"buildkit/createdat":"{}","containerd.io/uncompressed":"{}"}}}}"#
                ),
                blob,
                1000 + u64::from(number),
                stamp(FIRST + u64::from(number) * 1_000_000_000),
                digest(format_args!("diff{number}")),
            ),
        );
        Layer { number, depth: parent.map_or(0, |parent| parent.depth) + 1 }
    }

    fn record(&mut self, shape: Shape, record: u32, layer: Option<Layer>, inputs: &[Vec<Link>]) {
        let out = &mut self.records;
        separate(out);
        put(out, format_args!("{{"));
        if let Some(layer) = layer {
            let created = stamp(FIRST + u64::from(record) * 1_000_000);
            put(out, format_args!(r#""layers":[{{"layer":{},"createdAt":"{created}"}}],"#, layer.number));
        }
        put(out, format_args!(r#""digest":"{}""#, digest(format_args!("rec{shape}{record}"))));
        if !inputs.is_empty() {
            put(out, format_args!(r#","inputs":["#));
            for (n, links) in inputs.iter().enumerate() {
                put(out, format_args!("{}", if n == 0 { "[" } else { ",[" }));
                for (n, link) in links.iter().enumerate() {
                    put(out, format_args!("{}", if n == 0 { "{" } else { ",{" }));
                    if let Some(selector) = link.selector {
                        put(out, format_args!(r#""selector":"{}","#, digest(format_args!("sel{selector}"))));
                    }
                    put(out, format_args!(r#""link":{}}}"#, link.record));
                }
                put(out, format_args!("]"));
            }
            put(out, format_args!("]"));
        }
        put(out, format_args!("}}"));
    }

    fn finish(mut self) -> Cache {
        let mut config = br#"{"layers":["#.to_vec();
        config.append(&mut self.layers);
        config.extend_from_slice(br#"],"records":["#);
        config.append(&mut self.records);
        config.extend_from_slice(b"]}");
        separate(&mut self.manifests);
        let mut index = Vec::new();
        put(
            &mut index,
            format_args!(
                r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":["#
            ),
        );
        index.append(&mut self.manifests);
        put(
            &mut index,
            format_args!(
                r#"{{"mediaType":"application/vnd.buildkit.cacheconfig.v0","digest":"{}","size":{}}}]}}"#,
                digest_of(&config),
                config.len()
            ),
        );
        Cache { config, index }
    }
}

/// A comma between two items; nothing before the first.
fn separate(out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(b',');
    }
}

fn put(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _ = out.write_fmt(text);
}

fn digest(name: fmt::Arguments<'_>) -> String {
    digest_of(name.to_string().as_bytes())
}

/// The time this many nanoseconds after [`EPOCH`].
fn stamp(nanoseconds: u64) -> Timestamp {
    let seconds = i64::try_from(nanoseconds / 1_000_000_000).unwrap_or(0);
    let rest = u32::try_from(nanoseconds % 1_000_000_000).unwrap_or(0);
    Timestamp::from_unix(EPOCH + seconds, rest).unwrap_or(Timestamp::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shape: Shape, config: &str, index: &str) {
        let cache = generate(shape, 1000);
        assert_eq!(digest_of(&cache.config), format!("sha256:{config}"), "config of {shape}");
        assert_eq!(digest_of(&cache.index), format!("sha256:{index}"), "index of {shape}");
    }

    #[test]
    fn a_shape_and_a_size_are_always_the_same_bytes() {
        check(
            Shape::Chain,
            "a1f15b05f4d1570c20a1821d592b1d6443c9638e87a75d0ce8f90ff4dd5df9f3",
            "543fec746304af9483a8770b3c04edb05c5fae56a193e91664b53be1e54d4f7e",
        );
        check(
            Shape::Star,
            "4175fda1750633d296a9f3ddfec91075856aad4432d31816aad3cccefe14a170",
            "4937710c4a293f941085ea8c4999b2c04b5d33e36a3335823dbee289c48cf9a8",
        );
        check(
            Shape::Dag,
            "c5565c4eb1d0b7aff933d5cee4e1988909dceea054b123e5bc47168901a1586d",
            "2451b7abd08b2db559c9dbd31d866b76a68694e88de041a314c90febfd6b623d",
        );
    }

    #[test]
    fn the_smallest_cache_is_one_record_without_layers() {
        let cache = generate(Shape::Dag, 1);
        let root = digest(format_args!("recdag0"));
        assert_eq!(
            String::from_utf8(cache.config).unwrap(),
            format!(r#"{{"layers":[],"records":[{{"digest":"{root}"}}]}}"#)
        );
    }
}
