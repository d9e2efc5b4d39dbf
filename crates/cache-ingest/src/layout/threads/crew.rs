//! A few threads that take jobs from one queue, and go back to the runtime when there are none.
//!
//! There are no more of them than processors. A job never waits with no thread on its way to it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

/// Asked once, for it takes reading files of the system.
static PROCESSORS: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, usize::from));

/// The queue, and how many threads see to it. Clones share both.
pub(crate) struct Crew<J>(Arc<Mutex<Jobs<J>>>);

struct Jobs<J> {
    waiting: VecDeque<J>,
    /// How many threads there are.
    threads: usize,
    /// How many of them have not taken a job yet.
    coming: usize,
}

impl<J: Send + 'static> Crew<J> {
    /// Leaves a job to the crew, all of whose threads do the same `work`: they ask for jobs until there is none.
    pub(crate) fn push(&self, job: J, work: fn(&mut Worker<J>)) {
        {
            let mut jobs = self.lock();
            jobs.waiting.push_back(job);
            if jobs.threads == *PROCESSORS {
                return;
            }
            jobs.threads += 1;
            jobs.coming += 1;
        }
        // A runtime that has ended drops the worker here and now.
        let mut worker = Worker { crew: self.clone(), stage: Stage::Coming };
        tokio::task::spawn_blocking(move || work(&mut worker));
    }
}

impl<J> Crew<J> {
    fn lock(&self) -> MutexGuard<'_, Jobs<J>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> Clone for Crew<J> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<J> Default for Crew<J> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Jobs { waiting: VecDeque::new(), threads: 0, coming: 0 })))
    }
}

impl<J> fmt::Debug for Crew<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Crew")
    }
}

/// One of the threads, from when it is asked for until it has nothing to do or its runtime has ended.
pub(crate) struct Worker<J> {
    crew: Crew<J>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Coming,
    Working,
    Gone,
}

impl<J> Worker<J> {
    /// The next job. Where there is none the thread has left the crew, and has to end.
    pub(crate) fn next(&mut self) -> Option<J> {
        let mut jobs = self.crew.lock();
        self.stage.moves_to(Stage::Working, &mut jobs);
        let job = jobs.waiting.pop_front();
        if job.is_none() {
            // Under the lock still: who pushes next finds the thread here, or starts another.
            self.stage.moves_to(Stage::Gone, &mut jobs);
        }
        job
    }

    /// One job more, to be done beside those at hand: one that no other thread is on its way to.
    pub(crate) fn another(&mut self) -> Option<J> {
        let mut jobs = self.crew.lock();
        if jobs.waiting.len() > jobs.coming { jobs.waiting.pop_front() } else { None }
    }

    /// Whether there are so many processors that each thread of the crew may use two.
    pub(crate) fn has_room(&self) -> bool {
        2 * self.crew.lock().threads <= *PROCESSORS
    }
}

impl Stage {
    fn moves_to<J>(&mut self, next: Self, jobs: &mut Jobs<J>) {
        if *self == Self::Coming && next != Self::Coming {
            jobs.coming -= 1;
        }
        if *self != Self::Gone && next == Self::Gone {
            jobs.threads -= 1;
        }
        *self = next;
    }
}

impl<J> Drop for Worker<J> {
    fn drop(&mut self) {
        let mut jobs = self.crew.lock();
        self.stage.moves_to(Stage::Gone, &mut jobs);
        if jobs.threads == 0 {
            // Any that still wait would wait for ever: there are some only where the runtime has ended.
            let left = std::mem::take(&mut jobs.waiting);
            drop(jobs);
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
            while let Some(job) = worker.another() {
                job.send("another").unwrap();
            }
        }
    }

    #[tokio::test]
    async fn every_job_is_taken_however_they_come() {
        let crew = Crew::default();
        let (tell, told) = mpsc::channel();
        for pause in 0..1000u64 {
            crew.push(tell.clone(), all_at_once);
            if pause % 7 == 0 {
                std::thread::sleep(Duration::from_micros(pause % 50));
            }
        }
        drop(tell);
        assert_eq!(told.iter().count(), 1000);
        let mut threads = crew.lock().threads;
        while threads > 0 {
            std::thread::yield_now();
            threads = crew.lock().threads;
        }
        assert_eq!(crew.lock().coming, 0);
    }

    #[tokio::test]
    async fn a_job_that_another_thread_comes_for_is_left_to_it() {
        let crew = Crew::<Told>::default();
        let (tell, told) = mpsc::channel();
        let mut worker = Worker { crew: crew.clone(), stage: Stage::Coming };
        {
            let mut jobs = crew.lock();
            (jobs.threads, jobs.coming) = (2, 2);
            jobs.waiting.extend([tell.clone(), tell.clone(), tell]);
        }
        assert!(worker.next().is_some());
        assert_eq!(worker.has_room(), *PROCESSORS >= 4);
        assert!(worker.another().is_some(), "two wait for one thread");
        assert!(worker.another().is_none(), "one waits for it");
        drop(worker);
        assert_eq!(crew.lock().threads, 1);
        assert_eq!(crew.lock().waiting.len(), 1);
        drop(Worker { crew: crew.clone(), stage: Stage::Coming });
        assert_eq!(told.recv(), Err(mpsc::RecvError), "no thread is left for it");
    }
}
