//! Names and matches on small caches, as a builder that starts empty writes them.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use cache_explain::{
    Build, BuildInputs, Cache, InputContent, MatchState, Matching, Meaning, NameSource, ResolvedDependency,
    SlotState, SourceIdentity, UnknownReason, match_build, name_records,
};
use cache_keys::{
    Entry, EntryKind, FileAction, FileActionKind, FileOp, Header, LayerEntry, LayerTree, MergeOp,
    MkdirAction, Op, Owner, OwnerPart, Step, Tree,
};
use cache_model::{CacheChains, Descriptor, Digest, Link, Platform, RecordDigest};

use crate::builder::{
    Builder, action, build, copy, document, end, file, folder, image, layer, run, source, step, take,
};

/// Matches a build with caches of which no layer was read.
fn matched(inputs: &BuildInputs<'_>, old: &[CacheChains], new: Option<&CacheChains>) -> Matching {
    matched_with(inputs, old, new, &HashMap::new())
}

fn matched_with(
    inputs: &BuildInputs<'_>,
    old: &[CacheChains],
    new: Option<&CacheChains>,
    layers: &HashMap<Digest, LayerTree>,
) -> Matching {
    let old: Vec<_> = old.iter().map(|chains| chains.graph().unwrap()).collect();
    let old: Vec<_> = old.iter().map(|graph| Cache::new(graph, layers)).collect();
    let new = new.map(|chains| chains.graph().unwrap());
    match_build(inputs, &old, new.as_ref().map(|graph| Cache::new(graph, layers)).as_ref())
}

fn states(matching: &Matching) -> Vec<MatchState> {
    matching.steps.iter().map(|step| step.state.clone()).collect()
}

/// An image, a copy of a folder onto it, a command, and the end.
fn small() -> Build {
    build([image(), source("local://context"), copy("/a", 0, 1), run("make", 2), end(3)])
}

use MatchState::{Always, End, Hit, Miss, Source, Unknown};

#[test]
fn a_build_hits_the_cache_that_it_wrote() {
    let (build, tree) = (small(), folder("a"));
    let chains = Builder::default().with_files(1, tree.clone()).run(&build);
    let matching = matched(
        &BuildInputs::new(&build).with_context("context", &tree),
        std::slice::from_ref(&chains),
        None,
    );
    assert_eq!(states(&matching), [Source, Source, Hit, Hit, End]);
    let copied = &matching.steps[2];
    assert_eq!(copied.slots[0].state, SlotState::Definition);
    assert_eq!(copied.slots[0].content, InputContent::Ignored);
    assert_eq!(copied.slots[1].state, SlotState::Content);
    assert_eq!(copied.outputs[0].records.first().copied(), copied.nearest);

    // Without the folder its own cache still tells the content.
    let matching = matched(&BuildInputs::new(&build), std::slice::from_ref(&chains), Some(&chains));
    assert_eq!(states(&matching), [Source, Source, Hit, Hit, End]);
    let matching = matched(&BuildInputs::new(&build), &[chains], None);
    let unknown = Unknown(UnknownReason::NoContext("context".to_owned()));
    assert_eq!(states(&matching), [Source, Source, unknown.clone(), unknown, End]);
}

#[test]
fn other_files_are_a_miss_of_the_copy_and_of_every_step_on_it() {
    let build = small();
    let chains = Builder::default().with_files(1, folder("a")).run(&build);
    let tree = folder("b");
    let matching = matched(&BuildInputs::new(&build).with_context("context", &tree), &[chains], None);
    assert_eq!(states(&matching), [Source, Source, Miss, Miss, End]);
    assert_eq!(matching.steps[2].slots[1].state, SlotState::No);
    assert!(matches!(&matching.steps[2].slots[1].content, InputContent::Known(known) if known.len() == 1));
    assert_eq!(matching.steps[3].slots[0].state, SlotState::No);

    // The folder lacks the path: the build will fail there.
    let empty = Tree::sent();
    let chains = Builder::default().with_files(1, folder("a")).run(&build);
    let matching = matched(&BuildInputs::new(&build).with_context("context", &empty), &[chains], None);
    assert_eq!(matching.steps[2].state, Unknown(UnknownReason::Content(2)));
}

