//! Laws of puts, publishes and reads at the same time.
//!
//! Everything runs within the caller's task. Only a store with threads of its own is tested with real parallelism.

use std::pin::pin;

use async_trait::async_trait;
use cache_ingest::{
    ByteStream, Error, ErrorKind, Expect, Info, Ingester, Job, Provider, Publisher, Resolver, Source,
};
use cache_model::{Algorithm, Descriptor};
use futures_util::StreamExt;
use futures_util::future::{Either, join_all, select, try_join_all};
use tokio::task::yield_now;

use super::checks::reads_back;
use super::naming::{stands_for, tag, try_publish};
use crate::violation::Law;
use crate::{Blob, Fault, Faulty, Violation};

/// The number of times that a name changes while it is read.
const ROUNDS: usize = 20;

/// Two puts of one blob at the same time both succeed.
pub async fn two_puts_at_once_both_succeed(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("two_puts_at_once_both_succeed");
    for len in [1, 20_000, 700_000] {
        let blob = Blob::layer(Algorithm::Sha256, len);
        let puts = [1000, 64 * 1024].map(|chunk| {
            let blob = &blob;
            async move {
                let slow = Slow(Faulty::new(blob, Fault::Nothing).in_chunks_of(chunk));
                let source = Source::new(&slow, blob.descriptor.clone(), &Job::default());
                let stored = ingester.put(&blob.descriptor, &source).await;
                law.succeeds("two put one blob at once", stored)
            }
        });
        try_join_all(puts).await?;
        reads_back(law, provider, &blob, 0).await?;
    }
    Ok(())
}

/// Many blobs can be put at once, and each has its own content.
pub async fn many_puts_at_once_do_not_disturb_each_other(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("many_puts_at_once_do_not_disturb_each_other");
    let blobs: Vec<Blob> = (1..=16).map(|n| Blob::layer(Algorithm::Sha256, n * 1000)).collect();
    let puts = blobs.iter().map(|blob| async move {
        let slow = Slow(Faulty::new(blob, Fault::Nothing).in_chunks_of(500));
        let source = Source::new(&slow, blob.descriptor.clone(), &Job::default());
        law.succeeds("many are put at once", ingester.put(&blob.descriptor, &source).await)
    });
    try_join_all(puts).await?;
    for blob in &blobs {
        reads_back(law, provider, blob, 0).await?;
    }
    Ok(())
}

/// A provider that yields to other futures before every chunk.
struct Slow(Faulty);

#[async_trait]
impl Provider for Slow {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        self.0.info(descriptor).await
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        Ok(Box::pin(self.0.open(descriptor, offset).await?.then(|chunk| async {
            yield_now().await;
            chunk
        })))
    }
}

/// While a name is published again it always resolves, to the whole old manifest or the whole new one.
pub async fn readers_see_the_old_or_the_new_manifest_never_a_mixture(
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("readers_see_the_old_or_the_new_manifest_never_a_mixture");
    let manifests = [Blob::index("old"), Blob::index("new, and longer than the old one")];
    let [old, _] = &manifests;
    law.succeeds("publishing", try_publish(publisher, &tag("name"), old, Expect::Any).await)?;
    let writing = async {
        for manifest in manifests.iter().cycle().skip(1).take(ROUNDS) {
            let published = try_publish(publisher, &tag("name"), manifest, Expect::Any).await;
            law.succeeds("publishing while others read", published)?;
            yield_now().await;
        }
        Ok(())
    };
    let reading = async {
        loop {
            if let Err(violation) = sees_one_of(law, resolver, provider, &manifests).await {
                return violation;
            }
            yield_now().await;
        }
    };
    match select(pin!(writing), pin!(reading)).await {
        Either::Left((written, _)) => written,
        Either::Right((violation, _)) => Err(violation),
    }
}

async fn sees_one_of(
    law: Law,
    resolver: &dyn Resolver,
    provider: &dyn Provider,
    manifests: &[Blob],
) -> Result<(), Violation> {
    let name = tag("name");
    let seen = law.succeeds("resolving while others publish", resolver.resolve(&name).await)?.descriptor;
    match manifests.iter().find(|manifest| manifest.descriptor.digest == seen.digest) {
        Some(manifest) => {
            law.equal("the size", &manifest.descriptor.size, &seen.size)?;
            reads_back(law, provider, manifest, 0).await
        }
        None => Err(law.broken("one of two manifests", seen.digest)),
    }
}

/// If several publishers expect a free name at the same time, one succeeds and the others get `Conflict`. For stores that say
/// that they are atomic.
pub async fn one_of_those_who_expect_absent_wins(
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
) -> Result<(), Violation> {
    let law = Law("one_of_those_who_expect_absent_wins");
    let manifests: Vec<Blob> = (0..4).map(|n| Blob::index(&n.to_string())).collect();
    let name = tag("name");
    let tries = manifests.iter().map(|manifest| try_publish(publisher, &name, manifest, Expect::Absent));
    let mut winner = None;
    for (published, manifest) in join_all(tries).await.into_iter().zip(&manifests) {
        if published.is_err() {
            law.fails(ErrorKind::Conflict, "another was faster", published)?;
        } else if winner.replace(manifest).is_some() {
            return Err(law.broken("one winner", "two"));
        }
    }
    match winner {
        Some(manifest) => stands_for(law, resolver, &name, manifest).await,
        None => Err(law.broken("one winner", "none")),
    }
}
