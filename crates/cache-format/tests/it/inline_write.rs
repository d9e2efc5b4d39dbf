//! Writing inline caches: the choice of a record's result, and how the result refers to the image's layers.

use cache_format::{ImageManifest, InlineCache, InlineOutcome, encode_records, read_inline, write_inline};
use cache_model::{
    ANNOTATION_DIFF_ID, CacheChains, Descriptor, Digest, Graph, Link, MediaType, NewResult, RecordId,
    ResultRef, Timestamp,
};
use data_encoding::BASE64;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The time that is written for a result that lists its layers.
const ZERO: &str = "0001-01-01T00:00:00Z";

fn digest(n: u8) -> Digest {
    Digest::sha256([n; 32])
}

fn blob(n: u8) -> Descriptor {
    Descriptor::new(MediaType::OCI_LAYER_GZIP, digest(n), 1)
}

/// A blob with the diff ID `diff_id`.
fn compressed(n: u8, diff_id: u8) -> Descriptor {
    blob(n).with_annotation(ANNOTATION_DIFF_ID, &digest(diff_id).to_string())
}

fn seconds(n: i64) -> Timestamp {
    Timestamp::from_unix(n, 0).unwrap()
}

/// Adds a record on one source with results, each a time in seconds and layers.
fn add(
    chains: &mut CacheChains,
    name: &str,
    source: Option<RecordId>,
    results: &[(i64, &[Descriptor])],
) -> RecordId {
    let results: Vec<NewResult> = results
        .iter()
        .map(|(at, layers)| NewResult {
            created_at: seconds(*at),
            layer: chains.layers(layers.iter()).unwrap(),
        })
        .collect();
    let link = source.map(|source| [Link { source, selector: "/src" }]);
    let inputs: Vec<&[Link<'_>]> = link.iter().map(|link| link.as_slice()).collect();
    chains.add(&name.into(), &inputs, &results).unwrap().unwrap()
}

/// Chains of one record with these results.
fn one_record(results: &[(i64, &[Descriptor])]) -> CacheChains {
    let mut chains = CacheChains::new();
    add(&mut chains, "r", None, results);
    chains
}

fn bytes_of(written: &str) -> Vec<u8> {
    BASE64.decode(written.as_bytes()).unwrap()
}

/// The records written for an image with these layers. Checks that they read back to the records of the graph.
fn written(chains: &CacheChains, image: &[u8]) -> Value {
    let image: Vec<Digest> = image.iter().map(|n| digest(*n)).collect();
    let written = write_inline(&chains.graph().unwrap(), &image).unwrap();
    check_reads_back(&chains.graph().unwrap(), &image, &written);
    serde_json::from_slice(&bytes_of(&written)).unwrap()
}

/// Reads the inline cache `written` from an image of these layers.
fn read_back(image: &[Digest], written: &str) -> InlineCache {
    let layers = image.iter().map(|layer| Descriptor { digest: *layer, ..blob(0) }).collect();
    let manifest = ImageManifest::new(Descriptor::new(MediaType::OCI_IMAGE_CONFIG, digest(255), 2), layers);
    let diff_ids: Vec<String> = image.iter().map(ToString::to_string).collect();
    let config = json!({"rootfs": {"diff_ids": diff_ids}, "moby.buildkit.cache.v0": written});
    match read_inline(&manifest, config.to_string().as_bytes()).unwrap() {
        InlineOutcome::Cache(cache) => cache,
        InlineOutcome::Absent(why) => panic!("{why}"),
    }
}

/// A record: its digest, its links by the digests of their sources, and the blobs of its result.
type Meaning = (String, Vec<Vec<(String, String)>>, Option<Vec<Digest>>);

/// The records of a graph, by digest, each with its newest result for which `blobs_of` gives blobs.
fn meaning(graph: &Graph<'_>, blobs_of: impl Fn(ResultRef<'_>) -> Option<Vec<Digest>>) -> Vec<Meaning> {
    let record = |record: cache_model::RecordRef<'_>| {
        let inputs = record
            .inputs()
            .map(|links| {
                links.map(|link| (link.source.digest().to_string(), link.selector.to_owned())).collect()
            })
            .collect();
        // Only results that are newer than any result without layers count.
        let mut candidates = record.results().take_while(|result| result.layers_len() > 0);
        (record.digest().to_string(), inputs, candidates.find_map(&blobs_of))
    };
    let mut records: Vec<Meaning> = graph.records().map(record).collect();
    records.sort();
    records
}

