//! Reading cache configs, `application/vnd.buildkit.cacheconfig.v0`.
//!
//! The text is fed into a `CacheConfigBuilder` as it is read: no tree, no list for each record, digests straight to
//! bytes. Indices are never checked here: `CacheChains::from_config` does that.

use std::borrow::Cow;

use cache_model::{
    CacheConfig, CacheConfigBuilder, ConfigLayer, ConfigResult, Digest, InputBuilder, LayerAnnotations,
    RecordBuilder, RecordDigest, Timestamp,
};
use serde::Deserializer;

use crate::FormatError;
use crate::json::read::{self, List, Object, Place, members, string};

const CONFIG: &str = "cache config";

/// Reads a cache config.
///
/// Reads as Go does. Null means absent: an absent `link`, `layer` or `parent` is 0, an absent `createdAt` the zero
/// time. Unknown members are skipped. Invalid UTF-8 in a string becomes U+FFFD. An absent or empty `blob` is [`None`].
/// An input may be null or empty. Unlike in Go, the names of members are case-sensitive.
///
/// # Errors
///
/// A text that is no JSON, a member of the wrong type or given twice, a malformed blob digest or time, an index
/// that does not fit 32 bits. The error names the layer or the record.
///
/// ```
/// let config = cache_format::decode_config(br#"{"records":[{"digest":"sha256:a"},{"inputs":[[{"link":0}]]}]}"#)?;
/// assert_eq!(config.records_len(), 2);
/// let error = cache_format::decode_config(br#"{"records":[{"inputs":[[{"link":1099511627776}]]}]}"#);
/// assert_eq!(
///     error.unwrap_err().to_string(),
///     "cache config: record 0: link 1099511627776 is out of range (line 1, column 46)",
/// );
/// # Ok::<(), cache_format::FormatError>(())
/// ```
pub fn decode_config(bytes: &[u8]) -> Result<CacheConfig, FormatError> {
    read::document(CONFIG, bytes, |json, place| {
        let mut config = ConfigMembers { sink: Sink::default(), place };
        read::object(json, &mut config)?;
        Ok(config.sink.builder.finish())
    })
}

/// Reads a list of records alone, as an inline cache holds it, into a config with these layers.
pub(crate) fn decode_records(
    document: &'static str,
    bytes: &[u8],
    layers: &[ConfigLayer],
) -> Result<CacheConfig, FormatError> {
    read::document(document, bytes, |json, place| {
        let mut sink = Sink::default();
        for layer in layers {
            sink.builder.layer(layer.clone());
        }
        read::list(json, &mut Records { sink: &mut sink, place, position: 0 })?;
        Ok(sink.builder.finish())
    })
}

/// The config that is being built.
#[derive(Default)]
struct Sink {
    builder: CacheConfigBuilder,
    /// The layers of the `chains` entry that is being read; kept for its allocation.
    chain: Vec<i32>,
}

struct ConfigMembers<'p> {
    sink: Sink,
    place: &'p Place,
}

impl<'de> Object<'de> for ConfigMembers<'_> {
    const WHAT: &'static str = "a cache config (an object)";

    members! { |self, value, key|
        "layers" => {
            let builder = &mut self.sink.builder;
            read::list(value, &mut Layers { builder, place: self.place, position: 0 })?;
        },
        "records" => read::list(value, &mut Records { sink: &mut self.sink, place: self.place, position: 0 })?,
    }

    fn end_member(&mut self) {
        self.place.clear();
    }
}

struct Layers<'s> {
    builder: &'s mut CacheConfigBuilder,
    place: &'s Place,
    position: usize,
}

impl<'de> List<'de> for Layers<'_> {
    const WHAT: &'static str = "a list of layers";

    fn item<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        self.place.entry("layer", self.position);
        self.position += 1;
        let mut layer = LayerMembers(ConfigLayer { blob: None, parent: 0, annotations: None });
        read::object(value, &mut layer)?;
        self.builder.layer(layer.0);
        Ok(())
    }
}

struct LayerMembers(ConfigLayer);

impl<'de> Object<'de> for LayerMembers {
    const WHAT: &'static str = "a layer (an object)";

    members! { |self, value, key|
        "blob" => {
            let digest =
                |text: &str| if text.is_empty() { Ok(None) } else { text.parse::<Digest>().map(Some) };
            self.0.blob = read::parsed(value, key, digest)?.flatten();
        },
        "parent" => self.0.parent = index(value, key)?,
        "annotations" => {
            let mut annotations = AnnotationMembers(Box::default());
            self.0.annotations = read::object(value, &mut annotations)?.then_some(annotations.0);
        }
    }
}

/// Object stores keep no manifest, so there the config itself describes the blobs.
struct AnnotationMembers(Box<LayerAnnotations>);

impl<'de> Object<'de> for AnnotationMembers {
    const WHAT: &'static str = "the annotations of a layer (an object)";

