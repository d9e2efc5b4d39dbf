//! Checks that several laws make: what a store gives back, and that a blob is not visible in it.

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

/// Whether the bytes of a blob from an offset on are right.
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
        Some(byte) => format!("{} bytes of which byte {byte} differs", seen.len()),
        None => format!("{} bytes", seen.len()),
    };
    Err(law.broken(format_args!("the {} bytes from {offset} on", expected.len()), seen))
}

/// Whether nothing of a blob can be seen.
pub(super) async fn is_invisible(
    law: Law,
    provider: &dyn Provider,
    descriptor: &Descriptor,
) -> Result<(), Violation> {
    law.fails(ErrorKind::NotFound, "looking up what is not there", provider.info(descriptor).await)?;
    let opened = provider.open(descriptor, 0).await;
    law.fails(ErrorKind::NotFound, "opening what is not there", opened).map(|_| ())
}

/// Puts a blob from memory.
pub(super) async fn put(law: Law, ingester: &dyn Ingester, blob: &Blob) -> Result<Stored, Violation> {
    let did = format!("putting a blob of {} bytes", blob.bytes.len());
    law.succeeds(&did, ingester.put(&blob.descriptor, &blob.source()).await)
}

/// Whether a provider gives a file: where none can be made, a law about files would hold without having looked.
pub(super) fn gives_a_file(
    law: Law,
    provider: &dyn Provider,
    descriptor: &Descriptor,
) -> Result<(), Violation> {
    match provider.file(descriptor) {
        Some(_) => Ok(()),
        None => Err(law.broken("a temporary file to put from", "none that can be made")),
    }
}
