//! The cache config as data: layers, and records that name one another by position.
//!
//! The content of `application/vnd.buildkit.cacheconfig.v0`, without its bytes. Nothing is checked here: a position may
//! be out of range and records may form a loop. [`CacheChains::from_config`](crate::CacheChains::from_config) checks that.

use std::fmt;

use crate::arena::index::{ConfigRecordIx, Idx, InputIx, Rows, SelectorIx};
use crate::arena::intern::Interner;
use crate::{Digest, RecordDigest, Timestamp};

/// A cache config: the layers and the records of a cache.
///
/// Held in a few flat lists, whatever the number of records. Made by a [`CacheConfigBuilder`].
#[derive(Clone)]
pub struct CacheConfig {
    layers: Vec<ConfigLayer>,
    records: Vec<RecordRow>,
    results: Vec<ConfigResult>,
    chains: Vec<ChainRow>,
    chain_layers: Vec<i32>,
    inputs: Rows<InputIx, LinkRow>,
    selectors: Interner<SelectorIx, Box<str>>,
}

/// A layer of a cache config.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConfigLayer {
    /// The digest of the layer's blob; `None` if the config has none.
    pub blob: Option<Digest>,
    /// The position of the layer below it; -1 for none.
    pub parent: i32,
    /// The descriptor's fields in the object-store form, which has no manifest to hold them.
    pub annotations: Option<Box<LayerAnnotations>>,
}

impl ConfigLayer {
    /// A layer without annotations, on top of the layer at position `parent`.
    pub fn new(blob: Digest, parent: Option<i32>) -> Self {
        Self { blob: Some(blob), parent: parent.unwrap_or(-1), annotations: None }
    }
}

/// A layer's blob in the object-store form of a config.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LayerAnnotations {
    /// The media type of the blob.
    pub media_type: String,
    /// The digest of the uncompressed layer.
    pub diff_id: String,
    /// The size of the blob in bytes.
    pub size: i64,
    /// When the layer was made.
    pub created_at: Timestamp,
}

/// A result of a record: a layer together with all its parents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConfigResult {
    /// The position of the topmost layer.
    pub layer: i32,
    /// When the result was made.
    pub created_at: Timestamp,
}

impl ConfigResult {
    /// The result with the topmost layer at position `layer`.
    pub fn new(layer: i32, created_at: Timestamp) -> Self {
        Self { layer, created_at }
    }
}

/// A result of a record that lists all its layers, lowest first, without their parents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ConfigChain<'a> {
    /// The positions of the layers.
    pub layers: &'a [i32],
    /// When the result was made.
    pub created_at: Timestamp,
}

/// A link of a record's input to the record that it depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ConfigLink<'a> {
    /// Which part of the source counts; empty for the whole.
    pub selector: &'a str,
    /// The position of the source record.
    pub record: i32,
}

#[derive(Clone, Debug)]
struct RecordRow {
    digest: RecordDigest,
    results_start: u32,
    chains_start: u32,
    inputs_start: u32,
}

#[derive(Clone, Debug)]
struct ChainRow {
    layers_start: u32,
    created_at: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct LinkRow {
    selector: SelectorIx,
    record: i32,
}

/// A record of a cache config.
#[derive(Clone, Copy)]
pub struct ConfigRecord<'a> {
    config: &'a CacheConfig,
    position: usize,
}

impl CacheConfig {
    /// The layers.
    pub fn layers(&self) -> &[ConfigLayer] {
        &self.layers
    }

    /// The records.
    pub fn records(&self) -> impl ExactSizeIterator<Item = ConfigRecord<'_>> {
        (0..self.records.len()).map(|position| ConfigRecord { config: self, position })
    }

    /// How many records there are.
    pub fn records_len(&self) -> usize {
        self.records.len()
    }

    /// The record at a position.
    pub fn record(&self, position: usize) -> Option<ConfigRecord<'_>> {
        (position < self.records.len()).then_some(ConfigRecord { config: self, position })
    }

    /// How many links all records have together.
    pub fn links_len(&self) -> usize {
        self.inputs.items_len()
    }

    /// How many results all records have together, in both forms.
    pub fn results_len(&self) -> usize {
        self.results.len() + self.chains.len()
    }

    /// The positions that the links of all inputs of a record lead to.
    pub(crate) fn sources(&self, record: ConfigRecordIx) -> impl Iterator<Item = i32> {
        let record = ConfigRecord { config: self, position: record.position() };
        let (start, end) = record.range(|row| row.inputs_start, self.inputs.len());
        self.inputs.items_between(InputIx::new(start), InputIx::new(end)).iter().map(|link| link.record)
    }

    /// The record at the position of a link.
    #[inline]
    pub(crate) fn find(&self, link: i32) -> Option<ConfigRecordIx> {
        let position = usize::try_from(link).ok()?;
        (position < self.records.len()).then(|| ConfigRecordIx::new(position))
    }

    pub(crate) fn selectors(&self) -> &Interner<SelectorIx, Box<str>> {
        &self.selectors
    }
}

