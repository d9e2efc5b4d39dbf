//! The program after Ctrl-C, SIGTERM and SIGKILL: it ends soon, dies of the signal, and names nothing unfinished. The same
//! command continues.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use test_registries::{Behavior, DockerRegistry, Fault, Guard, On, Registry, Server};

use crate::support::{bkcache, bkcache_with_input, blob, fixture, program, sha256};

const CACHE: &str = "app-max-manifest-oci-gzip";
/// The request for a layer.
const LAYER: &str = "/blobs/sha256:0e866b87ac424ab43011814afeaabcc6be12520feddd678d03b8ff31e5244717";
/// The size of a layer, in bytes, that is interrupted in its middle.
const LARGE: u64 = 16 << 20;
const RESUMES: &str = "bkcache: interrupted; run the same command again to continue\n";
/// Longer than the program may take to end, and shorter than its request takes.
const SOON: Duration = Duration::from_secs(15);

fn start(args: &[&str]) -> Child {
    let mut command = program();
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < SOON, "{what}");
        sleep(Duration::from_millis(2));
    }
}

/// The signal that the program died of, and its standard error.
fn end(mut child: Child) -> (Option<i32>, String) {
    until("it ends", || child.try_wait().unwrap().is_some());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let status = child.wait().unwrap();
    (status.signal(), said)
}

fn staged(layout: &Path) -> usize {
    fs::read_dir(layout.join("ingest")).map_or(0, Iterator::count)
}

