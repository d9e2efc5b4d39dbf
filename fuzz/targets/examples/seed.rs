//! Writes the seeds of the corpora: `cargo run -p bkcache-fuzz-targets --example seed`.
//!
//! Texts come from the real caches in `tests/fixtures`; structured inputs are written by hand. It writes the same files
//! each time, and keeps the files that a fuzzer has added.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a tool of this repository, which stops at the first error"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use cache_explain::Dictionary;
use cache_inputs::{Label, read_builds};

/// Larger files make a fuzzer slow.
const LARGEST: usize = 64 << 10;

/// References, and texts that are nearly references.
const REFERENCES: &[&str] = &[
    "user/app",
    "registry.example.com:5000/team/app:v1",
    "[::1]:5000/x",
    "app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "localhost/a__b--c.d:X.y-z_1@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "index.docker.io/app",
    "https://ghcr.io/app",
    "localhost:5000",
    "[::1:5000/x",
    "a/b._c",
    "REG.example/app:",
    "[::1%25eth0]/x",
];

/// Attribute strings and bare paths, each once as a source and once as a destination.
const TARGETS: &[&str] = &[
    "type=local,dest=/cache,tag=main",
    "type=local,src=/cache,digest=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    r#"type=local,"dest=/a,""b""",Image-Manifest=false,oci-mediatypes=F"#,
    "type=local,dest=x,mode=max,compression=zstd,compression-level=3,force-compression=,ignore-error=1",
    "type=registry,ref=registry.example/app:cache,registry.insecure=true",
    "type=s3,region=eu,bucket=b",
    "dest=x",
    "./cache:main",
    "cache@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "/cache:example.org/app:main",
    "https://registry.example/app",
    "-",
];

/// Lines of patterns, an empty line, and lines of paths.
const PATTERNS: &[&str] = &[
    "*\n!src\nsrc/**/*.log\n\nsrc/app.js\nsrc/a/b.log\nout",
    "**/node_modules\n!keep/node_modules/x\n\na/node_modules\nkeep/node_modules/x\nnode_modules/y/z",
    "a/**\n**/b\n**\na**b\n\na/b\nb\nx/a/b",
    "[a-c]x?\n[^/]*.c\n\\[x\\]\n\nbxy\nd/e.c\n[x]\n\u{fc}.c",
    "[[:alpha:]]*\n[*]\n[?]\n[\\d-x]\n\nab\n[]\n*]\n5",
    "[z-a]\na\\bc\n\\q\n[[:none:]]\n\na\nabc",
    "# comment\n /a/../b/ \n! c\n!\n\nb\nc",
    "***\n****/a*b*c*d*e*f\n\naaaaaaaa/abcdef\nabababababababababab",
    "[a\n\na",
    "*[^a]*c\n*?\n*[\u{fffd}]\n??\n\nb/c\n\u{fc}\nab",
];

/// Digests, times, forms and paths; the text after a line break is compared with the first.
const TEXTS: &[&str] = &[
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\nsha256:00b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    "sha256:E3B0\nsha256:e3b0",
    "random:abc",
    "2026-01-02T03:04:05.120Z\n2026-01-02T04:04:05.12+01:00",
    "0001-01-01T00:00:00Z",
    "manifest",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "cache:main@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

/// Small configs with parts that real configs do not have.
const CONFIGS: &[&str] = &[
    "{}",
    r#"{"records":[{"digest":"a","inputs":[[{"link":1}]]},{"digest":"b","inputs":[[{"link":0}]]}]}"#,
    r#"{"layers":[{"blob":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","parent":-1,"annotations":{"mediaType":"x","diffID":"y","size":3,"createdAt":"2026-01-02T03:04:05Z"}}],"records":[{"digest":"a","layers":[{"layer":0,"createdAt":"2026-01-02T03:04:05.5+01:00"}],"chains":[{"layers":[0,0],"createdAt":"0001-01-01T00:00:00Z"}]},{"digest":"random:x"},{"digest":"b","inputs":[[{"selector":"/<a>","link":0}]]},{"digest":"b","inputs":[[{"link":0},{"selector":"/<a>","link":0}],[{"link":2}]]}]}"#,
    r#"{"digest":"sha256:run","inputs":[[{"record":0,"selector":"/src"}]],"results":[{"createdAt":"2026-01-02T03:04:05Z","layers":[]}]}"#,
];

const SCHEMA_1: &str = r#"{"schemaVersion":1,"fsLayers":[]}"#;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let corpus = root.join("fuzz/corpus");
    let (configs, manifests) = fixtures(&root.join("tests/fixtures"));
    let given =
        |texts: &[&str]| -> Vec<Vec<u8>> { texts.iter().map(|text| text.as_bytes().to_vec()).collect() };
    let configs = [configs, given(CONFIGS)].concat();
    let roles = TARGETS.iter().flat_map(|text| [0, 1].map(|role| [&[role], text.as_bytes()].concat()));
    for (target, seeds) in [
        ("add_script", scripts()),
        ("attributes", roles.collect()),
        ("build_record", records(&root.join("tests/why"))),
        ("content_checksum", (0..48).map(|seed| random_bytes(seed, 200)).collect()),
        ("decode_config", configs.clone()),
        ("decode_manifest", [manifests, given(&[SCHEMA_1])].concat()),
        ("digest_and_reference", given(&[TEXTS, TARGETS, REFERENCES].concat())),
        ("edit", edits(&configs)),
        ("layout_open", layouts(&root.join("tests/fixtures"))),
        ("manifest_builder", builders()),
        ("patterns", given(PATTERNS)),
        ("roundtrip", configs),
        ("tar_tree", tars(&root.join("tests/why"))),
    ] {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder).unwrap();
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:02}")), seed).unwrap();
        }
    }
}

