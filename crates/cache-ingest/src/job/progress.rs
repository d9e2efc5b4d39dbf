//! Progress: a trait with one method, and the events that it takes.
//!
//! Nothing here draws or prints.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cache_model::{Descriptor, OneLine, duration};

use crate::{Error, Stored};

/// Receives events as they happen. A closure that takes an `&Event` is one; `()` ignores them.
///
/// It is called from any thread, and often; it must not block.
pub trait Progress: Send + Sync {
    /// Takes one event.
    fn event(&self, event: &Event<'_>);
}

impl Progress for () {
    fn event(&self, _: &Event<'_>) {}
}

impl<F: Fn(&Event<'_>) + Send + Sync> Progress for F {
    fn event(&self, event: &Event<'_>) {
        self(event);
    }
}

impl<P: Progress + ?Sized> Progress for Arc<P> {
    fn event(&self, event: &Event<'_>) {
        (**self).event(event);
    }
}

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Work that is about to begin. The event may come again when more work becomes known; the numbers add up. Configs and
    /// manifests are not in the plan, except where manifests are all that is read ([`Step::ReadManifest`]).
    Planned {
        /// How many blobs of layers, or how many manifests.
        blobs: u64,
        /// How many bytes they have together.
        bytes: u64,
    },
    /// Work on a blob began. [`Finished`](Self::Finished) or [`Failed`](Self::Failed) follows: see
    /// [`Job::begin`](crate::Job::begin).
    Started {
        /// The kind of blob and of work.
        step: Step,
        /// The blob.
        descriptor: &'a Descriptor,
    },
    /// The destination has a blob of the right size, and reads it to verify its content. No byte is transferred meanwhile.
    Rehashing {
        /// The blob.
        descriptor: &'a Descriptor,
    },
    /// The destination has the first bytes of a blob from a put that was interrupted. Only the others are transferred.
    Resumed {
        /// The blob.
        descriptor: &'a Descriptor,
        /// How many bytes the destination has.
        bytes: u64,
    },
    /// Bytes of a blob went from source to destination.
    Transferred {
        /// The blob.
        descriptor: &'a Descriptor,
        /// How many bytes since the last such event of this blob.
        bytes: u64,
    },
    /// The files of a folder are about to be read, for a build's context. The event may come for several folders; the numbers
    /// add up.
    ReadingFiles {
        /// The folder.
        folder: &'a str,
        /// How many files.
        files: u64,
        /// How many bytes they have together.
        bytes: u64,
    },
    /// Files of a folder were read.
    FilesRead {
        /// How many files are done since the last such event.
        files: u64,
        /// How many bytes were read since the last such event.
        bytes: u64,
    },
    /// A manifest or a config is about to be read.
    Importing {
        /// What it is, such as `cache manifest`.
        what: &'a str,
        /// Its name or its digest.
        from: &'a str,
    },
    /// Something that failed is tried again: a request, the read of a blob where it broke off, or a whole blob.
    Retrying {
        /// A verb with a reference or a digest.
        request: &'a str,
        /// The blob that begins again at its first byte, so that the bytes that [`Transferred`](Self::Transferred) and
        /// [`Resumed`](Self::Resumed) have counted of it are void. `None` where the bytes so far are kept.
        restarted: Option<&'a Descriptor>,
        /// The number of the coming attempt; the first retry is 2.
        attempt: u32,
        /// How long it waits before that attempt.
        wait: Duration,
        /// Why the last attempt failed.
        error: &'a Error,
    },
    /// A server has been silent for some seconds, and is still waited for. It is reported once until the server answers.
    Waiting {
        /// The host, with its port if it is not the usual one.
        host: &'a str,
        /// A verb with a reference or a digest.
        request: &'a str,
        /// How long it has been silent.
        silent: Duration,
    },
    /// Work on a blob that began has failed, or the job ended before it was done; no other attempt follows. For a check, the
    /// blob has a defect or cannot be read.
    Failed {
        /// The kind of blob and of work.
        step: Step,
        /// The blob.
        descriptor: &'a Descriptor,
        /// Why.
        error: &'a Error,
    },
    /// Work on a blob has succeeded.
    Finished {
        /// The kind of blob and of work.
        step: Step,
        /// The blob.
        descriptor: &'a Descriptor,
        /// How it came to be in the store.
        stored: Stored,
    },
    /// Something that the user should know, in one line.
    Warning {
        /// The line.
        message: &'a str,
    },
}

impl fmt::Display for Event<'_> {
    /// One line, as for a plain log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Planned { blobs, bytes } => write!(f, "{blobs} blobs of {bytes} bytes to do"),
            Self::Started { step, descriptor } => {
                write!(f, "{step} {} of {} bytes", descriptor.digest, descriptor.size)
            }
            Self::Rehashing { descriptor } => {
                write!(f, "hashing {} of {} bytes, which exists", descriptor.digest, descriptor.size)
            }
            Self::Resumed { descriptor, bytes } => {
                write!(f, "going on with {} after its first {bytes} bytes", descriptor.digest)
            }
            Self::Transferred { descriptor, bytes } => {
                write!(f, "{bytes} bytes of {} transferred", descriptor.digest)
            }
            Self::ReadingFiles { folder, files, bytes } => {
                write!(f, "reading {files} files of {bytes} bytes in {}", OneLine(folder))
            }
            Self::FilesRead { files, bytes } => write!(f, "{bytes} bytes and the end of {files} files read"),
            Self::Importing { what, from } => write!(f, "importing {what} from {}", OneLine(from)),
            Self::Retrying { request, attempt, wait, error, .. } => {
                let error = error.to_string();
                // Most errors begin with the request themselves.
                let reason = error.strip_prefix(request).and_then(|rest| rest.strip_prefix(": "));
                let (wait, reason) = (duration(*wait), reason.unwrap_or(&error));
                write!(f, "attempt {attempt} in {wait}: {}: {reason}", OneLine(request))
            }
            Self::Waiting { host, request, silent } => {
                let silent = Duration::from_secs(silent.as_secs());
                write!(
                    f,
                    "waiting for {}, silent for {}: {}",
                    OneLine(host),
                    duration(silent),
                    OneLine(request)
                )
            }
            Self::Failed { step, descriptor, error } => {
                write!(f, "{step} {} failed: {error}", descriptor.digest)
            }
            Self::Finished { step, descriptor, stored } => {
                write!(f, "{step} {} {}", descriptor.digest, step.outcome(*stored))
            }
            Self::Warning { message } => write!(f, "warning: {}", OneLine(message)),
        }
    }
}

