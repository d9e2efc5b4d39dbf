//! `cargo xtask crash kill`: kills the real program at random moments, and at moments that are seen on disk.
//!
//! A folder goes through many kills, each of a copy or an export of another cache, and some of a garbage collection. After each
//! kill the folder must be whole, and a second run that is not killed must succeed. A run that never kills the program in the middle has tested
//! nothing, so every other kill waits until a phase is seen on disk. A seed gives the same caches and waits, but not
//! exactly the same kills, as the speed of the program varies.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use tempfile::TempDir;

use crate::generated::Generated;
use crate::invariants::{self, Claims};
use crate::program::{self, End};
use crate::progress::progress;
use crate::states::Random;

/// The number of kills that a folder goes through.
const KILLS_A_FOLDER: u64 = 20;
/// The number of kills after each of which a garbage collection is killed, as soon as it has taken blobs out of their place.
const KILLS_A_COLLECTION: u64 = 20;
/// The number of kills from which each essential phase must have been hit.
const ENOUGH: u64 = 60;
/// The phases in which a kill leaves something to clear or to keep.
const ESSENTIAL: [Phase; 3] = [Phase::Staged, Phase::Stored, Phase::Published];

/// Options of `cargo xtask crash kill`.
#[derive(Args)]
pub(crate) struct Kill {
    /// The number of kills
    #[arg(long, default_value_t = 1000)]
    times: u64,
    /// The seed of the caches and the waits
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

/// When to kill a program.
#[derive(Clone, Copy, Debug)]
enum Moment {
    After(Duration),
    /// As soon as this phase is seen on disk; it may be over by the time of the kill.
    Seen(Phase),
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(wait) => write!(f, "{wait:?} after the start"),
            Self::Seen(phase) => write!(f, "as soon as it was seen {phase}"),
        }
    }
}

impl Kill {
    /// Whether there was no breach, and no essential phase was missed.
    pub(crate) async fn run(&self) -> Result<bool> {
        let program = program::build()?;
        let mut rng = Random(self.seed);
        let usual = usual_time(&program, &mut rng).await?;
        let mut kills: BTreeMap<Phase, u64> = BTreeMap::new();
        let mut target = Target::new(&program)?;
        for number in 0..self.times {
            progress(format_args!("{number} of {} kills", self.times));
            if number % KILLS_A_FOLDER == 0 {
                target = Target::new(&program)?;
            }
            let cache = Generated::new(&mut rng).await?;
            // Some tags are replaced, others are new.
            let tag = if rng.below(4) == 0 { "same".to_owned() } else { format!("tag{number}") };
            let wait = usual.mul_f64(f64::from(u32::try_from(rng.below(1250))?) / 1000.0);
            // Every other one, in turn.
            let seen = ESSENTIAL.iter().cycle().nth(usize::try_from(number / 2)?);
            let moment = match seen {
                Some(phase) if number % 2 == 1 => Moment::Seen(*phase),
                _ => Moment::After(wait),
            };
            let by = if rng.below(3) == 0 { cache.export(&program) } else { cache.copy(&program) };
            let (phase, breaches) = target.kill(by, &cache, &tag, moment).await?;
            *kills.entry(phase).or_default() += 1;
            let mut breaches = breaches;
            if breaches.is_empty() && number % KILLS_A_COLLECTION == KILLS_A_COLLECTION - 1 {
                breaches = target.kill_collection().await?;
            }
            if !breaches.is_empty() {
                progress(format_args!(""));
                eprintln!("breach at kill {number} of --seed {}, {moment}, {phase}", self.seed);
                eprintln!("  left in: {}", target.folder.keep().display());
                breaches.iter().for_each(|breach| eprintln!("  {breach}"));
                return Ok(false);
            }
        }
        progress(format_args!(""));
        println!(
            "{} kills, every other one within {:?} of the start, no breach",
            self.times,
            usual.mul_f64(1.25)
        );
        for (phase, count) in &kills {
            println!("{count:>6} {phase}");
        }
        let missed = missed(&kills);
        missed.iter().for_each(|phase| eprintln!("no kill came {phase}: that moment is not tested"));
        Ok(missed.is_empty())
    }
}

/// The essential phases that enough kills should have hit and did not.
fn missed(kills: &BTreeMap<Phase, u64>) -> Vec<Phase> {
    let enough = kills.values().sum::<u64>() >= ENOUGH;
    ESSENTIAL.into_iter().filter(|phase| enough && !kills.contains_key(phase)).collect()
}

/// The usual time of a copy that is not killed: the median of a few.
async fn usual_time(program: &Path, rng: &mut Random) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..5 {
        let (mut target, cache) = (Target::new(program)?, Generated::new(rng).await?);
        let began = Instant::now();
        target.run_to_end(cache.copy(program), &cache, "a")?;
        times.push(began.elapsed());
    }
    times.sort();
    times.get(2).copied().context("no copy was measured")
}

/// A folder that caches are copied to.
struct Target {
    folder: TempDir,
    program: PathBuf,
    claims: Claims,
}

