//! `bkcache export`: a cache from the records that another program wrote.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use cache_export::{ExportOptions, Exporter, add_records};
use cache_format::{RECORDS_SCHEMA, encode_config};
use cache_ingest::{BlobFolder, LayoutOptions, LayoutStore, Provider};
use cache_model::{CacheChains, Rule};
use cache_report::text::count;

use crate::cli::{Export, Global};
use crate::commands::env::Env;
use crate::commands::{GOES_ON, Write, place, report_export, unless_ignored, write_exactly};
use crate::failure::{Doing, Failure};
use crate::interrupt::unless_interrupted;

/// Exports, or prints the config that would be.
pub(crate) async fn run(args: &Export, global: &Global) -> Result<(), Failure> {
    if args.schema {
        return write_exactly(RECORDS_SCHEMA.as_bytes());
    }
    let Some(records) = &args.records else { return Err(Failure::Usage("--records is missing".to_owned())) };
    if records == Path::new("-") && args.registry.password_stdin {
        return Err(Failure::Usage("--records - and --password-stdin both read standard input".to_owned()));
    }
    let mut chains = CacheChains::new();
    read_records(records, &mut chains)?;
    if args.canonical {
        chains.set_rule(Rule::Closed);
    }
    if args.print_config {
        let marshalled = chains.marshal(&|_| true).doing(|| "cannot read the records".to_owned())?;
        return write_exactly(&encode_config(&marshalled.config));
    }
    let (Some(blobs), Some(to)) = (&args.blobs, &args.to) else {
        return Err(Failure::Usage("--blobs and --to are needed, or --print-config".to_owned()));
    };
    let provider = open_blobs(blobs).await?;
    let env = Env::to_write(global, &args.registry, &args.write, None, to)?;
    unless_interrupted(export(chains, &*provider, to, args, env), GOES_ON).await
}

fn read_records(path: &Path, chains: &mut CacheChains) -> Result<(), Failure> {
    let is_stdin = path == Path::new("-");
    let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let doing = || format!("cannot read {name}");
    let input: Box<dyn Read> = if is_stdin {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(
            File::open(path).map_err(|cause| cache_ingest::Error::io("open", &name, cause)).doing(doing)?,
        )
    };
    add_records(chains, BufReader::with_capacity(1 << 20, input)).doing(doing).map(drop)
}

/// The layers: in an OCI layout, or else in a folder of files named by digest.
async fn open_blobs(path: &Path) -> Result<Box<dyn Provider>, Failure> {
    let doing = || format!("cannot open {}", path.display());
    if path.join("oci-layout").exists() {
        return Ok(Box::new(LayoutStore::open(path, LayoutOptions::default()).await.doing(doing)?));
    }
    Ok(Box::new(BlobFolder::open(path).await.doing(doing)?))
}

async fn export(
    chains: CacheChains,
    provider: &dyn Provider,
    to: &str,
    args: &Export,
    env: Env<'_>,
) -> Result<(), Failure> {
    let global = env.global;
    let to = Write::open(&env, to, args.form).await?;
    let options = ExportOptions { form: to.form.unwrap_or_default() };
    let exporter = Exporter::with_chains(chains, provider);
    let exported = exporter.finalize(&to.destination(), &options, &env.job).await;
    drop(env);
    let result = exported.doing(|| format!("cannot export to {}", place(&to.target))).and_then(|exported| {
        let named = exporter.chains.blobs().count() as u64;
        if exported.manifest.is_none() && named > 0 {
            return Err(nothing_found(named, &to));
        }
        report_export(&exported, &place(&to.target), args.write.metadata_file.as_deref(), global)
    });
    unless_ignored(result, &to)
}

/// To export nothing is BuildKit's way where a build gave nothing. Records that do name blobs came with the wrong folder.
fn nothing_found(named: u64, to: &Write) -> Failure {
    let blobs = count(named, "blob");
    Failure::Failed {
        doing: format!("nothing was exported to {}", place(&to.target)),
        error: anyhow::anyhow!("the records name {blobs}, and no result has all of its own in BLOBS"),
        hint: Some("check --blobs"),
    }
}
