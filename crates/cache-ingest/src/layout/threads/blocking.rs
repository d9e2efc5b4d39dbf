//! Runs file operations on the threads that may block.
//!
//! Nothing of this store touches a file on a thread that other tasks wait for, save the opening of one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use cache_model::Descriptor;

use crate::layout::threads::crew::{Crew, Worker};
use crate::{Error, ErrorKind};

/// How many bytes of a file are read at once to be hashed.
pub(crate) const BUFFER: usize = 256 * 1024;

/// Runs `work` where it may block. When the future is dropped, work that has begun runs to its end.
pub(crate) async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(cause) => Err(stopped(operation).with_cause(cause)),
    }
}

/// The error of work whose thread has gone.
pub(crate) fn stopped(operation: &'static str) -> Error {
    Error::new(ErrorKind::Other, operation, "file", "the thread that did it was stopped")
}

/// The error of a put whose other half has gone, and with it whoever would be told.
pub(crate) fn interrupted(descriptor: &Descriptor) -> Error {
    Error::new(ErrorKind::Other, "put", descriptor.digest, "it was interrupted")
}

/// A few threads for work that takes less time than waking a thread for it does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Few(Crew<Job>);

type Job = Box<dyn FnOnce() + Send>;

impl Few {
    /// As [`blocking`], on one of these threads.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move || {
            let _ = sender.send(work());
        });
        self.0.push(job, run);
        receiver.await.unwrap_or_else(|_| Err(stopped(operation)))
    }
}

fn run(worker: &mut Worker<Job>) {
    while let Some(job) = worker.next() {
        // One that panics is missed by whoever waits for it.
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
        let few = Few::default();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let jobs = (0..100).map(|n| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            few.blocking("test", move || {
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
        let few = Few::default();
        let jobs = (0..50)
            .map(|n| few.blocking("test", move || if n % 2 == 0 { panic!("on purpose") } else { Ok(n) }));
        let done = join_all(jobs).await;
        assert!(done.iter().enumerate().all(|(n, done)| done.is_err() == (n % 2 == 0)));
        assert_eq!(few.blocking("test", || Ok(1)).await.unwrap(), 1);
    }

    #[test]
    fn a_runtime_that_has_ended_is_an_error_and_the_next_one_goes_on() {
        let few = Few::default();
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ended = runtime();
        let handle = ended.handle().clone();
        drop(ended);
        let done = {
            let _inside = handle.enter();
            let mut waiting = Box::pin(few.blocking("test", || Ok(1)));
            let poll = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            match poll {
                Poll::Ready(done) => done,
                Poll::Pending => panic!("it would wait for ever"),
            }
        };
        assert_eq!(done.unwrap_err().operation(), "test");
        assert_eq!(runtime().block_on(few.blocking("test", || Ok(2))).unwrap(), 2);
    }
}
