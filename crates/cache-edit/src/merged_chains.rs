//! The merged chains: one add for each record of the closed union.

use cache_model::arena::{Idx, IndexVec};
use cache_model::{AddError, CacheChains, LayerId, Link, NewResult, RecordId, Rule};
use smallvec::SmallVec;

use crate::index::{IdentityIx, RecordIx, StackIx};
use crate::layer_table::LayerTable;
use crate::parts::{PartResult, Parts};
use crate::union::{Union, UnionRecord};

/// Chains while they are made of a closed union.
struct MergedChains<'a> {
    parts: &'a Parts,
    layers: &'a LayerTable,
    chains: CacheChains,
    layer_of: IndexVec<StackIx, Option<LayerId>>,
    /// The stacks of one result that have no layer yet, topmost first.
    path: Vec<StackIx>,
}

/// The chains of a union. `kept` gives, for a contested record, the identity of the results that it keeps; all other
/// records keep all.
pub(crate) fn merged_chains(
    union: &Union,
    parts: &Parts,
    layers: &LayerTable,
    kept: impl Fn(RecordIx) -> Option<IdentityIx>,
) -> Result<CacheChains, AddError> {
    let mut chains = CacheChains::new();
    chains.set_rule(Rule::Closed);
    let layer_of = IndexVec::filled(None, layers.stacks_len());
    let mut merged = MergedChains { parts, layers, chains, layer_of, path: Vec::new() };
    let mut ids: IndexVec<RecordIx, Option<RecordId>> = IndexVec::new();
    for (at, record) in union.records() {
        let id = merged.add(record, kept(at), &ids)?;
        ids.grow(None, at.position());
        ids.push(id);
    }
    Ok(merged.chains)
}

impl MergedChains<'_> {
    fn add(
        &mut self,
        record: &UnionRecord,
        kept: Option<IdentityIx>,
        ids: &IndexVec<RecordIx, Option<RecordId>>,
    ) -> Result<Option<RecordId>, AddError> {
        let parts = self.parts;
        let mut inputs: SmallVec<[SmallVec<[Link<'_>; 4]>; 4]> = SmallVec::new();
        for row in record.links.chunk_by(|a, b| a.input == b.input) {
            let link =
                |source: RecordIx, selector| Some(Link::new(ids[source]?, parts.selectors.value(selector)));
            inputs.push(row.iter().filter_map(|l| link(l.source, l.selector)).collect());
        }
        let inputs: SmallVec<[&[Link<'_>]; 4]> = inputs.iter().map(SmallVec::as_slice).collect();
        let mut results: SmallVec<[NewResult; 4]> = SmallVec::new();
        for result in self.distinct_results(record, kept) {
            let layer = self.layer(result.stack)?;
            results.push(NewResult::new(layer, result.created_at));
        }
        self.chains.add(parts.digests.value(record.digest), &inputs, &results)
    }

    /// The results of all parts of a record, each once. Many sources have the same.
    fn distinct_results(&self, record: &UnionRecord, kept: Option<IdentityIx>) -> Vec<PartResult> {
        let is_kept =
            |result: &&PartResult| kept.is_none_or(|kept| self.layers.identity(result.stack) == kept);
        let all = record.parts.iter().flat_map(|part| self.parts.results(*part));
        let mut results: Vec<PartResult> = all.filter(is_kept).copied().collect();
        let cmp = |a: &PartResult, b: &PartResult| {
            a.stack.cmp(&b.stack).then_with(|| a.created_at.cmp_with_text(&b.created_at))
        };
        results.sort_unstable_by(cmp);
        results.dedup_by(|a, b| cmp(a, b).is_eq());
        results
    }

    /// The layer of a stack: down to a stack that has a layer, then back up.
    fn layer(&mut self, top: StackIx) -> Result<Option<LayerId>, AddError> {
        self.path.clear();
        let mut layer = None;
        let mut at = Some(top);
        while let Some(stack) = at {
            layer = self.layer_of[stack];
            if layer.is_some() {
                break;
            }
            self.path.push(stack);
            at = self.layers.parent(stack);
        }
        while let Some(stack) = self.path.pop() {
            layer = Some(self.chains.layer(layer, &self.layers.descriptor(stack))?);
            self.layer_of[stack] = layer;
        }
        Ok(layer)
    }
}
