//! `cargo xtask crash kill`: the real program, killed at random moments.
//!
//! A folder goes through many kills, each of a copy or export of another cache; after each it must be whole, and take
//! the same cache from another run, which is left alone. The moments are random, so a seed gives the same caches and
//! waits, and not quite the same kills.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use tempfile::TempDir;

use super::generated::Generated;
use super::invariants::{self, Claims};
use super::states::Random;

/// How many kills a folder goes through.
const KILLS_A_FOLDER: u64 = 20;
/// The longest that the program may take when it is left alone.
const PATIENCE: Duration = Duration::from_secs(60);

/// Options of `cargo xtask crash kill`.
#[derive(Args)]
pub(crate) struct Kill {
    /// How many times
    #[arg(long, default_value_t = 1000)]
    times: u64,
    /// What the caches and the waits come from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// How far a program was when it was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Nothing,
    Staged,
    Stored,
    Published,
    Ended,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Nothing => "before anything was staged",
            Self::Staged => "with staged files, before the first blob",
            Self::Stored => "with some or all blobs stored",
            Self::Published => "after the index named the cache",
            Self::Ended => "after the program had ended",
        })
    }
}

impl Kill {
    /// Whether nothing was wrong.
    pub(crate) async fn run(&self) -> Result<bool> {
        let program = build()?;
        let mut rng = Random(self.seed);
        let usual = usual_time(&program, &mut rng).await?;
        let mut kills: BTreeMap<Phase, u64> = BTreeMap::new();
        let mut place = Place::new(&program)?;
        for number in 0..self.times {
            super::progress(format_args!("{number} of {} kills", self.times));
            if number % KILLS_A_FOLDER == 0 {
                place = Place::new(&program)?;
            }
            let cache = Generated::new(&mut rng).await?;
            // Some of the tags are replaced, some are new.
            let tag = if rng.below(4) == 0 { "same".to_owned() } else { format!("tag{number}") };
            let wait = usual.mul_f64(f64::from(u32::try_from(rng.below(1250))?) / 1000.0);
            let by = if rng.below(3) == 0 { cache.export(&program) } else { cache.copy(&program) };
            let (phase, breaches) = place.kill(by, &cache, &tag, wait).await?;
            *kills.entry(phase).or_default() += 1;
            if !breaches.is_empty() {
                super::progress(format_args!(""));
                eprintln!(
                    "breach at kill {number} of --seed {}, {wait:?} after the start, {phase}",
                    self.seed
                );
                eprintln!("  left in: {}", place.folder.keep().display());
                breaches.iter().for_each(|breach| eprintln!("  {breach}"));
                return Ok(false);
            }
        }
        super::progress(format_args!(""));
        println!("{} kills within {:?} of the start, no breach", self.times, usual.mul_f64(1.25));
        for (phase, count) in &kills {
            println!("{count:>6} {phase}");
        }
        Ok(true)
    }
}

