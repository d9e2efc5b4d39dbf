//! `cargo xtask crash power`: checks what a loss of power leaves, at every moment of some copies.
//!
//! The copies are made once, on a real disk, and recorded; the losses of power happen on a model of the disk. A second
//! round kills the first copy after each change, lets another copy continue, and then loses power: the second copy must
//! make durable what the first one has not, even if it had opened the folder before the first one began.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cache_ingest::{CollectOptions, Job, LayoutOptions, LayoutStore, Name, Remover};
use clap::Args;

use crate::disk::{Data, Disk};
use crate::folders::scratch;
use crate::invariants::withdrawn;
use crate::recorder::{Change, Recorder, Step};
use crate::sample::{Cache, Sample};
use crate::search::{Breach, Search, put};
use crate::states::Random;

/// Options of `cargo xtask crash power`.
#[derive(Args)]
pub(crate) struct Power {
    /// The seed of the random choices
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// The number of random states to check after each change, beside the chosen ones
    #[arg(long, default_value_t = 4)]
    pub(super) states: usize,
}

/// A sequence of copies into one folder.
pub(super) struct Scenario {
    name: &'static str,
    /// The folder of the cache; none of its parents exists before.
    cache: &'static str,
    /// The tags, and the cache that is copied to each.
    copies: &'static [(&'static str, Cache)],
    /// Whether the garbage is collected then.
    collects: Option<Collecting>,
}

/// A collection after the copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Collecting {
    /// Of what the copies have left.
    Replaced,
    /// Of a tag that a process has removed, whose rename of the index is not durable: it was killed, or does not wait for the
    /// disk.
    Removed(&'static str),
}

pub(super) const SCENARIOS: [Scenario; 5] = [
    Scenario {
        name: "new, added, replaced",
        cache: "cache",
        copies: &[
            ("a", Cache::Files("app-min-manifest-oci-gzip")),
            ("b", Cache::Streams("platforms-2")),
            ("a", Cache::Streams("app-min-index-oci-gzip")),
        ],
        collects: None,
    },
    Scenario {
        name: "new, deep in new folders",
        cache: "some/where/cache",
        copies: &[("a", Cache::Streams("app-min-manifest-oci-gzip"))],
        collects: None,
    },
    // The folder of sha512 blobs is made with the first of them, not at opening.
    Scenario {
        name: "new, with sha512 digests",
        cache: "cache",
        copies: &[("a", Cache::Sha512)],
        collects: None,
    },
    Scenario {
        name: "replaced, then collected",
        cache: "cache",
        copies: &[
            ("a", Cache::Files("app-min-manifest-oci-gzip")),
            ("b", Cache::Sha512),
            ("a", Cache::Files("platforms-2")),
        ],
        collects: Some(Collecting::Replaced),
    },
    Scenario {
        name: "removed, then collected",
        cache: "cache",
        copies: &[("b", Cache::Sha512), ("a", Cache::Files("app-min-manifest-oci-gzip"))],
        collects: Some(Collecting::Removed("b")),
    },
];

/// The process that repeats a copy after the first process was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// One that starts after the kill.
    New,
    /// One that opened the empty folder, and made the folders that every cache needs, before the first one began.
    Prepared,
}

/// The number of different breaches that are reported.
const REPORTED: usize = 10;

impl Power {
    /// Whether there was no breach.
    pub(crate) async fn run(&self) -> Result<bool> {
        let mut breaches = Vec::new();
        println!("{:<48} {:>6} {:>8} {:>8} {:>8}", "", "steps", "states", "parts", "breaches");
        for scenario in &SCENARIOS {
            let samples = scenario.samples().await?;
            let steps = scenario.record(&samples).await?;
            let mut search = self.search(scenario, &samples);
            search.run(&steps, 0).await?;
            row(scenario.name, steps.len(), &search);
            breaches.append(&mut search.breaches);

            if scenario.collects.is_some() {
                let mut search = self.search(scenario, &samples);
                let made = collect_again_after_each(scenario, &samples, &mut search).await?;
                row(&format!("{}: killed, collected again", scenario.name), made, &search);
                breaches.append(&mut search.breaches);
                continue;
            }
            for (next, how) in [(Next::New, "copied again"), (Next::Prepared, "copied beside")] {
                let mut search = self.search(scenario, &samples);
                let made = go_on_after_each(scenario, &samples, next, &mut search, &|steps| steps).await?;
                row(&format!("{}: killed, {how}", scenario.name), made, &search);
                breaches.append(&mut search.breaches);
            }
        }
        let mut reported = HashSet::new();
        for breach in breaches.iter().filter(|breach| reported.insert(&breach.what)).take(REPORTED) {
            self.report(breach)?;
        }
        Ok(breaches.is_empty())
    }

