//! The shell session of one page: a temporary folder, an environment of its own, and a registry if the page names one.
//!
//! Every command is a process. What it exports and the folder that it changes to are kept for the next one, as in a
//! terminal. In commands `registry.example.com` and `ghcr.io` become the address of the registry, in output the address
//! becomes `registry.example.com`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use test_registries::{DockerRegistry, Guard, has_program};

use crate::page::root;
use crate::world::World;

const REGISTRY: &str = "registry.example.com";

pub struct Session {
    folder: TempDir,
    registry: Option<DockerRegistry>,
    environment: BTreeMap<String, String>,
    /// Values for the expressions of workflows, such as `github.repository`.
    pub values: BTreeMap<String, String>,
}

/// What a reader sees of a command.
pub struct Ran {
    /// Both streams as they came, without a terminal.
    pub output: String,
    pub code: i32,
}

impl Session {
    /// Lays out what a page's reader has. `None` if a program is missing that the page needs.
    pub fn start(world: &World, name: &str, text: &str) -> Result<Option<Self>, String> {
        let setup = setup_text(&format!("{name}.sh"));
        let values = setup_values(&[setup_text("common.env"), setup_text(&format!("{name}.env"))].concat())?;
        let all = format!("{text}{setup}{values:?}");
        if has_word(&all, "jq") && !has_program("jq", "jq") {
            return Ok(None);
        }
        let registry = match all.contains(REGISTRY) || all.contains("ghcr.io") {
            true => {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                let Some(registry) = runtime.block_on(DockerRegistry::start(Guard::Open)) else {
                    return Ok(None);
                };
                Some(registry)
            }
            false => None,
        };
        let folder = tempfile::tempdir().unwrap();
        for part in ["page", "home", "state", "tmp"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        let mut session = Self { folder, registry, environment: BTreeMap::new(), values: BTreeMap::new() };
        session.environment = session.environment(world);
        for (key, value) in values {
            let value = session.with_registry(&value);
            match key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                true => session.environment.insert(key, value),
                false => session.values.insert(key, value),
            };
        }
        let ran = session.script(&setup, &BTreeMap::new());
        match ran.code {
            0 => Ok(Some(session)),
            code => Err(format!("tests/docs/{name}.sh ends with exit code {code}:\n{}", ran.output)),
        }
    }

    /// Runs a command that was typed.
    pub fn typed(&self, command: &str) -> Ran {
        let state = self.folder.path().join("state").display().to_string();
        let wrapped = format!(
            "[ ! -e {state}/exports ] || {{ . {state}/exports; cd \"$(cat {state}/folder)\"; }}\n\
             trap 'export -p > {state}/exports; pwd > {state}/folder' EXIT\n{command}"
        );
        self.script(&wrapped, &BTreeMap::new())
    }

    /// Runs a script in the page's folder, with further variables.
    pub fn script(&self, script: &str, variables: &BTreeMap<String, String>) -> Ran {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new("bash");
        command.args(["-eu", "-o", "pipefail", "-c", &self.with_registry(script)]);
        command.current_dir(self.folder.path().join("page")).env_clear().envs(&self.environment);
        command.envs(variables.iter().map(|(key, value)| (key, self.with_registry(value))));
        command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer);
        let mut child = command.spawn().unwrap();
        // It holds the ends of the pipe that are to be written to, so reading would not end.
        drop(command);
        let mut output = Vec::new();
        reader.read_to_end(&mut output).unwrap();
        let code = child.wait().unwrap().code().unwrap_or(-1);
        Ran { output: self.with_example(&String::from_utf8_lossy(&output)), code }
    }

    fn environment(&self, world: &World) -> BTreeMap<String, String> {
        let inherited = std::env::var("PATH").unwrap_or_default();
        let stand_ins = root().join("tests/docs/bin");
        let path = format!("{}:{}:{inherited}", world.programs().display(), stand_ins.display());
        let at = |part: &str| self.folder.path().join(part).display().to_string();
        let environment = BTreeMap::from([
            ("FIXTURES", world.fixtures().display().to_string()),
            ("HOME", at("home")),
            ("LANG", "C.UTF-8".to_owned()),
            ("PATH", path),
            ("STATE", at("state")),
            ("TMPDIR", at("tmp")),
            ("WHY", world.why().display().to_string()),
        ]);
        environment.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    fn with_registry(&self, text: &str) -> String {
        let Some(registry) = &self.registry else { return text.to_owned() };
        // The project's own images stay what they are.
        let (own, host) = ("ghcr.io/bkcache/", registry.host());
        let text = text.replace(own, "\0").replace(REGISTRY, &host).replace("ghcr.io", &host);
        text.replace('\0', own)
    }

    fn with_example(&self, text: &str) -> String {
        let Some(registry) = &self.registry else { return text.to_owned() };
        text.replace(&registry.host(), REGISTRY)
    }
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|char: char| !char.is_alphanumeric()).any(|found| found == word)
}

/// A file of `tests/docs`, empty if there is none.
fn setup_text(file: &str) -> String {
    fs::read_to_string(root().join("tests/docs").join(file)).unwrap_or_default()
}

/// The lines `KEY=VALUE` of a set-up.
fn setup_values(text: &str) -> Result<Vec<(String, String)>, String> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let split = |line: &str| {
        let (key, value) = line.split_once('=')?;
        Some((key.to_owned(), value.to_owned()))
    };
    lines.map(|line| split(line).ok_or_else(|| format!("{line:?} is not KEY=VALUE"))).collect()
}