#[test]
fn only_building_tells_the_content_of_a_step_that_has_to_run() {
    let stages = |command: &str| build([image(), run(command, 0), copy("/a", 0, 1), end(2)]);
    let chains = Builder::default().with_files(1, folder("a")).run(&stages("make"));
    let changed = stages("make all");
    let matching = matched(&BuildInputs::new(&changed), std::slice::from_ref(&chains), None);
    assert_eq!(states(&matching), [Source, Miss, Unknown(UnknownReason::Runs(1)), End]);
    assert_eq!(matching.steps[1].slots[0].state, SlotState::NoRecord);

    // It was built, and made the same files.
    let new = Builder::default().with_files(1, folder("a")).run(&changed);
    let matching = matched(&BuildInputs::new(&changed), std::slice::from_ref(&chains), Some(&new));
    assert_eq!(states(&matching), [Source, Miss, Hit, End]);
    // It made others.
    let new = Builder::default().with_files(1, folder("b")).run(&changed);
    let matching = matched(&BuildInputs::new(&changed), &[chains], Some(&new));
    assert_eq!(states(&matching), [Source, Miss, Miss, End]);
}

/// An image whose manifest is another one than that in the caches, with layers that are not known.
fn other_image() -> Step {
    source(&format!("docker-image://example.com/base:1@{}", Digest::of("another manifest")))
}

#[test]
fn an_image_whose_layers_are_not_known_may_be_the_one_in_the_cache() {
    let chains = Builder::default().run(&build([image(), run("make", 0), end(1)]));
    let mut changed = build([other_image(), run("make", 0), run("test", 1), end(2)]);
    let matching = matched(&BuildInputs::new(&changed), std::slice::from_ref(&chains), None);
    assert_eq!(states(&matching), [Source, Unknown(UnknownReason::Source(0)), Miss, End]);

    // The record of the build has the layers, under the digests of their blobs.
    changed
        .layers
        .insert(take(0), vec![vec![Descriptor { annotations: Default::default(), ..layer("base") }]]);
    let matching = matched(&BuildInputs::new(&changed), std::slice::from_ref(&chains), None);
    assert_eq!(states(&matching), [Source, Hit, Miss, End]);

    changed.layers.insert(take(0), vec![vec![layer("another base")]]);
    let matching = matched(&BuildInputs::new(&changed), std::slice::from_ref(&chains), None);
    assert_eq!(states(&matching), [Source, Miss, Miss, End]);

    // The record has the diff IDs of the image on which the last stage stands.
    changed.layers.clear();
    changed.base_diff_ids = vec![layer("base").diff_id().unwrap()];
    let matching = matched(&BuildInputs::new(&changed), &[chains], None);
    assert_eq!(states(&matching), [Source, Hit, Miss, End]);
}

#[test]
fn the_cache_that_a_build_wrote_tells_under_which_keys_it_has_a_source() {
    let git = build([image(), source("git://example.com/app.git#main"), copy("/a", 0, 1), end(2)]);
    let chains = Builder::default().with_files(1, folder("a")).run(&git);
    let matching = matched(&BuildInputs::new(&git), std::slice::from_ref(&chains), None);
    assert_eq!(matching.steps[2].state, Unknown(UnknownReason::Source(1)));
    let matching = matched(&BuildInputs::new(&git), std::slice::from_ref(&chains), Some(&chains));
    assert_eq!(states(&matching), [Source, Source, Hit, End]);
    assert_eq!(matching.steps[2].slots[1].state, SlotState::Definition);
}

/// Two stages: one makes files, the other copies them.
fn stages() -> Build {
    build([image(), run("make", 0), run("prepare", 0), copy("/a", 2, 1), end(3)])
}

