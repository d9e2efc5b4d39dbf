//! Tars as layers: every kind of entry, headers that extend others, and archives that are damaged or ask for too much.

use std::sync::Arc;

use cache_inputs::{LayerOptions, TarError, read_tar};
use cache_keys::{Entry, EntryHasher, EntryKind, Header, LayerLimits, LayerOddity, LayerTree};

use crate::archive::{Archive, Fields, octal};

fn read(tar: &[u8]) -> Result<LayerTree, TarError> {
    let layer = read_tar(tar, &LayerOptions::default());
    // In pieces of a byte it is the same.
    let pieces = read_tar(Pieces(tar), &LayerOptions::default());
    assert_eq!(format!("{layer:?}"), format!("{pieces:?}"));
    layer
}

/// Gives a byte at a time.
struct Pieces<'t>(&'t [u8]);

impl std::io::Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let most = into.len().min(1);
        std::io::Read::read(&mut self.0, &mut into[..most])
    }
}

fn layer(archive: Archive) -> LayerTree {
    read(&archive.end()).unwrap()
}

fn error(tar: &[u8]) -> String {
    read(tar).unwrap_err().to_string()
}

fn file_with(header: Header, bytes: &[u8]) -> Entry {
    let size = bytes.len() as u64;
    let mut hasher = EntryHasher::new(&header, &EntryKind::File { size });
    hasher.update(bytes);
    Entry::file(header, size, hasher.finish())
}

fn file(bytes: &str) -> Entry {
    file_with(Header::new(0o644, 0, 0), bytes.as_bytes())
}

fn check(archive: Archive, expected: &[(&str, Entry)]) {
    let layer = layer(archive);
    let found: Vec<_> = layer.entries().map(|(path, entry)| (path, entry.clone())).collect();
    let expected: Vec<_> =
        expected.iter().map(|(path, entry)| (path.as_bytes().to_vec(), entry.clone())).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_kind_of_entry_is_read() {
    let header = || Header::new(0o644, 0, 0);
    let devices = [(b'3', "char"), (b'4', "block"), (b'6', "pipe")];
    let archive = devices
        .into_iter()
        .fold(Archive::default(), |archive, (flag, name)| archive.header(&Fields::new(name, flag)));
    let archive = archive
        .file("file", "some bytes")
        .link("hard", b'1', "file")
        .link("soft", b'2', "../any where")
        .header(&Fields { mode: b"0004755", ..Fields::new("folder/", b'5') })
        .entry("old", 0, b"old")
        .header(&Fields::new("older/", 0));
    let layer = layer(archive);
    let entries: Vec<_> = layer.entries().map(|(path, entry)| (path, entry.clone())).collect();
    let symlink = EntryKind::Symlink { target: b"../any where".to_vec() };
    let expected = [
        ("block", Entry::of(header(), EntryKind::BlockDevice(Default::default()))),
        ("char", Entry::of(header(), EntryKind::CharDevice(Default::default()))),
        ("file", file("some bytes")),
        ("folder", Entry::of(Header::new(0o4755, 0, 0), EntryKind::Folder)),
        ("hard", file("some bytes")),
        ("old", file("old")),
        ("older", Entry::of(header(), EntryKind::Folder)),
        ("pipe", Entry::of(header(), EntryKind::Fifo)),
        ("soft", Entry::of(header(), symlink)),
    ];
    assert_eq!(entries, expected.map(|(path, entry)| (path.as_bytes().to_vec(), entry)));
}

#[test]
fn names_may_be_long_or_no_text() {
    let long = "d/".repeat(200) + "x";
    let target = "t".repeat(300);
    check(
        Archive::default().entry("././@LongLink", b'L', long.as_bytes()).file("short", "1"),
        &[(&long, file("1"))],
    );
    check(Archive::default().pax(&[("path", long.as_bytes())]).file("short", "1"), &[(&long, file("1"))]);
    let fields = Fields { prefix: b"some/folder", size: octal(0), ..Fields::new("x", b'0') };
    check(Archive::default().header(&fields), &[("some/folder/x", file(""))]);
    let link = |archive: Archive| archive.link("l", b'2', "short");
    let symlink =
        Entry::of(Header::new(0o777, 0, 0), EntryKind::Symlink { target: target.clone().into_bytes() });
    check(
        link(Archive::default().entry("././@LongLink", b'K', format!("{target}\0").as_bytes())),
        &[("l", symlink.clone())],
    );
    check(link(Archive::default().pax(&[("linkpath", target.as_bytes())])), &[("l", symlink)]);
    let archive = Archive::default().header(&Fields { name: b"\xff\xfe", ..Fields::new("", b'0') });
    assert_eq!(layer(archive).entries().next().unwrap().0, b"\xff\xfe");
    // The old way wins, as in Go.
    let both = Archive::default().entry("L", b'L', b"gnu").pax(&[("path", b"pax")]).file("short", "1");
    check(both, &[("gnu", file("1"))]);
}

#[test]
fn an_extended_header_counts_for_the_next_entry_only() {
    let archive = Archive::default().pax(&[("path", b"a"), ("mtime", b"12.5")]).file("x", "1").file("b", "2");
    check(archive, &[("a", file("1")), ("b", file("2"))]);
    // Its records replace those of another one in front of it.
    let archive = Archive::default().pax(&[("path", b"a")]).pax(&[("uid", b"7")]).file("x", "1");
    check(archive, &[("x", file_with(Header::new(0o644, 7, 0), b"1"))]);
    // A global one is ignored, with what stands in front of it.
    let archive = Archive::default().pax(&[("path", b"a")]).entry("g", b'g', b"9 path=z\n").file("x", "1");
    check(archive, &[("x", file("1"))]);
    let archive = Archive::default().pax(&[("path", b"")]).file("x", "1");
    check(archive, &[("x", file("1"))]);
}

#[test]
fn sizes_and_owners_may_stand_in_an_extended_header() {
    let fields = Fields { size: octal(0), ..Fields::new("x", b'0') };
    let archive =
        Archive::default().pax(&[("size", b"3"), ("gid", b"4294967295")]).header(&fields).bytes(b"abc");
    check(archive, &[("x", file_with(Header::new(0o644, 0, u32::MAX), b"abc"))]);
    let binary = [&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3][..]].concat();
    let fields = Fields { size: binary, uid: &[0x80, 0, 0, 0, 0, 1, 0, 0], ..Fields::new("x", b'0') };
    check(
        Archive::default().header(&fields).bytes(b"abc"),
        &[("x", file_with(Header::new(0o644, 1 << 16, 0), b"abc"))],
    );
    // Links and folders have no bytes, whatever their size.
    let fields = Fields { size: octal(512), ..Fields::new("d", b'5') };
    check(
        Archive::default().header(&fields).file("x", "1"),
        &[("d", Entry::of(Header::new(0o644, 0, 0), EntryKind::Folder)), ("x", file("1"))],
    );
}

