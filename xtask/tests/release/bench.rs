//! A small repository that is released: a workspace of the layout of this one, its remote, and its registry.
//!
//! All of it is in a temporary folder and on loopback. Programs get no variable of the surroundings, except those that
//! find the toolchain.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use test_registries::{Server, has_program};

use crate::registry::{CrateRegistry, TOKEN};

/// The files of the workspace. `beta` uses `alpha`, `gamma` uses `beta`, the program `tool` uses `gamma`.
const FILES: &[(&str, &str)] = &[
    (".gitignore", "/target\n"),
    (".cargo/config.toml", "[alias]\nxtask = \"run --quiet --package xtask --\"\n"),
    (
        ".ci/run",
        "#!/usr/bin/env bash\nset -eu\ncd \"$(dirname \"$0\")/..\"\ngit rev-parse HEAD >>\"$CI_LOG\"\neval \"$DURING_CI\"\n",
    ),
    ("CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n- Everything.\n"),
    ("README.md", "Get https://example.com/download/v0.1.0/tool, which needs sh 0.1.0.\n"),
    ("docs/commands.md", "tool 0.1.0\n"),
    (
        "Cargo.toml",
        r#"[workspace]
resolver = "3"
members = ["crates/*", "xtask"]

[workspace.package]
version = "0.1.0"
edition = "2024"
description = "For a test"
license = "MIT"
repository = "https://example.com/tool"

[workspace.dependencies]
alpha = { path = "crates/alpha", version = "0.1.0", registry = "stub" }
beta = { path = "crates/beta", version = "0.1.0", registry = "stub" }
gamma = { path = "crates/gamma", version = "0.1.0", registry = "stub" }
"#,
    ),
    ("crates/alpha/src/lib.rs", "pub fn one() -> u8 {\n    1\n}\n\npub fn two() -> u8 {\n    2\n}\n"),
    ("crates/beta/src/lib.rs", "pub fn two() -> u8 {\n    alpha::one() + alpha::one()\n}\n"),
    ("crates/gamma/src/lib.rs", "pub fn three() -> u8 {\n    beta::two() + 1\n}\n"),
    ("crates/tool/src/main.rs", "fn main() {\n    println!(\"{}\", gamma::three());\n}\n"),
    (
        "xtask/src/main.rs",
        r#"fn main() {
    let task = std::env::args().nth(1);
    if task == std::env::var("FAILING_TASK").ok() {
        std::process::exit(1);
    }
    match task.as_deref() {
        Some("docs") => std::fs::write("docs/commands.md", concat!("tool ", env!("CARGO_PKG_VERSION"), "\n")).unwrap(),
        Some("minimal-versions" | "package") => {}
        other => panic!("{other:?}"),
    }
}
"#,
    ),
];

/// The packages of the workspace, and what each uses.
const PACKAGES: &[(&str, &[&str])] = &[
    ("crates/alpha", &[]),
    ("crates/beta", &["alpha"]),
    ("crates/gamma", &["beta"]),
    ("crates/tool", &["gamma"]),
    ("xtask", &[]),
];

/// The repository with its surroundings.
pub(crate) struct Bench {
    folder: TempDir,
    pub(crate) registry: Server<CrateRegistry>,
    /// Shell commands that the checks of the repository run.
    pub(crate) during_ci: String,
    /// The task of the repository's xtask that fails.
    pub(crate) failing_task: Option<&'static str>,
}

/// What a run of the release has printed.
pub(crate) struct Run {
    pub(crate) success: bool,
    pub(crate) text: String,
}

/// All that a release may change outside of `target`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Everything {
    remote: String,
    checkout: String,
    status: String,
    crates: Vec<String>,
}

impl Bench {
    /// The repository; `None` if a program is missing that asks the index.
    pub(crate) async fn new() -> Option<Self> {
        if !has_program("curl", "curl") {
            return None;
        }
        let bench = Self {
            folder: tempfile::tempdir().unwrap(),
            registry: Server::start(CrateRegistry::default()).await,
            during_ci: String::new(),
            failing_task: None,
        };
        fs::create_dir(bench.path("remote.git")).unwrap();
        bench.git("remote.git", &["init", "--quiet", "--bare", "--initial-branch", "main"]);
        bench.git("", &["clone", "--quiet", "remote.git", "checkout"]);
        bench.git("checkout", &["switch", "--quiet", "--create", "main"]);
        for (name, text) in FILES {
            bench.write(name, text);
        }
        for (folder, uses) in PACKAGES {
            bench.write(&format!("{folder}/Cargo.toml"), &manifest(folder, uses));
        }
        bench.succeed(bench.command("cargo", "checkout").args(["generate-lockfile", "--quiet"]));
        bench.commit("all: begin");
        bench.git("checkout", &["push", "--quiet", "--set-upstream", "origin", "main"]);
        bench.git("", &["clone", "--quiet", "remote.git", "colleague"]);
        Some(bench)
    }

    /// Whether cargo-semver-checks is installed. A release installs it; for the tests alone it would take minutes.
    pub(crate) fn has_semver_checks(&self) -> bool {
        let found = self.command("cargo", "").args(["semver-checks", "--version"]).output().unwrap();
        if !found.status.success() {
            eprintln!("skipped: cargo-semver-checks is missing: cargo install --locked cargo-semver-checks");
        }
        found.status.success()
    }

    /// Puts a cargo-semver-checks in front of any other that finds every version wrong, and prints its arguments.
    pub(crate) fn plant_semver_checks(&self) {
        let program = self.path("cargo/bin/cargo-semver-checks");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::write(&program, "#!/bin/sh\ntest \"$2\" = --version || { echo \"compare: $*\"; exit 1; }\n")
            .unwrap();
        self.succeed(self.command("chmod", "").arg("+x").arg(program));
    }

