//! The arguments of `bkcache label`.

use clap::{Args, ValueHint};

use crate::cli::inputs::BuildArgs;
use crate::cli::registry::RegistryArgs;

#[derive(Args, Debug)]
pub(crate) struct LabelArgs {
    /// The cache: a folder, or HOST/REPOSITORY:TAG
    ///
    /// It can also be given as buildx attributes, such as type=local,src=./cache,tag=main.
    #[arg(value_name = "CACHE", value_hint = ValueHint::AnyPath)]
    pub(crate) cache: String,

    #[command(flatten)]
    pub(crate) build: BuildArgs,

    /// Show what would be stored, and store nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print what was stored as JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}
