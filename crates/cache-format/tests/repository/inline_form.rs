//! A cache as an image: which layers the image has, how results refer to them, and that everything comes back.

use cache_format::{
    CacheManifest, Form, InlineCache, InlineOutcome, ManifestOrIndex, Packed, Unpacked, decode_config,
    encode_config, pack, read_inline, unpack,
};
use cache_model::{
    ANNOTATION_CREATED_AT, ANNOTATION_DESCRIPTION, ANNOTATION_DIFF_ID, CacheChains, CacheConfig,
    CacheConfigBuilder, ConfigLayer, ConfigResult, Descriptor, Dialect, Digest, Link, MediaType, NewResult,
    RecordDigest, RecordId, Rule, Timestamp,
};
use data_encoding::BASE64;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::data::Fixture;

fn digest(n: u8) -> Digest {
    Digest::sha256([n; 32])
}

/// A layer as BuildKit describes it.
fn layer(n: u8) -> Descriptor {
    Descriptor::new(MediaType::OCI_LAYER_GZIP, digest(n), u64::from(n))
        .with_annotation(ANNOTATION_DIFF_ID, &digest(n + 100).to_string())
}

fn seconds(n: i64) -> Timestamp {
    Timestamp::from_unix(n, 0).unwrap()
}

/// The cache inside an image, in the terms of a cache config.
fn read(packed: &Packed) -> InlineCache {
    let Unpacked::Other(ManifestOrIndex::Manifest(image)) =
        unpack(&packed.root.descriptor, &packed.root.bytes).unwrap()
    else {
        panic!("it is no image")
    };
    assert_eq!(image.artifact_type(), None);
    assert_eq!(image.config, packed.metadata[0].descriptor);
    match read_inline(&image, &packed.metadata[0].bytes).unwrap() {
        InlineOutcome::Cache(cache) => cache,
        InlineOutcome::Absent(why) => panic!("{why}"),
    }
}

/// The chains of the cache inside an image, read by the closed rule.
fn chains_of(packed: &Packed) -> CacheChains {
    let cache = read(packed);
    assert_eq!(cache.layer_steps, cache.layers.len());
    let loaded = CacheChains::from_config(&cache.config, &cache.layers).unwrap();
    assert_eq!(loaded.dropped, []);
    let mut chains = loaded.chains;
    chains.set_rule(Rule::Closed);
    chains
}

/// The config, and a descriptor for each of its layers.
fn marshalled(chains: &CacheChains) -> (CacheConfig, Vec<Descriptor>) {
    let marshalled = chains.marshal(&|_| true).unwrap();
    let layers = marshalled.layer_descriptors().cloned().collect();
    (marshalled.config, layers)
}

/// A config whose layers are given as blob and parent, with a record for each result.
fn config(layers: &[(u8, i32)], results: &[i32]) -> (CacheConfig, Vec<Descriptor>) {
    let mut builder = CacheConfigBuilder::new();
    for (blob, parent) in layers {
        builder.layer(ConfigLayer { blob: Some(digest(*blob)), parent: *parent, annotations: None });
    }
    for (n, at) in results.iter().enumerate() {
        let record = RecordDigest::new(&format!("record {n}"));
        builder.record(record).result(ConfigResult::new(*at, seconds(n as i64)));
    }
    (builder.finish(), layers.iter().map(|(blob, _)| layer(*blob)).collect())
}

/// The records in the image, and the blobs of its layers.
fn records_of(packed: &Packed) -> (Value, Vec<u8>) {
    let image: Value = serde_json::from_slice(&packed.metadata[0].bytes).unwrap();
    let records = BASE64.decode(image["moby.buildkit.cache.v0"].as_str().unwrap().as_bytes()).unwrap();
    let blobs = packed.layers.iter().map(|layer| u8::try_from(layer.size).unwrap()).collect();
    (serde_json::from_slice(&records).unwrap(), blobs)
}

/// The positions that the results refer to: of each record a layer, or a list.
fn results_of(packed: &Packed) -> Vec<Value> {
    let (records, _) = records_of(packed);
    let result = |record: &Value| match &record["layers"][0]["layer"] {
        Value::Null => record["chains"][0]["layers"].clone(),
        layer => layer.clone(),
    };
    records.as_array().unwrap().iter().map(result).collect()
}

