//! What a step takes from its inputs: the selectors of links, and the rules by which content counts.

use cache_keys::{
    ContentCache, ContentRule, ContentSelector, CopyAction, Dep, DiffOp, ExecOp, FileAction, FileActionKind,
    FileOp, MergeOp, MkdirAction, MkfileAction, Mount, MountKind, Op, Owner, OwnerPart, Step, StepOutput,
};
use cache_model::Digest;
use proptest::prelude::*;

fn step(op: Op, inputs: usize) -> Step {
    let inputs = (0..inputs).map(|step| StepOutput { step, output: 0 }).collect();
    Step { op, platform: None, inputs }
}

/// The usual selector: that of the whole.
const WHOLE: &str = "sha256:8a5edab282632443219e051e4ade2d1d5bbc671c781051bf1437897cbdfea0f1";

fn mount(input: usize, selector: &str, dest: &str) -> Mount {
    Mount { input: Some(input), selector: selector.into(), dest: dest.into(), ..Mount::default() }
}

fn exec_deps(mounts: Vec<Mount>, inputs: usize) -> Vec<Dep> {
    step(Op::Exec(Box::new(ExecOp { mounts, ..ExecOp::default() })), inputs).deps()
}

fn selector(paths: &[&str]) -> Option<Digest> {
    Some(Digest::of(paths.join("\0")))
}

fn followed(paths: &[&str]) -> Option<ContentRule> {
    Some(ContentRule::new(paths.iter().map(|path| plain(path, true)).collect()))
}

fn plain(path: &str, follow: bool) -> ContentSelector {
    let mut selector = ContentSelector::new(path);
    selector.follow = follow;
    selector
}

fn whole() -> Option<ContentRule> {
    Some(ContentRule::new(vec![plain("/", false)]))
}

#[test]
fn the_root_of_a_command_counts_by_its_definition() {
    let root = Mount { output: Some(0), ..mount(0, "", "/") };
    let deps = exec_deps(vec![root], 2);
    assert_eq!(deps[0].selector.unwrap().to_string(), WHOLE);
    assert_eq!(deps[0].content, None);
    assert_eq!(deps[1], Dep::default(), "nothing mounts the other input");
}

#[test]
fn a_mount_counts_by_content_if_the_result_has_no_more_of_it() {
    let content = |change: fn(&mut Mount)| {
        let mut mount = mount(0, "sub", "/m");
        change(&mut mount);
        exec_deps(vec![mount], 1).remove(0).content
    };
    let sub = followed(&["/sub"]);
    assert_eq!(content(|_| {}), sub, "it gives no output");
    assert_eq!(content(|mount| mount.output = Some(1)), None);
    assert_eq!(content(|mount| (mount.output, mount.readonly) = (Some(1), true)), sub);
    assert_eq!(content(|mount| (mount.output, mount.selector) = (Some(1), "./".into())), whole());
    assert_eq!(content(|mount| mount.dest = "/".into()), None);
    let on = |mount: &mut Mount| (mount.dest, mount.content_cache) = ("/".into(), ContentCache::On);
    assert_eq!(content(on), sub);
    assert_eq!(content(|mount| mount.content_cache = ContentCache::Off), None);
}

#[test]
fn the_last_mount_of_an_input_decides_for_all() {
    let off = Mount { content_cache: ContentCache::Off, ..mount(0, "/b", "/x") };
    let deps = exec_deps(vec![mount(0, "/a", "/m"), off.clone()], 1);
    assert_eq!(deps, [Dep { selector: selector(&["/a", "/b"]), content: None }]);
    let deps = exec_deps(vec![off, mount(0, "/a", "/m")], 1);
    assert_eq!(deps, [Dep { selector: selector(&["/b", "/a"]), content: followed(&["/a", "/b"]) }]);
}

