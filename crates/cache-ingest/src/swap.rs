//! Replacing the manifest behind a name with one that was made of it, while other processes do the same.
//!
//! It looks and waits; reading, making and publishing are the caller's.

use std::time::{Duration, Instant};

use cache_model::Digest;

use crate::random::random_part;
use crate::runtime::pause;
use crate::{Error, ErrorKind, Event, Expect, Job, Name, Publisher, Resolved, Resolver};

/// How often a manifest is made and published at most. Each failure means that another process has succeeded.
const MOST_ATTEMPTS: u32 = 100;
/// The wait after the first attempt; it doubles with each, up to the longest one.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// The least and the longest wait before the look after a publish to a store that does not compare and swap.
const LEAST_LOOK: Duration = Duration::from_secs(1);
const LONGEST_LOOK: Duration = Duration::from_secs(30);
/// How many times as long as a request that look is waited for. Between its last look and its publish, another process takes
/// a request or two.
const REQUESTS: u32 = 10;

/// A manifest that replaces the one that its name stands for, and is made of it: a compare-and-swap with attempts.
///
/// Each attempt calls [`begin`](Self::begin), makes the new manifest of the old one, publishes it with
/// [`expect`](Self::expect), and calls [`end`](Self::end). If another process has changed the name meanwhile, a new attempt
/// has to be made of what it stands for now.
///
/// A store that [compares and swaps](Publisher::is_atomic) loses no manifest. In another one, two processes may publish at
/// the same moment, and the later one replaces what it has not seen. So the name is looked at once more after a wait of a
/// second or more, and what has been replaced is made again. A process that takes longer than this wait from its own look to
/// its publish can replace a manifest unnoticed.
///
/// ```
/// use cache_ingest::{Job, MemoryStore, Name, Publisher, Swap};
/// use cache_model::{Descriptor, MediaType};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let (store, name, job) = (MemoryStore::new(), Name::Tag("count".into()), Job::default());
/// for _ in 0..3 {
///     let mut swap = Swap::new(&store, &store, &name, &job);
///     loop {
///         let old = swap.begin().await?.and_then(|old| old.bytes).unwrap_or_default();
///         let new = [&old[..], b"+"].concat();
///         let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, &new);
///         let published = store.publish(&name, &descriptor, new.into(), swap.expect()).await;
///         if swap.end(published.map(|()| descriptor.digest)).await? {
///             break;
///         }
///     }
/// }
/// # Ok::<(), cache_ingest::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Swap<'a> {
    resolver: &'a dyn Resolver,
    is_atomic: bool,
    name: &'a Name,
    job: &'a Job,
    /// What the name stood for when the attempt began.
    before: Option<Digest>,
    attempts: u32,
    /// How long the last look took.
    look: Duration,
}

impl std::fmt::Debug for Swap<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Swap")
            .field("name", &self.name)
            .field("is_atomic", &self.is_atomic)
            .field("before", &self.before)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

impl<'a> Swap<'a> {
    /// A swap of the manifest behind `name`, which `resolver` reads and `publisher` replaces.
    pub fn new(resolver: &'a dyn Resolver, publisher: &dyn Publisher, name: &'a Name, job: &'a Job) -> Self {
        let (before, attempts, look) = (None, 0, Duration::ZERO);
        Self { resolver, is_atomic: publisher.is_atomic(), name, job, before, attempts, look }
    }

    /// Begins an attempt: what the name stands for now; `None` for nothing.
    ///
    /// # Errors
    /// Those of [`Resolver::resolve`] but [`ErrorKind::NotFound`].
    pub async fn begin(&mut self) -> Result<Option<Resolved>, Error> {
        self.attempts += 1;
        let began = Instant::now();
        let resolved = found(self.resolver.resolve(self.name).await)?;
        self.look = began.elapsed();
        self.before = resolved.as_ref().map(|resolved| resolved.descriptor.digest);
        Ok(resolved)
    }

    /// The expectation to publish with: what the name stood for when the attempt began.
    pub fn expect(&self) -> Expect {
        self.before.map_or(Expect::Absent, Expect::Digest)
    }

    /// How many attempts have begun.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Ends an attempt with the digest of the published manifest, or the error of the publish. Gives whether the manifest
    /// stands; false asks for another attempt.
    ///
    /// # Errors
    /// The error of the publish, unless the name has changed; [`ErrorKind::Conflict`] after a hundred attempts; those of
    /// [`Resolver::resolve_descriptor`].
    pub async fn end(&mut self, published: Result<Digest, Error>) -> Result<bool, Error> {
        let hindrance = match published {
            Ok(_) if self.is_atomic => return Ok(true),
            Ok(digest) => {
                let wait = self.look.saturating_mul(REQUESTS).clamp(LEAST_LOOK, LONGEST_LOOK);
                pause("publish", wait + random_part(wait / 2)).await?;
                let now = self.current().await?;
                if now == Some(digest) {
                    return Ok(true);
                }
                let now = now.map_or("nothing".to_owned(), |now| now.to_string());
                let reason = format_args!("it was published, and stands for {now} now");
                Error::new(ErrorKind::Conflict, "publish", self.name, reason)
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {
                // Otherwise the name is as it was: another process holds a lock, for example.
                if self.current().await? == self.before {
                    return Err(error);
                }
                error
            }
            Err(error) => return Err(error),
        };
        self.wait_after(hindrance).await?;
        Ok(false)
    }

    async fn current(&self) -> Result<Option<Digest>, Error> {
        let current = found(self.resolver.resolve_descriptor(self.name).await)?;
        Ok(current.map(|descriptor| descriptor.digest))
    }

    /// Waits for a random time, so that processes that hinder each other come back one by one.
    async fn wait_after(&self, hindrance: Error) -> Result<(), Error> {
        if self.attempts >= MOST_ATTEMPTS {
            let attempts = self.attempts;
            let reason = format_args!(
                "other processes changed it in each of {attempts} attempts to add to it; try again when they have finished"
            );
            return Err(Error::new(ErrorKind::Conflict, "publish", self.name, reason).with_cause(hindrance));
        }
        let longest = FIRST_WAIT.saturating_mul(2u32.saturating_pow(self.attempts.min(16))).min(LONGEST_WAIT);
        let wait = random_part(longest);
        let request = format!("publish {}", self.name);
        let (restarted, attempt) = (None, self.attempts + 1);
        self.job.event(&Event::Retrying { request: &request, restarted, attempt, wait, error: &hindrance });
        pause("publish", wait).await
    }
}

/// `None` instead of [`ErrorKind::NotFound`].
fn found<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
