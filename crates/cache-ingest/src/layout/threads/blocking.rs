//! Runs file operations on threads that may block.
//!
//! The store touches files on these threads only, so that no task of the runtime waits for a disk. The one exception is
//! opening a file for [`Provider::file`](crate::Provider::file), which is not async.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use cache_model::Descriptor;

use crate::layout::threads::queue::{JobQueue, Worker};
use crate::runtime::runtime;
use crate::{Error, ErrorKind};

/// How many bytes of a file are read at once to be hashed.
pub(crate) const BUFFER: usize = 256 * 1024;

/// Runs `work` on a thread that may block. Work that has begun runs to its end, also when the future is dropped.
pub(crate) async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match runtime(operation)?.spawn_blocking(work).await {
        Ok(done) => done,
        Err(cause) => Err(stopped(operation).with_cause(cause)),
    }
}

/// The error of work whose thread panicked or whose runtime has ended.
pub(crate) fn stopped(operation: &'static str) -> Error {
    Error::new(ErrorKind::Other, operation, "file", "the thread that did it was stopped")
}

/// The error of a put whose future was dropped.
pub(crate) fn interrupted(descriptor: &Descriptor) -> Error {
    Error::new(ErrorKind::Other, "put", descriptor.digest, "it was interrupted")
}

/// A small thread pool for jobs that are shorter than a thread's wake-up. Clones share its threads.
#[derive(Clone, Debug, Default)]
pub(crate) struct ThreadPool(JobQueue<PoolJob>);

type PoolJob = Box<dyn FnOnce() + Send>;

impl ThreadPool {
    /// As [`blocking`], on a thread of this pool.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, receiver) = oneshot::channel();
        let job: PoolJob = Box::new(move || {
            let _ = sender.send(work());
        });
        self.0.push(&runtime(operation)?, job, run_jobs);
        receiver.await.unwrap_or_else(|_| Err(stopped(operation)))
    }
}

fn run_jobs(worker: &mut Worker<PoolJob>) {
    while let Some(job) = worker.next() {
        // A job that panics drops its sender, so that only its own caller sees an error.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Waker};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn many_jobs_are_all_done_by_no_more_threads_than_processors() {
        let pool = ThreadPool::default();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let jobs = (0..100).map(|n| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            pool.run("test", move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_micros(100));
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(n)
            })
        });
        let done: Vec<i32> = join_all(jobs).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(done, (0..100).collect::<Vec<_>>());
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        assert!(most.load(Ordering::SeqCst) <= processors);
    }

    #[tokio::test]
    async fn a_job_that_panics_is_an_error_and_stops_no_other() {
        let pool = ThreadPool::default();
        let jobs =
            (0..50).map(|n| pool.run("test", move || if n % 2 == 0 { panic!("on purpose") } else { Ok(n) }));
        let done = join_all(jobs).await;
        assert!(done.iter().enumerate().all(|(n, done)| done.is_err() == (n % 2 == 0)));
        assert_eq!(pool.run("test", || Ok(1)).await.unwrap(), 1);
    }

    #[test]
    fn a_runtime_that_has_ended_is_an_error_and_the_next_one_goes_on() {
        let pool = ThreadPool::default();
        let new_runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ended = new_runtime();
        let handle = ended.handle().clone();
        drop(ended);
        let done = {
            let _inside = handle.enter();
            let mut waiting = Box::pin(pool.run("test", || Ok(1)));
            let poll = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            match poll {
                Poll::Ready(done) => done,
                Poll::Pending => panic!("it would wait for ever"),
            }
        };
        assert_eq!(done.unwrap_err().operation(), "test");
        assert_eq!(new_runtime().block_on(pool.run("test", || Ok(2))).unwrap(), 2);
    }
}
