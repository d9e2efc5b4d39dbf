//! Why builds missed the caches of older builds: all that is known of each pair is found, with everything at hand and with less.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use cache_explain::{
    BuildInputs, Cache, Cause, CauseKind, Explanation, FileChange, FileChangeKind, FileType, NewSide,
    OldSide, RecordCauseKind, StepOutcome, StepPlace, comparison_header, explain, explain_caches,
};
use cache_inputs::AlsoHeaders;
use cache_keys::Tree;
use cache_model::{CacheChains, Digest};
use serde_json::{Value, json};
use tests::why::WhyCase;
use tests::why_inputs::WhyInputs;

/// A build and the older one that it is compared with.
struct Pair {
    name: String,
    /// What is known of them.
    against: Value,
    new: Side,
    old: Side,
}

struct Side {
    inputs: WhyInputs,
    chains: CacheChains,
}

/// What is given to the explanation.
#[derive(Clone, Copy)]
struct AtHand {
    new_cache: bool,
    new_contexts: bool,
    old_contexts: bool,
    old_record: bool,
    layers: bool,
}

/// How much was right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    pairs: usize,
    steps: usize,
    unknown: usize,
    causes: usize,
    files: usize,
    notes: usize,
}

const ALL: AtHand =
    AtHand { new_cache: true, new_contexts: true, old_contexts: true, old_record: true, layers: true };

/// All pairs, read once.
static PAIRS: LazyLock<Vec<Pair>> = LazyLock::new(Pair::all);

impl Pair {
    fn all() -> Vec<Self> {
        let pair = |case: WhyCase| {
            let older = case.older()?;
            let against = case.truth["against"].clone();
            Some(Self { name: case.name.clone(), against, new: Side::read(&case), old: Side::read(&older) })
        };
        WhyCase::all().into_iter().filter_map(pair).collect()
    }

    fn explain(&self, at_hand: AtHand) -> Explanation {
        self.explain_with(at_hand, &|_| at_hand.layers)
    }

    fn explain_with(&self, at_hand: AtHand, is_read: &dyn Fn(&Digest) -> bool) -> Explanation {
        let (new, old) = (&self.new, &self.old);
        let [new_layers, old_layers] = [new, old].map(|side| {
            let mut layers = side.inputs.layers.clone();
            layers.retain(|layer, _| is_read(layer));
            layers
        });
        let (new_graph, old_graph) = (new.chains.graph().unwrap(), old.chains.graph().unwrap());
        let (new_cache, old_cache) =
            (Cache::new(&new_graph, &new_layers), Cache::new(&old_graph, &old_layers));
        let (new_builds, mut old_builds) =
            (new.builds(at_hand.new_contexts), old.builds(at_hand.old_contexts));
        let mut contexts: BTreeMap<String, &Tree> = BTreeMap::new();
        if !at_hand.old_record {
            old_builds.clear();
            if at_hand.old_contexts {
                contexts = old.inputs.contexts.iter().map(|(name, tree)| (name.clone(), tree)).collect();
            }
        }
        let new = NewSide { builds: &new_builds, cache: at_hand.new_cache.then_some(&new_cache) };
        explain(&new, &OldSide { builds: &old_builds, contexts: &contexts, cache: &old_cache })
    }

    /// The causes that are known. The files that only the older folder tells are in them if it is given.
    fn causes(&self, old_contexts: bool) -> Vec<Value> {
        let mut causes = self.against["causes"].as_array().unwrap().clone();
        for cause in &mut causes {
            let files = cause.as_object_mut().unwrap().remove("files_with_old_context");
            if let Some(files) = files.filter(|_| old_contexts) {
                cause["files"] = files;
            }
        }
        causes
    }
}

impl Side {
    fn read(case: &WhyCase) -> Self {
        let also: AlsoHeaders = Arc::new(|_: &[u8], _: &_, _| vec![comparison_header()]);
        Self { inputs: WhyInputs::read_also(case, &also), chains: case.chains() }
    }

    fn builds(&self, contexts: bool) -> Vec<BuildInputs<'_>> {
        match contexts {
            true => self.inputs.with_contexts(),
            false => self.inputs.without_contexts(),
        }
    }
}

