//! Checks the states that a loss of power may leave after each recorded step.
//!
//! A state is checked once, against the invariants alone.

use std::collections::HashSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use cache_ingest::{LayoutOptions, LayoutStore};
use cache_model::Digest;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::disk::{Disk, DiskContent, Entry};
use crate::folders::scratch;
use crate::invariants::{self, Claims};
use crate::progress::progress;
use crate::recorder::Step;
use crate::sample::Sample;
use crate::states::{Choice, Random, each};

/// The number of states that are checked at once.
const BATCH: usize = 64;

/// The search through the states of recorded steps.
pub(crate) struct Search<'a> {
    /// The folder of the cache, relative to the recorded folder.
    pub(crate) cache: &'a Path,
    pub(crate) samples: &'a [Arc<Sample>],
    /// The number of random states that are checked after each step.
    pub(crate) random: usize,
    pub(crate) rng: Random,
    /// Whether to end at the first breach.
    pub(crate) first_only: bool,
    pub(crate) seen: HashSet<u64>,
    /// The number of states checked so far.
    pub(crate) states: u64,
    /// How many of them have a part of a blob, which the next copy continues.
    pub(crate) states_with_parts: u64,
    pub(crate) breaches: Vec<Breach>,
}

/// A state that breaks an invariant.
#[derive(Clone, Debug)]
pub(crate) struct Breach {
    /// The number of steps before the loss of power.
    pub(crate) steps: usize,
    /// The last of them.
    pub(crate) last: String,
    pub(crate) choice: String,
    pub(crate) what: Vec<String>,
    pub(crate) left: DiskContent,
}

/// A state to check.
struct State {
    choice: Choice,
    left: DiskContent,
}

/// What the steps so far promise.
#[derive(Clone, Debug, Default, Hash)]
struct Known {
    claims: Claims,
    /// The tag and manifest of the copy under way, or else of the last one; each state must let it succeed again.
    copy: Option<(String, Digest)>,
}

impl Search<'_> {
    /// Checks the states after each step from number `from` on; the steps before are only applied.
    pub(crate) async fn run(&mut self, steps: &[Step], from: usize) -> Result<()> {
        let (mut disk, mut known) = (Disk::new(), Known::default());
        // Before any copy has begun, the first one is the copy that must succeed.
        known.copy = steps.iter().find_map(|step| match step {
            Step::Begun(tag, digest) => Some((tag.clone(), *digest)),
            _ => None,
        });
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::Change(change) => disk.apply(change)?,
                Step::Begun(tag, digest) => known.begin(tag, *digest),
                Step::Done(tag, digest) => {
                    known.claims.insert(tag.clone(), vec![*digest]);
                }
                Step::Removing(tag) => drop(known.claims.remove(tag)),
            }
            if number < from {
                continue;
            }
            progress(format_args!("step {} of {}, {} states", number + 1, steps.len(), self.states));
            let last = || format!("{step:?}").chars().take(300).collect::<String>();
            self.check(&disk, &known, number + 1, last).await?;
            if self.is_done() {
                break;
            }
        }
        progress(format_args!(""));
        Ok(())
    }

    /// Whether the search may stop.
    pub(crate) fn is_done(&self) -> bool {
        self.first_only && !self.breaches.is_empty()
    }

    async fn check(
        &mut self,
        disk: &Disk,
        known: &Known,
        steps: usize,
        last: impl Fn() -> String,
    ) -> Result<()> {
        let mut waiting = Vec::new();
        let (seen, cache) = (&mut self.seen, self.cache);
        each(disk, self.random, &mut self.rng, |choice, left| {
            let mut hasher = DefaultHasher::new();
            (&left, known).hash(&mut hasher);
            if seen.insert(hasher.finish()) {
                waiting.push(State { choice, left });
            }
        });
        self.states += waiting.len() as u64;
        self.states_with_parts += waiting.iter().filter(|state| has_part(&state.left)).count() as u64;
        let copy = known.copy.as_ref();
        let sample =
            copy.and_then(|(_, digest)| self.samples.iter().find(|sample| sample.digest() == *digest));
        let again = sample.zip(copy.map(|(tag, _)| tag.as_str()));
        let mut checked = stream::iter(waiting)
            .map(|state| async move {
                let what = check_state(&state.left, cache, known, again).await?;
                Ok::<_, anyhow::Error>((state, what))
            })
            .buffer_unordered(BATCH);
        while let Some((state, what)) = checked.try_next().await? {
            if !what.is_empty() {
                let choice = state.choice.to_string();
                self.breaches.push(Breach { steps, last: last(), choice, what, left: state.left });
            }
        }
        Ok(())
    }
}

impl Known {
    fn begin(&mut self, tag: &str, digest: Digest) {
        // Until it is done, the tag may still name the manifest that it named before.
        if let Some(digests) = self.claims.get_mut(tag) {
            digests.push(digest);
        }
        self.copy = Some((tag.to_owned(), digest));
    }
}

/// Whether a part of a blob is left, with some bytes.
fn has_part(left: &DiskContent) -> bool {
    let is_part = |path: &Path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("bkcache-part-"))
    };
    left.0
        .iter()
        .any(|(path, entry)| is_part(path) && matches!(entry, Entry::File(bytes) if !bytes.is_empty()))
}

/// Writes a state to a real folder. Checks it, and checks it again after one more copy.
async fn check_state(
    left: &DiskContent,
    cache: &Path,
    known: &Known,
    again: Option<(&Arc<Sample>, &str)>,
) -> Result<Vec<String>> {
    let folder = scratch()?;
    let cache = folder.path().join(cache);
    put(left, folder.path())?;
    let breaches = invariants::check(&cache, &known.claims).await?;
    let (true, Some((sample, tag))) = (breaches.is_empty(), again) else { return Ok(breaches) };
    let copied = async {
        let store = LayoutStore::open(&cache, LayoutOptions::create()).await?;
        sample.copy(&store, tag).await
    };
    if let Err(error) = copied.await {
        return Ok(vec![format!("the next copy fails: {error:#}")]);
    }
    let mut claims = known.claims.clone();
    claims.insert(tag.to_owned(), vec![sample.digest()]);
    let mut breaches = invariants::check(&cache, &claims).await?;
    let staged = invariants::staged(&cache)?;
    if staged > 0 {
        breaches.push(format!("{staged} staged files are not cleared"));
    }
    breaches.iter_mut().for_each(|breach| breach.insert_str(0, "after the next copy: "));
    Ok(breaches)
}

/// Writes the files and folders of a state.
pub(crate) fn put(left: &DiskContent, folder: &Path) -> Result<()> {
    for (path, entry) in &left.0 {
        let path: PathBuf = folder.join(path);
        match entry {
            Entry::Folder if path.is_dir() => Ok(()),
            Entry::Folder => fs::create_dir(&path),
            Entry::File(bytes) => fs::write(&path, bytes),
        }
        .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