#[test]
fn attributes_that_unpacking_sets_count() {
    let capability = b"\x01\n\0=\n".as_slice();
    let records = [
        ("SCHILY.xattr.security.capability", capability),
        ("SCHILY.xattr.security.selinux", b"no"),
        ("LIBARCHIVE.xattr.user.x", b"no"),
    ];
    let header = Header::new(0o644, 0, 0);
    let capable = header.clone().with_xattrs([(b"security.capability".to_vec(), capability.to_vec())]);
    let archive = Archive::default().pax(&records).file("x", "1");
    check(archive, &[("x", file_with(capable, b"1"))]);
    let user = [("SCHILY.xattr.user.x", b"yes".as_slice())];
    let archive = Archive::default().pax(&user).file("x", "1").pax(&user).link("l", b'2', "x");
    let with_user = header.clone().with_xattrs([(b"user.x".to_vec(), b"yes".to_vec())]);
    let symlink = EntryKind::Symlink { target: b"x".to_vec() };
    check(archive.clone(), &[("l", Entry::of(header, symlink)), ("x", file_with(with_user, b"1"))]);
    // BuildKit writes only capabilities.
    let odd = layer(archive);
    let oddities: Vec<_> = odd.oddities().collect();
    assert_eq!(oddities, [(b"l".as_slice(), LayerOddity::Attributes), (b"x", LayerOddity::Attributes)]);
}

/// A sparse file: zeros, `abc` from byte 4, zeros up to byte 10.
const SPARSE: &str = "\0\0\0\0abc\0\0\0";

