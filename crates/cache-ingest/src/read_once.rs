//! A provider whose small blobs are read once.
//!
//! It keeps what it has read for as long as it lives, and writes nothing.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use cache_model::{Descriptor, Digest};
use futures_util::stream;
use tokio::sync::OnceCell;

use crate::{ByteStream, Error, ErrorKind, Info, Job, Origin, Provider, Source};

/// The largest blob that is kept, in bytes: more than manifests and configs of images have.
const LARGEST: u64 = 1 << 20;

/// Reads each blob of at most 1 MiB once from another provider, verified, however many readers want it.
///
/// Many tags of a repository lead to the same manifests, and registries limit how many may be read. Larger blobs are passed
/// through.
pub struct ReadOnce<'p> {
    provider: &'p dyn Provider,
    job: Job,
    kept: Mutex<HashMap<Digest, Arc<OnceCell<Bytes>>>>,
}

impl<'p> ReadOnce<'p> {
    /// Reads from a provider, with the retries of a job.
    pub fn new(provider: &'p dyn Provider, job: &Job) -> Self {
        // Its readers report the bytes.
        Self { provider, job: job.clone().with_progress(()), kept: Mutex::default() }
    }

    /// The bytes of a blob; a failure is not kept.
    async fn bytes(&self, descriptor: &Descriptor) -> Result<Bytes, Error> {
        let cell = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(kept.entry(descriptor.digest).or_default())
        };
        let read = async { Source::new(self.provider, descriptor.clone(), &self.job).read(LARGEST).await };
        // It was retried here.
        cell.get_or_try_init(|| read).await.cloned().map_err(Error::tried_enough)
    }
}

impl std::fmt::Debug for ReadOnce<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadOnce").finish_non_exhaustive()
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Provider for ReadOnce<'_> {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        self.provider.info(descriptor).await
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        if descriptor.size > LARGEST {
            return self.provider.open(descriptor, offset).await;
        }
        let mut bytes = self.bytes(descriptor).await?;
        let beyond = || {
            let reason = format_args!("offset {offset} is beyond its {} bytes", descriptor.size);
            Error::new(ErrorKind::Invalid, "open", descriptor.digest, reason)
        };
        let offset =
            usize::try_from(offset).ok().filter(|offset| *offset <= bytes.len()).ok_or_else(beyond)?;
        let rest = bytes.split_off(offset);
        Ok(Box::pin(stream::iter((!rest.is_empty()).then_some(Ok(rest)))))
    }

    fn file(&self, descriptor: &Descriptor) -> Option<File> {
        self.provider.file(descriptor)
    }

    fn origin(&self, descriptor: &Descriptor) -> Option<Origin> {
        self.provider.origin(descriptor)
    }

    /// What was read and kept has been verified.
    fn pass_over(&self, descriptor: &Descriptor) -> bool {
        self.provider.pass_over(descriptor)
    }
}
