//! The program on real caches: what it prints, and what it writes.

use serde_json::{Value, json};

use crate::support::{
    bkcache, bkcache_with_input, blob, fixture, only_manifest, program, run, sha256, standalone, vectors,
};

/// The outcome of a copy to a folder that has everything.
const ALL_THERE: &str =
    "1 manifest written; 10 blobs (16.17 KiB), 1 config already there (trusted; --rehash checks)";

fn path(name: &str) -> String {
    fixture(name).display().to_string()
}

const COMMANDS: [&str; 20] = [
    "ls",
    "inspect",
    "layers",
    "manifest",
    "config",
    "copy",
    "merge",
    "prune",
    "repair",
    "diff",
    "label",
    "why",
    "predict",
    "verify",
    "doctor",
    "export",
    "tag",
    "rm",
    "gc",
    "completions",
];

/// The help of a terminal with this number of columns.
fn help(columns: u16, args: &[&str]) -> String {
    run(program().args(args).env("COLUMNS", columns.to_string()), b"").ok().text()
}

#[test]
fn every_command_has_help_with_examples() {
    for command in COMMANDS {
        let help = help(80, &[command, "--help"]);
        assert!(help.contains("Example"), "{command}");
        insta::assert_snapshot!(format!("help_{command}"), help);
    }
    insta::assert_snapshot!("help", help(80, &["--help"]));
    insta::assert_snapshot!("help_copy_short", help(80, &["copy", "-h"]));
    assert!(bkcache(["--version"]).ok().text().starts_with("bkcache 0."));
}

#[test]
fn short_help_has_a_line_for_each_option_and_the_common_options_are_last() {
    for command in COMMANDS.into_iter().map(Some).chain([None]) {
        let of = |flag| help(80, &command.into_iter().chain([flag]).collect::<Vec<_>>());
        let (short, long) = (of("-h"), of("--help"));
        assert!(long.lines().count() > short.lines().count(), "{command:?}");
        for help in [&short, &long] {
            assert!(help.lines().all(|line| line.chars().count() <= 80), "{command:?}: {help}");
            let (_, after) = help.split_once("Common options:\n").unwrap();
            for heading in ["Arguments:\n", "Options:\n", "Registries:\n"] {
                assert!(!after.contains(heading), "{command:?}: {heading}");
            }
        }
        let (_, sections) = short.split_once("\n\n").unwrap();
        let lines = sections.lines().filter(|line| line.starts_with(' '));
        for line in lines {
            let (indented, _) = line.split_at(9);
            assert!(!indented.trim().is_empty(), "{command:?}: a help of two lines: {line}");
        }
    }
}

#[test]
fn help_wraps_at_any_width() {
    for columns in [40, 60, 100] {
        let help = help(columns, &["--help"]);
        let prose = help.split_once("Credentials come").unwrap().1;
        assert!(prose.lines().all(|line| line.chars().count() <= usize::from(columns)), "{columns}: {prose}");
    }
}

#[test]
fn bash_completes_values_and_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("complete"), bkcache(["completions", "bash"]).ok().stdout).unwrap();
    std::fs::write(folder.path().join("authority.pem"), "").unwrap();
    let script = r#"
        . ./complete
        compopt() { :; }
        line=("$@") COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        _bkcache bkcache "${line[-1]}" "${line[-2]}"
        echo "${COMPREPLY[@]}""#;
    let complete = |line: &[&str]| {
        let mut bash = std::process::Command::new("bash");
        bash.current_dir(folder.path()).args(["-c", script, "bash", "bkcache"]).args(line);
        run(&mut bash, b"").ok().text().trim_end().to_owned()
    };
    if std::process::Command::new("bash").arg("--version").output().is_err() {
        return;
    }
    assert_eq!(complete(&["copy", "--form", ""]), "manifest index docker inline");
    assert_eq!(complete(&["export", "--progress", ""]), "auto bar plain json none");
    assert_eq!(complete(&["ls", "--ca", "auth"]), "authority.pem");
    assert_eq!(complete(&["why", "--record", "auth"]), "authority.pem");
    assert_eq!(complete(&["why", "--was-c"]), "--was-context");
    let zsh = bkcache(["completions", "zsh"]).ok().text();
    for path in ["':source -- ", "':destination -- "] {
        assert!(zsh.lines().any(|line| line.contains(path) && line.contains("_files")), "{path}");
    }
}

