//! A provider that misbehaves as it is told, and a listener that remembers what it heard.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_ingest::{
    ByteStream, Error, ErrorKind, Event, Hasher, Info, Job, Mismatch, Progress, Provider, RetryBudget,
    RetryPolicy,
};
use cache_model::{Algorithm, Descriptor, MediaType};
use futures_util::{StreamExt, stream};

/// The descriptor of some bytes.
pub(crate) fn describe(bytes: &[u8]) -> Descriptor {
    let digest = Hasher::digest(Algorithm::Sha256, bytes);
    Descriptor::new(MediaType::OCI_LAYER_TAR, digest, bytes.len() as u64)
}

/// Bytes without a pattern that a short file would hide.
pub(crate) fn noise(len: usize, seed: u8) -> Bytes {
    let mut state = u32::from(seed) + 1;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(next).collect()
}

/// Retries without long waits.
pub(crate) fn options(retries: u32) -> Job {
    let wait = Duration::from_millis(1);
    let retry = RetryPolicy::default().with_retries(retries).with_waits(wait, wait);
    Job::default().with_retry(retry).with_budget(RetryBudget::new(retries))
}

/// The same job, whose events are remembered.
pub(crate) fn job_hearing(job: &Job, heard: &Heard) -> Job {
    job.clone().with_progress(heard.clone())
}

/// The mismatch that caused an error.
pub(crate) fn mismatch(error: &Error) -> &Mismatch {
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    error.cause_as().unwrap()
}

/// What goes wrong with one opening of the blob.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It cannot be opened.
    Refuse(ErrorKind),
    /// The stream breaks after so many bytes.
    Break(usize, ErrorKind),
    /// The stream ends after so many bytes.
    End(usize),
    /// The stream stalls for ever after so many bytes.
    Stall(usize),
}

/// Serves the same bytes for every descriptor, with one fault an opening until there are none left.
pub(crate) struct Faulty {
    bytes: Bytes,
    chunk: usize,
    faults: Mutex<VecDeque<Fault>>,
    opened: Mutex<Vec<u64>>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
}

impl Faulty {
    pub(crate) fn new(bytes: impl Into<Bytes>, faults: impl IntoIterator<Item = Fault>) -> Self {
        Self {
            bytes: bytes.into(),
            chunk: 7,
            faults: Mutex::new(faults.into_iter().collect()),
            opened: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
        }
    }

    pub(crate) fn in_chunks_of(mut self, chunk: usize) -> Self {
        self.chunk = chunk;
        self
    }

    /// The offsets that it was opened at.
    pub(crate) fn opened(&self) -> Vec<u64> {
        self.opened.lock().unwrap().clone()
    }

    pub(crate) fn most_under_way(&self) -> usize {
        self.most_under_way.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Provider for Faulty {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_under_way.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        match self.faults.lock().unwrap().pop_front() {
            Some(Fault::Refuse(kind)) => Err(Error::new(kind, "look up", descriptor.digest, "refused")),
            _ => Ok(Info::new(self.bytes.len() as u64)),
        }
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        self.opened.lock().unwrap().push(offset);
        let rest = self.bytes.slice(offset as usize..);
        let fault = self.faults.lock().unwrap().pop_front();
        let digest = descriptor.digest;
        let whole = |bytes: Bytes| {
            let chunks: Vec<_> = bytes.chunks(self.chunk).map(Bytes::copy_from_slice).map(Ok).collect();
            stream::iter(chunks)
        };
        Ok(match fault {
            None => Box::pin(whole(rest)),
            Some(Fault::Refuse(kind)) => return Err(Error::new(kind, "open", digest, "refused")),
            Some(Fault::End(at)) => Box::pin(whole(rest.slice(..at.min(rest.len())))),
            Some(Fault::Stall(at)) => {
                Box::pin(whole(rest.slice(..at.min(rest.len()))).chain(stream::pending()))
            }
            Some(Fault::Break(at, kind)) => {
                let broken = Err(Error::new(kind, "read", digest, "the connection broke"));
                Box::pin(whole(rest.slice(..at.min(rest.len()))).chain(stream::iter([broken])))
            }
        })
    }
}

/// Remembers the events as lines.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// The lines without those on transferred bytes.
    pub(crate) fn steps(&self) -> Vec<String> {
        self.lines().into_iter().filter(|line| !line.starts_with("transferred")).collect()
    }

    pub(crate) fn transferred(&self) -> u64 {
        let bytes = |line: &String| line.strip_prefix("transferred ")?.parse::<u64>().ok();
        self.lines().iter().filter_map(bytes).sum()
    }
}

impl Progress for Heard {
    fn event(&self, event: &Event<'_>) {
        let line = match event {
            Event::Planned { blobs, bytes } => format!("planned {blobs} blobs, {bytes} bytes"),
            Event::Started { step, .. } => format!("started {step}"),
            Event::Transferred { bytes, .. } => format!("transferred {bytes}"),
            Event::Resumed { bytes, .. } => format!("resumed {bytes}"),
            Event::Retrying { attempt, .. } => format!("attempt {attempt}"),
            Event::Failed { step, .. } => format!("failed {step}"),
            Event::Finished { step, stored, .. } => format!("finished {step}: {stored:?}"),
            event @ Event::Rehashing { .. } => event.to_string(),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(line);
    }
}
