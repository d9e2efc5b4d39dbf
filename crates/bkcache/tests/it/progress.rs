//! What is written to standard error: progress, warnings and errors, as lines and as JSON.

use std::time::Duration;

use serde_json::{Value, json};
use test_registries::{Behavior, Fault, On, Registry, Server};

use crate::support::{self, Ran, bkcache, bkcache_with_input, blob, copy_of, fixture};

const CACHE: &str = "app-max-manifest-oci-gzip";
const LAYER: &str = "sha256:0e866b87ac424ab43011814afeaabcc6be12520feddd678d03b8ff31e5244717";

fn path(name: &str) -> String {
    fixture(name).display().to_string()
}

/// The events of a run; every line has to be one.
fn events(ran: &Ran) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    ran.stderr.lines().map(parse).collect()
}

/// The error event of a run, which is the last one and the only one.
fn error(ran: &Ran) -> Value {
    let events = events(ran);
    let errors: Vec<&Value> = events.iter().filter(|event| event["event"] == "error").collect();
    assert_eq!(errors.len(), 1, "{}", ran.stderr);
    assert_eq!(errors[0], events.last().unwrap(), "{}", ran.stderr);
    assert_eq!(errors[0]["exitCode"], json!(ran.code));
    errors[0].clone()
}

#[test]
fn every_failure_ends_in_one_error_event_and_every_line_is_json() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name).display().to_string();
    let missing = copy_of(CACHE, &temp.path().join("missing"));
    std::fs::remove_file(blob(&missing, LAYER)).unwrap();
    let missing = missing.display().to_string();
    let runs: [(&[&str], &str, i32); 9] = [
        (&["copy", &missing, &at("to")], "not-found", 1),
        (&["verify", &missing], "unsound", 3),
        (&["inspect", &at("absent")], "not-found", 1),
        (&["ls", "--retries", "0", "localhost:1/app"], "unavailable", 1),
        (&["copy", &missing, "type=local,dest=x,form=y"], "usage", 2),
        (&["copy", "--form", "index", &missing, "type=local,dest=x,image-manifest=true"], "usage", 2),
        (&["copy", "--form", "tar", &missing, "x"], "usage", 2),
        (&["copy", &missing], "usage", 2),
        (&["export", "--records", "-", "--print-config"], "invalid", 1),
    ];
    for (args, kind, code) in runs {
        let ran = bkcache(args.iter().chain(&["--progress=json"]));
        let error = error(&ran);
        assert_eq!((&error["kind"], ran.code), (&json!(kind), code), "{args:?}: {error}");
        assert!(!error["message"].as_str().unwrap().contains('\n'), "{error}");
    }
    let copied = error(&bkcache(["copy", "--progress", "json", &missing, &at("to")]));
    assert_eq!((&copied["subject"], &copied["side"]), (&json!(LAYER), &json!("source")));
    assert!(copied["advice"].as_str().unwrap().contains("bkcache repair"), "{copied}");
    assert!(copied["causes"][0].as_str().unwrap().starts_with("No such file"), "{copied}");
    assert!(
        !copied["message"].as_str().unwrap().contains("bkcache repair"),
        "the advice stands alone: {copied}"
    );
}

#[test]
fn warnings_and_notes_are_events_too() {
    let temp = tempfile::tempdir().unwrap();
    let missing = copy_of(CACHE, &temp.path().join("missing"));
    std::fs::remove_file(blob(&missing, LAYER)).unwrap();
    let from = missing.display().to_string();
    let to = temp.path().join("to").display().to_string();
    let ran = bkcache(["copy", "--canonical", "--progress", "json", &from, &to]).ok();
    assert!(events(&ran).iter().any(|event| event["event"] == "warning"), "{}", ran.stderr);
    let blobs = temp.path().join("blobs");
    std::fs::create_dir(&blobs).unwrap();
    let layer = json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": LAYER, "size": 1});
    let results = json!([{"createdAt": "2026-01-02T03:04:05Z", "layers": [layer]}]);
    let record = json!({"digest": "sha256:a", "results": results}).to_string();
    let to = format!("type=local,dest={to},ignore-error=true");
    let args = ["export", "--records", "-", "--blobs", blobs.to_str().unwrap(), "--to", &to];
    let ran = bkcache_with_input(args.iter().chain(&["--progress", "json"]), record.as_bytes()).ok();
    let warned = events(&ran).into_iter().filter(|event| event["event"] == "warning");
    let messages: Vec<String> = warned.map(|event| event["message"].to_string()).collect();
    assert!(messages.iter().any(|text| text.contains("ignored because of ignore-error")), "{messages:?}");
}

