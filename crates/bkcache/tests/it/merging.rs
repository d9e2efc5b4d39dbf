//! `bkcache merge`: what it writes, what it says, and what it leaves alone.

use std::fs;
use std::path::Path;

use crate::support::caches::{Caches, records};
use serde_json::{Value, json};

use crate::support::{Ran, bkcache, blob, copy_of, fixture, only_manifest, program, run, sha256};

const AMD64: &str = "app-max-manifest-oci-gzip";
const ARM64: &str = "platforms-2";
const DAY: &str = "1764288000";

fn path(name: &str) -> String {
    fixture(name).display().to_string()
}

fn merge(args: &[&str]) -> Ran {
    bkcache(["merge", "--progress", "none"].iter().chain(args))
}

/// Merges on the day of `DAY`.
fn merge_that_day(args: &[&str]) -> Ran {
    let mut command = program();
    command.args(["merge", "--progress", "none"]).args(args).env("SOURCE_DATE_EPOCH", DAY);
    run(&mut command, b"")
}

fn line<'a>(text: &'a str, part: &str) -> &'a str {
    text.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("no {part:?} in: {text}"))
}

#[test]
fn the_caches_of_a_matrix_become_one_that_is_sound_and_has_all_their_records() {
    let caches = Caches::new();
    let (amd64, arm64, to) = (path(AMD64), path(ARM64), caches.at("merged"));
    let printed = merge(&["--print-config", &amd64, &arm64]).ok();
    let merged = merge(&[&amd64, &arm64, &to]).ok().text();
    assert_eq!(bkcache(["config", &to]).ok().stdout, printed.stdout);
    let reversed = merge(&["--print-config", &arm64, &amd64]).ok();
    assert_eq!(reversed.stdout, printed.stdout, "the order does not matter");
    let verified = bkcache(["verify", &to]).ok().text();
    assert!(verified.contains(": sound"), "{verified}");
    let all = records(&to);
    for source in [&amd64, &arm64] {
        assert!(records(source).iter().all(|record| all.contains(record)), "{source}");
    }
    let manifest = only_manifest(&caches.folder("merged"));
    assert!(merged.starts_with(&format!("{to}:latest: {manifest}\n")), "{merged}");
    let holds = line(&merged, " of 2 caches");
    assert!(holds.starts_with(&format!("{} records, ", all.len())), "{holds}");
}

#[test]
fn merging_again_changes_nothing() {
    let caches = Caches::new();
    let (a, b, to) = (path(AMD64), path(ARM64), caches.at("merged"));
    merge(&[&a, &b, &to]).ok();
    let before = only_manifest(&caches.folder("merged"));
    for sources in [vec![&a, &b, &a], vec![&to], vec![&to, &b], vec![&b, &to, &a]] {
        let args: Vec<&str> = sources.iter().map(|source| source.as_str()).chain([to.as_str()]).collect();
        let again = merge(&args).ok().text();
        assert_eq!(only_manifest(&caches.folder("merged")), before, "{args:?}: {again}");
    }
}

