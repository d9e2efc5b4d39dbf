//! The laws of the seams, the copy and the stores, in one test program.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

mod copying;
#[cfg(unix)]
mod disk_faults;
mod faults;
#[cfg(target_os = "linux")]
mod full_disk;
mod large_files;
mod layout_collect;
mod layout_open;
mod layout_publish;
mod layout_put;
mod layout_referrers;
#[cfg(unix)]
mod layout_sync;
mod local_files;
mod memory;
mod presence;
mod providers;
mod reading;
// Only Unix has parts.
#[cfg(unix)]
mod resuming;
mod runtime;
mod second_process;
#[cfg(unix)]
mod special_files;
mod swapping;
mod whole;
