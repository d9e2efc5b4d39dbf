//! The program after Ctrl-C and SIGTERM: it ends soon, leaves nothing half done, and dies of the signal.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use support::{bkcache, fixture, program};
use test_registries::{Behavior, Fault, On, Registry, Server};

const CACHE: &str = "app-max-manifest-oci-gzip";
/// The request for a layer.
const LAYER: &str = "/blobs/sha256:0e866b87ac424ab43011814afeaabcc6be12520feddd678d03b8ff31e5244717";
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

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_leaves_nothing_half_done_and_resumes() {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let (from, folder) = (format!("{}/app:main", server.host()), tempfile::tempdir().unwrap());
    bkcache(["copy", "--quiet", &fixture(CACHE).display().to_string(), &from]).ok();
    for ask in [Signal::INT, Signal::TERM] {
        server.forget_seen();
        server.fault(On::new("GET", LAYER), Fault::StallBody(100));
        let layout = folder.path().join(ask.as_raw().to_string());
        let to = layout.display().to_string();
        let child = start(&["copy", "--progress", "none", &from, &to]);
        until("the layer is under way", || {
            staged(&layout) > 0 && server.seen_with("GET", LAYER).iter().any(|seen| seen.sent >= 100)
        });
        // Some process managers send it twice.
        signal(&child, ask);
        signal(&child, ask);
        assert_eq!(end(child), (Some(ask.as_raw()), RESUMES.to_owned()));
        assert_eq!(staged(&layout), 0, "nothing is left staged");
        assert!(!layout.join("index.json").exists(), "nothing is named");
        bkcache(["copy", "--quiet", &from, &to]).ok();
        bkcache(["verify", &to]).ok();
    }
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
    assert_eq!(end(child), (Some(15), String::new()));
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
    assert_eq!(end(child), (Some(2), String::new()));
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
