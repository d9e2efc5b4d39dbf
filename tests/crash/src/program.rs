//! Runs the real program, kills it when the time has come, and says how it ended.
//!
//! A death that was not ours is never taken for one: it is the program's own crash.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// The longest that the program may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The time between two looks at whether the time to kill has come.
const PAUSE: Duration = Duration::from_micros(50);

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself, with a code.
    Exited(ExitStatus),
    /// We killed it.
    Killed,
    /// By a signal that we did not send.
    Died(ExitStatus),
}

/// Builds the program as this one was built, and gives its path.
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

/// Runs a command, and kills it when `is_time` says so, which is told the time since the start.
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

/// A program that has ended meanwhile keeps the status that it had.
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

/// Where there are no signals, the code that the standard library ends a program with.
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
    fn a_kill_that_was_sent_is_one_and_no_other_death_is() {
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
    fn a_kill_that_comes_too_late_is_none() {
        let late = |script: &str| {
            let mut child = Command::new("sh").args(["-c", script]).spawn().unwrap();
            // It ends, and is not waited for: only then is a kill too late for sure.
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