fn check_reads_back(graph: &Graph<'_>, image: &[Digest], written: &str) {
    let as_in_image = |layer: &Descriptor| {
        let names = [Some(layer.digest), layer.diff_id()];
        names.into_iter().flatten().find(|name| image.contains(name))
    };
    let cache = read_back(image, written);
    assert_eq!(encode_records(&cache.config), bytes_of(written));
    let loaded = CacheChains::from_config(&cache.config, &cache.layers).unwrap();
    assert_eq!(loaded.dropped, []);
    let all = |result: ResultRef<'_>| Some(result.layers().iter().map(|layer| layer.digest).collect());
    assert_eq!(
        meaning(&loaded.chains.graph().unwrap(), all),
        meaning(graph, |result| result.layers().into_iter().map(as_in_image).collect())
    );
}

#[test]
fn a_result_that_is_the_beginning_of_the_image_points_at_its_last_layer() {
    for (length, layers) in [(1, vec![blob(1)]), (2, vec![blob(1), blob(2)])] {
        assert_eq!(
            written(&one_record(&[(7, &layers)]), &[1, 2, 3]),
            json!([{"layers": [{"layer": length - 1, "createdAt": "1970-01-01T00:00:07Z"}], "digest": "r"}])
        );
    }
}

#[test]
fn a_result_that_is_not_the_beginning_of_the_image_lists_its_layers_and_has_no_time() {
    for (blobs, positions) in
        [(vec![2], vec![1]), (vec![1, 3], vec![0, 2]), (vec![2, 1], vec![1, 0]), (vec![2, 3], vec![1, 2])]
    {
        let layers: Vec<Descriptor> = blobs.into_iter().map(blob).collect();
        assert_eq!(
            written(&one_record(&[(7, &layers)]), &[1, 2, 3]),
            json!([{"chains": [{"layers": positions, "createdAt": ZERO}], "digest": "r"}])
        );
    }
}

#[test]
fn of_a_blob_that_the_image_repeats_a_list_names_the_last_position() {
    for (blobs, positions) in [
        (vec![2, 1], vec![1, 2]),
        (vec![1, 3], vec![2, 3]),
        (vec![3, 1], vec![3, 2]),
        (vec![1, 1], vec![2, 2]),
        (vec![1, 2, 1, 3, 1], vec![2, 1, 2, 3, 2]),
    ] {
        let layers: Vec<Descriptor> = blobs.into_iter().map(blob).collect();
        assert_eq!(
            written(&one_record(&[(7, &layers)]), &[1, 2, 1, 3]),
            json!([{"chains": [{"layers": positions, "createdAt": ZERO}], "digest": "r"}])
        );
    }
}

#[test]
fn a_beginning_with_a_repeated_blob_still_points_at_its_last_layer() {
    let image = [1, 2, 1, 1, 3];
    for length in 1..=image.len() {
        let layers: Vec<Descriptor> = image[..length].iter().map(|n| blob(*n)).collect();
        assert_eq!(
            written(&one_record(&[(7, &layers)]), &image),
            json!([{"layers": [{"layer": length - 1, "createdAt": "1970-01-01T00:00:07Z"}], "digest": "r"}])
        );
    }
}

#[test]
fn a_record_whose_newest_result_is_not_all_in_the_image_gives_its_newest_that_is() {
    let (newest, newer) = ([blob(1), blob(9)], [blob(8)]);
    let (complete, oldest) = ([blob(1), blob(2)], [blob(1)]);
    let chains = one_record(&[(1, &oldest), (3, &newer), (4, &newest), (2, &complete)]);
    assert_eq!(
        written(&chains, &[1, 2, 3]),
        json!([{"layers": [{"layer": 1, "createdAt": "1970-01-01T00:00:02Z"}], "digest": "r"}])
    );
}

#[test]
fn a_blob_is_found_by_its_diff_id_beside_others_that_are_found_by_digest() {
    let mut chains = CacheChains::new();
    let beginning = add(&mut chains, "beginning", None, &[(1, &[compressed(51, 1), blob(2)])]);
    let other_way = add(&mut chains, "other way", Some(beginning), &[(2, &[blob(1), compressed(52, 2)])]);
    let list = add(&mut chains, "list", Some(other_way), &[(3, &[blob(2), compressed(53, 3)])]);
    add(&mut chains, "neither", Some(list), &[(4, &[blob(1), compressed(54, 4)])]);
    assert_eq!(
        written(&chains, &[1, 2, 3]),
        json!([
            {"layers": [{"layer": 1, "createdAt": "1970-01-01T00:00:01Z"}], "digest": "beginning"},
            {"chains": [{"layers": [1, 2], "createdAt": ZERO}], "digest": "list",
             "inputs": [[{"selector": "/src", "link": 3}]]},
            {"digest": "neither", "inputs": [[{"selector": "/src", "link": 1}]]},
            {"layers": [{"layer": 1, "createdAt": "1970-01-01T00:00:02Z"}], "digest": "other way",
             "inputs": [[{"selector": "/src", "link": 0}]]},
        ])
    );
}

