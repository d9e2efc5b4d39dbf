//! The status log of a build: when each step ran, and which came from a cache (media type
//! `application/vnd.buildkit.status.v0`; `StatusResponse` in moby/buildkit `api/services/control/control.proto`).
//!
//! It is read message by message. The output of the steps, which makes a log large, is never kept.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};
use std::time::Duration;

use cache_model::Digest;

use super::protobuf::{NotAMessage, WireFields, WireValue};

/// The most bytes of one message. BuildKit sends none above 16 MiB.
const LARGEST_MESSAGE: u64 = 32 << 20;

/// The most runs of steps that are kept, so that a log that was made to be large takes no more memory than a large build.
const MOST_RUNS: usize = 1 << 16;

/// When steps ran, by the digests that progress and logs have for them.
#[derive(Debug, Default)]
pub(crate) struct StatusLog {
    steps: HashMap<Digest, StepRuns>,
    runs: usize,
}

/// When one step ran.
#[derive(Debug, Default)]
struct StepRuns {
    /// The end of each run by its start. BuildKit runs a step in parts: it looks for it in caches, and pulls or executes.
    runs: BTreeMap<LogTime, LogTime>,
    cached: bool,
}

/// The time since the start of 1970. None before: BuildKit has no clock that shows one.
type LogTime = Duration;

/// One mention of a step.
#[derive(Debug, Default)]
struct StepMention<'a> {
    digest: &'a [u8],
    cached: bool,
    started: Option<LogTime>,
    completed: Option<LogTime>,
}

impl StatusLog {
    /// Reads a log to its end.
    ///
    /// # Errors
    /// Those of the reader; [`io::ErrorKind::InvalidData`] for bytes that are no log, and for a log that is beyond every build.
    pub(crate) fn read(mut reader: impl Read) -> io::Result<Self> {
        let mut log = Self::default();
        let mut message = Vec::new();
        while let Some(len) = message_len(&mut reader)? {
            if len > LARGEST_MESSAGE {
                return Err(invalid("a message is larger than BuildKit makes any"));
            }
            message.clear();
            if reader.by_ref().take(len).read_to_end(&mut message)? as u64 != len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            log.add(&message).map_err(invalid)?;
            if log.runs > MOST_RUNS {
                return Err(invalid("it has more steps than any build"));
            }
        }
        Ok(log)
    }

    /// How long a step ran; `None` if the log does not say.
    pub(crate) fn duration(&self, vertex: &Digest) -> Option<Duration> {
        let runs = &self.steps.get(vertex)?.runs;
        let mut total = None;
        let mut until = Duration::ZERO;
        for (start, end) in runs {
            // Runs overlap where several results of a step are made at once. Time that passes once counts once.
            *total.get_or_insert(Duration::ZERO) += end.saturating_sub(until.max(*start));
            until = until.max(*end);
        }
        total
    }

    /// Whether the result of a step came from a cache.
    pub(crate) fn is_cached(&self, vertex: &Digest) -> bool {
        self.steps.get(vertex).is_some_and(|step| step.cached)
    }

    fn add(&mut self, message: &[u8]) -> Result<(), NotAMessage> {
        for field in WireFields::new(message) {
            if let (1, WireValue::Bytes(vertex)) = field? {
                self.note(&StepMention::read(vertex)?);
            }
        }
        Ok(())
    }

    fn note(&mut self, mention: &StepMention<'_>) {
        let Some(digest) = std::str::from_utf8(mention.digest).ok().and_then(|text| text.parse().ok()) else {
            return;
        };
        let step = self.steps.entry(digest).or_insert_with(|| {
            self.runs += 1;
            StepRuns::default()
        });
        step.cached |= mention.cached;
        if let (Some(started), Some(completed)) = (mention.started, mention.completed) {
            let before = step.runs.len();
            let end = step.runs.entry(started).or_insert(completed);
            *end = completed.max(*end);
            self.runs += step.runs.len() - before;
        }
    }
}

impl<'a> StepMention<'a> {
    fn read(vertex: &'a [u8]) -> Result<Self, NotAMessage> {
        let mut mention = Self::default();
        for field in WireFields::new(vertex) {
            match field? {
                (1, WireValue::Bytes(digest)) => mention.digest = digest,
                (4, WireValue::Varint(cached)) => mention.cached = cached != 0,
                (5, WireValue::Bytes(time)) => mention.started = timestamp(time)?,
                (6, WireValue::Bytes(time)) => mention.completed = timestamp(time)?,
                _ => {}
            }
        }
        Ok(mention)
    }
}

