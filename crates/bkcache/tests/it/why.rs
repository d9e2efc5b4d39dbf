//! `bkcache why` as a user sees it: text, SARIF, exit codes, hints, and what it keeps to itself.
#![cfg(unix)]

use std::path::Path;

use data_encoding::BASE64;
use serde_json::{Value, json};
use tests::why::WhyCase;

use crate::support::{Ran, bkcache, sha256};

/// A build and an older one, with the options that lead to what is known of them.
struct Pair {
    new: WhyCase,
    old: WhyCase,
}

impl Pair {
    fn load(name: &str) -> Self {
        let new = WhyCase::load(name);
        let old = new.older().unwrap();
        Self { new, old }
    }

    /// Replaces the words of a command line that stand for files of the pair, and runs it.
    fn run(&self, line: &str) -> Ran {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let words = line.split(' ').map(|word| match word {
            "NEW" => text(&self.new.cache_folder()),
            "OLD" => text(&self.old.cache_folder()),
            "NEW.json" => text(&self.new.folder.join("provenance.json")),
            "OLD.json" => text(&self.old.folder.join("provenance.json")),
            "NEW.dockerbuild" => text(&self.new.folder.join("dockerbuild")),
            "OLD.dockerbuild" => text(&self.old.folder.join("dockerbuild")),
            "NEWDIR" => text(&self.new.context()),
            "OLDDIR" => text(&self.old.context()),
            word => word.to_owned(),
        });
        bkcache(words)
    }
}

const RECORDS: &str = "--record NEW.dockerbuild --was-record OLD.dockerbuild";

#[test]
fn each_cause_is_a_line_with_its_details_below() {
    for name in [
        "web-file",
        "web-two",
        "web-mode",
        "web-added",
        "web-command",
        "web-dest",
        "web-arg",
        "web-base",
        "svc-env",
        "svc-bind",
        "svc-cachenew",
        "svc-tools",
        "site-ignore",
        "stamp-again",
        "plat-386",
        "web-env",
    ] {
        let ran = Pair::load(name).run(&format!("why NEW --was OLD {RECORDS}")).ok();
        insta::assert_snapshot!(format!("why_{name}"), ran.text());
    }
}

#[test]
fn two_caches_alone_already_tell_what_differs() {
    for name in ["web-file", "web-command", "web-base", "svc-gen", "web-env"] {
        let ran = Pair::load(name).run("why NEW --was OLD").ok();
        insta::assert_snapshot!(format!("why_caches_{name}"), ran.text());
    }
}

#[test]
fn before_a_build_its_record_and_folder_explain_it() {
    for name in ["web-file", "svc-bind", "svc-gensame"] {
        let ran = Pair::load(name).run(&format!("why --was OLD {RECORDS} --context NEWDIR")).ok();
        insta::assert_snapshot!(format!("why_before_{name}"), ran.text());
    }
}

#[test]
fn before_a_build_steps_that_changed_in_the_dockerfile_are_unknown() {
    let pair = Pair::load("web-file");
    let dockerfile = std::fs::read_to_string(pair.new.folder.join("Dockerfile")).unwrap();
    let path = pair.new.context().join("Dockerfile");
    let line = format!("why --was OLD {RECORDS} --context NEWDIR --json");
    std::fs::write(&path, &dockerfile).unwrap();
    let same = pair.run(&line).ok().json();
    assert_eq!((&same["unknown"], &same["hints"]), (&json!(4), &json!([])));
    std::fs::write(&path, dockerfile.replace("WORKDIR /app\nCOPY package", "WORKDIR /web\nCOPY package"))
        .unwrap();
    let edited = pair.run(&line).ok().json();
    assert!(edited["unknown"].as_u64().unwrap() > 4, "{edited}");
    let hint = edited["hints"][0].as_str().unwrap();
    assert!(hint.contains("changed after the record was written: "), "{hint}");
    // Of a build that was made, the record tells the steps.
    let made = pair.run(&format!("why NEW --was OLD {RECORDS} --context NEWDIR --json")).ok().json();
    assert_eq!((&made["unknown"], &made["hints"]), (&json!(0), &json!([])));
}

#[test]
fn without_layers_the_files_of_a_cause_are_unknown() {
    let pair = Pair::load("web-file");
    let text = pair.run(&format!("why NEW --was OLD {RECORDS} --no-read")).ok().text();
    assert!(text.starts_with("line 10, COPY src ./src: the files that it reads changed; "), "{text}");
    assert!(text.contains("hint: without --no-read, layers may tell which files changed"), "{text}");
    let text = pair.run("why NEW --was OLD --no-read").ok().text();
    assert!(
        text.starts_with("record d340c4b5610f: the content that it reads changed; 6 steps follow"),
        "{text}"
    );
}