impl<'a> ConfigRecord<'a> {
    /// The position of the record in its config.
    pub fn position(self) -> usize {
        self.position
    }

    /// The digest; empty if the config has none.
    pub fn digest(self) -> &'a RecordDigest {
        // A `ConfigRecord` is only made for a record of the config, so this default is never given.
        static NONE: std::sync::LazyLock<RecordDigest> = std::sync::LazyLock::new(RecordDigest::default);
        self.config.records.get(self.position).map_or(&NONE, |row| &row.digest)
    }

    /// The results that point at a layer (the member `layers`).
    pub fn results(self) -> &'a [ConfigResult] {
        let (start, end) = self.range(|row| row.results_start, self.config.results.len());
        self.config.results.get(start..end).unwrap_or_default()
    }

    /// The results that list their layers (the member `chains`).
    pub fn chains(self) -> impl ExactSizeIterator<Item = ConfigChain<'a>> {
        let config = self.config;
        let (first, last) = self.range(|row| row.chains_start, config.chains.len());
        (first..last).map(move |at| {
            let start_of = |at: usize| config.chains.get(at).map(|row| row.layers_start as usize);
            let end = start_of(at + 1).unwrap_or(config.chain_layers.len());
            let layers = start_of(at).and_then(|start| config.chain_layers.get(start..end));
            ConfigChain {
                layers: layers.unwrap_or_default(),
                created_at: config.chains.get(at).map_or(Timestamp::ZERO, |row| row.created_at),
            }
        })
    }

    /// How many inputs there are.
    pub fn inputs_len(self) -> usize {
        let (start, end) = self.range(|row| row.inputs_start, self.config.inputs.len());
        end - start
    }

    /// The inputs, each the links to its alternative sources.
    pub fn inputs(
        self,
    ) -> impl ExactSizeIterator<Item = impl ExactSizeIterator<Item = ConfigLink<'a>> + use<'a>> + use<'a>
    {
        let config = self.config;
        let (start, end) = self.range(|row| row.inputs_start, self.config.inputs.len());
        (start..end).map(move |input| {
            config.inputs.row(InputIx::new(input)).iter().map(move |row| ConfigLink {
                selector: config.selectors.value(row.selector),
                record: row.record,
            })
        })
    }

    /// The inputs, with selectors as indices into [`CacheConfig::selectors`].
    pub(crate) fn raw_inputs(
        self,
    ) -> impl Iterator<Item = impl Iterator<Item = (SelectorIx, i32)> + use<'a>> + use<'a> {
        let (start, end) = self.range(|row| row.inputs_start, self.config.inputs.len());
        self.config
            .inputs
            .rows(InputIx::new(start), InputIx::new(end))
            .map(|row| row.iter().map(|link| (link.selector, link.record)))
    }

    /// The positions of what belongs to the record, in a list of `len` items for all records.
    fn range(self, start_of: impl Fn(&RecordRow) -> u32, len: usize) -> (usize, usize) {
        let start = |position: usize| self.config.records.get(position).map(|row| start_of(row) as usize);
        (start(self.position).unwrap_or(len), start(self.position + 1).unwrap_or(len))
    }
}

impl PartialEq for CacheConfig {
    /// Equal when layers and records are, in order.
    fn eq(&self, other: &Self) -> bool {
        let same_inputs = |a: ConfigRecord<'_>, b: ConfigRecord<'_>| {
            a.inputs_len() == b.inputs_len() && a.inputs().zip(b.inputs()).all(|(x, y)| x.eq(y))
        };
        let same = |(a, b): (ConfigRecord<'_>, ConfigRecord<'_>)| {
            a.digest() == b.digest()
                && a.results() == b.results()
                && a.chains().eq(b.chains())
                && same_inputs(a, b)
        };
        self.layers == other.layers
            && self.records.len() == other.records.len()
            && self.records().zip(other.records()).all(same)
    }
}

impl Eq for CacheConfig {}

impl Default for CacheConfig {
    fn default() -> Self {
        CacheConfigBuilder::new().finish()
    }
}

impl fmt::Debug for CacheConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records: Vec<ConfigRecord<'_>> = self.records().collect();
        f.debug_struct("CacheConfig").field("layers", &self.layers).field("records", &records).finish()
    }
}