#[test]
fn selectors_keep_the_order_of_mounts_and_content_drops_what_is_selected_twice() {
    let mounts = ["/b/c", "a", "/b", "/b-c", "x/../a", "/b/d/"].map(|path| mount(0, path, "/m"));
    let deps = exec_deps(mounts.to_vec(), 1);
    assert_eq!(deps[0].selector, selector(&["/b/c", "/a", "/b", "/b-c", "/a", "/b/d"]));
    assert_eq!(deps[0].content, followed(&["/a", "/b", "/b-c"]));
    let deps = exec_deps(vec![mount(0, "/b", "/m"), mount(0, "", "/n")], 1);
    assert_eq!(deps, [Dep { selector: selector(&["/b", "/"]), content: whole() }]);
}

#[test]
fn secrets_and_empty_mounts_take_nothing() {
    let kinds = [MountKind::Secret, MountKind::Ssh, MountKind::Tmpfs];
    let mut mounts: Vec<Mount> = kinds.map(|kind| Mount { kind, ..mount(0, "", "/m") }).to_vec();
    mounts.push(Mount { input: None, ..mount(0, "", "/m") });
    mounts.push(mount(5, "", "/m"));
    assert_eq!(exec_deps(mounts, 1), [Dep::default()]);
    let cache = Mount { kind: MountKind::Cache, ..mount(0, "", "/c") };
    assert_eq!(exec_deps(vec![cache], 1)[0].content, whole());
}

fn copy(secondary: usize, src: &str) -> FileAction {
    let copy =
        CopyAction { src: src.into(), follow_symlink: true, allow_wildcard: true, ..CopyAction::default() };
    action(FileActionKind::Copy(copy), Some(0), Some(secondary))
}

fn changed(mut action: FileAction, change: impl FnOnce(&mut CopyAction)) -> FileAction {
    let FileActionKind::Copy(copy) = &mut action.kind else { panic!("a copy") };
    change(copy);
    action
}

fn action(kind: FileActionKind, input: Option<usize>, secondary_input: Option<usize>) -> FileAction {
    FileAction { input, secondary_input, output: Some(0), kind }
}

fn file_deps(actions: Vec<FileAction>, inputs: usize) -> Vec<Dep> {
    step(Op::File(FileOp { actions }), inputs).deps()
}

#[test]
fn a_copy_selects_its_sources_and_nothing_of_what_it_copies_to() {
    let deps = file_deps(vec![copy(1, "/a"), copy(1, "/c"), copy(1, "/b")], 2);
    let expected = Dep { selector: selector(&["/c", "/b", "/a"]), content: followed(&["/a", "/b", "/c"]) };
    assert_eq!(deps, [Dep::default(), expected]);
    // Of an input that an action changes, everything is in the result.
    assert_eq!(file_deps(vec![copy(0, "/a")], 1), [Dep::default()]);
    let onto_nothing = FileAction { input: None, ..copy(0, "/a") };
    let expected = Dep { selector: selector(&["/a"]), content: followed(&["/a"]) };
    assert_eq!(file_deps(vec![onto_nothing], 1), [expected]);
    // What earlier actions made is no input.
    assert_eq!(file_deps(vec![copy(3, "/a")], 2), [Dep::default(), Dep::default()]);
}

#[test]
fn filtered_sources_are_kept_and_plain_ones_are_not_selected_twice() {
    let deps = file_deps(
        vec![
            copy(1, "/d/x"),
            copy(1, "/d"),
            copy(1, "/d"),
            changed(copy(1, "/d"), |copy| copy.follow_symlink = false),
            changed(copy(1, "/d"), |copy| copy.exclude_patterns = vec!["*.o".into()]),
            changed(copy(1, "/d/in"), |copy| copy.include_patterns = vec!["*.c".into()]),
            copy(1, "/d/*"),
            copy(1, "/d/[ab]"),
            copy(1, r"/d/\*"),
            changed(copy(1, "/e/*"), |copy| copy.allow_wildcard = false),
        ],
        2,
    );
    let paths = ["/e/*", "/d/x", "/d/in", r"/d/\*", "/d/[ab]", "/d/*", "/d", "/d", "/d", "/d"];
    assert_eq!(deps[1].selector, selector(&paths));
    let with = |mut selector: ContentSelector, include: &[&str], exclude: &[&str]| {
        selector.include = include.iter().map(|text| (*text).to_owned()).collect();
        selector.exclude = exclude.iter().map(|text| (*text).to_owned()).collect();
        selector
    };
    let wildcard = |path: &str| {
        let mut selector = plain(path, true);
        selector.wildcard = true;
        selector
    };
    let expected = [
        plain("/d", false),
        plain("/d", true),
        with(plain("/d", true), &[], &["*.o"]),
        wildcard("/d/*"),
        wildcard("/d/[ab]"),
        with(plain("/d/in", true), &["*.c"], &[]),
        plain("/e/*", true),
    ];
    assert_eq!(deps[1].content, Some(ContentRule::new(expected.to_vec())));
}

