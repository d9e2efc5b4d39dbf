//! Loading: from a cache config to chains.
//!
//! Trusts nothing: an index out of range, a loop or an input without links is an error that names the position. Takes
//! linear time and no recursion, however deep the config.

use crate::arena::index::{BlobIx, ConfigRecordIx, Idx, IndexVec, LayerIx, OpIx, SelectorIx};
use crate::arena::walk::post_order;
use crate::chains::CacheChains;
use crate::chains::log::{AddError, LogLink, LogResult};
use crate::{CacheConfig, ConfigRecord, Descriptor, Digest, RecordDigest, count};

/// A config as chains.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The records, to be read by BuildKit's rule.
    pub chains: CacheChains,
    /// The results that were left out.
    pub dropped: Vec<DroppedResult>,
}

/// A result that was dropped, since the manifest does not list one of its layers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DroppedResult {
    /// The position of the record in the config.
    pub record: usize,
    /// The digest of the record.
    pub digest: RecordDigest,
    /// The position, in the config, of the layer that has no descriptor.
    pub layer: usize,
    /// The blob of that layer, where it names one.
    pub blob: Option<Digest>,
}

impl std::fmt::Display for DroppedResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "record {} ({}): a result is dropped, since its layer {} ",
            self.record,
            self.digest.excerpt(),
            self.layer
        )?;
        match &self.blob {
            Some(blob) => write!(f, "has blob {blob}, which the manifest does not list"),
            None => f.write_str("names no blob"),
        }
    }
}

/// Why a config cannot be loaded. Positions count from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A link to a position at which the config has no record.
    #[error("record {record}: input {input} links to record {link}, but the config has {}", count(*.records as u64, "record"))]
    RecordOutOfRange {
        /// The record with the link.
        record: usize,
        /// The input with the link.
        input: usize,
        /// The position that it links to.
        link: i32,
        /// How many records there are.
        records: usize,
    },
    /// A record that depends on itself.
    #[error("record {record} depends on itself, through record {through}")]
    RecordLoop {
        /// The record.
        record: usize,
        /// The record with the link that closes the loop.
        through: usize,
    },
    /// A result or a parent leads to a position at which the config has no layer.
    #[error("record {record}: a result leads to layer {layer}, but the config has {}", count(*.layers as u64, "layer"))]
    LayerOutOfRange {
        /// The record with the result.
        record: usize,
        /// The position that it leads to.
        layer: i32,
        /// How many layers there are.
        layers: usize,
    },
    /// A layer that is its own ancestor.
    #[error("record {record}: a result leads to layer {layer}, which is its own ancestor")]
    LayerLoop {
        /// The record with the result.
        record: usize,
        /// The layer.
        layer: usize,
    },
    /// An input without links.
    #[error("record {record}: input {input} has no links")]
    EmptyInput {
        /// The record.
        record: usize,
        /// The input.
        input: usize,
    },
    /// A link to a record with a `random:` digest, which BuildKit does not cache.
    #[error(
        "record {record}: input {input} links to record {link}, whose digest is random: and so is not cached"
    )]
    SkippedSource {
        /// The record with the link.
        record: usize,
        /// The input with the link.
        input: usize,
        /// The record that it links to.
        link: usize,
    },
    /// The record cannot be added: there is no room.
    #[error("record {record}: {reason}")]
    Add {
        /// The record.
        record: usize,
        /// Why.
        reason: AddError,
    },
}

impl CacheChains {
    /// The records of a config, each after the records that it depends on. `layers` are the descriptors that the manifest
    /// beside the config lists; of several for one digest the last counts.
    ///
    /// # Errors
    /// [`LoadError`] for a position out of range, a loop, an input without links, or a link to a `random:` record.
    pub fn from_config<'d>(
        config: &CacheConfig,
        layers: impl IntoIterator<Item = &'d Descriptor>,
    ) -> Result<Loaded, LoadError> {
        Loader::new(config, layers).run()
    }
}

struct Loader<'a, 'd> {
    chains: CacheChains,
    config: &'a CacheConfig,
    provided: IndexVec<BlobIx, Option<&'d Descriptor>>,
    selectors: IndexVec<SelectorIx, SelectorIx>,
    /// The add of each record, after it was added; `None` for a `random:` record, too.
    ops: IndexVec<ConfigRecordIx, Option<OpIx>>,
    layers: Vec<LayerState>,
    path: Vec<usize>,
    dropped: Vec<DroppedResult>,
}

