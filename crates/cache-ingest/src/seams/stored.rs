//! How a blob came to be in a store, as an ingester reports it.

/// How a blob came to be in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stored {
    /// Its bytes were written.
    Stored,
    /// It was there already.
    AlreadyPresent,
    /// The store took it from another place of its own, without the bytes being sent.
    Mounted,
}
