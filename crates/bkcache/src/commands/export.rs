//! `bkcache export`: a cache from the records that another program wrote.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use cache_export::{Exported, add_records};
use cache_format::{RECORDS_SCHEMA, encode_config};
use cache_ingest::{BlobFolder, LayoutOptions, LayoutStore, Provider};
use cache_model::{CacheChains, Rule};
use cache_target::Role;

use crate::cli::{ExportArgs, GlobalArgs};
use crate::failure::{Doing, Failure};
use crate::interrupt::{CANCELLING, unless_interrupted};
use crate::metadata_file::MetadataFile;
use crate::open::OpenedDestination;
use crate::output::write_exactly;
use crate::report::{RESUMES, report_export, with_a_result};
use crate::stores::Stores;

pub(crate) async fn run(args: &ExportArgs, global: &GlobalArgs) -> Result<(), Failure> {
    if args.schema {
        return write_exactly(RECORDS_SCHEMA.as_bytes());
    }
    if args.print_config {
        let chains = unless_interrupted(read_records(args), None, global).await?;
        let marshalled = chains.marshal(&|_| true).doing(|| "cannot read the records".to_owned())?;
        return write_exactly(&encode_config(&marshalled.config));
    }
    let (Some(blobs), Some(to)) = (&args.blobs, &args.to) else {
        return Err(Failure::Usage("--blobs and --to are needed, or --print-config".to_owned()));
    };
    let stores = Stores::for_writing(global, &args.registry, &args.write, &[(to, Role::Destination)])?;
    let metadata = MetadataFile::wanted(&args.write, to)?;
    let registries = stores.registries.clone();
    let exported = async {
        let chains = read_records(args).await?;
        let layers = open_layers(blobs, &stores).await?;
        let destination = OpenedDestination::open(&stores, to, args.form).await?;
        let exported = export(&chains, &*layers, &destination, &stores).await;
        drop(stores);
        report_export(exported, &destination, metadata, global)
    };
    let exported = unless_interrupted(exported, RESUMES, global).await;
    registries.settle(CANCELLING).await;
    exported
}

/// Reads the records on a thread of its own, since a pipe or a terminal may be silent for long.
async fn read_records(args: &ExportArgs) -> Result<CacheChains, Failure> {
    let Some(path) = args.records.clone() else {
        return Err(Failure::Usage("--records is missing".to_owned()));
    };
    let is_stdin = path == Path::new("-");
    if is_stdin && args.registry.password_stdin {
        return Err(Failure::Usage("--records - and --password-stdin both read standard input".to_owned()));
    }
    let reading = tokio::task::spawn_blocking(move || parse_records(&path, is_stdin));
    let mut chains =
        reading.await.map_err(io::Error::from).doing(|| "cannot read the records".to_owned())??;
    if args.canonical {
        chains.set_rule(Rule::Closed);
    }
    Ok(chains)
}

fn parse_records(path: &Path, is_stdin: bool) -> Result<CacheChains, Failure> {
    let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let doing = || format!("cannot read {name}");
    let input: Box<dyn Read> = if is_stdin {
        Box::new(io::stdin().lock())
    } else {
        let opened = open_file(path).map_err(|cause| cache_ingest::Error::io("open", &name, cause));
        Box::new(opened.doing(doing)?)
    };
    let mut chains = CacheChains::new();
    add_records(&mut chains, BufReader::with_capacity(1 << 20, input)).doing(doing)?;
    Ok(chains)
}

/// Opens a file; a folder is an error at once, and not when it is read.
fn open_file(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    match file.metadata()?.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => Ok(file),
    }
}

/// Opens the layers: an OCI layout, or else a folder of files named by digest.
async fn open_layers(path: &Path, stores: &Stores) -> Result<Box<dyn Provider>, Failure> {
    let doing = || format!("cannot open {}", path.display());
    if LayoutStore::is_layout(path) {
        let options = LayoutOptions::default().with_max_metadata(stores.job.max_metadata);
        return Ok(Box::new(LayoutStore::open(path, options).await.doing(doing)?));
    }
    Ok(Box::new(BlobFolder::open(path).await.doing(doing)?))
}

async fn export(
    chains: &CacheChains,
    layers: &dyn Provider,
    to: &OpenedDestination,
    stores: &Stores,
) -> Result<Exported, Failure> {
    let exported = cache_export::export(chains, layers, &to.destination(), &stores.job).await;
    let exported = exported.doing(|| format!("cannot export to {}", to.place()))?;
    with_a_result(exported, chains, to, || "check --blobs".to_owned())
}