/// Exports a cache with one large layer to a registry, and gives the layer's digest.
fn export_large(folder: &Path, to: &str) -> String {
    let bytes: Vec<u8> =
        (0..LARGE / 8).flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect();
    let digest = sha256(&bytes);
    let layers = folder.join("layers");
    fs::create_dir(&layers).unwrap();
    fs::write(layers.join(&digest), bytes).unwrap();
    let layer =
        json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": LARGE});
    let result = json!({"createdAt": "2026-01-02T03:04:05Z", "layers": [layer]});
    let record = json!({"digest": "sha256:step", "results": [result]}).to_string();
    let blobs = layers.display().to_string();
    let args = ["export", "--quiet", "--records", "-", "--blobs", &blobs, "--to", to];
    bkcache_with_input(args, record.as_bytes()).ok();
    digest
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_pull_names_nothing_and_the_same_command_asks_for_the_rest_only() {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let (from, folder) = (format!("{}/app:main", server.host()), tempfile::tempdir().unwrap());
    let layer = export_large(folder.path(), &from);
    let get = format!("/blobs/{layer}");
    for ask in [Signal::INT, Signal::TERM, Signal::KILL] {
        server.forget_seen();
        server.fault(On::new("GET", &get), Fault::StallBody(usize::try_from(LARGE / 2).unwrap()));
        let layout = folder.path().join(ask.as_raw().to_string());
        let to = layout.display().to_string();
        let part = layout.join("ingest").join(format!("bkcache-part-{}", layer.replace(':', "-")));
        let child = start(&["copy", "--progress", "none", &from, &to]);
        until("half of the layer is written", || {
            fs::metadata(&part).is_ok_and(|part| part.len() == LARGE / 2)
        });
        // Some process managers send it twice.
        signal(&child, ask);
        signal(&child, ask);
        let said = if ask == Signal::KILL { "" } else { RESUMES };
        assert_eq!(end(child), (Some(ask.as_raw()), said.to_owned()));
        assert!(!layout.join("index.json").exists(), "nothing is named");
        assert!(!blob(&layout, &layer).exists(), "nothing unverified is a blob");
        assert_eq!(staged(&layout), 1);

        server.forget_seen();
        let ran = bkcache(["copy", "-v", "--progress", "plain", &from, &to]).ok();
        for line in [
            format!("going on with {layer} after its first {} bytes\n", LARGE / 2),
            "; 8 MiB were left by an interrupted copy\n".to_owned(),
        ] {
            assert!(ran.stderr.contains(&line), "{}", ran.stderr);
        }
        let seen = server.seen_with("GET", &get);
        let asked: Vec<_> = seen.iter().map(|seen| (seen.header("range"), seen.sent)).collect();
        assert_eq!(asked, [(Some(format!("bytes={}-", LARGE / 2).as_str()), LARGE / 2)]);
        assert_eq!(staged(&layout), 0, "nothing is left staged");
        bkcache(["verify", "--no-read", &to]).ok();
        assert_eq!(sha256(&fs::read(blob(&layout, &layer)).unwrap()), layer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_ignores_ranges_and_a_part_that_was_damaged_cost_one_more_read() {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let (from, folder) = (format!("{}/app:main", server.host()), tempfile::tempdir().unwrap());
    let layer = export_large(folder.path(), &from);
    let get = format!("/blobs/{layer}");
    let (layout, other) = (folder.path().join("cache"), folder.path().join("other"));
    let part = layout.join("ingest").join(format!("bkcache-part-{}", layer.replace(':', "-")));
    bkcache(["copy", "--quiet", &from, &other.display().to_string()]).ok();
    let bytes = fs::read(blob(&other, &layer)).unwrap();
    for (kept, fault, sent) in [
        (&bytes[..1000], Some(Fault::IgnoreRange), vec![LARGE]),
        (&[0; 1000][..], None, vec![LARGE - 1000, LARGE]),
    ] {
        let _ = fs::remove_dir_all(&layout);
        fs::create_dir_all(layout.join("ingest")).unwrap();
        fs::write(&part, kept).unwrap();
        server.forget_seen();
        if let Some(fault) = fault {
            server.fault(On::new("GET", &get), fault);
        }
        let ran = bkcache(["copy", "-v", "--progress", "plain", &from, &layout.display().to_string()]).ok();
        let seen: Vec<_> = server.seen_with("GET", &get).iter().map(|seen| seen.sent).collect();
        assert_eq!(seen, sent, "{}", ran.stderr);
        let retried = ran.stderr.contains(&format!(": copy {layer}: "));
        assert_eq!(retried, sent.len() == 2, "{}", ran.stderr);
        assert!(fs::read(blob(&layout, &layer)).unwrap() == bytes);
        assert_eq!(staged(&layout), 0);
    }
}

/// The registry ends the unfinished upload, whether or not it answers that. The same command sends what is missing.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_push_leaves_no_upload_and_goes_on_with_the_missing_blobs() {
    let layer = LAYER.rsplit_once(':').unwrap().1;
    for answers in [true, false] {
        let server = Server::start(Registry::new(Behavior::default())).await;
        let (from, to) = (fixture(CACHE).display().to_string(), format!("{}/app:main", server.host()));
        server.fault(On::new("PUT", layer), Fault::Silence);
        if !answers {
            server.fault(On::new("DELETE", ""), Fault::Silence);
        }
        let child = start(&["copy", "--progress", "none", &from, &to]);
        let content = &server.service.content;
        until("all other layers are there", || {
            content.blobs("app").len() == 9 && !server.seen_with("PUT", layer).is_empty()
        });
        assert_eq!(content.uploads(), 1);
        let began = Instant::now();
        signal(&child, Signal::INT);
        assert_eq!(end(child), (Some(2), RESUMES.to_owned()));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(server.seen_with("DELETE", "/uploads/").len(), 1);
        assert_eq!(content.uploads(), usize::from(!answers));

        server.heal();
        server.forget_seen();
        bkcache(["copy", "--quiet", &from, &to]).ok();
        // The layer, the config and the manifest.
        let sent = server.seen_with("PUT", "").len();
        let (digest, _, manifest) = content.manifest("app", "main").unwrap();
        let size = |digest: &str| content.blob("app", digest).unwrap().len();
        let config = serde_json::from_slice::<Value>(&manifest).unwrap()["config"].clone();
        let missing =
            size(&format!("sha256:{layer}")) + size(config["digest"].as_str().unwrap()) + manifest.len();
        let received: usize = server.seen().iter().map(|seen| seen.received).sum();
        assert_eq!((sent, received), (3, missing), "{digest}");
    }
}

/// The sizes of the unfinished uploads that Docker's registry keeps for the repository `app`, in bytes.
fn kept_uploads(registry: &DockerRegistry) -> Vec<u64> {
    let uploads = registry.folder().join("data/docker/registry/v2/repositories/app/_uploads");
    let Ok(uploads) = fs::read_dir(uploads) else { return Vec::new() };
    let data = uploads.map(|upload| fs::metadata(upload.unwrap().path().join("data")));
    data.flatten().map(|data| data.len()).collect()
}

/// In the middle of a layer, of which Docker's registry has bytes.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_push_leaves_no_bytes_in_dockers_registry() {
    let Some(registry) = DockerRegistry::start(Guard::Open).await else { return };
    let server = Server::start(Registry::new(Behavior::default())).await;
    let (from, folder) = (format!("{}/app:main", server.host()), tempfile::tempdir().unwrap());
    let get = format!("/blobs/{}", export_large(folder.path(), &from));
    let to = format!("{}/app:main", registry.host());
    for ask in [Signal::INT, Signal::TERM] {
        server.fault(On::new("GET", &get), Fault::StallBody(usize::try_from(LARGE / 2).unwrap()));
        let child = start(&["copy", "--progress", "none", &from, &to]);
        until("the registry has bytes", || kept_uploads(&registry).iter().any(|bytes| *bytes > 0));
        signal(&child, ask);
        assert_eq!(end(child), (Some(ask.as_raw()), RESUMES.to_owned()));
        assert_eq!(kept_uploads(&registry), [0; 0]);
    }
    bkcache(["copy", "--quiet", &from, &to]).ok();
    bkcache(["verify", &to]).ok();
    assert_eq!(kept_uploads(&registry), [0; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_verify_says_so() {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let from = format!("{}/app:main", server.host());
    bkcache(["copy", "--quiet", &fixture(CACHE).display().to_string(), &from]).ok();
    server.forget_seen();
    server.fault(On::new("GET", LAYER), Fault::Silence);
    let child = start(&["verify", &from]);
    until("the layer is asked for", || !server.seen_with("GET", LAYER).is_empty());
    signal(&child, Signal::INT);
    assert_eq!(end(child), (Some(2), "bkcache: interrupted\n".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_ends_in_an_event_after_a_signal_if_events_are_asked_for() {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let from = format!("{}/app:main", server.host());
    bkcache(["copy", "--quiet", &fixture(CACHE).display().to_string(), &from]).ok();
    server.fault(On::new("GET", "/app/").always(), Fault::Silence);
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("to").display().to_string();
    for (command, ask, code) in [
        (&["ls", &from] as &[&str], Signal::INT, 130),
        (&["inspect", &from], Signal::TERM, 143),
        (&["manifest", &from], Signal::INT, 130),
        (&["config", &from], Signal::INT, 130),
        (&["copy", &from, &to], Signal::TERM, 143),
        (&["verify", &from], Signal::INT, 130),
    ] {
        server.forget_seen();
        let child = start(&[command, &["--progress", "json"]].concat());
        until("something is asked for", || !server.seen().is_empty());
        signal(&child, ask);
        let (died_of, said) = end(child);
        assert_eq!(died_of, Some(ask.as_raw()), "{command:?}: {said}");
        let events: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let last = events.last().unwrap();
        assert_eq!((&last["event"], &last["kind"]), (&json!("error"), &json!("interrupted")), "{command:?}");
        assert_eq!(last["exitCode"], json!(code), "{command:?}");
    }
}

/// A program in a system call that cannot be cancelled: it opens a named pipe that nobody reads.
fn unstoppable(folder: &Path) -> Child {
    let (layout, pipe) = (folder.join("cache"), folder.join("pipe"));
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let (to, pipe) = (layout.display().to_string(), pipe.display().to_string());
    let from = fixture(CACHE).display().to_string();
    let child = start(&["copy", "--progress", "none", "--metadata-file", &pipe, &from, &to]);
    until("the cache is there", || layout.join("index.json").exists());
    sleep(Duration::from_secs(1));
    child
}

#[test]
fn a_system_call_that_cannot_be_cancelled_does_not_delay_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let child = unstoppable(folder.path());
    signal(&child, Signal::TERM);
    assert_eq!(end(child), (Some(15), RESUMES.to_owned()));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = unstoppable(folder.path());
    let began = Instant::now();
    signal(&child, Signal::INT);
    sleep(Duration::from_secs(1));
    assert!(child.try_wait().unwrap().is_none(), "the first has not");
    signal(&child, Signal::INT);
    assert_eq!(end(child), (Some(2), RESUMES.to_owned()));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ignored_signal_stays_ignored() {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let from = format!("{}/app:main", server.host());
    bkcache(["copy", "--quiet", &fixture(CACHE).display().to_string(), &from]).ok();
    server.forget_seen();
    server.fault(On::new("GET", LAYER), Fault::Delay(Duration::from_secs(2)));
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' INT; exec \"$@\"", "sh"]).arg(program().get_program()).args(["verify", &from]);
    let child = shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the layer is asked for", || !server.seen_with("GET", LAYER).is_empty());
    signal(&child, Signal::INT);
    assert!(child.wait_with_output().unwrap().status.success());
}

/// Also while it waits for records on its input, or for a reader of its output.
#[test]
fn an_interruption_is_an_error_event_whatever_the_program_waits_for() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir(folder.path().join("layers")).unwrap();
    let (layers, to, deep) = (at("layers"), at("to"), fixture("deep-100").display().to_string());
    let runs: [&[&str]; 3] = [
        &["export", "--records", "-", "--print-config", "--progress", "json"],
        &["export", "--records", "-", "--blobs", &layers, "--to", &to, "--progress", "json"],
        &["inspect", "--json", &deep, "--progress", "json"],
    ];
    for args in runs {
        let mut command = program();
        let piped = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = piped.spawn().unwrap();
        until("it listens to signals", || {
            let tasks = fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
            let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            let names: Vec<String> = tasks.filter_map(Result::ok).map(name).collect();
            names.iter().any(|name| name.trim() == "signals")
        });
        // Time to install the handlers, and to fill the pipe.
        sleep(Duration::from_millis(500));
        signal(&child, Signal::TERM);
        let (died, said) = end(child);
        assert_eq!(died, Some(Signal::TERM.as_raw()), "{args:?}: {said}");
        let last: Value = serde_json::from_str(said.lines().last().unwrap_or_default()).unwrap();
        assert_eq!((&last["event"], &last["kind"]), (&json!("error"), &json!("interrupted")), "{args:?}");
        assert_eq!(said.matches("\"error\"").count(), 1, "{args:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_merge_leaves_each_tag_as_it_was_and_the_same_command_finishes_it() {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let (from, folder) = (format!("{}/app:main", server.host()), tempfile::tempdir().unwrap());
    let layer = export_large(folder.path(), &from);
    let to = folder.path().join("cache");
    bkcache(["copy", "--quiet", &fixture(CACHE).display().to_string(), &to.display().to_string()]).ok();
    let before = fs::read(to.join("index.json")).unwrap();
    let place = to.display().to_string();
    let merge = ["merge", "--append", "--progress", "none", &from, &place];
    for ask in [Signal::INT, Signal::TERM, Signal::KILL] {
        server.forget_seen();
        server.fault(On::new("GET", &format!("/blobs/{layer}")), Fault::StallBody(1 << 20));
        let child = start(&merge);
        until("the layer is read", || !server.seen_with("GET", &format!("/blobs/{layer}")).is_empty());
        signal(&child, ask);
        let said = if ask == Signal::KILL { "" } else { RESUMES };
        assert_eq!(end(child), (Some(ask.as_raw()), said.to_owned()));
        assert_eq!(fs::read(to.join("index.json")).unwrap(), before);
        server.heal();
    }
    bkcache(merge).ok();
    bkcache(["verify", &place]).ok();
    let config = bkcache(["config", &place]).ok();
    assert!(String::from_utf8(config.stdout).unwrap().contains(r#""digest":"sha256:step""#));
}
