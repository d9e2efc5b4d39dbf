//! Causes on small builds, as a builder that starts empty writes their caches.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use cache_explain::{
    Build, BuildInputs, Cache, CauseKind, Explanation, FileChange, FilesUnknown, NewSide, OldSide,
    RecordCauseKind, StepOutcome, explain, explain_caches,
};
use cache_keys::{
    CacheMount, FileActionKind, FileOp, LayerEntry, LayerTree, MkdirAction, Mount, MountKind, Op, Step, Tree,
};
use cache_model::{CacheChains, Digest, Platform};

use crate::builder::{
    Builder, action, build, copy, document, end, file, folder, image, layer, run, source, step,
    with_dockerfile,
};

/// A build with its cache and the layers of that which were read.
struct Side {
    build: Build,
    chains: CacheChains,
    layers: HashMap<Digest, LayerTree>,
}

impl Side {
    fn new(build: Build, builder: Builder) -> Self {
        let chains = builder.run(&build);
        Self { build, chains, layers: HashMap::new() }
    }

    /// The same with the layer of a step, which has these files.
    fn with_layer(mut self, name: &str, files: &[(&str, &str)]) -> Self {
        let mut tree = LayerTree::default();
        for (path, text) in files {
            tree.add(path.as_bytes(), LayerEntry::Entry(file(text))).unwrap();
        }
        self.layers.insert(layer(name).digest, tree);
        self
    }
}

/// Explains a build that was made, without folders.
fn explained(new: &Side, old: &Side) -> Explanation {
    explained_with(new, old, &[BuildInputs::new(&old.build)])
}

