//! The arguments of `bkcache why`.

use clap::{Args, ValueHint};

use crate::cli::inputs::{BuildArgs, OldBuildArgs, ValueArgs};
use crate::cli::registry::RegistryArgs;

#[derive(Args, Debug)]
pub(crate) struct WhyArgs {
    /// The cache of the newer build
    ///
    /// It is a folder, or HOST/REPOSITORY:TAG. Without it, --record and --context say what is to be built.
    #[arg(value_name = "NEW", value_hint = ValueHint::AnyPath, required_unless_present = "records")]
    pub(crate) new: Option<String>,

    /// The cache that the build looked into
    ///
    /// It is the cache of an older build: a folder, or HOST/REPOSITORY:TAG.
    #[arg(long, value_name = "OLD", value_hint = ValueHint::AnyPath)]
    pub(crate) was: String,

    /// Print the answer as JSON
    #[arg(long, conflicts_with = "sarif")]
    pub(crate) json: bool,

    /// Print the answer as SARIF, for code review
    ///
    /// It is a log of version 2.1.0 with a result for each cause, at the line of its instruction.
    #[arg(long, requires = "records")]
    pub(crate) sarif: bool,

    /// Exit with 1 if a step missed
    ///
    /// A record that seems to be of another build exits with 1, too, and prints a warning. So does a failure, and prints an error.
    #[arg(long)]
    pub(crate) exit_code: bool,

    /// Read no layers
    ///
    /// Files that only layers tell stay unknown. Layers are read where they tell which files changed, or whether two runs of a
    /// command made the same files.
    #[arg(long)]
    pub(crate) no_read: bool,

    #[command(flatten)]
    pub(crate) build: BuildArgs,

    #[command(flatten)]
    pub(crate) old_build: OldBuildArgs,

    #[command(flatten)]
    pub(crate) values: ValueArgs,

    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}