#[test]
fn sources_are_selected_as_they_are_written_and_checked_by_their_clean_paths() {
    let deps = file_deps(vec![copy(1, "b/"), copy(1, "/b/../a"), copy(1, "/")], 2);
    assert_eq!(deps[1].selector, selector(&["b/", "/b/../a", "/"]));
    // The root stands above the absolute path, and not above the relative one.
    assert_eq!(deps[1].content, followed(&["/", "/b"]));
}

#[test]
fn names_of_owners_are_looked_up_in_their_input() {
    let name = |name: &str, input| Some(OwnerPart::Name { name: name.into(), input });
    let owner = Owner { user: name("app", 2), group: name("staff", 2) };
    let owned = changed(copy(1, "/a"), |copy| copy.owner = Some(owner.clone()));
    let deps = file_deps(vec![owned], 3);
    let expected = Dep {
        selector: selector(&["/etc/passwd", "/etc/group"]),
        content: followed(&["/etc/group", "/etc/passwd"]),
    };
    assert_eq!(deps[2], expected);

    let mkdir = FileActionKind::Mkdir(MkdirAction { owner: Some(owner), ..MkdirAction::default() });
    assert_eq!(file_deps(vec![action(mkdir, Some(0), None)], 3)[2], expected);
    let user = Owner { user: name("app", 1), group: Some(OwnerPart::Id(1)) };
    let mkfile = FileActionKind::Mkfile(MkfileAction { owner: Some(user), ..MkfileAction::default() });
    let deps = file_deps(vec![action(mkfile, Some(0), None)], 2);
    assert_eq!(deps[1], Dep { selector: selector(&["/etc/passwd"]), content: followed(&["/etc/passwd"]) });

    // Names from the base count with the base.
    let base = Owner { user: name("app", 0), group: name("app", 0) };
    let mkdir = FileActionKind::Mkdir(MkdirAction { owner: Some(base), ..MkdirAction::default() });
    assert_eq!(file_deps(vec![action(mkdir, Some(0), None)], 1), [Dep::default()]);
}

#[test]
fn other_steps_take_all_of_their_inputs() {
    for op in [Op::Merge(MergeOp { inputs: vec![0, 1] }), Op::Diff(DiffOp::default()), Op::End] {
        assert_eq!(step(op, 2).deps(), [Dep::default(), Dep::default()]);
    }
}

proptest! {
    /// Law: the paths of a rule are those that stand below no other, once, in the order of bytes.
    #[test]
    fn a_rule_has_the_topmost_paths(paths in prop::collection::vec("(/[ab.-]{1,2}){1,3}", 1..8)) {
        let sources = || paths.iter().map(|path| copy(1, path)).collect();
        let is_below = |path: &String, top: &String| path.starts_with(&format!("{top}/"));
        let mut expected: Vec<&String> =
            paths.iter().filter(|path| !paths.iter().any(|top| is_below(path, top))).collect();
        expected.sort();
        expected.dedup();
        let deps = file_deps(sources(), 2);
        let content = deps[1].content.clone().unwrap();
        prop_assert_eq!(content.selectors.len(), expected.len());
        // Dots go only after the choice.
        if !paths.iter().any(|path| path.contains("/.")) {
            let found: Vec<&String> = content.selectors.iter().map(|selector| &selector.path).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
