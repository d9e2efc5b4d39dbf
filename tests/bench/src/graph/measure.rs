//! Runs the stages several times in this process and keeps the best time of each, and the peak of memory.
//!
//! It checks the written bytes after it has read the peak: they are the same in every run, and a fixed point.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::stages::{Stages, stages};
use crate::digest::digest_of;
use crate::memory::peak_bytes;

/// The measurements on one cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Measured {
    /// The size of the cache config that was read, in bytes.
    pub(crate) config_bytes: u64,
    /// The best times.
    pub(crate) decode: Duration,
    pub(crate) load: Duration,
    pub(crate) marshal: Duration,
    pub(crate) encode: Duration,
    /// The peak of the process's memory with its input, in bytes; `None` where the system does not give it.
    pub(crate) peak_bytes: Option<u64>,
    /// The digest of the config that was written.
    pub(crate) digest: String,
}

/// Measures the stages on one cache.
pub(crate) fn measure(config: &[u8], index: &[u8], repeat: u32) -> Result<Measured> {
    let mut best = stages(config, index)?;
    for _ in 1..repeat {
        let Stages { decode, load, marshal, encode, encoded } = stages(config, index)?;
        if encoded != best.encoded {
            bail!("two runs on the same cache wrote different configs");
        }
        best.decode = best.decode.min(decode);
        best.load = best.load.min(load);
        best.marshal = best.marshal.min(marshal);
        best.encode = best.encode.min(encode);
    }
    let peak_bytes = peak_bytes();
    if stages(&best.encoded, index)?.encoded != best.encoded {
        bail!("the config that was written is not its own canonical form");
    }
    Ok(Measured {
        config_bytes: u64::try_from(config.len())?,
        decode: best.decode,
        load: best.load,
        marshal: best.marshal,
        encode: best.encode,
        peak_bytes,
        digest: digest_of(&best.encoded),
    })
}

impl Measured {
    /// All stages together.
    pub(crate) fn total(&self) -> Duration {
        self.decode + self.load + self.marshal + self.encode
    }

    /// One line of JSON, for the parent process.
    pub(crate) fn to_line(&self) -> String {
        json!({
            "config_bytes": self.config_bytes,
            "decode_ns": nanoseconds(self.decode),
            "load_ns": nanoseconds(self.load),
            "marshal_ns": nanoseconds(self.marshal),
            "encode_ns": nanoseconds(self.encode),
            "peak_bytes": self.peak_bytes,
            "digest": self.digest,
        })
        .to_string()
    }

    /// Reads the line of [`Measured::to_line`].
    pub(crate) fn from_line(line: &str) -> Result<Self> {
        let value: Value =
            serde_json::from_str(line).context("the measuring process printed something else")?;
        let number = |key: &str| value.get(key).and_then(Value::as_u64);
        let duration = |key: &str| number(key).map(Duration::from_nanos).with_context(|| format!("no {key}"));
        Ok(Self {
            config_bytes: number("config_bytes").context("no config_bytes")?,
            decode: duration("decode_ns")?,
            load: duration("load_ns")?,
            marshal: duration("marshal_ns")?,
            encode: duration("encode_ns")?,
            peak_bytes: number("peak_bytes"),
            digest: value.get("digest").and_then(Value::as_str).context("no digest")?.to_owned(),
        })
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::generate::{Shape, generate};

    #[test]
    fn every_shape_goes_through_all_stages() {
        for shape in [Shape::Chain, Shape::Star, Shape::Dag] {
            let cache = generate(shape, 300);
            let measured = measure(&cache.config, &cache.index, 2).unwrap();
            assert_eq!(measured.config_bytes, cache.config.len() as u64);
            assert_eq!(Measured::from_line(&measured.to_line()).unwrap(), measured);
        }
    }
}