#[test]
fn a_content_known_by_one_cache_finds_the_record_of_another() {
    // Both stages changed for the first cache, and the files stayed the same.
    let other = build([image(), run("make it", 0), run("prepare", 0), copy("/a", 2, 1), end(3)]);
    let first = Builder::default().with_files(1, folder("a")).run(&other);
    // The second cache has the first stage alone.
    let second = Builder::default().run(&build([image(), run("make", 0), end(1)]));
    let build = stages();
    let inputs = BuildInputs::new(&build);

    let matching = matched(&inputs, std::slice::from_ref(&first), None);
    assert_eq!(states(&matching), [Source, Miss, Hit, Unknown(UnknownReason::Runs(1)), End]);
    assert_eq!(matching.wanted_layers(), []);

    let caches = [first, second];
    let matching = matched(&inputs, &caches, None);
    let layers = vec![layer("base").digest, layer("layer of step 1").digest];
    let reason = UnknownReason::LayersNotRead { step: 1, layers: layers.clone() };
    assert_eq!(states(&matching), [Source, Hit, Hit, Unknown(reason), End]);
    assert_eq!(matching.wanted_layers(), layers);

    for (text, state) in [("a", Hit), ("b", Miss)] {
        let mut read: HashMap<_, _> = layers.iter().map(|layer| (*layer, LayerTree::default())).collect();
        let own = read.get_mut(&layers[1]).unwrap();
        own.add(b"a", LayerEntry::Entry(file(text))).unwrap();
        let matching = matched_with(&inputs, &caches, None, &read);
        assert_eq!(matching.steps[3].state, state, "{text}");
        assert_eq!(matching.wanted_layers(), []);
    }
}

#[test]
fn a_step_without_result_need_not_run_if_nothing_needs_its_files() {
    let build = stages();
    let builder = || Builder { without_results: vec![1], ..Builder::default() };
    let chains = builder().with_files(1, folder("a")).run(&build);
    let inputs = BuildInputs::new(&build);
    let matching = matched(&inputs, &[chains], None);
    assert_eq!(states(&matching), [Source, Hit, Hit, Hit, End]);

    // The step that copies from it has no result either.
    let builder = || Builder { without_results: vec![1, 3], ..Builder::default() };
    let chains = builder().with_files(1, folder("a")).run(&build);
    let matching = matched(&inputs, &[chains], None);
    assert_eq!(states(&matching), [Source, Miss, Hit, Miss, End]);
    assert!(matching.steps[1].is_reached() && matching.steps[3].is_reached());

    // Whether the first step has to run depends on a folder that is not at hand.
    let build =
        crate::builder::build([image(), run("make", 0), source("local://context"), copy("/a", 1, 2), end(3)]);
    let builder = Builder { without_results: vec![1], ..Builder::default() };
    let chains = builder.with_files(2, folder("a")).run(&build);
    let unknown = || Unknown(UnknownReason::NoContext("context".to_owned()));
    let matching = matched(&BuildInputs::new(&build), &[chains], None);
    assert_eq!(states(&matching), [Source, unknown(), Source, unknown(), End]);
}

#[test]
fn a_step_whose_key_is_not_recorded_is_unknown_and_so_is_what_stands_on_it() {
    let unrecorded = || step(Op::File(FileOp { actions: vec![action(FileActionKind::Unrecorded)] }), &[]);
    let build = build([unrecorded(), run("make", 0), run("test", 1), end(2)]);
    // Equal commands on another step.
    let other = crate::builder::build([document("a"), run("make", 0), end(1)]);
    let chains = Builder::default().run(&other);
    let matching = matched(&BuildInputs::new(&build), &[chains], None);
    let unknown = Unknown(UnknownReason::Key(0));
    assert_eq!(states(&matching), [unknown.clone(), unknown, Miss, End]);
}

#[test]
fn a_document_is_known_from_the_definition() {
    let build = |text| build([image(), document(text), copy("/doc", 0, 1), end(2)]);
    let mut made = Tree::rooted(Header::default());
    made.insert(b"/doc", file("hello"));
    let chains = Builder::default().with_files(1, made).run(&build("hello"));
    for (text, state) in [("hello", Hit), ("bye", Miss)] {
        let matching = matched(&BuildInputs::new(&build(text)), std::slice::from_ref(&chains), None);
        assert_eq!(states(&matching), [Source, Always, state, End], "{text}");
    }
}

