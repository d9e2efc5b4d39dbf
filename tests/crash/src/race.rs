//! `cargo xtask crash race`: exporters and garbage collections in one folder at the same time. No name may lose a blob.
//!
//! Half of the exporters are this project's, the others do with files what BuildKit does: they look whether a blob exists,
//! stage those that do not, rename them, and rewrite the index in place under a lock that they do not wait for. All take their
//! layers from one pool, so that an export often finds blobs that a collection is about to delete.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cache_export::{Destination, export};
use cache_ingest::{CollectOptions, Event, Hasher, Job, LayoutOptions, LayoutStore, MemoryStore, Name};
use cache_model::{Algorithm, CacheChains, Descriptor, MediaType, NewResult, Timestamp};
use clap::Args;
use serde_json::{Value, json};

use crate::folders::scratch;
use crate::invariants::{self, Claims};
use crate::progress::progress;
use crate::states::Random;

/// How many exporters of each kind there are.
const EXPORTERS: u64 = 4;
/// How many layers there are to choose from.
const POOL: usize = 400;
/// How many layers an export has.
const LAYERS: u64 = 8;

/// Options of `cargo xtask crash race`.
#[derive(Args)]
pub(crate) struct Race {
    /// How long the exporters and collections run
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The seed of the random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// How garbage is collected during a race.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Collecting {
    /// By the store.
    Store(CollectOptions),
    /// Each old blob that no name leads to is deleted at once: to show that the race finds that.
    #[cfg(test)]
    Naively(Duration),
}

/// What has happened.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) collections: AtomicU64,
    pub(crate) deleted: AtomicU64,
    /// Blobs that were kept because another program was writing, or put back.
    pub(crate) deferred: AtomicU64,
    pub(crate) exports: AtomicU64,
    /// Exports of ours that stored their blobs once more.
    pub(crate) again: AtomicU64,
    pub(crate) buildkit: AtomicU64,
    /// Blobs that exports found although no name led to them.
    pub(crate) found: AtomicU64,
    /// Exports that failed because the lock was held, as BuildKit's do.
    pub(crate) locked: AtomicU64,
}

/// The folder, the layers, and when the race ends.
struct Track {
    cache: PathBuf,
    pool: Vec<Vec<u8>>,
    ends: Instant,
    /// Nothing that happens after a breach counts.
    has_breach: AtomicBool,
    counts: Counts,
    /// BuildKit's processes disturb each other where they unlink the lock; that is not what is tested.
    buildkit: Mutex<()>,
}

impl Race {
    /// Whether there is no breach.
    pub(crate) async fn run(&self) -> Result<bool> {
        let options = CollectOptions::default().with_older_than(Duration::from_secs(3));
        let collecting = Collecting::Store(options.with_settle(Duration::from_secs(1)));
        let (counts, breaches) = race(Duration::from_secs(self.seconds), self.seed, collecting).await?;
        println!("{counts:#?}");
        breaches.iter().for_each(|breach| eprintln!("{breach}"));
        Ok(breaches.is_empty())
    }
}

impl Track {
    fn is_over(&self) -> bool {
        self.has_breach.load(Ordering::Relaxed) || Instant::now() >= self.ends
    }
}

fn add(count: &AtomicU64, number: u64) {
    count.fetch_add(number, Ordering::Relaxed);
}

