//! Laws of ingesters with good sources.
//!
//! The provider reads the same store, to check the outcome.

use cache_ingest::{Ingester, Job, Provider, Source, Stored};
use cache_model::Algorithm;

use super::checks::{gives_a_file, put, reads_back};
use crate::violation::Law;
use crate::{Blob, Fault, Faulty, Violation};

/// The first put of a blob stores it, and is not `AlreadyPresent`.
pub async fn a_put_of_an_absent_blob_stores_it(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_put_of_an_absent_blob_stores_it");
    let blob = Blob::layer(Algorithm::Sha256, 100);
    if put(law, ingester, &blob).await? == Stored::AlreadyPresent {
        return Err(law.broken("the first put to store the blob", "AlreadyPresent"));
    }
    reads_back(law, provider, &blob, 0).await
}

/// A blob of any length that was put reads back from any offset.
pub async fn a_put_blob_reads_back_from_any_offset(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_put_blob_reads_back_from_any_offset");
    for len in [1, 2, 5000, 1_300_000] {
        let blob = Blob::layer(Algorithm::Sha256, len);
        put(law, ingester, &blob).await?;
        let len = blob.bytes.len();
        for offset in [0, 1, len / 2, len - 1, len] {
            reads_back(law, provider, &blob, offset).await?;
        }
    }
    Ok(())
}

/// Putting a stored blob again succeeds as `AlreadyPresent` and changes nothing.
pub async fn putting_again_is_already_present(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("putting_again_is_already_present");
    let blob = Blob::layer(Algorithm::Sha256, 1000);
    put(law, ingester, &blob).await?;
    for _ in 0..2 {
        law.equal("a put again", &Stored::AlreadyPresent, &put(law, ingester, &blob).await?)?;
    }
    reads_back(law, provider, &blob, 0).await
}

/// A blob without bytes is a blob.
pub async fn an_empty_blob_is_stored_and_read(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("an_empty_blob_is_stored_and_read");
    let blob = Blob::layer(Algorithm::Sha256, 0);
    put(law, ingester, &blob).await?;
    let info = law.succeeds("looking up an empty blob", provider.info(&blob.descriptor).await)?;
    law.equal("the size", &0, &info.size)?;
    reads_back(law, provider, &blob, 0).await
}

/// A blob with a sha512 digest is stored and verified by it. For stores that support sha512.
pub async fn a_sha512_blob_is_stored_and_verified(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_sha512_blob_is_stored_and_verified");
    let blob = Blob::layer(Algorithm::Sha512, 1000);
    let different = Faulty::new(&blob, Fault::Differs(500));
    let source = Source::new(&different, blob.descriptor.clone(), &Job::without_retries());
    law.is_an_error("putting other content", ingester.put(&blob.descriptor, &source).await)?;
    super::checks::is_invisible(law, provider, &blob.descriptor).await?;
    put(law, ingester, &blob).await?;
    reads_back(law, provider, &blob, 0).await
}

/// The sizes of a source's chunks make no difference.
pub async fn a_source_of_single_bytes_is_stored(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_source_of_single_bytes_is_stored");
    let blob = Blob::layer(Algorithm::Sha256, 777);
    let single = Faulty::new(&blob, Fault::Nothing).in_chunks_of(1);
    let source = Source::new(&single, blob.descriptor.clone(), &Job::default());
    law.succeeds("putting byte by byte", ingester.put(&blob.descriptor, &source).await)?;
    reads_back(law, provider, &blob, 0).await
}

/// A source that has the blob as a stream and as a file is stored, whichever of the two the store reads.
pub async fn a_source_with_a_file_is_stored(
    ingester: &dyn Ingester,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_source_with_a_file_is_stored");
    for len in [0, 1, 4000, 1_300_000] {
        let blob = Blob::layer(Algorithm::Sha256, len);
        let with_file = Faulty::new(&blob, Fault::Nothing).with_file();
        gives_a_file(law, &with_file, &blob.descriptor)?;
        let source = Source::new(&with_file, blob.descriptor.clone(), &Job::default());
        let did = format!("putting a file of {len} bytes");
        law.succeeds(&did, ingester.put(&blob.descriptor, &source).await)?;
        reads_back(law, provider, &blob, 0).await?;
    }
    Ok(())
}
