//! The commands that drop parts of a cache, and the one that compares two caches.

mod builds;
mod diff;
mod in_place;
mod prune;
mod repair;
mod vectors;
