//! The cache config as data: layers, and records that name one another by position.
//!
//! What `application/vnd.buildkit.cacheconfig.v0` holds, without its bytes. Nothing here is checked: indices may be
//! wild and records may loop, until [`CacheChains::load`](crate::CacheChains::load) has read them.

use crate::arena::index::{Idx, InputIx, Rows, SelectorIx};
use crate::arena::intern::Interner;
use crate::{Digest, RecordDigest, Timestamp};

/// A cache config: the layers and the records of a cache.
///
/// Kept flat, in few allocations whatever the number of records. Made by a [`CacheConfigBuilder`].
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigLayer {
    /// The digest of the layer's blob; `None` where the config gives none.
    pub blob: Option<Digest>,
    /// The position of the layer below it; -1 for none.
    pub parent: i32,
    /// What object stores keep with a layer, for want of a manifest.
    pub annotations: Option<Box<LayerAnnotations>>,
}

/// What the object-store form of a config says of a layer's blob.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// A result of a record: a layer that is taken with all its parents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigResult {
    /// The position of the topmost layer.
    pub layer: i32,
    /// When the result was made.
    pub created_at: Timestamp,
}

/// A result of a record that lists all of its layers, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigChain<'a> {
    /// The positions of the layers.
    pub layers: &'a [i32],
    /// When the result was made.
    pub created_at: Timestamp,
}

/// A link of a record's input to the record that it depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigLink<'a> {
    /// The selector: which part of the source counts; often empty.
    pub selector: &'a str,
    /// The position of the source record.
    pub record: i32,
}

#[derive(Clone, Debug)]
struct RecordRow {
    digest: RecordDigest,
    results_end: u32,
    chains_end: u32,
    inputs_end: u32,
}

#[derive(Clone, Debug)]
struct ChainRow {
    layers_end: u32,
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

    /// How many results all records have together, listed ones too.
    pub fn results_len(&self) -> usize {
        self.results.len() + self.chains.len()
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

    /// The digest; empty where the config gives none.
    pub fn digest(self) -> &'a RecordDigest {
        // A record that is not there cannot be made, so the empty digest is never seen.
        static NONE: std::sync::LazyLock<RecordDigest> = std::sync::LazyLock::new(|| RecordDigest::new(""));
        self.config.records.get(self.position).map_or(&NONE, |row| &row.digest)
    }

    /// The results that point at a layer (the member `layers`).
    pub fn results(self) -> &'a [ConfigResult] {
        let (start, end) = self.range(|row| row.results_end);
        self.config.results.get(start..end).unwrap_or_default()
    }

    /// The results that list their layers (the member `chains`).
    pub fn chains(self) -> impl ExactSizeIterator<Item = ConfigChain<'a>> {
        let config = self.config;
        let (first, last) = self.range(|row| row.chains_end);
        (first..last).map(move |at| {
            let before = at.checked_sub(1).and_then(|at| config.chains.get(at));
            let start = before.map_or(0, |row| row.layers_end as usize);
            let (end, created_at) = config
                .chains
                .get(at)
                .map_or((start, Timestamp::ZERO), |row| (row.layers_end as usize, row.created_at));
            ConfigChain { layers: config.chain_layers.get(start..end).unwrap_or_default(), created_at }
        })
    }

    /// How many inputs there are.
    pub fn inputs_len(self) -> usize {
        let (start, end) = self.range(|row| row.inputs_end);
        end - start
    }

    /// The inputs, each the links to its alternative sources.
    pub fn inputs(
        self,
    ) -> impl ExactSizeIterator<Item = impl ExactSizeIterator<Item = ConfigLink<'a>> + use<'a>> + use<'a>
    {
        let config = self.config;
        let (start, end) = self.range(|row| row.inputs_end);
        (start..end).map(move |input| {
            config.inputs.row(InputIx::new(input)).iter().map(move |row| ConfigLink {
                selector: config.selectors.value(row.selector),
                record: row.record,
            })
        })
    }

    /// The inputs with the selectors' indices in [`CacheConfig::selectors`].
    pub(crate) fn raw_inputs(
        self,
    ) -> impl Iterator<Item = impl Iterator<Item = (SelectorIx, i32)> + use<'a>> + use<'a> {
        let (start, end) = self.range(|row| row.inputs_end);
        self.config
            .inputs
            .rows(InputIx::new(start), InputIx::new(end))
            .map(|row| row.iter().map(|link| (link.selector, link.record)))
    }

    fn range(self, end_of: impl Fn(&RecordRow) -> u32) -> (usize, usize) {
        let rows = &self.config.records;
        let before = self.position.checked_sub(1).and_then(|before| rows.get(before));
        let start = before.map_or(0, |row| end_of(row) as usize);
        (start, rows.get(self.position).map_or(start, |row| end_of(row) as usize))
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

impl std::fmt::Debug for CacheConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CacheConfig").field("layers", &self.layers).field("records", &self.records).finish()
    }
}