/// Builds the program as this one was built, and gives its path.
fn build() -> Result<PathBuf> {
    let mut cargo = crate::workspace::cargo();
    cargo.args(["build", "--quiet", "--package", "cache-cli"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    ensure!(cargo.status().context("cannot run cargo")?.success(), "bkcache cannot be built");
    let own = std::env::current_exe().context("cannot find this program")?;
    Ok(own.with_file_name("bkcache").with_extension(std::env::consts::EXE_EXTENSION))
}

/// How long a copy takes that is left alone: the middle of a few.
async fn usual_time(program: &Path, rng: &mut Random) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..5 {
        let (mut place, cache) = (Place::new(program)?, Generated::new(rng).await?);
        let began = Instant::now();
        place.leave_alone(cache.copy(program), &cache, "a")?;
        times.push(began.elapsed());
    }
    times.sort();
    times.get(2).copied().context("nothing was measured")
}

/// A folder that is copied to.
struct Place {
    folder: TempDir,
    program: PathBuf,
    claims: Claims,
}

impl Place {
    /// On a real disk, where a copy takes its time.
    fn new(program: &Path) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        Ok(Self { folder, program: program.to_owned(), claims: Claims::new() })
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// Kills a command after a while, and gives what is wrong then or after the same copy, left alone.
    async fn kill(
        &mut self,
        command: Command,
        cache: &Generated,
        tag: &str,
        wait: Duration,
    ) -> Result<(Phase, Vec<String>)> {
        let blobs = self.blobs()?;
        let ended = self.run(command, tag, Some(wait))?;
        let phase = match ended {
            Some(_) => Phase::Ended,
            None => self.phase(cache, tag, blobs).await?,
        };
        if ended.is_some_and(|status| !status.success()) {
            return Ok((phase, vec![format!("it failed by itself: {}", self.output()?)]));
        }
        if ended.is_some() || self.output()?.contains(&cache.digest.to_string()) {
            self.claims.insert(tag.to_owned(), vec![cache.digest]);
        } else if let Some(digests) = self.claims.get_mut(tag) {
            digests.push(cache.digest);
        }
        let mut breaches = invariants::check(&self.cache(), &self.claims).await?;
        if breaches.is_empty() {
            if let Err(error) = self.leave_alone(cache.copy(&self.program), cache, tag) {
                return Ok((phase, vec![error.to_string()]));
            }
            breaches = invariants::check(&self.cache(), &self.claims).await?;
            let staged = invariants::staged(&self.cache())?;
            if staged > 0 {
                breaches.push(format!("{staged} staged files are not cleared by the next copy"));
            }
        }
        Ok((phase, breaches))
    }

    /// How far a command was that was killed, which had found so many blobs.
    async fn phase(&self, cache: &Generated, tag: &str, blobs: usize) -> Result<Phase> {
        let named = invariants::resolve(&self.cache(), tag).await;
        Ok(if named.is_ok_and(|digest| digest == cache.digest) {
            Phase::Published
        } else if self.blobs()? > blobs {
            Phase::Stored
        } else if invariants::staged(&self.cache())? > 0 {
            Phase::Staged
        } else {
            Phase::Nothing
        })
    }

    fn blobs(&self) -> Result<usize> {
        Ok(invariants::names(&self.cache().join("blobs/sha256"))?.len())
    }

    /// Runs a command to its end, which must be a good one.
    fn leave_alone(&mut self, command: Command, cache: &Generated, tag: &str) -> Result<()> {
        let status = self.run(command, tag, None)?;
        let output = self.output()?;
        if !status.is_some_and(|status| status.success()) || !output.contains(&cache.digest.to_string()) {
            bail!("a copy that nobody killed has failed: {output}");
        }
        self.claims.insert(tag.to_owned(), vec![cache.digest]);
        Ok(())
    }

    /// Runs a command, and kills it after a while if told so; `None` where it was killed.
    fn run(&self, mut command: Command, tag: &str, wait: Option<Duration>) -> Result<Option<ExitStatus>> {
        let output = File::create(self.folder.path().join("output")).context("cannot write the output")?;
        let mut destination = self.cache().into_os_string();
        destination.push(":");
        destination.push(tag);
        let errors = output.try_clone().context("cannot share the output")?;
        let mut child = command
            .arg(destination)
            .stdin(std::process::Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .context("cannot run bkcache")?;
        std::thread::sleep(wait.unwrap_or_default());
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait().context("cannot wait for bkcache")? {
                // A signal gives no code.
                return Ok(status.code().map(|_| status));
            }
            if wait.is_some() || began.elapsed() > PATIENCE {
                child.kill().context("cannot kill bkcache")?;
                child.wait().context("cannot wait for bkcache")?;
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What the last command has printed.
    fn output(&self) -> Result<String> {
        fs::read_to_string(self.folder.path().join("output")).context("cannot read the output")
    }
}