#[test]
fn two_runs_are_not_mixed_and_the_summary_says_who_won_and_who_lost() {
    let caches = Caches::new();
    let (a, b, to) = (caches.export_run("a", 1), caches.export_run("b", 2), caches.at("merged"));
    let merged = merge(&["-v", &a, &b, &to]).ok();
    let text = merged.text();
    assert!(line(&text, " contested: ").contains(&format!("won by {b}")), "{text}");
    assert!(line(&text, &format!("{a} lost ")).contains(" of 3 results"), "{text}");
    assert!(!text.contains(&format!("{b} lost ")), "{text}");
    let detail = line(&merged.stderr, "record build: ");
    assert!(detail.contains(&format!("{b} won, {a} lost; what clashes in {a} is left out")), "{detail}");
    let copies = |place: &str| records(place).iter().filter(|record| record.starts_with("copy ")).count();
    assert_eq!(copies(&to), 4, "the copies of each run stay, apart");
    // Run a no longer has a way from the build to its copies.
    let config = merge(&["--print-config", &a, &b]).ok().json();
    let from_build = |record: &Value| record.to_string().contains(r#""selector":"/page""#);
    assert_eq!(config["records"].as_array().unwrap().iter().filter(|record| from_build(record)).count(), 1);

    let summary = merge(&["--json", "--dry-run", &a, &b, &caches.at("other")]).ok().json();
    let build =
        &summary["contested"].as_array().unwrap().iter().find(|one| one["record"] == "build").unwrap();
    assert_eq!((&build["winner"], &build["losers"], &build["cut"]), (&json!(1), &json!([0]), &json!([0])));
    assert_eq!(summary["sources"][0]["source"], json!(a));
    assert!(summary["lost"][0].as_u64().unwrap() > 0 && summary["lost"][1] == 0, "{summary}");
}

#[test]
fn the_first_source_wins_on_request_and_all_results_can_be_kept() {
    let caches = Caches::new();
    let (a, b, to) = (caches.export_run("a", 1), caches.export_run("b", 2), caches.at("merged"));
    let first = merge(&["--prefer", "first", &a, &b, &to]).ok().text();
    assert!(line(&first, " contested: ").contains(&format!("won by {a}")), "{first}");
    assert!(line(&first, &format!("{b} lost ")).contains(" of 3 results"), "{first}");
    let all = merge(&["--keep-all", &a, &b, &to]).ok().text();
    assert!(!all.contains(" lost "), "{all}");
    let copies = records(&to).iter().filter(|record| record.starts_with("copy ")).count();
    assert_eq!(copies, 2, "the copies of both runs are one record each");
}

#[test]
fn a_dry_run_says_what_a_run_does_and_writes_nothing() {
    let caches = Caches::new();
    let (a, b, to) = (path(AMD64), path(ARM64), caches.at("merged"));
    let note = ["--annotation", "note=merged"];
    let planned = merge(&[&["--dry-run", &a, &b, &to], &note[..]].concat()).ok().text();
    let as_json = merge(&[&["--dry-run", "--json", &a, &b, &to], &note[..]].concat()).ok().json();
    assert!(!caches.folder("merged").exists());
    let done = merge(&[&[a.as_str(), &b, &to], &note[..]].concat()).ok().text();
    let expected = done.replacen('\n', " (dry run)\n", 1).replace(" written", " to write");
    assert_eq!(planned, expected);
    let manifest = only_manifest(&caches.folder("merged"));
    assert_eq!((&as_json["manifest"]["digest"], &as_json["dryRun"]), (&json!(manifest), &json!(true)));

    // Into a folder that has it all, and into one with another cache.
    let again = merge(&[&["--dry-run", "--json", &a, &b, &to], &note[..]].concat()).ok().json();
    assert_eq!((&again["written"]["blobs"], &again["replaced"]), (&json!(0), &json!(null)));
    let there = copy_of(AMD64, &caches.folder("there")).display().to_string();
    let before = fs::read(caches.folder("there").join("index.json")).unwrap();
    let replacing = merge(&["--dry-run", "--json", &a, &b, &there]).ok().json();
    assert_eq!(replacing["replaced"], json!(only_manifest(&fixture(AMD64))));
    assert_eq!(replacing["alreadyThere"]["blobs"], json!(10));
    assert_eq!(fs::read(caches.folder("there").join("index.json")).unwrap(), before);
}

#[test]
fn the_summary_as_json_has_the_figures_of_the_sources_and_of_the_result() {
    let caches = Caches::new();
    let (a, b, to) = (caches.export_step("a", "one"), caches.export_step("b", "three"), caches.at("to"));
    let metadata = caches.at("metadata");
    let summary = merge(&["--json", "--metadata-file", &metadata, &a, &b, &to]).ok().json();
    let counts =
        |blobs: u64, bytes: u64| json!({"records": blobs, "results": blobs, "blobs": blobs, "bytes": bytes});
    let mut one = counts(1, 3);
    one["source"] = json!(a);
    assert_eq!(summary["sources"][0], one);
    assert_eq!(summary["result"], counts(2, 8));
    assert_eq!(summary["written"], json!({"blobs": 2, "bytes": 8}));
    assert_eq!((&summary["attempts"], &summary["dryRun"]), (&json!(1), &json!(false)));
    let written: Value = serde_json::from_slice(&fs::read(metadata).unwrap()).unwrap();
    let manifest: Value = serde_json::from_str(written["cache.manifest"].as_str().unwrap()).unwrap();
    assert_eq!(manifest["digest"], summary["manifest"]["digest"]);
}

#[test]
fn the_form_is_that_of_the_sources_unless_another_is_asked_for() {
    let caches = Caches::new();
    let (manifest, index) = (path(AMD64), path("app-max-index-oci-gzip"));
    let form = |args: &[&str]| {
        let to = caches.at("to");
        merge(&[args, &[&to]].concat()).ok();
        bkcache(["inspect", "--json", &to]).ok().json()["caches"][0]["form"].clone()
    };
    assert_eq!(form(&[&index, &index]), "index");
    assert_eq!(form(&[&index, &manifest]), "manifest");
    assert_eq!(form(&["--form", "docker", &index, &manifest]), "docker");
    assert_eq!(form(&["--append", &manifest]), "docker", "that of the destination");
}

#[test]
fn an_index_of_images_with_a_cache_inside_each_is_one_source() {
    let caches = Caches::new();
    let images = ["inline-oci-true", "inline-oci-false"];
    let layout = copy_of(images[0], &caches.folder("images"));
    let other = copy_of(images[1], &caches.folder("other"));
    let entry = |layout: &Path| -> Value {
        let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
        index["manifests"][0].clone()
    };
    for file in fs::read_dir(other.join("blobs/sha256")).unwrap().map(|file| file.unwrap()) {
        fs::copy(file.path(), layout.join("blobs/sha256").join(file.file_name())).unwrap();
    }
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry(&layout), entry(&other)],
    });
    let bytes = index.to_string();
    fs::write(blob(&layout, &sha256(bytes.as_bytes())), &bytes).unwrap();
    let named = format!("{}@{}", layout.display(), sha256(bytes.as_bytes()));
    let both: Vec<String> = images.iter().map(|image| path(image)).collect();
    let apart = merge(&["--print-config", &both[0], &both[1]]).ok().stdout;
    assert_eq!(merge(&["--print-config", &named]).ok().stdout, apart);
    let summary = merge(&["--json", &named, &path(AMD64), &caches.at("to")]).ok().json();
    assert_eq!(summary["sources"].as_array().unwrap().len(), 2);
}