#[test]
fn a_record_of_another_build_is_pointed_out() {
    let warning = |build: &str, line: &str| {
        let ran = Pair::load(build).run(&format!("why NEW --was OLD --record {line}"));
        (ran.code, ran.stderr)
    };
    let record = |build: &str| WhyCase::load(build).folder.join("dockerbuild").display().to_string();
    let end = "; give the record of the build that wrote the newer cache\n";
    assert_eq!(warning("web-file", &format!("{} --exit-code", record("web-file"))), (1, String::new()));
    assert_eq!(
        warning("web-file", &record("svc")),
        (
            0,
            format!(
                "warning: --record seems to be of another build: 14 of its 14 steps are not in the newer cache{end}"
            )
        )
    );
    for was_record in ["", " --was-record NEW.dockerbuild", " --json", " --sarif"] {
        let older = warning("web-command", &format!("OLD.dockerbuild --exit-code{was_record}"));
        let text = "1 of its 12 steps is in the older cache and not in the newer one";
        assert_eq!(
            older,
            (1, format!("warning: --record seems to be of the older build: {text}{end}")),
            "{was_record}"
        );
    }
    // What stands on such a step is unknown.
    let answer =
        Pair::load("web-command").run("why NEW --was OLD --record OLD.dockerbuild --json").ok().json();
    assert_eq!([&answer["cached"], &answer["ran"], &answer["unknown"]], [7, 0, 5]);
}

#[test]
fn the_exit_code_is_an_answer_on_request_only() {
    let (missed, cached) = (Pair::load("web-file"), Pair::load("web-env"));
    let line = format!("why NEW --was OLD {RECORDS}");
    assert_eq!((missed.run(&line).code, cached.run(&line).code), (0, 0));
    let line = format!("{line} --exit-code");
    let ran = missed.run(&line);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    assert_eq!(cached.run(&line).code, 0);
}

