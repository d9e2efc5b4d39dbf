//! Any bytes as a cache config that is loaded, marshalled, written, read, and loaded again. Wherever the model promises the
//! same bytes again, they must be the same.
//!
//! The descriptors are made up: there is one for every layer that the config names.

use std::collections::BTreeMap;

use cache_format::{Form, InlineOutcome, ManifestOrIndex, decode_config, encode_config, pack, read_inline};
use cache_model::{
    ANNOTATION_DIFF_ID, CacheChains, CacheConfig, Descriptor, Graph, MediaType, RecordDigest, Rule,
};

use crate::check::assert_says_something;

/// Runs the target on some bytes.
pub fn run(bytes: &[u8]) {
    let Ok(config) = decode_config(bytes) else { return };
    // Also a config that cannot be loaded.
    if let Err(error) = pack(Form::Inline, &config, &descriptors(&config)) {
        assert_says_something(&error);
    }
    let loaded = match CacheChains::from_config(&config, &descriptors(&config)) {
        Ok(loaded) => loaded,
        Err(error) => return assert_says_something(&error),
    };
    loaded.dropped.iter().for_each(assert_says_something);
    let chains = loaded.chains;
    let closed_chains = close(&chains);
    let (by_order_graph, closed_graph) = match (chains.graph(), closed_chains.graph()) {
        (Ok(by_order), Ok(closed)) => (by_order, closed),
        (Err(error), _) | (_, Err(error)) => return assert_says_something(&error),
    };
    let by_order = written(&by_order_graph);
    let closed = written(&closed_graph);

    // A marshalled cache loads again, by either rule.
    let from_order = reloaded(&by_order);
    let from_closed = reloaded(&closed);

    // Closing is idempotent.
    assert_same(&written(&graph(&close(&from_closed))), &closed, "closed, loaded and closed again");
    // A closed cache comes back from an image.
    if let Some(from_image) = through_an_image(&closed) {
        assert_same(&written(&graph(&close(&from_image))), &closed, "read from an image and closed");
    }
    // If each digest has one number of inputs, a marshalled closed graph stays the same by BuildKit's rule.
    if has_one_number_of_inputs(&closed_graph) {
        assert_same(&written(&graph(&from_closed)), &closed, "closed and loaded again");
    }
    // If no records overlap, both rules give the same graph, and order does not matter.
    let adds = config.records().filter(|record| !record.digest().is_random()).count();
    let is_apart = |graph: &Graph<'_>| graph.len() == adds && has_one_number_of_inputs(graph);
    if is_apart(&by_order_graph) && is_apart(&closed_graph) {
        assert_same(&by_order, &closed, "closed where nothing overlaps");
        assert_same(&written(&graph(&from_order)), &by_order, "loaded again where nothing overlaps");
    }
}

/// A descriptor for each layer. The size is computed from the digest, so that a blob has one size.
fn descriptors(config: &CacheConfig) -> Vec<Descriptor> {
    let gzip = MediaType::OCI_LAYER_GZIP;
    let blobs = config.layers().iter().filter_map(|layer| layer.blob);
    let layer = |blob: cache_model::Digest| {
        Descriptor::new(gzip.clone(), blob, u64::from(blob.as_bytes()[0]))
            .with_annotation(ANNOTATION_DIFF_ID, &blob.to_string())
    };
    blobs.map(layer).collect()
}

/// Writes a marshalled config as an image, and loads the cache inside. `None` if its results list too many layers.
fn through_an_image(config: &[u8]) -> Option<CacheChains> {
    let config = decode_config(config).expect("a written config can be read");
    let packed = match pack(Form::Inline, &config, &descriptors(&config)) {
        Ok(packed) => packed,
        Err(error) => {
            assert_says_something(&error);
            return None;
        }
    };
    let ManifestOrIndex::Manifest(image) =
        ManifestOrIndex::decode(&packed.root.bytes).expect("a written manifest can be read")
    else {
        unreachable!("an image has an image manifest")
    };
    let cache = match read_inline(&image, &packed.metadata[0].bytes) {
        Ok(InlineOutcome::Cache(cache)) => cache,
        other => unreachable!("the image has no cache: {other:?}"),
    };
    let loaded = CacheChains::from_config(&cache.config, &cache.layers).expect("the cache of an image loads");
    assert_eq!(loaded.dropped, []);
    Some(loaded.chains)
}

/// Marshals a graph and writes the config. Checks that the text is read as the same config and written with the same bytes.
fn written(graph: &Graph<'_>) -> Vec<u8> {
    let marshalled = graph.marshal(&|_| true);
    marshalled.warnings.iter().for_each(assert_says_something);
    assert_eq!(marshalled.layer_descriptors().count(), marshalled.config.layers().len());
    let bytes = encode_config(&marshalled.config);
    let read = decode_config(&bytes).expect("a written config can be read");
    assert!(read == marshalled.config, "a written config is read as another config");
    assert_same(&encode_config(&read), &bytes, "written twice");
    bytes
}

/// Loads a written config, and checks that no result is dropped.
fn reloaded(bytes: &[u8]) -> CacheChains {
    let config = decode_config(bytes).expect("a written config can be read again");
    let loaded = CacheChains::from_config(&config, &descriptors(&config)).expect("a marshalled config loads");
    assert_eq!(loaded.dropped, []);
    loaded.chains
}

/// The same chains under the closed rule.
fn close(chains: &CacheChains) -> CacheChains {
    let mut closed = chains.clone();
    closed.set_rule(Rule::Closed);
    closed
}

/// The graph of chains that were loaded from a marshalled graph. It is no more tangled than that graph.
fn graph(chains: &CacheChains) -> Graph<'_> {
    chains.graph().expect("a marshalled graph can be read again")
}

fn has_one_number_of_inputs(graph: &Graph<'_>) -> bool {
    let mut numbers: BTreeMap<&RecordDigest, usize> = BTreeMap::new();
    graph.records().all(|record| {
        let inputs = record.inputs_len();
        *numbers.entry(record.digest()).or_insert(inputs) == inputs
    })
}

fn assert_same(found: &[u8], expected: &[u8], what: &str) {
    let (found, expected) = (String::from_utf8_lossy(found), String::from_utf8_lossy(expected));
    assert!(found == expected, "{what} it is another config:\n{found}\nrather than\n{expected}");
}
