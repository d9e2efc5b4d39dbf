//! Docker's daemon with its built-in BuildKit (Debian's `docker.io`), with all its files in a temporary folder.
//!
//! It needs root. It sets up no network and no packet filter, and touches no other daemon.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Starting;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::peer::{Daemon, has_program, run_command, skip, try_command};

/// A daemon that runs until it is dropped.
#[derive(Debug)]
pub struct Docker {
    // In this order, so that the daemon has unmounted everything when its folder is removed.
    process: Daemon,
    folder: TempDir,
    client: PathBuf,
}

/// A step of a build, as `--progress=plain` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its title, such as `[2/5] RUN make`.
    pub name: String,
    /// Whether its result came from a cache. It did not if its layers could not be loaded, so that the step was run.
    pub cached: bool,
}

impl Docker {
    /// Starts one; `None` if a program is missing, or the right to run it.
    pub async fn start() -> Option<Self> {
        let programs = [("dockerd", "docker.io"), ("runc", "runc"), ("busybox", "busybox-static")];
        // All are searched, so that one run reports all that are missing.
        if programs.map(|(program, package)| has_program(program, package)).contains(&false) {
            return None;
        }
        if !is_root() && !skip("dockerd has to be run as root") {
            return None;
        }
        let client = client()?;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir(path.join("config")).unwrap();
        fs::write(path.join("daemon.json"), "{}").unwrap();
        let mut command = Starting::new("dockerd");
        command.args(["--iptables=false", "--ip6tables=false", "--bridge=none", "--host", &socket(path)]);
        // It repeats each request for a layer, and waits half a minute in between, even if the registry lacks the layer.
        command.arg("--max-download-attempts=1");
        for (option, name) in
            [("config-file", "daemon.json"), ("data-root", "data"), ("exec-root", "exec"), ("pidfile", "pid")]
        {
            command.arg(format!("--{option}")).arg(path.join(name));
        }
        let log = path.join("log");
        let mut process = Daemon::start(&mut command, &log, Duration::from_secs(15));
        let answers = async || {
            let output = ask(&client, path, &["version"]).output().await.unwrap();
            output.status.success().then_some(())
        };
        process.until(&log, answers).await;
        Some(Self { process, folder, client })
    }

    /// Runs `docker` with these arguments, and returns its output, both streams. Panics if the program fails.
    pub async fn run(&self, args: &[&str]) -> String {
        run_command(&mut ask(&self.client, self.folder.path(), args)).await
    }

    /// Builds a folder with BuildKit, without a network, with further arguments. Returns the steps in the order of the
    /// Dockerfile.
    pub async fn build(&self, context: &Path, args: &[&str]) -> Vec<Step> {
        let built = self.try_build(context, args).await;
        Step::all_of(&built.unwrap_or_else(|output| panic!("the build fails:\n{output}")))
    }

    /// Like [`build`](Self::build), but returns the output, as an error if the build fails.
    pub async fn try_build(&self, context: &Path, args: &[&str]) -> Result<String, String> {
        let fixed = ["build", "--progress=plain", "--network=none"];
        let args = [&fixed, args, &[context.to_str().unwrap()]].concat();
        try_command(&mut ask(&self.client, self.folder.path(), &args)).await
    }

    /// A command that runs a script which calls `docker`, and further programs that are in a folder.
    pub fn script(&self, script: &Path, programs: &Path) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let client = self.client.parent().unwrap().to_owned();
        let folders = [programs.to_owned(), client].into_iter().chain(std::env::split_paths(&path));
        let mut command = Command::new(script);
        aim(&mut command, self.folder.path()).env("PATH", std::env::join_paths(folders).unwrap());
        command
    }

    /// Removes all images and the whole cache of the builder.
    pub async fn prune(&self) {
        self.run(&["image", "prune", "--all", "--force"]).await;
        self.run(&["builder", "prune", "--all", "--force"]).await;
    }

    /// The folder with all its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The ID of its process.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Writes a context that can be built from scratch with Debian's `busybox-static`: three RUN steps and two COPY.
    /// One of them has a different result each time.
    pub fn write_context(folder: &Path) {
        let busybox = programs("busybox").into_iter().next().expect("busybox is there");
        fs::copy(busybox, folder.join("busybox")).unwrap();
        fs::write(folder.join("greeting"), "hello\n").unwrap();
        let dockerfile = r#"FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "mkdir", "/made"]
COPY greeting /made/greeting
RUN ["/bin/busybox", "sh", "-c", "/bin/busybox date +%s%N > /made/stamp"]
RUN ["/bin/busybox", "cp", "/made/greeting", "/made/copy"]
"#;
        fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
    }
}

impl Step {
    /// The steps in the output of a build that come from the Dockerfile, in its order. BuildKit numbers them. It prints
    /// `#4 [1/5] COPY a b` once or more, and finally `#4 CACHED` or `#4 DONE 0.1s`.
    pub fn all_of(output: &str) -> Vec<Self> {
        let lines: Vec<(&str, &str)> =
            output.lines().filter_map(|line| line.strip_prefix('#')?.split_once(' ')).collect();
        let mut steps: Vec<(&str, Self)> = Vec::new();
        for (number, text) in &lines {
            let counted =
                text.starts_with('[') && text.split(']').next().is_some_and(|head| head.contains('/'));
            if counted && steps.iter().all(|(seen, _)| seen != number) {
                let of_step = || lines.iter().filter(|(other, _)| other == number).map(|(_, text)| text);
                let cached = of_step().any(|text| *text == "CACHED")
                    && !of_step().any(|text| text.starts_with("ERROR"));
                steps.push((number, Self { name: (*text).to_owned(), cached }));
            }
        }
        steps.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        steps.into_iter().map(|(_, step)| step).collect()
    }
}

fn is_root() -> bool {
    #[cfg(unix)]
    return rustix::process::geteuid().is_root();
    #[cfg(not(unix))]
    return false;
}

fn socket(folder: &Path) -> String {
    format!("unix://{}", folder.join("socket").display())
}

/// A command of the client for the daemon in a folder. It reads the configuration in the folder, never the user's.
fn ask(client: &Path, folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(client);
    aim(command.args(args), folder);
    command
}

/// Sets the variables of a command so that `docker` speaks to the daemon in a folder.
fn aim<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    command.env("DOCKER_HOST", socket(folder)).env("DOCKER_CONFIG", folder.join("config"));
    command.env("DOCKER_BUILDKIT", "1").env_remove("DOCKER_CONTEXT").env_remove("DOCKER_TLS_VERIFY")
}

/// The client of the daemon's version. A newer one needs the plugin `buildx` to build, which Debian does not package.
fn client() -> Option<PathBuf> {
    let wanted = version(Path::new("dockerd"));
    let found = programs("docker").into_iter().find(|program| version(program) == wanted);
    if found.is_none() {
        skip(&format!("no docker in PATH is of dockerd's version {wanted}"));
    }
    found
}

/// The third word of `Docker version 20.10.24+dfsg1, build …`.
fn version(program: &Path) -> String {
    let output = Starting::new(program).arg("--version").output().unwrap();
    String::from_utf8_lossy(&output.stdout).split(' ').nth(2).unwrap_or_default().to_owned()
}

/// Every program of a name in PATH.
fn programs(name: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(name)).filter(|program| program.is_file()).collect()
}