#[test]
fn inspect_sums_a_cache_up() {
    for name in ["app-max-manifest-oci-gzip", "app-max-index-docker-uncompressed", "inline-oci-true"] {
        let ran = bkcache(["inspect", &path(name)]).ok();
        insta::assert_snapshot!(format!("inspect_{name}"), ran.shown(&fixture("")));
    }
}

#[test]
fn inspect_draws_the_records_as_a_tree() {
    for name in ["app-max-manifest-oci-gzip", "platforms-2"] {
        let ran = bkcache(["inspect", "--tree", &path(name)]).ok();
        insta::assert_snapshot!(format!("tree_{name}"), ran.text());
    }
    let deep = bkcache(["inspect", "--tree", &path("deep-100")]).ok().text();
    assert_eq!(deep.lines().count(), 104, "a line for each record, below the two of the legend");
    assert!(deep.lines().all(|line| line.chars().count() < 100), "a chain stays narrow");
}

#[test]
fn inspect_prints_everything_as_json() {
    for name in standalone() {
        let value = bkcache(["inspect", "--json", &path(&name)]).ok().json();
        let cache = &value["caches"][0];
        let config: Value = serde_json::from_slice(&bkcache(["config", &path(&name)]).ok().stdout).unwrap();
        assert_eq!(cache["records"].as_array().unwrap().len(), config["records"].as_array().unwrap().len());
        assert_eq!(cache["layers"].as_array().unwrap().len(), config["layers"].as_array().unwrap().len());
        assert_eq!(cache["counts"]["records"], cache["records"].as_array().unwrap().len());
        for (shown, stored) in
            cache["layers"].as_array().unwrap().iter().zip(config["layers"].as_array().unwrap())
        {
            // The config leaves out a parent that is 0, and has -1 for none.
            let parent = stored.get("parent").map_or(Some(0), |parent| parent.as_u64());
            assert_eq!((&shown["blob"], shown["parent"].as_u64()), (&stored["blob"], parent), "{name}");
        }
        for (shown, stored) in
            cache["records"].as_array().unwrap().iter().zip(config["records"].as_array().unwrap())
        {
            assert_eq!(
                shown["digest"], stored["digest"],
                "{name}: a record has the number that the config gives it"
            );
        }
        assert_eq!(value["warnings"], json!([]));
    }
}

#[test]
fn manifest_and_config_are_printed_to_the_byte() {
    for name in standalone() {
        let layout = fixture(&name);
        let digest = only_manifest(&layout);
        let manifest = bkcache(["manifest", &path(&name)]).ok().stdout;
        assert_eq!(manifest, std::fs::read(blob(&layout, &digest)).unwrap(), "{name}");
        let value = bkcache(["inspect", "--json", &path(&name)]).ok().json();
        let digest = value["caches"][0]["config"]["digest"].as_str().unwrap();
        let config = bkcache(["config", &path(&name)]).ok().stdout;
        assert_eq!(config, std::fs::read(blob(&layout, digest)).unwrap(), "{name}");
        let canonical = bkcache(["config", "--canonical", &path(&name)]).ok().stdout;
        if name == "matrix-two" {
            assert_eq!(
                sha256(&canonical),
                "sha256:708eb13b6c65e9dabffeb8d74457d96f79d43a9498c46b03522965e7c0a4de40"
            );
        } else {
            assert_eq!(canonical, config, "{name}");
        }
    }
}

#[test]
fn a_plain_copy_is_the_same_folder() {
    for name in standalone() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("copy");
        let ran = bkcache(["copy", &path(&name), &to.display().to_string()]).ok();
        let outcome = |text: String| text.lines().nth(1).unwrap().to_owned();
        let first = outcome(ran.text());
        assert!(first.ends_with(", 1 config, 1 manifest written") && !first.contains("there"), "{first}");
        for file in ["index.json", "oci-layout"] {
            let read = |folder: &std::path::Path| std::fs::read(folder.join(file)).unwrap();
            assert_eq!(read(&to), read(&fixture(&name)), "{name}: {file}");
        }
        bkcache(["verify", &to.display().to_string()]).ok();
        let again = bkcache(["copy", &path(&name), &to.display().to_string()]).ok();
        let there = first.replace(", 1 manifest written", " already there (trusted; --rehash checks)");
        assert_eq!(outcome(again.text()), format!("1 manifest written; {there}"));
    }
}

