//! Copies records of a graph into other chains, each after the records that it depends on.
//!
//! It never chooses: the caller says which records and which results.

use cache_model::{
    AddError, CacheChains, LayerId, LayerRef, Link, NewResult, RecordId, RecordRef, ResultRef,
};

use crate::by_position::ByPosition;

/// Copies records of one graph.
pub(crate) struct RecordCopier<'c, 'g> {
    into: &'c mut CacheChains,
    records: ByPosition<Option<RecordId>>,
    layers: ByPosition<Option<LayerId>>,
    /// The layers of one result that are not copied yet, topmost first.
    path: Vec<LayerRef<'g>>,
}

impl<'c, 'g> RecordCopier<'c, 'g> {
    /// A copier of a graph's records into chains.
    pub(crate) fn new(into: &'c mut CacheChains) -> Self {
        Self { into, records: ByPosition::new(0), layers: ByPosition::new(0), path: Vec::new() }
    }

    /// Adds a record with all of its links to copied records, and some of its results.
    pub(crate) fn copy(
        &mut self,
        record: RecordRef<'g>,
        results: impl IntoIterator<Item = ResultRef<'g>>,
    ) -> Result<Option<RecordId>, AddError> {
        let mut copied = Vec::new();
        for result in results {
            copied.push(NewResult::new(self.layer(result)?, result.created_at()));
        }
        let links = |input: &mut dyn Iterator<Item = cache_model::LinkRef<'g>>| -> Vec<Link<'g>> {
            let source = |link: cache_model::LinkRef<'g>| {
                Some(Link::new(self.records.get(link.source.position())?, link.selector))
            };
            input.filter_map(source).collect()
        };
        let inputs: Vec<Vec<Link<'g>>> = record.inputs().map(|mut input| links(&mut input)).collect();
        let inputs: Vec<&[Link<'g>]> = inputs.iter().map(Vec::as_slice).collect();
        let id = self.into.add(record.digest(), &inputs, &copied)?;
        self.records.set(record.position(), id);
        Ok(id)
    }

    /// The copy of a result's topmost layer: down to a layer that is copied already, then back up.
    fn layer(&mut self, result: ResultRef<'g>) -> Result<Option<LayerId>, AddError> {
        self.path.clear();
        let mut copied = None;
        let mut at = result.top();
        while let Some(layer) = at {
            copied = self.layers.get(layer.position());
            if copied.is_some() {
                break;
            }
            self.path.push(layer);
            at = layer.parent();
        }
        while let Some(layer) = self.path.pop() {
            let copy = self.into.layer(copied, layer.descriptor())?;
            self.layers.set(layer.position(), Some(copy));
            copied = Some(copy);
        }
        Ok(copied)
    }
}
