//! Stores to read from and to write to, each one object: most functions take them.
//!
//! Every type with both traits is one.

use crate::{Ingester, Lister, Provider, Publisher, Referrers, Remover, Resolver};

/// A store that caches are read from.
pub trait ReadStore: Provider + Resolver {}

impl<S: Provider + Resolver + ?Sized> ReadStore for S {}

/// A store that caches are written to.
pub trait WriteStore: Ingester + Publisher {}

impl<S: Ingester + Publisher + ?Sized> WriteStore for S {}

/// A store whose names can be listed and taken away.
pub trait NameStore: Resolver + Lister + Remover {}

impl<S: Resolver + Lister + Remover + ?Sized> NameStore for S {}

/// A store in which manifests can refer to others, with the blobs that they need.
pub trait ReferrerStore: Ingester + Referrers {}

impl<S: Ingester + Referrers + ?Sized> ReferrerStore for S {}
