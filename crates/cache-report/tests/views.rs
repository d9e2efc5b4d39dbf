//! The views of made caches: their exact text, and that no text of a cache can break it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::time::{Duration, Instant, UNIX_EPOCH};

use cache_format::{CacheManifest, CacheOrigin, Form, ManifestOrIndex, Unpacked, unpack};
use cache_model::{
    ANNOTATION_DESCRIPTION, CacheChains, CacheConfigBuilder, ConfigLayer, ConfigResult, Descriptor, Digest,
    Link, MediaType, NewResult, OneLine, RecordDigest, Timestamp,
};
use cache_report::{Cache, Content, Entry, JsonView, Row, Summary, Survey, Table, Tree, entries_json};
use proptest::prelude::*;

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn descriptor(media_type: &str, byte: u8, size: u64) -> Descriptor {
    Descriptor::new(MediaType::new(media_type), Digest::sha256([byte; 32]), size)
}

/// A cache of two chains that share the record `base`, with foreign text wherever a cache may have some.
struct Made {
    chains: CacheChains,
    layers: Vec<Descriptor>,
    unpacked: Unpacked,
    manifest: Descriptor,
}

impl Made {
    fn with(text: &str, media_type: &str) -> Self {
        let layers = vec![
            descriptor(media_type, 1, 1000).with_annotation(ANNOTATION_DESCRIPTION, text),
            descriptor(media_type, 2, 2048).with_annotation(ANNOTATION_DESCRIPTION, text),
        ];
        let mut chains = CacheChains::new();
        let lower = chains.layers(&layers[..1]).unwrap();
        let both = chains.layers(&layers).unwrap();
        let result =
            |seconds, layer| NewResult { created_at: Timestamp::from_unix(seconds, 0).unwrap(), layer };
        let base = chains.add(&"base".into(), &[], &[result(1, lower)]).unwrap().unwrap();
        let link = |source| [Link { source, selector: text }];
        let other = chains.add(&RecordDigest::new(&format!("other{text}")), &[], &[]).unwrap().unwrap();
        let middle = chains.add(&"middle".into(), &[&link(base)], &[]).unwrap().unwrap();
        chains.add(&"fork".into(), &[&link(middle), &link(other)], &[result(2, both)]).unwrap();
        chains.add(&"again".into(), &[&link(middle)], &[]).unwrap();
        let config = descriptor("application/vnd.buildkit.cacheconfig.v0", 9, 500);
        let built = CacheManifest::new(Form::Manifest, config, layers.clone()).pack(Vec::new()).unwrap().root;
        let unpacked = unpack(&built.descriptor, &built.bytes).unwrap();
        Self { chains, layers, unpacked, manifest: built.descriptor }
    }

    /// The summary, the tree and the JSON.
    fn shown(&self, place: &str) -> [String; 3] {
        self.shown_within(place, None)
    }

    fn shown_within(&self, place: &str, width: Option<usize>) -> [String; 3] {
        let marshalled = self.chains.marshal(&|_| true).unwrap();
        let Unpacked::Cache(manifest) = &self.unpacked else { panic!("a cache") };
        let origin = CacheOrigin::Manifest { form: manifest.form, config: manifest.config.clone() };
        let cache = Cache::new(&origin, &marshalled.config, &self.layers);
        let (caches, warnings) = ([cache], [place.to_owned()]);
        let json = JsonView::new(place, &self.manifest, &caches)
            .with_manifest(Some(manifest))
            .with_warnings(&warnings);
        let summary = Summary::of(place, &self.manifest, &cache).with_width(width);
        [summary.to_string(), Tree::of(&cache).with_width(width).to_string(), json.to_string()]
    }
}

#[test]
fn a_cache_is_shown_as_a_summary_a_tree_and_json() {
    let [summary, tree, json] = Made::with("/src", GZIP).shown("./cache");
    insta::assert_snapshot!(format!("{summary}\n{tree}\n{json}"));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["caches"][0]["form"], "manifest");
}

/// The tree of chains without blobs.
fn tree(chains: &CacheChains, width: Option<usize>) -> String {
    let config = chains.marshal(&|_| true).unwrap().config;
    let origin = CacheOrigin::Manifest {
        form: Form::Manifest,
        config: descriptor("application/vnd.buildkit.cacheconfig.v0", 9, 500),
    };
    Tree::of(&Cache::new(&origin, &config, &[])).with_width(width).to_string()
}

