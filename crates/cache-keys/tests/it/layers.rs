//! Layers: names, whiteouts, opaque folders, hard links, and laying them on one another.

use cache_keys::{
    Entry, EntryHasher, EntryKind, Header, LayerEntry, LayerError, LayerLimits, LayerTree, Tree,
};

fn file(bytes: &str) -> Entry {
    let (header, size) = (Header::new(0o644, 0, 0), bytes.len() as u64);
    let mut hasher = EntryHasher::new(&header, &EntryKind::File { size });
    hasher.update(bytes.as_bytes());
    Entry::file(header, size, hasher.finish())
}

fn folder(mode: u32) -> Entry {
    Entry::of(Header::new(mode, 0, 0), EntryKind::Folder)
}

fn symlink(target: &str) -> Entry {
    Entry::of(Header::new(0o777, 0, 0), EntryKind::Symlink { target: target.into() })
}

fn hard_link(target: &str) -> LayerEntry {
    LayerEntry::HardLink { target: target.into(), header: Header::new(0o644, 0, 0) }
}

/// A layer of an archive in text: one name a line; `name/` is a folder, `name -> target` a symlink, `name = target` a hard
/// link, `name: bytes` a file.
fn layer(lines: &[&str]) -> Result<LayerTree, LayerError> {
    let mut layer = LayerTree::default();
    for line in lines {
        add(&mut layer, line)?;
    }
    Ok(layer)
}

fn add(layer: &mut LayerTree, line: &str) -> Result<(), LayerError> {
    if let Some((name, target)) = line.split_once(" -> ") {
        layer.add(name.as_bytes(), LayerEntry::Entry(symlink(target)))
    } else if let Some((name, target)) = line.split_once(" = ") {
        layer.add(name.as_bytes(), hard_link(target))
    } else if let Some((name, bytes)) = line.split_once(": ") {
        layer.add(name.as_bytes(), LayerEntry::Entry(file(bytes)))
    } else if line.ends_with('/') {
        layer.add(line.as_bytes(), LayerEntry::Entry(folder(0o700)))
    } else {
        layer.add(line.as_bytes(), LayerEntry::Entry(file("")))
    }
}

/// The paths of a tree, folders with `/` at the end and with their modes, if these are not 0700.
fn paths(tree: &Tree) -> Vec<String> {
    tree.iter()
        .map(|(path, entry)| {
            let path = String::from_utf8(path).unwrap();
            match (entry.is_folder(), entry.header().mode) {
                (true, 0o700) => format!("{path}/"),
                (true, mode) => format!("{path}/ {mode:o}"),
                (false, _) => path,
            }
        })
        .collect()
}

/// The tree that layers give, laid on one another.
fn stacked(layers: &[&[&str]]) -> Result<Tree, LayerError> {
    let mut tree = Tree::rooted(Header::default());
    for lines in layers {
        tree.apply(&layer(lines)?)?;
    }
    Ok(tree)
}

fn check(layers: &[&[&str]], expected: &[&str]) {
    assert_eq!(paths(&stacked(layers).unwrap()), expected, "{layers:?}");
}

fn check_error(layers: &[&[&str]], expected: &str) {
    assert_eq!(stacked(layers).unwrap_err().to_string(), expected, "{layers:?}");
}

#[test]
fn names_stay_inside_of_the_root() {
    check(
        &[&["./a", "/b", "../../c", "d/../e", "f//g/.", ".", "./", "..", "/"]],
        &["a", "b", "c", "e", "f/ 755", "f/g"],
    );
    // `..` in a name is cut before links are followed.
    check(&[&["d/", "l -> d/x", "l/../y"]], &["d/", "l", "y"]);
}

#[test]
fn links_of_the_layer_are_followed_and_those_below_are_replaced() {
    check(&[&["d/", "l -> d", "l/x"]], &["d/", "d/x", "l"]);
    check(
        &[&["d/", "e/", "e/l -> ../../d", "e/m -> /d", "e/l/x", "e/m/y"]],
        &["d/", "d/x", "d/y", "e/", "e/l", "e/m"],
    );
    check(&[&["l -> missing/deep", "l/x"]], &["l", "missing/ 755", "missing/deep/ 755", "missing/deep/x"]);
    check(&[&["d/", "l -> d"], &["l/x"]], &["d/", "l/ 755", "l/x"]);
    check_error(&[&["l -> l", "l/x"]], "/l/x leads through too many symbolic links");
    check_error(&[&["a -> b/c", "b -> a/d", "a/x"]], "/a/x leads through too many symbolic links");
    check_error(&[&["a", "a/x"]], "/a/x is below a file");
    check_error(&[&["a: 1"], &["b = a", "b/x"]], "/b/x is below a file");
}

