//! The GitHub Action: what action.yml gives its scripts, and the scripts in the environment of a runner, with archives in a local folder.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use saphyr::{LoadableYamlNode, Yaml};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const NAME: &str = "bkcache-0.1.0-x86_64-unknown-linux-musl";

/// A runner, with a release whose program prints its arguments and ends with 3.
struct Runner(TempDir);

impl Runner {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (release, packed) = (folder.path().join("releases/v0.1.0"), folder.path().join(NAME));
        for new in [&release, &packed, &folder.path().join("temp")] {
            fs::create_dir_all(new).unwrap();
        }
        let program = packed.join("bkcache");
        fs::write(&program, "#!/bin/sh\nfor word in \"$@\"; do echo \"[$word] <b>\"; done\nexit 3\n")
            .unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let archive = release.join(format!("{NAME}.tar.gz"));
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(folder.path()).arg("-czf").arg(&archive).arg(NAME);
        assert!(tar.status().unwrap().success());
        let digest = Sha256::digest(fs::read(&archive).unwrap());
        let checksum: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let line = format!("{checksum}  {NAME}.tar.gz\n");
        fs::write(release.join(format!("{NAME}.tar.gz.sha256")), line).unwrap();
        Self(folder)
    }

    fn run(&self, script: &str, variables: &[(&str, &str)]) -> Output {
        let folder = self.0.path();
        let path = format!("{}:{}", folder.join(NAME).display(), std::env::var("PATH").unwrap());
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../action");
        Command::new("bash")
            .arg(scripts.join(script))
            .env("PATH", path)
            .env("RUNNER_OS", "Linux")
            .env("RUNNER_ARCH", "X64")
            .env("RUNNER_TEMP", folder.join("temp"))
            .env("GITHUB_PATH", folder.join("path"))
            .env("GITHUB_OUTPUT", folder.join("output"))
            .env("GITHUB_STEP_SUMMARY", folder.join("summary"))
            .env("BKCACHE_RELEASES", format!("file://{}", folder.join("releases").display()))
            .env("BKCACHE_VERSION", "0.1.0")
            .env("BKCACHE_SUMMARY", "true")
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.path().join(file)).unwrap_or_default()
    }

    fn is_refused(&self, variables: &[(&str, &str)], message: &str) {
        let output = self.run("install.sh", variables);
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{shown}");
        assert!(shown.contains(message), "{shown}");
        assert_eq!(self.read("path"), "", "something was installed");
    }
}

/// The names that follow a text at each place where it stands.
fn names_after(start: &str, text: &str) -> BTreeSet<String> {
    let is_of_name = |char: &char| char.is_ascii_alphanumeric() || "_-".contains(*char);
    text.split(start).skip(1).map(|rest| rest.chars().take_while(is_of_name).collect()).collect()
}

fn get<'y, 'i>(yaml: &'y Yaml<'i>, key: &str) -> &'y Yaml<'i> {
    yaml.as_mapping_get(key).unwrap_or_else(|| panic!("action.yml: no {key} in {yaml:?}"))
}

fn keys(yaml: &Yaml<'_>) -> BTreeSet<String> {
    yaml.as_mapping().unwrap().keys().map(|key| key.as_str().unwrap().to_owned()).collect()
}

#[test]
fn action_yml_uses_each_input_and_gives_each_script_the_variables_that_it_reads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join("action.yml")).unwrap();
    let action = &Yaml::load_from_str(&text).unwrap()[0];
    assert_eq!(names_after("inputs.", &text), keys(get(action, "inputs")));

    let mut run = BTreeSet::new();
    for step in get(get(action, "runs"), "steps").as_sequence().unwrap() {
        let command = get(step, "run").as_str().unwrap();
        let script =
            command.strip_prefix("\"$GITHUB_ACTION_PATH/action/").unwrap().strip_suffix('"').unwrap();
        let file = root.join("action").join(script);
        assert_ne!(fs::metadata(&file).unwrap().permissions().mode() & 0o111, 0, "{script} cannot be run");
        let code = fs::read_to_string(&file).unwrap();
        let code: String = code.lines().filter(|line| !line.starts_with('#')).collect();
        let read: BTreeSet<String> =
            names_after("BKCACHE_", &code).iter().map(|name| format!("BKCACHE_{name}")).collect();
        assert_eq!(read, keys(get(step, "env")), "the variables of {script}");
        if let Some(id) = step.as_mapping_get("id").and_then(Yaml::as_str) {
            for output in names_after(&format!("steps.{id}.outputs."), &text) {
                assert!(code.contains(&format!("\"{output}=")), "{script} writes no {output}");
            }
        }
        run.insert(script.to_owned());
    }
    let scripts = fs::read_dir(root.join("action")).unwrap();
    let scripts = scripts.map(|script| script.unwrap().file_name().into_string().unwrap());
    assert_eq!(run, scripts.collect(), "the scripts in action");
}

#[test]
fn an_archive_with_the_right_checksum_is_installed() {
    let runner = Runner::new();
    let output = runner.run("install.sh", &[("BKCACHE_VERSION", "v0.1.0")]);
    assert!(output.status.success(), "{output:?}");
    let installed = runner.read("path");
    assert!(Path::new(installed.trim_end()).join("bkcache").is_file(), "{installed}");
}

#[test]
fn nothing_is_installed_that_is_not_what_was_asked_for() {
    let runner = Runner::new();
    runner.is_refused(&[("BKCACHE_SHA256", "00")], "nothing was installed");
    runner.is_refused(&[("BKCACHE_VERSION", "0.2.0")], "cannot fetch");
    runner.is_refused(&[("BKCACHE_VERSION", "latest")], "the version latest is none");
    runner.is_refused(&[("BKCACHE_VERSION", "0.1.0/../0.1.0")], "the version 0.1.0/../0.1.0 is none");
    runner.is_refused(&[("RUNNER_OS", "macOS")], "bkcache-0.1.0-x86_64-apple-darwin");
    runner.is_refused(&[("RUNNER_OS", "Windows")], "bkcache-0.1.0-x86_64-pc-windows-msvc");
    runner.is_refused(&[("RUNNER_ARCH", "ARM")], "no archive for a runner of Linux on ARM");
}

#[test]
fn a_command_gets_its_words_and_its_exit_code_passes_through() {
    let runner = Runner::new();
    let output = runner.run("run.sh", &[("BKCACHE_ARGS", "verify \"./a b\" '$(id)'")]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(output.stdout, b"[verify] <b>\n[./a b] <b>\n[$(id)] <b>\n");
    assert_eq!(runner.read("output"), "exit-code=3\n");
    let summary = runner.read("summary");
    assert!(summary.contains("exit code 3") && summary.contains("[./a b] &lt;b>\n"), "{summary}");
}

#[test]
fn a_summary_that_is_not_wanted_is_not_written_and_a_quote_without_an_end_runs_nothing() {
    let runner = Runner::new();
    runner.run("run.sh", &[("BKCACHE_ARGS", "verify"), ("BKCACHE_SUMMARY", "false")]);
    let output = runner.run("run.sh", &[("BKCACHE_ARGS", "verify \"./a")]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!((runner.read("summary").as_str(), runner.read("output").as_str()), ("", "exit-code=3\n"));
}
