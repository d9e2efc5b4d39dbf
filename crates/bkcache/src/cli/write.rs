//! The options of every command that writes a cache.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::cli::registry::REGISTRIES;
use crate::cli::values::{parse_annotation, parse_chunk_size};

/// The heading of options for writing.
const WRITING: &str = "Writing";

/// The options of every command that writes a cache.
#[derive(Args, Debug)]
pub(crate) struct WriteArgs {
    /// How many blobs to copy at once
    ///
    /// It is also the number of requests that a registry gets at once.
    #[arg(
        long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024),
        help_heading = WRITING,
    )]
    pub(crate) jobs: u16,

    /// Annotate the manifest with KEY=VALUE
    ///
    /// May be given several times. An annotation that the manifest has already is replaced. Registries and other tools show
    /// annotations, BuildKit ignores them. A copy that would keep every byte writes the manifest anew, under another digest.
    #[arg(long = "annotation", value_name = "K=V", value_parser = parse_annotation, help_heading = WRITING)]
    pub(crate) annotations: Vec<(String, String)>,

    /// Write the metadata of the export to this file
    ///
    /// It is a JSON object with cache.manifest, as BuildKit writes it. `-` is standard output.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = WRITING)]
    pub(crate) metadata_file: Option<PathBuf>,

    /// Hash blobs that exist, and replace corrupt ones
    ///
    /// Without it, a blob of the right size is trusted. In a folder, each blob is also synced to disk. In a registry,
    /// each blob is downloaded, and one that is missing or wrong is sent again; without it, the registry's word is
    /// trusted that it has the blob.
    #[arg(long, help_heading = WRITING)]
    pub(crate) rehash: bool,

    /// Do not fsync; for throwaway folders
    ///
    /// After a crash of the machine, blobs may be missing or corrupt, and later copies trust them unless they are run
    /// with --rehash.
    #[arg(long, help_heading = WRITING)]
    pub(crate) no_sync: bool,

    /// Upload blobs in chunks of this size, such as 50MiB
    ///
    /// It is for registries behind a proxy that limits the size of requests.
    #[arg(long, value_name = "SIZE", value_parser = parse_chunk_size, help_heading = REGISTRIES)]
    pub(crate) chunk_size: Option<u64>,
}
