//! What a layer notes about entries that no builder writes, and the bytes that it keeps.

use cache_keys::{Entry, EntryKind, Header, LayerEntry, LayerLimits, LayerOddity, LayerTree};

fn file(size: u64) -> LayerEntry {
    LayerEntry::Entry(Entry::file(Header::new(0o644, 0, 0), size, [1; 32]))
}

fn folder(mode: u32) -> LayerEntry {
    LayerEntry::Entry(Entry::of(Header::new(mode, 0, 0), EntryKind::Folder))
}

fn link(target: &[u8]) -> LayerEntry {
    LayerEntry::Entry(Entry::of(Header::new(0o777, 0, 0), EntryKind::Symlink { target: target.to_vec() }))
}

fn oddities(entries: &[(&str, LayerEntry)]) -> Vec<(String, LayerOddity)> {
    let mut layer = LayerTree::default();
    for (name, entry) in entries {
        layer.add(name.as_bytes(), entry.clone()).unwrap();
    }
    let shown = |path: &[u8]| String::from_utf8(path.to_vec()).unwrap();
    layer.oddities().map(|(path, oddity)| (shown(path), oddity)).collect()
}

#[test]
fn a_layer_as_builders_write_it_has_nothing_odd() {
    let entries = [
        ("./", folder(0o755)),
        ("a/", folder(0o700)),
        ("a/b", file(1)),
        ("c", link(b"a")),
        ("d/e", file(1)),
        ("d", folder(0o755)),
    ];
    assert_eq!(oddities(&entries), []);
}

#[test]
fn entries_that_stand_twice_are_noted() {
    let twice = |first, second| oddities(&[("x", first), ("./x", second)]);
    let noted = [("x".to_owned(), LayerOddity::Repeated)];
    assert_eq!(twice(file(1), file(2)), noted);
    assert_eq!(twice(link(b"a"), folder(0o755)), noted);
    assert_eq!(twice(folder(0o755), folder(0o755)), noted);
    let below = LayerEntry::HardLink { target: b"below".to_vec(), header: Header::new(0o644, 0, 0) };
    assert_eq!(twice(below.clone(), file(1)), noted);
    assert_eq!(twice(file(1), below), noted);
}

#[test]
fn names_that_lead_through_links_are_noted_under_their_own_path() {
    let entries = [("etc", folder(0o755)), ("web", link(b"etc")), ("web/passwd", file(1))];
    assert_eq!(oddities(&entries), [("web/passwd".to_owned(), LayerOddity::ThroughLink)]);
}

#[test]
fn another_header_of_the_root_is_noted() {
    assert_eq!(oddities(&[(".", folder(0o777))]), [(String::new(), LayerOddity::Root)]);
}

#[test]
fn attributes_are_noted_by_the_reader() {
    let mut layer = LayerTree::default();
    layer.note(b"./a", LayerOddity::Attributes);
    assert_eq!(layer.oddities().collect::<Vec<_>>(), [(&b"a"[..], LayerOddity::Attributes)]);
}

#[test]
fn bytes_are_kept_of_a_file_as_long_as_it_stands_in_the_layer() {
    let mut layer = LayerTree::default();
    layer.add(b"./etc/passwd", file(4)).unwrap();
    layer.keep_content(b"./etc/passwd", b"root".to_vec()).unwrap();
    assert_eq!(layer.content(b"etc/passwd"), Some(&b"root"[..]));
    assert_eq!(layer.content(b"etc/group"), None);
    layer.add(b"etc/passwd", link(b"shadow")).unwrap();
    assert_eq!(layer.content(b"etc/passwd"), None);
}

#[test]
fn kept_bytes_count_against_the_limit() {
    let mut layer = LayerTree::new(LayerLimits { entries: 10, name_bytes: 20 });
    layer.add(b"passwd", file(100)).unwrap();
    assert!(layer.keep_content(b"passwd", vec![0; 100]).is_err());
}
