//! How far a job has come: counted from its events, and put into words.
//!
//! It counts the blobs of layers, the manifests of a list, or the files of a folder. Configs and manifests of a cache are named while they are in
//! work, and never counted. It prints nothing and knows no terminal.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use cache_ingest::{Event, Step, Stored};
use cache_model::Digest;
use cache_model::{count, duration, grouped};
use cache_report::text::size;

/// The time over which the rate is measured.
const WINDOW: Duration = Duration::from_secs(15);
/// The least time between two measurements of the rate.
const SAMPLING: Duration = Duration::from_secs(1);
/// A time without a byte from which the user is informed of it.
const SILENCE: Duration = Duration::from_secs(5);

/// What a job has done, and what it is doing.
#[derive(Debug)]
pub(crate) struct Meter {
    began: Instant,
    planned: u64,
    planned_bytes: u64,
    done: u64,
    failed: u64,
    already_there: u64,
    mounted: u64,
    /// How many were only read, so that the cache can be written.
    only_read: u64,
    /// The part of the planned bytes that needs no more work.
    done_bytes: u64,
    /// The bytes that were read or sent, also in vain.
    moved: u64,
    /// The bytes that interrupted copies have left.
    resumed: u64,
    /// When the last byte was moved, or work on a blob began.
    moved_at: Instant,
    /// Earlier values of `moved`, oldest first.
    samples: VecDeque<(Instant, u64)>,
    in_work: HashMap<Digest, BlobInWork>,
    /// The manifest or config that is read or written.
    document: Option<String>,
    /// The coming attempt of a request, and why the last one failed, until something goes on.
    obstacle: Option<String>,
    work: Work,
    /// Whether the cache has its manifest, which is written last.
    is_published: bool,
}

/// What is done with everything that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Write,
    Check,
    List,
    Delete,
    /// Files of a folder are read.
    Files,
}

impl Work {
    /// The work that a step is a counted part of; `None` for a config or a manifest of a cache.
    fn counting(step: Step) -> Option<Self> {
        match step {
            Step::Layer | Step::ReadLayer => Some(Self::Write),
            Step::Check => Some(Self::Check),
            Step::ReadManifest => Some(Self::List),
            Step::Delete => Some(Self::Delete),
            _ => None,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::List => "manifest",
            Self::Files => "file",
            Self::Write | Self::Check | Self::Delete => "blob",
        }
    }
}

#[derive(Debug)]
struct BlobInWork {
    size: u64,
    /// The bytes counted so far, to be subtracted when it restarts.
    moved: u64,
    /// Those of them that an interrupted copy has left.
    resumed: u64,
    is_rehashed: bool,
}

