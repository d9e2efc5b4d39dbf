//! The progress bar on a terminal.
#![cfg(target_os = "linux")]

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use test_registries::{Behavior, Fault, On, Registry, Server};

use crate::support::{age, bkcache, copy_of, fixture, program, run};

const CACHE: &str = "app-max-manifest-oci-gzip";
/// The request for a layer.
const LAYER: &str = "/blobs/sha256:0e866b87ac424ab43011814afeaabcc6be12520feddd678d03b8ff31e5244717";

/// Starts the program with a terminal of this width as standard error. The thread gives everything that was shown.
fn start(args: &[&str], columns: u16) -> (Child, JoinHandle<String>) {
    let (child, shown, _) = start_with(args, columns, &[]);
    (child, shown)
}

fn resize(terminal: &impl AsFd, columns: u16) {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}

/// As `start`, with environment variables, and with the terminal, to be resized.
fn start_with(
    args: &[&str],
    columns: u16,
    variables: &[(&str, &str)],
) -> (Child, JoinHandle<String>, OwnedFd) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    resize(&terminal, columns);
    let resizable = rustix::io::dup(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let stderr = OpenOptions::new().read(true).write(true).open(name).unwrap();
    let mut command = program();
    command.args(args).env("TERM", "xterm").envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
    let child = command.spawn().unwrap();
    // The command holds the other end, and the reader waits until it is closed.
    drop(command);
    let reading = thread::spawn(move || {
        let (mut terminal, mut shown) = (File::from(terminal), Vec::new());
        // A closed other end is an error here, not the end of a file.
        let _ = terminal.read_to_end(&mut shown);
        String::from_utf8(shown).unwrap()
    });
    (child, reading, resizable)
}

#[test]
fn on_a_terminal_nothing_is_deleted_without_yes() {
    let folder = tempfile::tempdir().unwrap();
    let cache = copy_of(CACHE, &folder.path().join("cache"));
    let garbage = cache.join("blobs/sha256").join("0".repeat(64));
    std::fs::write(&garbage, "no name leads here").unwrap();
    age(&cache.join("blobs"));
    let cache = cache.display().to_string();
    for (yes, is_left) in [(None, true), (Some("--yes"), false)] {
        let args: Vec<&str> = ["gc", &cache].into_iter().chain(yes).collect();
        let (mut child, shown) = start(&args, 80);
        assert!(child.wait().unwrap().success());
        let shown = shown.join().unwrap();
        assert_eq!(garbage.exists(), is_left);
        assert_eq!(shown.contains("nothing was deleted: on a terminal, --yes does it"), is_left, "{shown}");
    }
}

#[test]
fn a_short_command_shows_no_bar() {
    let cache = fixture(CACHE).display().to_string();
    let began = Instant::now();
    // On a busy machine one run may take longer.
    while began.elapsed() < Duration::from_secs(60) {
        let began = Instant::now();
        let (mut child, shown) = start(&["verify", &cache], 80);
        assert!(child.wait().unwrap().success());
        let took = began.elapsed();
        let shown = shown.join().unwrap();
        if took < Duration::from_millis(250) {
            assert_eq!(shown, "");
            return;
        }
    }
    panic!("nothing is done at once here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bar_fits_the_terminal_and_is_cleared_away() {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let (from, folder) = (format!("{}/app:main", server.host()), tempfile::tempdir().unwrap());
    bkcache(["copy", "--quiet", &fixture(CACHE).display().to_string(), &from]).ok();
    server.fault(On::new("GET", LAYER).always(), Fault::StallBody(100));
    for (columns, part) in [(10, " s left"), (30, "/16.17 KiB "), (45, "/s"), (75, "━"), (200, "of 10 blobs")]
    {
        let to = folder.path().join(columns.to_string()).display().to_string();
        server.forget_seen();
        let (mut child, shown) = start(&["copy", &from, &to], columns);
        while !server.seen_with("GET", LAYER).iter().any(|seen| seen.sent >= 100) {
            assert!(child.try_wait().unwrap().is_none(), "it has the layer to wait for");
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(800));
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(2));
        let shown = shown.join().unwrap();
        let (bars, rest) = shown.rsplit_once("\r\x1b[2K").unwrap();
        assert!(bars.contains(part), "{columns}: {bars:?}");
        assert!(!bars.contains("\x1b[1A"), "a line that wraps is gone back from: {columns}: {bars:?}");
        for line in bars.split("\r\x1b[2K") {
            assert!(line.chars().count() <= usize::from(columns), "{columns}: {line:?}");
        }
        assert!(rest.contains("interrupted") && !rest.contains(part), "{columns}: {rest:?}");
    }
}

