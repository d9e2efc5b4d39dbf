//! `bkcache manifest`: the bytes of a manifest, as they are stored.

use crate::cli::{GlobalArgs, ManifestArgs};
use crate::failure::Failure;
use crate::interrupt::unless_interrupted;
use crate::open::OpenedSource;
use crate::output::write_exactly;
use crate::stores::Stores;

pub(crate) async fn run(args: &ManifestArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let stores = Stores::for_reading(global, &args.source.registry, &args.source.source)?;
    let source = async move { OpenedSource::open(&stores, &args.source.source).await };
    let source = unless_interrupted(source, None, global).await?;
    write_exactly(&source.cache.bytes)
}
