//! Locking after a panic of another thread.
//!
//! What the program locks is whole at any moment, so a panic elsewhere does not make it wrong.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
