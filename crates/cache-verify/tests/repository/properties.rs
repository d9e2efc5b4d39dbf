//! Laws on random damage.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use bytes::Bytes;
use cache_ingest::{Job, LayoutOptions, LayoutStore, Name, ProviderExt, Resolver};
use cache_model::{Descriptor, Digest, MediaType};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::fixtures::fixtures;
use crate::store::Store;
use crate::support::{GZIP, ZSTD, config, gzip, layer, lines, publish, publish_bytes, report, tar, zstd};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// A real cache: its manifest's descriptor, and its blobs.
struct Real {
    manifest: (Descriptor, Bytes),
    blobs: Vec<(Digest, Bytes)>,
}

async fn real(path: PathBuf) -> Real {
    let layout = LayoutStore::open(&path, LayoutOptions::default()).await.unwrap();
    let subject = layout.resolve(&Name::Unspecified).await.unwrap().descriptor;
    let bytes = layout.read(&subject, &Job::default()).await.unwrap();
    let mut blobs = Vec::new();
    for entry in fs::read_dir(path.join("blobs/sha256")).unwrap().map(Result::unwrap) {
        let digest = format!("sha256:{}", entry.file_name().to_str().unwrap()).parse().unwrap();
        blobs.push((digest, fs::read(entry.path()).unwrap().into()));
    }
    blobs.sort();
    Real { manifest: (subject, bytes), blobs }
}

static REAL: LazyLock<Vec<Real>> = LazyLock::new(|| {
    RUNTIME.block_on(async {
        let mut all = Vec::new();
        for path in fixtures() {
            all.push(real(path).await);
        }
        all
    })
});

async fn stored(real: &Real) -> Store {
    let store = Store::default();
    for (_, bytes) in &real.blobs {
        store.insert(MediaType::default(), bytes.clone());
    }
    let (subject, bytes) = &real.manifest;
    publish_bytes(&store, subject.media_type.clone(), bytes.clone()).await;
    store
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Law: a bit that is flipped anywhere in any blob of a cache is one error, and names the blob.
    #[test]
    fn a_flipped_bit_is_always_found(cache: prop::sample::Index, blob: prop::sample::Index, at: prop::sample::Index, bit in 0u8..8) {
        let real = cache.get(&REAL);
        let (digest, bytes) = blob.get(&real.blobs);
        let mut changed = bytes.to_vec();
        let at = at.index(changed.len());
        changed[at] ^= 1 << bit;
        let report = RUNTIME.block_on(async {
            let mut store = stored(real).await;
            store.lies.insert(*digest, changed.into());
            report(&store).await
        });
        let errors: Vec<_> = report.findings.iter().filter(|finding| finding.kind.code() == "wrong-digest").collect();
        prop_assert_eq!(errors.len(), 1, "{}", lines(&report));
        prop_assert_eq!(errors[0].digest(), Some(digest));
    }

    /// Law: whatever a manifest, a config or a layer holds, it is looked at to the end.
    #[test]
    fn garbage_never_stops_a_verification(
        manifest in "\\PC{0,40}|\\{\"config\":\\{\"digest\":\"[a-z0-9:]{0,8}\"\\}\\}",
        text in "\\PC{0,40}|\\{\"records\":\\[(\\{\"inputs\":\\[\\[\\{\"link\":-?[0-3]\\}\\]\\]\\},){0,3}\\{\\}\\]\\}",
        bytes: Vec<u8>,
        cut: prop::sample::Index,
        parents in prop::collection::vec(-3i32..6, 3),
        results in prop::collection::vec(-2i32..5, 0..4),
    ) {
        RUNTIME.block_on(async {
            let store = Store { chunk: 13, ..Store::default() };
            publish_bytes(&store, MediaType::OCI_MANIFEST, manifest).await;
            report(&store).await;
            let content = tar(1, 700);
            let (gzipped, zstded) = (gzip(&content), zstd(&content));
            let layers = [
                layer(&store, GZIP, [&gzipped[..cut.index(gzipped.len())], &bytes].concat(), &content),
                layer(&store, ZSTD, [&zstded[..cut.index(zstded.len())], &bytes].concat(), &content),
                layer(&store, GZIP, bytes, &content),
            ];
            publish(&store, &layers, text).await;
            report(&store).await;
            let wild: Vec<_> = layers.iter().zip(parents).collect();
            let wild = config(&wild, &results);
            publish(&store, &layers, cache_format::encode_config(&wild)).await;
            assert!(!report(&store).await.findings.is_empty());
        });
    }
}