/// The provenance of a build with other values: in the request, in variables, in the Dockerfile, and in a path that a variable
/// was put into.
fn with_values(case: &WhyCase, mode: &str, folder: &str) -> Value {
    let text = String::from_utf8(case.provenance()).unwrap();
    let text = text.replace("MODE=production", &format!("MODE={mode}"));
    let text = text.replace("MODE=development", &format!("MODE={mode}"));
    let text = text.replace(r#""build-arg:MODE": "development""#, &format!(r#""build-arg:MODE": "{mode}""#));
    let mut record: Value = serde_json::from_str(&text).unwrap();
    let steps = &mut record["buildDefinition"]["internalParameters"]["buildConfig"]["llbDefinition"];
    for step in steps.as_array_mut().unwrap() {
        let op = &mut step["op"]["Op"];
        if let Some(meta) = op.pointer_mut("/exec/meta") {
            meta["proxy_env"] = json!({"http_proxy": format!("http://me:{mode}@proxy")});
            let env = meta["env"].as_array_mut().unwrap();
            if env.contains(&json!(format!("MODE={mode}"))) {
                env.push(json!(format!("WHERE={folder}")));
            }
        }
        if let Some(copy) = op
            .pointer_mut("/file/actions/0/Action/copy")
            .filter(|it| it["dest"] == "/app/public" && !folder.is_empty())
        {
            copy["dest"] = json!(format!("/app/{folder}"));
        }
    }
    let source = &mut record["runDetails"]["metadata"]["buildkit_metadata"]["source"]["infos"][0]["data"];
    let dockerfile = BASE64.decode(source.as_str().unwrap().as_bytes()).unwrap();
    let dockerfile =
        String::from_utf8(dockerfile).unwrap().replace("MODE=production", &format!("MODE={mode}"));
    *source = json!(BASE64.encode(dockerfile.as_bytes()));
    record
}

/// Runs every form of the commands that explain on two builds whose values are those of [`with_values`], and checks that they
/// show none. Gives what `why` says with and without `--show-values`.
fn with_hidden_values(modes: [&str; 2], folders: [&str; 2]) -> [String; 2] {
    let pair = Pair::load("web-arg");
    let folder = tempfile::tempdir().unwrap();
    let [old, new] = [(&pair.old, 0), (&pair.new, 1)].map(|(case, side)| {
        let path = folder.path().join(side.to_string());
        std::fs::write(&path, with_values(case, modes[side], folders[side]).to_string()).unwrap();
        path.display().to_string()
    });
    let why = format!("why NEW --was OLD --record {new} --was-record {old}");
    let before = format!("why --was OLD --record {new} --was-record {old} --context NEWDIR");
    let inspect = format!("inspect --record {new} NEW");
    let predict = format!("predict OLD --record {new} --context NEWDIR");
    let forms: [(&str, &[&str]); 4] = [
        (&why, &["", "-v", "--json", "--sarif"]),
        (&before, &["", "-v", "--json", "--sarif"]),
        (&inspect, &["", "--tree", "--json"]),
        (&predict, &["", "-v", "--json"]),
    ];
    for (line, forms) in forms {
        for form in forms {
            let shown = pair.run(format!("{line} {form}").trim_end()).ok().shown(Path::new("none"));
            for value in modes.iter().chain(&folders).filter(|value| !value.is_empty()) {
                assert!(!shown.contains(value), "{line} {form}: {shown}");
            }
        }
    }
    [why.clone(), format!("{why} --show-values")].map(|line| pair.run(&line).ok().text())
}

#[test]
fn values_of_variables_arguments_and_proxies_are_shown_on_request_only() {
    let [hidden, shown] = with_hidden_values(["hunter2", "hunter3"], ["", ""]);
    assert!(hidden.contains("build argument MODE (line 7) changed; "), "{hidden}");
    assert!(shown.contains("build argument MODE (line 7) changed: hunter2 -> hunter3; "), "{shown}");
}

#[test]
fn a_field_that_holds_a_value_is_shown_on_request_only() {
    let [hidden, shown] = with_hidden_values(["hunter2", "hunter2"], ["swordfish", "clownfish"]);
    assert!(hidden.contains("line 11, COPY public ./public: the instruction changed"), "{hidden}");
    assert!(hidden.contains("dest: changed"), "{hidden}");
    assert!(shown.contains("dest: /app/swordfish -> /app/clownfish"), "{shown}");
}

#[test]
fn the_reference_of_an_image_stays_as_the_dockerfile_has_it() {
    let pair = Pair::load("svc-tools");
    for form in ["", " -v", " --json", " --sarif"] {
        let shown = pair.run(&format!("why NEW --was OLD {RECORDS}{form}")).ok().shown(Path::new("none"));
        assert!(shown.contains("tiny:${TOOLS}") && !shown.contains("tiny:2"), "{form}: {shown}");
    }
}

#[test]
fn a_platform_is_chosen_of_a_record_that_has_several() {
    let pair = Pair::load("plat-two");
    let line = "why NEW --was OLD --record NEW.json --was-record OLD.json --json";
    let steps = |answer: Value| answer["steps"].as_array().unwrap().len();
    assert_eq!(steps(pair.run(line).ok().json()), 4);
    // The older record has the other platform only.
    let one = pair.run(&format!("{line} --platform linux/i386")).ok().json();
    assert_eq!(one["causes"][0]["kind"], "platform");
    assert_eq!(steps(one), 2);
    let other = pair.run(&format!("{line} --platform linux/arm64"));
    assert_eq!(other.code, 2);
    assert!(other.stderr.contains("is of linux/386, linux/amd64"), "{}", other.stderr);
}

#[test]
fn the_record_can_be_attached_to_an_image() {
    let pair = Pair::load("web-file");
    let folder = tempfile::tempdir().unwrap();
    let image = layout_with_provenance(folder.path(), &pair.new.provenance());
    let answer =
        pair.run(&format!("why NEW --was OLD --record {image} --was-record OLD.json --json")).ok().json();
    assert_eq!(answer["causes"][0]["files"][0]["path"], "src/view.js");
    let none = pair.run("why NEW --was OLD --record NEW");
    assert_eq!(none.code, 1);
    assert!(none.stderr.contains("--provenance mode=max"), "{}", none.stderr);
}

/// An OCI layout with an image index that has nothing but an attestation with this predicate.
fn layout_with_provenance(folder: &Path, predicate: &[u8]) -> String {
    let blobs = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let put = |media_type: &str, bytes: &[u8]| {
        let digest = sha256(bytes);
        std::fs::write(blobs.join(digest.strip_prefix("sha256:").unwrap()), bytes).unwrap();
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    };
    let predicate: Value = serde_json::from_slice(predicate).unwrap();
    let kind = "https://slsa.dev/provenance/v1";
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1", "predicateType": kind, "subject": [], "predicate": predicate,
    });
    let mut layer = put("application/vnd.in-toto+json", statement.to_string().as_bytes());
    layer["annotations"] = json!({"in-toto.io/predicate-type": kind});
    let config = put("application/vnd.oci.image.config.v1+json", b"{}");
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2, "mediaType": manifest_type, "config": config, "layers": [layer],
    });
    let mut entry = put(manifest_type, manifest.to_string().as_bytes());
    entry["platform"] = json!({"architecture": "unknown", "os": "unknown"});
    entry["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": sha256(b"an image"),
    });
    let index_type = "application/vnd.oci.image.index.v1+json";
    let index = json!({"schemaVersion": 2, "mediaType": index_type, "manifests": [entry]});
    let mut named = put(index_type, index.to_string().as_bytes());
    named["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
    let index = json!({"schemaVersion": 2, "mediaType": index_type, "manifests": [named]});
    std::fs::write(folder.join("index.json"), index.to_string()).unwrap();
    std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#).unwrap();
    folder.display().to_string()
}

