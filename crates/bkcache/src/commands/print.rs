//! `bkcache manifest`, `bkcache config`, `bkcache completions`: bytes on standard output, and nothing else.

use cache_format::encode_config;
use cache_model::Rule;
use clap::CommandFactory;

use crate::cli::{Cli, Config, Global, Source};
use crate::commands::env::{Env, Read};
use crate::commands::write_exactly;
use crate::failure::{Doing, Failure};

/// Prints the manifest as stored.
pub(crate) async fn manifest(args: &Source, global: &Global) -> Result<(), Failure> {
    let env = Env::to_read(global, &args.registry, &args.source)?;
    let read = env.read_source(&args.source).await?;
    write_exactly(&read.cache.bytes)
}

/// Prints the config as stored, or the canonical config of its records.
pub(crate) async fn config(args: &Config, global: &Global) -> Result<(), Failure> {
    let env = Env::to_read(global, &args.source.registry, &args.source.source)?;
    let read = env.read_source(&args.source.source).await?;
    if args.canonical {
        return canonical(&read, &env).await;
    }
    let bytes = read.cache.config_bytes(&*read.target.store, &env.job).await;
    match bytes.doing(|| format!("cannot read {}", read.place()))? {
        Some(bytes) => write_exactly(&bytes),
        None => Err(Failure::Failed {
            doing: format!("cannot read {}", read.place()),
            error: anyhow::anyhow!("{} has no cache config", read.cache.descriptor.digest),
            hint: Some("if it is an image with a cache inside, --canonical prints that as a config"),
        }),
    }
}

async fn canonical(read: &Read, env: &Env<'_>) -> Result<(), Failure> {
    let imported = read.cache.import(&*read.target.store, &env.job).await;
    let doing = || format!("cannot read {}", read.place());
    let mut chains = imported.and_then(cache_import::Imported::into_chains).doing(doing)?;
    chains.set_rule(Rule::Closed);
    write_exactly(&encode_config(&chains.marshal(&|_| true).doing(doing)?.config))
}

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "bkcache", &mut script);
    write_exactly(&script)
}