    pub(super) fn search<'a>(&self, scenario: &'a Scenario, samples: &'a [Arc<Sample>]) -> Search<'a> {
        Search {
            cache: Path::new(scenario.cache),
            samples,
            random: self.states,
            rng: Random(self.seed),
            first_only: false,
            seen: HashSet::new(),
            states: 0,
            states_with_parts: 0,
            breaches: Vec::new(),
        }
    }

    /// Reports a breach, and leaves a folder with that state in place.
    fn report(&self, breach: &Breach) -> Result<()> {
        let folder = scratch()?.keep();
        put(&breach.left, &folder)?;
        let (steps, last, choice) = (breach.steps, &breach.last, &breach.choice);
        eprintln!("breach after {steps} steps, the last being {last}");
        eprintln!("  state: {choice} (--seed {} --states {})", self.seed, self.states);
        eprintln!("  left in: {}", folder.display());
        breach.what.iter().for_each(|what| eprintln!("  {what}"));
        Ok(())
    }
}

fn row(name: &str, steps: usize, search: &Search<'_>) {
    let Search { states, states_with_parts, breaches, .. } = search;
    println!("{name:<48} {steps:>6} {states:>8} {states_with_parts:>8} {:>8}", breaches.len());
}

impl Scenario {
    pub(super) async fn samples(&self) -> Result<Vec<Arc<Sample>>> {
        let mut samples = Vec::new();
        for (_, cache) in self.copies {
            samples.push(Arc::new(Sample::read(*cache).await?));
        }
        Ok(samples)
    }

    /// Makes the copies; the recorded steps.
    pub(super) async fn record(&self, samples: &[Arc<Sample>]) -> Result<Vec<Step>> {
        let folder = scratch()?;
        let recorder = Recorder::new(folder.path());
        for ((tag, _), sample) in self.copies.iter().zip(samples) {
            copy(&recorder, &folder.path().join(self.cache), sample, tag).await?;
        }
        self.collect(&recorder, &folder.path().join(self.cache)).await?;
        Ok(recorder.take())
    }

    /// Collects the garbage, as the scenario says.
    async fn collect(&self, recorder: &Arc<Recorder>, cache: &Path) -> Result<()> {
        let store = LayoutStore::open(cache, LayoutOptions::default().with_hook(recorder.clone())).await?;
        match self.collects {
            None => return Ok(()),
            Some(Collecting::Replaced) => {}
            Some(Collecting::Removed(tag)) => {
                let before = recorder.take();
                store.remove_name(&Name::Tag(tag.to_owned())).await?;
                let mut removal = recorder.take();
                let is_sync = |step: &Step| matches!(step, Step::Change(Change::SyncFolder(folder)) if folder == Path::new(self.cache));
                removal.retain(|step| !is_sync(step));
                let removing = [Step::Removing(tag.to_owned())];
                before.into_iter().chain(removing).chain(removal).for_each(|step| recorder.note(step));
            }
        }
        collect(&store).await
    }
}

/// Collects all garbage, whatever its age.
async fn collect(store: &LayoutStore) -> Result<()> {
    let options = CollectOptions::default().with_older_than(Duration::ZERO).with_settle(Duration::ZERO);
    let collected = store.collect(options, &Job::default()).await?;
    ensure!(collected.deferred.blobs == 0, "blobs were put back that no name leads to");
    Ok(())
}