/// Builds a [`CacheConfig`], record by record.
///
/// What belongs to a record is given first, in any order between results, chains and inputs; then
/// [`record`](Self::record) closes it.
///
/// ```
/// use cache_model::{CacheConfigBuilder, RecordDigest};
/// let mut builder = CacheConfigBuilder::new();
/// builder.record(RecordDigest::new("sha256:root"));
/// builder.link("/src", 0);
/// builder.end_input();
/// builder.record(RecordDigest::new("sha256:copy"));
/// let config = builder.finish();
/// assert_eq!(config.record(1).map(|r| r.inputs_len()), Some(1));
/// ```
#[derive(Clone)]
pub struct CacheConfigBuilder {
    config: CacheConfig,
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

    /// Appends a layer.
    pub fn layer(&mut self, layer: ConfigLayer) {
        self.config.layers.push(layer);
    }

    /// Appends a result to the open record.
    pub fn result(&mut self, result: ConfigResult) {
        self.config.results.push(result);
    }

    /// Appends a result that lists its layers to the open record.
    pub fn chain(&mut self, layers: &[i32], created_at: Timestamp) {
        self.config.chain_layers.extend_from_slice(layers);
        let layers_end = offset(self.config.chain_layers.len());
        self.config.chains.push(ChainRow { layers_end, created_at });
    }

    /// Appends a link to the open input of the open record.
    pub fn link(&mut self, selector: &str, record: i32) {
        let selector = if selector.is_empty() {
            SelectorIx::new(0)
        } else {
            self.config.selectors.intern(selector, |text| text.into()).0
        };
        self.config.inputs.push(LinkRow { selector, record });
    }

    /// Closes the open input, which may have no links.
    pub fn end_input(&mut self) {
        self.config.inputs.end_row();
    }

    /// Closes the open record.
    pub fn record(&mut self, digest: RecordDigest) {
        let row = RecordRow {
            digest,
            results_end: offset(self.config.results.len()),
            chains_end: offset(self.config.chains.len()),
            inputs_end: offset(self.config.inputs.len()),
        };
        self.config.records.push(row);
    }

    /// The config. What was given after the last closed record is part of no record.
    pub fn finish(self) -> CacheConfig {
        self.config
    }
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

    /// Two records; the second has what is given for it.
    fn with(digest: &str, result: Option<i32>, chain: &[i32], inputs: &[&[(&str, i32)]]) -> CacheConfig {
        built(|builder| {
            builder.layer(ConfigLayer { blob: None, parent: -1, annotations: None });
            builder.link("/first", 0);
            builder.end_input();
            builder.record("first".into());
            if let Some(layer) = result {
                builder.result(ConfigResult { layer, created_at: Timestamp::ZERO });
            }
            builder.chain(chain, Timestamp::ZERO);
            for links in inputs {
                links.iter().for_each(|(selector, record)| builder.link(selector, *record));
                builder.end_input();
            }
            builder.record(digest.into());
        })
    }

    #[test]
    fn configs_are_equal_when_layers_and_records_are() {
        let configs = [
            CacheConfig::default(),
            built(|builder| builder.layer(ConfigLayer { blob: None, parent: -1, annotations: None })),
            built(|builder| builder.record("first".into())),
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