#[test]
fn inspect_names_the_records_by_the_build_that_made_them() {
    let pair = Pair::load("web-file");
    let tree = pair.run("inspect --tree --record NEW.json NEW").ok().text();
    insta::assert_snapshot!("inspect_tree", tree);
    let summary = |line: &str| {
        let text = pair.run(line).ok().text();
        text.lines().last().unwrap().to_owned()
    };
    assert_eq!(
        summary("inspect --record NEW.json NEW"),
        "named         20 of 20 records, 6 of them by place"
    );
    assert_eq!(
        summary("inspect --record NEW.json --context NEWDIR --read NEW"),
        "named         20 of 20 records"
    );
    let json = pair.run("inspect --json --record NEW.json --context NEWDIR NEW").ok().json();
    let records = json["caches"][0]["records"].as_array().unwrap().clone();
    let truth = pair.new.truth["records"].as_array().unwrap().clone();
    for (record, truth) in records.iter().zip(truth) {
        assert_eq!(record["digest"], truth["digest"]);
        let lines: Vec<&Value> =
            record["names"].as_array().unwrap().iter().map(|name| &name["line"]).collect();
        assert!(lines.contains(&&truth["names"][0]["line"]), "{record} {truth}");
        assert_eq!(record["names"][0]["kind"], truth["kind"]);
    }
}

#[test]
fn what_cannot_be_asked_is_refused_in_one_line() {
    let pair = Pair::load("web-file");
    for (line, code, text) in [
        ("why NEW", 2, "--was"),
        ("why --was OLD", 2, "NEW"),
        ("why NEW --was OLD --context NEWDIR", 2, "--record"),
        ("why NEW --was OLD --sarif", 2, "--record"),
        ("why NEW --was OLD --record nowhere.json", 1, "nowhere.json"),
        ("why NEW --was OLD --record NEW.json --context /nowhere", 1, "/nowhere"),
        ("why NEW --was OLD --record NEW.json --context =x", 2, "DIR or NAME=DIR"),
    ] {
        let ran = pair.run(line);
        assert_eq!((ran.code, ran.stdout.len()), (code, 0), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(text), "{line}: {}", ran.stderr);
    }
}

#[test]
fn a_sarif_log_has_a_result_for_each_cause_and_note() {
    for name in ["web-two", "stamp-again", "web-env"] {
        let pair = Pair::load(name);
        let line = format!("why NEW --was OLD {RECORDS}");
        let sarif = pair.run(&format!("{line} --sarif")).ok().json();
        let answer = pair.run(&format!("{line} --json")).ok().json();
        check_sarif(&sarif);
        let all = |key: &str| answer[key].as_array().unwrap().len();
        let results = sarif["runs"][0]["results"].as_array().unwrap();
        assert_eq!(results.len(), all("causes") + all("notes"), "{name}");
        if name == "web-two" {
            insta::assert_snapshot!(
                "why_sarif",
                serde_json::to_string_pretty(&sarif["runs"][0]["results"]).unwrap()
            );
        }
    }
}

/// Checks what SARIF 2.1.0 requires of the objects that are written.
fn check_sarif(log: &Value) {
    assert_eq!(log["$schema"], "https://json.schemastore.org/sarif-2.1.0.json");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "bkcache");
    let ids: Vec<&str> =
        driver["rules"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    for rule in driver["rules"].as_array().unwrap() {
        assert!(rule["shortDescription"]["text"].is_string());
    }
    for result in run["results"].as_array().unwrap() {
        assert!(ids.contains(&result["ruleId"].as_str().unwrap()), "{result}");
        assert!(["note", "warning"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "Dockerfile");
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
    }
}
