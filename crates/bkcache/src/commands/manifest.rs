//! `bkcache manifest`: the bytes of a manifest, as they are stored.

use crate::cli::{GlobalArgs, ManifestArgs};
use crate::failure::Failure;
use crate::interrupt::unless_interrupted;
use crate::open::OpenedSource;
use crate::output::write_exactly;
use crate::stores::Stores;

pub(crate) async fn run(args: &ManifestArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let stores = Stores::for_reading(global, &args.source.registry, &[&args.source.source])?;
    let source = async move {
        let source = OpenedSource::open(&stores, &args.source.source).await?;
        source.check_is_cache(&stores).await?;
        Ok(source)
    };
    let source = unless_interrupted(source, None, global).await?;
    write_exactly(&source.cache.bytes)
}
