//! Checks that several laws share: that a blob reads back, and that a blob is not visible.

use bytes::Bytes;
use cache_ingest::{ErrorKind, Ingester, Provider, Stored};
use cache_model::Descriptor;
use futures_util::TryStreamExt;

use crate::violation::Law;
use crate::{Blob, Violation};

/// The bytes of a blob from an offset on.
pub(super) async fn read(
    law: Law,
    provider: &dyn Provider,
    descriptor: &Descriptor,
    offset: u64,
) -> Result<Bytes, Violation> {
    let did = format!("opening {} at {offset}", descriptor.digest);
    let stream = law.succeeds(&did, provider.open(descriptor, offset).await)?;
    let did = format!("reading {} from {offset} on", descriptor.digest);
    let bytes = law.succeeds(&did, stream.try_collect::<Vec<Bytes>>().await)?;
    Ok(bytes.concat().into())
}

/// Checks the bytes of a blob from an offset on.
pub(super) async fn reads_back(
    law: Law,
    provider: &dyn Provider,
    blob: &Blob,
    offset: usize,
) -> Result<(), Violation> {
    let seen = read(law, provider, &blob.descriptor, offset as u64).await?;
    let expected = blob.bytes.get(offset..).unwrap_or_default();
    if seen == expected {
        return Ok(());
    }
    let first = seen.iter().zip(expected).position(|(seen, expected)| seen != expected);
    let seen = match first {
        Some(byte) => format!("{} bytes, with a wrong byte {byte}", seen.len()),
        None => format!("{} bytes", seen.len()),
    };
    Err(law.broken(format_args!("the {} bytes from {offset} on", expected.len()), seen))
}

/// Checks that nothing of a blob is visible.
pub(super) async fn is_invisible(
    law: Law,
    provider: &dyn Provider,
    descriptor: &Descriptor,
) -> Result<(), Violation> {
    law.fails(ErrorKind::NotFound, "looking up an absent blob", provider.info(descriptor).await)?;
    let opened = provider.open(descriptor, 0).await;
    law.fails(ErrorKind::NotFound, "opening an absent blob", opened).map(|_| ())
}

/// Puts a blob from memory.
pub(super) async fn put(law: Law, ingester: &dyn Ingester, blob: &Blob) -> Result<Stored, Violation> {
    let did = format!("putting a blob of {} bytes", blob.bytes.len());
    law.succeeds(&did, ingester.put(&blob.descriptor, &blob.source()).await)
}

/// Checks that a provider gives a file. If no temporary file can be made, a law about files would check nothing.
pub(super) fn gives_a_file(
    law: Law,
    provider: &dyn Provider,
    descriptor: &Descriptor,
) -> Result<(), Violation> {
    match provider.file(descriptor) {
        Some(_) => Ok(()),
        None => Err(law.broken("a temporary file to put from", "none, since it cannot be made")),
    }
}
