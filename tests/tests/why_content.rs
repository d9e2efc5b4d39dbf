//! Layers that hold what their keys name are sound, layers that were tampered with are not, and what cannot be told is said.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use cache_compress::Decoder;
use cache_explain::{
    AddedFiles, Build, BuildInputs, Cache, ContentCheck, ContentChecks, ContentPlan, ContentVerdict,
    content_checks,
};
use cache_inputs::{
    ContextOptions, IgnoreFile, LayerOptions, read_added_file, read_builds, read_context, read_tar,
};
use cache_keys::{LayerTree, Tree};
use cache_model::{CacheChains, Digest};
use tests::why::WhyCase;

/// Reads what the plan wants, as a program does.
fn checks_of(case: &WhyCase, build: &Build, chains: &CacheChains, with_folders: bool) -> ContentChecks {
    checks_of_edited(case, build, chains, with_folders, &|_, tar| tar)
}

/// The same, where the tars of some layers were edited.
fn checks_of_edited(
    case: &WhyCase,
    build: &Build,
    chains: &CacheChains,
    with_folders: bool,
    edit: &dyn Fn(&Digest, Vec<u8>) -> Vec<u8>,
) -> ContentChecks {
    let graph = chains.graph().unwrap();
    let folders = if with_folders { case.contexts() } else { Vec::new() };
    let names: Vec<&str> = folders.iter().map(|(name, _)| name.as_str()).collect();
    let plan = Arc::new(ContentPlan::new(build, &Cache::new(&graph, &HashMap::new()), &names));
    let layers: HashMap<Digest, LayerTree> = plan
        .layers()
        .map(|digest| (*digest, read_layer(&plan, digest, &edit(digest, tar_of(case, digest)))))
        .collect();
    let cache = Cache::new(&graph, &layers);
    let trees: BTreeMap<String, Tree> = folders
        .iter()
        .map(|(name, folder)| {
            let mut options = ContextOptions::default();
            options.also = Arc::new(|_, _, _| vec![ContentPlan::common_header()]);
            if name == "context" {
                options.ignore = IgnoreFile::OfDockerfile(case.folder.join("Dockerfile"));
            }
            (name.clone(), read_context(folder, &options, &()).unwrap())
        })
        .collect();
    let added: BTreeMap<&str, AddedFiles> = folders
        .iter()
        .map(|(name, folder)| {
            let files = plan.added_files(name, &trees[name]).into_iter().map(|path| {
                let file = fs::File::open(folder.join(OsStr::from_bytes(&path))).unwrap();
                let mut options = LayerOptions::default();
                options.also = Arc::new(|_, _, _| vec![ContentPlan::common_header()]);
                (path, read_added_file(file, &options).unwrap())
            });
            (name.as_str(), files.collect())
        })
        .collect();
    let mut inputs = BuildInputs::new(build);
    for (name, tree) in &trees {
        inputs = inputs.with_context(name, tree).with_added_files(name, &added[name.as_str()]);
    }
    content_checks(&inputs, &cache)
}

fn tar_of(case: &WhyCase, digest: &Digest) -> Vec<u8> {
    let (blob, mut tar) = (case.blob(digest), Vec::new());
    Decoder::new(&*blob, 1 << 30).unwrap().read_to_end(&mut tar).unwrap();
    tar
}

fn read_layer(plan: &Arc<ContentPlan>, digest: &Digest, tar: &[u8]) -> LayerTree {
    let mut options = LayerOptions::default();
    let (kept, plan, digest) = (Arc::clone(plan), Arc::clone(plan), *digest);
    options.keeps = Arc::new(move |path, size| kept.keeps(&digest, path, size));
    options.also = Arc::new(move |_, header, size| plan.layer_headers(&digest, header, size));
    read_tar(tar, &options).unwrap()
}

fn shown(check: &ContentCheck) -> String {
    let flaws = match &check.verdict {
        ContentVerdict::Mismatch { flaws } => flaws
            .iter()
            .map(|flaw| format!("{} {}", flaw.kind.name(), String::from_utf8_lossy(&flaw.path)))
            .collect(),
        ContentVerdict::CannotTell { reason } => vec![reason.clone()],
        _ => Vec::new(),
    };
    format!("line {:?}, {}: {} {flaws:?}", check.line, check.instruction, check.verdict.name())
}

