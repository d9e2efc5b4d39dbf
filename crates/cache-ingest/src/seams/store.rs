//! Stores to read from and to write to, each one object: most functions take them.
//!
//! Every type with both traits is one.

use crate::{Ingester, Provider, Publisher, Resolver};

/// A store that caches are read from.
pub trait ReadStore: Provider + Resolver {}

impl<S: Provider + Resolver + ?Sized> ReadStore for S {}

/// A store that caches are written to.
pub trait WriteStore: Ingester + Publisher {}

impl<S: Ingester + Publisher + ?Sized> WriteStore for S {}