/// A folder that is made with its parents, and one that is made in it, each by a step of its own.
fn folders(owner: Option<&Owner>) -> Vec<Step> {
    let mkdir = |path: &str, input: Option<usize>| {
        let mkdir = MkdirAction {
            path: path.to_owned(),
            mode: 0o750,
            make_parents: input.is_none(),
            owner: owner.cloned(),
            timestamp: -1,
        };
        FileAction { input, ..action(FileActionKind::Mkdir(mkdir)) }
    };
    let op = |action| Op::File(FileOp { actions: vec![action] });
    vec![step(op(mkdir("/x/y", None)), &[]), step(op(mkdir("/x/y/z", Some(0))), &[0])]
}

#[test]
fn folders_that_are_made_on_nothing_are_known_from_the_definition() {
    let owner = |part: fn() -> OwnerPart| Some(Owner { user: Some(part()), group: None });
    for (owner, uid) in [
        (None, Some(0)),
        (owner(|| OwnerPart::Id(7)), Some(7)),
        (owner(|| OwnerPart::Name { name: "a".to_owned(), input: 0 }), None),
    ] {
        let mut steps = folders(owner.as_ref());
        steps.extend([image(), copy("/x", 2, 1), end(3)]);
        let build = build(steps);
        let mut made = Tree::rooted(Header::default());
        for path in ["/x", "/x/y", "/x/y/z"] {
            made.insert(
                path.as_bytes(),
                Entry::of(Header::new(0o750, uid.unwrap_or(9), 0), EntryKind::Folder),
            );
        }
        let chains = Builder::default().with_files(1, made).run(&build);
        // Not by its own definition: that would match without the content.
        let dictionary_has = |found| {
            let graph = chains.graph().unwrap();
            let layers = HashMap::new();
            let dictionary = name_records(&Cache::new(&graph, &layers), &[BuildInputs::new(&build)]);
            let names = dictionary.digests().flat_map(|digest| dictionary.names(digest).to_vec());
            let contents: Vec<_> =
                names.filter(|name| matches!(name.meaning, Meaning::Content { .. })).collect();
            assert_eq!(contents.len(), 1);
            contents[0].found == found
        };
        let found = if uid.is_some() { NameSource::Computed } else { NameSource::ByPlace };
        assert!(dictionary_has(found), "{uid:?}");
    }
}

#[test]
fn sources_are_named_by_what_they_resolved_to() {
    let mut build = build([
        source("docker-image://example.com/base:1"),
        source("git://example.com/app.git#main"),
        source("https://example.com/file"),
        copy("/a", 0, 1),
        copy("/b", 3, 2),
        end(4),
    ]);
    let chains = Builder::default().with_files(1, folder("a")).run(&build);
    let graph = chains.graph().unwrap();
    let layers = HashMap::new();
    let cache = Cache::new(&graph, &layers);
    let named = |build: &Build| {
        let dictionary = name_records(&cache, &[BuildInputs::new(build)]);
        let mut named: Vec<_> =
            dictionary.digests().flat_map(|digest| dictionary.names(digest).to_vec()).collect();
        named.retain(|name| matches!(name.meaning, Meaning::Source { .. }));
        let mut named: Vec<_> = named
            .into_iter()
            .map(|name| match name.meaning {
                Meaning::Source { step, identity } => (step, format!("{identity:?}"), name.found),
                _ => panic!(),
            })
            .collect();
        named.sort();
        named
    };
    let by_place = |step| (step, format!("{:?}", SourceIdentity::Unknown), NameSource::ByPlace);
    let layers = (0, format!("{:?}", SourceIdentity::Layers(1)), NameSource::Computed);
    assert_eq!(named(&build), [layers.clone(), by_place(0), by_place(1), by_place(2)]);

    let dependency = |uri: &str, algorithm: &str, digest: &str| ResolvedDependency {
        uri: uri.to_owned(),
        digests: BTreeMap::from([(algorithm.to_owned(), digest.to_owned())]),
    };
    let manifest = Digest::of("manifest");
    build.resolved = vec![
        dependency("pkg:docker/example.com/base@2?platform=linux%2Famd64", "sha256", &Digest::of("2").hex()),
        dependency("pkg:docker/example.com/base@1?platform=linux%2Famd64", "sha256", &manifest.hex()),
        dependency("https://example.com/app.git#refs/heads/main", "sha1", &"c".repeat(40)),
        // The date that the server sent is missing, so the key cannot be computed.
        dependency("https://example.com/file", "sha256", &Digest::of("a download").hex()),
    ];
    let computed = |step, identity: SourceIdentity| (step, format!("{identity:?}"), NameSource::Computed);
    let expected = [
        layers,
        computed(0, SourceIdentity::Manifest(manifest)),
        computed(1, SourceIdentity::Commit("c".repeat(40))),
        by_place(2),
    ];
    assert_eq!(named(&build), expected);
}

