//! Other programs read the caches that this project writes. A missing program skips its test; with
//! `BKCACHE_REQUIRE_PEERS` set it fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::process::Command;

use cache_export::{Destination, ExistingCache, export, republish};
use cache_format::Form;
use cache_import::open;
use cache_ingest::{Expect, Job, LayoutOptions, LayoutStore, Name};
use cache_model::Rule;
use cache_verify::{VerifyOptions, verify};
use test_registries::has_program;
use tests::{fixture, manifest, standalone_fixtures};

fn skopeo(args: &[&str]) {
    let output = Command::new("skopeo").arg("--insecure-policy").args(args).output().unwrap();
    assert!(output.status.success(), "skopeo {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Copies every fixture into a layout in manifest form, copies that with skopeo, and verifies the result.
#[tokio::test]
async fn skopeo_copies_a_cache_in_manifest_form_and_its_copy_verifies() {
    if !has_program("skopeo", "skopeo") {
        return;
    }
    for name in standalone_fixtures() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
        let source = LayoutStore::open(fixture(&name), LayoutOptions::default()).await.unwrap();
        let options = Job::default();
        let opened = open(&source, &Name::Unspecified, &options).await.unwrap();
        let imported = opened.import(&source, &options).await.unwrap();
        let existing = ExistingCache::new(
            &opened.descriptor,
            &opened.bytes,
            opened.manifest().unwrap(),
            &imported.caches[0].config_bytes,
        );
        let store = LayoutStore::open(&ours, LayoutOptions::create()).await.unwrap();
        let latest = Name::Tag("latest".into());
        let to = Destination::new(&store, &latest).with_expect(Expect::Absent).with_form(Form::Manifest);
        let exported = republish(&existing, &source, &to, &Job::default()).await.unwrap();

        let place = |path: &std::path::Path| format!("oci:{}:latest", path.display());
        skopeo(&["copy", &place(&ours), &place(&theirs)]);
        let copied = LayoutStore::open(&theirs, LayoutOptions::default()).await.unwrap();
        let report = verify(&copied, &latest, &VerifyOptions::default(), &Job::default()).await.unwrap();
        assert!(report.is_sound(), "{name}: {:?}", report.findings);
        assert_eq!(
            report.subject.digest,
            exported.manifest.unwrap().digest,
            "{name}: skopeo keeps the manifest"
        );
        if opened.manifest().unwrap().form == Form::Manifest {
            assert_eq!(report.subject.digest, manifest(&name).0, "{name}: the manifest is BuildKit's");
        }
    }
}

/// Skopeo copies a cache that was imported and exported again, too.
#[tokio::test]
async fn skopeo_copies_a_cache_that_was_exported_from_chains() {
    if !has_program("skopeo", "skopeo") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    let source = LayoutStore::open(fixture("inline-oci-true"), LayoutOptions::default()).await.unwrap();
    let options = Job::default();
    let opened = open(&source, &Name::Unspecified, &options).await.unwrap();
    let mut chains = opened.import(&source, &options).await.unwrap().into_chains().unwrap();
    chains.set_rule(Rule::Closed);
    let store = LayoutStore::open(&ours, LayoutOptions::create()).await.unwrap();
    let latest = Name::Tag("latest".into());
    let to = Destination::new(&store, &latest).with_expect(Expect::Absent);
    export(&chains, &source, &to, &Job::default()).await.unwrap();
    skopeo(&["copy", &format!("oci:{}:latest", ours.display()), &format!("oci:{}:latest", theirs.display())]);
    let copied = LayoutStore::open(&theirs, LayoutOptions::default()).await.unwrap();
    let report = verify(&copied, &latest, &VerifyOptions::default(), &Job::default()).await.unwrap();
    assert!(report.is_sound(), "{:?}", report.findings);
}