impl fmt::Debug for ConfigRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chains: Vec<ConfigChain<'_>> = self.chains().collect();
        let inputs: Vec<Vec<ConfigLink<'_>>> = self.inputs().map(Iterator::collect).collect();
        f.debug_struct("ConfigRecord")
            .field("digest", self.digest())
            .field("results", &self.results())
            .field("chains", &chains)
            .field("inputs", &inputs)
            .finish()
    }
}

/// Builds a [`CacheConfig`]: layers, and records with their results and inputs.
///
/// A record is filled by the [`RecordBuilder`] that [`record`](Self::record) gives, an input by an [`InputBuilder`]. So
/// a result, an input or a link always belongs to the record and input that it was given to.
///
/// ```
/// use cache_model::{CacheConfigBuilder, ConfigLayer, ConfigResult, Digest, RecordDigest, Timestamp};
///
/// let mut builder = CacheConfigBuilder::new();
/// let base = builder.layer(ConfigLayer::new(Digest::of(b"base"), None));
/// let top = builder.layer(ConfigLayer::new(Digest::of(b"top"), Some(base)));
/// let source = builder.record(RecordDigest::of_output("source", 0)).position();
/// let mut copy = builder.record(RecordDigest::of_output("copy", 0));
/// copy.result(ConfigResult::new(top, Timestamp::now()));
/// copy.input().link("/src", source);
///
/// let config = builder.finish();
/// let copy = config.record(1).expect("the second record");
/// assert_eq!((copy.inputs_len(), copy.results().len()), (1, 1));
/// ```
#[derive(Clone, Debug)]
pub struct CacheConfigBuilder {
    config: CacheConfig,
}

/// Fills the last record of a [`CacheConfigBuilder`].
#[derive(Debug)]
pub struct RecordBuilder<'b> {
    config: &'b mut CacheConfig,
}

/// Fills the last input of the last record of a [`CacheConfigBuilder`].
#[derive(Debug)]
pub struct InputBuilder<'b> {
    config: &'b mut CacheConfig,
}

impl Default for CacheConfigBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl CacheConfigBuilder {
    /// A builder of an empty config.
    pub fn new() -> Self {
        let mut selectors = Interner::new();
        selectors.intern("", |_| Box::default());
        Self {
            config: CacheConfig {
                layers: Vec::new(),
                records: Vec::new(),
                results: Vec::new(),
                chains: Vec::new(),
                chain_layers: Vec::new(),
                inputs: Rows::new(),
                selectors,
            },
        }
    }

    /// Appends a layer and gives its position.
    pub fn layer(&mut self, layer: ConfigLayer) -> i32 {
        self.config.layers.push(layer);
        last_position(self.config.layers.len())
    }

    /// Appends a record, which has no results and no inputs yet.
    pub fn record(&mut self, digest: RecordDigest) -> RecordBuilder<'_> {
        let config = &mut self.config;
        config.records.push(RecordRow {
            digest,
            results_start: offset(config.results.len()),
            chains_start: offset(config.chains.len()),
            inputs_start: offset(config.inputs.len()),
        });
        RecordBuilder { config }
    }

    /// The config.
    pub fn finish(self) -> CacheConfig {
        self.config
    }
}

impl RecordBuilder<'_> {
    /// The position of the record in the config, by which links name it.
    pub fn position(&self) -> i32 {
        last_position(self.config.records.len())
    }

    /// Replaces the digest. A decoder needs this: a config names the digest of a record behind its results.
    pub fn digest(&mut self, digest: RecordDigest) -> &mut Self {
        if let Some(row) = self.config.records.last_mut() {
            row.digest = digest;
        }
        self
    }

    /// Appends a result that points at its topmost layer.
    pub fn result(&mut self, result: ConfigResult) -> &mut Self {
        self.config.results.push(result);
        self
    }

    /// Appends a result that lists its layers, lowest first.
    pub fn chain(&mut self, layers: &[i32], created_at: Timestamp) -> &mut Self {
        let layers_start = offset(self.config.chain_layers.len());
        self.config.chain_layers.extend_from_slice(layers);
        self.config.chains.push(ChainRow { layers_start, created_at });
        self
    }

    /// Appends an input, which has no links yet.
    pub fn input(&mut self) -> InputBuilder<'_> {
        self.config.inputs.end_row();
        InputBuilder { config: self.config }
    }
}

impl InputBuilder<'_> {
    /// Appends a link to the record at a position; an empty selector means all of it.
    pub fn link(&mut self, selector: &str, record: i32) -> &mut Self {
        let selector = if selector.is_empty() {
            SelectorIx::new(0)
        } else {
            self.config.selectors.intern(selector, |text| text.into()).0
        };
        self.config.inputs.push_to_last(LinkRow { selector, record });
        self
    }
}

