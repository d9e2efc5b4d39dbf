//! `cargo xtask coverage`: the share of each crate's lines that its own tests and the cross-crate tests run.
//!
//! Only crates of this workspace are instrumented, so the dependencies are shared with ordinary builds. It needs the LLVM
//! tools of the toolchain. Doctests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::command::{cargo, root};

/// The variable that makes this program act as a wrapper of rustc.
const WRAPPER: &str = "BKCACHE_COVERAGE";
/// The packages whose tests run.
const TESTED: [&str; 14] = [
    "cache-model",
    "cache-keys",
    "cache-edit",
    "cache-explain",
    "cache-inputs",
    "cache-format",
    "cache-ingest",
    "cache-compress",
    "cache-export",
    "cache-import",
    "cache-verify",
    "cache-target",
    // They read what cache-import gives.
    "cache-report",
    "tests",
];
/// The crates that must reach the limit.
const HELD: [&str; 9] = [
    "cache-model",
    "cache-keys",
    "cache-edit",
    "cache-explain",
    "cache-inputs",
    "cache-format",
    "cache-ingest",
    "cache-export",
    "cache-import",
];

/// Options of `cargo xtask coverage`.
#[derive(Args)]
pub(crate) struct Coverage {
    /// The least share of lines in percent, for the crates of the model, keys, edit, explain, inputs, format, ingest, export and import
    #[arg(long, default_value_t = 90.0)]
    least: f64,
    /// Write pages to this folder that show which lines ran
    #[arg(long, value_name = "FOLDER")]
    html: Option<PathBuf>,
}

/// The number of lines of some code, and of those that ran.
#[derive(Clone, Copy, Default)]
struct Lines {
    all: u64,
    ran: u64,
}

/// As a wrapper of rustc: runs rustc with the flag that instruments. `None` for an ordinary start.
pub(crate) fn as_wrapper() -> Option<ExitCode> {
    std::env::var_os(WRAPPER)?;
    let mut arguments = std::env::args_os().skip(1);
    let rustc = arguments.next().filter(|program| Path::new(program).ends_with("rustc"))?;
    let arguments: Vec<OsString> = arguments.collect();
    // A call that asks for the compiler's version compiles no crate.
    let flag = arguments.iter().any(|argument| argument == "--crate-name").then_some("-Cinstrument-coverage");
    let status = Command::new(rustc).args(arguments).args(flag).status();
    Some(if status.is_ok_and(|status| status.success()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Coverage {
    /// False where a crate is below the limit.
    pub(crate) fn run(&self) -> Result<bool> {
        let tools = Tools::find()?;
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let programs = programs()?;
        for program in &programs {
            println!("{}", program.name);
            program.run(folder.path())?;
        }
        let profile = tools.merge(folder.path())?;
        let found = tools.export(&profile, &programs)?;
        let crates = by_crate(&found)?;
        println!("\n{:>16} {:>7} {:>7} {:>7}", "crate", "lines", "run", "share");
        for (name, lines) in &crates {
            println!("{name:>16} {:>7} {:>7} {:>6.1}%", lines.all, lines.ran, lines.share());
        }
        if let Some(folder) = &self.html {
            tools.show(&profile, &programs, folder)?;
            println!("\n{}", folder.join("index.html").display());
        }
        let below: Vec<&str> = HELD
            .into_iter()
            .filter(|name| crates.get(*name).is_none_or(|lines| lines.share() < self.least))
            .collect();
        if below.is_empty() {
            return Ok(true);
        }
        eprintln!("coverage: below {} %: {}", self.least, below.join(", "));
        Ok(false)
    }
}

impl Lines {
    fn share(self) -> f64 {
        100.0 * self.ran as f64 / self.all.max(1) as f64
    }
}

/// A test program.
struct Program {
    name: String,
    path: PathBuf,
    /// The folder of its package, in which cargo runs it.
    folder: PathBuf,
}

impl Program {
    fn run(&self, profiles: &Path) -> Result<()> {
        let output = Command::new(&self.path)
            .arg("--quiet")
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.folder)
            .env("LLVM_PROFILE_FILE", profiles.join("%p-%m.profraw"))
            .output()
            .with_context(|| format!("cannot run {}", self.path.display()))?;
        if output.status.success() {
            return Ok(());
        }
        bail!("{} fails:\n{}", self.name, String::from_utf8_lossy(&output.stdout));
    }
}

/// Builds the test programs.
fn programs() -> Result<Vec<Program>> {
    let this = std::env::current_exe().context("cannot find this program")?;
    let packages = TESTED.iter().flat_map(|name| ["--package", name]);
    let output = cargo()
        .args(["test", "--no-run", "--lib", "--tests", "--message-format=json"])
        .args(packages)
        .env("RUSTC_WORKSPACE_WRAPPER", this)
        .env(WRAPPER, "1")
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the tests cannot be built");
    }
    let mut programs = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Value = serde_json::from_str(line).context("cargo printed something else")?;
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        if let (Some(path), Some(manifest), Some(name)) =
            (text("/executable"), text("/manifest_path"), text("/target/name"))
        {
            let folder = Path::new(manifest).parent().context("a manifest without a folder")?.to_owned();
            let package = folder.file_name().unwrap_or_default().to_string_lossy();
            programs.push(Program { name: format!("{package}: {name}"), path: path.into(), folder });
        }
    }
    Ok(programs)
}

