//! A build record says the same in every form: what `buildx history export` writes is the provenance, and the log beside it.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{Read, Write};
use std::time::Duration;

use cache_explain::Build;
use cache_inputs::{RecordError, read_builds};
use cache_keys::Op;
use cache_model::Digest;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tests::why::WhyCase;

/// A file that `buildx history export` has written, as files.
struct Archive(BTreeMap<String, Vec<u8>>);

impl Archive {
    fn read(bytes: &[u8]) -> Self {
        let mut tar = tar::Archive::new(GzDecoder::new(bytes));
        let mut files = BTreeMap::new();
        for entry in tar.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            if entry.header().entry_type().is_file() {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).unwrap();
                files.insert(path, bytes);
            }
        }
        Self(files)
    }

    fn of(case: &WhyCase) -> Self {
        Self::read(&case.dockerbuild().unwrap())
    }

    fn write(&self) -> Vec<u8> {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, bytes) in &self.0 {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, path, &bytes[..]).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn builds(&self) -> Result<Vec<Build>, RecordError> {
        read_builds(&self.write())
    }

    fn failure(&self) -> String {
        self.builds().unwrap_err().to_string()
    }

    fn index(&self) -> Value {
        serde_json::from_slice(&self.0["index.json"]).unwrap()
    }

    fn json(&self, digest: &Value) -> Value {
        serde_json::from_slice(&self.0[&blob(digest.as_str().unwrap())]).unwrap()
    }

    /// The manifest of the only record.
    fn manifest(&self) -> Value {
        self.json(&self.index()["manifests"][0]["digest"])
    }

    /// Adds a document, and gives its descriptor.
    fn add(&mut self, media_type: &str, document: &Value) -> Value {
        let bytes = document.to_string().into_bytes();
        let (digest, size) = (Digest::of(&bytes).to_string(), bytes.len());
        self.0.insert(blob(&digest), bytes);
        json!({"mediaType": media_type, "digest": digest, "size": size})
    }

    /// Makes these the entries of `index.json`.
    fn name(&mut self, entries: &[Value]) {
        self.0.insert(
            "index.json".to_owned(),
            json!({"schemaVersion": 2, "manifests": entries}).to_string().into(),
        );
    }

    /// Changes the manifest of the only record, and the entry of the history in it.
    fn change(&mut self, change: impl FnOnce(&mut Value, &mut Value)) {
        let mut manifest = self.manifest();
        let mut record = self.json(&manifest["config"]["digest"]);
        change(&mut manifest, &mut record);
        manifest["config"] = self.add(RECORD, &record);
        let manifest = self.add(MANIFEST, &manifest);
        self.name(&[manifest]);
    }
}

const RECORD: &str = "application/vnd.buildkit.historyrecord.v0";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

/// The builds that have both forms, with the number of them that are expected.
fn cases() -> Vec<WhyCase> {
    let cases: Vec<_> = WhyCase::all().into_iter().filter(|case| case.dockerbuild().is_some()).collect();
    assert_eq!(cases.len(), 41);
    cases
}

/// The build without that which the provenance alone does not say.
fn without_log(mut build: Build) -> Build {
    build.durations.clear();
    build.cached.clear();
    build.base_diff_ids.clear();
    build
}

#[test]
fn an_exported_record_is_its_provenance_with_a_log() {
    for case in cases() {
        let exported = read_builds(&case.dockerbuild().unwrap()).unwrap();
        let provenance = read_builds(&case.provenance()).unwrap();
        let exported: Vec<Build> = exported.into_iter().map(without_log).collect();
        assert_eq!(exported, provenance, "{}", case.name);
    }
}

/// On a builder that starts empty, each step but the last ran once and took some time, and none was cached.
#[test]
fn the_log_of_an_exported_record_says_how_long_each_step_ran() {
    for case in cases().iter().filter(|case| case.name != "shared-new") {
        for build in read_builds(&case.dockerbuild().unwrap()).unwrap() {
            let steps = build.definition.steps().iter().enumerate();
            let ran = steps.filter(|(_, step)| step.op != Op::End).map(|(position, _)| position);
            let known: BTreeSet<usize> = build.durations.keys().copied().collect();
            assert_eq!(known, ran.collect(), "{}", case.name);
            for duration in build.durations.values() {
                assert!(*duration > Duration::ZERO && *duration < Duration::from_secs(10), "{duration:?}");
            }
            assert_eq!(build.cached, BTreeSet::new(), "{}", case.name);
        }
    }
}

