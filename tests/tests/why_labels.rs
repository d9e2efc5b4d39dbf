//! A label says as much of an older build as its record, its folders and the layers of its copies, but no value.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cache_explain::{
    Build, BuildInputs, Cache, Cause, CauseKind, ContentPlan, Explanation, NewSide, OldSide,
    comparison_header, explain, name_records,
};
use cache_ingest::{Expect, Job, LayoutOptions, LayoutStore, MemoryStore, Name, Publisher};
use cache_inputs::{AlsoHeaders, Label, find_labels, publish_label, read_builds};
use cache_keys::{EntryKind, LayerTree};
use cache_model::{CacheChains, Descriptor, Digest, MediaType};
use tests::why::WhyCase;
use tests::why_inputs::WhyInputs;

struct Side {
    inputs: WhyInputs,
    chains: CacheChains,
}

impl Side {
    fn read(case: &WhyCase) -> Self {
        let also: AlsoHeaders = Arc::new(|_: &[u8], _: &_, _| vec![comparison_header()]);
        Self { inputs: WhyInputs::read_also(case, &also), chains: case.chains() }
    }

    /// The label of the build, with its folders or without, and its text.
    fn label(&self, contexts: bool) -> (Label, Vec<u8>) {
        let graph = self.chains.graph().unwrap();
        let cache = Cache::new(&graph, &self.inputs.layers);
        let builds = self.inputs.with_contexts();
        let mut label = Label::new(&self.inputs.builds);
        if contexts {
            label.contexts = self.inputs.contexts.clone();
        }
        for build in &builds {
            let plan = ContentPlan::new(build.build, &cache, &[]);
            let layers =
                plan.layers().filter_map(|layer| Some((*layer, self.inputs.layers.get(layer)?.clone())));
            label.layers.extend(layers);
        }
        let text = label.text(&name_records(&cache, &builds));
        (label, text)
    }
}

fn inputs(label: &Label) -> Vec<BuildInputs<'_>> {
    let with_contexts = |build| {
        let inputs = BuildInputs::new(build);
        label.contexts.iter().fold(inputs, |inputs, (name, tree)| inputs.with_context(name, tree))
    };
    label.builds.iter().map(with_contexts).collect()
}