fn explained_with(new: &Side, old: &Side, old_builds: &[BuildInputs<'_>]) -> Explanation {
    let (new_graph, old_graph) = (new.chains.graph().unwrap(), old.chains.graph().unwrap());
    let (new_cache, old_cache) = (Cache::new(&new_graph, &new.layers), Cache::new(&old_graph, &old.layers));
    let contexts = BTreeMap::new();
    let builds = [BuildInputs::new(&new.build)];
    let new = NewSide { builds: &builds, cache: Some(&new_cache) };
    explain(&new, &OldSide { builds: old_builds, contexts: &contexts, cache: &old_cache })
}

/// The kind, step and followers of each cause.
fn causes(explanation: &Explanation) -> Vec<(CauseKind, usize, usize)> {
    explanation.causes.iter().map(|cause| (cause.kind, cause.at.step, cause.follow)).collect()
}

/// The first cause's changes: the field, and whether its values may be secret.
fn changes(explanation: &Explanation) -> Vec<(&str, bool)> {
    explanation.causes[0].changes.iter().map(|change| (&*change.at, change.is_secret)).collect()
}

fn files(files: Option<&Vec<FileChange>>) -> Vec<(String, &'static str)> {
    let file = |file: &FileChange| (String::from_utf8(file.path.clone()).unwrap(), file.change.as_str());
    files.unwrap().iter().map(file).collect()
}

/// A command with an environment, on an image.
fn run_with(command: &str, env: &[&str], mounts: &[Mount]) -> Step {
    let mut step = run(command, 0);
    if let Op::Exec(exec) = &mut step.op {
        exec.meta.env = env.iter().map(|variable| (*variable).to_owned()).collect();
        exec.mounts.extend(mounts.iter().cloned());
    }
    step
}

fn one(step: Step) -> Side {
    Side::new(build([image(), step, run("after", 1), end(2)]), Builder::default())
}

/// The kind and changes when one step becomes another.
#[track_caller]
fn check_change(old: Step, new: Step, kind: CauseKind, expected: &[(&str, bool)]) {
    let explanation = explained(&one(new), &one(old));
    assert_eq!(causes(&explanation), [(kind, 1, 1)]);
    assert_eq!(changes(&explanation), expected);
}

fn cache_mount(id: &str) -> Mount {
    let cache = CacheMount { id: id.to_owned(), ..CacheMount::default() };
    Mount { dest: "/c".to_owned(), kind: MountKind::Cache, cache: Some(cache), ..Mount::default() }
}

#[test]
fn what_differs_in_a_definition_tells_the_kind_of_cause() {
    let plain = || run_with("make", &["A=1"], &[]);
    check_change(
        plain(),
        run_with("make all", &["A=1"], &[]),
        CauseKind::Command,
        &[("Exec.meta.args[0]", false)],
    );
    check_change(plain(), run_with("make", &["A=2"], &[]), CauseKind::Env, &[("Exec.meta.env.A", true)]);
    let both = [("Exec.meta.args[0]", false), ("Exec.meta.env.B", true), ("Exec.meta.env.A", true)];
    check_change(plain(), run_with("make all", &["B=1"], &[]), CauseKind::Instruction, &both);
    let order = run_with("make", &["B=1", "A=1"], &[]);
    check_change(order, run_with("make", &["A=1", "B=1"], &[]), CauseKind::Env, &[("Exec.meta.env", false)]);
    // `/c` is the plain identity of the mount at this path, and any other is not in the key.
    let mounted = |id: &str| run_with("make", &["A=1"], &[cache_mount(id)]);
    check_change(mounted("/c"), mounted("own"), CauseKind::Mount, &[("Exec.mounts[1].cacheOpt.ID", false)]);
    check_change(mounted("own"), mounted("/c"), CauseKind::Mount, &[("Exec.mounts[1].cacheOpt.ID", false)]);
    let arm = Step { platform: Some(Platform::new("linux", "arm")), ..plain() };
    check_change(plain(), arm, CauseKind::Platform, &[("Arch", false), ("Variant", false)]);
}

#[test]
fn a_changed_variable_is_an_argument_where_an_arg_declares_it() {
    let build_of = |value: &str, text: &str| {
        let steps = [image(), run_with("make", &[value], &[]), end(1)];
        let lines = text.lines().count();
        Side::new(with_dockerfile(build(steps), text, &[(0, 1), (1, lines)]), Builder::default())
    };
    let check = |old: &str, new: &str, expected: (CauseKind, Option<usize>)| {
        let explanation = explained(&build_of("A=2", new), &build_of("A=1", old));
        let cause = &explanation.causes[0];
        assert_eq!((cause.kind, cause.declared), expected);
        assert_eq!(cause.changes[0].old.as_deref(), Some("1"));
        assert_eq!(cause.changes[0].new.as_deref(), Some("2"));
        assert_eq!(cause.at.line, Some(new.lines().count()));
    };
    check("FROM a\nARG A\nRUN x", "FROM a\n\nARG A\nRUN x", (CauseKind::Arg, Some(3)));
    check("FROM a\nARG A\nRUN x", "FROM a\nENV A=2\nRUN x", (CauseKind::Env, Some(2)));
    check("FROM a\nARG A\nRUN x", "FROM a\nRUN x", (CauseKind::Arg, None));
    check("FROM a\nRUN x", "FROM a\nRUN x", (CauseKind::Env, None));
}

#[test]
fn other_fields_of_an_instruction_with_variables_may_have_their_values() {
    let build_of = |path: &str, text: &str| {
        let steps = [image(), source("local://context"), copy(path, 0, 1), end(2)];
        let mut tree = Tree::sent();
        tree.insert(path.as_bytes(), file("text"));
        let builder = Builder::default().with_files(1, tree);
        Side::new(with_dockerfile(build(steps), text, &[(2, 1)]), builder)
    };
    let explanation = explained(&build_of("/b", "COPY $B /"), &build_of("/a", "COPY $A /"));
    assert_eq!(changes(&explanation), [("Actions[0].src", true)]);
    let explanation = explained(&build_of("/b", "COPY b /"), &build_of("/a", "COPY a /"));
    assert_eq!(changes(&explanation), [("Actions[0].src", false)]);
    let explanation = explained(&build_of("/b", "COPY b /\nWORKDIR $A"), &build_of("/a", "COPY a /"));
    assert_eq!(changes(&explanation), [("Actions[0].src", true)]);
}

#[test]
fn the_nearest_older_step_is_what_a_step_was_and_none_is_taken_twice() {
    let commands = |commands: &[&str]| {
        // All on one image, as in stages of their own.
        let steps = commands.iter().map(|command| run(command, 0));
        let steps: Vec<Step> = std::iter::once(image()).chain(steps).collect();
        let inputs: Vec<usize> = (1..steps.len()).collect();
        Side::new(build(steps.into_iter().chain([step(Op::End, &inputs)])), Builder::default())
    };
    let old = commands(&["install the tools", "compile the program"]);
    let explanation =
        explained(&commands(&["compile the programs", "install the tool", "something else"]), &old);
    let found = explanation
        .causes
        .iter()
        .map(|cause| cause.changes.first().map(|change| change.old.as_deref().unwrap()));
    let found: Vec<_> = found.collect();
    assert_eq!(found, [Some("compile the program"), Some("install the tools"), None]);
    let kinds: Vec<_> = explanation.causes.iter().map(|cause| cause.kind).collect();
    assert_eq!(kinds, [CauseKind::Command, CauseKind::Command, CauseKind::NewStep]);

    // Nothing is known of the definitions without the older record.
    let explanation = explained_with(&commands(&["compile"]), &old, &[]);
    assert_eq!(causes(&explanation), [(CauseKind::Definition, 1, 0)]);
}

#[test]
fn steps_that_change_places_are_no_other_definitions() {
    let build_of =
        |first: &str, second: &str| build([image(), run(first, 0), run(second, 1), run("last", 2), end(3)]);
    let old = Side::new(build_of("one", "two"), Builder::default());
    let new = Side::new(build_of("two", "one"), Builder::default());
    assert_eq!(causes(&explained(&new, &old)), [(CauseKind::Order, 1, 2)]);
    let (new_graph, old_graph) = (new.chains.graph().unwrap(), old.chains.graph().unwrap());
    let found = explain_caches(&Cache::new(&new_graph, &new.layers), &Cache::new(&old_graph, &old.layers));
    let found: Vec<_> = found.causes.iter().map(|cause| (cause.kind, cause.follow)).collect();
    assert_eq!(found, [(RecordCauseKind::Order, 2)]);
}

#[test]
fn a_record_without_result_is_a_cause_if_something_needs_it() {
    let build_of = |last: &str| build([image(), run("one", 0), run("two", 1), run(last, 2), end(3)]);
    let old = Side::new(build_of("last"), Builder { without_results: vec![1, 2], ..Builder::default() });
    let new = Side::new(build_of("another"), Builder::default());
    let explanation = explained(&new, &old);
    assert_eq!(causes(&explanation), [(CauseKind::NoResult, 1, 2)]);
    assert_eq!((explanation.cached(), explanation.ran()), (0, 3));
    let same = Side::new(build_of("last"), Builder::default());
    assert_eq!(causes(&explained(&same, &old)), []);

    let (new_graph, old_graph) = (same.chains.graph().unwrap(), old.chains.graph().unwrap());
    let found = explain_caches(&Cache::new(&new_graph, &new.layers), &Cache::new(&old_graph, &old.layers));
    let found: Vec<_> = found.causes.iter().map(|cause| (cause.kind, cause.follow)).collect();
    assert_eq!(found, [(RecordCauseKind::NoResult, 1), (RecordCauseKind::NoResult, 0)]);
}

#[test]
fn a_step_that_the_older_build_had_and_its_cache_lacks_has_no_result() {
    let build_of = |command: &str| build([image(), run(command, 0), end(1)]);
    let old = Side::new(build_of("another"), Builder::default());
    let new = Side::new(build_of("make"), Builder::default());
    let older = build_of("make");
    let explanation = explained_with(&new, &old, &[BuildInputs::new(&older)]);
    assert_eq!(causes(&explanation), [(CauseKind::NoResult, 1, 0)]);
}

#[test]
fn a_document_of_the_dockerfile_is_a_cause_with_its_file() {
    let side = |text: &str| {
        let steps = [image(), document(text), copy("/doc", 0, 1), end(2)];
        let mut tree = Tree::rooted(cache_keys::Header::default());
        tree.insert(b"doc", file(text));
        Side::new(build(steps), Builder::default().with_files(1, tree))
    };
    let explanation = explained(&side("new text"), &side("old"));
    assert_eq!(causes(&explanation), [(CauseKind::Inline, 2, 0)]);
    assert_eq!(files(explanation.causes[0].files.as_ref()), [("doc".to_owned(), "modified")]);
    assert_eq!(explanation.count(StepOutcome::Always), 1);
    assert_eq!(explanation.steps.len(), 2, "the document runs in every build");
}

fn make_folder(path: &str) -> Step {
    let mkdir = MkdirAction { path: path.to_owned(), mode: 0o755, timestamp: -1, ..MkdirAction::default() };
    step(Op::File(FileOp { actions: vec![action(FileActionKind::Mkdir(mkdir))] }), &[])
}

#[test]
fn an_instruction_on_nothing_is_a_cause_if_a_step_missed_because_of_it() {
    let side = |path: &str, taken: bool| {
        let last = if taken { run("make", 0) } else { image() };
        let steps = build([make_folder(path), last, end(usize::from(taken))]);
        Side::new(with_dockerfile(steps, "FROM scratch\nWORKDIR x", &[(0, 2)]), Builder::default())
    };
    let explanation = explained(&side("/new", true), &side("/old", true));
    assert_eq!(causes(&explanation), [(CauseKind::Instruction, 0, 1)]);
    assert_eq!(changes(&explanation), [("Actions[0].path", false)]);
    assert_eq!(causes(&explained(&side("/new", false), &side("/old", false))), []);
}

#[test]
fn the_folder_of_a_mount_is_a_cause_of_its_command() {
    let side = |path: &str| {
        let mut mounted = run("make", 0);
        mounted.inputs.push(cache_keys::StepOutput { step: 1, output: 0 });
        if let Op::Exec(exec) = &mut mounted.op {
            exec.mounts.push(Mount { input: Some(1), ..cache_mount("own") });
        }
        Side::new(build([image(), make_folder(path), mounted, end(2)]), Builder::default())
    };
    assert_eq!(causes(&explained(&side("/new"), &side("/old"))), [(CauseKind::Mount, 2, 0)]);
}

#[test]
fn another_source_is_the_cause_of_all_steps_on_it() {
    let side = |base: Step| {
        Side::new(
            build([base, run("one", 0), run("two", 1), run("three", 0), step(Op::End, &[2, 3])]),
            Builder::default(),
        )
    };
    let explanation = explained(&side(source("git://example.com/repository")), &side(image()));
    assert_eq!(causes(&explanation), [(CauseKind::Source, 0, 3)]);
    assert!(explanation.causes[0].is_certain);
}

#[test]
fn an_image_for_another_platform_is_found_in_the_cache_alone() {
    let side = |platform: &str| {
        let mut build = build([image(), source("local://context"), copy("/a", 0, 1), end(2)]);
        build.platform = platform.parse().unwrap();
        build
    };
    let old = Side::new(side("linux/arm64"), Builder::default().with_files(1, folder("a")));
    let new = side("linux/amd64");
    let old_graph = old.chains.graph().unwrap();
    let (old_cache, contexts) = (Cache::new(&old_graph, &old.layers), BTreeMap::new());
    let tree = folder("a");
    let inputs = [BuildInputs::new(&new).with_context("context", &tree)];
    for builds in [vec![], vec![BuildInputs::new(&old.build)]] {
        let old = OldSide { builds: &builds, contexts: &contexts, cache: &old_cache };
        let explanation = explain(&NewSide { builds: &inputs, cache: None }, &old);
        assert_eq!(causes(&explanation), [(CauseKind::Platform, 0, 0)]);
        let cause = &explanation.causes[0];
        assert_eq!((cause.is_certain, cause.may_follow), (false, 1), "the layers may be the same");
    }
}

#[test]
fn the_older_files_come_from_the_layer_of_the_copy() {
    let steps = || build([image(), source("local://context"), copy("/a", 0, 1), run("make", 2), end(3)]);
    let old = Side::new(steps(), Builder::default().with_files(1, folder("old")));
    let new = Side::new(steps(), Builder::default().with_files(1, folder("new!")));
    let explanation = explained(&new, &old);
    assert_eq!(causes(&explanation), [(CauseKind::Content, 2, 1)]);
    assert_eq!(explanation.causes[0].files_unknown, Some(FilesUnknown::NoOldFiles));
    let wanted = layer("layer of step 2").digest;
    assert_eq!(explanation.wanted_layers, [wanted]);

    let (new, old) = (
        new.with_layer("layer of step 2", &[("a", "new!")]),
        old.with_layer("layer of step 2", &[("a", "old")]),
    );
    let explanation = explained(&new, &old);
    assert_eq!(files(explanation.causes[0].files.as_ref()), [("a".to_owned(), "modified")]);
    assert!(explanation.wanted_layers.is_empty());
    // The record of the older build is not needed for this.
    let explanation = explained_with(&new, &old, &[]);
    assert_eq!(files(explanation.causes[0].files.as_ref()), [("a".to_owned(), "modified")]);
    let new = Side { layers: HashMap::new(), ..new };
    assert_eq!(explained(&new, &old).causes[0].files_unknown, Some(FilesUnknown::NoNewFiles));
}

#[test]
fn a_file_that_two_copies_have_is_not_taken_for_an_added_one() {
    let files_of = |b: &str| {
        let mut tree = folder("same");
        tree.insert(b"b", file(b));
        tree
    };
    let steps = || {
        build([image(), source("local://context"), copy("/a", 0, 1), copy("/", 2, 1), run("make", 3), end(4)])
    };
    let old = Side::new(steps(), Builder::default().with_files(1, files_of("old")));
    let old = old.with_layer("layer of step 3", &[("b", "old")]);
    let new = Side::new(steps(), Builder::default().with_files(1, files_of("new!")));
    let tree = files_of("new!");
    let found = |old: &Side| {
        let (new_graph, old_graph) = (new.chains.graph().unwrap(), old.chains.graph().unwrap());
        let (new_cache, old_cache) =
            (Cache::new(&new_graph, &new.layers), Cache::new(&old_graph, &old.layers));
        let contexts = BTreeMap::new();
        let builds = [BuildInputs::new(&new.build).with_context("context", &tree)];
        let new = NewSide { builds: &builds, cache: Some(&new_cache) };
        explain(&new, &OldSide { builds: &[], contexts: &contexts, cache: &old_cache })
    };
    // The layer of the second copy lacks the file, since the first one has put it there.
    let explanation = found(&old);
    assert_eq!(causes(&explanation), [(CauseKind::Content, 3, 1)]);
    assert_eq!(files(explanation.causes[0].files.as_ref()), [("b".to_owned(), "modified")]);
    assert_eq!(explanation.wanted_layers, [layer("layer of step 2").digest]);
    let explanation = found(&old.with_layer("layer of step 2", &[("a", "same")]));
    assert_eq!(files(explanation.causes[0].files.as_ref()), [("b".to_owned(), "modified")]);
    assert_eq!(explanation.wanted_layers, []);
}

#[test]
fn seconds_are_lost_to_a_cause_and_all_that_follows() {
    let mut new = one(run("make all", 0));
    assert_eq!(explained(&new, &one(run("make", 0))).causes[0].lost, None);
    new.build.durations = BTreeMap::from([(1, Duration::from_secs(3)), (2, Duration::from_secs(4))]);
    assert_eq!(explained(&new, &one(run("make", 0))).causes[0].lost, Some(Duration::from_secs(7)));
}

#[test]
fn a_command_that_makes_other_files_of_equal_ones_is_noted_once() {
    let side = |mark: &'static str| {
        let steps = build([image(), run("one", 0), run("two", 1), run("apart", 0), step(Op::End, &[2, 3])]);
        Side::new(steps, Builder { mark, ..Builder::default() })
    };
    let (new, old) = (side(" again"), side(""));
    let explanation = explained(&new, &old);
    assert_eq!((explanation.cached(), explanation.notes.len()), (3, 0));
    assert_eq!(explanation.wanted_for_notes.len(), 6);

    let with = |side: Side, mark: &str, text: &str| {
        let side = side.with_layer(&format!("layer of step 1{mark}"), &[("stamp", text), ("same", "")]);
        let side = side.with_layer(&format!("layer of step 2{mark}"), &[("stamp", text)]);
        side.with_layer(&format!("layer of step 3{mark}"), &[("same", "")])
    };
    let explanation = explained(&with(new, " again", "2"), &with(old, "", "1"));
    assert_eq!(explanation.notes.len(), 1, "what stands on it differs because of it");
    assert_eq!(explanation.notes[0].at.step, 1);
    assert_eq!(files(Some(&explanation.notes[0].files)), [("stamp".to_owned(), "modified")]);
    assert!(explanation.wanted_for_notes.is_empty());
}