/// The base of the last stage is an image, whose layers the provenance lists and whose diff IDs the cache has; or it is nothing.
#[test]
fn the_diff_ids_of_the_base_are_those_of_its_layers() {
    let mut with_base = 0;
    for case in cases() {
        let chains = case.chains();
        let graph = chains.graph().unwrap();
        let diff_ids: HashMap<Digest, Digest> =
            graph.blobs().filter_map(|layer| Some((layer.digest, layer.diff_id()?))).collect();
        for build in read_builds(&case.dockerbuild().unwrap()).unwrap() {
            if build.base_diff_ids.is_empty() {
                continue;
            }
            with_base += 1;
            let is_image = |step: usize| matches!(build.definition.steps()[step].op, Op::Source(_));
            let images = build.layers.iter().filter(|(output, _)| is_image(output.step));
            let mut lists = images.flat_map(|(_, lists)| lists).map(|layers| {
                layers.iter().map(|layer| diff_ids.get(&layer.digest).copied()).collect::<Option<Vec<_>>>()
            });
            assert!(lists.any(|ids| ids.as_ref() == Some(&build.base_diff_ids)), "{}", case.name);
        }
    }
    assert_eq!(with_base, 26);
}

#[test]
fn a_file_with_several_records_has_the_builds_of_all() {
    let cases = ["plat-two", "web"].map(WhyCase::load);
    let mut all = Archive(BTreeMap::new());
    let mut entries = Vec::new();
    for case in &cases {
        let one = Archive::of(case);
        let mut entry = one.index()["manifests"][0].clone();
        entry["annotations"] = json!({"vnd.buildkit.history.reference": case.name});
        entries.push(entry);
        all.0.extend(one.0);
    }
    let expected: Vec<Build> =
        cases.iter().flat_map(|case| read_builds(&case.dockerbuild().unwrap()).unwrap()).collect();
    let index = all.add(INDEX, &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}));
    all.name(std::slice::from_ref(&index));
    assert_eq!(all.builds().unwrap(), expected);
    // buildx names the index; other tools may name the records.
    all.name(&entries);
    assert_eq!(all.builds().unwrap(), expected);
    let mut nested = index;
    for _ in 0..5 {
        nested = all.add(INDEX, &json!({"schemaVersion": 2, "manifests": [nested]}));
    }
    all.name(&[nested]);
    assert_eq!(
        all.failure(),
        "the build record is damaged: its indexes stand within one another without end"
    );
}

#[test]
fn a_cached_step_is_known_and_a_log_that_is_absent_is_no_fault() {
    let case = WhyCase::load("web");
    let mut archive = Archive::of(&case);
    let vertex =
        read_builds(&case.provenance()).unwrap()[0].vertices.iter().next().map(|(v, s)| (*v, *s)).unwrap();
    let digest = vertex.0.to_string();
    let mention = [&[0x0a, 71][..], digest.as_bytes(), &[0x20, 1]].concat();
    let message = [&[0x0a, u8::try_from(mention.len()).unwrap()][..], &mention].concat();
    let log = [&u32::try_from(message.len()).unwrap().to_le_bytes()[..], &message].concat();
    let log_digest = Digest::of(&log).to_string();
    archive.0.insert(blob(&log_digest), log.clone());
    archive.change(|manifest, record| {
        manifest["layers"][1]["digest"] = json!(log_digest);
        manifest["layers"][1]["size"] = json!(log.len());
        record["logs"]["digest"] = json!(log_digest);
    });
    let build = archive.builds().unwrap().remove(0);
    assert_eq!(build.cached, BTreeSet::from([vertex.1]));
    assert_eq!(build.durations, BTreeMap::new());
    archive.change(|_, record| record["logs"] = Value::Null);
    assert_eq!(archive.builds().unwrap()[0].cached, BTreeSet::new());
}

