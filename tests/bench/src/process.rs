//! Runs other programs and measures their time and memory.
//!
//! The system gives the peak of memory of all children of a process together. So each measured program has a parent of its
//! own: this program, started again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

/// Options of `cargo xtask bench run`.
#[derive(Args)]
pub(crate) struct Run {
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// The time and memory of a run.
pub(crate) struct Ran {
    /// From its start to its end.
    pub(crate) time: Duration,
    pub(crate) used: Used,
}

/// The resources of a process; `None` where the system does not count one.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    /// The time on all processors.
    pub(crate) cpu: Option<Duration>,
    /// The peak of its memory, in bytes.
    pub(crate) peak: Option<u64>,
}

impl Used {
    /// The least time and the most memory of two runs.
    pub(crate) fn join(self, other: Self) -> Self {
        Self { cpu: self.cpu.min(other.cpu), peak: self.peak.max(other.peak) }
    }
}

/// Builds `bkcache` with the release profile; its path.
pub(crate) fn bkcache() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let status = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--release", "--quiet", "--package", "bkcache"])
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("bkcache cannot be built");
    }
    let bkcache = own_folder()?.join(format!("bkcache{}", std::env::consts::EXE_SUFFIX));
    if !bkcache.is_file() {
        bail!("bkcache was built, but not as {}", bkcache.display());
    }
    Ok(bkcache)
}

/// The folder of this program, in which cargo puts all programs that it builds.
pub(crate) fn own_folder() -> Result<PathBuf> {
    let program = std::env::current_exe().context("cannot find this program")?;
    program.parent().map(Path::to_owned).context("this program lies in no folder")
}

pub(crate) fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// Whether a program can be started.
pub(crate) fn is_installed(program: &str) -> bool {
    let started = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    started.is_ok()
}

/// Runs a program that is not measured.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Runs this program in another process; its output.
pub(crate) fn run_self(arguments: &[OsString]) -> Result<String> {
    let this = std::env::current_exe().context("cannot find this program")?;
    let output = Command::new(this).args(arguments).stderr(Stdio::inherit()).output();
    let output = output.context("cannot run this program again")?;
    if !output.status.success() {
        bail!("this program failed with the arguments {arguments:?}");
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs and measures a program.
pub(crate) fn measure(command: &[OsString]) -> Result<Ran> {
    let mut arguments = words(&["run", "--"]);
    arguments.extend_from_slice(command);
    let line = run_self(&arguments)?;
    let value: Value = serde_json::from_str(&line).context("the measuring process printed something else")?;
    let number = |key: &str| value.get(key).and_then(Value::as_u64);
    let time = number("time_ns").context("no time_ns")?;
    let used = Used { cpu: number("cpu_us").map(Duration::from_micros), peak: number("peak_bytes") };
    Ok(Ran { time: Duration::from_nanos(time), used })
}

impl Run {
    pub(crate) fn run(&self) -> Result<()> {
        let [program, arguments @ ..] = self.command.as_slice() else { bail!("no program is given") };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        let start = Instant::now();
        let status = command.status().with_context(|| format!("cannot run {}", program.display()))?;
        let time = u64::try_from(start.elapsed().as_nanos())?;
        if !status.success() {
            bail!("{command:?} failed");
        }
        let (cpu, peak) = children();
        println!("{}", json!({"time_ns": time, "cpu_us": cpu, "peak_bytes": peak}));
        Ok(())
    }
}

/// The time on processors in microseconds and the peak of memory in bytes of this process's children.
#[cfg(target_os = "linux")]
fn children() -> (Option<i64>, Option<i64>) {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike as _;
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return (None, None) };
    let cpu = usage.user_time() + usage.system_time();
    // Linux counts in KiB.
    (Some(cpu.num_microseconds()), Some(usage.max_rss() * 1024))
}

/// Not measured: other systems count in other units.
#[cfg(not(target_os = "linux"))]
fn children() -> (Option<i64>, Option<i64>) {
    (None, None)
}
