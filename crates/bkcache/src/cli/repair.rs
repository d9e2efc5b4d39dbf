//! The arguments of `bkcache repair`.

use cache_model::Digest;
use clap::Args;

use crate::cli::edit::EditArgs;
use crate::help;

#[derive(Args, Debug)]
pub(crate) struct RepairArgs {
    /// Hash every blob, too
    ///
    /// Without it, a blob of the right size is believed. With --dry-run blobs are read, too.
    #[arg(long, conflicts_with = "print_config")]
    pub(crate) read: bool,

    /// Count this blob as missing without a look
    ///
    /// May be given several times. With --print-config these are the only ones that count as missing.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) missing: Vec<Digest>,

    /// Replace the tag that is read
    #[arg(long, conflicts_with = "print_config", long_help = help::IN_PLACE)]
    pub(crate) in_place: bool,

    #[command(flatten)]
    pub(crate) edit: EditArgs,
}
