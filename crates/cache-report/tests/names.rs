//! What records stand for, as the views show it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use cache_format::{CacheOrigin, Form};
use cache_model::{CacheChains, CacheConfig, Descriptor, Link, MediaType, RecordDigest};
use cache_report::{Cache, JsonView, RecordKind, RecordName, RecordNames, Summary, Tree};
use serde_json::{Value, json};

/// A step that reads `/src` of a source.
fn config() -> CacheConfig {
    let mut chains = CacheChains::new();
    let source = chains.add(&"source".into(), &[], &[]).unwrap().unwrap();
    chains.add(&"build".into(), &[&[Link { source, selector: "/src" }]], &[]).unwrap();
    chains.marshal(&|_| true).unwrap().config
}

fn name(kind: RecordKind, line: Option<usize>, instruction: Option<&str>) -> RecordName {
    let instruction = instruction.map(str::to_owned);
    RecordName { kind, platform: None, line, instruction, is_used_only: false, is_computed: true }
}

fn names() -> RecordNames {
    let mut names = RecordNames::default();
    let content = RecordKind::Content { input: 1, paths: vec!["/a".to_owned(), "/b".to_owned()] };
    names.add(&RecordDigest::from("source"), name(content, Some(2), Some("COPY a b /\u{7}")));
    let step = || RecordKind::Step { output: 0 };
    names.add(&RecordDigest::from("build"), name(step(), Some(2), Some("COPY a b /")));
    names.add(&RecordDigest::from("build"), name(step(), Some(9), Some("COPY a b /")));
    names
}

#[test]
fn a_tree_shows_names_and_how_many_more_there_are() {
    let (config, names) = (config(), names());
    let origin =
        CacheOrigin::Manifest { form: Form::Manifest, config: Descriptor::of(MediaType::CACHE_CONFIG, "{}") };
    let cache = Cache::new(&origin, &config, &[]);
    let tree = Tree::of(&cache).with_names(Some(&names));
    let lines = "#0 build  line 2, COPY a b / (and 1 more)\n\
                 │ #1 source [/src]  /a, /b of line 2, COPY a b /\\u{7}\n";
    assert_eq!(tree.to_string(), lines);
    let narrow = tree.with_width(Some(24)).to_string();
    assert_eq!(narrow, "#0 build  line 2, COPY …\n│ #1 source [/src]  /a,…\n");
}

#[test]
fn json_has_every_name_of_a_record() {
    let (config, names) = (config(), names());
    let manifest = Descriptor::of(MediaType::OCI_MANIFEST, "{}");
    let origin =
        CacheOrigin::Manifest { form: Form::Manifest, config: Descriptor::of(MediaType::CACHE_CONFIG, "{}") };
    let caches = [Cache::new(&origin, &config, &[])];
    let view = JsonView::new("./cache", &manifest, &caches);
    let parsed = |view: JsonView<'_>| serde_json::from_str::<Value>(&view.to_string()).unwrap();
    let records = &parsed(view.with_names(Some(&names)))["caches"][0]["records"];
    let step = |line| {
        json!({
            "kind": "step", "output": 0, "line": line, "instruction": "COPY a b /", "found": "computed",
        })
    };
    assert_eq!(records[0]["names"], json!([step(2), step(9)]));
    let content = json!([{
        "kind": "content", "input": 1, "paths": ["/a", "/b"], "line": 2, "instruction": "COPY a b /\u{7}",
        "found": "computed",
    }]);
    assert_eq!(records[1]["names"], content);
    assert_eq!(parsed(view)["caches"][0]["records"][0].get("names"), None);
}

#[test]
fn a_summary_counts_named_records() {
    let config = config();
    let manifest = Descriptor::of(MediaType::OCI_MANIFEST, "{}");
    let origin =
        CacheOrigin::Manifest { form: Form::Manifest, config: Descriptor::of(MediaType::CACHE_CONFIG, "{}") };
    let cache = Cache::new(&origin, &config, &[]);
    let row = |names: &RecordNames| {
        let summary = Summary::of("./cache", &manifest, &cache).with_names(&cache, names);
        summary.rows().last().map(|(name, value)| format!("{} {value}", name.trim_end())).unwrap()
    };
    assert_eq!(row(&RecordNames::default()), "named 0 of 2 records");
    let mut names = RecordNames::default();
    let mut source = name(RecordKind::Source { identity: "layers".to_owned() }, Some(1), None);
    source.is_computed = false;
    names.add(&RecordDigest::from("source"), source);
    assert_eq!(row(&names), "named 1 of 2 records, 1 of them by place");
}

#[test]
fn a_name_says_as_much_as_is_known() {
    let source = || RecordKind::Source { identity: "layers".to_owned() };
    for (name, text) in [
        (name(source(), Some(1), Some("FROM a")), "layers of line 1, FROM a"),
        (name(source(), Some(1), None), "layers of line 1"),
        (
            RecordName {
                is_used_only: true,
                ..name(RecordKind::Step { output: 0 }, Some(3), Some("COPY <<F /"))
            },
            "an input of line 3, COPY <<F /",
        ),
        (name(RecordKind::Step { output: 1 }, None, Some("RUN x")), "output 1 of RUN x"),
        (name(RecordKind::Step { output: 0 }, None, None), "an internal step"),
    ] {
        assert_eq!(name.to_string(), text);
        let of_platform = RecordName { platform: Some("linux/386".to_owned()), ..name.clone() };
        assert!(of_platform.to_string().contains("linux/386, "), "{of_platform}");
        let by_place = RecordName { is_computed: false, ..name };
        assert_eq!(by_place.to_string(), format!("{text} (by place)"));
    }
}