/// Why the walk over the records ends.
enum BadLink {
    /// A link of the record leads to a position at which the config has no record.
    OutOfRange { record: ConfigRecordIx },
    /// A link of the record leads back to a record that depends on it.
    Loop { record: ConfigRecordIx, source: ConfigRecordIx },
}

/// The progress on a layer of the config with all its parents.
#[derive(Clone, Copy)]
enum LayerState {
    New,
    Open,
    /// The layer at this position, itself or one of its parents, has no descriptor.
    Absent(u32),
    Known(LayerIx),
}

/// A layer of a result, or the layer that has no descriptor.
type Found = Result<LayerIx, u32>;

impl BadLink {
    fn error(&self, config: &CacheConfig) -> LoadError {
        match self {
            Self::Loop { record, source } => {
                LoadError::RecordLoop { record: source.position(), through: record.position() }
            }
            Self::OutOfRange { record } => {
                let record = record.position();
                let inputs = config.record(record).into_iter().flat_map(ConfigRecord::inputs).enumerate();
                let mut links = inputs.flat_map(|(input, links)| links.map(move |link| (input, link.record)));
                let (input, link) = links.find(|(_, link)| config.find(*link).is_none()).unwrap_or_default();
                LoadError::RecordOutOfRange { record, input, link, records: config.records_len() }
            }
        }
    }
}

impl<'a, 'd> Loader<'a, 'd> {
    fn new(config: &'a CacheConfig, descriptors: impl IntoIterator<Item = &'d Descriptor>) -> Self {
        let mut chains = CacheChains::new();
        chains.layers.reserve(config.layers().len());
        chains.digests.reserve(config.records_len());
        let mut provided = IndexVec::new();
        for descriptor in descriptors {
            let blob = chains.layers.blob(&descriptor.digest);
            provided.grow(None, blob.position() + 1);
            provided[blob] = Some(descriptor);
        }
        let selectors = config.selectors().values().iter();
        let selectors = selectors.map(|s| chains.selectors.intern(s, |text| text.clone()).0).collect();
        Self {
            provided,
            selectors: IndexVec::from_vec(selectors),
            ops: IndexVec::filled(None, config.records_len()),
            layers: vec![LayerState::New; config.layers().len()],
            path: Vec::new(),
            dropped: Vec::new(),
            chains,
            config,
        }
    }

    fn run(mut self) -> Result<Loaded, LoadError> {
        let room = self.chains.log.check_room(
            self.config.records_len(),
            self.config.links_len(),
            self.config.links_len(),
            self.config.results_len(),
        );
        room.map_err(|reason| LoadError::Add { record: 0, reason })?;
        let config = self.config;
        let sources = |record: ConfigRecordIx| {
            config.sources(record).map(move |link| config.find(link).ok_or(BadLink::OutOfRange { record }))
        };
        let looped = |record, source| BadLink::Loop { record, source };
        for record in post_order(self.ops.len(), self.ops.indices(), sources, looped) {
            self.add(record.map_err(|link| link.error(config))?)?;
        }
        Ok(Loaded { chains: self.chains, dropped: self.dropped })
    }

    /// Adds a record, after its sources.
    fn add(&mut self, index: ConfigRecordIx) -> Result<(), LoadError> {
        let position = index.position();
        let Some(record) = self.config.record(position) else { return Ok(()) };
        let is_random = record.digest().is_random();
        for (input, links) in record.raw_inputs().enumerate() {
            let mut is_empty = true;
            for (selector, link) in links {
                is_empty = false;
                let Some(op) = self.op_of(link) else {
                    let source = usize::try_from(link).unwrap_or(usize::MAX);
                    return Err(LoadError::SkippedSource { record: position, input, link: source });
                };
                if !is_random {
                    let selector = self.selectors[selector];
                    self.chains.log.inputs.push(LogLink { source: op, selector });
                }
            }
            if is_empty {
                return Err(LoadError::EmptyInput { record: position, input });
            }
            if !is_random {
                self.chains.log.inputs.end_input();
            }
        }
        for result in record.results() {
            let found = self.layer_with_parents(position, result.layer)?;
            self.result(record, found, result.created_at);
        }
        for chain in record.chains() {
            let found = self.listed_layers(position, chain.layers)?;
            match found {
                None => self.result_of(record, None, chain.created_at),
                Some(found) => self.result(record, found, chain.created_at),
            }
        }
        if !is_random {
            let digest = self.chains.digests.intern(record.digest(), RecordDigest::clone).0;
            self.ops[index] = Some(self.chains.log.end_op(digest));
        }
        Ok(())
    }