#[test]
fn the_last_of_several_entries_counts() {
    let tree = stacked(&[&["a: one", "a: two"]]).unwrap();
    assert_eq!(tree.get(b"a"), Some(&file("two")));
    check(&[&["a/", "a/b", "a"]], &["a"]);
    check(&[&["a/", "a/b", "a", "a/"]], &["a/"]);
    check(&[&["a/b", "a/"]], &["a/", "a/b"]);
    check(&[&["a/", "a/b", "a -> x"]], &["a"]);
    // What a replaced folder hid below is hidden no more.
    check(&[&["a/x"], &["a/", "a/.wh.x", "a", "a/"]], &["a/", "a/x"]);
    check(&[&["a/x"], &["a/", "a/.wh..wh..opq", "a", "a/"]], &["a/", "a/x"]);
}

#[test]
fn a_folder_that_the_layer_does_not_describe_keeps_its_header() {
    check(&[&["a/", "a/x"], &["a/y"]], &["a/", "a/x", "a/y"]);
    check(&[&["a/x"], &["a/", "a/y"]], &["a/", "a/x", "a/y"]);
    check(&[&["a"], &["a/y"]], &["a/ 755", "a/y"]);
    let layer = layer(&["a/x", "b/"]).unwrap();
    assert_eq!((layer.describes_folder(b"a"), layer.describes_folder(b"b")), (false, true));
    let entries: Vec<_> = layer.entries().map(|(path, _)| path).collect();
    assert_eq!(entries, [b"a/x".to_vec(), b"b".to_vec()]);
}

#[test]
fn a_whiteout_hides_an_entry_of_the_layers_below() {
    check(&[&["a", "b/x", "c"], &[".wh.a", ".wh.b"]], &["c"]);
    check(&[&["a"], &[".wh.none"]], &["a"]);
    check(&[&["a/x"], &["a/.wh.x"]], &["a/ 755"]);
    check(&[&["a/x"], &[".wh.a", "a/", "a/y"]], &["a/", "a/y"]);
    check(&[&["a: old"], &[".wh.a", "a: new"]], &["a"]);
    check_error(&[&["a", ".wh.a"]], "/.wh.a is a whiteout of an entry of the same layer");
    check_error(&[&["a: 1"], &["b = a", ".wh.b"]], "/.wh.b is a whiteout of an entry of the same layer");
    for name in [".wh.", ".wh..", ".wh...", "a/.wh."] {
        check_error(&[&[name]], &format!("/{name} is a whiteout of no file"));
    }
}

#[test]
fn an_opaque_folder_hides_only_what_is_below_the_layer() {
    check(&[&["a/", "a/x", "a/b/y"], &["a/n", "a/.wh..wh..opq", "a/m"]], &["a/", "a/m", "a/n"]);
    check(&[&["x", "y/z"], &[".wh..wh..opq", "a"]], &["a"]);
    check(&[&["a"], &["a/.wh..wh..opq"]], &["a/ 755"]);
    let layer = layer(&["a/.wh..wh..opq", "b/.wh.c"]).unwrap();
    assert_eq!(layer.opaque_folders().collect::<Vec<_>>(), [b"a"]);
    assert_eq!(layer.whiteouts().collect::<Vec<_>>(), [b"b/c"]);
    assert!(!layer.is_empty());
}

#[test]
fn a_hard_link_is_the_file_that_it_links_to() {
    let tree = stacked(&[&["a: one", "b = a", "c = ./b", "a: two"]]).unwrap();
    for (path, bytes) in [("a", "two"), ("b", "one"), ("c", "one")] {
        assert_eq!(tree.get(path.as_bytes()), Some(&file(bytes)), "{path}");
    }
    // Links on the way to the target are followed, the target is not.
    let mut tree = layer(&["d/x: one", "l -> d", "h = l/x"]).unwrap();
    assert_eq!(tree.tree().get(b"h"), Some(&file("one")));
    tree.add(b"s", LayerEntry::HardLink { target: b"l".to_vec(), header: Header::new(0o600, 0, 0) }).unwrap();
    assert_eq!(tree.tree().get(b"s"), Some(&symlink("d")));
}

