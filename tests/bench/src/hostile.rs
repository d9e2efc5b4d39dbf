//! `cargo xtask bench hostile`: the cost of configs that were made to be slow, all of the same size.
//!
//! Every shape is measured in a process of its own. Each rule reads the shape or refuses it. Then the shapes, and sources
//! that disagree, are merged, pruned, repaired and compared, or refused. The run fails if any of this takes more than the
//! limits.

mod editing;
mod loading;
mod shapes;
mod sources;
mod writer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cache_format::{CacheManifest, Form, decode_config, encode_config};
use cache_ingest::{Expect, Job, MemoryStore, Name, Publisher};
use cache_keys::{CacheKeys, ResultFilter};
use cache_model::{CacheChains, Compression, Graph, MediaType, ReadError, Rule};
use cache_verify::{VerifyOptions, verify};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use self::loading::{descriptors, timed};
use self::shapes::Shape;
use self::sources::Contention;
use crate::memory::peak_bytes;
use crate::process::{run_self, words};

/// Options of `cargo xtask bench hostile`.
#[derive(Args)]
pub(crate) struct Hostile {
    /// The shapes to measure; all by default
    #[arg(long, value_enum, value_delimiter = ',')]
    shapes: Vec<Shape>,
    /// What the sources that are merged disagree about; all by default, or none if shapes are given
    #[arg(long, value_enum, value_delimiter = ',')]
    contentions: Vec<Contention>,
    /// The size of each config, in megabytes (1,000,000 bytes)
    #[arg(long, default_value_t = 10)]
    megabytes: usize,
    /// The most seconds for reading by each rule, from bytes to bytes, and for looking up the results of every key;
    /// verifying reads by both rules and may take twice as long
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// The most memory of a process, its input included, in MiB
    #[arg(long, default_value_t = 500.0)]
    mebibytes: f64,
    /// Measure one shape in this process; the result is a line of JSON
    #[arg(long, hide = true)]
    here: bool,
    /// In this process, measure editing
    #[arg(long, hide = true)]
    edit: bool,
}

/// The cost of one shape.
struct Cost {
    bytes: u64,
    records: u64,
    links: u64,
    decode: f64,
    load: f64,
    marshal: f64,
    encode: f64,
    close: f64,
    keys: f64,
    verify: f64,
    peak: f64,
    /// The rules by which the shape is refused; empty if it is read by both.
    refused: String,
}

impl Hostile {
    pub(crate) fn run(&self) -> Result<()> {
        let bytes = self.megabytes * 1_000_000;
        if self.here {
            let value = match (self.shapes.first(), self.contentions.first()) {
                (Some(shape), _) if self.edit => editing::measure_shape(*shape, bytes)?,
                (Some(shape), _) => measure(*shape, bytes)?,
                (None, Some(contention)) => editing::measure_contention(*contention, bytes)?,
                (None, None) => bail!("no shape"),
            };
            println!("{value}");
            return Ok(());
        }
        let is_all = self.shapes.is_empty() && self.contentions.is_empty();
        let shapes = if is_all { Shape::value_variants() } else { &self.shapes };
        let contentions = if is_all { Contention::value_variants() } else { &self.contentions };
        println!(
            "{:>8} {:>8} {:>9} {:>9} {:>10} {:>8} {:>10} {:>10} {:>9} {:>8} {:>10} {:>9}  refused",
            "shape",
            "MB",
            "records",
            "links",
            "decode ms",
            "load ms",
            "marshal ms",
            "encode ms",
            "closed ms",
            "keys ms",
            "verify ms",
            "peak MiB",
        );
        let mut over = Vec::new();
        for shape in shapes {
            let name = shape.to_possible_value().context("a shape without a name")?.get_name().to_owned();
            let cost = self.elsewhere(&name)?;
            println!(
                "{name:>8} {:>8.2} {:>9} {:>9} {:>10.0} {:>8.0} {:>10.0} {:>10.0} {:>9.0} {:>8.0} {:>10.0} {:>9.0}  {}",
                cost.bytes as f64 / 1e6,
                cost.records,
                cost.links,
                cost.decode * 1e3,
                cost.load * 1e3,
                cost.marshal * 1e3,
                cost.encode * 1e3,
                cost.close * 1e3,
                cost.keys * 1e3,
                cost.verify * 1e3,
                cost.peak,
                cost.refused,
            );
            let before = cost.decode + cost.load;
            let slowest = before + (cost.marshal + cost.encode).max(cost.close);
            for (what, seconds, limit) in [
                ("", slowest, self.seconds),
                (" keys", cost.keys, self.seconds),
                (" verify", cost.verify, 2.0 * self.seconds),
            ] {
                if seconds > limit {
                    over.push(format!("{name}{what}: {seconds:.2} s"));
                }
            }
            if cost.peak > self.mebibytes {
                over.push(format!("{name}: {:.0} MiB", cost.peak));
            }
        }
        over.extend(editing::run(shapes, contentions, self.megabytes, [self.seconds, self.mebibytes])?);
        if over.is_empty() {
            println!("\nall within {} s and {} MiB", self.seconds, self.mebibytes);
            Ok(())
        } else {
            bail!("above {} s or {} MiB: {}", self.seconds, self.mebibytes, over.join(", "))
        }
    }