#[test]
fn a_sparse_file_is_filled_with_zeros() {
    let named: [(&str, &[u8]); 3] =
        [("GNU.sparse.name", b"x"), ("GNU.sparse.major", b"0"), ("GNU.sparse.minor", b"1")];
    let map: [(&str, &[u8]); 3] =
        [("GNU.sparse.size", b"10"), ("GNU.sparse.numblocks", b"1"), ("GNU.sparse.map", b"4,3")];
    check(Archive::default().pax(&[named, map].concat()).file("sparse", "abc"), &[("x", file(SPARSE))]);
    check(Archive::default().pax(&map).file("x", "abc"), &[("x", file(SPARSE))]);
    let parts: [(&str, &[u8]); 6] = [
        ("GNU.sparse.size", b"10"),
        ("GNU.sparse.numblocks", b"2"),
        ("GNU.sparse.offset", b"4"),
        ("GNU.sparse.numbytes", b"3"),
        ("GNU.sparse.offset", b"10"),
        ("GNU.sparse.numbytes", b"0"),
    ];
    check(Archive::default().pax(&parts).file("x", "abc"), &[("x", file(SPARSE))]);
    let newest: [(&str, &[u8]); 4] = [
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"x"),
        ("GNU.sparse.realsize", b"10"),
    ];
    let mut bytes = b"1\n4\n3\n".to_vec();
    bytes.resize(512, 0);
    bytes.extend_from_slice(b"abc");
    let archive = Archive::default().pax(&newest).entry("sparse", b'0', &bytes).file("y", "1");
    check(archive, &[("x", file(SPARSE)), ("y", file("1"))]);
    let empty: [(&str, &[u8]); 2] = [("GNU.sparse.size", b"3"), ("GNU.sparse.major", b"7")];
    check(Archive::default().pax(&empty).file("x", "abc"), &[("x", file("abc"))]);
}

#[test]
fn a_sparse_file_whose_map_is_wrong_is_damage() {
    let known = |size: &'static str, number: &'static str, map: &'static str| {
        let records = [("GNU.sparse.size", size), ("GNU.sparse.numblocks", number), ("GNU.sparse.map", map)];
        let records = records.map(|(key, value)| (key, value.as_bytes()));
        error(&Archive::default().pax(&records).file("x", "abc").end())
    };
    for (size, number, map) in [
        ("6", "1", "4,3"),
        ("10", "2", "4,3"),
        ("10", "1", "4"),
        ("10", "1", "4,2"),
        ("10", "2", "4,2,5,1"),
        ("10", "2", "4,1,2,2"),
        ("10", "1", "4,x"),
        ("10", "1", "9223372036854775807,3"),
    ] {
        assert!(
            known(size, number, map).ends_with("the map of a sparse file is wrong"),
            "{size} {number} {map}"
        );
    }
    assert!(known("x", "1", "4,3").ends_with("its size is no number"));
    let records: [(&str, &[u8]); 3] =
        [("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.realsize", b"10")];
    for bytes in [&b"1\n4\n"[..], b"x\n", b"99999999999\n1\n"] {
        let mut map = bytes.to_vec();
        map.resize(512, 0);
        let error = error(&Archive::default().pax(&records).entry("x", b'0', &map).end());
        assert!(error.ends_with("the map of a sparse file is wrong"), "{error}");
    }
}

#[test]
fn an_archive_may_end_at_any_entry() {
    let archive = || Archive::default().file("a", "1");
    let expected = [("a", file("1"))];
    check(archive(), &expected);
    for tar in [archive().open(), [archive().open(), vec![0; 512]].concat(), archive().open()[..513].to_vec()]
    {
        assert_eq!(read(&tar).unwrap().entries().count(), 1);
    }
    assert!(read(b"").unwrap().is_empty());
    // What follows the end is of no use.
    assert_eq!(read(&[archive().end(), b"junk".to_vec()].concat()).unwrap().entries().count(), 1);
}