#[test]
fn annotations_go_into_the_manifest_and_a_kept_one_is_said_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (path("app-max-manifest-oci-gzip"), folder.path().join("to").display().to_string());
    let copy = |more: &[&str]| bkcache(["copy", "--progress", "none", &from, &to].iter().chain(more)).ok();
    let annotated = copy(&["--annotation", "org.example.commit=1a2b3c", "--annotation", "note=a=b"]);
    let before = only_manifest(&fixture("app-max-manifest-oci-gzip"));
    let warning = format!("manifest {before} is written anew with the annotations, under another digest");
    assert!(annotated.stderr.contains(&warning), "{}", annotated.stderr);
    let manifest = bkcache(["manifest", &to]).ok().json();
    assert_eq!(manifest["annotations"], json!({"note": "a=b", "org.example.commit": "1a2b3c"}));
    let shown = bkcache(["inspect", "--json", &to]).ok().json();
    assert_eq!(shown["annotations"]["note"], "a=b");

    // With the same annotations the manifest stays as it is.
    let (from, again) = (to, folder.path().join("again").display().to_string());
    let note = ["--annotation", "note=a=b"];
    let kept = bkcache(["copy", "--progress", "none", &from, &again].iter().chain(&note)).ok();
    assert!(!kept.stderr.contains("written anew"), "{}", kept.stderr);
    assert_eq!(only_manifest(&folder.path().join("again")), only_manifest(&folder.path().join("to")));

    let wrong = bkcache(["copy", "--annotation", "note", &from, &again]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("expected KEY=VALUE"), "{}", wrong.stderr);
}

#[test]
fn a_damaged_blob_is_replaced_on_request_and_without_sync_a_copy_is_the_same() {
    let name = path("app-max-manifest-oci-gzip");
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy");
    let at = to.display().to_string();
    bkcache(["copy", "--no-sync", &name, &at]).ok();
    bkcache(["verify", &at]).ok();
    let manifest = bkcache(["manifest", &at]).ok().json();
    let layer = &manifest["layers"][0];
    let blob = blob(&to, layer["digest"].as_str().unwrap());
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, vec![0; usize::try_from(layer["size"].as_u64().unwrap()).unwrap()]).unwrap();
    for (option, copied) in [
        ("--no-sync", ALL_THERE),
        ("--rehash", "1 blob (2.98 KiB), 1 manifest written; 9 blobs "),
        ("--rehash", "1 manifest written; 10 blobs (16.17 KiB), 1 config already there"),
    ] {
        let ran = bkcache(["copy", option, &name, &at]).ok().text();
        let outcome = ran.lines().nth(1).unwrap();
        assert!(outcome.starts_with(copied), "{option}: {ran}");
        assert_eq!(outcome.contains("trusted"), option != "--rehash", "{option}: {ran}");
    }
    bkcache(["verify", &at]).ok();
}

#[test]
fn every_form_and_back_gives_the_original_digests() {
    for name in standalone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |tag: &str| format!("{}:{tag}", folder.path().join("cache").display());
        let original = bkcache(["inspect", "--json", &path(&name)]).ok().json();
        let form = original["caches"][0]["form"].as_str().unwrap();
        for other in ["manifest", "index", "docker"] {
            bkcache(["copy", "--form", other, &path(&name), &at(other)]).ok();
            let converted = bkcache(["inspect", "--json", &at(other)]).ok().json();
            assert_eq!(converted["caches"][0]["form"], other);
            assert_eq!(converted["caches"][0]["config"]["digest"], original["caches"][0]["config"]["digest"]);
            let back = format!("back-from-{other}");
            bkcache(["copy", "--form", form, &at(other), &at(&back)]).ok();
            let value = bkcache(["inspect", "--json", &at(&back)]).ok().json();
            assert_eq!(value["manifest"]["digest"], original["manifest"]["digest"], "{name} by {other}");
        }
    }
}