    fn elsewhere(&self, shape: &str) -> Result<Cost> {
        let megabytes = self.megabytes.to_string();
        let line = run_self(&words(&["hostile", "--here", "--megabytes", &megabytes, "--shapes", shape]))?;
        let value: Value =
            serde_json::from_str(&line).context("the measuring process printed something else")?;
        let number = |key: &str| value.get(key).and_then(Value::as_f64).with_context(|| format!("no {key}"));
        let count = |key: &str| value.get(key).and_then(Value::as_u64).with_context(|| format!("no {key}"));
        Ok(Cost {
            bytes: count("bytes")?,
            records: count("records")?,
            links: count("links")?,
            decode: number("decode")?,
            load: number("load")?,
            marshal: number("marshal")?,
            encode: number("encode")?,
            close: number("close")?,
            keys: number("keys")?,
            verify: number("verify")?,
            peak: number("peak")?,
            refused: value.get("refused").and_then(Value::as_str).context("no refused")?.to_owned(),
        })
    }
}

/// Reads one config by both rules, looks up the results of its keys, and verifies it, once each.
fn measure(shape: Shape, bytes: usize) -> Result<Value> {
    let text = shapes::config(shape, bytes);
    let (config, decode) = timed(|| decode_config(&text));
    let config = config.context("cannot decode the shape as a config")?;
    let layers = descriptors(&config);
    let (loaded, load) = timed(|| CacheChains::from_config(&config, &layers));
    let chains = loaded.context("cannot load the shape")?.chains;
    let (records, links) = (config.records_len(), config.links_len());
    drop((config, layers));
    let (marshalled, marshal) = timed(|| chains.marshal(&|_| true));
    let mut refused = Vec::new();
    let encode = match marshalled {
        Ok(marshalled) => timed(|| encode_config(&marshalled.config)).1,
        Err(ReadError::TooTangled { .. }) => {
            refused.push("as it is");
            Duration::ZERO
        }
        Err(error) => return Err(error.into()),
    };
    let shared = Arc::new(chains);
    let keys = match Graph::shared(Arc::clone(&shared)) {
        Ok(graph) => timed(|| ask(&CacheKeys::from(graph))).1,
        Err(_) => Duration::ZERO,
    };
    let marshal_closed = || Ok(shared.graph_by(Rule::Closed)?.marshal(&|_| true));
    let (closed, close) = timed(|| marshal_closed().map(|closed| encode_config(&closed.config)));
    match closed {
        Ok(_) => {}
        Err(ReadError::TooTangled { .. }) => refused.push("closed"),
        Err(error) => return Err(error.into()),
    }
    drop(shared);
    let bytes = text.len();
    let verify = verify_alone(text)?;
    let peak = peak_bytes().context("this system does not report the peak memory of a process")?;
    Ok(json!({
        "bytes": bytes,
        "records": records,
        "links": links,
        "decode": decode.as_secs_f64(),
        "load": load.as_secs_f64(),
        "marshal": marshal.as_secs_f64(),
        "encode": encode.as_secs_f64(),
        "close": close.as_secs_f64(),
        "keys": keys.as_secs_f64(),
        "verify": verify.as_secs_f64(),
        "peak": peak as f64 / 1_048_576.0,
        "refused": refused.join(", "),
    }))
}

/// Looks up the links and results of every key, also the results of one compression. Gives their number.
fn ask(keys: &CacheKeys) -> usize {
    let ids = keys.ids().map(|id| {
        let gzip = keys.results(id, ResultFilter::EveryLayer(Compression::Gzip)).count();
        let any = keys.results(id, ResultFilter::Any).count();
        gzip + any + keys.back_links(id).len()
    });
    ids.sum()
}

/// Verifies a cache with this config. No store has its layers.
fn verify_alone(text: Vec<u8>) -> Result<Duration> {
    let store = MemoryStore::new();
    let layers = descriptors(&decode_config(&text)?);
    let config = store.insert(MediaType::CACHE_CONFIG, text);
    let manifest = CacheManifest::new(Form::Manifest, config, layers).pack(Vec::new())?.root;
    let runtime = tokio::runtime::Runtime::new().context("cannot start a runtime")?;
    let options = VerifyOptions::default().with_blobs(false);
    runtime.block_on(async {
        store.publish(&Name::Unspecified, &manifest.descriptor, manifest.bytes, Expect::Any).await?;
        let start = Instant::now();
        verify(&store, &Name::Unspecified, &options, &Job::default())
            .await
            .context("cannot verify a shape")?;
        Ok(start.elapsed())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_a_valid_config_of_its_size() {
        for shape in Shape::value_variants() {
            let text = shapes::config(*shape, 200_000);
            assert!((180_000..240_000).contains(&text.len()), "{shape:?}: {}", text.len());
            let cost = measure(*shape, 200_000).unwrap();
            assert!(cost["records"].as_u64().unwrap() > 0, "{shape:?}");
        }
    }
}