/// An image whose index lists another one that is missing: every command that reads its records says so.
#[test]
fn each_command_that_reads_records_reports_their_warnings() {
    let temp = tempfile::tempdir().unwrap();
    let cache = copy_of("inline-oci-true", &temp.path().join("cache"));
    let at = cache.display().to_string();
    let mut layout: Value =
        serde_json::from_slice(&std::fs::read(cache.join("index.json")).unwrap()).unwrap();
    let absent = format!("sha256:{}", "9".repeat(64));
    let mut other = layout["manifests"][0].clone();
    other["digest"] = json!(absent);
    let media_type = "application/vnd.oci.image.index.v1+json";
    let entries = json!([layout["manifests"][0], other]);
    let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": entries}).to_string();
    let digest = support::sha256(index.as_bytes());
    std::fs::write(blob(&cache, &digest), &index).unwrap();
    layout["manifests"] = json!([{"mediaType": media_type, "digest": digest, "size": index.len(),
        "annotations": {"org.opencontainers.image.ref.name": "latest"}}]);
    std::fs::write(cache.join("index.json"), layout.to_string()).unwrap();
    let to = temp.path().join("to").display().to_string();
    let runs: [&[&str]; 6] = [
        &["inspect", &at],
        &["inspect", "--tree", &at],
        &["inspect", "--json", &at],
        &["config", "--canonical", &at],
        &["copy", &at, &to],
        &["ls", &at],
    ];
    for args in runs {
        let ran = bkcache(args.iter().chain(&["--progress", "json"])).ok();
        let warned = events(&ran).into_iter().filter(|event| event["event"] == "warning");
        let messages: Vec<String> = warned.map(|event| event["message"].to_string()).collect();
        let expected = format!("manifest {absent} is skipped");
        assert!(messages.len() == 1 && messages[0].contains(&expected), "{args:?}: {messages:?}");
        let ran = bkcache(args).ok();
        assert!(!ran.text().contains("warning: "), "{args:?}: {}", ran.text());
        assert!(ran.stderr.contains(&expected), "{args:?}: {}", ran.stderr);
        assert_eq!(bkcache(args.iter().chain(&["-q"])).ok().stderr, "");
    }
}

#[test]
fn quiet_prints_errors_and_what_was_asked_for_and_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let missing = copy_of(CACHE, &temp.path().join("missing"));
    std::fs::remove_file(blob(&missing, LAYER)).unwrap();
    let (sound, missing) = (path(CACHE), missing.display().to_string());
    let to = |name: &str| temp.path().join(name).display().to_string();
    let silent: [&[&str]; 3] =
        [&["copy", &sound, &to("a")], &["copy", "--canonical", &missing, &to("b")], &["verify", &sound]];
    for args in silent {
        for more in [&["-q"] as &[&str], &["-q", "--progress", "plain"], &["-q", "--progress", "json"]] {
            let ran = bkcache(args.iter().chain(more)).ok();
            assert_eq!((ran.text().as_str(), ran.stderr.as_str()), ("", ""), "{args:?}");
        }
    }
    for command in ["ls", "inspect", "manifest", "config"] {
        let ran = bkcache([command, "-q", &sound]).ok();
        assert!(!ran.stdout.is_empty() && ran.stderr.is_empty(), "{command}");
    }
    let ran = bkcache(["verify", "-q", &missing]);
    let text = ran.text();
    assert!(ran.code == 3 && text.lines().all(|line| line.starts_with("error: ")), "{text}");
    assert!(!text.is_empty() && ran.stderr.is_empty(), "{}", ran.stderr);
    let ran = bkcache(["copy", "-q", &missing, &to("c")]);
    assert_eq!((ran.code, ran.stderr.lines().count(), ran.text().as_str()), (1, 1, ""));
    let ran = bkcache(["copy", "-q", "--progress", "json", &missing, &to("c")]);
    assert_eq!((ran.code, events(&ran).len()), (1, 1), "{}", ran.stderr);
}