/// The length of the next message in bytes; `None` at the end.
fn message_len(reader: &mut impl Read) -> io::Result<Option<u64>> {
    let mut head = [0; 4];
    let (first, rest) = head.split_at_mut(1);
    loop {
        match reader.read(first) {
            Ok(0) => return Ok(None),
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    reader.read_exact(rest)?;
    Ok(Some(u32::from_le_bytes(head).into()))
}

/// A `google.protobuf.Timestamp`; `None` for one outside of the years that a log can have.
fn timestamp(message: &[u8]) -> Result<Option<LogTime>, NotAMessage> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in WireFields::new(message) {
        match field? {
            (1, WireValue::Varint(value)) => seconds = value,
            (2, WireValue::Varint(value)) => nanos = value,
            _ => {}
        }
    }
    // A negative number is one with its highest bit set.
    let in_range = seconds < 1 << 40 && nanos < 1_000_000_000;
    let nanos = u32::try_from(nanos).unwrap_or(0);
    Ok(in_range.then(|| Duration::new(seconds, nanos)))
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a failed test may panic; the messages are small"
)]
mod tests {
    use super::*;

    /// A field with bytes.
    fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, content.len() as u8], content].concat()
    }

    fn time(seconds: u8, tenths: u8) -> Vec<u8> {
        let mut nanos = u64::from(tenths) * 100_000_000;
        let mut message = vec![0x08, seconds, 0x10];
        while nanos >= 0x80 {
            message.push(nanos as u8 | 0x80);
            nanos >>= 7;
        }
        message.push(nanos as u8);
        message
    }

    fn vertex(name: u32) -> Digest {
        Digest::of(name.to_le_bytes())
    }

    fn ran(name: u32, from: (u8, u8), to: (u8, u8)) -> Vec<u8> {
        let vertex = [
            bytes(1, vertex(name).to_string().as_bytes()),
            bytes(2, b"an input"),
            bytes(3, b"RUN true"),
            bytes(5, &time(from.0, from.1)),
            bytes(6, &time(to.0, to.1)),
        ];
        bytes(1, &vertex.concat())
    }

    fn log(messages: &[impl AsRef<[u8]>]) -> Vec<u8> {
        let with_len = |m: &[u8]| [&(m.len() as u32).to_le_bytes(), m].concat();
        messages.iter().flat_map(|message| with_len(message.as_ref())).collect()
    }

    #[test]
    fn the_runs_of_a_step_add_up_and_overlaps_count_once() {
        let (a, b, c) = (ran(0, (1, 0), (2, 5)), ran(0, (2, 0), (3, 0)), ran(0, (5, 5), (6, 0)));
        let other = ran(1, (1, 0), (1, 0));
        let output = bytes(3, b"what the step printed");
        let read = StatusLog::read(&log(&[&b, &[output, c, a.clone()].concat(), &a, &other])[..]).unwrap();
        assert_eq!(read.duration(&vertex(0)), Some(Duration::from_millis(2500)));
        assert_eq!(read.duration(&vertex(1)), Some(Duration::ZERO));
        assert_eq!(read.duration(&vertex(2)), None);
        assert!(!read.is_cached(&vertex(0)));
    }

    #[test]
    fn a_step_that_was_cached_in_one_of_its_mentions_was_cached() {
        let name = bytes(1, vertex(0).to_string().as_bytes());
        let cached = bytes(1, &[name.clone(), vec![0x20, 1]].concat());
        let nameless = bytes(1, &bytes(1, b"no digest"));
        let read = StatusLog::read(&log(&[&cached, &bytes(1, &name), &nameless])[..]).unwrap();
        assert!(read.is_cached(&vertex(0)) && !read.is_cached(&vertex(1)));
        assert_eq!(read.duration(&vertex(0)), None);
    }

    #[test]
    fn a_run_that_ends_before_it_starts_took_no_time() {
        let read = StatusLog::read(&log(&[&ran(0, (3, 0), (1, 0))])[..]).unwrap();
        assert_eq!(read.duration(&vertex(0)), Some(Duration::ZERO));
    }

    #[test]
    fn a_time_before_1970_is_no_time() {
        let negative = [&[0x08][..], &[0xff; 9], &[0x01]].concat();
        assert_eq!(timestamp(&negative), Ok(None));
        assert_eq!(timestamp(&[0x10, 0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(None));
        assert_eq!(timestamp(&[]), Ok(Some(Duration::ZERO)));
    }

    #[test]
    fn bytes_that_are_no_log_are_errors() {
        let cut = &log(&[&ran(0, (1, 0), (2, 0))])[..20];
        for (bytes, kind) in [
            (cut, io::ErrorKind::UnexpectedEof),
            (b"\x05\0", io::ErrorKind::UnexpectedEof),
            (b"\x01\0\0\0\x0b", io::ErrorKind::InvalidData),
            (b"\0\0\0\xff", io::ErrorKind::InvalidData),
        ] {
            assert_eq!(StatusLog::read(bytes).unwrap_err().kind(), kind, "{bytes:?}");
        }
        assert!(StatusLog::read(&b""[..]).is_ok());
    }

    #[test]
    fn a_log_with_more_steps_than_any_build_is_an_error() {
        let mention = |name: usize| bytes(1, &bytes(1, vertex(name as u32).to_string().as_bytes()));
        let many = |count| log(&(0..count).map(mention).collect::<Vec<_>>());
        let error = StatusLog::read(&many(MOST_RUNS + 1)[..]).unwrap_err();
        assert_eq!(error.to_string(), "it has more steps than any build");
        assert!(StatusLog::read(&many(MOST_RUNS)[..]).is_ok());
    }
}
