//! A selection: which result each record of a cache keeps, if any.
//!
//! It holds references into a graph and never changes the graph. `keep` makes chains of a selection.

use cache_model::{Digest, Graph, RecordRef, ResultRef, Totals};

use crate::bad_layers::BadLayers;
use crate::by_position::ByPosition;

/// For each record of a graph at most one result that it keeps.
///
/// The graph is one by the closed rule, such as that of merged chains, in which each blob has one descriptor.
///
/// ```
/// use cache_edit::{Limits, Selection, keep};
/// use cache_model::{CacheChains, Descriptor, MediaType, NewResult, Rule};
///
/// let mut chains = CacheChains::new();
/// for (step, layer, time) in [("old", "1", "2026-01-01T00:00:00Z"), ("new", "22", "2026-02-01T00:00:00Z")] {
///     let layer = chains.layers([&Descriptor::of(MediaType::OCI_LAYER_GZIP, layer)])?;
///     chains.add(&step.into(), &[], &[NewResult::new(layer, time.parse()?)])?;
/// }
/// chains.set_rule(Rule::Closed);
///
/// // The two results have three bytes together, so the older one has to go.
/// let graph = chains.graph()?;
/// let limits = Limits::default().with_keep_bytes(2);
/// let selection = Selection::newest(&graph).limited(&limits, &|_| 0)?;
/// let kept = keep(&selection)?.marshal(&|_| true)?.config;
/// assert_eq!(kept.records().map(|record| record.digest().to_string()).collect::<Vec<_>>(), ["new"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Selection<'g> {
    graph: &'g Graph<'g>,
    kept: Vec<Option<ResultRef<'g>>>,
}

impl<'g> Selection<'g> {
    /// Every record keeps its newest result with layers.
    pub fn newest(graph: &'g Graph<'g>) -> Self {
        Self::of(graph, RecordRef::newest_result)
    }

    /// Every record keeps its newest result that has layers and none of the bad blobs. `is_bad` is asked once for each
    /// blob.
    ///
    /// ```
    /// use cache_edit::{Selection, keep};
    /// use cache_model::{CacheChains, Descriptor, MediaType, NewResult, Rule, Timestamp};
    ///
    /// let mut chains = CacheChains::new();
    /// let [sound, lost] = ["sound", "lost"].map(|text| Descriptor::of(MediaType::OCI_LAYER_GZIP, text));
    /// for (step, layer) in [("build", &sound), ("test", &lost)] {
    ///     let layer = chains.layers([layer])?;
    ///     chains.add(&step.into(), &[], &[NewResult::new(layer, Timestamp::ZERO)])?;
    /// }
    /// chains.set_rule(Rule::Closed);
    ///
    /// let graph = chains.graph()?;
    /// let repaired = keep(&Selection::complete(&graph, &|blob| *blob == lost.digest))?;
    /// assert_eq!(repaired.blobs().collect::<Vec<_>>(), [&sound]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn complete(graph: &'g Graph<'g>, is_bad: &dyn Fn(&Digest) -> bool) -> Self {
        let bad = BadLayers::new(graph, is_bad);
        Self::of(graph, |record| {
            record.results().find(|result| result.top().is_some_and(|top| bad.lowest(top).is_none()))
        })
    }

    /// The part of the selection that keeps the results of some records, by their positions.
    pub(crate) fn only(&self, records: impl IntoIterator<Item = usize>) -> Self {
        let mut kept = ByPosition::new(self.kept.len());
        for record in records {
            kept.set(record, self.kept.get(record).copied().flatten());
        }
        Self { graph: self.graph, kept: kept.into_values() }
    }

    fn of(graph: &'g Graph<'g>, choose: impl Fn(RecordRef<'g>) -> Option<ResultRef<'g>>) -> Self {
        Self { graph, kept: graph.records().map(choose).collect() }
    }

    /// The graph of the records.
    pub fn graph(&self) -> &'g Graph<'g> {
        self.graph
    }

    /// The result that a record of the graph keeps.
    pub fn result(&self, record: RecordRef<'_>) -> Option<ResultRef<'g>> {
        *self.kept.get(record.position())?
    }

    /// The records that keep a result, with it, each after the records that it depends on.
    pub fn results(&self) -> impl DoubleEndedIterator<Item = (RecordRef<'g>, ResultRef<'g>)> {
        self.graph.records().zip(&self.kept).filter_map(|(record, kept)| Some((record, (*kept)?)))
    }

    /// The records that stay, each after the records that it depends on: a record stays if it keeps a result, or if a
    /// record that stays links to it.
    pub fn records(&self) -> impl Iterator<Item = RecordRef<'g>> + use<'g> {
        let mut stays = ByPosition::<bool>::new(self.graph.len());
        for (record, kept) in self.graph.records().zip(&self.kept).rev() {
            if kept.is_some() {
                stays.set(record.position(), true);
            }
            if stays.get(record.position()) {
                for link in record.inputs().flatten() {
                    stays.set(link.source.position(), true);
                }
            }
        }
        self.graph.records().filter(move |record| stays.get(record.position()))
    }

    /// What the cache holds if it keeps just this.
    pub fn totals(&self) -> Totals {
        Totals::of_results(self.records().map(|record| self.result(record)))
    }
}

impl std::fmt::Debug for Selection<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.results()).finish()
    }
}