/// A registry with the cache, which stops in the middle of a layer.
async fn stalling() -> (Server<Registry>, String) {
    let server = Server::start(Registry::new(Behavior::default())).await;
    let from = format!("{}/app:main", server.host());
    bkcache(["copy", "--quiet", &fixture(CACHE).display().to_string(), &from]).ok();
    server.forget_seen();
    server.fault(On::new("GET", LAYER).always(), Fault::StallBody(100));
    (server, from)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bar_follows_the_width_of_the_terminal() {
    let (server, from) = stalling().await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("to").display().to_string();
    let (mut child, shown, terminal) = start_with(&["copy", &from, &to], 100, &[]);
    while !server.seen_with("GET", LAYER).iter().any(|seen| seen.sent >= 100) {
        assert!(child.try_wait().unwrap().is_none(), "it has the layer to wait for");
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(Duration::from_secs(1));
    resize(&terminal, 30);
    thread::sleep(Duration::from_secs(1));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    child.wait().unwrap();
    drop(terminal);
    let shown = shown.join().unwrap();
    let (bars, _) = shown.rsplit_once("\r\x1b[2K").unwrap();
    let bars: Vec<&str> = bars.split("\r\x1b[2K").filter(|bar| !bar.trim().is_empty()).collect();
    assert!(bars.iter().any(|bar| bar.contains('━') && bar.chars().count() > 30), "{bars:?}");
    let last = bars.last().unwrap();
    assert!(last.chars().count() <= 30 && last.contains("KiB") && !last.contains('━'), "{last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_waits_for_metadata_says_so_and_clears_it_away() {
    let (server, from) = stalling().await;
    server.fault(On::new("GET", "/manifests/"), Fault::Delay(Duration::from_secs(2)));
    let (mut child, shown) = start(&["inspect", &from], 80);
    assert!(child.wait().unwrap().success());
    let shown = shown.join().unwrap();
    assert!(shown.contains("importing cache manifest from "), "{shown:?}");
    assert!(shown.ends_with("\r\x1b[2K"), "{shown:?}");
}

#[test]
fn a_registry_that_refuses_connections_is_named_while_it_is_tried_again() {
    // Nothing listens on the port after the listener is gone.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (mut child, shown) = start(&["inspect", &format!("{address}/app")], 80);
    thread::sleep(Duration::from_secs(2));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    child.wait().unwrap();
    let shown = shown.join().unwrap();
    assert!(shown.contains(&format!(": {address} refuses connections; check the port")), "{shown:?}");
    let (bars, rest) = shown.rsplit_once("\r\x1b[2K").unwrap();
    assert!(bars.contains(" attempt ") && rest.ends_with(" interrupted\r\n"), "{shown:?}");
    assert!(!rest.contains("attempt"), "it is cleared away: {shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_cannot_draw_gets_lines() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, from) = stalling().await;
    let cache = fixture(CACHE).display().to_string();
    let to = folder.path().join("to").display().to_string();
    let dumb = [("TERM", "dumb")];
    let (mut child, shown, terminal) = start_with(&["copy", &cache, &to], 80, &dumb);
    assert!(child.wait().unwrap().success());
    drop(terminal);
    let shown = shown.join().unwrap();
    assert!(shown.contains("writing layer ") && !shown.contains('\x1b'), "{shown:?}");
    // It takes longer than a bar waits.
    let (mut child, shown, terminal) = start_with(&["verify", &from], 80, &dumb);
    thread::sleep(Duration::from_secs(1));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    child.wait().unwrap();
    drop(terminal);
    assert_eq!(shown.join().unwrap(), "bkcache: interrupted\r\n");
}

#[test]
fn errors_have_colours_on_a_terminal_only_and_not_if_they_are_unwanted() {
    let escapes = |variables: &[(&str, &str)], more: &[&str]| {
        let args: Vec<&str> = ["inspect", "./absent"].into_iter().chain(more.iter().copied()).collect();
        let (mut child, shown, terminal) = start_with(&args, 80, variables);
        child.wait().unwrap();
        drop(terminal);
        shown.join().unwrap().contains('\x1b')
    };
    assert!(escapes(&[], &[]));
    assert!(!escapes(&[("NO_COLOR", "1")], &[]));
    assert!(!escapes(&[("TERM", "dumb")], &[]));
    assert!(!escapes(&[("CLICOLOR_FORCE", "1")], &["--progress", "json"]));
    let forced = run(program().args(["inspect", "./absent"]).env("CLICOLOR_FORCE", "1"), b"");
    assert!(forced.stderr.contains('\x1b'), "{}", forced.stderr);
}
