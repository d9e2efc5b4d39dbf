//! Finds each record's newest complete result. Each blob is asked for at most once, and only if a choice depends on it.

use crate::Digest;
use crate::arena::index::{BlobIx, ChainIx, IndexVec};
use crate::chains::layers::Layers;
use crate::chains::log::LogResult;

/// Which chains have all of their blobs, asked once for each blob.
pub(crate) struct Presence<'a> {
    layers: &'a Layers,
    present: &'a dyn Fn(&Digest) -> bool,
    blobs: IndexVec<BlobIx, Option<bool>>,
    /// The lowest absent blob of each chain that was looked at.
    chains: IndexVec<ChainIx, Option<Option<BlobIx>>>,
    path: Vec<ChainIx>,
}

impl<'a> Presence<'a> {
    pub(crate) fn new(layers: &'a Layers, present: &'a dyn Fn(&Digest) -> bool) -> Self {
        let blobs = IndexVec::filled(None, layers.blobs_len());
        let chains = IndexVec::filled(None, layers.chains_len());
        Self { layers, present, blobs, chains, path: Vec::new() }
    }

    /// The lowest absent blob of a list.
    fn missing(&mut self, chain: ChainIx) -> Option<BlobIx> {
        let mut at = Some(chain);
        let mut missing = None;
        while let Some(chain) = at {
            if let Some(known) = self.chains[chain] {
                missing = known;
                break;
            }
            self.path.push(chain);
            at = self.layers.chain_parent(chain);
        }
        while let Some(chain) = self.path.pop() {
            let blob = self.layers.chain_blob(chain);
            if missing.is_none() && !self.is_present(blob) {
                missing = Some(blob);
            }
            self.chains[chain] = Some(missing);
        }
        missing
    }

    fn is_present(&mut self, blob: BlobIx) -> bool {
        *self.blobs[blob].get_or_insert_with(|| (self.present)(self.layers.digest(blob)))
    }
}

/// The results of a record that marshalling takes: the first of the newest complete ones (there are several where
/// one result came with different descriptors), and how many.
#[derive(Clone, Copy)]
pub(crate) struct Newest {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// The outcome of choosing among a record's results.
pub(crate) struct Choice {
    /// `None` for no result.
    pub(crate) newest: Option<Newest>,
    /// The newest result that was passed over, and its lowest absent blob.
    pub(crate) passed_over: Option<(LogResult, BlobIx)>,
}

impl Presence<'_> {
    /// Picks the newest result whose blobs are all there. `results` has the newest first; one without layers ends the
    /// search, and gives the record none.
    pub(crate) fn choose(&mut self, results: &[LogResult]) -> Choice {
        let layers = self.layers;
        let mut passed_over = None;
        for (at, result) in results.iter().enumerate() {
            let Some(chain) = result.chain(layers) else { break };
            let Some(missing) = self.missing(chain) else {
                let is_same = |other: &&LogResult| {
                    other.created_at == result.created_at && other.chain(layers) == Some(chain)
                };
                let count = results.iter().skip(at).take_while(is_same).count();
                let index = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                return Choice {
                    newest: Some(Newest { first: index(at), count: index(count) }),
                    passed_over,
                };
            };
            passed_over.get_or_insert((*result, missing));
        }
        Choice { newest: None, passed_over }
    }
}