impl Counts {
    /// Counts what an explanation has, if all of it is right.
    fn add(&mut self, explanation: &Explanation) {
        self.pairs += 1;
        self.steps += explanation.steps.len();
        self.unknown += explanation.count(StepOutcome::Unknown);
        self.causes += explanation.causes.len();
        self.files += explanation.causes.iter().filter_map(|cause| cause.files.as_ref()).flatten().count();
        self.notes += explanation.notes.len();
    }
}

fn place(at: &StepPlace) -> Value {
    let mut place = json!({ "line": at.line, "instruction": at.instruction });
    if let Some(platform) = &at.platform {
        place["platform"] = json!(platform);
    }
    place
}

fn steps(explanation: &Explanation) -> Vec<Value> {
    let steps = explanation.steps.iter().map(|step| {
        let mut value = place(&step.at);
        value["step"] = json!(format!("step{}", step.at.step));
        value["cached"] = match step.outcome {
            StepOutcome::Cached => json!(true),
            StepOutcome::Ran => json!(false),
            _ => Value::Null,
        };
        value
    });
    steps.collect()
}

fn file(file: &FileChange) -> Value {
    let mut value = json!({ "path": String::from_utf8_lossy(&file.path), "change": file.change.as_str() });
    let mut put = |name: &str, given: Option<Value>| {
        if let Some(given) = given {
            value[name] = given;
        }
    };
    put("old_size", file.old_size().map(Value::from));
    put("new_size", file.new_size().map(Value::from));
    if file.change == FileChangeKind::Mode {
        put("old_mode", file.old.map(|facts| json!(format!("{:o}", facts.mode))));
        put("new_mode", file.new.map(|facts| json!(format!("{:o}", facts.mode))));
    }
    let kind = file.new.or(file.old).unwrap().kind;
    if matches!(file.change, FileChangeKind::Added | FileChangeKind::Removed) && kind != FileType::File {
        put("type", Some(json!(kind.as_str())));
    }
    value
}

fn cause(cause: &Cause) -> Value {
    let mut value = place(&cause.at);
    value["kind"] = json!(cause.kind.as_str());
    value["follow"] = json!(cause.follow);
    if matches!(cause.kind, CauseKind::Content | CauseKind::Inline) {
        value["files"] = json!(cause.files.as_ref().map(|files| files.iter().map(file).collect::<Vec<_>>()));
        assert_eq!(cause.files.is_none(), cause.files_unknown.is_some());
    }
    let changes = cause.changes.iter();
    let changes: Vec<Value> =
        changes.map(|change| json!({ "at": change.at, "old": change.old, "new": change.new })).collect();
    if !changes.is_empty() {
        value["changes"] = json!(changes);
    }
    if let Some(line) = cause.declared {
        value["declared"] = json!(line);
    }
    if let Some(ignore) = &cause.ignore {
        value["ignore"] = json!({ "removed": ignore.removed, "added": ignore.added });
    }
    value
}

fn notes(explanation: &Explanation) -> Vec<Value> {
    let notes = explanation.notes.iter().map(|note| {
        let files = note.files.iter().map(
            |file| json!({ "path": String::from_utf8_lossy(&file.path), "change": file.change.as_str() }),
        );
        let mut value = place(&note.at);
        value["kind"] = json!(note.kind.as_str());
        value["files"] = json!(files.collect::<Vec<_>>());
        value
    });
    notes.collect()
}

/// Checks that everything is as it is known.
#[track_caller]
fn check_all(at_hand: AtHand, expected: Counts) {
    let mut counts = Counts::default();
    for pair in &*PAIRS {
        let explanation = pair.explain(at_hand);
        let name = &pair.name;
        assert_eq!(json!(steps(&explanation)), pair.against["steps"], "{name}");
        assert_eq!(json!(explanation.cached()), pair.against["cached"], "{name}");
        assert_eq!(json!(explanation.ran()), pair.against["ran"], "{name}");
        let causes: Vec<Value> = explanation.causes.iter().map(cause).collect();
        assert_eq!(causes, pair.causes(at_hand.old_contexts), "{name}");
        assert!(explanation.causes.iter().all(|cause| cause.is_certain && cause.may_follow == 0), "{name}");
        assert_eq!(json!(notes(&explanation)), pair.against["notes"], "{name}");
        counts.add(&explanation);
    }
    println!("{counts:?}");
    assert_eq!(counts, expected);
}

#[test]
fn with_two_caches_and_records_every_cause_is_found() {
    let at_hand = AtHand { new_contexts: false, old_contexts: false, ..ALL };
    check_all(at_hand, Counts { pairs: 32, steps: 316, unknown: 0, causes: 24, files: 11, notes: 1 });
}