/// The work on a blob. The steps of an export have BuildKit's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// A layer's blob.
    Layer,
    /// The cache config.
    Config,
    /// The manifest, in the form of an index.
    Manifest,
    /// The manifest, in the form of an image manifest.
    ImageManifest,
    /// A layer's blob is checked and stays where it is.
    Check,
    /// A manifest or config is checked and stays where it is.
    CheckMetadata,
    /// A manifest is read with what it leads to, as one of a list.
    ReadManifest,
    /// A layer's blob is read for its diff ID, and stays where it is.
    ReadLayer,
    /// A blob that no name leads to is deleted.
    Delete,
}

impl Step {
    /// Whether the blob is put into a destination.
    pub fn is_writing(self) -> bool {
        matches!(self, Self::Layer | Self::Config | Self::Manifest | Self::ImageManifest)
    }

    /// The outcome of the finished step in a word or two. A check finishes only for a blob without findings.
    pub fn outcome(self, stored: Stored) -> &'static str {
        match stored {
            _ if self == Self::Delete => "deleted",
            _ if !self.is_writing() => "ok",
            Stored::Stored => "written",
            Stored::AlreadyPresent => "already there",
            Stored::Mounted => "mounted",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Layer => "writing layer",
            Self::Config => "writing config",
            Self::Manifest => "writing cache manifest",
            Self::ImageManifest => "writing cache image manifest",
            Self::Check => "checking",
            Self::CheckMetadata => "checking metadata",
            Self::ReadManifest => "reading manifest",
            Self::ReadLayer => "reading layer",
            Self::Delete => "deleting",
        })
    }
}
