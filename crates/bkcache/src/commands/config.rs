//! `bkcache config`: the bytes of a cache config, as they are stored, or the canonical config of the same records.

use cache_format::encode_config;
use cache_import::Imported;
use cache_ingest::ErrorKind;
use cache_model::Rule;

use crate::cli::{ConfigArgs, GlobalArgs};
use crate::failure::{Doing, Failure};
use crate::interrupt::unless_interrupted;
use crate::open::OpenedSource;
use crate::output::write_exactly;
use crate::stores::Stores;

pub(crate) async fn run(args: &ConfigArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let stores = Stores::for_reading(global, &args.source.registry, &args.source.source)?;
    let read = async move {
        let source = OpenedSource::open(&stores, &args.source.source).await?;
        match args.canonical {
            true => canonical(&source, source.import(&stores).await?),
            false => stored(&source, &stores).await,
        }
    };
    write_exactly(&unless_interrupted(read, None, global).await?)
}

async fn stored(source: &OpenedSource, stores: &Stores) -> Result<Vec<u8>, Failure> {
    source.check_is_cache(stores).await?;
    let config = source.cache.config_bytes(&*source.target.store, &stores.job).await;
    config.doing(|| source.reading())?.map(Into::into).ok_or_else(|| Failure::Failed {
        doing: source.reading(),
        kind: ErrorKind::NotFound,
        error: anyhow::anyhow!("{} has no cache config", source.cache.descriptor.digest),
        hint: Some("for an image with a cache inside, --canonical prints a config".to_owned()),
    })
}

fn canonical(source: &OpenedSource, imported: Imported) -> Result<Vec<u8>, Failure> {
    let doing = || source.reading();
    let mut chains = imported.into_chains().doing(doing)?;
    chains.set_rule(Rule::Closed);
    Ok(encode_config(&chains.marshal(&|_| true).doing(doing)?.config))
}
