//! `cargo xtask bench registry`: how long `bkcache copy` takes to and from a registry, beside skopeo and a push
//! that does nothing but send; and what a cache costs that a far registry has already.
//!
//! Docker's registry runs on this machine, and each push goes to a new one: programs remember what they pushed where,
//! and would mount it. The far one is the same behind a proxy that holds back each request, with tokens.

pub(super) mod bare;
mod far;
mod row;
mod table;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use test_registries::{DockerRegistry, Guard};

use self::row::{Job, Row};
use crate::layouts::{self, Blobs, Layout};
use crate::machine::{self, folder_in};
use crate::process::{self, own_folder, words};

/// Options of `cargo xtask bench registry`.
#[derive(Args)]
pub(crate) struct Registry {
    /// How often each program runs; the best time counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// How long the far registry takes to answer, in milliseconds
    #[arg(long, default_value_t = 50, value_name = "MS")]
    delay: u64,
}

impl Registry {
    pub(crate) fn run(&self) -> Result<()> {
        for (program, package) in [("docker-registry", "docker-registry"), ("skopeo", "skopeo")] {
            if !process::is_installed(program) {
                bail!("{program} is missing (Debian: apt-get install {package})");
            }
        }
        let bkcache = process::bkcache()?;
        let folder = folder_in(&own_folder()?, "bench-registry-")?;
        machine::spread_folders(folder.path());
        let source = layouts::make(Blobs::Large, &folder.path().join("source"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let rows = runtime.block_on(self.rounds(&bkcache, &source, folder.path()))?;
        print!("{}", table::render(Blobs::Large, &rows));
        let steps = layouts::make(Blobs::Steps, &folder.path().join("steps"))?;
        let delay = Duration::from_millis(self.delay);
        print!(
            "{}",
            runtime.block_on(far::measure(&bkcache, steps.path(), folder.path(), delay, self.repeat))?
        );
        Ok(())
    }

    async fn rounds(&self, bkcache: &Path, source: &Layout, folder: &Path) -> Result<Vec<Row>> {
        let mut rows: Vec<Row> = Vec::new();
        for _ in 0..self.repeat {
            let folder = folder_in(folder, "round-")?;
            let mut last = None;
            for job in Job::ALL {
                if job.is_push() {
                    last = None;
                }
                let registry = match last.take() {
                    Some(registry) => registry,
                    None => {
                        DockerRegistry::start(Guard::Open).await.context("there is no docker-registry")?
                    }
                };
                machine::settle(Blobs::Large.total())?;
                let to = folder.path().join(format!("{job:?}"));
                let before = cpu_of(registry.process());
                let ran = process::measure(&command(job, bkcache, source.path(), &registry.host(), &to)?)?;
                let server = cpu_of(registry.process()).zip(before).map(|(after, before)| after - before);
                if !job.is_push() {
                    source.check_copy(&to)?;
                }
                last = Some(registry);
                match rows.iter_mut().find(|row| row.job == job) {
                    Some(row) => {
                        row.times.push(ran.time);
                        row.used = row.used.join(ran.used);
                        row.server = row.server.min(server);
                    }
                    None => rows.push(Row { job, times: vec![ran.time], used: ran.used, server }),
                }
            }
        }
        rows.iter_mut().for_each(|row| row.times.sort_unstable());
        Ok(rows)
    }
}

/// The processor time of a running program.
fn cpu_of(process: u32) -> Option<Duration> {
    /// A tick of this clock on Linux, in milliseconds.
    const TICK: u64 = 10;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before it may have spaces.
    let (_, numbers) = stat.rsplit_once(')')?;
    let ticks: Vec<u64> =
        numbers.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse().ok()).collect();
    Some(Duration::from_millis(ticks.iter().sum::<u64>() * TICK))
}

/// The command line of a job. A pull follows the push of the same cache to the same registry.
fn command(job: Job, bkcache: &Path, source: &Path, host: &str, to: &Path) -> Result<Vec<OsString>> {
    let name = format!("{host}/bench:latest");
    let skopeo = |option: &str, from: String, to: String| {
        let mut line = words(&["skopeo", "--insecure-policy", "copy", "--quiet", option]);
        line.extend([from.into(), to.into()]);
        line
    };
    let ours = |options: &[&str], from: OsString, to: OsString| {
        let mut line = vec![PathBuf::from(bkcache).into()];
        line.extend(words(&["copy", "--quiet"]));
        line.extend(words(options));
        line.extend([from, to]);
        line
    };
    let (there, here) = (format!("docker://{name}"), |path: &Path| format!("oci:{}:latest", path.display()));
    Ok(match job {
        Job::BarePush => bare::command(source, host)?,
        Job::SkopeoPush => skopeo("--dest-tls-verify=false", here(source), there),
        Job::SkopeoPull => skopeo("--src-tls-verify=false", there, here(to)),
        Job::Push => ours(&[], source.into(), name.into()),
        Job::UnsyncedPull => ours(&["--no-sync"], name.into(), to.into()),
        Job::Pull => ours(&[], name.into(), to.into()),
    })
}