#[test]
fn every_copy_of_the_builds_with_known_content_is_judged_as_it_is() {
    let (mut judged, mut untold) = (0, 0);
    for case in WhyCase::all() {
        let Some(steps) = case.truth["content"]["steps"].as_array() else { continue };
        for build in &read_builds(&case.provenance()).unwrap() {
            for with_folders in [true, false] {
                let checks = checks_of(&case, build, &case.chains(), with_folders);
                for step in steps {
                    let line = usize::try_from(step["line"].as_u64().unwrap()).unwrap();
                    let check = checks.checks.iter().find(|check| check.line == Some(line));
                    let check = check.unwrap_or_else(|| panic!("{}: line {line}", case.name));
                    assert_eq!(check.instruction, step["instruction"].as_str().unwrap(), "{}", case.name);
                    // Without the folder a checksum may prove more than is expected, but nothing else.
                    let verdict = step["verdict"].as_str().unwrap();
                    let without = step["without_context"].as_str().filter(|_| !with_folders);
                    let is_right = check.verdict.name() == verdict || Some(check.verdict.name()) == without;
                    assert!(is_right, "{} (folders {with_folders}): {}", case.name, shown(check));
                    untold += usize::from(check.verdict.name() == "unknown");
                    judged += 1;
                }
                assert_eq!(checks.checks.len(), steps.len(), "{}", case.name);
                assert_eq!(checks.unnamed, 0, "{}", case.name);
            }
        }
    }
    assert_eq!((judged, untold), (62, 5));
}

#[test]
fn no_honest_cache_has_a_mismatch() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut untold = Vec::new();
    for case in WhyCase::all() {
        if case.truth["content"]["poisoned"] == true {
            continue;
        }
        for build in &read_builds(&case.provenance()).unwrap() {
            for with_folders in [true, false] {
                for check in checks_of(&case, build, &case.chains(), with_folders).checks {
                    assert!(
                        !matches!(check.verdict, ContentVerdict::Mismatch { .. }),
                        "{} (folders {with_folders}): {}",
                        case.name,
                        shown(&check)
                    );
                    *counts.entry(check.verdict.name()).or_default() += 1;
                    if check.verdict != ContentVerdict::Sound && with_folders {
                        untold.push(format!("{}: {}", case.name, shown(&check)));
                    }
                }
            }
        }
    }
    assert_eq!(untold, Vec::<String>::new());
    assert_eq!(counts, BTreeMap::from([("sound", 542), ("unknown", 6)]));
}

/// An entry of a tar.
#[derive(Clone)]
struct TarEntry {
    path: String,
    header: tar::Header,
    link: Option<String>,
    xattr: Option<(&'static str, &'static [u8])>,
    bytes: Vec<u8>,
}

impl TarEntry {
    fn new(path: &str, kind: tar::EntryType, mode: u32, bytes: &[u8]) -> Self {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        Self { path: path.to_owned(), header, link: None, xattr: None, bytes: bytes.to_vec() }
    }

    fn file(path: &str, bytes: &[u8]) -> Self {
        Self::new(path, tar::EntryType::Regular, 0o644, bytes)
    }

    fn link(path: &str, kind: tar::EntryType, target: &str) -> Self {
        Self { link: Some(target.to_owned()), ..Self::new(path, kind, 0o777, b"") }
    }
}

fn edited(tar: &[u8], edit: impl Fn(&mut Vec<TarEntry>)) -> Vec<u8> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let link = entry.link_name_bytes().map(|link| String::from_utf8(link.into_owned()).unwrap());
        let (header, mut bytes) = (entry.header().clone(), Vec::new());
        entry.read_to_end(&mut bytes).unwrap();
        TarEntry { path, header, link, xattr: None, bytes }
    });
    let mut entries: Vec<TarEntry> = entries.collect();
    edit(&mut entries);
    let mut written = tar::Builder::new(Vec::new());
    for mut entry in entries {
        if let Some((name, value)) = entry.xattr {
            written.append_pax_extensions([(&*format!("SCHILY.xattr.{name}"), value)]).unwrap();
        }
        entry.header.set_size(entry.bytes.len() as u64);
        entry.header.as_mut_bytes()[..100].fill(0);
        entry.header.as_mut_bytes()[..entry.path.len()].copy_from_slice(entry.path.as_bytes());
        if let Some(link) = &entry.link {
            entry.header.set_link_name_literal(link).unwrap();
        }
        entry.header.set_cksum();
        written.append(&entry.header, &*entry.bytes).unwrap();
    }
    written.into_inner().unwrap()
}

type TarEdit = fn(&mut Vec<TarEntry>);

fn at<'e>(entries: &'e mut [TarEntry], path: &str) -> &'e mut TarEntry {
    entries.iter_mut().find(|entry| entry.path.trim_end_matches('/') == path).unwrap()
}

