//! What is told while it happens: one trait with one method, and its events.
//!
//! Nothing here draws or prints, and nothing waits for whoever listens.

use std::fmt;
use std::time::Duration;

use cache_model::Descriptor;

use crate::{Error, Stored};

/// Told what happens while it happens. `()` hears nothing.
///
/// Called from any thread, often; it must not block.
pub trait Progress: Send + Sync {
    /// Takes one event.
    fn event(&self, event: &Event<'_>);
}

impl Progress for () {
    fn event(&self, _: &Event<'_>) {}
}

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// So much is about to be done. May come again when more becomes known; the numbers add up.
    Planned {
        /// How many blobs.
        blobs: u64,
        /// How many bytes they have together.
        bytes: u64,
    },
    /// Work on a blob began.
    Started {
        /// What it is.
        step: Step,
        /// Which blob.
        descriptor: &'a Descriptor,
    },
    /// Bytes of a blob went from source to destination.
    Transferred {
        /// Which blob.
        descriptor: &'a Descriptor,
        /// How many bytes since the last such event of this blob.
        bytes: u64,
    },
    /// A blob is being tried again, from its first byte as far as `Transferred` counts.
    Retrying {
        /// Which blob.
        descriptor: &'a Descriptor,
        /// The number of the coming attempt; the first retry is 2.
        attempt: u32,
        /// Why.
        error: &'a Error,
    },
    /// A store makes a request again that failed.
    Repeating {
        /// What the request was for: a verb and a reference.
        request: &'a str,
        /// The number of the coming attempt; the first retry is 2.
        attempt: u32,
        /// How long the store waits before it.
        wait: Duration,
        /// Why.
        error: &'a Error,
    },
    /// A blob is there.
    Finished {
        /// What it is.
        step: Step,
        /// Which blob.
        descriptor: &'a Descriptor,
        /// How it got there.
        stored: Stored,
    },
    /// Something that the user should know, in one line.
    Warning {
        /// The line.
        message: &'a str,
    },
}

/// What is done with a blob. The steps of an export are named as BuildKit names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A layer's blob.
    Layer,
    /// The cache config.
    Config,
    /// The manifest, in the form of an index.
    Manifest,
    /// The manifest, in the form of an image manifest.
    ImageManifest,
    /// The look at a blob that stays where it is.
    Check,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Layer => "writing layer",
            Self::Config => "writing config",
            Self::Manifest => "writing cache manifest",
            Self::ImageManifest => "writing cache image manifest",
            Self::Check => "checking",
        })
    }
}
