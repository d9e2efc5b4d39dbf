//! `bkcache config`: the bytes of the config, as they are stored, or the canonical config of the same records.

use cache_format::encode_config;
use cache_import::Imported;
use cache_ingest::ErrorKind;
use cache_model::{Rule, count};

use crate::cli::{ConfigArgs, GlobalArgs};
use crate::failure::{Doing, Failure};
use crate::interrupt::unless_interrupted;
use crate::open::OpenedSource;
use crate::output::write_exactly;
use crate::stores::Stores;

pub(crate) async fn run(args: &ConfigArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let stores = Stores::for_reading(global, &args.source.registry, &[&args.source.source])?;
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
    let config = source.cache.config_bytes(&*source.target.store, &stores.job).await;
    if let Some(bytes) = config.doing(|| source.reading())? {
        return Ok(bytes.into());
    }
    let caches = source.import(stores).await?.caches;
    let inside = match caches.len() as u64 {
        1 => "an image".to_owned(),
        images => count(images, "image"),
    };
    Err(Failure::Failed {
        doing: source.reading(),
        kind: ErrorKind::NotFound,
        error: anyhow::anyhow!("it is an inline cache, in {inside}, and has no cache config of its own"),
        hint: Some("--canonical prints the config of its records".to_owned()),
    })
}

fn canonical(source: &OpenedSource, imported: Imported) -> Result<Vec<u8>, Failure> {
    let doing = || source.reading();
    let mut chains = imported.into_chains().doing(doing)?;
    chains.set_rule(Rule::Closed);
    Ok(encode_config(&chains.marshal(&|_| true).doing(doing)?.config))
}