impl Meter {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            began: now,
            planned: 0,
            planned_bytes: 0,
            done: 0,
            failed: 0,
            already_there: 0,
            mounted: 0,
            only_read: 0,
            done_bytes: 0,
            moved: 0,
            resumed: 0,
            moved_at: now,
            samples: VecDeque::from([(now, 0)]),
            in_work: HashMap::new(),
            document: None,
            obstacle: None,
            work: Work::Write,
            is_published: false,
        }
    }

    pub(crate) fn planned_bytes(&self) -> u64 {
        self.planned_bytes
    }

    pub(crate) fn done_bytes(&self) -> u64 {
        self.done_bytes
    }

    /// Bytes per second of late.
    pub(crate) fn rate(&self, now: Instant) -> u64 {
        let (since, before) = self.samples.front().copied().unwrap_or((self.began, 0));
        per_second(self.moved - before, now.saturating_duration_since(since))
    }

    /// The progress in one line; `None` before anything has begun.
    pub(crate) fn line(&self, now: Instant) -> Option<String> {
        if self.planned == 0 {
            return self.document.clone();
        }
        let bytes = format!("{} of {}", size(self.done_bytes), size(self.planned_bytes));
        let mut parts = vec![self.counted(), bytes];
        let rate = self.rate(now);
        if rate > 0 {
            parts.push(format!("{}/s", size(rate)));
        }
        parts.extend(self.outlook(now));
        Some(parts.join(", "))
    }

    /// Why a request is tried again. It is cleared by the next event of another kind.
    pub(crate) fn obstacle(&self) -> Option<&str> {
        self.obstacle.as_deref()
    }

    /// How many blobs are done, or how many manifests of a list.
    pub(crate) fn counted(&self) -> String {
        format!("{} of {}", grouped(self.done), count(self.planned, self.work.noun()))
    }

    /// The time that is left, or else why no byte moves.
    pub(crate) fn outlook(&self, now: Instant) -> Option<String> {
        let silent = now.saturating_duration_since(self.moved_at);
        let (rate, left) = (self.rate(now), self.planned_bytes.saturating_sub(self.done_bytes));
        let counted = |is_counted: fn(&BlobInWork) -> bool| {
            self.in_work.values().filter(|blob| is_counted(blob)).count() as u64
        };
        let rehashed = counted(|blob| blob.is_rehashed && blob.moved == 0);
        let complete = counted(|blob| blob.moved >= blob.size);
        if rehashed > 0 && rehashed + complete == counted(|_| true) {
            return Some(format!("hashing {}", count(rehashed, "existing blob")));
        }
        if complete > 0 && complete == counted(|_| true) && silent >= SAMPLING {
            let done = match self.work {
                Work::Write => "stored",
                Work::Check => "unpacked",
                Work::List | Work::Files => "read",
                Work::Delete => "deleted",
            };
            return Some(format!("waiting for {} to be {done}", count(complete, self.work.noun())));
        }
        if self.in_work.is_empty() && self.done >= self.planned {
            return self.document.clone();
        }
        if silent >= SILENCE && !self.in_work.is_empty() {
            return Some(format!("nothing moved for {}", duration(silent)));
        }
        (rate > 0 && left > 0).then(|| format!("{} left", duration(Duration::from_secs(left.div_ceil(rate)))))
    }

    /// What was done in all, once everything is done. A copy ends with its manifest; if it fails before, an error follows
    /// in place of a summary.
    pub(crate) fn summary(&self, now: Instant) -> Option<String> {
        let is_complete = match self.work {
            Work::Write => self.is_published,
            Work::Check | Work::List | Work::Delete | Work::Files => {
                self.planned > 0 && self.done >= self.planned
            }
        };
        if !is_complete {
            return None;
        }
        let took = now.saturating_duration_since(self.began);
        let mut text = self.outcome();
        text.push_str(&format!("; {} in {}", size(self.moved), duration(took)));
        if self.moved > 0 && took >= SAMPLING {
            text.push_str(&format!(", {}/s", size(per_second(self.moved, took))));
        }
        if self.resumed > 0 {
            text.push_str(&format!("; {} were left by an interrupted copy", size(self.resumed)));
        }
        Some(text)
    }

    /// How many blobs came to which end, as the last line of a copy has it.
    fn outcome(&self) -> String {
        let verb = match self.work {
            Work::Write => "written",
            Work::Check => "checked",
            Work::List | Work::Files => "read",
            Work::Delete => "deleted",
        };
        let already =
            [(self.already_there, "already there"), (self.mounted, "mounted"), (self.failed, "failed")];
        let others = already.into_iter().filter(|(number, _)| *number > 0);
        let well = match self.work {
            Work::Write => self.written(),
            Work::Check | Work::List | Work::Delete | Work::Files => self.done,
        };
        let is_zero = well == 0 && self.done > 0;
        let main = (!is_zero).then_some((well, verb));
        let parts = main.into_iter().chain(others).enumerate().map(|(n, (number, what))| match n {
            0 => format!("{} {what}", count(number, self.work.noun())),
            _ if self.work == Work::Write => format!("{} {what}", grouped(number)),
            _ => format!("{} of them {what}", grouped(number)),
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    fn written(&self) -> u64 {
        self.done - self.already_there - self.mounted - self.only_read - self.failed
    }

    /// Notes how much has been moved by now, from which the rate is computed.
    pub(crate) fn sample(&mut self, now: Instant) {
        let is_due = |(last, _): &(Instant, u64)| now.saturating_duration_since(*last) >= SAMPLING;
        if self.samples.back().is_none_or(is_due) {
            self.samples.push_back((now, self.moved));
        }
        // The second one is old enough, so the first is not needed.
        while self.samples.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Counts an event.
    pub(crate) fn update(&mut self, event: &Event<'_>, now: Instant) {
        self.obstacle = match event {
            Event::Retrying { attempt, error, .. } => Some(format!("attempt {attempt}: {}", error.reason())),
            _ => None,
        };
        match event {
            Event::Planned { blobs, bytes } => {
                self.planned += blobs;
                self.planned_bytes = self.planned_bytes.saturating_add(*bytes);
            }
            Event::ReadingFiles { files, bytes, .. } => {
                if self.work != Work::Files {
                    self.begin(Work::Files);
                }
                self.planned += files;
                self.planned_bytes = self.planned_bytes.saturating_add(*bytes);
                self.moved_at = now;
            }
            Event::FilesRead { files, bytes } => {
                self.done += files;
                self.done_bytes = self.done_bytes.saturating_add(*bytes);
                self.moved = self.moved.saturating_add(*bytes);
                self.moved_at = now;
            }
            Event::Importing { .. } => self.document = Some(event.to_string()),
            Event::Started { step, descriptor } => {
                let Some(work) = Work::counting(*step) else {
                    self.document = Some(format!("{step} {}", descriptor.digest));
                    return;
                };
                if self.work != work {
                    self.begin(work);
                }
                let blob = BlobInWork { size: descriptor.size, moved: 0, resumed: 0, is_rehashed: false };
                self.in_work.insert(descriptor.digest, blob);
                self.moved_at = now;
            }
            Event::Rehashing { descriptor } => {
                if let Some(blob) = self.in_work.get_mut(&descriptor.digest) {
                    blob.is_rehashed = true;
                }
            }
            Event::Resumed { descriptor, bytes } => {
                if let Some(blob) = self.in_work.get_mut(&descriptor.digest) {
                    (blob.moved, blob.resumed) = (*bytes, *bytes);
                    self.done_bytes = self.done_bytes.saturating_add(*bytes);
                    self.resumed = self.resumed.saturating_add(*bytes);
                }
            }
            Event::Transferred { descriptor, bytes } => {
                self.moved_at = now;
                // Metadata that is read on the way is not in the plan.
                if let Some(blob) = self.in_work.get_mut(&descriptor.digest) {
                    self.moved = self.moved.saturating_add(*bytes);
                    blob.moved = blob.moved.saturating_add(*bytes);
                    self.done_bytes = self.done_bytes.saturating_add(*bytes);
                }
            }
            Event::Retrying { restarted: Some(descriptor), .. } => {
                if let Some(blob) = self.in_work.get_mut(&descriptor.digest) {
                    self.done_bytes = self.done_bytes.saturating_sub(blob.moved);
                    self.resumed = self.resumed.saturating_sub(blob.resumed);
                    (blob.moved, blob.resumed) = (0, 0);
                }
            }
            Event::Finished { step, descriptor, stored } => {
                self.is_published |= matches!(step, Step::Manifest | Step::ImageManifest);
                if Work::counting(*step).is_none() {
                    return;
                }
                self.end(descriptor.digest, descriptor.size);
                self.already_there += u64::from(step.is_writing() && *stored == Stored::AlreadyPresent);
                self.mounted += u64::from(*stored == Stored::Mounted);
                self.only_read += u64::from(*step == Step::ReadLayer);
            }
            Event::Failed { step, descriptor, .. } if Work::counting(*step).is_some() => {
                self.end(descriptor.digest, descriptor.size);
                self.failed += 1;
            }
            _ => {}
        }
    }

    /// Begins to count work of another kind, such as a copy after a check. What is done is no part of it.
    fn begin(&mut self, work: Work) {
        self.planned = self.planned.saturating_sub(self.done);
        self.planned_bytes = self.planned_bytes.saturating_sub(self.done_bytes);
        (self.done, self.done_bytes) = (0, 0);
        (self.failed, self.already_there, self.mounted, self.only_read) = (0, 0, 0, 0);
        self.work = work;
    }

    /// Counts a blob as done, with the bytes that were not moved.
    fn end(&mut self, digest: Digest, size: u64) {
        let moved = self.in_work.remove(&digest).map_or(0, |blob| blob.moved);
        self.done_bytes = self.done_bytes.saturating_sub(moved).saturating_add(size);
        self.done += 1;
    }
}

fn per_second(bytes: u64, time: Duration) -> u64 {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    u64::try_from(u128::from(bytes) * 1000 / u128::from(milliseconds)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use cache_ingest::{Error, ErrorKind};
    use cache_model::{Descriptor, MediaType};

    use super::*;

    const MIB: u64 = 1 << 20;

    fn blob(number: u8, size: u64) -> Descriptor {
        Descriptor::new(MediaType::from("application/octet-stream"), Digest::sha256([number; 32]), size)
    }

    /// A meter of two blobs of 60 and 40 MiB, and when it began.
    fn of_two() -> (Meter, Instant, Descriptor, Descriptor) {
        let began = Instant::now();
        let (one, two) = (blob(1, 60 * MIB), blob(2, 40 * MIB));
        let mut meter = Meter::new(began);
        meter.update(&Event::Planned { blobs: 2, bytes: 100 * MIB }, began);
        for descriptor in [&one, &two] {
            meter.update(&Event::Started { step: Step::Layer, descriptor }, began);
        }
        (meter, began, one, two)
    }

    /// Writes the config and the manifest, which do not count as blobs.
    fn publish(meter: &mut Meter, now: Instant) {
        let before = (meter.counted(), meter.done_bytes());
        let (document, stored) = (blob(9, MIB), Stored::Stored);
        for step in [Step::Config, Step::ImageManifest] {
            meter.update(&Event::Started { step, descriptor: &document }, now);
            assert_eq!(meter.outlook(now), Some(format!("{step} {}", document.digest)));
            meter.update(&Event::Transferred { descriptor: &document, bytes: MIB }, now);
            meter.update(&Event::Finished { step, descriptor: &document, stored }, now);
        }
        assert_eq!((meter.counted(), meter.done_bytes()), before);
    }

    fn after(began: Instant, seconds: u64) -> Instant {
        began + Duration::from_secs(seconds)
    }

    #[test]
    fn layers_that_are_only_read_are_counted_and_not_called_written() {
        let began = Instant::now();
        let (mut meter, layer, stored) = (Meter::new(began), blob(1, MIB), Stored::AlreadyPresent);
        for (step, stored) in [(Step::ReadLayer, stored), (Step::Layer, Stored::Stored)] {
            meter.update(&Event::Planned { blobs: 1, bytes: MIB }, began);
            meter.update(&Event::Started { step, descriptor: &layer }, began);
            meter.update(&Event::Transferred { descriptor: &layer, bytes: MIB }, began);
            meter.update(&Event::Finished { step, descriptor: &layer, stored }, began);
        }
        assert_eq!(meter.counted(), "2 of 2 blobs");
        let step = Step::ImageManifest;
        meter.update(&Event::Finished { step, descriptor: &layer, stored: Stored::Stored }, began);
        assert_eq!(meter.summary(began).as_deref(), Some("1 blob written; 2 MiB in 0 s"));
    }

    #[test]
    fn a_line_has_rate_and_time_left_and_silence_is_said() {
        let (mut meter, began, one, _) = of_two();
        for second in 1..=10 {
            meter.update(&Event::Transferred { descriptor: &one, bytes: 2 * MIB }, after(began, second));
            meter.sample(after(began, second));
        }
        let line = |meter: &Meter, second| meter.line(after(began, second)).unwrap();
        assert_eq!(line(&meter, 10), "0 of 2 blobs, 20 MiB of 100 MiB, 2 MiB/s, 40 s left");
        for second in 11..=40 {
            meter.sample(after(began, second));
        }
        assert_eq!(line(&meter, 40), "0 of 2 blobs, 20 MiB of 100 MiB, nothing moved for 30 s");
    }

    #[test]
    fn large_numbers_are_grouped() {
        let began = Instant::now();
        let mut meter = Meter::new(began);
        meter.update(&Event::Planned { blobs: 2000, bytes: 0 }, began);
        let (descriptor, stored) = (&blob(1, 0), Stored::AlreadyPresent);
        for _ in 0..1234 {
            meter.update(&Event::Finished { step: Step::Layer, descriptor, stored }, began);
        }
        assert_eq!(meter.counted(), "1,234 of 2,000 blobs");
    }

    #[test]
    fn a_blob_that_restarts_counts_once() {
        let (mut meter, began, one, two) = of_two();
        let error = Error::new(ErrorKind::Unavailable, "read", one.digest, "cut");
        meter.update(&Event::Transferred { descriptor: &one, bytes: 50 * MIB }, began);
        let (restarted, wait) = (Some(&one), Duration::ZERO);
        let retry = Event::Retrying { request: "copy", restarted, attempt: 2, wait, error: &error };
        meter.update(&retry, began);
        assert_eq!(meter.done_bytes(), 0);
        meter.update(&Event::Transferred { descriptor: &one, bytes: 60 * MIB }, began);
        let finished = |descriptor, stored| Event::Finished { step: Step::Layer, descriptor, stored };
        meter.update(&finished(&one, Stored::Stored), began);
        meter.update(&finished(&two, Stored::AlreadyPresent), began);
        assert_eq!((meter.done_bytes(), meter.summary(began)), (100 * MIB, None));
        publish(&mut meter, began);
        let summary = "1 blob written, 1 already there; 110 MiB in 10 s, 11 MiB/s";
        assert_eq!(meter.summary(after(began, 10)).as_deref(), Some(summary));
    }

    #[test]
    fn bytes_of_an_interrupted_copy_are_done_and_not_moved() {
        let (mut meter, began, one, two) = of_two();
        meter.update(&Event::Resumed { descriptor: &one, bytes: 50 * MIB }, began);
        meter.update(&Event::Transferred { descriptor: &one, bytes: 10 * MIB }, after(began, 1));
        let line = "0 of 2 blobs, 60 MiB of 100 MiB, 5 MiB/s, 8 s left";
        assert_eq!(meter.line(after(began, 2)).as_deref(), Some(line));
        // It turns out wrong, and the blob restarts.
        let error = Error::new(ErrorKind::Corrupt, "verify", one.digest, "it is wrong");
        for (descriptor, kept) in [(&one, 0), (&two, 30 * MIB)] {
            let (restarted, wait) = (Some(descriptor), Duration::ZERO);
            meter.update(
                &Event::Retrying { request: "copy", restarted, attempt: 2, wait, error: &error },
                began,
            );
            meter.update(&Event::Resumed { descriptor, bytes: kept }, began);
            meter.update(&Event::Transferred { descriptor, bytes: descriptor.size - kept }, began);
            let (step, stored) = (Step::Layer, Stored::Stored);
            meter.update(&Event::Finished { step, descriptor, stored }, began);
        }
        publish(&mut meter, began);
        let summary = "2 blobs written; 80 MiB in 2 s, 40 MiB/s; 30 MiB were left by an interrupted copy";
        assert_eq!(meter.summary(after(began, 2)).as_deref(), Some(summary));
    }

    #[test]
    fn work_that_moves_no_bytes_is_named() {
        let (mut meter, began, one, two) = of_two();
        meter.update(&Event::Rehashing { descriptor: &one }, began);
        meter.update(&Event::Transferred { descriptor: &two, bytes: 40 * MIB }, began);
        let outlook = |meter: &Meter| meter.outlook(after(began, 2)).unwrap();
        assert_eq!(outlook(&meter), "hashing 1 existing blob");
        let stored = Stored::AlreadyPresent;
        meter.update(&Event::Finished { step: Step::Layer, descriptor: &one, stored }, began);
        assert_eq!(outlook(&meter), "waiting for 1 blob to be stored");
    }

    #[test]
    fn before_a_plan_the_metadata_is_named() {
        let began = Instant::now();
        let mut meter = Meter::new(began);
        assert_eq!(meter.line(began), None);
        meter.update(&Event::Importing { what: "cache manifest", from: "main" }, began);
        assert_eq!(meter.line(began).as_deref(), Some("importing cache manifest from main"));
        assert_eq!(meter.summary(began), None);
    }

    #[test]
    fn a_check_says_what_failed() {
        let began = Instant::now();
        let mut meter = Meter::new(began);
        let (one, step) = (blob(1, MIB), Step::Check);
        let error = Error::new(ErrorKind::NotFound, "check", one.digest, "it is gone");
        meter.update(&Event::Planned { blobs: 1, bytes: MIB }, began);
        meter.update(&Event::Started { step, descriptor: &one }, began);
        meter.update(&Event::Failed { step, descriptor: &one, error: &error }, began);
        let summary = "1 blob checked, 1 of them failed; 0 B in 1 s";
        assert_eq!(meter.summary(after(began, 1)).as_deref(), Some(summary));
    }

    #[test]
    fn a_copy_has_a_summary_once_it_has_its_manifest_also_without_some_blobs() {
        let (mut meter, began, one, two) = of_two();
        let error = Error::new(ErrorKind::NotFound, "open", one.digest, "it is gone");
        meter.update(&Event::Failed { step: Step::Layer, descriptor: &one, error: &error }, began);
        let (step, stored) = (Step::Layer, Stored::Mounted);
        meter.update(&Event::Finished { step, descriptor: &two, stored }, began);
        assert_eq!((meter.done_bytes(), meter.summary(began)), (100 * MIB, None));
        publish(&mut meter, began);
        let summary = "1 blob mounted, 1 failed; 0 B in 0 s";
        assert_eq!(meter.summary(began).as_deref(), Some(summary));
    }

    #[test]
    fn a_copy_after_a_check_counts_the_blobs_of_the_copy() {
        let began = Instant::now();
        let (mut meter, one, two) = (Meter::new(began), blob(1, MIB), blob(2, MIB));
        let error = Error::new(ErrorKind::NotFound, "check", one.digest, "it is gone");
        let (step, stored) = (Step::Check, Stored::AlreadyPresent);
        meter.update(&Event::Planned { blobs: 2, bytes: 2 * MIB }, began);
        for descriptor in [&one, &two] {
            meter.update(&Event::Started { step, descriptor }, began);
        }
        meter.update(&Event::Failed { step, descriptor: &one, error: &error }, began);
        meter.update(&Event::Finished { step, descriptor: &two, stored }, began);
        assert_eq!(meter.counted(), "2 of 2 blobs");
        let step = Step::Layer;
        meter.update(&Event::Planned { blobs: 1, bytes: MIB }, began);
        meter.update(&Event::Started { step, descriptor: &two }, began);
        assert_eq!(
            (meter.counted().as_str(), meter.planned_bytes(), meter.done_bytes()),
            ("0 of 1 blob", MIB, 0)
        );
        meter.update(&Event::Finished { step, descriptor: &two, stored: Stored::Stored }, began);
        publish(&mut meter, began);
        assert_eq!(meter.summary(began).as_deref(), Some("1 blob written; 0 B in 0 s"));
    }

    #[test]
    fn the_files_of_a_folder_are_counted_as_files() {
        let began = Instant::now();
        let mut meter = Meter::new(began);
        for folder in [".", "../docs"] {
            meter.update(&Event::ReadingFiles { folder, files: 2, bytes: 50 * MIB }, began);
        }
        meter.update(&Event::FilesRead { files: 1, bytes: 20 * MIB }, began);
        assert_eq!((meter.counted().as_str(), meter.done_bytes()), ("1 of 4 files", 20 * MIB));
        assert_eq!((meter.planned_bytes(), meter.summary(began)), (100 * MIB, None));
        meter.update(&Event::FilesRead { files: 3, bytes: 80 * MIB }, began);
        let summary = "4 files read; 100 MiB in 2 s, 50 MiB/s";
        assert_eq!(meter.summary(after(began, 2)).as_deref(), Some(summary));
    }

    #[test]
    fn the_reason_of_a_retry_is_shown_until_something_goes_on() {
        let (began, wait, restarted) = (Instant::now(), Duration::ZERO, None);
        let error = Error::new(ErrorKind::Unavailable, "resolve", "r/app", "r refuses connections");
        let mut meter = Meter::new(began);
        let retry = Event::Retrying { request: "resolve r/app", restarted, attempt: 2, wait, error: &error };
        meter.update(&retry, began);
        assert_eq!(meter.obstacle(), Some("attempt 2: r refuses connections"));
        meter.update(&Event::Importing { what: "cache config", from: "r/app" }, began);
        assert_eq!(meter.obstacle(), None);
    }

    #[test]
    fn the_manifests_of_a_list_are_counted_as_manifests() {
        let (began, one) = (Instant::now(), blob(1, 9));
        let mut meter = Meter::new(began);
        let (step, stored) = (Step::ReadManifest, Stored::AlreadyPresent);
        meter.update(&Event::Planned { blobs: 1, bytes: 9 }, began);
        meter.update(&Event::Started { step, descriptor: &one }, began);
        assert_eq!(meter.counted(), "0 of 1 manifest");
        meter.update(&Event::Finished { step, descriptor: &one, stored }, began);
        assert_eq!(meter.summary(began).as_deref(), Some("1 manifest read; 0 B in 0 s"));
    }
}