#[test]
fn with_the_newer_folder_the_older_files_come_from_layers() {
    let at_hand = AtHand { old_contexts: false, ..ALL };
    check_all(at_hand, Counts { pairs: 32, steps: 316, unknown: 0, causes: 24, files: 11, notes: 1 });
}

#[test]
fn with_both_folders_files_that_are_only_mounted_are_found_too() {
    check_all(ALL, Counts { pairs: 32, steps: 316, unknown: 0, causes: 24, files: 12, notes: 1 });
}

#[test]
fn without_layers_everything_but_files_and_notes_is_found() {
    let mut wanted = 0;
    for pair in &*PAIRS {
        let without = AtHand { layers: false, new_contexts: false, old_contexts: false, ..ALL };
        let explanation = pair.explain(without);
        assert_eq!(json!(steps(&explanation)), pair.against["steps"], "{}", pair.name);
        let causes: Vec<Value> = explanation.causes.iter().map(cause).collect();
        let mut expected = pair.causes(false);
        for cause in expected.iter_mut().filter(|cause| cause.get("files").is_some()) {
            cause["files"] = Value::Null;
        }
        assert_eq!(causes, expected, "{}", pair.name);
        assert!(explanation.notes.is_empty());
        // A layer is asked for where it tells more, and the layers that are asked for are those that tell it.
        let missing =
            |causes: &[Value]| causes.iter().filter(|cause| cause.get("files") == Some(&Value::Null)).count();
        assert_eq!(
            explanation.wanted_layers.is_empty(),
            missing(&expected) == missing(&pair.causes(false)),
            "{}",
            pair.name
        );
        let mut read: Vec<Digest> = Vec::new();
        let mut explanation = explanation;
        while !explanation.wanted_layers.is_empty() || !explanation.wanted_for_notes.is_empty() {
            wanted += explanation.wanted_layers.len();
            read.append(&mut explanation.wanted_layers);
            read.append(&mut explanation.wanted_for_notes);
            explanation = pair.explain_with(without, &|layer| read.contains(layer));
        }
        let causes: Vec<Value> = explanation.causes.iter().map(cause).collect();
        assert_eq!(causes, pair.causes(false), "{}", pair.name);
        assert_eq!(json!(notes(&explanation)), pair.against["notes"], "{}", pair.name);
    }
    assert_eq!(wanted, 23);
}

#[test]
fn without_the_older_record_all_but_the_changes_of_definitions_is_found() {
    let defined = ["command", "arg", "env", "mount", "instruction", "platform"];
    let mut definitions = 0;
    for pair in &*PAIRS {
        for old_contexts in [false, true] {
            let explanation = pair.explain(AtHand { old_record: false, old_contexts, ..ALL });
            let causes: Vec<Value> = explanation.causes.iter().map(cause).collect();
            let mut expected = pair.causes(old_contexts);
            for cause in &mut expected {
                let cause = cause.as_object_mut().unwrap();
                cause.remove("ignore");
                let is_source = cause["instruction"].as_str().unwrap().starts_with("FROM");
                if !is_source && defined.contains(&cause["kind"].as_str().unwrap()) {
                    cause.insert("kind".to_owned(), json!("definition"));
                    cause.remove("changes");
                    cause.remove("declared");
                    definitions += 1;
                }
            }
            assert_eq!(causes, expected, "{}", pair.name);
        }
    }
    assert_eq!(definitions, 18);
}

/// Before a build is made it is not known what its commands give. All that is said is right, and what is not known is so called.
#[track_caller]
fn check_before(at_hand: AtHand, expected: Counts) {
    let mut counts = Counts::default();
    for pair in &*PAIRS {
        let name = &pair.name;
        let explanation = pair.explain(AtHand { new_cache: false, ..at_hand });
        for (step, known) in steps(&explanation).iter().zip(pair.against["steps"].as_array().unwrap()) {
            let is_unknown = step["cached"].is_null();
            assert_eq!(step["step"], known["step"], "{name}");
            assert!(is_unknown || step["cached"] == known["cached"], "{name}: {step}");
        }
        let expected = pair.causes(at_hand.old_contexts);
        assert_eq!(explanation.causes.len(), expected.len(), "{name}: {:?}", explanation.causes);
        for (found, mut expected) in explanation.causes.iter().zip(expected) {
            let follow = usize::try_from(expected["follow"].as_u64().unwrap()).unwrap();
            assert!((found.follow..=found.follow + found.may_follow).contains(&follow), "{name}: {found:?}");
            expected["follow"] = json!(found.follow);
            assert_eq!(cause(found), expected, "{name}");
        }
        assert!(explanation.notes.is_empty());
        counts.add(&explanation);
    }
    println!("{counts:?}");
    assert_eq!(counts, expected);
}