#[test]
fn an_image_is_appended_to_in_the_form_inline_and_keeps_every_record() {
    let caches = Caches::new();
    let (a, b, c, to) = (path(AMD64), path(ARM64), path("changed-source"), caches.at("to"));
    let printed = |sources: &[&str]| merge(&[&["--print-config"], sources].concat()).ok().stdout;
    merge(&["--form", "inline", &a, &b, &to]).ok();
    assert_eq!(printed(&[&to]), printed(&[&a, &b]));
    merge(&["--append", "--form", "inline", &c, &to]).ok();
    assert_eq!(printed(&[&to]), printed(&[&a, &b, &c]));
    let inspected = bkcache(["inspect", &to]).ok().text();
    assert!(inspected.contains("inline (application/vnd.oci.image.manifest.v1+json)"), "{inspected}");
}

#[test]
fn a_blob_that_its_source_lacks_is_taken_from_another_source() {
    let caches = Caches::new();
    let whole = path(AMD64);
    let broken = copy_of(AMD64, &caches.folder("broken"));
    let layers = bkcache(["inspect", "--json", &whole]).ok().json()["caches"][0]["layers"].clone();
    let digest = layers[0]["blob"].as_str().unwrap();
    fs::remove_file(blob(&broken, digest)).unwrap();
    let broken = broken.display().to_string();
    let merged = merge(&[&broken, &whole, &caches.at("to")]).ok();
    assert_eq!(merged.stderr, "");
    bkcache(["verify", &caches.at("to")]).ok();

    // Where no source has it, its results are left out.
    let alone = merge(&[&broken, &caches.at("alone")]).ok();
    assert!(alone.stderr.contains(&format!("needs blob {digest}, which is missing")), "{}", alone.stderr);
    let advice = format!("`bkcache repair --in-place {broken}` keeps the results that are complete");
    assert!(line(&alone.stderr, "missing or damaged in").contains(&advice), "{}", alone.stderr);
    bkcache(["verify", &caches.at("alone")]).ok();
}

#[test]
fn a_blob_that_is_damaged_in_one_source_is_taken_from_another_and_repaired_in_the_destination() {
    let caches = Caches::new();
    let whole = path(AMD64);
    let broken = copy_of(AMD64, &caches.folder("broken"));
    let layers = bkcache(["inspect", "--json", &whole]).ok().json()["caches"][0]["layers"].clone();
    let damaged = blob(&broken, layers[0]["blob"].as_str().unwrap());
    let content = fs::read(&damaged).unwrap();
    fs::remove_file(&damaged).unwrap();
    fs::write(&damaged, vec![0; content.len()]).unwrap();
    let broken = broken.display().to_string();
    for sources in [[&broken, &whole], [&whole, &broken]] {
        let merged = merge(&[sources[0], sources[1], &caches.at("to")]).ok();
        assert_eq!(merged.stderr, "");
        bkcache(["verify", &caches.at("to")]).ok();
        fs::remove_dir_all(caches.folder("to")).unwrap();
    }

    // Where no source has it intact, the advice is to read all blobs.
    let alone = merge(&[&broken, &caches.at("alone")]).ok();
    let advice = format!("`bkcache repair --in-place --read {broken}`");
    assert!(line(&alone.stderr, "missing or damaged in").contains(&advice), "{}", alone.stderr);

    let appended = merge(&["--append", "--rehash", &whole, &broken]).ok();
    assert_eq!(appended.stderr, "");
    assert_eq!(fs::read(&damaged).unwrap(), content);
}