#[test]
fn an_image_that_is_a_cache() {
    let (config, mut layers) = config(&[(1, -1), (2, 0), (3, -1)], &[0, 1, 2]);
    layers[0].annotations.set(ANNOTATION_CREATED_AT, "2026-01-02T03:04:05.5+01:00");
    layers[0].annotations.set(ANNOTATION_DESCRIPTION, "COPY <a> /");
    layers[1].media_type = MediaType::DOCKER_LAYER_ZSTD;
    // Not as it is written again, so only the layer's annotation has it.
    layers[2].annotations.set(ANNOTATION_CREATED_AT, "yesterday");
    layers[2].media_type = MediaType::DOCKER_FOREIGN_TAR;
    let packed = pack(Form::Inline, &config, &layers).unwrap();
    assert_eq!(packed.warnings, []);
    let image = String::from_utf8(packed.metadata[0].bytes.to_vec()).unwrap();
    let manifest = ManifestOrIndex::decode(&packed.root.bytes).unwrap().encode_indented();
    insta::assert_snapshot!(format!("{image}\n\n{}", String::from_utf8(manifest).unwrap()));
    let oci: Vec<Descriptor> = layers.iter().map(|layer| layer.in_dialect(Dialect::Oci)).collect();
    assert_eq!(read(&packed).layers, oci);
}

#[test]
fn the_image_begins_with_the_stack_that_has_most_results() {
    for (layers, results, blobs, refer) in [
        // Two stacks on one base: the one with two results comes first.
        (&[(1, -1), (2, 0), (3, 0)][..], &[1, 2, 2, 0][..], &[1, 3, 2][..], json!([[0, 2], 1, 1, 0])),
        // Of equal ones the first in the config.
        (&[(4, -1), (3, -1)], &[1, 0], &[4, 3], json!([[1], 0])),
        // A parent may stand after its layer.
        (&[(2, 1), (1, -1)], &[0, 1], &[1, 2], json!([1, 0])),
        // A blob is in the image once.
        (
            &[(1, -1), (2, 0), (1, 1), (3, 2)],
            &[0, 1, 2, 3],
            &[1, 2, 3],
            json!([0, 1, [0, 1, 0], [0, 1, 0, 2]]),
        ),
        (&[(1, -1), (1, 0)], &[1], &[1], json!([[0, 0]])),
        // Layers without results.
        (&[(2, -1), (1, -1)], &[], &[2, 1], json!([])),
        (&[], &[], &[], json!([])),
    ] {
        let (config, descriptors) = config(layers, results);
        let packed = pack(Form::Inline, &config, &descriptors).unwrap();
        assert_eq!(records_of(&packed).1, blobs, "{layers:?}");
        assert_eq!(Value::from(results_of(&packed)), refer, "{layers:?}");
    }
}

#[test]
fn a_result_that_lists_its_layers_keeps_its_time() {
    let (config, layers) = config(&[(1, -1), (2, -1)], &[0, 1]);
    let (records, _) = records_of(&pack(Form::Inline, &config, &layers).unwrap());
    assert_eq!(records[1]["chains"], json!([{"layers": [1], "createdAt": "1970-01-01T00:00:01Z"}]));
}

#[test]
fn a_result_that_lists_its_layers_in_the_config_does_so_in_the_image() {
    let (config, layers) = config(&[(5, -1), (6, -1)], &[]);
    let mut builder = CacheConfigBuilder::new();
    for layer in config.layers() {
        builder.layer(layer.clone());
    }
    builder.record("r".into()).chain(&[1, 0], seconds(7));
    let config = builder.finish();
    let packed = pack(Form::Inline, &config, &layers).unwrap();
    assert_eq!(read(&packed).config.record(0).unwrap().chains().next().unwrap().layers, [1, 0]);
}

#[test]
fn a_layer_that_an_image_cannot_have_is_refused_by_name() {
    let (config_of_two, layers) = config(&[(1, -1), (2, 0)], &[1]);
    let changed = |change: fn(&mut Descriptor)| {
        let mut layers = layers.clone();
        change(&mut layers[1]);
        layers
    };
    let line = |layers: &[Descriptor]| {
        let error = pack(Form::Inline, &config_of_two, layers).unwrap_err();
        error.to_string().replace(&digest(2).to_string(), "DIGEST")
    };
    for (layers, expected) in [
        (
            changed(|layer| layer.media_type = MediaType::new("text/plain")),
            "image: layer 1 (DIGEST): its media type \"text/plain\" says no compression that an image's layer can have; other forms take it",
        ),
        (
            changed(|layer| layer.annotations.remove(ANNOTATION_DIFF_ID)),
            "image: layer 1 (DIGEST): it has no diff ID, which an image has to state",
        ),
        (
            changed(|layer| layer.annotations.set(ANNOTATION_DIFF_ID, "sha256:short")),
            "image: layer 1 (DIGEST): it has no diff ID, which an image has to state",
        ),
        (layers[..1].to_vec(), "image: the layer DIGEST of the config has no descriptor"),
    ] {
        assert_eq!(line(&layers), expected);
    }
    let (out_of_range, layers) = config(&[(1, -1)], &[0, 1]);
    let error = pack(Form::Inline, &out_of_range, &layers).unwrap_err();
    assert_eq!(error.to_string(), "cache config: record 1: layer 1 is out of range");
}

