//! Any bytes as a build record: they give builds in which everything refers to a step, or an error on one line. Every step of
//! such a build says what its key is, or why it has none.
//!
//! The first byte chooses: the bytes as they are, three parts as the documents of an archive whose digests are right, as a
//! fuzzer finds no digest by itself, or the bytes as a label, which is the same when it is written and read again.

use cache_explain::{Build, Dictionary, Instructions};
use cache_inputs::{Label, read_builds};
use cache_model::{Descriptor, MediaType};

use crate::check::assert_one_line;

/// The byte between two parts of an archive, which no UTF-8 has.
const SEPARATOR: u8 = 0xff;
/// The texts in the record of an archive that its digests replace.
const NAMES: [&str; 2] = ["LOG", "PROVENANCE"];

/// Runs the target on some bytes.
pub fn run(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let archived;
    let record = match first % 3 {
        0 => rest,
        2 => return run_label(rest),
        _ => {
            archived = archive(rest);
            &archived
        }
    };
    match read_builds(record) {
        Ok(builds) => {
            assert!(!builds.is_empty());
            builds.iter().for_each(check);
            assert_eq!(read_builds(record).expect("it was read before"), builds);
        }
        Err(error) => assert_one_line(&error),
    }
}

fn run_label(bytes: &[u8]) {
    match Label::read(bytes) {
        Ok(label) => {
            label.builds.iter().for_each(check);
            let text = label.text(&Dictionary::default());
            let again = Label::read(&text).expect("a label that was written");
            // Why a step is not known is lost. Nothing else is.
            assert_eq!(again.builds.len(), label.builds.len());
            assert_eq!(again.text(&Dictionary::default()), text);
        }
        Err(error) => assert_one_line(&error),
    }
}

fn check(build: &Build) {
    let steps = build.definition.steps();
    assert_eq!(build.locations.len(), steps.len());
    let timed = build.durations.keys().chain(&build.cached).chain(build.vertices.values());
    let placed = build.layers.keys().map(|output| &output.step);
    assert!(timed.chain(placed).all(|step| *step < steps.len()));
    // A location may name a source that the record does not have.
    let instructions = Instructions::of(build);
    for (position, step) in steps.iter().enumerate() {
        assert!(instructions.line(position).is_none() || !build.locations[position].is_empty());
        assert_eq!(step.deps().len(), step.inputs.len());
        assert!(step.inputs.iter().all(|input| input.step < position));
        if let Ok(key) = step.key(&build.platform) {
            assert!(!key.fields().is_empty());
        }
    }
}

/// An archive of a record, a log and provenance.
fn archive(parts: &[u8]) -> Vec<u8> {
    let mut parts = parts.splitn(3, |byte| *byte == SEPARATOR);
    let mut part = || parts.next().unwrap_or_default().to_vec();
    let (record, provenance, log) = (part(), part(), part());
    let blob = |kind: &str, bytes: &[u8]| Descriptor::of(MediaType::new(kind), bytes);
    let log_blob = blob("application/vnd.buildkit.status.v0", &log);
    let provenance_blob = blob("application/vnd.in-toto+json", &provenance);
    let mut record = String::from_utf8_lossy(&record).into_owned();
    for (name, blob) in NAMES.iter().zip([&log_blob, &provenance_blob]) {
        record = record.replace(name, &blob.digest.to_string());
    }
    let record = record.into_bytes();
    let record_blob = blob("application/vnd.buildkit.historyrecord.v0", &record);
    let json = |blob: &Descriptor| String::from_utf8_lossy(&blob.json()).into_owned();
    let layers = format!("{},{}", json(&log_blob), json(&provenance_blob));
    let manifest =
        format!(r#"{{"schemaVersion":2,"config":{},"layers":[{layers}]}}"#, json(&record_blob)).into_bytes();
    let manifest_blob = blob(MediaType::OCI_MANIFEST.as_str(), &manifest);
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, json(&manifest_blob)).into_bytes();
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, path, bytes).expect("a tar in memory");
    };
    add("index.json", &index);
    for (blob, bytes) in [
        (&record_blob, &record),
        (&log_blob, &log),
        (&provenance_blob, &provenance),
        (&manifest_blob, &manifest),
    ] {
        add(&format!("blobs/sha256/{}", blob.digest.hex()), bytes);
    }
    tar.into_inner().expect("a tar in memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_for_an_archive_is_read_to_the_end_of_its_log() {
        let seed = include_bytes!("../../corpus/build_record/seed-05");
        let builds = read_builds(&archive(&seed[1..])).unwrap();
        assert_eq!(builds[0].durations.len(), 1);
        assert_eq!(builds[0].cached.len(), 1);
        assert_eq!(builds[0].base_diff_ids.len(), 1);
    }
}