#[test]
fn appending_keeps_what_the_destination_has_and_marks_what_is_new() {
    let caches = Caches::new();
    let (a, b, to) = (caches.export_step("a", "one"), caches.export_step("b", "two"), caches.at("to:cache"));
    let first = merge_that_day(&["--append", &a, &to]).ok().text();
    assert!(!first.contains("pointed at"), "{first}");
    let used = |place: &str| -> Vec<(String, Value)> {
        let manifest = bkcache(["manifest", place]).ok().json();
        let layer = |layer: &Value| {
            (layer["digest"].as_str().unwrap().to_owned(), layer["annotations"]["bkcache/used"].clone())
        };
        let mut used: Vec<_> = manifest["layers"].as_array().unwrap().iter().map(layer).collect();
        used.sort_by(|one, other| one.0.cmp(&other.0));
        used
    };
    let (one, two) = (sha256(b"one"), sha256(b"two"));
    assert_eq!(used(&to), [(one.clone(), json!("2025-11-28"))]);
    let digest = |place: &str| bkcache(["manifest", place]).ok().stdout;
    let before = digest(&to);
    let again = merge_that_day(&["--append", &a, &to]).ok();
    assert_eq!(digest(&to), before, "nothing changes within the day: {}", again.text());

    let mut later = program();
    later.args(["merge", "--progress", "none", "--append", &b, &to]).env("SOURCE_DATE_EPOCH", "1764374400");
    let replaced = run(&mut later, b"").ok().text();
    assert!(replaced.contains(&format!("{to} pointed at {} before\n", sha256(&before))), "{replaced}");
    let mut expected = [(one, json!("2025-11-28")), (two, json!("2025-11-29"))];
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(used(&to), expected, "the mark of the old layer stays");
    assert_eq!(records(&to), ["one", "two"]);
    // A merge without --append keeps marks, and sets none.
    merge(&[&to, &a, &caches.at("other")]).ok();
    assert_eq!(used(&caches.at("other")), expected);
}

#[test]
fn the_destination_is_the_first_source_of_those_that_are_appended() {
    let caches = Caches::new();
    let (a, b) = (caches.export_run("a", 1), caches.export_run("b", 2));
    let preferred = merge(&["--append", "--prefer", "first", &b, &a]).ok().text();
    assert!(line(&preferred, " contested: ").contains(&format!("won by {a}")), "{preferred}");
}

#[test]
fn a_destination_may_be_one_of_the_sources() {
    let caches = Caches::new();
    let (a, b) = (caches.export_step("a", "one"), caches.export_step("b", "two"));
    let before = only_manifest(&caches.folder("a"));
    let text = merge(&[&a, &b, &a]).ok().text();
    assert_eq!(records(&a), ["one", "two"]);
    assert!(
        text.ends_with(&format!("{a}:latest pointed at {before} before\n")) || text.contains(&before),
        "{text}"
    );
    bkcache(["verify", &a]).ok();
}

