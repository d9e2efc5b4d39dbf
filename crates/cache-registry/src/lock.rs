//! Locks whose poison does not matter: no panic can happen between two changes that belong together.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The value behind a mutex, also after a panic of its last holder.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
