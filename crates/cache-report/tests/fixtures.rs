//! Real caches in numbers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use cache_import::open;
use cache_ingest::{Job, LayoutOptions, LayoutStore, Name};
use cache_report::{Cache, Inspection};

#[tokio::test]
async fn shared_blobs_are_counted_once() {
    let mut text = String::new();
    for name in ["app-max-manifest-oci-gzip", "app-max-manifest-oci-estargz", "deep-100", "inline-oci-true"] {
        let folder = format!("{}/../../tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
        let store = LayoutStore::open(folder, LayoutOptions::default()).await.unwrap();
        let options = Job::default();
        let opened = open(&store, &Name::Unspecified, &options).await.unwrap();
        let imported = opened.import(&store, &options).await.unwrap();
        let cache = &imported.caches[0];
        let view = Cache::new(&cache.origin, &cache.config, &cache.layers);
        text.push_str(&format!("{name} {:#?}\n", Inspection::of(&view)));
    }
    insta::assert_snapshot!(text);
}