#[test]
fn a_blob_that_is_in_the_image_itself_is_not_looked_for_by_its_diff_id() {
    let chains = one_record(&[(1, &[compressed(3, 1)])]);
    assert_eq!(
        written(&chains, &[1, 2, 3]),
        json!([{"chains": [{"layers": [2], "createdAt": ZERO}], "digest": "r"}])
    );
}

#[test]
fn where_no_result_is_in_the_image_nothing_is_written() {
    let image = [digest(1), digest(2)];
    for chains in [
        CacheChains::new(),
        one_record(&[]),
        one_record(&[(1, &[])]),
        one_record(&[(1, &[blob(3)]), (2, &[blob(1), blob(4)]), (3, &[compressed(5, 6)])]),
        // If the newest result has no layers, the record has no result.
        one_record(&[(1, &[blob(1)]), (2, &[])]),
    ] {
        assert_eq!(write_inline(&chains.graph().unwrap(), &image), None);
    }
    assert_eq!(write_inline(&one_record(&[(1, &[blob(1)])]).graph().unwrap(), &[]), None);
}

#[test]
fn a_record_without_a_result_stays_as_one_without() {
    let mut chains = CacheChains::new();
    let without = add(&mut chains, "a without", None, &[]);
    let absent = add(&mut chains, "b absent", Some(without), &[(1, &[blob(9)])]);
    let with = add(&mut chains, "c with", Some(absent), &[(1, &[blob(1)])]);
    add(&mut chains, "d after", Some(with), &[]);
    assert_eq!(
        written(&chains, &[1]),
        json!([
            {"digest": "a without"},
            {"digest": "b absent", "inputs": [[{"selector": "/src", "link": 0}]]},
            {"layers": [{"layer": 0, "createdAt": "1970-01-01T00:00:01Z"}], "digest": "c with",
             "inputs": [[{"selector": "/src", "link": 1}]]},
            {"digest": "d after", "inputs": [[{"selector": "/src", "link": 2}]]},
        ])
    );
}

/// A record: the earlier record that is its source, and its results as seconds and blobs.
type Plan = (Option<prop::sample::Index>, Vec<(i64, Vec<u8>)>);

proptest! {
    /// Law: an inline cache reads back from its image to the same records, each with its newest result that is all in the
    /// image. Nothing is written if and only if no record has such a result.
    #[test]
    fn an_inline_cache_reads_back_to_the_same_records(
        image in prop::collection::vec(0u8..4, 0..6),
        plans in prop::collection::vec(
            (
                any::<Option<prop::sample::Index>>(),
                prop::collection::vec((0i64..9, prop::collection::vec(0u8..8, 0..5)), 0..4),
            ),
            1..8,
        ),
    ) {
        let plans: Vec<Plan> = plans;
        // Blob n + 4 is blob n, compressed.
        let layer = |n: &u8| if *n < 4 { blob(*n) } else { compressed(*n, n - 4) };
        let mut chains = CacheChains::new();
        let mut ids = Vec::new();
        for (n, (source, results)) in plans.iter().enumerate() {
            let source = source.filter(|_| n > 0).map(|source| ids[source.index(n)]);
            let results: Vec<(i64, Vec<Descriptor>)> =
                results.iter().map(|(at, blobs)| (*at, blobs.iter().map(layer).collect())).collect();
            let results: Vec<(i64, &[Descriptor])> =
                results.iter().map(|(at, layers)| (*at, layers.as_slice())).collect();
            ids.push(add(&mut chains, &format!("record {n}"), source, &results));
        }
        let graph = chains.graph().unwrap();
        let image: Vec<Digest> = image.into_iter().map(digest).collect();
        let is_in = |layer: &&Descriptor| {
            image.contains(&layer.digest) || layer.diff_id().is_some_and(|diff_id| image.contains(&diff_id))
        };
        let has_result = |record: cache_model::RecordRef<'_>| {
            let mut candidates = record.results().take_while(|result| result.layers_len() > 0);
            candidates.any(|result| result.layers().iter().all(is_in))
        };
        let written = write_inline(&graph, &image);
        prop_assert_eq!(written.is_some(), graph.records().any(has_result));
        if let Some(written) = written {
            check_reads_back(&graph, &image, &written);
        }
    }
}