/// The position of the last of `len` layers or records.
fn last_position(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX) - 1
}

/// A length as an offset. A config of 4 billion links would need 60 GB of text.
fn offset(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(fill: impl Fn(&mut CacheConfigBuilder)) -> CacheConfig {
        let mut builder = CacheConfigBuilder::new();
        fill(&mut builder);
        builder.finish()
    }

    /// Two records, the second with this digest, result, chain and these inputs.
    fn with(digest: &str, result: Option<i32>, chain: &[i32], inputs: &[&[(&str, i32)]]) -> CacheConfig {
        built(|builder| {
            builder.layer(ConfigLayer { blob: None, parent: -1, annotations: None });
            builder.record("first".into()).input().link("/first", 0);
            let mut record = builder.record(digest.into());
            if let Some(layer) = result {
                record.result(ConfigResult::new(layer, Timestamp::ZERO));
            }
            record.chain(chain, Timestamp::ZERO);
            for links in inputs {
                let mut input = record.input();
                for (selector, record) in *links {
                    input.link(selector, *record);
                }
            }
        })
    }

    #[test]
    fn configs_are_equal_when_layers_and_records_are() {
        let configs = [
            CacheConfig::default(),
            built(|builder| {
                builder.layer(ConfigLayer { blob: None, parent: -1, annotations: None });
            }),
            built(|builder| {
                builder.record("first".into());
            }),
            with("x", None, &[], &[]),
            with("y", None, &[], &[]),
            with("x", Some(0), &[], &[]),
            with("x", None, &[0], &[]),
            with("x", None, &[], &[&[("", 0)]]),
            with("x", None, &[], &[&[("/src", 0)]]),
            with("x", None, &[], &[&[("", 1)]]),
            with("x", None, &[], &[&[("", 0)], &[("", 0)]]),
            with("x", None, &[], &[&[("", 0), ("", 0)]]),
        ];
        for (n, a) in configs.iter().enumerate() {
            for (m, b) in configs.iter().enumerate() {
                assert_eq!(a == b, n == m, "{n} and {m}");
            }
            let results = a.records().map(|record| record.results().len() + record.chains().len());
            assert_eq!(a.results_len(), results.sum());
            let links = a.records().flat_map(ConfigRecord::inputs).map(|links| links.len());
            assert_eq!(a.links_len(), links.sum());
        }
    }

    #[test]
    fn results_inputs_and_links_belong_to_the_record_that_they_were_given_to() {
        let config = built(|builder| {
            builder.record("r".into());
            builder.record("x".into()).input().link("/a", 0);
            let mut y = builder.record("y".into());
            assert_eq!(y.position(), 2);
            y.input().link("/b", 0);
            y.chain(&[7], Timestamp::ZERO);
            y.input();
            y.result(ConfigResult::new(5, Timestamp::ZERO)).digest("z".into());
            y.input().link("/c", 1).link("/d", 0);
            builder.record("none".into());
        });
        let seen = config.records().map(|record| {
            let inputs: Vec<Vec<_>> = record
                .inputs()
                .map(|links| links.map(|link| (link.selector.to_owned(), link.record)).collect())
                .collect();
            let chains: Vec<Vec<i32>> = record.chains().map(|chain| chain.layers.to_vec()).collect();
            format!("{} {inputs:?} {chains:?} {}", record.digest(), record.results().len())
        });
        assert_eq!(
            seen.collect::<Vec<_>>(),
            [
                r#"r [] [] 0"#,
                r#"x [[("/a", 0)]] [] 0"#,
                r#"z [[("/b", 0)], [], [("/c", 1), ("/d", 0)]] [[7]] 1"#,
                r#"none [] [] 0"#,
            ]
        );
    }

    #[test]
    fn each_record_has_its_own_inputs() {
        let config = with("x", None, &[], &[&[], &[("", 0), ("/src", 1)]]);
        let lens: Vec<usize> = config.records().map(ConfigRecord::inputs_len).collect();
        assert_eq!(lens, [1, 2]);
        let at = |position| config.record(position).map(ConfigRecord::inputs_len);
        assert_eq!([at(0), at(1), at(2)], [Some(1), Some(2), None]);
        let links = |record: ConfigRecord<'_>| record.inputs().map(|links| links.len()).collect::<Vec<_>>();
        assert_eq!(config.records().map(links).collect::<Vec<_>>(), [vec![1], vec![0, 2]]);
    }
}