    /// The add of the record that a link leads to.
    fn op_of(&self, link: i32) -> Option<OpIx> {
        self.ops[self.config.find(link)?]
    }

    fn result(&mut self, record: ConfigRecord<'a>, found: Found, created_at: crate::Timestamp) {
        match found {
            Ok(layer) => self.result_of(record, Some(layer), created_at),
            Err(layer) => {
                let layer = layer as usize;
                self.dropped.push(DroppedResult {
                    record: record.position(),
                    digest: record.digest().clone(),
                    layer,
                    blob: self.config.layers().get(layer).and_then(|layer| layer.blob),
                });
            }
        }
    }

    fn result_of(&mut self, record: ConfigRecord<'a>, layer: Option<LayerIx>, created_at: crate::Timestamp) {
        if !record.digest().is_random() {
            self.chains.log.results.push(LogResult { created_at, layer });
        }
    }

    /// The descriptor of a config's layer.
    fn provided(&self, layer: usize) -> Option<&'d Descriptor> {
        let blob = self.config.layers().get(layer)?.blob?;
        *self.provided.lookup(self.chains.layers.find_blob(&blob)?)?
    }

    fn intern(
        &mut self,
        record: usize,
        parent: Option<LayerIx>,
        of: &Descriptor,
    ) -> Result<LayerIx, LoadError> {
        self.chains.intern_layer(parent, of).map_err(|reason| LoadError::Add { record, reason })
    }

    /// The layer at a position of the config with all of its parents: upwards until a layer that is known or absent,
    /// then back down.
    fn layer_with_parents(&mut self, record: usize, top: i32) -> Result<Found, LoadError> {
        self.path.clear();
        let mut at = top;
        let mut found: Option<Found> = None;
        while at != -1 || self.path.is_empty() {
            let Some((position, state)) = self.layer_state(at) else {
                let layers = self.layers.len();
                return Err(LoadError::LayerOutOfRange { record, layer: at, layers });
            };
            match state {
                LayerState::Open => return Err(LoadError::LayerLoop { record, layer: position }),
                LayerState::Absent(layer) => found = Some(Err(layer)),
                LayerState::Known(layer) => found = Some(Ok(layer)),
                LayerState::New if self.provided(position).is_none() => {
                    let absent = u32::try_from(position).unwrap_or(u32::MAX);
                    self.set_layer_state(position, LayerState::Absent(absent));
                    found = Some(Err(absent));
                }
                LayerState::New => {
                    self.set_layer_state(position, LayerState::Open);
                    self.path.push(position);
                    at = self.config.layers().get(position).map_or(-1, |layer| layer.parent);
                    continue;
                }
            }
            break;
        }
        while let Some(position) = self.path.pop() {
            let next = match (found, self.provided(position)) {
                (Some(Err(absent)), _) => Err(absent),
                (below, Some(descriptor)) => {
                    Ok(self.intern(record, below.and_then(Result::ok), descriptor)?)
                }
                (_, None) => Err(u32::try_from(position).unwrap_or(u32::MAX)),
            };
            self.set_layer_state(
                position,
                match next {
                    Ok(layer) => LayerState::Known(layer),
                    Err(absent) => LayerState::Absent(absent),
                },
            );
            found = Some(next);
        }
        Ok(found.unwrap_or(Err(u32::MAX)))
    }

    fn layer_state(&self, at: i32) -> Option<(usize, LayerState)> {
        let position = usize::try_from(at).ok()?;
        Some((position, *self.layers.get(position)?))
    }

    fn set_layer_state(&mut self, position: usize, state: LayerState) {
        if let Some(slot) = self.layers.get_mut(position) {
            *slot = state;
        }
    }

    /// The layer of a list that names every layer itself; `None` for the empty list.
    fn listed_layers(&mut self, record: usize, list: &[i32]) -> Result<Option<Found>, LoadError> {
        // All are looked up before any is interned: a result that is dropped leaves no layers.
        let mut descriptors = Vec::with_capacity(list.len());
        for at in list {
            let Some((position, _)) = self.layer_state(*at) else {
                let layers = self.layers.len();
                return Err(LoadError::LayerOutOfRange { record, layer: *at, layers });
            };
            let Some(descriptor) = self.provided(position) else {
                return Ok(Some(Err(u32::try_from(position).unwrap_or(u32::MAX))));
            };
            descriptors.push(descriptor);
        }
        let mut top = None;
        for descriptor in descriptors {
            top = Some(self.intern(record, top, descriptor)?);
        }
        Ok(top.map(Ok))
    }
}