/// Ways to change the layer of `COPY etc /etc/` on a base that has `/etc`, and what has to be found.
const TAMPERINGS: &[(&str, TarEdit, &str, &str)] = &[
    ("a file is planted", |e| e.push(TarEntry::file("etc/cron", b"x")), "planted", "etc/cron"),
    ("a file is planted elsewhere", |e| e.push(TarEntry::file("sbin/x", b"x")), "planted", "sbin/x"),
    ("a file is hidden", |e| e.push(TarEntry::file("etc/.wh.passwd", b"")), "missing", "etc/passwd"),
    ("what is not there is hidden", |e| e.push(TarEntry::file("etc/.wh.no", b"")), "planted", "etc/no"),
    ("a folder is hidden", |e| e.push(TarEntry::file("etc/.wh..wh..opq", b"")), "missing", "etc/passwd"),
    ("the root is hidden", |e| e.push(TarEntry::file(".wh..wh..opq", b"")), "missing", "bin/sh"),
    ("bytes are changed", |e| at(e, "etc/a.conf").bytes[0] ^= 1, "changed", "etc/a.conf"),
    ("a file is left out", |e| e.retain(|entry| entry.path != "etc/b.conf"), "missing", "etc/b.conf"),
    ("a file gets setuid", |e| at(e, "etc/a.conf").header.set_mode(0o4755), "mode", "etc/a.conf"),
    ("a folder is open to all", |e| at(e, "etc").header.set_mode(0o777), "mode", "etc"),
    ("a folder gets an owner", |e| at(e, "etc").header.set_uid(1000), "owner", "etc"),
    ("a file gets an owner", |e| at(e, "etc/b.conf").header.set_gid(50), "owner", "etc/b.conf"),
    (
        "the root is open to all",
        |e| e.insert(0, TarEntry::new("./", tar::EntryType::Directory, 0o777, b"")),
        "planted",
        "",
    ),
    (
        "a file gets capabilities",
        |e| at(e, "etc/a.conf").xattr = Some(("security.capability", b"\x01\0\0\x02\0\x20\0\0")),
        "capabilities",
        "etc/a.conf",
    ),
    (
        "a folder gets an attribute of overlayfs",
        |e| at(e, "etc").xattr = Some(("trusted.overlay.redirect", b"/bin")),
        "planted",
        "etc",
    ),
    (
        "a file gets an access list",
        |e| at(e, "etc/a.conf").xattr = Some(("system.posix_acl_access", b"\x02\0\0\0")),
        "planted",
        "etc/a.conf",
    ),
    (
        "a file becomes a link",
        |e| *at(e, "etc/a.conf") = TarEntry::link("etc/a.conf", tar::EntryType::Symlink, "/bin/sh"),
        "changed",
        "etc/a.conf",
    ),
    (
        "a file becomes a hard link to one below",
        |e| {
            e.retain(|entry| entry.path != "etc/b.conf");
            let mut link = TarEntry::link("etc/b.conf", tar::EntryType::Link, "bin/sh");
            link.header.set_mode(0o755);
            e.push(link);
        },
        "planted",
        "etc/b.conf",
    ),
    (
        "a hard link is added",
        |e| {
            let mut link = TarEntry::link("etc/c.conf", tar::EntryType::Link, "etc/a.conf");
            link.header.set_mode(0o644);
            e.push(link);
        },
        "planted",
        "etc/c.conf",
    ),
    (
        "a link leads a file elsewhere",
        |e| {
            e.push(TarEntry::link("x", tar::EntryType::Symlink, "bin"));
            e.push(TarEntry::file("x/evil", b"x"));
        },
        "planted",
        "x/evil",
    ),
    (
        "a file stands twice, first as a link",
        |e| e.insert(1, TarEntry::link("etc/a.conf", tar::EntryType::Symlink, "/bin/sh")),
        "planted",
        "etc/a.conf",
    ),
    (
        "a device is planted",
        |e| e.push(TarEntry::new("etc/mem", tar::EntryType::Char, 0o666, b"")),
        "planted",
        "etc/mem",
    ),
];

#[test]
fn every_way_to_tamper_with_a_layer_is_found() {
    let case = WhyCase::load("content-honest-tar");
    let build = &read_builds(&case.provenance()).unwrap()[0];
    let chains = case.chains();
    let honest = checks_of(&case, build, &chains, true);
    let copy = honest.checks.iter().find(|check| check.line == Some(5)).unwrap();
    assert_eq!(copy.verdict, ContentVerdict::Sound);
    for (what, edit, kind, path) in TAMPERINGS {
        let tamper = |layer: &Digest, tar: Vec<u8>| {
            if Some(*layer) == copy.layer { edited(&tar, edit) } else { tar }
        };
        for with_folders in [true, false] {
            let checks = checks_of_edited(&case, build, &chains, with_folders, &tamper);
            let check = checks.checks.iter().find(|check| check.line == Some(5)).unwrap();
            let ContentVerdict::Mismatch { flaws } = &check.verdict else {
                // Without the folder, what its files were cannot always be told. It is never called sound.
                assert!(!with_folders && check.verdict.name() == "unknown", "{what}: {}", shown(check));
                continue;
            };
            if with_folders {
                let found =
                    flaws.iter().any(|flaw| flaw.kind.name() == *kind && flaw.path == path.as_bytes());
                assert!(found, "{what}: {}", shown(check));
            }
        }
    }
}