/// Runs exporters and collections; what has happened, and the breaches.
pub(crate) async fn race(time: Duration, seed: u64, collecting: Collecting) -> Result<(Counts, Vec<String>)> {
    let folder = scratch()?;
    let mut rng = Random(seed);
    let layer = |rng: &mut Random| -> Vec<u8> { (0..64).flat_map(|_| rng.next().to_le_bytes()).collect() };
    let pool = (0..POOL).map(|_| layer(&mut rng)).collect();
    let (cache, ends) = (folder.path().join("cache"), Instant::now() + time);
    LayoutStore::open(&cache, LayoutOptions::create().with_sync(false)).await?;
    fs::write(cache.join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#)?;
    let track = Track {
        cache,
        pool,
        ends,
        has_breach: AtomicBool::new(false),
        counts: Counts::default(),
        buildkit: Mutex::default(),
    };
    let track = Arc::new(track);
    let mut exporters = Vec::new();
    for number in 0..EXPORTERS {
        let (of_ours, of_buildkit) = (Random(rng.next()), Random(rng.next()));
        let racer = Arc::clone(&track);
        exporters.push(tokio::spawn(async move { export_until_the_end(&racer, number, of_ours).await }));
        let racer = Arc::clone(&track);
        let buildkit = move || export_as_buildkit_until_the_end(&racer, number, of_buildkit);
        exporters.push(tokio::task::spawn_blocking(buildkit));
    }
    let mut breaches = Vec::new();
    while !track.is_over() {
        collect(&track, collecting).await?;
        breaches = incomplete(&track.cache)?;
        track.has_breach.store(!breaches.is_empty(), Ordering::Relaxed);
        let left = track.ends.saturating_duration_since(Instant::now()).as_secs();
        progress(format_args!(
            "{left} s left, {} blobs deleted",
            track.counts.deleted.load(Ordering::Relaxed)
        ));
    }
    for exporter in exporters {
        let ended = exporter.await.context("an exporter panicked")?;
        if let Err(error) = ended {
            breaches.push(format!("an export failed: {error:#}"));
        }
    }
    progress(format_args!(""));
    if breaches.is_empty() {
        breaches = invariants::check(&track.cache, &Claims::new()).await?;
    }
    let track = Arc::into_inner(track).context("an exporter has not ended")?;
    Ok((track.counts, breaches))
}

async fn collect(track: &Track, collecting: Collecting) -> Result<()> {
    add(&track.counts.collections, 1);
    match collecting {
        Collecting::Store(options) => {
            let store = LayoutStore::open(&track.cache, LayoutOptions::default().with_sync(false)).await?;
            let collected = store.collect(options, &Job::default()).await?;
            add(&track.counts.deleted, collected.deleted().blobs);
            add(&track.counts.deferred, collected.deferred.blobs);
        }
        #[cfg(test)]
        Collecting::Naively(older_than) => {
            let named = named(&track.cache)?;
            for name in invariants::names(&track.cache.join("blobs/sha256"))? {
                let path = blob(&track.cache, &name);
                let Ok(modified) = fs::metadata(&path).and_then(|metadata| metadata.modified()) else {
                    continue;
                };
                let is_old = modified.elapsed().is_ok_and(|age| age >= older_than);
                if is_old && !named.iter().any(|(_, blobs)| blobs.contains(&name)) {
                    fs::remove_file(&path)?;
                    add(&track.counts.deleted, 1);
                }
            }
        }
    }
    Ok(())
}

/// Some layers, the same now and then.
fn choose<'t>(track: &'t Track, rng: &mut Random) -> Vec<&'t Vec<u8>> {
    let pool = track.pool.len() as u64;
    let chosen = (0..LAYERS).map(|_| usize::try_from(rng.below(pool)).unwrap_or_default());
    chosen.filter_map(|number| track.pool.get(number)).collect()
}

/// Exports one cache after the other to a tag, as the program does.
async fn export_until_the_end(track: &Track, number: u64, mut rng: Random) -> Result<()> {
    let name = Name::Tag(format!("ours{number}"));
    while !track.is_over() {
        let layers = MemoryStore::new();
        let mut descriptors = Vec::new();
        for layer in choose(track, &mut rng) {
            descriptors.push(layers.insert(MediaType::OCI_LAYER_TAR, layer.clone()));
        }
        let mut chains = CacheChains::new();
        let layer = chains.layers(&descriptors)?;
        let created_at = Timestamp::from_unix(i64::from(u32::try_from(rng.below(1 << 31))?), 0)
            .context("a time out of range")?;
        chains.add(&"sha256:step".into(), &[], &[NewResult { created_at, layer }])?;
        let store = LayoutStore::open(&track.cache, LayoutOptions::create().with_sync(false)).await?;
        let again = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&again);
        let job = Job::default().with_progress(move |event: &Event<'_>| {
            counting.fetch_add(u64::from(matches!(event, Event::Retrying { .. })), Ordering::Relaxed);
        });
        export(&chains, &layers, &Destination::new(&store, &name), &job).await?;
        add(&track.counts.exports, 1);
        add(&track.counts.again, again.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(rng.below(400))).await;
    }
    Ok(())
}

/// Exports one cache after the other to a tag, with BuildKit's sequence of changes.
fn export_as_buildkit_until_the_end(track: &Track, number: u64, mut rng: Random) -> Result<()> {
    let tag = format!("buildkit{number}");
    while !track.is_over() {
        let mut layers = Vec::new();
        for layer in choose(track, &mut rng) {
            layers.push(store_as_buildkit(track, layer, "application/vnd.oci.image.layer.v1.tar", &mut rng)?);
        }
        let config = json!({"records": [], "run": rng.next()}).to_string();
        let config = store_as_buildkit(track, config.as_bytes(), MediaType::CACHE_CONFIG.as_str(), &mut rng)?;
        let manifest = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST.as_str(),
            "config": value(&config)?, "layers": layers.iter().map(value).collect::<Result<Vec<_>>>()?});
        let manifest = manifest.to_string();
        let media_type = MediaType::OCI_MANIFEST;
        let manifest = store_as_buildkit(track, manifest.as_bytes(), media_type.as_str(), &mut rng)?;
        if name_as_buildkit(track, &tag, &manifest)? {
            add(&track.counts.buildkit, 1);
        } else {
            add(&track.counts.locked, 1);
        }
        std::thread::sleep(Duration::from_millis(rng.below(1500)));
    }
    Ok(())
}

fn value(descriptor: &Descriptor) -> Result<Value> {
    Ok(serde_json::from_slice(&descriptor.json())?)
}

fn blob(cache: &Path, hex: &str) -> PathBuf {
    cache.join("blobs/sha256").join(hex)
}