impl Target {
    /// On a real disk, where a copy takes long enough to be killed in the middle.
    fn new(program: &Path) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        Ok(Self { folder, program: program.to_owned(), claims: Claims::new() })
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// Kills a command at a moment. Gives the breaches then, or after the same copy without a kill.
    async fn kill(
        &mut self,
        command: Command,
        cache: &Generated,
        tag: &str,
        moment: Moment,
    ) -> Result<(Phase, Vec<String>)> {
        let blobs = self.blobs()?;
        let is_time = |elapsed| match moment {
            Moment::After(wait) => elapsed >= wait,
            Moment::Seen(phase) => self.shows(phase, cache, blobs),
        };
        let ended = self.run(command, tag, is_time)?;
        let phase = match ended {
            End::Exited(_) => Phase::Ended,
            End::Killed | End::Died(_) => self.phase(cache, tag, blobs).await?,
        };
        match ended {
            End::Exited(status) if !status.success() => {
                return Ok((phase, vec![format!("it failed by itself: {}", self.output()?)]));
            }
            End::Died(status) => {
                return Ok((phase, vec![format!("it crashed by itself, {status}: {}", self.output()?)]));
            }
            End::Exited(_) | End::Killed => {}
        }
        if phase == Phase::Ended || self.output()?.contains(&cache.digest.to_string()) {
            self.claims.insert(tag.to_owned(), vec![cache.digest]);
        } else if let Some(digests) = self.claims.get_mut(tag) {
            digests.push(cache.digest);
        }
        let mut breaches = invariants::check(&self.cache(), &self.claims).await?;
        if breaches.is_empty() {
            if let Err(error) = self.run_to_end(cache.copy(&self.program), cache, tag) {
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

    /// Kills a garbage collection while blobs are out of their place, and lets another one end. Gives the breaches.
    async fn kill_collection(&self) -> Result<Vec<String>> {
        let collect = || {
            let mut command = Command::new(&self.program);
            command.args(["gc", "--yes", "--older-than", "0s"]).arg(self.cache()).stdin(Stdio::null());
            command.stdout(Stdio::null());
            command
        };
        let withdrawn = || invariants::withdrawn(&self.cache());
        program::run(&mut collect(), |_| withdrawn().is_ok_and(|withdrawn| withdrawn > 0))?;
        let mut breaches = invariants::check(&self.cache(), &self.claims).await?;
        let ended = program::run(&mut collect(), |_| false)?;
        if !matches!(ended, End::Exited(status) if status.success()) {
            breaches.push(format!("a collection that was not killed has failed, {ended:?}"));
        }
        breaches.extend(invariants::check(&self.cache(), &self.claims).await?);
        let left = withdrawn()?;
        if left > 0 {
            breaches.push(format!("{left} blobs are out of their place after a collection"));
        }
        Ok(breaches)
    }

    /// Whether a phase has begun, by a quick look while the program runs. `blobs` is the number of blobs before it started.
    fn shows(&self, phase: Phase, cache: &Generated, blobs: usize) -> bool {
        match phase {
            Phase::Nothing => true,
            Phase::Staged => invariants::staged(&self.cache()).is_ok_and(|staged| staged > 0),
            Phase::Stored => self.blobs().is_ok_and(|now| now > blobs),
            Phase::Published => fs::read_to_string(self.cache().join("index.json"))
                .is_ok_and(|index| index.contains(&cache.digest.to_string())),
            Phase::Ended => false,
        }
    }

    /// The phase in which a command was killed. `blobs` is the number of blobs before it started.
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

    /// Runs a command without killing it; an error if it fails.
    fn run_to_end(&mut self, command: Command, cache: &Generated, tag: &str) -> Result<()> {
        let ended = self.run(command, tag, |_| false)?;
        let output = self.output()?;
        let succeeded = matches!(ended, End::Exited(status) if status.success());
        if !succeeded || !output.contains(&cache.digest.to_string()) {
            bail!("a copy that was not killed has failed, {ended:?}: {output}");
        }
        self.claims.insert(tag.to_owned(), vec![cache.digest]);
        Ok(())
    }

    /// Runs a command, and kills it as soon as `is_time` is true.
    fn run(&self, mut command: Command, tag: &str, is_time: impl FnMut(Duration) -> bool) -> Result<End> {
        let output = File::create(self.folder.path().join("output")).context("cannot write the output")?;
        let mut destination = self.cache().into_os_string();
        destination.push(":");
        destination.push(tag);
        let errors = output.try_clone().context("cannot share the output")?;
        command.arg(destination).stdin(Stdio::null()).stdout(output).stderr(errors);
        program::run(&mut command, is_time)
    }

    /// The output of the last command.
    fn output(&self) -> Result<String> {
        fs::read_to_string(self.folder.path().join("output")).context("cannot read the output")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_that_enough_kills_have_missed_is_reported() {
        let before_and_after = BTreeMap::from([(Phase::Nothing, ENOUGH), (Phase::Ended, ENOUGH)]);
        assert_eq!(missed(&before_and_after), ESSENTIAL);
        let few = BTreeMap::from([(Phase::Nothing, ENOUGH - 1)]);
        assert_eq!(missed(&few), []);
        let all_but_one = BTreeMap::from([(Phase::Staged, 1), (Phase::Published, 1), (Phase::Ended, ENOUGH)]);
        assert_eq!(missed(&all_but_one), [Phase::Stored]);
    }
}