#[test]
fn a_canonical_copy_keeps_the_config_of_a_canonical_cache() {
    for name in standalone() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("c").display().to_string();
        bkcache(["copy", "--canonical", &path(&name), &to]).ok();
        let of = |place: &str| bkcache(["inspect", "--json", place]).ok().json();
        let (before, after) = (of(&path(&name)), of(&to));
        if name == "matrix-two" {
            let digest = after["caches"][0]["config"]["digest"].as_str().unwrap();
            assert!(digest.starts_with("sha256:708eb13b6c65"));
        } else {
            assert_eq!(before["caches"][0]["config"], after["caches"][0]["config"], "{name}");
            assert_eq!(before["manifest"]["digest"], after["manifest"]["digest"], "{name}");
        }
    }
}

#[test]
fn a_cache_inside_an_image_becomes_one_of_its_own() {
    for name in ["inline-oci-true", "inline-oci-false"] {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("c").display().to_string();
        bkcache(["copy", "--form", "index", &path(name), &to]).ok();
        let value = bkcache(["inspect", "--json", &to]).ok().json();
        assert_eq!(value["caches"][0]["form"], "index");
        assert_eq!(value["caches"][0]["counts"]["blobs"], 3);
        bkcache(["verify", &to]).ok();
    }
}

#[test]
fn buildkits_attributes_work_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().display().to_string();
    let source = format!("type=local,src={},tag=latest", path("app-max-manifest-oci-gzip"));
    let metadata = folder.path().join("metadata.json").display().to_string();
    let index = format!("type=local,dest={to}/c,image-manifest=false,tag=a,mode=max");
    bkcache(["copy", &source, &index, "--metadata-file", &metadata]).ok();
    bkcache(["copy", &source, &format!("type=local,dest={to}/c,oci-mediatypes=0,tag=b")]).ok();
    let form =
        |place: String| bkcache(["inspect", "--json", &place]).ok().json()["caches"][0]["form"].clone();
    assert_eq!(form(format!("{to}/c:a")), "index");
    assert_eq!(form(format!("type=local,src={to}/c,tag=b")), "docker");
    let written: Value = serde_json::from_slice(&std::fs::read(&metadata).unwrap()).unwrap();
    let descriptor: Value = serde_json::from_str(written["cache.manifest"].as_str().unwrap()).unwrap();
    assert_eq!(form(format!("{to}/c@{}", descriptor["digest"].as_str().unwrap())), "index");
    // The descriptor has no annotation of the source, such as its tag.
    let ran = bkcache(["copy", &format!("{to}/c:a"), &format!("{to}/d:z"), "--metadata-file", "-"]).ok();
    let descriptor: Value = serde_json::from_str(ran.json()["cache.manifest"].as_str().unwrap()).unwrap();
    let keys: Vec<&String> = descriptor.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["digest", "mediaType", "size"]);
}

#[test]
fn the_full_name_of_an_image_can_be_typed_after_the_folder() {
    let source = format!("{}:example.com/app:inline", path("inline-oci-true"));
    let value = bkcache(["inspect", "--json", &source]).ok().json();
    assert_eq!(value["caches"][0]["form"], "inline");
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("c").display().to_string();
    bkcache(["copy", &path("app-min-manifest-oci-gzip"), &layout]).ok();
    bkcache(["copy", &layout, &format!("{layout}:team/app:v1")]).ok();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no folder of that name is made");
    bkcache(["verify", &format!("{layout}:team/app:v1")]).ok();
}

#[test]
fn a_canonical_cache_verifies_without_a_note_even_if_buildkit_would_read_fewer_records() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(at("blobs")).unwrap();
    let digest = sha256(b"layer");
    std::fs::write(folder.path().join("blobs").join(&digest), "layer").unwrap();
    let layer = json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": 5,
        "annotations": {"containerd.io/uncompressed": digest}});
    let lines = [
        json!({"digest": "sha256:r", "results": [{"createdAt": "2026-01-02T03:04:05Z", "layers": [layer]}]}),
        json!({"digest": "sha256:y", "inputs": [[{"record": 0}], [{"record": 0}]]}),
        json!({"digest": "sha256:y", "inputs": [[{"record": 0}, {"record": 1}]]}),
    ];
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let args = ["export", "-q", "--canonical", "--records", "-", "--blobs", &at("blobs"), "--to", &at("out")];
    bkcache_with_input(args, lines.as_bytes()).ok();
    let report = bkcache(["verify", "--json", &at("out")]).ok().json();
    let kinds: Vec<&Value> = report["findings"].as_array().unwrap().iter().map(|f| &f["kind"]).collect();
    assert!(!kinds.iter().any(|kind| **kind == "not-canonical"), "{kinds:?}");
}