#[test]
fn what_cannot_be_merged_is_one_line_and_nothing_is_lost() {
    let caches = Caches::new();
    let (a, b, to) = (caches.export_step("a", "one"), caches.export_step("b", "two"), caches.at("to"));
    let fails = |code: i32, args: &[&str], expected: &str| {
        let ran = merge(args);
        assert_eq!((ran.code, ran.text().as_str()), (code, ""), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stderr, format!("bkcache: {expected}\n"), "{args:?}");
    };
    let only = "is the only cache given; name the sources and then the destination, or use --print-config";
    fails(2, &[&a], &format!("nothing to merge: {a} {only}"));
    fails(2, &["--append", &a], &format!("nothing to merge: {a} {only}"));

    fs::create_dir(caches.folder("plain")).unwrap();
    let plain = caches.at("plain");
    let ran = merge(&[&a, &plain, &to]);
    assert!(
        ran.stderr.starts_with(&format!("bkcache: cannot open {plain}: it is not an OCI layout")),
        "{}",
        ran.stderr
    );
    assert_eq!((ran.code, ran.stderr.lines().count()), (1, 1));
    assert!(!caches.folder("to").exists(), "a source that cannot be read makes no folder");

    // Two caches that disagree about the size of a blob.
    let mut layer = caches.layer("one");
    layer["size"] = json!(4);
    let lying = caches.folder("lying");
    fs::create_dir(&lying).unwrap();
    fs::write(lying.join(layer["digest"].as_str().unwrap()), "four").unwrap();
    let result = json!({"createdAt": "2026-01-02T03:04:05Z", "layers": [layer]});
    let record = json!({"digest": "one", "results": [result]}).to_string();
    let c = caches.folder("c");
    write_cache(&c, &record, &layer);
    let c = c.display().to_string();
    let digest = sha256(b"one");
    fails(
        1,
        &[&a, &c, &to],
        &format!(
            "the caches contradict each other: blob {digest} has 3 bytes in {a} and 4 bytes in {c}; `bkcache verify` says which of them is wrong"
        ),
    );
    assert!(!caches.folder("to").exists());

    let image = format!("{}:inline", copy_of("inline-oci-true", &caches.folder("image")).display());
    let before = only_manifest(&caches.folder("image"));
    fails(
        1,
        &["--append", &a, &image],
        &format!(
            "cannot write to {image}: it is an image with a cache inside, and the new cache would replace the image; name another tag, or say with --form what to write"
        ),
    );
    assert_eq!(only_manifest(&caches.folder("image")), before);
    merge(&["--append", "--form", "manifest", &a, &image]).ok();

    let mut bad = program();
    bad.args(["merge", "--append", &a, &b]).env("SOURCE_DATE_EPOCH", "today");
    let bad = run(&mut bad, b"");
    assert_eq!((bad.code, records(&b)), (2, vec!["two".to_owned()]), "{}", bad.stderr);
    let both = merge(&["--json", "--metadata-file", "-", &a, &b, &to]);
    assert_eq!(both.code, 2);
    assert!(
        both.stderr.contains("--json and --metadata-file - both write to standard output"),
        "{}",
        both.stderr
    );
}

#[test]
fn a_cache_that_buildkit_will_not_import_is_warned_of_with_the_ways_out() {
    let caches = Caches::new();
    let large = |name: &str| {
        let result = json!([{"createdAt": "2026-01-02T03:04:05Z", "layers": [caches.layer("a layer")]}]);
        let record =
            |n: u32| json!({"digest": format!("{name} {n} {}", "x".repeat(1000)), "results": result});
        caches.export(name, &(0..600).map(record).collect::<Vec<_>>())
    };
    let (a, b) = (large("a"), large("b"));
    for more in [&[][..], &["--dry-run"]] {
        let merged = merge(&[&[a.as_str(), &b, &caches.at("to")], more].concat()).ok();
        let size = merge(&["--print-config", &a, &b]).ok().stdout.len();
        let thousands = format!("{},{:03},{:03}", size / 1_000_000, size / 1000 % 1000, size % 1000);
        let warning = format!(
            "warning: the config has {thousands} bytes, and BuildKit imports at most 1,048,576; `bkcache prune --fit 1MiB` makes it fit, and `--form inline` has no such limit\n"
        );
        assert_eq!(merged.stderr, warning);
    }
}

/// A layout with a cache of one record, whose manifest has the descriptor of a layer as it is given.
fn write_cache(layout: &Path, record: &str, layer: &Value) {
    let record: Value = serde_json::from_str(record).unwrap();
    let config = json!({
        "layers": [{"blob": layer["digest"], "parent": -1}],
        "records": [{
            "layers": [{"layer": 0, "createdAt": record["results"][0]["createdAt"]}], "digest": record["digest"],
        }],
    });
    fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
    let put = |bytes: &[u8]| {
        let digest = sha256(bytes);
        fs::write(blob(layout, &digest), bytes).unwrap();
        digest
    };
    let config = config.to_string();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.buildkit.cacheconfig.v0", "digest": put(config.as_bytes()), "size": config.len(),
        },
        "layers": [layer],
    })
    .to_string();
    let entry = json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": put(manifest.as_bytes()),
        "size": manifest.len(), "annotations": {"org.opencontainers.image.ref.name": "latest"},
    });
    fs::write(layout.join("index.json"), json!({"schemaVersion": 2, "manifests": [entry]}).to_string())
        .unwrap();
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}
