//! Laws of ingesters with faulty sources: a blob becomes visible whole and verified, or not at all.
//!
//! After each fault the blob is put from a good source, to check that the fault has left nothing in the way.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use cache_ingest::{
    Error, ErrorKind, Ingester, Job, Mismatch, Provider, RetryBudget, RetryPolicy, Source, Stored,
};
use cache_model::Algorithm;
use futures_util::FutureExt;
use futures_util::future::{Either, select};

use super::checks::{gives_a_file, is_invisible, put, reads_back};
use crate::violation::Law;
use crate::{Blob, Fault, Faulty, Violation};

const LEN: u32 = 3000;
/// More bytes than a store is likely to copy at once.
const LARGE: u32 = 1_300_000;

fn blob() -> Blob {
    Blob::layer(Algorithm::Sha256, LEN)
}

/// Puts from a faulty source, without retries.
async fn put_from(ingester: &dyn Ingester, faulty: &Faulty) -> Result<Stored, Error> {
    let source = Source::new(faulty, faulty.descriptor().clone(), &Job::without_retries());
    ingester.put(faulty.descriptor(), &source).await
}

/// Checks that nothing of the blob is visible, and that it can still be put.
async fn left_nothing(
    law: Law,
    ingester: &dyn Ingester,
    provider: &dyn Provider,
    blob: &Blob,
) -> Result<(), Violation> {
    is_invisible(law, provider, &blob.descriptor).await?;
    put(law, ingester, blob).await?;
    reads_back(law, provider, blob, 0).await
}

/// Checks that a fault in the content is noticed.
async fn is_refused(
    law: Law,
    ingester: &dyn Ingester,
    provider: &dyn Provider,
    fault: Fault,
) -> Result<(), Violation> {
    let blob = blob();
    for chunk in [1000, 64 * 1024] {
        let faulty = Faulty::new(&blob, fault).in_chunks_of(chunk);
        let stored = put_from(ingester, &faulty).await;
        law.fails(ErrorKind::Corrupt, &format!("a source is faulty ({fault:?})"), stored)?;
        is_invisible(law, provider, &blob.descriptor).await?;
    }
    left_nothing(law, ingester, provider, &blob).await
}

/// A source that ends early is `Corrupt`, and nothing of it is visible.
pub async fn a_short_source_leaves_nothing_visible(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_short_source_leaves_nothing_visible");
    is_refused(law, ingester, provider, Fault::EndsAt(u64::from(LEN) - 1)).await
}

/// A source with too many bytes is `Corrupt`, and nothing of it is visible.
pub async fn a_long_source_leaves_nothing_visible(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_long_source_leaves_nothing_visible");
    is_refused(law, ingester, provider, Fault::GoesOn(1)).await
}

/// A source with other content is `Corrupt`, and nothing of it is visible.
pub async fn a_different_source_leaves_nothing_visible(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_different_source_leaves_nothing_visible");
    is_refused(law, ingester, provider, Fault::Differs(u64::from(LEN) / 2)).await
}

/// A source with a short, long or different file and stream is `Corrupt`, and nothing of it is visible. If only the file
/// is wrong, the store may store the blob from the stream.
///
/// A store that clones the file, or has the kernel copy it, has to hash the result.
pub async fn a_faulty_file_leaves_nothing_visible(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_faulty_file_leaves_nothing_visible");
    for len in [LEN, LARGE] {
        let blob = Blob::layer(Algorithm::Sha256, len);
        let (half, all) = (u64::from(len) / 2, u64::from(len));
        let faults = [
            Fault::EndsAt(0),
            Fault::EndsAt(all - 1),
            Fault::GoesOn(1),
            Fault::GoesOn(len),
            Fault::Differs(0),
        ];
        for fault in faults.into_iter().chain([half, all - 1].map(Fault::Differs)) {
            let did = format!("a source and its file of {len} bytes are faulty ({fault:?})");
            let faulty = Faulty::new(&blob, fault).with_file();
            gives_a_file(law, &faulty, &blob.descriptor)?;
            let stored = put_from(ingester, &faulty).await;
            law.fails(ErrorKind::Corrupt, &did, stored)?;
            is_invisible(law, provider, &blob.descriptor).await?;
        }
        left_nothing(law, ingester, provider, &blob).await?;
    }
    // If the store takes the stream, the blob is stored in the end. So each fault has a blob of its own.
    for (len, fault) in [
        (LEN + 1, Fault::EndsAt(0)),
        (LEN + 2, Fault::EndsAt(u64::from(LEN))),
        (LEN + 3, Fault::GoesOn(1)),
        (LEN + 4, Fault::Differs(7)),
        (LARGE + 1, Fault::Differs(u64::from(LARGE))),
    ] {
        let blob = Blob::layer(Algorithm::Sha256, len);
        if put_from(ingester, &Faulty::new(&blob, fault).with_file_alone()).await.is_err() {
            is_invisible(law, provider, &blob.descriptor).await?;
            put(law, ingester, &blob).await?;
        }
        reads_back(law, provider, &blob, 0).await?;
    }
    Ok(())
}

/// Short, long and different are different errors: a [`Mismatch`] is among the causes.
pub async fn short_long_and_different_sources_are_told_apart(
    ingester: &dyn Ingester,
) -> Result<(), Violation> {
    let law = Law("short_long_and_different_sources_are_told_apart");
    let blob = blob();
    for (fault, word) in
        [(Fault::EndsAt(9), "short"), (Fault::GoesOn(9), "long"), (Fault::Differs(9), "different")]
    {
        let stored = put_from(ingester, &Faulty::new(&blob, fault)).await;
        let error = law.is_an_error(&format!("a source is {word}"), stored)?;
        let mismatch = match error.cause_as::<Mismatch>() {
            Some(Mismatch::TooShort { .. }) => "short",
            Some(Mismatch::TooLong { .. }) => "long",
            Some(Mismatch::Different { .. }) => "different",
            None => "no mismatch",
        };
        law.equal("the mismatch", &word, &mismatch)?;
    }
    Ok(())
}

