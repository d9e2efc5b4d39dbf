//! Hashes the chunks of two blobs at once, whoever reads them: where two readers have one at the same time.
//!
//! A chunk waits for another only while other tasks run that are ready; with none it is hashed alone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::yield_now;

use crate::{Error, ErrorKind, Hasher};

/// How many bytes are worth the wait.
const LEAST: usize = 16 * 1024;
/// How many bytes another may be kept busy with.
const MOST: usize = 1 << 20;

/// A chunk that waits for another.
static WAITING: Mutex<Option<Waiting>> = Mutex::new(None);
static NEXT: AtomicU64 = AtomicU64::new(0);

struct Waiting {
    number: u64,
    hasher: Hasher,
    chunk: Bytes,
    done: oneshot::Sender<Hasher>,
}

/// A chunk that is being hashed. Dropping it gives it up.
pub(crate) enum Hashing {
    Done(Hasher),
    Waiting { number: u64, has_waited: bool, done: oneshot::Receiver<Hasher> },
}

impl Hashing {
    /// Hashes a chunk, with the one that waits; or lets it wait itself.
    pub(crate) fn begin(mut hasher: Hasher, chunk: &Bytes) -> Self {
        if !(LEAST..=MOST).contains(&chunk.len()) || !hasher.gains_from_company() {
            hasher.update(chunk);
            return Self::Done(hasher);
        }
        let mut waiting = lock();
        if let Some(mut other) = waiting.take() {
            drop(waiting);
            Hasher::update_together(&mut [(&mut hasher, chunk), (&mut other.hasher, &other.chunk)]);
            // Whoever is gone does not mind.
            let _ = other.done.send(other.hasher);
            return Self::Done(hasher);
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let (sender, done) = oneshot::channel();
        *waiting = Some(Waiting { number, hasher, chunk: chunk.clone(), done: sender });
        Self::Waiting { number, has_waited: false, done }
    }

    /// The hasher, which has taken the chunk. The future may be dropped, and another one asked for.
    pub(crate) async fn end(&mut self) -> Result<Hasher, Error> {
        loop {
            match self {
                Self::Done(hasher) => return Ok(hasher.clone()),
                Self::Waiting { has_waited: has_waited @ false, .. } => {
                    // Once, even where this future is dropped meanwhile.
                    *has_waited = true;
                    yield_now().await;
                }
                Self::Waiting { number, done, .. } => {
                    let hasher = match take(*number) {
                        Some(mut alone) => {
                            alone.hasher.update(&alone.chunk);
                            alone.hasher
                        }
                        None => done.await.map_err(|_| {
                            Error::new(
                                ErrorKind::Other,
                                "hash",
                                "chunk",
                                "the thread that did it was stopped",
                            )
                        })?,
                    };
                    *self = Self::Done(hasher);
                }
            }
        }
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        if let Self::Waiting { number, .. } = self {
            take(*number);
        }
    }
}

fn lock() -> MutexGuard<'static, Option<Waiting>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The chunk of that number, if it still waits.
fn take(number: u64) -> Option<Waiting> {
    lock().take_if(|waiting| waiting.number == number)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use cache_model::Algorithm;
    use futures_util::future::join_all;

    use super::*;

    fn chunk(n: u8) -> Bytes {
        vec![n; LEAST + usize::from(n)].into()
    }

    fn begin(algorithm: Algorithm, chunk: &Bytes) -> Hashing {
        Hashing::begin(Hasher::new(algorithm), chunk)
    }

    async fn is_right(algorithm: Algorithm, chunk: &Bytes, hashing: &mut Hashing) -> bool {
        hashing.end().await.unwrap().finish() == Hasher::digest(algorithm, chunk)
    }

    /// Other tests of this process may pair with these at any moment: whoever it is, the digests are the same.
    #[tokio::test]
    async fn chunks_are_hashed_right_in_pairs_and_alone() {
        for count in 0..6 {
            let blobs = (0..count).map(|n| async move {
                let algorithm = if n % 3 == 2 { Algorithm::Sha512 } else { Algorithm::Sha256 };
                is_right(algorithm, &chunk(n), &mut begin(algorithm, &chunk(n))).await
            });
            assert!(join_all(blobs).await.into_iter().all(|right| right), "{count}");
        }
        let (small, large) = (Bytes::from_static(b"small"), Bytes::from(vec![0; MOST + 1]));
        for (algorithm, chunk) in
            [(Algorithm::Sha256, &small), (Algorithm::Sha256, &large), (Algorithm::Sha512, &chunk(1))]
        {
            assert!(matches!(begin(algorithm, chunk), Hashing::Done(_)), "not worth the wait");
        }
    }

    #[test]
    fn a_wait_that_is_dropped_each_time_ends() {
        let chunk = chunk(1);
        let mut hashing = begin(Algorithm::Sha256, &chunk);
        let mut polls = 0;
        let hasher = loop {
            polls += 1;
            let poll = pin!(hashing.end()).as_mut().poll(&mut Context::from_waker(Waker::noop()));
            if let Poll::Ready(hasher) = poll {
                break hasher.unwrap();
            }
        };
        assert_eq!(hasher.finish(), Hasher::digest(Algorithm::Sha256, &chunk));
        // One more where another test has taken it and is not done with it.
        assert!(polls < 1000);
    }

    #[test]
    fn a_chunk_that_is_given_up_waits_no_more() {
        let hashing = begin(Algorithm::Sha256, &chunk(1));
        let Hashing::Waiting { number, .. } = hashing else { return };
        drop(hashing);
        assert!(take(number).is_none());
    }

    #[tokio::test]
    async fn whoever_comes_second_hashes_for_both() {
        if !Hasher::new(Algorithm::Sha256).gains_from_company() {
            return;
        }
        // Another test may take one of them away, but not each time.
        for _ in 0..1000 {
            let (mut first, second) =
                (begin(Algorithm::Sha256, &chunk(1)), begin(Algorithm::Sha256, &chunk(2)));
            if let (Hashing::Waiting { done, .. }, Hashing::Done(_)) = (&mut first, &second) {
                assert_eq!(done.try_recv().unwrap().finish(), Hasher::digest(Algorithm::Sha256, &chunk(1)));
                return;
            }
        }
        panic!("no two chunks met");
    }
}
