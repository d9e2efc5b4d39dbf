//! Every record of real caches is named as it is known to be, with and without folders and layers.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeSet, HashMap};

use cache_explain::{
    Build, BuildInputs, Cache, Instructions, Meaning, Name, NameSource, SourceIdentity, name_records,
};
use cache_keys::LayerTree;
use cache_model::{Digest, RecordDigest};
use serde_json::{Value, json};
use tests::why::WhyCase;
use tests::why_inputs::WhyInputs;

/// How many records have which names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    computed: usize,
    by_place: usize,
    unnamed: usize,
}

impl Counts {
    /// Counts a record by its names.
    fn count(&mut self, names: &[Name]) {
        if names.is_empty() {
            self.unnamed += 1;
        } else if names.iter().any(|name| name.found == NameSource::Computed) {
            self.computed += 1;
        } else {
            self.by_place += 1;
        }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.computed += other.computed;
        self.by_place += other.by_place;
        self.unnamed += other.unnamed;
    }
}

/// A name in the form of `truth.json`, without how it was found.
fn described(name: &Name, build: &Build, instructions: &Instructions, of: Option<&str>) -> Value {
    let (step, mut described) = match &name.meaning {
        Meaning::Step { step, .. } => (*step, json!({})),
        Meaning::Content { step, input, paths } => (*step, json!({ "input": input, "paths": paths })),
        Meaning::Source { step, identity } => {
            let identity = match identity {
                SourceIdentity::Manifest(digest) => {
                    format!("manifest {}", digest.to_string().get(..19).unwrap())
                }
                SourceIdentity::Layers(count) => format!("chain id of {count} layer(s)"),
                _ => "another".to_owned(),
            };
            (*step, json!({ "identity": identity }))
        }
        other => panic!("{other:?}"),
    };
    if let Some(line) = instructions.line(step) {
        described["line"] = json!(line);
        described["instruction"] = json!(instructions.text(step));
    }
    let lines: BTreeSet<_> = build.locations[step].iter().map(|location| location.first_line).collect();
    if lines.len() > 1 && !matches!(name.meaning, Meaning::Content { .. }) {
        described["lines"] = json!(lines);
    }
    if let Some(of) = of {
        described["of"] = json!(of);
    }
    described
}

/// A name of `truth.json`.
fn truth(name: &Value) -> Value {
    let mut name = name.clone();
    let name = name.as_object_mut().unwrap();
    if let Some(text) = name.remove("text") {
        let text = text.as_str().unwrap();
        let identity = text.rsplit_once(" by ").map_or("another", |(_, identity)| identity);
        name.insert("identity".to_owned(), json!(identity));
    }
    Value::from(name.clone())
}

fn kind(name: &Name) -> &'static str {
    match name.meaning {
        Meaning::Step { .. } => "step",
        Meaning::Content { .. } => "content",
        Meaning::Source { .. } => "source",
        _ => "another",
    }
}

/// How the records of a build are named.
struct Naming<'t> {
    case: &'t WhyCase,
    own: Vec<BuildInputs<'t>>,
    /// Those of an older build, with its name.
    older: Option<(String, Vec<BuildInputs<'t>>)>,
    layers: &'t HashMap<Digest, LayerTree>,
}

impl Naming<'_> {
    /// Names all records, checks every name, and counts. With everything at hand no name may be missing.
    fn check(&self, at_hand: AtHand) -> Counts {
        let mut counts = Counts::default();
        let Some(records) = self.case.truth["records"].as_array() else { return counts };
        let mut builds = self.own.clone();
        builds.extend(self.older.iter().flat_map(|(_, older)| older.clone()));
        let instructions: Vec<_> = builds.iter().map(|inputs| Instructions::of(inputs.build)).collect();
        let chains = self.case.chains();
        let graph = chains.graph().unwrap();
        let dictionary = name_records(&Cache::new(&graph, self.layers), &builds);
        for record in records {
            let digest = RecordDigest::new(record["digest"].as_str().unwrap());
            let names = dictionary.names(&digest);
            counts.count(names);
            let truth: Vec<Value> = record["names"].as_array().unwrap().iter().map(truth).collect();
            let mut found = Vec::new();
            for name in names {
                let of = self.older.as_ref().filter(|_| name.build >= self.own.len()).map(|(of, _)| &**of);
                let described = described(name, builds[name.build].build, &instructions[name.build], of);
                let at = format!("{}: {record}\n{name:?}\n{described}", self.case.name);
                assert_eq!(kind(name), record["kind"], "{at}");
                // Both builds may have a content.
                let mut own = described.clone();
                own.as_object_mut().unwrap().remove("of").filter(|_| kind(name) == "content");
                let is_true = truth.contains(&described) || truth.contains(&own);
                let may_differ = name.found == NameSource::ByPlace || !at_hand.contexts;
                assert!(is_true || may_differ, "{at}");
                found.push((is_true, described));
            }
            // A content may hang on further steps that the truth, which is computed, does not name.
            let any_is_true = found.iter().any(|(is_true, _)| *is_true);
            assert!(found.is_empty() || any_is_true, "{}: {record}\n{found:?}", self.case.name);
            // In the truth every image has the chain ids of all images.
            if at_hand.is_all() && record["kind"] != "source" {
                for name in truth {
                    let is_found = found.iter().any(|(_, found)| *found == name);
                    assert!(is_found, "{}: {record}\n{found:?}", self.case.name);
                }
            }
        }
        counts
    }
}

