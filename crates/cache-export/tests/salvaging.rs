//! Salvaging: what is damaged counts as absent, what cannot be reached does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;
use cache_conformance::StrictStore;
use cache_export::{Destination, ExportError, ExportWarning, Exported, dry_run, export, salvage};
use cache_ingest::{
    ByteStream, Error, ErrorKind, Expect, Info, Job, MemoryStore, Name, Provider, Publisher, Side, Stored,
};
use cache_model::{CacheChains, Descriptor, Digest, MediaType, NewResult, Timestamp, Totals};
use futures_util::stream;

/// What is wrong with a blob.
#[derive(Clone, Debug)]
enum Damage {
    /// It has another size, as looking it up shows.
    Resized,
    /// It has other content, as only reading it shows.
    Garbled,
    /// It is gone when it is read.
    Vanished,
    /// The store does not say whether it has it.
    Unreachable,
}

/// A store in memory, some of whose blobs are damaged.
struct Damaged {
    store: MemoryStore,
    damages: HashMap<Digest, Damage>,
}

#[async_trait]
impl Provider for Damaged {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        match self.damages.get(&descriptor.digest) {
            Some(Damage::Resized) => Ok(Info::new(descriptor.size + 1)),
            Some(Damage::Unreachable) => {
                Err(Error::new(ErrorKind::Unavailable, "look up", descriptor.digest, "it is down"))
            }
            _ => self.store.info(descriptor).await,
        }
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let size = usize::try_from(descriptor.size).unwrap();
        match self.damages.get(&descriptor.digest) {
            Some(Damage::Garbled) => {
                let bytes = Bytes::from(vec![7; size]).slice(usize::try_from(offset).unwrap()..);
                Ok(Box::pin(stream::iter([Ok(bytes)])))
            }
            Some(Damage::Vanished) => {
                Err(Error::new(ErrorKind::NotFound, "open", descriptor.digest, "there is no such blob"))
            }
            _ => self.store.open(descriptor, offset).await,
        }
    }
}

/// Three layers; a record with a newer result of all three and an older one of the first, and a record of the last two.
fn build() -> (MemoryStore, Vec<Descriptor>, CacheChains) {
    let store = MemoryStore::new();
    let blobs: Vec<Descriptor> =
        (0..3).map(|n| store.insert(MediaType::OCI_LAYER_GZIP, format!("layer {n}"))).collect();
    let mut chains = CacheChains::new();
    let results: [(&str, i64, &[Descriptor]); 3] =
        [("one", 2, &blobs), ("one", 1, &blobs[..1]), ("other", 1, &blobs[1..])];
    for (record, seconds, layers) in results {
        let created_at = Timestamp::from_unix(seconds, 0).unwrap();
        let layer = chains.layers(layers).unwrap();
        chains.add(&record.into(), &[], &[NewResult { created_at, layer }]).unwrap();
    }
    (store, blobs, chains)
}

/// Salvages the build after one blob was damaged.
async fn salvaged(
    blob: usize,
    damage: Damage,
) -> (Result<Exported, ExportError>, StrictStore, Vec<Descriptor>) {
    let (store, blobs, chains) = build();
    let provider = Damaged { store, damages: HashMap::from([(blobs[blob].digest, damage)]) };
    let (strict, name) = (StrictStore::new(), Name::Tag("t".into()));
    let exported =
        salvage(&chains, &provider, &Destination::new(&strict, &name), &Job::without_retries()).await;
    (exported, strict, blobs)
}

#[tokio::test]
async fn what_needs_a_damaged_blob_is_left_out_with_a_warning_and_an_older_result_takes_its_place() {
    for damage in [Damage::Resized, Damage::Garbled, Damage::Vanished] {
        let (exported, strict, blobs) = salvaged(2, damage.clone()).await;
        let exported = exported.unwrap();
        // The layer of the older result, and the config. Blobs that were copied for results that are left out do not count.
        let config = exported.config.clone().unwrap();
        let stored = exported.blobs.stored;
        assert_eq!((stored.blobs, stored.bytes), (2, blobs[0].size + config.size), "{damage:?}");
        assert!(strict.memory().tags() == ["t"] && exported.manifest.is_some());
        let is_damage = |warning: &ExportWarning| matches!(warning, ExportWarning::DamagedBlob { digest, .. } if *digest == blobs[2].digest);
        assert_eq!(exported.warnings.iter().filter(|warning| is_damage(warning)).count(), 1, "{damage:?}");
        let left_out =
            exported.warnings.iter().filter(|warning| matches!(warning, ExportWarning::Marshal(_)));
        assert_eq!(left_out.count(), 2, "{:?}", exported.warnings);
    }
}

#[tokio::test]
async fn without_damage_it_is_an_export() {
    let (store, _, chains) = build();
    let job = Job::without_retries();
    let (one, other, name) = (StrictStore::new(), StrictStore::new(), Name::Tag("t".into()));
    let exported = export(&chains, &store, &Destination::new(&one, &name), &job).await.unwrap();
    let to = Destination::new(&other, &name);
    let again = salvage(&chains, &store, &to, &job).await.unwrap();
    assert_eq!(
        (&again.manifest, again.blobs, &again.warnings),
        (&exported.manifest, exported.blobs, &exported.warnings)
    );
    let third = salvage(&chains, &store, &to, &job).await.unwrap();
    assert_eq!((third.manifest, third.blobs.stored.blobs), (exported.manifest, 0));
}

