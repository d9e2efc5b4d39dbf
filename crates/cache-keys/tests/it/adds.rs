//! Chains of random adds, and their parts.

use cache_model::{
    CacheChains, Descriptor, Digest, Link, MediaType, NewResult, RecordDigest, RecordId, ResultRef, Timestamp,
};
use proptest::prelude::*;

pub(crate) const VERTICES: [&str; 4] = ["fetch", "run", "copy", "merge"];
pub(crate) const SELECTORS: [&str; 2] = ["", "/src"];

/// One call of `add`.
#[derive(Clone, Debug)]
pub(crate) struct Add {
    vertex: usize,
    output: usize,
    /// The links of each input: an earlier add, and the selector.
    inputs: Vec<Vec<(prop::sample::Index, usize)>>,
    /// Seconds and blobs.
    results: Vec<(i64, Vec<u8>)>,
    /// Whether it can link to adds of the vertex before only.
    is_layered: bool,
}

pub(crate) fn add_of(
    vertex: impl Strategy<Value = usize>,
    inputs: std::ops::Range<usize>,
    links: std::ops::Range<usize>,
    is_layered: bool,
) -> impl Strategy<Value = Add> {
    // With fewer ways to differ, more records become equal.
    let choices = if is_layered { 1usize } else { 2 };
    let links = prop::collection::vec((any::<prop::sample::Index>(), 0..choices), links);
    let results = prop::collection::vec((0i64..4, prop::collection::vec(0u8..3, 0..3)), 0..3);
    (vertex, 0..choices, prop::collection::vec(links, inputs), results).prop_map(
        move |(vertex, output, inputs, results)| Add { vertex, output, inputs, results, is_layered },
    )
}

/// Adds of any shape.
pub(crate) fn any_adds() -> impl Strategy<Value = Vec<Add>> {
    prop::collection::vec(add_of(0..4usize, 0..3, 1..4, false), 1..20)
}

/// Records on one source each, of which later adds unite some, so that records that depend on them become equal.
pub(crate) fn late_unions() -> impl Strategy<Value = Vec<Add>> {
    let root = |output| Add { vertex: 0, output, inputs: vec![], results: vec![], is_layered: true };
    let apart = prop::collection::vec(add_of(1..4usize, 1..2, 1..2, true), 8..24);
    let unions = prop::collection::vec(add_of(1..3usize, 1..2, 2..4, true), 1..3);
    (apart, unions).prop_map(move |(mut apart, unions)| {
        // Vertices in order, so that most adds find a source.
        apart.sort_by_key(|add| add.vertex);
        [vec![root(0), root(1)], apart, unions].concat()
    })
}

pub(crate) fn chains_of(adds: &[Add]) -> CacheChains {
    chains_with_ids(adds).0
}

/// The chains, and the id of each add that was made.
pub(crate) fn chains_with_ids(adds: &[Add]) -> (CacheChains, Vec<RecordId>) {
    let mut chains = CacheChains::new();
    let mut ids: Vec<(usize, RecordId)> = Vec::new();
    for add in adds {
        let is_source = |of: usize| !add.is_layered || of + 1 == add.vertex;
        let sources: Vec<RecordId> = ids.iter().filter(|(of, _)| is_source(*of)).map(|(_, id)| *id).collect();
        if add.is_layered && sources.is_empty() && !add.inputs.is_empty() {
            continue;
        }
        let link = |(source, selector): &(prop::sample::Index, usize)| Link {
            source: *source.get(&sources),
            selector: SELECTORS[*selector],
        };
        let inputs: Vec<Vec<Link<'_>>> = add
            .inputs
            .iter()
            .filter(|_| !sources.is_empty())
            .map(|links| links.iter().map(link).collect())
            .collect();
        let inputs: Vec<&[Link<'_>]> = inputs.iter().map(Vec::as_slice).collect();
        let results: Vec<NewResult> =
            add.results.iter().map(|(seconds, blobs)| result(&mut chains, *seconds, blobs)).collect();
        let digest = RecordDigest::of_output(VERTICES[add.vertex], add.output);
        ids.push((add.vertex, chains.add(&digest, &inputs, &results).unwrap().unwrap()));
    }
    (chains, ids.into_iter().map(|(_, id)| id).collect())
}

/// A result as its time and its blobs.
pub(crate) fn plain(result: ResultRef<'_>) -> (Timestamp, Vec<Digest>) {
    (result.created_at(), result.layers().into_iter().map(|layer| layer.digest).collect())
}

pub(crate) fn result(chains: &mut CacheChains, seconds: i64, blobs: &[u8]) -> NewResult {
    let media_type = |n: u8| match n {
        0 => MediaType::new("application/x-unknown"),
        _ => MediaType::OCI_LAYER_GZIP,
    };
    let layers: Vec<Descriptor> =
        blobs.iter().map(|n| Descriptor::new(media_type(*n), Digest::sha256([*n; 32]), 1)).collect();
    NewResult {
        created_at: Timestamp::from_unix(seconds, 0).unwrap(),
        layer: chains.layers(&layers).unwrap(),
    }
}