/// The LLVM tools of the toolchain.
struct Tools {
    profdata: PathBuf,
    cov: PathBuf,
}

impl Tools {
    fn find() -> Result<Self> {
        let output =
            Command::new("rustc").args(["--print", "target-libdir"]).output().context("cannot run rustc")?;
        let libraries = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        let folder = libraries.parent().context("rustc names no folder")?.join("bin");
        let tools = Self { profdata: folder.join("llvm-profdata"), cov: folder.join("llvm-cov") };
        if tools.profdata.exists() && tools.cov.exists() {
            return Ok(tools);
        }
        bail!("the toolchain lacks its LLVM tools; add them: rustup component add llvm-tools");
    }

    fn merge(&self, profiles: &Path) -> Result<PathBuf> {
        let merged = profiles.join("all.profdata");
        let raw: BTreeSet<PathBuf> = fs::read_dir(profiles)?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()
            .context("cannot list the profiles")?;
        let mut command = Command::new(&self.profdata);
        run(command.args(["merge", "--sparse", "--output"]).arg(&merged).args(raw))?;
        Ok(merged)
    }

    fn export(&self, profile: &Path, programs: &[Program]) -> Result<Value> {
        let mut command = Command::new(&self.cov);
        command.args(["export", "--summary-only"]).args(arguments(profile, programs));
        serde_json::from_slice(&run(&mut command)?).context("llvm-cov printed something else")
    }

    fn show(&self, profile: &Path, programs: &[Program], folder: &Path) -> Result<()> {
        let mut command = Command::new(&self.cov);
        command.args(["show", "--format=html", "--output-dir"]).arg(folder);
        run(command.args(arguments(profile, programs))).map(drop)
    }
}

/// The arguments that name the profile and the programs to llvm-cov.
fn arguments(profile: &Path, programs: &[Program]) -> Vec<OsString> {
    let mut arguments = vec![OsString::from("--instr-profile"), profile.into()];
    for program in programs {
        arguments.extend([OsString::from("--object"), program.path.clone().into()]);
    }
    arguments
}

fn run(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

/// The lines in the sources of each tested crate.
fn by_crate(exported: &Value) -> Result<BTreeMap<String, Lines>> {
    let files = exported.pointer("/data/0/files").and_then(Value::as_array).context("no files")?;
    let crates = root().join("crates");
    let mut found: BTreeMap<String, Lines> = BTreeMap::new();
    for file in files {
        let path = Path::new(file.get("filename").and_then(Value::as_str).unwrap_or_default());
        let Ok(inside) = path.strip_prefix(&crates) else { continue };
        let mut parts = inside.components().map(|part| part.as_os_str().to_string_lossy());
        let (Some(name), Some(part)) = (parts.next(), parts.next()) else { continue };
        if part == "src" && TESTED.contains(&name.as_ref()) {
            let count = |key: &str| file.pointer(&format!("/summary/lines/{key}")).and_then(Value::as_u64);
            let lines = found.entry(name.into_owned()).or_default();
            lines.all += count("count").unwrap_or(0);
            lines.ran += count("covered").unwrap_or(0);
        }
    }
    Ok(found)
}
