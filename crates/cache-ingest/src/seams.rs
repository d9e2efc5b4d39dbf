//! The seams of storage: one small trait for each ability of a store, and the types of their methods.
//!
//! A store implements the traits that it can. Nothing here touches a file or a network, and nothing knows cache configs.

mod forward;
mod ingester;
mod lister;
mod name;
mod provider;
mod provider_ext;
mod publisher;
mod reader;
mod referrers;
mod remover;
mod resolver;
mod source;
mod store;
mod stored;
mod verifier;

pub use ingester::Ingester;
pub use lister::{Listed, Lister};
pub use name::{Expect, Name};
pub use provider::{ByteStream, Info, Origin, Provider};
pub use provider_ext::ProviderExt;
pub use publisher::{Publisher, Standing};
pub use reader::SourceReader;
pub use referrers::Referrers;
pub use remover::Remover;
pub use resolver::{Resolved, Resolver};
pub use source::Source;
pub(crate) use source::chunks;
pub use store::{NameStore, ReadStore, ReferrerStore, WriteStore};
pub use stored::Stored;
pub use verifier::{Mismatch, Verifier};