/// What is at hand when records are named.
#[derive(Clone, Copy)]
struct AtHand {
    contexts: bool,
    layers: bool,
    /// The older build, where the cache has records of it.
    older: bool,
}

impl AtHand {
    fn is_all(self) -> bool {
        self.contexts && self.layers && self.older
    }

    fn of(self, read: &WhyInputs) -> Vec<BuildInputs<'_>> {
        if self.contexts { read.with_contexts() } else { read.without_contexts() }
    }
}

/// Names the records of all caches.
fn check_all(cases: &[(WhyCase, WhyInputs)], at_hand: AtHand) -> Counts {
    let none = HashMap::new();
    let mut counts = Counts::default();
    for (case, read) in cases {
        let older = cases.iter().find(|(older, _)| case.name == "shared-new" && older.name == "shared-old");
        let older =
            older.filter(|_| at_hand.older).map(|(older, read)| (older.name.clone(), at_hand.of(read)));
        let layers = if at_hand.layers { &read.layers } else { &none };
        counts += Naming { case, own: at_hand.of(read), older, layers }.check(at_hand);
    }
    counts
}

#[test]
fn every_record_is_named_and_most_are_computed() {
    let cases: Vec<_> = WhyCase::all()
        .into_iter()
        .map(|case| {
            let read = WhyInputs::read(&case);
            (case, read)
        })
        .collect();
    for (contexts, layers, older, computed, by_place, unnamed) in [
        (true, true, true, 705, 2, 0),
        (true, false, true, 624, 83, 0),
        (false, true, true, 673, 34, 0),
        (false, false, true, 482, 225, 0),
        // A record of the older build in the cache of the newer one.
        (true, true, false, 704, 2, 1),
    ] {
        let counts = check_all(&cases, AtHand { contexts, layers, older });
        let expected = Counts { computed, by_place, unnamed };
        assert_eq!(counts, expected, "contexts {contexts}, layers {layers}, older build {older}");
    }
}

#[test]
fn the_record_of_an_older_build_names_what_did_not_change() {
    let mut counts = Counts::default();
    for case in WhyCase::all() {
        let Some(older) = case.older() else { continue };
        let (read, older) = (WhyInputs::read(&case), WhyInputs::read(&older));
        let builds = older.with_contexts();
        let instructions: Vec<_> = builds.iter().map(|inputs| Instructions::of(inputs.build)).collect();
        let chains = case.chains();
        let graph = chains.graph().unwrap();
        let dictionary = name_records(&Cache::new(&graph, &read.layers), &builds);
        for record in case.truth["records"].as_array().unwrap() {
            let names = dictionary.names(&RecordDigest::new(record["digest"].as_str().unwrap()));
            counts.count(names);
            for name in names {
                let at = format!("{}: {record}\n{name:?}", case.name);
                assert_eq!(kind(name), record["kind"], "{at}");
                let described = described(name, builds[name.build].build, &instructions[name.build], None);
                let truth = record["names"].as_array().unwrap();
                // Lines may have moved, and other instructions can give the same step.
                let is_it = |truth: &Value| truth["paths"] == described["paths"];
                assert!(truth.iter().any(is_it) || name.found == NameSource::ByPlace, "{at}");
            }
        }
    }
    assert_eq!(counts, Counts { computed: 540, by_place: 6, unnamed: 16 });
}