#[test]
fn a_hard_link_may_lead_to_a_file_below() {
    let tree = stacked(&[&["a: one"], &["b = a", "c = b", ".wh.a"]]).unwrap();
    assert_eq!(
        (tree.get(b"b"), tree.get(b"c"), tree.get(b"a")),
        (Some(&file("one")), Some(&file("one")), None)
    );
    let layer = layer(&["b/x = a", "c = b/x"]).unwrap();
    let links: Vec<_> = layer.links_below().map(|(path, link)| (path, link.target.as_slice())).collect();
    assert_eq!(links, [(b"b/x".as_slice(), b"a".as_slice()), (b"c", b"a")]);
    assert!(!layer.is_empty());
    // A folder that is replaced takes its links with it.
    check(&[&["a: one"], &["b/", "b/x = a", "b: two"]], &["a", "b"]);
    check_error(&[&["a: one"], &["b = none"]], "/b is a hard link to /none, which is no file");
}

#[test]
fn a_hard_link_that_would_need_the_bytes_again_is_refused() {
    for (lines, error) in [
        (&["a: one", "b = a"][..], "/b is a hard link to /a, but has another mode, owner or capability"),
        (&["d/", "b = d"], "/b is a hard link to /d, which is no file"),
    ] {
        let mut layer = layer(&lines[..1]).unwrap();
        let (name, target) = lines[1].split_once(" = ").unwrap();
        let link = LayerEntry::HardLink { target: target.into(), header: Header::new(0o4755, 0, 0) };
        assert_eq!(layer.add(name.as_bytes(), link).unwrap_err().to_string(), error);
    }
    for target in [".", "..", "/", "", "a/.."] {
        let error = layer(&[&format!("b = {target}")]).unwrap_err();
        assert!(matches!(error, LayerError::NoTarget { .. }), "{target}: {error}");
    }
    check_error(&[&["a: one"], &["a = a"], &["b = a", "b = b"]], "/b is a hard link to /b, which is no file");
}

#[test]
fn a_layer_is_bounded() {
    let limits = LayerLimits { entries: 20, name_bytes: 200 };
    let added = |lines: &mut dyn Iterator<Item = String>| -> String {
        let mut layer = LayerTree::new(limits);
        let mut added = lines.map(|line| add(&mut layer, &line));
        added.find_map(Result::err).unwrap().to_string()
    };
    assert_eq!(added(&mut (0..).map(|n| n.to_string())), "it has more than 20 entries");
    // The same name again and again, and folders that no entry describes.
    assert_eq!(added(&mut (0..).map(|_| "a".to_owned())), "it has more than 20 entries");
    assert_eq!(added(&mut std::iter::once("d/".repeat(30))), "it has more than 20 entries");
    assert_eq!(added(&mut (0..).map(|n| format!("{n:0>50}"))), "its names have more than 200 bytes");
    assert_eq!(
        added(&mut std::iter::once(format!("a -> {}", "b".repeat(201)))),
        "its names have more than 200 bytes"
    );
    // A short name can ask for folders with long paths.
    assert_eq!(
        added(&mut std::iter::once(format!("{}x", "abcdef/".repeat(9)))),
        "its names have more than 200 bytes"
    );

    let long = "d/".repeat(2048);
    let error = layer(&[&long]).unwrap_err().to_string();
    assert!(error.ends_with("has a path or a link of more than 4,095 bytes"), "{error}");
    assert!(layer(&[long.strip_suffix('/').unwrap()]).is_ok());
    assert!(matches!(layer(&[&format!("a -> {long}")]), Err(LayerError::TooLong { .. })));
}

#[test]
fn links_cannot_ask_for_work_without_end() {
    let target = "d/../".repeat(800);
    let mut lines = vec!["d/".to_owned()];
    lines.extend((0..250).map(|n| format!("l{n} -> {target}l{}", n + 1)));
    let mut layer = LayerTree::default();
    lines.iter().for_each(|line| add(&mut layer, line).unwrap());
    let error = (0..1000).try_for_each(|n| add(&mut layer, &format!("l0/{n}"))).unwrap_err();
    assert!(matches!(error, LayerError::TooManyLinks { .. }), "{error}");
}