/// Only failures that a user can meet: a record of a failed build, another archive, a file that was changed.
#[test]
fn an_archive_that_holds_no_builds_says_why() {
    let whole = || Archive::of(&WhyCase::load("web"));
    let mut archive = whole();
    archive.change(|_, record| record["Result"] = Value::Null);
    assert_eq!(archive.failure(), "the build record has no provenance: the build failed too early");
    archive.change(|_, record| {
        record["Result"] = json!({"Attestations": [{"digest": "x", "annotations": null}]});
    });
    assert_eq!(archive.failure(), "the build record has no provenance: the build failed too early");

    let mut archive = whole();
    archive.change(|manifest, _| manifest["layers"] = json!([]));
    let log = whole().manifest()["layers"][1]["digest"].clone();
    assert_eq!(archive.failure(), format!("the build record is damaged: its manifest has no layer {log}"));

    let mut archive = whole();
    archive.change(|_, record| *record = json!({"Result": 1}));
    assert!(
        archive.failure().starts_with("the build record is damaged: the entry of the history: invalid type")
    );

    let mut archive = whole();
    archive.0.get_mut(&blob(log.as_str().unwrap())).unwrap()[3] ^= 1;
    assert!(archive.failure().contains("the blob has other content"), "{}", archive.failure());
    archive.0.remove(&blob(log.as_str().unwrap()));
    assert_eq!(
        archive.failure(),
        format!("the build record is damaged: it lacks the blob {}", log.as_str().unwrap())
    );

    let mut archive = whole();
    let provenance = archive.manifest()["layers"][2]["digest"].clone();
    archive.change(|manifest, record| {
        manifest["layers"][1]["digest"] = provenance.clone();
        manifest["layers"][1]["size"] = manifest["layers"][2]["size"].clone();
        record["logs"]["digest"] = provenance.clone();
    });
    let expected = format!("the build record is damaged: its log {}: ", provenance.as_str().unwrap());
    assert!(archive.failure().starts_with(&expected), "{}", archive.failure());

    let mut archive = whole();
    let image = archive.add(
        MANIFEST,
        &json!({"schemaVersion": 2, "config": {"mediaType": "x", "digest": log, "size": 1}, "layers": []}),
    );
    archive.name(&[image]);
    assert!(archive.failure().starts_with("this is no build record"), "{}", archive.failure());
    archive.0.insert("index.json".to_owned(), b"{}".to_vec());
    assert!(
        archive.failure().starts_with("the build record is damaged: manifest: "),
        "{}",
        archive.failure()
    );
}

/// The reader of the archive quotes what it does not understand.
#[test]
fn the_error_of_a_damaged_archive_has_one_line() {
    let mut plain = Vec::new();
    GzDecoder::new(&WhyCase::load("raw").dockerbuild().unwrap()[..]).read_to_end(&mut plain).unwrap();
    plain[148..156].copy_from_slice(b"a\nb\rc\nd\n");
    let error = read_builds(&plain).unwrap_err().to_string();
    assert!(error.starts_with("the build record is damaged: it is no tar that can be read: "), "{error}");
    assert!(!error.contains(['\n', '\r']), "{error:?}");
}

/// A damaged file is refused, wherever it is cut, and never read in part.
#[test]
fn an_exported_record_that_is_cut_short_is_refused() {
    let bytes = WhyCase::load("raw").dockerbuild().unwrap();
    for len in (3..bytes.len() - 600).step_by(97) {
        assert!(read_builds(&bytes[..len]).is_err(), "{len}");
    }
    let mut plain = Vec::new();
    GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
    assert_eq!(read_builds(&plain).unwrap(), read_builds(&bytes).unwrap());
    let mut damaged = GzEncoder::new(Vec::new(), Compression::fast());
    damaged.write_all(&plain[..plain.len() / 2]).unwrap();
    assert!(read_builds(&damaged.finish().unwrap()).is_err());
}