/// Stores a blob unless it exists: containerd's store, which BuildKit uses, does not touch one that does.
fn store_as_buildkit(track: &Track, bytes: &[u8], media_type: &str, rng: &mut Random) -> Result<Descriptor> {
    let digest = Hasher::digest(Algorithm::Sha256, bytes);
    let descriptor = Descriptor::new(MediaType::new(media_type), digest, bytes.len() as u64);
    let path = blob(&track.cache, &digest.hex());
    if path.exists() {
        add(&track.counts.found, 1);
        return Ok(descriptor);
    }
    let upload = track.cache.join("ingest").join(format!("{:016x}", rng.next()));
    fs::create_dir_all(&upload)?;
    fs::write(upload.join("ref"), digest.to_string())?;
    let mut data = File::create(upload.join("data"))?;
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    data.write_all(first)?;
    std::thread::sleep(Duration::from_millis(rng.below(15)));
    data.write_all(rest)?;
    fs::rename(upload.join("data"), &path)?;
    fs::remove_dir_all(&upload)?;
    Ok(descriptor)
}

/// Rewrites the index in place; false if another process holds the lock.
fn name_as_buildkit(track: &Track, tag: &str, manifest: &Descriptor) -> Result<bool> {
    let _alone = track.buildkit.lock().unwrap_or_else(PoisonError::into_inner);
    let (index, lock) = (track.cache.join("index.json"), track.cache.join("index.json.lock"));
    let locked = OpenOptions::new().create(true).truncate(false).write(true).open(&lock)?;
    if locked.try_lock().is_err() {
        return Ok(false);
    }
    let mut file = OpenOptions::new().read(true).write(true).open(&index)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let mut document: Value = serde_json::from_str(&text).context("the index cannot be read")?;
    let name = "org.opencontainers.image.ref.name";
    if let Some(entries) = document.get_mut("manifests").and_then(Value::as_array_mut) {
        entries
            .retain(|entry| entry.pointer("/annotations").and_then(|all| all.get(name)) != Some(&json!(tag)));
        entries.push(value(&manifest.clone().with_annotation(name, tag))?);
    }
    let text = document.to_string();
    write_in_place(&mut file, text.as_bytes())?;
    locked.unlock()?;
    let _ = fs::remove_file(&lock);
    Ok(true)
}

fn write_in_place(file: &mut File, bytes: &[u8]) -> Result<()> {
    use std::io::{Seek, SeekFrom};
    file.seek(SeekFrom::Start(0))?;
    file.write_all(bytes)?;
    Ok(file.set_len(bytes.len() as u64)?)
}

/// The tags, and the blobs that each needs by the hexadecimal digits of its digest.
fn named(cache: &Path) -> Result<Vec<(String, Vec<String>)>> {
    let index = loop {
        // It may be half written.
        if let Ok(index) = serde_json::from_slice::<Value>(&fs::read(cache.join("index.json"))?) {
            break index;
        }
    };
    let hex = |descriptor: &Value| {
        let digest = descriptor.get("digest").and_then(Value::as_str).unwrap_or_default();
        digest.trim_start_matches("sha256:").to_owned()
    };
    let entries = index.get("manifests").and_then(Value::as_array).cloned().unwrap_or_default();
    let of = |entry: &Value| {
        let mut blobs = vec![hex(entry)];
        if let Ok(manifest) = fs::read(blob(cache, &hex(entry))) {
            let manifest: Value = serde_json::from_slice(&manifest).unwrap_or_default();
            blobs.extend(manifest.get("config").map(hex));
            blobs.extend(manifest.get("layers").and_then(Value::as_array).into_iter().flatten().map(hex));
        }
        (entry.get("annotations").map(Value::to_string).unwrap_or_default(), blobs)
    };
    Ok(entries.iter().map(of).collect())
}

/// The tags that have lost a blob. No collection is under way, so none is out of its place.
fn incomplete(cache: &Path) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for (tag, blobs) in named(cache)? {
        let missing = blobs.iter().filter(|hex| !blob(cache, hex).exists());
        breaches.extend(missing.map(|hex| format!("{tag} has lost {hex}")));
    }
    Ok(breaches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_name_loses_a_blob_to_a_collection() {
        let options = CollectOptions::default().with_older_than(Duration::from_secs(1));
        let collecting = Collecting::Store(options.with_settle(Duration::from_millis(500)));
        let (counts, breaches) = race(Duration::from_secs(8), 1, collecting).await.unwrap();
        assert_eq!(breaches, [] as [&str; 0]);
        let done = [&counts.deleted, &counts.exports, &counts.buildkit, &counts.found];
        assert!(done.iter().all(|count| count.load(Ordering::Relaxed) > 0), "{counts:?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_collection_that_trusts_ages_alone_is_found_out() {
        let naively = Collecting::Naively(Duration::from_millis(300));
        let (counts, breaches) = race(Duration::from_secs(60), 1, naively).await.unwrap();
        assert!(breaches.iter().any(|breach| breach.contains("has lost")), "{breaches:?} {counts:?}");
    }
}
