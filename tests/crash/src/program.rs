//! Runs the real program, kills it at a given moment, and reports how it ended.
//!
//! A signal that this harness did not send is a crash of the program.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// The longest that the program may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The time between two calls of `is_time`.
const PAUSE: Duration = Duration::from_micros(50);

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With an exit code.
    Exited(ExitStatus),
    /// Killed by this harness.
    Killed,
    /// By a signal that this harness did not send.
    Died(ExitStatus),
}

/// Builds `bkcache` with the profile of this program; its path.
pub(crate) fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut cargo = Command::new(cargo);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--package", "bkcache"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    ensure!(cargo.status().context("cannot run cargo")?.success(), "bkcache cannot be built");
    let own = std::env::current_exe().context("cannot find this program")?;
    Ok(own.with_file_name("bkcache").with_extension(std::env::consts::EXE_EXTENSION))
}

/// Runs a command, and kills it as soon as `is_time` is true; its argument is the time since the start.
pub(crate) fn run(command: &mut Command, mut is_time: impl FnMut(Duration) -> bool) -> Result<End> {
    let mut child = command.spawn().context("cannot run bkcache")?;
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for bkcache")? {
            return Ok(end(status, false));
        }
        if is_time(began.elapsed()) {
            return Ok(end(kill(&mut child)?, true));
        }
        if began.elapsed() > PATIENCE {
            kill(&mut child)?;
            bail!("bkcache has not ended within {PATIENCE:?}");
        }
        std::thread::sleep(PAUSE);
    }
}

/// A program that has ended meanwhile keeps its own status.
fn kill(child: &mut Child) -> Result<ExitStatus> {
    child.kill().context("cannot kill bkcache")?;
    child.wait().context("cannot wait for bkcache")
}

fn end(status: ExitStatus, sent: bool) -> End {
    if sent && is_of_kill(status) {
        End::Killed
    } else if status.code().is_some() {
        End::Exited(status)
    } else {
        End::Died(status)
    }
}

#[cfg(unix)]
fn is_of_kill(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    const SIGKILL: i32 = 9;
    status.signal() == Some(SIGKILL)
}

/// Without signals, the exit code with which the standard library ends a killed program.
#[cfg(not(unix))]
fn is_of_kill(status: ExitStatus) -> bool {
    status.code() == Some(1)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn run_shell(script: &str, is_time: impl FnMut(Duration) -> bool) -> Result<End> {
        run(Command::new("sh").args(["-c", script]), is_time)
    }

    #[test]
    fn only_a_signal_that_was_sent_counts_as_a_kill() {
        assert_eq!(run_shell("exec sleep 60", |_| true).unwrap(), End::Killed);
        for signal in ["KILL", "SEGV", "ABRT", "TERM"] {
            let ended = run_shell(&format!("kill -{signal} $$"), |_| false).unwrap();
            assert!(matches!(ended, End::Died(status) if !status.success()), "{signal}: {ended:?}");
        }
        assert!(
            matches!(run_shell("exit 3", |_| false).unwrap(), End::Exited(status) if status.code() == Some(3))
        );
    }

    #[test]
    fn a_kill_after_the_end_does_not_count() {
        let late = |script: &str| {
            let mut child = Command::new("sh").args(["-c", script]).spawn().unwrap();
            // The program has ended and is not reaped yet: now a kill is certainly too late.
            let stat = format!("/proc/{}/stat", child.id());
            while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
                std::thread::sleep(PAUSE);
            }
            end(kill(&mut child).unwrap(), true)
        };
        if cfg!(target_os = "linux") {
            assert!(matches!(late("exit 0"), End::Exited(status) if status.success()));
            assert!(matches!(late("kill -SEGV $$"), End::Died(_)));
        }
    }
}