    members! { |self, value, key|
        "mediaType" => self.0.media_type = string(value, key)?,
        "diffID" => self.0.diff_id = string(value, key)?,
        "size" => self.0.size = read::number(value, key)?.unwrap_or(0),
        "createdAt" => self.0.created_at = time(value, key)?,
    }
}

struct Records<'s> {
    sink: &'s mut Sink,
    place: &'s Place,
    position: usize,
}

impl<'de> List<'de> for Records<'_> {
    const WHAT: &'static str = "a list of records";

    fn item<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        self.place.entry("record", self.position);
        self.position += 1;
        let Sink { builder, chain } = &mut *self.sink;
        let mut record = RecordMembers { record: builder.record(RecordDigest::default()), chain };
        read::object(value, &mut record)?;
        Ok(())
    }
}

struct RecordMembers<'s> {
    record: RecordBuilder<'s>,
    /// See [`Sink::chain`].
    chain: &'s mut Vec<i32>,
}

impl<'de> Object<'de> for RecordMembers<'_> {
    const WHAT: &'static str = "a record (an object)";

    members! { |self, value, key|
        "digest" => {
            if let Some(text) = read::text(value, key)? {
                self.record.digest(RecordDigest::new(&text));
            }
        },
        "inputs" => read::list(value, &mut Inputs(&mut self.record))?,
        "layers" => read::list(value, &mut Results(&mut self.record))?,
        "chains" => read::list(value, &mut Chains { record: &mut self.record, chain: self.chain })?,
    }
}

struct Inputs<'r, 's>(&'r mut RecordBuilder<'s>);

impl<'de> List<'de> for Inputs<'_, '_> {
    const WHAT: &'static str = "a list of inputs";

    fn item<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        read::list(value, &mut Links(self.0.input()))
    }
}

struct Links<'s>(InputBuilder<'s>);

impl<'de> List<'de> for Links<'_> {
    const WHAT: &'static str = "an input (a list of links)";

    fn item<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        let mut link = LinkMembers { selector: Cow::Borrowed(""), record: 0 };
        read::object(value, &mut link)?;
        self.0.link(&link.selector, link.record);
        Ok(())
    }
}

struct LinkMembers<'de> {
    selector: Cow<'de, str>,
    record: i32,
}

impl<'de> Object<'de> for LinkMembers<'de> {
    const WHAT: &'static str = "a link (an object)";

    members! { |self, value, key|
        "link" => self.record = index(value, key)?,
        "selector" => self.selector = read::text(value, key)?.unwrap_or_default(),
    }
}

struct Results<'r, 's>(&'r mut RecordBuilder<'s>);

impl<'de> List<'de> for Results<'_, '_> {
    const WHAT: &'static str = "a list of results";

    fn item<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        let mut result = ResultMembers(ConfigResult { layer: 0, created_at: Timestamp::ZERO });
        read::object(value, &mut result)?;
        self.0.result(result.0);
        Ok(())
    }
}

struct ResultMembers(ConfigResult);

impl<'de> Object<'de> for ResultMembers {
    const WHAT: &'static str = "a result (an object)";

    members! { |self, value, key|
        "layer" => self.0.layer = index(value, key)?,
        "createdAt" => self.0.created_at = time(value, key)?,
    }
}

struct Chains<'r, 's> {
    record: &'r mut RecordBuilder<'s>,
    /// See [`Sink::chain`].
    chain: &'r mut Vec<i32>,
}

impl<'de> List<'de> for Chains<'_, '_> {
    const WHAT: &'static str = "a list of chains";

    fn item<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        self.chain.clear();
        let mut chain = ChainMembers { layers: self.chain, created_at: Timestamp::ZERO };
        read::object(value, &mut chain)?;
        let created_at = chain.created_at;
        self.record.chain(self.chain, created_at);
        Ok(())
    }
}

struct ChainMembers<'s> {
    layers: &'s mut Vec<i32>,
    created_at: Timestamp,
}

impl<'de> Object<'de> for ChainMembers<'_> {
    const WHAT: &'static str = "a chain (an object)";

    members! { |self, value, key|
        "layers" => read::list(value, &mut ChainLayers(self.layers))?,
        "createdAt" => self.created_at = time(value, key)?,
    }
}

struct ChainLayers<'s>(&'s mut Vec<i32>);

impl<'de> List<'de> for ChainLayers<'_> {
    const WHAT: &'static str = "a list of layer positions";

    fn item<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        self.0.push(index(value, "layer")?);
        Ok(())
    }
}

fn index<'de, D: Deserializer<'de>>(value: D, name: &'static str) -> Result<i32, D::Error> {
    Ok(read::number(value, name)?.unwrap_or(0))
}

fn time<'de, D: Deserializer<'de>>(value: D, name: &'static str) -> Result<Timestamp, D::Error> {
    Ok(read::parsed(value, name, str::parse)?.unwrap_or(Timestamp::ZERO))
}
