//! Arguments of `bkcache label`.

use clap::{Args, ValueHint};

use crate::cli::RegistryArgs;
use crate::cli::inputs::BuildArgs;

/// The arguments of `bkcache label`.
#[derive(Args, Debug)]
pub(crate) struct LabelArgs {
    /// The cache: a folder, HOST/REPOSITORY:TAG, or attributes
    #[arg(value_name = "CACHE", value_hint = ValueHint::AnyPath)]
    pub(crate) cache: String,

    #[command(flatten)]
    pub(crate) build: BuildArgs,

    #[command(flatten)]
    pub(crate) registry: RegistryArgs,

    /// Write the label to no store; print it
    #[arg(long)]
    pub(crate) dry_run: bool,
}