/// Two stacks of layers with as many results on each. Those on one of them list layers, as many as the square of its height.
#[test]
fn lists_that_would_be_quadratic_are_refused() {
    let height: i32 = 5000;
    let mut builder = CacheConfigBuilder::new();
    for n in 0..2 * height {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        let parent = if n % height == 0 { -1 } else { n - 1 };
        builder.layer(ConfigLayer { blob: Some(Digest::sha256(bytes)), parent, annotations: None });
    }
    for top in [height - 1, 2 * height - 1] {
        for _ in 0..height {
            builder.record("r".into()).result(ConfigResult::new(top, seconds(0)));
        }
    }
    let error = pack(Form::Inline, &builder.finish(), &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "inline cache: its results have few layers in common: they list 25,000,000 layers, and an image may list 4,194,304; other forms take them"
    );
}

#[test]
fn an_existing_cache_keeps_its_head_and_the_order_of_its_records() {
    let (config, layers) = config(&[(1, -1), (2, -1)], &[1, 0]);
    let bytes = encode_config(&config);
    let mut manifest =
        CacheManifest::new(Form::Index, Descriptor::of(MediaType::CACHE_CONFIG, &bytes), layers.clone());
    manifest.annotations = [("a", "1")].into_iter().collect();
    manifest.subject = Some(Descriptor::new(MediaType::OCI_MANIFEST, digest(5), 5));
    let image = manifest.clone().pack_as(Form::Inline, &config, bytes).unwrap();
    let decoded = ManifestOrIndex::decode(&image.root.bytes).unwrap();
    let ManifestOrIndex::Manifest(image_manifest) = decoded else { panic!("it is no image") };
    assert_eq!(image_manifest.annotations, manifest.annotations);
    assert_eq!(image_manifest.subject, manifest.subject);
    assert_eq!(image_manifest.config.media_type, MediaType::OCI_IMAGE_CONFIG);
    let records = read(&image).config;
    let digests: Vec<String> = records.records().map(|record| record.digest().to_string()).collect();
    assert_eq!(digests, ["record 0", "record 1"]);
    // Forms with a config of the same kind keep its bytes, whatever they are.
    let kept = manifest.pack_as(Form::Manifest, &config, "its bytes").unwrap();
    assert_eq!(kept.metadata[0].bytes, "its bytes");
    // An image's config is none of a cache.
    let mixed = CacheManifest::new(Form::Manifest, image.metadata[0].descriptor.clone(), layers);
    assert!(mixed.pack(Vec::new()).is_err());
}

/// The bytes that a real cache has after a way through an image.
fn there_and_back(config: &CacheConfig, layers: &[Descriptor]) -> Vec<u8> {
    encode_config(&marshalled(&chains_of(&pack(Form::Inline, config, layers).unwrap())).0)
}

/// The config of a real cache comes back with its digest if it is canonical. Only `matrix-two` is not: BuildKit does not
/// agree with itself on it.
#[test]
fn real_caches_come_back_from_an_image() {
    let mut changed = Vec::new();
    for fixture in Fixture::caches() {
        let document = ManifestOrIndex::decode(&fixture.manifest()).unwrap();
        let manifest = CacheManifest::from_document(&document).unwrap();
        let bytes = fixture.blob(&manifest.config.digest);
        let config = decode_config(&bytes).unwrap();
        let mut chains = CacheChains::from_config(&config, &manifest.layers).unwrap().chains;
        chains.set_rule(Rule::Closed);
        let canonical = encode_config(&marshalled(&chains).0);
        assert_eq!(there_and_back(&config, &manifest.layers), canonical, "{}", fixture.name);
        if canonical != bytes {
            changed.push(fixture.name);
        }
    }
    assert_eq!(changed, ["matrix-two"]);
}

/// A record: its digest, its inputs as lists of earlier records and selectors, and its results as seconds and blobs.
type Plan = (u8, Vec<Vec<(prop::sample::Index, u8)>>, Vec<(i64, Vec<u8>)>);