    /// Runs the release without `--execute`.
    pub(crate) fn dry(&self, version: &str) -> Run {
        self.run(&["release", version])
    }

    /// Runs the release with `--execute`.
    pub(crate) fn execute(&self, version: &str) -> Run {
        self.run(&["release", version, "--execute"])
    }

    fn run(&self, args: &[&str]) -> Run {
        let mut command = self.command(env!("CARGO_BIN_EXE_xtask"), "checkout");
        command.args(args).arg("--root").arg(self.path("checkout")).args(["--registry", "stub"]);
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        Run { success: output.status.success(), text: String::from_utf8(text).unwrap() }
    }

    /// Runs git in a folder; its output.
    pub(crate) fn git(&self, folder: &str, args: &[&str]) -> String {
        self.succeed(self.command("git", folder).args(args))
    }

    /// Writes a file of the checkout.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let file = self.path("checkout").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// A file of the checkout.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path("checkout").join(name)).unwrap()
    }

    /// Commits all changes of the checkout.
    pub(crate) fn commit(&self, message: &str) {
        self.git("checkout", &["add", "--all"]);
        self.git("checkout", &["commit", "--quiet", "--message", message]);
    }

    /// Commits all changes of the checkout, and pushes them.
    pub(crate) fn push(&self, message: &str) {
        self.commit(message);
        self.git("checkout", &["push", "--quiet"]);
    }

    /// The shell commands by which somebody else pushes a commit to main.
    pub(crate) fn push_by_a_colleague(&self) -> String {
        let folder = self.path("colleague");
        let git = format!("git -C {}", folder.display());
        format!("{git} pull --quiet; {git} commit --quiet --allow-empty -m other; {git} push --quiet")
    }

    /// Makes git run shell commands before each push from the checkout: after the packages were verified.
    pub(crate) fn before_push(&self, script: &str) {
        let hook = self.path("checkout/.git/hooks/pre-push");
        fs::write(&hook, format!("#!/bin/sh\nset -eu\n{script}\n")).unwrap();
        self.succeed(self.command("chmod", "").arg("+x").arg(hook));
    }

    /// Makes the remote refuse changes of references whose name begins so, or none.
    pub(crate) fn refuse_push(&self, references: Option<&str>) {
        let hook = self.path("remote.git/hooks/update");
        match references {
            Some(name) => {
                fs::write(&hook, format!("#!/bin/sh\ncase \"$1\" in {name}*) echo no >&2; exit 1;; esac\n"))
                    .unwrap();
                self.succeed(self.command("chmod", "").arg("+x").arg(hook));
            }
            None => fs::remove_file(hook).unwrap(),
        }
    }

    /// How often the checks of the repository ran.
    pub(crate) fn checks(&self) -> usize {
        fs::read_to_string(self.path("ci.log")).unwrap_or_default().lines().count()
    }

    /// The commit that main has on the remote, with its subject.
    pub(crate) fn remote_main(&self) -> String {
        self.git("remote.git", &["log", "-1", "--format=%H %s", "main"])
    }

    /// The tags of the remote, each with the subject of its commit.
    pub(crate) fn remote_tags(&self) -> String {
        self.git("remote.git", &["tag", "--list", "--format=%(refname:short) %(objecttype) %(*subject)"])
    }

    /// All that a release may change.
    pub(crate) fn everything(&self) -> Everything {
        let refs = ["for-each-ref", "--format=%(refname) %(objectname)"];
        Everything {
            remote: self.git("remote.git", &refs),
            checkout: self.git("checkout", &refs) + &self.git("checkout", &["rev-parse", "HEAD"]),
            status: self.git("checkout", &["status", "--porcelain"]),
            crates: self.registry.service.crates(),
        }
    }

    /// Runs shell commands.
    pub(crate) fn shell(&self, script: &str) {
        self.succeed(self.command("sh", "").args(["-euc", script]));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>, folder: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path(folder)).env_clear();
        for name in ["PATH", "HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"] {
            command.envs(std::env::var_os(name).map(|value: OsString| (name, value)));
        }
        command
            .env("CARGO_HOME", self.path("cargo"))
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_REGISTRIES_STUB_INDEX", format!("sparse+{}/index/", self.registry.url()))
            .env("CARGO_REGISTRIES_STUB_TOKEN", TOKEN)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("CI_LOG", self.path("ci.log"))
            .env("DURING_CI", &self.during_ci)
            .envs(self.failing_task.map(|task| ("FAILING_TASK", task)));
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "Test")
                .env(format!("GIT_{who}_EMAIL"), "test@example.com");
        }
        command
    }

    fn succeed(&self, command: &mut Command) -> String {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Run {
    /// The output of a run that succeeded.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert!(self.success, "{}", self.text);
        self.text
    }

    /// The last line of a run that failed, which has to be its error.
    #[track_caller]
    pub(crate) fn error(self) -> String {
        assert!(!self.success, "{}", self.text);
        let last = self.text.lines().last().and_then(|line| line.strip_prefix("error: "));
        last.unwrap_or_else(|| panic!("{}", self.text)).to_owned()
    }
}

fn manifest(folder: &str, uses: &[&str]) -> String {
    let name = Path::new(folder).file_name().unwrap().to_string_lossy();
    let mut text = format!("[package]\nname = \"{name}\"\n");
    for key in ["version", "edition", "description", "license", "repository"] {
        text += &format!("{key}.workspace = true\n");
    }
    if name == "xtask" {
        text += "publish = false\n";
    }
    text += "\n[dependencies]\n";
    for name in uses {
        text += &format!("{name}.workspace = true\n");
    }
    text
}