#[test]
fn progress_is_json_on_request_and_nothing_when_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("c").display().to_string();
    let ran = bkcache(["copy", "--progress", "json", &path("app-min-manifest-oci-gzip"), &to]).ok();
    let events: Vec<Value> = ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).count();
    assert_eq!((of("started"), of("finished")), (6, 6));
    assert_eq!(events.last().unwrap()["step"], "writing cache image manifest");
    let ran = bkcache(["copy", "-q", &path("app-min-manifest-oci-gzip"), &to]).ok();
    assert_eq!((ran.text(), ran.stderr), (String::new(), String::new()));
}

#[test]
fn records_of_every_vector_print_buildkits_config() {
    let mut checked = 0;
    for case in vectors("chains.ndjson").into_iter().chain(vectors("canonical.ndjson")) {
        let ops = case["ops"].as_array().unwrap();
        if ops.iter().any(|op| op["outcome"] == "error") {
            continue;
        }
        let lines: String = ops.iter().map(|op| format!("{op}\n")).collect();
        let ran = bkcache_with_input(["export", "--records", "-", "--print-config"], lines.as_bytes()).ok();
        assert_eq!(ran.text(), case["config"].as_str().unwrap(), "{}", case["name"]);
        checked += 1;
    }
    assert!(checked > 300, "{checked}");
}

#[test]
fn records_and_blobs_become_a_cache() {
    let folder = tempfile::tempdir().unwrap();
    let source = fixture("app-min-manifest-oci-gzip");
    let value = bkcache(["inspect", "--json", &source.display().to_string()]).ok().json();
    let cache = &value["caches"][0];
    // The layers of a result, lowest first: its own and its parents.
    let with_parents = |top: &Value| {
        let mut list = Vec::new();
        let mut at = top.as_u64();
        while let Some(place) = at {
            let layer = &cache["layers"][usize::try_from(place).unwrap()];
            list.insert(0, layer["descriptor"].clone());
            at = layer["parent"].as_u64();
        }
        Value::Array(list)
    };
    // The config sorts records by digest, and a line needs those of its sources before it.
    let stored = cache["records"].as_array().unwrap();
    let mut line_of = std::collections::HashMap::new();
    let mut lines = String::new();
    while line_of.len() < stored.len() {
        for (position, record) in (0u64..).zip(stored) {
            let links =
                || record["inputs"].as_array().unwrap().iter().flat_map(|input| input.as_array().unwrap());
            let is_next = links().all(|link| line_of.contains_key(&link["record"].as_u64().unwrap()));
            if line_of.contains_key(&position) || !is_next {
                continue;
            }
            let mut record = record.clone();
            for link in
                record["inputs"].as_array_mut().unwrap().iter_mut().flat_map(|i| i.as_array_mut().unwrap())
            {
                link["record"] = json!(line_of[&link["record"].as_u64().unwrap()]);
            }
            for result in record["results"].as_array_mut().unwrap() {
                *result = json!({"createdAt": result["createdAt"], "layers": with_parents(&result["layer"])});
            }
            line_of.insert(position, line_of.len());
            lines.push_str(&format!("{record}\n"));
        }
    }
    let records = folder.path().join("records.ndjson");
    std::fs::write(&records, lines).unwrap();
    let records = records.display().to_string();
    // Once from the layout, once from its folder of files named by digest.
    for (n, blobs) in [source.clone(), source.join("blobs")].iter().enumerate() {
        let to = format!("type=local,dest={}/out,tag=t{n}", folder.path().display());
        bkcache(["export", "--records", &records, "--blobs", &blobs.display().to_string(), "--to", &to]).ok();
        let out = format!("{}/out:t{n}", folder.path().display());
        let manifest = bkcache(["manifest", &out]).ok().stdout;
        assert_eq!(sha256(&manifest), only_manifest(&source));
        bkcache(["verify", &out]).ok();
    }
    let schema = bkcache(["export", "--schema"]).ok().json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn an_export_without_any_layer_says_so_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = folder.path().join("blobs");
    std::fs::create_dir(&blobs).unwrap();
    let to = folder.path().join("out").display().to_string();
    let args = ["export", "--records", "-", "--blobs", &blobs.display().to_string(), "--to", &to];
    let ran = bkcache_with_input(args, b"{\"digest\":\"sha256:a\"}\n").ok();
    insta::assert_snapshot!(ran.shown(folder.path()));
}