#[test]
fn several_builds_are_explained_together_and_tell_their_platforms() {
    let of = |platform: &str| {
        let mut build = build([image(), run("make", 0), end(1)]);
        build.platform = platform.parse().unwrap();
        build
    };
    let (amd, arm) = (of("linux/amd64"), of("linux/arm64"));
    let old = Side::new(of("linux/amd64"), Builder::default());
    let old_graph = old.chains.graph().unwrap();
    let (old_cache, contexts) = (Cache::new(&old_graph, &old.layers), BTreeMap::new());
    let (builds, old_builds) =
        ([BuildInputs::new(&arm), BuildInputs::new(&amd)], [BuildInputs::new(&old.build)]);
    let old = OldSide { builds: &old_builds, contexts: &contexts, cache: &old_cache };
    let explanation = explain(&NewSide { builds: &builds, cache: None }, &old);
    let steps: Vec<_> =
        explanation.steps.iter().map(|step| (step.at.platform.as_deref().unwrap(), step.outcome)).collect();
    assert_eq!(steps, [("linux/arm64", StepOutcome::Ran), ("linux/amd64", StepOutcome::Cached)]);
    assert_eq!(causes(&explanation), [(CauseKind::Platform, 0, 1)]);
    assert_eq!(explanation.causes[0].at.platform.as_deref(), Some("linux/arm64"));
}
