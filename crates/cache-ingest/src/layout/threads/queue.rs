//! A queue of jobs, and the threads that take them: no more of them than processors, back to the runtime when the queue
//! is empty.
//!
//! As long as a job waits, a thread is working or starting: no job is left behind.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use tokio::runtime::Handle;

/// Asked once: the answer takes reading files of the system.
static PROCESSORS: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, usize::from));

/// A queue and the number of its threads. Clones share both.
pub(crate) struct JobQueue<J>(Arc<Mutex<QueueState<J>>>);

struct QueueState<J> {
    waiting: VecDeque<J>,
    /// How many threads are starting or working.
    threads: usize,
    /// How many of them are starting: they have not taken a job yet.
    starting: usize,
}

impl<J: Send + 'static> JobQueue<J> {
    /// Queues a job, and starts a thread for it unless there is one for each processor. Every thread runs `work`, which
    /// asks its worker for jobs until there is none.
    pub(crate) fn push(&self, runtime: &Handle, job: J, work: fn(&mut Worker<J>)) {
        {
            let mut state = self.lock();
            state.waiting.push_back(job);
            if state.threads == *PROCESSORS {
                return;
            }
            state.threads += 1;
            state.starting += 1;
        }
        // A runtime that has ended drops the worker here and now.
        let mut worker = Worker { queue: self.clone(), stage: Stage::Starting };
        runtime.spawn_blocking(move || work(&mut worker));
    }
}

impl<J> JobQueue<J> {
    fn lock(&self) -> MutexGuard<'_, QueueState<J>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> Clone for JobQueue<J> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<J> Default for JobQueue<J> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(QueueState { waiting: VecDeque::new(), threads: 0, starting: 0 })))
    }
}

impl<J> fmt::Debug for JobQueue<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JobQueue")
    }
}

/// A thread of a queue, from its request until it leaves: because the queue is empty, or because its runtime has ended.
pub(crate) struct Worker<J> {
    queue: JobQueue<J>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starting,
    Working,
    Left,
}

impl<J> Worker<J> {
    /// The next job. `None` where there is none: the thread has left the queue then, and has to end.
    pub(crate) fn next(&mut self) -> Option<J> {
        let mut state = self.queue.lock();
        self.stage.move_to(Stage::Working, &mut state);
        let job = state.waiting.pop_front();
        if job.is_none() {
            // Still under the lock: the next push finds this thread working, or starts another.
            self.stage.move_to(Stage::Left, &mut state);
        }
        job
    }

    /// A further job, to be done beside those at hand; `None` where a starting thread will take each that waits.
    pub(crate) fn next_unclaimed(&mut self) -> Option<J> {
        let mut state = self.queue.lock();
        if state.waiting.len() > state.starting { state.waiting.pop_front() } else { None }
    }

    /// Whether there are at least two processors for each thread of the queue.
    pub(crate) fn has_spare_processor(&self) -> bool {
        2 * self.queue.lock().threads <= *PROCESSORS
    }
}

impl Stage {
    fn move_to<J>(&mut self, next: Self, state: &mut QueueState<J>) {
        if *self == Self::Starting && next != Self::Starting {
            state.starting -= 1;
        }
        if *self != Self::Left && next == Self::Left {
            state.threads -= 1;
        }
        *self = next;
    }
}

impl<J> Drop for Worker<J> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        self.stage.move_to(Stage::Left, &mut state);
        if state.threads == 0 {
            // Jobs are left only where the runtime has ended, and nothing would ever take them. Dropping them is an error
            // for their callers.
            let left = std::mem::take(&mut state.waiting);
            drop(state);
            drop(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    type Told = mpsc::Sender<&'static str>;

    /// Takes a job, and others beside it, and says so.
    fn all_at_once(worker: &mut Worker<Told>) {
        while let Some(job) = worker.next() {
            job.send("next").unwrap();
            while let Some(job) = worker.next_unclaimed() {
                job.send("another").unwrap();
            }
        }
    }

    #[tokio::test]
    async fn every_job_is_taken_however_they_come() {
        let queue = JobQueue::default();
        let (tell, told) = mpsc::channel();
        for pause in 0..1000u64 {
            queue.push(&Handle::current(), tell.clone(), all_at_once);
            if pause % 7 == 0 {
                std::thread::sleep(Duration::from_micros(pause % 50));
            }
        }
        drop(tell);
        assert_eq!(told.iter().count(), 1000);
        let mut threads = queue.lock().threads;
        while threads > 0 {
            std::thread::yield_now();
            threads = queue.lock().threads;
        }
        assert_eq!(queue.lock().starting, 0);
    }

    #[tokio::test]
    async fn a_job_that_another_thread_comes_for_is_left_to_it() {
        let queue = JobQueue::<Told>::default();
        let (tell, told) = mpsc::channel();
        let mut worker = Worker { queue: queue.clone(), stage: Stage::Starting };
        {
            let mut state = queue.lock();
            (state.threads, state.starting) = (2, 2);
            state.waiting.extend([tell.clone(), tell.clone(), tell]);
        }
        assert!(worker.next().is_some());
        assert_eq!(worker.has_spare_processor(), *PROCESSORS >= 4);
        assert!(worker.next_unclaimed().is_some(), "two wait for one thread");
        assert!(worker.next_unclaimed().is_none(), "one waits for it");
        drop(worker);
        assert_eq!(queue.lock().threads, 1);
        assert_eq!(queue.lock().waiting.len(), 1);
        drop(Worker { queue: queue.clone(), stage: Stage::Starting });
        assert_eq!(told.recv(), Err(mpsc::RecvError), "no thread is left for it");
    }
}
