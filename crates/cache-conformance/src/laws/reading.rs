//! Laws of providers: absence, sizes, reading.
//!
//! They store nothing. A law that takes a blob expects it to be in the provider.

use std::io::Read;

use cache_ingest::{ErrorKind, Provider};
use cache_model::Descriptor;
use futures_util::StreamExt;
use futures_util::future::try_join_all;

use super::checks::{is_invisible, reads_back};
use crate::violation::Law;
use crate::{Blob, Violation};

/// Looking up and opening an absent blob is `NotFound`.
pub async fn a_blob_that_is_absent_is_not_found(
    provider: &dyn Provider,
    absent: &Descriptor,
) -> Result<(), Violation> {
    is_invisible(Law("a_blob_that_is_absent_is_not_found"), provider, absent).await
}

/// A provider that cannot tell whether it has a blob never gives `NotFound`. The law takes such a provider.
pub async fn not_being_able_to_tell_is_not_absence(
    unreachable: &dyn Provider,
    absent: &Descriptor,
) -> Result<(), Violation> {
    let law = Law("not_being_able_to_tell_is_not_absence");
    let looked = law.is_an_error("looking up without being able to tell", unreachable.info(absent).await)?;
    let opened = law.is_an_error("opening without being able to tell", unreachable.open(absent, 0).await)?;
    match [looked, opened].into_iter().find(|error| error.kind() == ErrorKind::NotFound) {
        Some(error) => Err(law.broken("an error that says what failed", format_args!("NotFound: {error}"))),
        None => Ok(()),
    }
}

/// The size that a provider gives is that of the blob.
pub async fn info_gives_the_size_without_reading(
    provider: &dyn Provider,
    blob: &Blob,
) -> Result<(), Violation> {
    let law = Law("info_gives_the_size_without_reading");
    let info = law.succeeds("looking up a blob", provider.info(&blob.descriptor).await)?;
    law.equal("the size", &(blob.bytes.len() as u64), &info.size)
}

/// A blob is found by its digest alone; a wrong size in the descriptor changes nothing.
pub async fn the_size_of_a_descriptor_is_a_hint(
    provider: &dyn Provider,
    blob: &Blob,
) -> Result<(), Violation> {
    let law = Law("the_size_of_a_descriptor_is_a_hint");
    let mut hinted = blob.clone();
    hinted.descriptor.size = blob.descriptor.size.saturating_add(7);
    let info =
        law.succeeds("looking up a blob with a wrong size", provider.info(&hinted.descriptor).await)?;
    law.equal("the size", &blob.descriptor.size, &info.size)?;
    reads_back(law, provider, &hinted, 0).await
}

/// Opening at an offset gives the bytes from there on.
pub async fn a_blob_reads_back_from_any_offset(
    provider: &dyn Provider,
    blob: &Blob,
) -> Result<(), Violation> {
    let law = Law("a_blob_reads_back_from_any_offset");
    let len = blob.bytes.len();
    for offset in [0, 1, 2, len / 3, len / 2, len.saturating_sub(1)] {
        reads_back(law, provider, blob, offset.min(len)).await?;
    }
    Ok(())
}

/// Opening at the blob's size gives an empty stream, and beyond it an error.
pub async fn opening_beyond_the_end_is_an_error_and_at_the_end_empty(
    provider: &dyn Provider,
    blob: &Blob,
) -> Result<(), Violation> {
    let law = Law("opening_beyond_the_end_is_an_error_and_at_the_end_empty");
    reads_back(law, provider, blob, blob.bytes.len()).await?;
    for beyond in [blob.descriptor.size.saturating_add(1), u64::MAX] {
        let opened = provider.open(&blob.descriptor, beyond).await;
        law.is_an_error(&format!("opening at {beyond}"), opened)?;
    }
    Ok(())
}

/// Readers of one blob do not disturb each other, even if one stops midway.
pub async fn readers_do_not_disturb_each_other(
    provider: &dyn Provider,
    blob: &Blob,
) -> Result<(), Violation> {
    let law = Law("readers_do_not_disturb_each_other");
    let mut given_up = law.succeeds("opening a blob", provider.open(&blob.descriptor, 0).await)?;
    let _ = given_up.next().await;
    let len = blob.bytes.len();
    let readers = [0, len / 2, 0, len].map(|offset| reads_back(law, provider, blob, offset));
    try_join_all(readers).await?;
    drop(given_up);
    reads_back(law, provider, blob, 0).await
}

/// A provider that gives a blob as a file gives the whole blob, positioned at its start, each time.
pub async fn a_file_holds_the_whole_blob_from_its_start(
    provider: &dyn Provider,
    blob: &Blob,
) -> Result<(), Violation> {
    let law = Law("a_file_holds_the_whole_blob_from_its_start");
    for _ in 0..2 {
        let Some(mut file) = provider.file(&blob.descriptor) else { return Ok(()) };
        let mut bytes = Vec::new();
        if let Err(error) = file.read_to_end(&mut bytes) {
            return Err(law.broken("a file that can be read", error));
        }
        if bytes != blob.bytes {
            let seen = format!("{} other bytes", bytes.len());
            return Err(law.broken(format_args!("a file with the {} bytes", blob.bytes.len()), seen));
        }
    }
    Ok(())
}