#[test]
fn plain_progress_has_a_line_for_each_blob_that_is_written_and_a_summary() {
    let temp = tempfile::tempdir().unwrap();
    let to = temp.path().join("copy").display().to_string();
    let copy = || bkcache(["copy", "--progress", "plain", &path(CACHE), &to]).ok().stderr;
    let first = copy();
    let (lines, summary) = first.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(lines.lines().filter(|line| line.starts_with("writing ")).count(), 12, "{first}");
    assert!(summary.starts_with("10 blobs written; 16.17 KiB in "), "{summary}");
    // Blobs that exist have no line, only the manifest, which is published again.
    let again = copy();
    let (line, summary) = again.trim_end().split_once('\n').unwrap();
    assert!(line.starts_with("writing cache image manifest "), "{again}");
    assert!(summary.starts_with("10 blobs already there; 0 B in "), "{again}");
    let verified = bkcache(["verify", "--progress", "plain", &path(CACHE)]).ok().stderr;
    assert!(verified.starts_with("10 blobs checked; ") && verified.lines().count() == 1, "{verified}");
    let listed = bkcache(["ls", "--progress", "plain", &path(CACHE)]).ok().stderr;
    assert!(listed.starts_with("1 manifest read; ") && listed.lines().count() == 1, "{listed}");
    assert_eq!(bkcache(["verify", &path(CACHE)]).ok().stderr, "", "it takes no time");
}

/// A config and a manifest are no blobs, as in the last line of `copy`.
#[test]
fn the_plan_counts_the_blobs_of_layers_alone() {
    let temp = tempfile::tempdir().unwrap();
    let (source, to) = (path(CACHE), temp.path().join("to").display().to_string());
    for (args, others) in [
        (&["copy", &source, &to] as &[&str], ["writing config", "writing cache image manifest"]),
        (&["verify", &source], ["checking metadata"; 2]),
    ] {
        let events = events(&bkcache(args.iter().chain(&["--progress", "json"])).ok());
        let planned = events.iter().filter(|event| event["event"] == "planned");
        assert_eq!(planned.map(|event| event["blobs"].as_u64().unwrap()).sum::<u64>(), 10);
        let finished = events.iter().filter(|event| event["event"] == "finished");
        let mut steps: Vec<&str> = finished.map(|event| event["step"].as_str().unwrap()).collect();
        steps.retain(|step| !["writing layer", "checking"].contains(step));
        assert_eq!(steps, others);
    }
}

/// A registry whose answer to one request takes longer than a line of progress takes to come.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_pipe_a_long_command_says_how_far_it_is() {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let from = format!("{}/app:main", server.host());
    bkcache(["copy", "--quiet", &path(CACHE), &from]).ok();
    let layer = format!("/blobs/{LAYER}");
    for (request, args, line) in [
        (layer.as_str(), ["verify", &from], " of 10 blobs, "),
        ("/manifests/", ["inspect", &from], "importing cache manifest from "),
    ] {
        server.forget_seen();
        server.fault(On::new("GET", request), Fault::Delay(Duration::from_secs(7)));
        let said = bkcache(args).ok().stderr;
        assert!(said.lines().any(|one| one.contains(line)), "{args:?}: {said}");
        assert!(said.lines().count() <= 4, "{said}");
    }
}