#[tokio::test]
async fn a_dry_run_says_what_is_exported_and_writes_nothing() {
    let (store, blobs, chains) = build();
    let provider = Damaged { store, damages: HashMap::from([(blobs[2].digest, Damage::Resized)]) };
    let (job, name) = (Job::without_retries(), Name::Tag("t".into()));
    let to = MemoryStore::new();
    let destination = Destination::new(&to, &name);
    let planned = async || dry_run(&chains, &provider, &destination, &to, &job).await.unwrap();
    let before = planned().await;
    assert!(to.tags().is_empty() && to.blob(&blobs[0].digest).is_none());
    let done = salvage(&chains, &provider, &destination, &job).await.unwrap();
    let of = |exported: &Exported| {
        let Exported { manifest, config, totals, blobs, manifest_stored, config_stored, .. } =
            exported.clone();
        (manifest, config, totals, blobs, manifest_stored, config_stored)
    };
    assert_eq!(of(&before), of(&done));
    assert_eq!((before.warnings, before.replaced), (done.warnings.clone(), done.replaced));
    let totals = done.totals.unwrap();
    assert_eq!((totals.records, totals.results, totals.blobs, totals.bytes), (2, 1, 1, blobs[0].size));
    assert_eq!(totals.to_string(), "2 records, 1 result, 1 blob");

    // All is there now.
    let again = planned().await;
    assert_eq!((again.blobs.stored.blobs, again.blobs.already_present), (0, done.blobs.stored));
    assert_eq!((again.manifest_stored, again.replaced), (Some(Stored::AlreadyPresent), None));
    let other = Descriptor::of(MediaType::OCI_MANIFEST, "{}");
    to.publish(&name, &other, "{}".into(), Expect::Any).await.unwrap();
    let replacing = planned().await;
    assert_eq!((replacing.manifest_stored, replacing.replaced), (Some(Stored::Stored), Some(other.digest)));
}

#[tokio::test]
async fn a_dry_run_ends_with_a_side_that_does_not_answer_and_plans_nothing_without_layers() {
    let (store, blobs, chains) = build();
    let (job, name, to) = (Job::without_retries(), Name::Tag("t".into()), MemoryStore::new());
    let destination = Destination::new(&to, &name);
    let damaged = |damage: Damage| Damaged {
        store: store.clone(),
        damages: blobs.iter().map(|blob| (blob.digest, damage.clone())).collect(),
    };
    let unreachable = damaged(Damage::Unreachable);
    let error = dry_run(&chains, &unreachable, &destination, &to, &job).await.unwrap_err();
    assert_eq!(error.store_error().unwrap().side(), Some(Side::Source));
    let nothing = dry_run(&chains, &damaged(Damage::Resized), &destination, &to, &job).await.unwrap();
    assert!(nothing.manifest.is_none() && nothing.warnings.contains(&ExportWarning::NoLayers));
    assert_eq!(nothing.totals, Some(Totals::default()));
}

#[tokio::test]
async fn a_blob_that_cannot_be_reached_is_an_error_and_nothing_is_named() {
    let (exported, strict, _) = salvaged(2, Damage::Unreachable).await;
    assert_eq!(exported.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(strict.memory().tags().is_empty());
}

#[tokio::test]
async fn if_every_layer_is_damaged_nothing_is_written() {
    let (store, blobs, chains) = build();
    let damages = blobs.iter().map(|blob| (blob.digest, Damage::Garbled)).collect();
    let (strict, name) = (StrictStore::new(), Name::Tag("t".into()));
    let to = Destination::new(&strict, &name);
    let exported = salvage(&chains, &Damaged { store, damages }, &to, &Job::without_retries()).await.unwrap();
    assert!(exported.manifest.is_none() && exported.warnings.contains(&ExportWarning::NoLayers));
    assert!(strict.written().is_empty());
}

#[tokio::test]
async fn warnings_of_damaged_blobs_are_in_the_order_of_their_digests() {
    for damage in [Damage::Resized, Damage::Garbled] {
        let store = MemoryStore::new();
        let blobs: Vec<Descriptor> =
            (0..9).map(|n| store.insert(MediaType::OCI_LAYER_GZIP, format!("layer {n}"))).collect();
        let mut chains = CacheChains::new();
        for blob in &blobs {
            let layer = chains.layers([blob]).unwrap();
            let result = NewResult { created_at: Timestamp::ZERO, layer };
            chains.add(&blob.digest.to_string().as_str().into(), &[], &[result]).unwrap();
        }
        let damages = blobs.iter().map(|blob| (blob.digest, damage.clone())).collect();
        let (strict, name) = (StrictStore::new(), Name::Tag("t".into()));
        let to = Destination::new(&strict, &name);
        let provider = Damaged { store, damages };
        let exported = salvage(&chains, &provider, &to, &Job::without_retries()).await.unwrap();
        let digest = |warning: &ExportWarning| match warning {
            ExportWarning::DamagedBlob { digest, .. } => Some(*digest),
            _ => None,
        };
        let warned: Vec<Digest> = exported.warnings.iter().filter_map(digest).collect();
        let mut sorted: Vec<Digest> = blobs.iter().map(|blob| blob.digest).collect();
        sorted.sort_unstable();
        assert_eq!(warned, sorted, "{damage:?}");
    }
}
