//! SHA-256 of several messages at once, on one processor.
//!
//! Each step of SHA-256 depends on the step before it. So a processor with SHA instructions is idle for half of the time
//! while it hashes one message. [`update_together`] takes the next bytes of several messages. On an x86-64 with the SHA
//! extensions it hashes two of them in little more time than [`Sha256::update`] takes for one; on other processors it
//! updates one after the other.
//!
//! Only the interleaved rounds are written here. A single message goes through the compression function of `sha2`.
//!
//! ```
//! use cache_hash::{Sha256, update_together};
//! let (mut first, mut second) = (Sha256::new(), Sha256::new());
//! update_together(&mut [(&mut first, b"some bytes".as_slice()), (&mut second, b"others".as_slice())]);
//! assert_eq!(second.finish(), Sha256::digest(b"others"));
//! ```

mod sha256;
mod together;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use sha256::Sha256;
pub use together::{LANES, is_faster_together, update_together};

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
