//! Other programs: whether they are installed, and how they are run and stopped.
//!
//! Nothing is installed here.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tokio::process::Command;

/// Whether a program is installed. If not, prints how to install it; with `BKCACHE_REQUIRE_PEERS` set, panics.
pub fn has_program(program: &str, package: &str) -> bool {
    let found = std::process::Command::new(program).arg("--version").output().is_ok();
    found || skip(&format!("{program} is missing: apt-get install {package}"))
}

/// Prints why a test is skipped, and returns false; with `BKCACHE_REQUIRE_PEERS` set, panics.
#[allow(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn skip(why: &str) -> bool {
    assert!(std::env::var_os("BKCACHE_REQUIRE_PEERS").is_none(), "{why}");
    eprintln!("skipped: {why}");
    false
}

/// Runs a program, and returns its output, both streams. Panics if the program fails.
pub async fn run(program: &str, args: &[&str]) -> String {
    run_command(Command::new(program).args(args)).await
}

/// Runs a command, and returns its output, both streams. Panics if it fails.
pub async fn run_command(command: &mut Command) -> String {
    let ran = try_command(command).await;
    ran.unwrap_or_else(|text| panic!("{:?} fails:\n{text}", command.as_std()))
}

/// Runs a program, and returns its output, both streams; as an error if it fails.
pub(crate) async fn try_command(command: &mut Command) -> Result<String, String> {
    let output = command.kill_on_drop(true).stdin(Stdio::null()).output().await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    if output.status.success() { Ok(text) } else { Err(text) }
}

/// A program that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    /// How long it may take to stop after SIGTERM. Then it is killed. Windows has no SIGTERM: it is killed at once.
    grace: Duration,
}

impl Daemon {
    /// Starts a program, whose output goes to a file.
    pub(crate) fn start(command: &mut std::process::Command, log: &Path, grace: Duration) -> Self {
        let file = File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Self { child: command.spawn().unwrap(), grace }
    }

    /// Waits until `ready` returns something. Panics with the log if that takes more than half a minute.
    pub(crate) async fn until<T>(&mut self, log: &Path, ready: impl AsyncFn() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = ready().await {
                return found;
            }
            let ended = self.child.try_wait().unwrap();
            if ended.is_some() || start.elapsed() > Duration::from_secs(30) {
                let log = std::fs::read_to_string(log).unwrap_or_default();
                panic!("does not start ({ended:?}):\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The ID of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let start = Instant::now();
        ask_to_stop(&mut self.child);
        while start.elapsed() < self.grace {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program may have ended already. Waiting for it is right in both cases.
#[cfg(unix)]
fn ask_to_stop(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process};

    if let Some(pid) = Pid::from_raw(i32::try_from(child.id()).unwrap()) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

#[cfg(not(unix))]
fn ask_to_stop(child: &mut Child) {
    let _ = child.kill();
}
