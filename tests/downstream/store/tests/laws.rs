//! The store keeps every law of the seams that it has, and one that forgets to verify does not.

use async_trait::async_trait;
use cache_conformance::{Outcome, Store, assert_conforms, run_all};
use cache_ingest::{Error, Ingester, Source, Stored};
use cache_model::Descriptor;
use store::Bucket;

async fn fresh() -> Result<Store, Error> {
    Ok(Store::complete(Bucket::new()).with_sha512())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_the_laws() {
    assert_conforms(&fresh).await;
    // Its traits are complete: no law about them was left out.
    let report = run_all(&fresh).await;
    let held = report.outcomes().filter(|(_, outcome)| matches!(outcome, Outcome::Held)).count();
    assert!(held > 20, "only {held} laws held");
}

/// An ingester that reports blobs as stored, and stores nothing.
struct Forgetful;

#[async_trait]
impl Ingester for Forgetful {
    async fn put(&self, _: &Descriptor, source: &Source<'_>) -> Result<Stored, Error> {
        source.read(u64::MAX).await?;
        Ok(Stored::Stored)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_forgets_breaks_laws() {
    let forgetful = || async {
        let mut store = fresh().await?;
        store.ingester = Some(std::sync::Arc::new(Forgetful));
        Ok(store)
    };
    assert!(!run_all(&forgetful).await.conforms());
}