/// Content of the right digest under a wrong size is refused, and nothing of it is visible.
pub async fn a_descriptor_of_the_wrong_size_leaves_nothing_visible(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_descriptor_of_the_wrong_size_leaves_nothing_visible");
    let blob = blob();
    for size in [0, blob.descriptor.size - 1, blob.descriptor.size + 1] {
        let mut wrong = blob.clone();
        wrong.descriptor.size = size;
        let stored = ingester.put(&wrong.descriptor, &wrong.source()).await;
        law.is_an_error(&format!("a descriptor says {size} bytes"), stored)?;
        is_invisible(law, provider, &wrong.descriptor).await?;
    }
    left_nothing(law, ingester, provider, &blob).await
}

/// A source that fails gives its own error, and nothing of the blob is visible, wherever it fails.
pub async fn a_source_that_fails_at_any_byte_leaves_nothing_visible(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_source_that_fails_at_any_byte_leaves_nothing_visible");
    let blob = blob();
    for kind in [ErrorKind::Unavailable, ErrorKind::Denied] {
        for byte in [0, 1, 999, 1000, 1001, 2999] {
            let fault = Fault::FailsAt { byte, kind, times: u32::MAX };
            let stored = put_from(ingester, &Faulty::new(&blob, fault).in_chunks_of(1000)).await;
            law.fails(kind, &format!("a source fails at byte {byte}"), stored)?;
            is_invisible(law, provider, &blob.descriptor).await?;
        }
    }
    left_nothing(law, ingester, provider, &blob).await
}

/// A source that breaks once and may be opened again is stored.
pub async fn a_source_that_breaks_once_is_stored(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_source_that_breaks_once_is_stored");
    let blob = blob();
    let wait = Duration::from_millis(1);
    let policy = RetryPolicy::default().with_retries(2).with_waits(wait, wait);
    let fault = Fault::FailsAt { byte: 1500, kind: ErrorKind::Unavailable, times: 1 };
    let faulty = Faulty::new(&blob, fault).in_chunks_of(1000);
    let job = Job::default().with_retry(policy).with_budget(RetryBudget::new(2));
    let source = Source::new(&faulty, blob.descriptor.clone(), &job);
    law.succeeds("a source breaks once", ingester.put(&blob.descriptor, &source).await)?;
    reads_back(law, provider, &blob, 0).await
}

/// While a put is under way nothing of the blob is visible.
pub async fn a_put_under_way_shows_nothing(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_put_under_way_shows_nothing");
    while_stalled(law, ingester, provider, true).await
}

/// If a put is dropped, nothing of the blob is visible.
pub async fn a_stalling_source_that_is_dropped_leaves_nothing_visible(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_stalling_source_that_is_dropped_leaves_nothing_visible");
    while_stalled(law, ingester, provider, false).await?;
    left_nothing(law, ingester, provider, &blob()).await
}

/// Puts from a source that stalls at its first and at its last byte, and drops the put. If `look`, checks meanwhile that
/// nothing is visible.
async fn while_stalled(
    law: Law,
    ingester: &dyn Ingester,
    provider: &dyn Provider,
    look: bool,
) -> Result<(), Violation> {
    let blob = blob();
    for byte in [0, u64::from(LEN) - 1] {
        let faulty = Faulty::new(&blob, Fault::StallsAt(byte)).in_chunks_of(1000);
        let looked = async {
            faulty.reached().await;
            if look { is_invisible(law, provider, &blob.descriptor).await } else { Ok(()) }
        };
        match select(pin!(looked), pin!(put_from(ingester, &faulty))).await {
            Either::Left((looked, _)) => looked?,
            Either::Right((Ok(stored), _)) => {
                return Err(law.broken("a put to wait for its source", format_args!("{stored:?}")));
            }
            Either::Right((Err(error), _)) => {
                return Err(law.broken("a put to wait for its source", format_args!("an error: {error}")));
            }
        }
    }
    Ok(())
}

/// If a source panics, the put fails, and nothing of the blob is visible.
pub async fn a_panicking_source_leaves_nothing_visible(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_panicking_source_leaves_nothing_visible");
    let blob = blob();
    for byte in [0, 1500, u64::from(LEN) - 1] {
        let faulty = Faulty::new(&blob, Fault::PanicsAt(byte)).in_chunks_of(1000);
        if let Ok(Ok(stored)) = AssertUnwindSafe(put_from(ingester, &faulty)).catch_unwind().await {
            return Err(law.broken("a put from a source that panics to fail", format_args!("{stored:?}")));
        }
        is_invisible(law, provider, &blob.descriptor).await?;
    }
    left_nothing(law, ingester, provider, &blob).await
}

/// A put that fails does not change a blob that is stored already.
pub async fn a_failed_put_leaves_what_is_there(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_failed_put_leaves_what_is_there");
    let blob = blob();
    put(law, ingester, &blob).await?;
    for fault in [Fault::EndsAt(1), Fault::GoesOn(1), Fault::Differs(1)] {
        // The store may succeed without reading the source.
        let _ = put_from(ingester, &Faulty::new(&blob, fault)).await;
        reads_back(law, provider, &blob, 0).await?;
    }
    Ok(())
}