fn explained(
    new: &Side,
    old: &CacheChains,
    old_builds: &[BuildInputs<'_>],
    old_layers: &HashMap<Digest, LayerTree>,
) -> Explanation {
    let (new_graph, old_graph) = (new.chains.graph().unwrap(), old.graph().unwrap());
    let new_cache = Cache::new(&new_graph, &new.inputs.layers);
    let old_cache = Cache::new(&old_graph, old_layers);
    let new_builds = new.inputs.with_contexts();
    let new = NewSide { builds: &new_builds, cache: Some(&new_cache) };
    explain(&new, &OldSide { builds: old_builds, contexts: &BTreeMap::new(), cache: &old_cache })
}

/// A cause without values, which a label does not have, and without the files of inline documents.
fn without_values(mut cause: Cause) -> Cause {
    for change in &mut cause.changes {
        change.old = change.old.take().map(|_| String::new());
        change.new = change.new.take().map(|_| String::new());
    }
    if cause.kind == CauseKind::Inline {
        (cause.files, cause.files_unknown) = (None, None);
    }
    cause
}

/// Every pair of builds, compared by the older record and by the older label, with the older folder and without.
#[test]
fn a_label_explains_misses_as_the_older_record_and_layers_do() {
    let (mut pairs, mut causes) = (0, 0);
    for case in WhyCase::all() {
        let Some(older) = case.older() else { continue };
        let (new, old) = (Side::read(&case), Side::read(&older));
        for contexts in [true, false] {
            let builds = if contexts { old.inputs.with_contexts() } else { old.inputs.without_contexts() };
            let expected = explained(&new, &old.chains, &builds, &old.inputs.layers);
            let label = Label::read(&old.label(contexts).1).unwrap();
            let seen = explained(&new, &old.chains, &inputs(&label), &label.layers);
            assert_eq!(seen.steps, expected.steps, "{}", case.name);
            let expected: Vec<Cause> = expected.causes.into_iter().map(without_values).collect();
            let seen: Vec<Cause> = seen.causes.into_iter().map(without_values).collect();
            assert_eq!(seen, expected, "{} {contexts}", case.name);
            pairs += 1;
            causes += seen.len();
        }
    }
    assert_eq!((pairs, causes), (64, 48));
}

#[test]
fn a_label_is_read_as_it_was_written_and_written_alike_again() {
    let mut files = 0;
    for case in WhyCase::all() {
        let side = Side::read(&case);
        let (label, text) = side.label(true);
        let read = Label::read(&text).unwrap();
        assert_eq!(read.builds, label.builds, "{}", case.name);
        let entries = |label: &Label| -> Vec<_> {
            let trees =
                label.contexts.iter().flat_map(|(name, tree)| tree.iter().map(move |entry| (name, entry)));
            trees
                .map(|(name, (path, entry))| (name.clone(), path, entry.header().clone(), *entry.digest()))
                .collect()
        };
        assert_eq!(entries(&read), entries(&label), "{}", case.name);
        for (digest, layer) in &label.layers {
            let of = |layer: &LayerTree| -> Vec<_> {
                layer.entries().map(|(path, entry)| (path, entry.clone())).collect()
            };
            assert_eq!(of(&read.layers[digest]).len(), of(layer).len());
            files +=
                of(layer).iter().filter(|(_, entry)| matches!(entry.kind(), EntryKind::File { .. })).count();
            let hidden = |layer: &LayerTree| -> Vec<Vec<u8>> {
                layer.whiteouts().chain(layer.opaque_folders()).map(<[u8]>::to_vec).collect()
            };
            assert_eq!(hidden(&read.layers[digest]), hidden(layer));
        }
        let graph = side.chains.graph().unwrap();
        let cache = Cache::new(&graph, &side.inputs.layers);
        let names = name_records(&cache, &side.inputs.with_contexts());
        assert_eq!(
            String::from_utf8(read.text(&names)).unwrap(),
            String::from_utf8(text).unwrap(),
            "{}",
            case.name
        );
    }
    assert!(files > 300, "{files}");
}

/// The builds have values of ENV and ARG, commands, inline documents and build arguments. None of them may be in the label.
#[test]
fn a_label_holds_no_value() {
    let mut values = 0;
    for case in WhyCase::all() {
        let side = Side::read(&case);
        let text = String::from_utf8(side.label(true).1).unwrap();
        for build in &side.inputs.builds {
            for value in secrets(build).iter().filter(|value| value.len() > 5) {
                values += 1;
                assert!(!text.contains(value.as_str()), "{}: {value}", case.name);
            }
        }
    }
    assert!(values > 500, "{values}");
}

/// The values of a build, as they are and as JSON and base64 have them. The place of a mount is a path, also where a variable
/// names it.
fn secrets(build: &Build) -> Vec<String> {
    let (mut values, mut places) = (Vec::new(), Vec::new());
    for step in build.definition.steps() {
        match &step.op {
            cache_keys::Op::Exec(exec) => {
                places.extend(exec.mounts.iter().map(|mount| mount.dest.clone()));
                values.extend(exec.meta.args.iter().filter(|argument| argument.contains(' ')).cloned());
                values.extend(
                    exec.meta.env.iter().filter_map(|variable| Some(variable.split_once('=')?.1.to_owned())),
                );
            }
            cache_keys::Op::File(file) => {
                for action in &file.actions {
                    if let cache_keys::FileActionKind::Mkfile(mkfile) = &action.kind {
                        values.extend(String::from_utf8(mkfile.data.clone()).ok());
                    }
                }
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    for value in values.into_iter().filter(|value| !places.contains(value)) {
        let json = serde_json::Value::from(value.as_str()).to_string();
        all.push(json.strip_prefix('"').unwrap().strip_suffix('"').unwrap().to_owned());
        all.push(data_encoding::BASE64.encode(value.as_bytes()));
        all.push(value);
    }
    all
}

#[test]
fn a_line_that_is_damaged_is_named() {
    let text = Side::read(&WhyCase::load("web")).label(true).1;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    for damaged in [
        "{",
        "[1]",
        r#"["a","f",420,0,0,[1,"x"]]"#,
        r#"["no/parent","d",493,0,0]"#,
        r#"{"build":{}}"#,
        r#"{"layer":"sha256:x"}"#,
    ] {
        let context = b"{\"context\":\"context\"}\n";
        let error = Label::read(&[&text[..], context, damaged.as_bytes()].concat()).unwrap_err();
        assert_eq!(error.line, lines + 2, "{damaged}");
        assert!(
            error.to_string().starts_with(&format!("line {} of the label cannot be read: ", lines + 2)),
            "{error}"
        );
    }
    assert!(Label::read(b"{\"later\":1}\n[1]\n").unwrap().builds.is_empty());
    assert!(read_builds(&text).is_err());
}

/// Stores a manifest as the cache, and its label beside it.
#[test]
fn a_label_is_found_by_the_manifest_of_its_cache() {
    let text = Side::read(&WhyCase::load("web")).label(true).1;
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(is_found(text));
}

async fn is_found(text: Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let layout = LayoutStore::open(folder.path(), LayoutOptions::create().with_sync(false)).await.unwrap();
    let memory = MemoryStore::new();
    let job = Job::default();
    let bytes = br#"{"schemaVersion":2,"manifests":[]}"#;
    let cache = Descriptor::of(MediaType::OCI_INDEX, bytes);
    for publisher in [&layout as &dyn Publisher, &memory] {
        publisher.publish(&Name::Unspecified, &cache, bytes.to_vec().into(), Expect::Any).await.unwrap();
    }
    assert_eq!(find_labels(&cache, &layout, &layout, &job).await.unwrap(), Vec::<Vec<u8>>::new());
    let artifact = publish_label(text.clone(), &cache, &layout, &job).await.unwrap();
    assert_eq!(publish_label(text.clone(), &cache, &layout, &job).await.unwrap(), artifact);
    publish_label(text.clone(), &cache, &memory, &job).await.unwrap();
    assert_eq!(find_labels(&cache, &layout, &layout, &job).await.unwrap(), std::slice::from_ref(&text));
    assert_eq!(find_labels(&cache, &memory, &memory, &job).await.unwrap(), [text]);
}
