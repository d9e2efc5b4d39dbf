//! The arguments of `bkcache diff`.

use clap::{Args, ValueHint};

use crate::cli::registry::RegistryArgs;

#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// A cache: a folder, or HOST/REPOSITORY:TAG
    ///
    /// It can also be given as buildx attributes, such as type=local,src=./cache,tag=main.
    #[arg(value_name = "A", value_hint = ValueHint::AnyPath)]
    pub(crate) a: String,

    /// The cache that it is compared with
    #[arg(value_name = "B", value_hint = ValueHint::AnyPath)]
    pub(crate) b: String,

    /// Print every record as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Exit with 1 if they differ, as `git diff` does
    ///
    /// A failure exits with 1 too, but prints an error.
    #[arg(long)]
    pub(crate) exit_code: bool,

    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}