#[test]
fn a_layer_on_nothing_hides_nothing_in_the_image_on_which_it_is_laid() {
    let case = WhyCase::load("content-honest-link-parents");
    let build = &read_builds(&case.provenance()).unwrap()[0];
    let chains = case.chains();
    let copy =
        |checks: &ContentChecks| checks.checks.iter().find(|check| check.line == Some(5)).unwrap().clone();
    let honest = copy(&checks_of(&case, build, &chains, true));
    for hidden in ["etc/.wh.passwd", "etc/.wh..wh..opq", "l/.wh..wh..opq", ".wh.etc"] {
        let tamper = |layer: &Digest, tar: Vec<u8>| match Some(*layer) == honest.layer {
            true => edited(&tar, |entries| entries.push(TarEntry::file(hidden, b""))),
            false => tar,
        };
        for with_folders in [true, false] {
            let check = copy(&checks_of_edited(&case, build, &chains, with_folders, &tamper));
            assert_eq!(check.verdict.name(), "mismatch", "{hidden}: {}", shown(&check));
        }
    }
}

#[test]
fn files_are_not_planted_where_a_wildcard_has_matched_nothing_that_is_known() {
    let case = WhyCase::load("content-honest-wildcards");
    let build = &read_builds(&case.provenance()).unwrap()[0];
    let chains = case.chains();
    for line in [2, 3, 4, 5] {
        let copy = |checks: &ContentChecks| {
            checks.checks.iter().find(|check| check.line == Some(line)).unwrap().clone()
        };
        let honest = copy(&checks_of(&case, build, &chains, true));
        let dest = ["md", "d", "c", "flat"][line - 2];
        let tamper = |layer: &Digest, tar: Vec<u8>| match Some(*layer) == honest.layer {
            true => edited(&tar, |entries| entries.push(TarEntry::file(&format!("{dest}/evil"), b"x"))),
            false => tar,
        };
        let check = copy(&checks_of_edited(&case, build, &chains, true, &tamper));
        assert_eq!(check.verdict.name(), "mismatch", "{}", shown(&check));
        let check = copy(&checks_of_edited(&case, build, &chains, false, &tamper));
        assert_ne!(check.verdict.name(), "sound", "{}", shown(&check));
    }
}

#[test]
fn a_result_on_other_layers_than_those_of_its_input_is_found() {
    let mut changed = 0;
    for (name, line) in [("content-honest-modes", 4), ("content-honest-link-parents", 5), ("web", 10)] {
        let case = WhyCase::load(name);
        let build = &read_builds(&case.provenance()).unwrap()[0];
        let copy = |checks: &ContentChecks| {
            checks.checks.iter().find(|check| check.line == Some(line)).unwrap().clone()
        };
        let layer = copy(&checks_of(&case, build, &case.chains(), true)).layer.unwrap();
        for parent in [0, 1, -1] {
            let chains = case.chains_of_edited_config(|config| {
                let layers = config["layers"].as_array_mut().unwrap();
                let own: Vec<usize> =
                    (0..layers.len()).filter(|n| layers[*n]["blob"] == layer.to_string()).collect();
                // Of a copy on nothing, the layer on the image.
                layers[*own.last().unwrap()]["parent"] = parent.into();
            });
            let Some(chains) = chains else { continue };
            let check = copy(&checks_of(&case, build, &chains, true));
            let is_found = check.verdict.name() == "mismatch";
            assert!(is_found, "{name}, parent {parent}: {}", shown(&check));
            changed += 1;
        }
    }
    assert!(changed >= 7, "{changed}");
}

#[test]
fn a_layer_that_cannot_be_read_does_not_escape_its_check() {
    let case = WhyCase::load("content-honest-modes");
    let build = &read_builds(&case.provenance()).unwrap()[0];
    let chains = case.chains();
    let graph = chains.graph().unwrap();
    let layers = HashMap::new();
    let mut checks = content_checks(&BuildInputs::new(build), &Cache::new(&graph, &layers));
    assert!(checks.checks.iter().all(|check| check.verdict.name() == "unknown"), "nothing was read");
    let layer = checks.checks[0].layer.unwrap();
    checks.mark_unreadable([&layer]);
    let verdicts: Vec<&str> = checks.checks.iter().map(|check| check.verdict.name()).collect();
    assert_eq!(verdicts, ["mismatch", "unknown", "unknown", "unknown"]);
    assert!(shown(&checks.checks[0]).ends_with("mismatch [\"unreadable \"]"), "{}", shown(&checks.checks[0]));
}
