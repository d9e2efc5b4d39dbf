//! What a solver asks, against answers found by walking over everything.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use cache_import::{BackLink, CacheKeys, KeyId, LinkQuery, Wanted};
use cache_model::{
    CacheChains, Compression, Descriptor, Digest, Graph, Link, MediaType, NewResult, RecordDigest, Timestamp,
};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

/// What BuildKit looks a vertex's output up by.
fn output(digest: &str, output: usize) -> RecordDigest {
    RecordDigest::sha256(Sha256::digest(format!("{digest}@{output}")).into())
}

/// All keys that follow from a source, by walking over every link of every record.
fn follow_by_walking(
    graph: &Graph<'_>,
    keys: &CacheKeys<'_>,
    source: &KeyId,
    input: usize,
    digest: &RecordDigest,
    selector: &str,
) -> Vec<KeyId> {
    let mut found = Vec::new();
    for record in graph.records().filter(|record| record.digest() == digest) {
        for (at, links) in record.inputs().enumerate() {
            for link in links {
                if at == input && link.selector == selector && keys.id(link.source) == Some(source) {
                    found.push(keys.id(record).unwrap().clone());
                }
            }
        }
    }
    found
}

const VERTICES: [&str; 3] = ["run", "copy", "merge"];
const SELECTORS: [&str; 2] = ["", "/src"];

proptest! {
    /// Law: the indices give what walking over everything gives, and back links are links the other way.
    #[test]
    fn indices_answer_as_walking_does(
        adds in prop::collection::vec(
            (0usize..3, 0usize..2, prop::collection::vec((any::<prop::sample::Index>(), 0usize..2), 0..3)), 1..20),
    ) {
        let mut chains = CacheChains::new();
        let mut ids = Vec::new();
        for (n, (vertex, out, links)) in adds.iter().enumerate() {
            let links: Vec<Link<'_>> = links
                .iter()
                .filter(|_| n > 0)
                .map(|(source, selector)| Link { source: ids[source.index(n)], selector: SELECTORS[*selector] })
                .collect();
            let inputs: Vec<&[Link<'_>]> = links.chunks(1).collect();
            ids.push(chains.add(&output(VERTICES[*vertex], *out), &inputs, &[]).unwrap().unwrap());
        }
        let graph = chains.close();
        let keys = CacheKeys::new(&graph);
        for source in graph.records() {
            let id = keys.id(source).unwrap();
            prop_assert_eq!(keys.record(id).unwrap().position(), source.position(), "ids are distinct");
            for (vertex, out, input, selector) in
                (0..3).flat_map(|v| (0..2).flat_map(move |o| (0..3).flat_map(move |i| (0..2).map(move |s| (v, o, i, s)))))
            {
                let digest = RecordDigest::new(VERTICES[vertex]);
                let query = LinkQuery { input, output: out, digest: &digest, selector: SELECTORS[selector] };
                let found: Vec<KeyId> = keys.follow(id, query).into_iter().cloned().collect();
                let wanted = output(VERTICES[vertex], out);
                let walked = follow_by_walking(&graph, &keys, id, input, &wanted, SELECTORS[selector]);
                prop_assert_eq!(&found, &walked);
                for key in &found {
                    let back = BackLink { source: id.clone(), input, selector: SELECTORS[selector].to_owned() };
                    prop_assert!(keys.back_links(key).contains(&back));
                }
            }
        }
    }
}

#[test]
fn a_key_has_the_same_id_in_every_cache() {
    let id_of = |prefix: &[&str]| {
        let mut chains = CacheChains::new();
        for other in prefix {
            chains.add(&(*other).into(), &[], &[]).unwrap();
        }
        let root = chains.add(&"root".into(), &[], &[]).unwrap().unwrap();
        let link = [Link { source: root, selector: "/a" }];
        let child = chains.add(&"child".into(), &[&link], &[]).unwrap().unwrap();
        let graph = chains.graph();
        let keys = CacheKeys::new(&graph);
        assert_eq!(keys.id(graph.record(root).unwrap()), Some(&KeyId::root(&"root".into())));
        keys.id(graph.record(child).unwrap()).unwrap().to_string()
    };
    assert_eq!(id_of(&[]), id_of(&["other", "more"]));
}

#[test]
fn results_come_newest_first_and_only_those_that_fit() {
    let layer =
        |n: u8, media_type: &str| Descriptor::new(MediaType::new(media_type), Digest::sha256([n; 32]), 1);
    let gzip = layer(1, "application/vnd.oci.image.layer.v1.tar+gzip");
    let zstd = layer(2, "application/vnd.oci.image.layer.v1.tar+zstd");
    let mut chains = CacheChains::new();
    let mut results = Vec::new();
    for (seconds, layers) in [(1, vec![&gzip]), (3, vec![&gzip, &zstd]), (2, vec![&zstd]), (4, vec![])] {
        let layer = chains.layers(layers).unwrap();
        results.push(NewResult { created_at: Timestamp::from_unix(seconds, 0).unwrap(), layer });
    }
    chains.add(&"r".into(), &[], &results).unwrap();
    let graph = chains.graph();
    let keys = CacheKeys::new(&graph);
    let seconds = |wanted| -> Vec<i64> {
        keys.results(&KeyId::root(&"r".into()), wanted)
            .map(|result| result.created_at().unix_seconds())
            .collect()
    };
    assert_eq!(seconds(Wanted::Any), [4, 3, 2, 1]);
    assert_eq!(seconds(Wanted::Some(Compression::Gzip)), [3, 1]);
    assert_eq!(seconds(Wanted::All(Compression::Gzip)), [1]);
    assert_eq!(seconds(Wanted::All(Compression::Zstd)), [2]);
    assert_eq!(keys.results(&KeyId::root(&"absent".into()), Wanted::Any).count(), 0);
}
