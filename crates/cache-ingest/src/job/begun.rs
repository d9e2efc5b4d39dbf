//! A step that has begun on a blob. It always ends: it finishes or fails, also when the work is dropped.

use cache_model::Descriptor;

use crate::{Error, ErrorKind, Event, Job, Step, Stored};

/// A step that has begun on a blob. It sends [`Event::Finished`] or [`Event::Failed`] once.
///
/// A step that is dropped before it ended has failed, for example when another blob's error ends a copy of many.
#[derive(Debug)]
#[must_use = "dropped, the step has failed"]
pub struct BegunStep<'a> {
    job: &'a Job,
    step: Step,
    descriptor: &'a Descriptor,
    has_ended: bool,
}

impl Job {
    /// Sends [`Event::Started`]. The returned step sends [`Event::Finished`] or [`Event::Failed`].
    pub fn begin<'a>(&'a self, step: Step, descriptor: &'a Descriptor) -> BegunStep<'a> {
        self.event(&Event::Started { step, descriptor });
        BegunStep { job: self, step, descriptor, has_ended: false }
    }
}

impl BegunStep<'_> {
    /// The step has succeeded.
    pub fn finish(mut self, stored: Stored) {
        self.has_ended = true;
        self.job.event(&Event::Finished { step: self.step, descriptor: self.descriptor, stored });
    }

    /// The step has failed.
    pub fn fail(mut self, error: &Error) {
        self.send_failure(error);
    }

    fn send_failure(&mut self, error: &Error) {
        self.has_ended = true;
        self.job.event(&Event::Failed { step: self.step, descriptor: self.descriptor, error });
    }
}

impl Drop for BegunStep<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            let reason = "the job ended before it was done";
            self.send_failure(&Error::new(ErrorKind::Other, "finish", self.descriptor.digest, reason));
        }
    }
}