#[test]
fn an_export_without_the_blobs_of_its_records_fails() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(folder.path().join("blobs")).unwrap();
    let layer = json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": sha256(b"x"), "size": 1});
    let results = json!([{"createdAt": "2026-01-02T03:04:05Z", "layers": [layer]}]);
    let record = json!({"digest": "sha256:a", "results": results}).to_string();
    let export = |to: &str| {
        let args = ["export", "--records", "-", "--blobs", &at("blobs"), "--to", to, "--progress", "none"];
        bkcache_with_input(args, record.as_bytes())
    };
    let ran = export(&at("out"));
    assert_eq!((ran.code, ran.text().as_str()), (1, ""));
    let line = "nothing was exported to DIR/out:latest: the records name 1 blob, but no result has all of its blobs; check --blobs";
    assert!(ran.shown(folder.path()).contains(line), "{}", ran.stderr);
    let ignored = export(&format!("type=local,dest={},ignore-error=true", at("out"))).ok();
    assert!(ignored.stderr.contains("; ignored because of ignore-error=true"), "{}", ignored.stderr);
    std::fs::write(folder.path().join("blobs").join(sha256(b"x")), "x").unwrap();
    assert!(export(&at("out")).ok().text().contains("\n1 blob (1 B), 1 config, 1 manifest written\n"));
}

#[test]
fn verify_reports_each_blob_and_its_outcome() {
    let app = path("app-max-manifest-oci-gzip");
    let plain = bkcache(["verify", "--progress", "plain", &app]).ok().stderr;
    assert!(plain.starts_with("10 blobs checked; 16.17 KiB in ") && plain.lines().count() == 1, "{plain}");
    let lines = bkcache(["verify", "--progress", "json", &app]).ok().stderr;
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let finished: Vec<&Value> = events.iter().filter(|event| event["event"] == "finished").collect();
    assert!(!finished.is_empty() && finished.iter().all(|event| event["outcome"] == "ok"), "{lines}");
    let looked = bkcache(["verify", "--no-read", &app]).ok().text();
    assert!(
        looked
            .contains(": nothing is missing; 10 blobs looked up, 1 config and 1 manifest read (9.25 KiB), "),
        "{looked}"
    );
}

#[test]
fn a_bare_image_name_makes_no_folder_and_every_other_spelling_of_a_folder_does() {
    let folder = tempfile::tempdir().unwrap();
    let app = path("app-max-manifest-oci-gzip");
    let bkcache = |args: &[&str]| run(program().current_dir(folder.path()).args(args), b"");
    for (name, path, reference) in [
        ("user/app:cache", "user/app", "docker.io/user/app:cache"),
        ("User/App", "User/App", "docker.io/user/app"),
        ("app:cache", "app", "docker.io/library/app:cache"),
    ] {
        let why =
            format!("there is no folder {path}: write ./{name} for a folder, or {reference} for Docker Hub");
        for (args, doing) in [
            (&["copy", "--quiet", &app, name][..], "write to"),
            (&["copy", "--progress", "json", &app, name], "write to"),
            (&["copy", "--username", "user", "--password-stdin", &app, name], "write to"),
            (&["copy", "localhost:1/app", name], "write to"),
            (&["copy", name, "./other"], "open"),
            (&["inspect", name], "open"),
            (&["ls", name], "open"),
            (&["verify", name], "open"),
        ] {
            let ran = bkcache(args);
            assert_eq!((ran.code, ran.text().as_str()), (2, ""), "{args:?}");
            assert!(
                ran.stderr.contains(&format!("cannot {doing} {name}: {why}")),
                "{args:?}: {}",
                ran.stderr
            );
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
    for to in [
        "cache",
        "cache:tag",
        "./a/b",
        "a/other",
        "./a/new/one:x",
        "type=local,dest=c/d",
        "c/d:x",
        ".hidden/x",
    ] {
        bkcache(&["copy", "--quiet", &app, to]).ok();
        bkcache(&["verify", &to.replace("type=local,dest=", "")]).ok();
    }
}