#[test]
fn before_a_build_its_causes_are_known() {
    let counts = Counts { pairs: 32, steps: 316, unknown: 94, causes: 24, files: 11, notes: 0 };
    check_before(AtHand { old_contexts: false, ..ALL }, counts);
}

#[test]
fn before_a_build_files_that_are_only_mounted_are_known_from_both_folders() {
    let counts = Counts { pairs: 32, steps: 316, unknown: 94, causes: 24, files: 12, notes: 0 };
    check_before(ALL, counts);
}

#[test]
fn from_two_caches_alone_the_first_causes_are_told_apart() {
    let (mut causes, mut files) = (0, 0);
    for pair in &*PAIRS {
        let (new_graph, old_graph) = (pair.new.chains.graph().unwrap(), pair.old.chains.graph().unwrap());
        let (new, old) = (&pair.new.inputs.layers, &pair.old.inputs.layers);
        let explanation = explain_caches(&Cache::new(&new_graph, new), &Cache::new(&old_graph, old));
        let name = &pair.name;
        assert_eq!(json!(explanation.cached), pair.against["cached"], "{name}");
        assert_eq!(json!(explanation.ran), pair.against["ran"], "{name}");
        assert!(explanation.wanted_layers.is_empty(), "{name}");
        let expected = pair.against["causes"].as_array().unwrap();
        assert_eq!(explanation.causes.len(), expected.len(), "{name}: {:?}", explanation.causes);
        for expected in expected {
            let is_source = expected["instruction"].as_str().unwrap().starts_with("FROM");
            let kind = match expected["kind"].as_str().unwrap() {
                "content" => RecordCauseKind::Content,
                _ if is_source => RecordCauseKind::Base,
                _ => RecordCauseKind::Definition,
            };
            let mut found = explanation.causes.iter();
            let found = found.find(|cause| cause.kind == kind && json!(cause.follow) == expected["follow"]);
            let found = found.unwrap_or_else(|| panic!("{name}: {:?}", explanation.causes));
            assert_eq!(found.older.is_some(), kind == RecordCauseKind::Content);
            // The paths in the layer end as those in the source do. What a mount has is in no layer.
            if let Some(expected) = expected["files"].as_array() {
                let found = found.files.as_ref().unwrap().iter();
                let found: Vec<(String, Value)> = found
                    .map(|found| (String::from_utf8(found.path.clone()).unwrap(), file(found)))
                    .collect();
                assert_eq!(found.len(), expected.len(), "{name}: {found:?}");
                for ((path, found), expected) in found.iter().zip(expected) {
                    let last = expected["path"].as_str().unwrap().rsplit('/').next().unwrap();
                    assert!(path.ends_with(last), "{name}: {path}");
                    let (mut found, mut expected) = (found.clone(), expected.clone());
                    (found["path"], expected["path"]) = (Value::Null, Value::Null);
                    assert_eq!(found, expected, "{name}");
                    files += 1;
                }
            }
            causes += 1;
        }
    }
    println!("{causes} causes, {files} files");
    assert_eq!((causes, files), (24, 11));
}

#[test]
fn without_layers_two_caches_alone_ask_for_them() {
    let none = HashMap::new();
    let mut asked = 0;
    for pair in &*PAIRS {
        let (new_graph, old_graph) = (pair.new.chains.graph().unwrap(), pair.old.chains.graph().unwrap());
        let explanation = explain_caches(&Cache::new(&new_graph, &none), &Cache::new(&old_graph, &none));
        let contents = explanation.causes.iter().filter(|cause| cause.kind == RecordCauseKind::Content);
        let contents: Vec<_> = contents.collect();
        assert!(contents.iter().all(|cause| cause.files.is_none()));
        assert_eq!(explanation.wanted_layers.len(), 2 * contents.len(), "{}", pair.name);
        asked += contents.len();
    }
    assert_eq!(asked, 11);
}