/// Tars: the smallest layers of real builds, and such as no builder writes. The first byte says how they are cut.
fn tars(builds: &Path) -> Vec<Vec<u8>> {
    let mut layers = BTreeMap::new();
    for build in ["kitchen", "raw", "svc"] {
        for blob in sorted(&builds.join(build).join("cache/blobs/sha256")) {
            let (blob, mut tar) = (fs::read(&blob).unwrap(), Vec::new());
            if blob.starts_with(&[0x1f, 0x8b]) {
                cache_compress::Decoder::new(&*blob, 1 << 20).unwrap().read_to_end(&mut tar).unwrap();
                layers.insert((tar.len(), tar.clone()), tar);
            }
        }
    }
    let layers = layers.into_values().take(12);
    layers.chain(odd_tars()).enumerate().map(|(at, tar)| [vec![(at * 37) as u8], tar].concat()).collect()
}

/// An entry of a tar: its name, its kind, its bytes or the target of a link, and records of an extended header.
type TarEntry<'e> = (&'e str, tar::EntryType, &'e str, &'e [(&'e str, &'e [u8])]);

fn odd_tars() -> Vec<Vec<u8>> {
    use tar::EntryType;
    let tar = |entries: &[TarEntry<'_>]| {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, kind, data, records) in entries {
            tar.append_pax_extensions(records.iter().copied()).unwrap();
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            let bytes = if kind.is_file() { data.as_bytes() } else { &[] };
            if !kind.is_file() && !data.is_empty() {
                header.set_link_name_literal(data).unwrap();
            }
            header.set_size(bytes.len() as u64);
            header.set_cksum();
            tar.append(&header, bytes).unwrap();
        }
        tar.into_inner().unwrap()
    };
    let (file, folder, link, symlink) =
        (EntryType::Regular, EntryType::Directory, EntryType::Link, EntryType::Symlink);
    vec![
        tar(&[
            ("a/", folder, "", &[]),
            ("a/.wh.b", file, "", &[]),
            ("a/.wh..wh..opq", file, "", &[]),
            ("a/c", file, "1", &[]),
        ]),
        tar(&[
            ("a", file, "1", &[]),
            ("b", link, "a", &[]),
            ("c", link, "./d/../b", &[]),
            ("a", symlink, "/b", &[]),
        ]),
        tar(&[
            ("d/", folder, "", &[]),
            ("l", symlink, "d/../e", &[]),
            ("l/x", file, "1", &[]),
            ("../../y", file, "2", &[]),
        ]),
        tar(&[("l", symlink, "l", &[]), ("l/x", file, "1", &[])]),
        tar(&[("below", link, "missing", &[]), ("below/x", file, "1", &[])]),
        tar(&[(
            "x",
            file,
            "1",
            &[("path", b"some/long/name"), ("SCHILY.xattr.security.capability", b"\x01\n=")],
        )]),
        tar(&[(
            "x",
            file,
            "abc",
            &[("GNU.sparse.size", b"10"), ("GNU.sparse.numblocks", b"1"), ("GNU.sparse.map", b"4,3")],
        )]),
        tar(&[("x", file, "0\n", &[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("size", b"2")])]),
        tar(&[
            ("d/", folder, "", &[]),
            ("d/x", file, "1", &[]),
            ("d", file, "2", &[]),
            ("d/", folder, "", &[]),
        ]),
        tar(&[
            (&"d/".repeat(49), folder, "", &[]),
            ("c", EntryType::Char, "", &[]),
            ("p", EntryType::Fifo, "", &[]),
        ]),
    ]
}

