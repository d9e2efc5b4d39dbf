//! The arguments of commands that make a new cache of others.

use cache_format::Form;
use clap::{Args, ValueEnum, ValueHint};

use crate::cli::registry::RegistryArgs;
use crate::cli::values::form_parser;
use crate::cli::write::WriteArgs;
use crate::help;

/// The options of every command that makes a new cache of others.
#[derive(Args, Debug)]
pub(crate) struct EditArgs {
    /// The sources, and last the destination
    ///
    /// Each is a folder, or HOST/REPOSITORY:TAG. It can also be given as buildx attributes, such as
    /// type=local,src=./cache,tag=main for a source and type=local,dest=./cache,tag=main for the destination. The
    /// destination may be one of the sources: they are read before it is written.
    #[arg(value_name = "CACHE", value_hint = ValueHint::AnyPath, required = true, num_args = 1..)]
    pub(crate) caches: Vec<String>,

    /// Write the form manifest, index, docker or inline
    #[arg(
        long, value_name = "FORM", value_parser = form_parser(), long_help = help::FORM,
        hide_possible_values = true,
    )]
    pub(crate) form: Option<Form>,

    /// Print what would be written, and write nothing
    ///
    /// Blobs are looked for and not read, so one whose content is damaged counts as sound.
    #[arg(long, conflicts_with = "metadata_file")]
    pub(crate) dry_run: bool,

    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Print the config, and write nothing
    ///
    /// Every argument is a source. It is the config that would be written if all blobs existed; no blob is looked for.
    #[arg(long, conflicts_with_all = ["form", "dry_run", "json", "metadata_file"])]
    pub(crate) print_config: bool,

    #[command(flatten)]
    pub(crate) registry: RegistryArgs,

    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Args, Debug)]
pub(crate) struct MergeArgs {
    /// Merge into the destination, and keep what it has
    ///
    /// The destination, if it exists, is a source too, the first of all. The layers of the other sources are marked as used
    /// today (UTC, or the day of SOURCE_DATE_EPOCH), for `bkcache prune --older-than`. If another job changes the
    /// destination meanwhile, it is merged with again.
    #[arg(long, conflicts_with = "print_config")]
    pub(crate) append: bool,

    /// Who wins: newest or first
    #[arg(
        long, value_enum, default_value_t = PreferredSource::Newest, value_name = "WHO", long_help = help::PREFER,
        hide_possible_values = true,
    )]
    pub(crate) prefer: PreferredSource,

    /// Keep the results of all sources
    ///
    /// A build from the merged cache hits more often, and may then have files of two runs of a step that gives other files
    /// in each run.
    #[arg(long, conflicts_with = "prefer")]
    pub(crate) keep_all: bool,

    #[command(flatten)]
    pub(crate) edit: EditArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PreferredSource {
    Newest,
    First,
}