#[test]
fn a_damaged_archive_is_refused_with_its_place() {
    let tar = Archive::default().file("a", "1").file("b", "2").end();
    for len in [1, 512, 1100] {
        assert_eq!(error(&tar[..len]), "the tar ends early", "{len}");
    }
    assert_eq!(error(&Archive::default().file("a", &"1".repeat(600)).open()[..600]), "the tar ends early");
    let mut damaged = tar;
    damaged[1024] ^= 1;
    assert_eq!(error(&damaged), "the tar is damaged at byte 1536: the checksum of a header is wrong");
    assert_eq!(
        error(b"no tar".repeat(100).as_slice()),
        "the tar is damaged at byte 512: the checksum of a header is wrong"
    );
    let after =
        [Archive::default().file("a", "1").open(), vec![0; 512], Archive::default().file("b", "2").end()];
    assert_eq!(error(&after.concat()), "the tar is damaged at byte 2048: an entry follows the end");
    for (archive, reason) in [
        (Archive::default().pax(&[("size", b"-1")]).file("a", "1"), "its size is no number"),
        (
            Archive::default().header(&Fields { size: vec![0xff; 12], ..Fields::new("a", b'0') }),
            "its size is no number",
        ),
        (
            Archive::default().header(&Fields { size: b"zzz".to_vec(), ..Fields::new("a", b'0') }),
            "its size is no number",
        ),
        (
            Archive::default().header(&Fields { mode: b"rw", ..Fields::new("a", b'0') }),
            "its mode is no number",
        ),
        (
            Archive::default().header(&Fields { uid: &[0xff; 8], ..Fields::new("a", b'0') }),
            "the number of an owner is no number of a user or group",
        ),
        (
            Archive::default().pax(&[("gid", b"4294967296")]).file("a", "1"),
            "the number of an owner is no number of a user or group",
        ),
        (Archive::default().entry("x", b'x', b"no records"), "an extended header is no list of records"),
        (
            Archive::default().header(&Fields { size: octal(2 << 20), ..Fields::new("x", b'L') }),
            "a header that extends another has more than 1 MiB",
        ),
    ] {
        let error = error(&archive.end());
        assert!(error.ends_with(reason), "{error}");
    }
}

#[test]
fn kinds_that_are_not_unpacked_are_refused() {
    for flag in [b'S', b'7', b'V', b'Z', 0xff] {
        let error = error(&Archive::default().header(&Fields::new("some/name", flag)).end());
        let expected =
            format!("/some/name is an entry of the kind {:?}, which no layer has", char::from(flag));
        assert_eq!(error, expected);
    }
}

#[test]
fn an_archive_cannot_ask_for_more_than_its_limits() {
    let mut options = LayerOptions::default();
    options.limits = LayerLimits { entries: 100, name_bytes: 1000 };
    options.max_expansion = 1 << 20;
    let error = |archive: Archive| read_tar(&*archive.end(), &options).unwrap_err().to_string();
    let many = (0..200).fold(Archive::default(), |archive, n| archive.file(&n.to_string(), ""));
    assert_eq!(error(many), "it has more than 100 entries");
    let xattr = vec![1; 2000];
    let large = Archive::default().pax(&[("SCHILY.xattr.user.x", &xattr)]).file("x", "");
    assert_eq!(error(large), "its names have more than 1000 bytes");
    // A sparse file of 4 exabytes in 1.5 KiB.
    let records: [(&str, &[u8]); 3] = [
        ("GNU.sparse.size", b"4611686018427387904"),
        ("GNU.sparse.numblocks", b"0"),
        ("GNU.sparse.map", b""),
    ];
    let sparse = [("GNU.sparse.major", b"0".as_slice()), ("GNU.sparse.minor", b"1")];
    let archive = Archive::default().pax(&[&records[..], &sparse].concat()).file("x", "");
    assert_eq!(error(archive), "its files have more than 1,048,576 bytes");
}

#[test]
fn a_layer_says_what_it_hides() {
    let layer = layer(Archive::default().file("a/.wh.b", "").file("c/.wh..wh..opq", "").file("c/d", "1"));
    assert_eq!(layer.whiteouts().collect::<Vec<_>>(), [b"a/b"]);
    assert_eq!(layer.opaque_folders().collect::<Vec<_>>(), [b"c"]);
    let error = error(&Archive::default().file(".wh.", "").end());
    assert_eq!(error, "/.wh. is a whiteout of no file");
}

#[test]
fn bytes_are_hashed_under_other_headers_in_the_same_pass_and_kept_if_asked_for() {
    let mut options = LayerOptions::default();
    let program = Header::new(0o755, 5, 6);
    let also = program.clone();
    options.also = Arc::new(move |path, header, size| {
        assert_eq!((path, header.mode, size), (b"a/x".as_slice(), 0o644, 5));
        vec![header.clone(), also.clone()]
    });
    options.keeps = Arc::new(|path, size| path == b"a/x" && size == 5);
    let layer = read_tar(&*Archive::default().file("./a/x", "12345").end(), &options).unwrap();
    let entry = layer.tree().get(b"a/x").unwrap();
    assert_eq!(
        entry.under(&program),
        Some(file_with(program, b"12345"))
            .map(|entry| { entry.with_digest_as(Header::new(0o644, 0, 0), *file("12345").digest()) })
    );
    assert_eq!(layer.content(b"a/x"), Some(b"12345".as_slice()));
}