/// After each step of the collection: stops it there, collects again, and checks what a loss of power leaves. Gives the number
/// of steps.
async fn collect_again_after_each(
    scenario: &Scenario,
    samples: &[Arc<Sample>],
    search: &mut Search<'_>,
) -> Result<usize> {
    let steps = scenario.record(samples).await?;
    let last_copy = steps.iter().rposition(|step| matches!(step, Step::Done(..)));
    let last_copy = last_copy.context("there are no copies")?;
    let (mut disk, mut made) = (Disk::new(), 0);
    for (number, step) in steps.iter().enumerate() {
        if let Step::Change(change) = step {
            disk.apply(change)?;
        }
        let is_named = matches!(step, Step::Change(Change::Rename(_, to)) if !to.ends_with("index.json"));
        if number <= last_copy || !is_named {
            continue;
        }
        let folder = scratch()?;
        let recorder = Recorder::new(folder.path());
        put(&disk.left(|_| true, || Data::Kept), folder.path())?;
        let cache = folder.path().join(scenario.cache);
        let store = LayoutStore::open(&cache, LayoutOptions::default().with_hook(recorder.clone())).await?;
        collect(&store).await?;
        ensure!(withdrawn(&cache)? == 0, "a collection leaves blobs out of their place");
        let mut both = steps.get(..=number).unwrap_or_default().to_vec();
        both.extend(recorder.take());
        search.run(&both, number + 1).await?;
        made += both.len();
        if search.is_done() {
            break;
        }
    }
    Ok(made)
}

/// Makes a copy as a new process would.
async fn copy(recorder: &Arc<Recorder>, cache: &Path, sample: &Sample, tag: &str) -> Result<()> {
    recorder.note(Step::Begun(tag.to_owned(), sample.digest()));
    let store = LayoutStore::open(cache, LayoutOptions::create().with_hook(recorder.clone())).await?;
    copy_into(&store, recorder, sample, tag).await
}

async fn copy_into(store: &LayoutStore, recorder: &Recorder, sample: &Sample, tag: &str) -> Result<()> {
    sample.copy(store, tag).await?;
    recorder.note(Step::Done(tag.to_owned(), sample.digest()));
    Ok(())
}

/// After each step of the first copy: stops it there, repeats the copy, and checks what a loss of power leaves from the
/// moment on when `index.json` gets its name. `alter` changes the steps of the second copy. Gives the number of steps.
pub(super) async fn go_on_after_each(
    scenario: &Scenario,
    samples: &[Arc<Sample>],
    next: Next,
    search: &mut Search<'_>,
    alter: &dyn Fn(Vec<Step>) -> Vec<Step>,
) -> Result<usize> {
    let sample = samples.first().context("there are no copies")?;
    let (tag, _) = scenario.copies.first().context("there are no copies")?;
    let folder = scratch()?;
    let recorder = Recorder::new(folder.path());
    let _prepared = prepared(next, &recorder, &folder.path().join(scenario.cache)).await?;
    let before = recorder.take();
    copy(&recorder, &folder.path().join(scenario.cache), sample, tag).await?;
    let first = [before.clone(), recorder.take()].concat();
    let (mut disk, mut made) = (Disk::new(), 0);
    for (number, step) in first.iter().enumerate() {
        let Step::Change(change) = step else { continue };
        disk.apply(change)?;
        if number < before.len() {
            continue;
        }
        let folder = scratch()?;
        let cache = folder.path().join(scenario.cache);
        let recorder = Recorder::new(folder.path());
        let prepared = prepared(next, &recorder, &cache).await?;
        recorder.take();
        // A kill loses no change, only a loss of power does.
        put(&disk.left(|_| true, || Data::Kept), folder.path())?;
        match &prepared {
            Some(store) => copy_into(store, &recorder, sample, tag).await?,
            None => copy(&recorder, &cache, sample, tag).await?,
        }
        let mut both = first.get(..=number).unwrap_or_default().to_vec();
        both.extend(alter(recorder.take()));
        let names_index =
            |step: &Step| matches!(step, Step::Change(Change::Rename(_, to)) if to.ends_with("index.json"));
        let from = both.iter().position(names_index).unwrap_or(both.len() - 1);
        search.run(&both, from.max(number + 1)).await?;
        made += both.len();
        if search.is_done() {
            break;
        }
    }
    Ok(made)
}

/// For [`Next::Prepared`], a store that has opened the empty folder.
async fn prepared(next: Next, recorder: &Arc<Recorder>, cache: &Path) -> Result<Option<LayoutStore>> {
    if next == Next::New {
        return Ok(None);
    }
    Ok(Some(LayoutStore::open(cache, LayoutOptions::create().with_hook(recorder.clone())).await?))
}