#[test]
fn alternatives_of_one_input_are_told_apart_from_inputs() {
    let mut chains = CacheChains::new();
    let mut root = |name: &str| {
        let source = chains.add(&name.into(), &[], &[]).unwrap().unwrap();
        Link { source, selector: "" }
    };
    let (a, b, c) = (root("a"), root("b"), root("c"));
    chains.add(&"either".into(), &[&[a, b]], &[]).unwrap();
    chains.add(&"both".into(), &[&[a], &[b]], &[]).unwrap();
    chains.add(&"mixed".into(), &[&[a, b], &[c]], &[]).unwrap();
    insta::assert_snapshot!(tree(&chains, None), @r"
    #2 both
    ├─ #0 a
    └─ #1 b
    #4 either
    ├─ #0 a (above)
    └─ or #1 b (above)
    #5 mixed
    ├─ #0 a (above)
    ├─ or #1 b (above)
    └─ #3 c
    ");
}

#[test]
fn no_line_is_longer_than_the_terminal() {
    let long = "/a/very/long/path/to/some/sources/of/a/program/with/many/parts/in/it";
    let made = Made::with(long, GZIP);
    let [summary, tree, _] = made.shown_within(&format!("./{}", "c".repeat(100)), Some(80));
    for text in [&summary, &tree] {
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
    insta::assert_snapshot!(format!("{}\n{summary}\n{tree}", Tree::legend(Some(80))));
    assert_eq!(Tree::legend(Some(80)), Tree::legend(None), "it is whole on a terminal of 80 columns");
    for width in [1, 20, 40, 79] {
        assert!(Tree::legend(Some(width)).lines().all(|line| line.chars().count() <= width), "{width}");
        let shown = made.shown_within("./cache", Some(width));
        assert!(shown[1].lines().all(|line| line.chars().count() <= width), "{width}: {}", shown[1]);
    }
}

#[test]
fn a_table_fits_the_terminal_and_a_shared_blob_is_in_its_total_once() {
    let made = Made::with("", GZIP);
    let origin = CacheOrigin::Manifest { form: Form::Manifest, config: made.manifest.clone() };
    let mut cache = Survey::of(&made.manifest, &made.unpacked);
    cache.add_cache(&origin, &made.chains.marshal(&|_| true).unwrap().config);
    let artifact = descriptor(&format!("application/vnd.example.{}+json", "x".repeat(100)), 3, 7);
    let document = ManifestOrIndex::decode(br#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
    let other = Survey::of(&artifact, &Unpacked::Other(document));
    let named = |name: &str, survey: &Survey| Entry::new(Some(name.to_owned()), Ok(survey.clone()));
    let long = format!("sha256-{}.sig", "0".repeat(64));
    let entries = [named("main", &cache), named("again", &cache), named(&long, &other)];
    let table = Table::of(&entries, UNIX_EPOCH + Duration::from_secs(62), Some(80)).to_string();
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    insta::assert_snapshot!(table, @r"
    NAME                 KIND              SIZE      AGE       RECORDS  DIGEST
    main                 cache (manifest)  4.09 KiB  1 minute  5        ddc5e516757c
    again                cache (manifest)  4.09 KiB  1 minute  5        ddc5e516757c
    sha256-00000000000…  application/vnd…  7 B       -         -        030303030303
    3 names, 2 caches: 4.10 KiB, shared blobs counted once
    ");
}

#[test]
fn a_deep_fork_is_a_number() {
    let mut chains = CacheChains::new();
    let leaf = chains.add(&"leaf".into(), &[], &[]).unwrap().unwrap();
    let mut top = leaf;
    for n in 0..30 {
        let digest = RecordDigest::new(&format!("fork{n}"));
        let inputs = [top, leaf].map(|source| [Link { source, selector: "" }]);
        top = chains.add(&digest, &[&inputs[0], &inputs[1]], &[]).unwrap().unwrap();
    }
    let tree = tree(&chains, None);
    assert_eq!(tree.lines().count(), 61);
    assert!(tree.contains("\n(5 deeper) │  "), "{tree}");
    assert!(tree.lines().all(|line| line.chars().count() < 120), "{tree}");
}

/// Each would take minutes if a mention of a record cost as much as the record.
#[test]
fn a_record_that_is_mentioned_often_costs_its_size_once() {
    const MANY: u32 = 40_000;
    let long = "x".repeat(1_000_000);
    let step = descriptor(GZIP, 1, 1).with_annotation(ANNOTATION_DESCRIPTION, &long);
    for (name, results) in [("many results", MANY), (long.as_str(), 1)] {
        let mut builder = CacheConfigBuilder::new();
        builder.layer(ConfigLayer::new(step.digest, None));
        let mut record = builder.record(RecordDigest::new(name));
        for _ in 0..results {
            record.result(ConfigResult::new(0, Timestamp::ZERO));
        }
        for n in 0..MANY {
            let mut record = builder.record(RecordDigest::new(&format!("user {n}")));
            record.input().link("", 0);
            if n % 100 == 0 {
                record.result(ConfigResult::new(0, Timestamp::ZERO));
            }
        }
        let config = builder.finish();
        let origin = CacheOrigin::Manifest { form: Form::Manifest, config: step.clone() };
        let began = Instant::now();
        let tree = Tree::of(&Cache::new(&origin, &config, std::slice::from_ref(&step))).to_string();
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert_eq!(tree.matches(" (above)").count(), MANY as usize - 1);
        assert!(tree.lines().all(|line| line.chars().count() < 5000));
    }
}

#[test]
fn a_table_has_even_columns_and_says_what_could_not_be_read() {
    let made = Made::with("", GZIP);
    let mut cache = Survey::of(&made.manifest, &made.unpacked);
    let origin = CacheOrigin::Manifest { form: Form::Manifest, config: made.manifest.clone() };
    cache.add_cache(&origin, &made.chains.marshal(&|_| true).unwrap().config);
    let entries =
        [Entry::new(Some("main".to_owned()), Ok(cache)), Entry::new(None, Err("it is\ngone".to_owned()))];
    let table = Table::of(&entries, UNIX_EPOCH + Duration::from_secs(62), None);
    insta::assert_snapshot!(format!("{table}\n{}", entries_json(&entries)));
}

/// Text with characters that move a cursor, turn the direction of writing or end a line, among others.
fn foreign() -> impl Strategy<Value = String> {
    let hostile =
        prop::sample::select(vec!['\n', '\r', '\u{1b}', '\u{7}', '\u{202e}', '\u{2028}', '\u{200b}', '\0']);
    let c = prop_oneof![hostile, any::<char>()];
    prop::collection::vec(c, 0..40).prop_map(|chars| chars.into_iter().collect())
}

/// Whether every character of every line is drawn where it stands.
fn is_safe(text: &str) -> bool {
    text.ends_with('\n') && text.split_terminator('\n').all(|line| OneLine(line).to_string() == line)
}

proptest! {
    /// Whatever text a cache has, each view for people has the lines that it has for harmless text, and none of them
    /// has a character that is not drawn; and JSON has the text to the character.
    #[test]
    fn foreign_text_breaks_no_view(text in foreign(), place in foreign()) {
        let made = Made::with(&text, &format!("{GZIP}{text}"));
        let [summary, tree, json] = made.shown(&place);
        prop_assert!(is_safe(&summary) && is_safe(&tree), "{summary}{tree}");
        let harmless = Made::with("a", GZIP).shown("b");
        prop_assert_eq!(summary.lines().count(), harmless[0].lines().count());
        prop_assert_eq!(tree.lines().count(), harmless[1].lines().count());
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&json["location"], &place);
        prop_assert_eq!(&json["warnings"][0], &place);
        let digests: Vec<&str> = json["caches"][0]["records"].as_array().unwrap().iter()
            .map(|record| record["digest"].as_str().unwrap()).collect();
        let other = format!("other{text}");
        prop_assert!(digests.contains(&other.as_str()));
    }

    /// An entry that cannot be read is found by its name, so the name is whole.
    #[test]
    fn the_name_of_an_unreadable_entry_is_whole(name in "[a-z-]{1,128}") {
        let entries = [Entry::new(Some(name.clone()), Err("gone".to_owned()))];
        let table = Table::of(&entries, UNIX_EPOCH, None).to_string();
        let row = [name.as_str(), "error:", "gone"];
        prop_assert!(table.lines().any(|line| line.split_whitespace().eq(row)), "{table}");
    }

    /// Foreign text breaks no line of a table either, and long text is cut.
    #[test]
    fn foreign_text_breaks_no_table(name in foreign(), long in 0..3000usize, reason in foreign()) {
        let artifact = descriptor(&format!("application/{name}{}", "x".repeat(long)), 3, 7);
        let document = ManifestOrIndex::decode(br#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
        let survey = Survey::of(&artifact, &Unpacked::Other(document));
        prop_assert_eq!(survey.content(), &Content::Other(artifact.media_type.clone()));
        let entries = [
            Entry::new(Some(format!("{name}{}", "y".repeat(long))), Ok(survey)),
            Entry::new(Some(name.clone()), Err(reason.clone())),
        ];
        let table = Table::of(&entries, UNIX_EPOCH, None);
        let text = table.to_string();
        prop_assert!(is_safe(&text), "{text}");
        prop_assert_eq!(text.lines().count(), 4);
        let Row::Found(line) = &table.rows[0] else { panic!("a row") };
        prop_assert!(line.chars().count() < 400);
        let json: serde_json::Value = serde_json::from_str(&entries_json(&entries)).unwrap();
        prop_assert_eq!(&json[1]["name"], &name);
        prop_assert_eq!(&json[1]["error"], &reason);
        prop_assert_eq!(&json[0]["artifact"], artifact.media_type.as_str());
    }
}
