//! Registries for tests: a scripted one in memory, a token server, a slow proxy, and real programs on loopback.
//!
//! A [`Server`] implements HTTP/1.1 itself and not by a library, so that it can fail at any byte: a [`Fault`] says how,
//! [`On`] says at which requests. It serves a [`Registry`], which follows the OCI distribution specification, or
//! [`Tokens`], which issues tokens for it, and records all requests. [`DockerRegistry`] and [`Docker`] are the real
//! programs, on free ports and with temporary folders.
//!
//! It is for tests only: every unexpected failure is a panic. It knows nothing of caches, and shares no code with the crates
//! that it tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test support"
)]

mod authority;
mod client;
mod content;
mod digest;
mod docker;
mod docker_registry;
mod fault;
mod grants;
mod message;
mod peer;
mod proxy;
mod registry;
mod server;
mod tokens;
mod wire;

pub use authority::{Authority, Identity};
pub use client::{Client, Response};
pub use content::Content;
pub use digest::{digest_of, sha256};
pub use docker::{Docker, Step};
pub use docker_registry::{DockerRegistry, Guard};
pub use fault::{Fault, On};
pub use grants::{Access, Grants, Scope};
pub use message::{Answer, Request, Seen};
pub use peer::{has_program, run, run_command};
pub use proxy::SlowProxy;
pub use registry::{Auth, Behavior, Deletion, Registry, UploadLocation};
pub use server::{Server, Service};
pub use tokens::{TokenBehavior, TokenRequest, Tokens};