/// Pairs of configs as lines, and bytes that decide random caches; each with another choice of options.
fn edits(configs: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let small: Vec<&Vec<u8>> = configs.iter().filter(|config| config.len() <= LARGEST / 4).collect();
    let pairs = small.windows(2).map(|pair| [pair[0].as_slice(), b"\n", pair[1]].concat());
    let pairs = pairs.map(|text| (0, text));
    let dice = (0..24).map(|seed| (1 + (seed % 2) as u8, random_bytes(seed, 300)));
    let all = pairs.chain(dice).enumerate();
    all.map(|(at, (kind, rest))| [vec![kind, (at * 37) as u8], rest].concat()).collect()
}

/// Build records: as they are in the smallest build and in one of two platforms, and as the parts of an archive.
fn records(builds: &Path) -> Vec<Vec<u8>> {
    let read = |path: &str| fs::read(builds.join(path)).unwrap();
    let predicate = read("raw/provenance.json");
    let text = String::from_utf8(predicate.clone()).unwrap();
    let statement = format!(r#"{{"_type":"https://in-toto.io/Statement/v0.1","predicate":{text}}}"#);
    let entry = format!(
        r#"{{"record":{{"ExporterResponse":{{"buildx.build.provenance":"{}"}}}}}}"#,
        data_encoding::BASE64.encode(&predicate)
    );
    let attestation = r#"{"digest":"PROVENANCE","annotations":{"in-toto.io/predicate-type":"https://slsa.dev/provenance/v1"}}"#;
    let response = r#"{"containerimage.base.config":"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"]}}"}"#;
    let one = format!(
        r#"{{"Result":{{"Attestations":[{attestation}]}},"ExporterResponse":{response},"logs":{{"digest":"LOG"}}}}"#
    );
    let several = format!(
        r#"{{"Results":{{"linux/386":{{"Attestations":[{attestation}]}}}},"logs":{{"digest":"LOG"}}}}"#
    );
    // A log: the first step ran for a second and was cached.
    let mapping = text.split("digestMapping").nth(1).unwrap();
    let vertex = mapping.split("\"sha256:").nth(1).unwrap().split('"').next().unwrap();
    let mention = [
        &[0x0a, 71][..],
        format!("sha256:{vertex}").as_bytes(),
        &[0x20, 1, 0x2a, 4, 8, 1, 16, 1, 0x32, 4, 8, 2, 16, 1],
    ]
    .concat();
    let message = [&[0x0a, mention.len() as u8][..], &mention].concat();
    let log = [&(message.len() as u32).to_le_bytes()[..], &message].concat();
    let archive = |record: &str| [record.as_bytes(), &[0xff], &predicate, &[0xff], &log].concat();
    let plain = [
        predicate.clone(),
        statement.into(),
        entry.into(),
        read("plat-two/provenance.json"),
        read("raw/dockerbuild"),
    ];
    let plain = plain.iter().map(|record| [&[0], record.as_slice()].concat());
    let label = Label::new(&read_builds(&predicate).unwrap()).text(&Dictionary::default());
    let files = concat!(
        r#"{"context":"context"}"#,
        "\n",
        r#"["a","d",493,0,0]"#,
        "\n",
        r#"["a/b","f",420,0,0,[1,"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"]]"#,
        "\n",
        r#"["a/c","l",511,0,0,"b",[["user.x","AQ=="]]]"#,
        "\n",
        r#"{"layer":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}"#,
        "\n",
        r#"["gone","w"]"#,
        "\n",
        r#"["empty","o"]"#,
        "\n",
        r#"["link","h",420,0,0,"below"]"#,
        "\n",
        r#"[{"base64":"/w=="},"c",384,0,0,[1,3]]"#,
        "\n",
    );
    let label = [&[2], label.as_slice(), files.as_bytes()].concat();
    plain
        .chain([one, several].iter().map(|record| [&[1], archive(record).as_slice()].concat()))
        .chain([label])
        .collect()
}

/// Bytes that decide about something random.
fn random_bytes(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// The small cache configs, and the small manifests and image configs, of all real caches, each once.
fn fixtures(folder: &Path) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut blobs: BTreeMap<Vec<u8>, PathBuf> = BTreeMap::new();
    for name in sorted(folder) {
        for blob in sorted(&folder.join(name).join("blobs/sha256")) {
            let bytes = fs::read(folder.join(&blob)).unwrap();
            if bytes.len() <= LARGEST && bytes.starts_with(b"{") {
                blobs.entry(bytes).or_insert(blob);
            }
        }
    }
    let is_config =
        |bytes: &Vec<u8>| bytes.starts_with(br#"{"layers":"#) || bytes.starts_with(br#"{"records":"#);
    blobs.into_keys().partition(is_config)
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// A list as `arbitrary` reads it: a 1 before each item, a 0 at the end.
fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes: Vec<u8> = items.iter().flat_map(|item| [&[1], item.as_slice()].concat()).collect();
    bytes.push(0);
    bytes
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    list(&bytes.iter().map(|byte| vec![*byte]).collect::<Vec<_>>())
}

/// One add: digest, inputs of links (how far back, selector), results (time, layers).
fn add(digest: u8, inputs: &[&[[u8; 2]]], results: &[(u8, &[u8])]) -> Vec<u8> {
    let input = |links: &&[[u8; 2]]| list(&links.iter().map(|link| link.to_vec()).collect::<Vec<_>>());
    let result = |(time, layers): &(u8, &[u8])| [vec![*time], bytes(layers)].concat();
    [
        vec![digest],
        list(&inputs.iter().map(input).collect::<Vec<_>>()),
        list(&results.iter().map(result).collect::<Vec<_>>()),
    ]
    .concat()
}

fn scripts() -> Vec<Vec<u8>> {
    let script = |absent: u8, adds: &[Vec<u8>]| [vec![absent], list(adds)].concat();
    let root = |digest: u8| add(digest, &[], &[(1, &[0])]);
    vec![
        script(0, &[]),
        // A chain of records with growing lists of layers.
        script(
            0,
            &[
                add(0, &[], &[(1, &[0])]),
                add(1, &[&[[0, 0]]], &[(2, &[0, 1])]),
                add(2, &[&[[0, 1]]], &[(3, &[0, 1, 2])]),
            ],
        ),
        // Two records of one digest that a third add merges.
        script(
            0,
            &[
                root(0),
                root(1),
                add(2, &[&[[0, 0]]], &[(0, &[3])]),
                add(2, &[&[[2, 0]]], &[(1, &[4])]),
                add(2, &[&[[3, 0], [2, 0]]], &[]),
                add(4, &[&[[2, 2]], &[[1, 3]]], &[(6, &[])]),
            ],
        ),
        // A merge of two records with a record between them: the link of the younger is dropped, though it has more links.
        script(
            0,
            &[
                root(0),
                root(1),
                add(4, &[&[[1, 0]]], &[]),
                add(2, &[&[[0, 0]]], &[(4, &[1])]),
                add(4, &[&[[0, 0], [2, 0]]], &[]),
                add(3, &[&[[0, 0]]], &[]),
                add(5, &[&[[1, 0]]], &[]),
                add(4, &[&[[6, 0], [5, 0]]], &[]),
            ],
        ),
        // Two records that end up with the same links and different results, and two that depend on them.
        script(
            0,
            &[
                root(0),
                root(1),
                add(2, &[&[[1, 0]]], &[]),
                add(2, &[&[[1, 0]]], &[]),
                add(4, &[&[[1, 0]]], &[(2, &[1])]),
                add(4, &[&[[1, 0]]], &[(0, &[0])]),
                add(2, &[&[[5, 0], [4, 0]]], &[]),
                add(3, &[&[[2, 0]]], &[(0, &[2])]),
                add(3, &[&[[2, 0]]], &[(0, &[3])]),
            ],
        ),
        // Two records that end up the same, the older one after the younger in every order with sources first.
        script(
            0,
            &[
                root(0),
                root(1),
                root(3),
                add(2, &[&[[2, 0]]], &[]),
                add(2, &[&[[2, 0]]], &[]),
                add(4, &[&[[1, 0]]], &[]),
                add(4, &[&[[1, 0]]], &[]),
                add(5, &[&[[6, 0]]], &[]),
                add(5, &[&[[6, 0]]], &[]),
                add(4, &[&[[5, 0], [0, 0]]], &[]),
                add(4, &[&[[5, 0], [2, 0]]], &[]),
                add(2, &[&[[10, 0], [9, 0]]], &[]),
                add(5, &[&[[11, 0], [10, 0]]], &[]),
                add(3, &[&[[7, 0]]], &[(0, &[0])]),
                add(3, &[&[[7, 0]]], &[(0, &[1])]),
            ],
        ),
        // Records of one digest with one and with two inputs; a skipped digest, and an input that it leaves empty.
        script(
            0,
            &[
                root(0),
                add(1, &[&[[0, 0]], &[[0, 1]]], &[]),
                add(1, &[&[[1, 0]]], &[]),
                add(6, &[], &[]),
                add(2, &[&[]], &[]),
            ],
        ),
        // Absent blobs, instants with two texts, blobs with several descriptors.
        script(
            2,
            &[
                add(3, &[], &[(3, &[0, 1]), (2, &[0]), (1, &[5])]),
                add(3, &[], &[(0, &[0]), (1, &[10])]),
                add(5, &[&[[0, 0]]], &[(7, &[1]), (6, &[0, 0])]),
            ],
        ),
    ]
}

/// Descriptors by the number of their media type, their digest and size. The zeros at the end are the lengths of texts, so
/// all texts are empty.
fn builders() -> Vec<Vec<u8>> {
    let descriptor = |media_type: u8, digest: u8, annotations: &[u8]| {
        let pairs: Vec<Vec<u8>> = annotations.iter().map(|key| vec![*key]).collect();
        [vec![media_type, digest], u64::from(digest).to_le_bytes().to_vec(), list(&pairs), vec![0]].concat()
    };
    let input = |layers: &[Vec<u8>], result: &[u8]| {
        let config = descriptor(11, 6, &[]);
        [list(layers), vec![0], config, vec![0], list(&[vec![2]]), bytes(result), vec![0; 64]].concat()
    };
    vec![
        input(&[], &[]),
        input(&[descriptor(0, 1, &[0]), descriptor(1, 2, &[1, 3])], &[0, 1]),
        input(&[descriptor(5, 1, &[]), descriptor(6, 7, &[]), descriptor(4, 3, &[])], &[2, 0]),
        input(&[descriptor(8, 1, &[]), descriptor(9, 1, &[]), descriptor(10, 1, &[4])], &[1, 1, 0]),
        input(&[descriptor(11, 1, &[])], &[]),
    ]
}

/// Folders: the kinds of `oci-layout` and `index.json`, entries, blobs, oddities, and a text for one of the two files.
fn layouts(fixtures: &Path) -> Vec<Vec<u8>> {
    let folder = |index: u8, entries: &[[u8; 4]], blobs: &[[u8; 3]], odd: &[u8], text: &[u8]| {
        let entries: Vec<Vec<u8>> = entries.iter().map(|entry| entry.to_vec()).collect();
        let blobs: Vec<Vec<u8>> = blobs.iter().map(|blob| blob.to_vec()).collect();
        let mut all = [vec![3, index], list(&entries), list(&blobs), bytes(odd), text.to_vec()].concat();
        match text.len() {
            // The lengths of the blobs' contents.
            0 => all.extend([0; 16]),
            len => all.extend(u16::try_from(len).unwrap().to_be_bytes()),
        }
        all
    };
    let cache = [[0, 0, 0], [2, 0, 0], [3, 0, 4]];
    let index = fs::read(fixtures.join("app-max-manifest-oci-gzip/index.json")).unwrap();
    let mut seeds = vec![
        folder(3, &[[2, 0, 0, 0]], &cache, &[], b""),
        folder(3, &[[2, 0, 1, 2], [2, 0, 0, 1]], &[[1, 0, 0], [2, 0, 0], [4, 0, 8]], &[0], b""),
        folder(3, &[[2, 0, 0, 0]], &[[0, 0, 0], [8, 0, 0], [5, 0, 0]], &[7], b""),
        folder(3, &[[3, 0, 1, 0]], &[[0, 0, 0], [8, 0, 0], [5, 0, 0], [6, 0, 0]], &[], b""),
        // The canary, named and linked to.
        folder(3, &[[1, 0, 0, 0]], &[[0, 211, 0]], &[], b""),
        folder(3, &[[0, 0, 0, 0]], &[], &[1], b""),
        folder(2, &[], &[], &[], &index),
    ];
    seeds.extend((2..12).map(|odd| folder(3, &[[2, 0, 0, 0]], &cache, &[odd], b"")));
    seeds.extend(
        [203, 208, 223, 228, 233, 238, 243, 250]
            .map(|place| folder(3, &[[2, 0, 0, 0]], &[[0, 0, 0], [2, place, 0], [3, 0, 0]], &[], b"")),
    );
    seeds
}