#[test]
fn a_cache_that_was_made_to_be_slow_is_not_compared_to_the_end() {
    // Every step is equal, each record hangs on another root, and none matches.
    let mut chains = CacheChains::new();
    let root = |at: usize| run("make", at);
    let mut steps: Vec<Step> = (0..3000).map(|at| document(&at.to_string())).collect();
    steps.extend((0..3000).map(root));
    let key = root(0).key(&Platform::new("linux", "amd64")).unwrap().digest();
    let selector = root(0).deps()[0].selector.unwrap().to_string();
    for at in 0..30_000 {
        let stranger = RecordDigest::of_output(Digest::of(at.to_string()), 0);
        let stranger = chains.add(&stranger, &[], &[]).unwrap().unwrap();
        chains.add(&RecordDigest::of_output(key, 0), &[&[Link::new(stranger, &selector)]], &[]).unwrap();
    }
    let all: Vec<usize> = (3000..6000).collect();
    steps.push(step(Op::Merge(MergeOp { inputs: (0..all.len()).collect() }), &all));
    steps.push(end(6000));
    let build = build(steps);
    let begin = Instant::now();
    let inputs = BuildInputs::new(&build);
    let matching = matched(&inputs, std::slice::from_ref(&chains), Some(&chains));
    assert!(matching.steps.iter().any(|step| step.state == Unknown(UnknownReason::TooTangled)));
    let graph = chains.graph().unwrap();
    name_records(&Cache::new(&graph, &HashMap::new()), &[inputs]);
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
}

#[test]
fn an_edited_step_and_what_stands_on_it_are_unknown() {
    let (build, tree) = (small(), folder("a"));
    let chains = Builder::default().with_files(1, tree.clone()).run(&build);
    let mut inputs = BuildInputs::new(&build).with_context("context", &tree);
    inputs.edited.insert(2);
    let matching = matched(&inputs, &[chains], None);
    let unknown = Unknown(UnknownReason::Edited(2));
    assert_eq!(states(&matching), [Source, Source, unknown.clone(), unknown, End]);
    assert!(matching.steps[2].keys.is_empty());
}

#[test]
fn a_build_that_reads_more_than_any_real_one_is_not_read_to_the_end() {
    let mut tree = Tree::sent();
    tree.insert(b"a", file("a"));
    let copies = (0..6000).map(|at| {
        let mut step = copy("/", 0, 1);
        let Op::File(file) = &mut step.op else { panic!() };
        let FileActionKind::Copy(copy) = &mut file.actions[0].kind else { panic!() };
        copy.exclude_patterns = vec![format!("b{at}")];
        step
    });
    let all: Vec<usize> = (2..6002).collect();
    let merge = step(Op::Merge(MergeOp { inputs: (0..all.len()).collect() }), &all);
    let build =
        build([image(), source("local://context")].into_iter().chain(copies).chain([merge, end(6002)]));
    let chains = Builder::default().with_files(1, tree.clone()).run(&build);
    let inputs = BuildInputs::new(&build).with_context("context", &tree);
    let matching = matched(&inputs, &[chains], None);
    let states = states(&matching);
    assert_eq!((&states[2], &states[6001]), (&Hit, &Unknown(UnknownReason::TooTangled)));
}