fn any_plans() -> impl Strategy<Value = Vec<Plan>> {
    let links = prop::collection::vec((any::<prop::sample::Index>(), 0u8..2), 1..3);
    let results = prop::collection::vec((0i64..5, prop::collection::vec(0u8..6, 0..5)), 0..3);
    prop::collection::vec((0u8..6, prop::collection::vec(links, 0..3), results), 1..12)
}

/// Chains of these records, which are read by the closed rule.
fn planned(plans: &[Plan]) -> CacheChains {
    let types = [MediaType::OCI_LAYER_GZIP, MediaType::OCI_LAYER_ZSTD, MediaType::DOCKER_LAYER_TAR];
    let described = |n: &u8| {
        let mut layer = layer(*n);
        layer.media_type = types[usize::from(*n) % types.len()].clone();
        layer.annotations.set("bkcache/used", "2026-11-28");
        if n.is_multiple_of(2) {
            layer.annotations.set(ANNOTATION_CREATED_AT, &seconds(i64::from(*n)).to_string());
            layer.annotations.set(ANNOTATION_DESCRIPTION, &format!("step <{n}>"));
        }
        layer
    };
    let mut chains = CacheChains::new();
    let mut ids: Vec<RecordId> = Vec::new();
    for (digest, inputs, results) in plans {
        let results: Vec<NewResult> = results
            .iter()
            .map(|(at, blobs)| NewResult {
                created_at: seconds(*at),
                layer: chains.layers(blobs.iter().map(described).collect::<Vec<_>>().iter()).unwrap(),
            })
            .collect();
        let inputs: Vec<Vec<Link<'_>>> = inputs
            .iter()
            .filter(|_| !ids.is_empty())
            .map(|links| {
                let link = |(source, selector): &(prop::sample::Index, u8)| Link {
                    source: ids[source.index(ids.len())],
                    selector: if *selector == 0 { "" } else { "/src" },
                };
                links.iter().map(link).collect()
            })
            .collect();
        let inputs: Vec<&[Link<'_>]> = inputs.iter().map(Vec::as_slice).collect();
        let digest = RecordDigest::new(&format!("sha256:{digest}"));
        ids.push(chains.add(&digest, &inputs, &results).unwrap().unwrap());
    }
    chains.set_rule(Rule::Closed);
    chains
}

proptest! {
    /// Law: a closed cache comes back from an image: the same config, to the byte, and the same descriptors with all their
    /// annotations. The image of what came back is the same image.
    #[test]
    fn a_closed_cache_comes_back_from_an_image(plans in any_plans()) {
        // A config has lost the links of cycles, so the law is about caches that were written once.
        let (config, layers) = marshalled(&planned(&plans));
        let loaded = CacheChains::from_config(&config, &layers).unwrap();
        let mut chains = loaded.chains;
        chains.set_rule(Rule::Closed);
        let (config, layers) = marshalled(&chains);

        let packed = pack(Form::Inline, &config, &layers).unwrap();
        let (back, back_layers) = marshalled(&chains_of(&packed));
        prop_assert_eq!(encode_config(&back), encode_config(&config));
        prop_assert_eq!(&back_layers, &layers);
        prop_assert_eq!(pack(Form::Inline, &back, &back_layers).unwrap().root, packed.root);
    }

    /// Law: as many results point at a layer of the image as stand on any one stack without a repeated blob.
    #[test]
    fn the_beginning_of_the_image_serves_most_results(
        parents in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
        results in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let layers: Vec<(u8, i32)> = (0u8..)
            .zip(&parents)
            .map(|(n, parent)| (n, i32::try_from(parent.index(usize::from(n) + 1)).unwrap() - 1))
            .collect();
        let results: Vec<i32> =
            results.iter().map(|at| i32::try_from(at.index(layers.len())).unwrap()).collect();
        let stack = |top: i32| {
            let below = |at: &i32| Some(layers[usize::try_from(*at).unwrap()].1).filter(|at| *at >= 0);
            std::iter::successors(Some(top), below).collect::<Vec<i32>>()
        };
        let served = |top: i32| results.iter().filter(|result| stack(top).contains(*result)).count();
        let most = (0..layers.len()).map(|top| served(i32::try_from(top).unwrap())).max().unwrap();
        let (config, descriptors) = config(&layers, &results);
        let packed = pack(Form::Inline, &config, &descriptors).unwrap();
        prop_assert_eq!(results_of(&packed).iter().filter(|result| result.is_number()).count(), most);
    }
}
