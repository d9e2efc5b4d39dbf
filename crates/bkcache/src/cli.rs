//! The command line: its arguments, and their help.
//!
//! Nothing is opened or run here.

mod age;
mod diff;
mod edit;
mod inputs;
mod label;
mod layers;
mod names;
mod predict;
mod prune;
mod registry;
mod repair;
mod values;
mod why;
mod write;

use std::path::PathBuf;

use cache_format::Form;
use clap::builder::styling::{AnsiColor, Effects, Styles};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::help;
use values::{default_max_metadata, form_parser, parse_size};

pub(crate) use diff::DiffArgs;
pub(crate) use edit::{EditArgs, MergeArgs, PreferredSource};
pub(crate) use inputs::{BuildArgs, ContextFolder};
pub(crate) use label::LabelArgs;
pub(crate) use layers::LayersArgs;
pub(crate) use names::{GcArgs, RmArgs, TagArgs};
pub(crate) use predict::PredictArgs;
pub(crate) use prune::PruneArgs;
pub(crate) use registry::RegistryArgs;
pub(crate) use repair::RepairArgs;
pub(crate) use why::WhyArgs;
pub(crate) use write::WriteArgs;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

const ABOUT: &str = "Inspects, verifies, copies, merges, prunes and repairs BuildKit remote caches";

const COMMON: &str = "Common options";

/// The command line of `bkcache`.
#[derive(Debug, Parser)]
#[command(
    name = "bkcache", version, about = ABOUT, styles = STYLES, max_term_width = 100,
    after_help = help::MORE, after_long_help = help::NAMES_AND_EXAMPLES,
    disable_help_flag = true, disable_version_flag = true,
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) global: GlobalArgs,

    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = COMMON)]
    version: Option<bool>,
}

/// The options of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct GlobalArgs {
    /// Show causes of errors, and every retry
    #[arg(short, long, global = true, help_heading = COMMON)]
    pub(crate) verbose: bool,

    /// Print errors only
    ///
    /// Neither progress nor warnings nor a summary is printed. What a command exists to print (a list, a manifest, JSON)
    /// is printed all the same; `verify` prints only its errors.
    #[arg(short, long, global = true, help_heading = COMMON)]
    pub(crate) quiet: bool,

    /// Progress: auto, bar, plain, json or none
    #[arg(
        long, global = true, value_enum, default_value_t = ProgressMode::Auto, value_name = "MODE",
        long_help = help::PROGRESS, hide_possible_values = true, hide_default_value = true, help_heading = COMMON,
    )]
    pub(crate) progress: ProgressMode,

    /// Refuse metadata above SIZE
    ///
    /// Metadata are manifests and configs. The size is in bytes, or has a unit, such as 64MiB or 100MB.
    #[arg(
        long, global = true, value_name = "SIZE", default_value = default_max_metadata(), value_parser = parse_size,
        help_heading = COMMON,
    )]
    pub(crate) max_metadata_size: u64,

    /// Print this help; --help prints all of it
    #[arg(
        short, long, global = true, action = ArgAction::Help, help_heading = COMMON,
        long_help = "Print all of the help; -h prints a summary",
    )]
    help: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    Auto,
    Bar,
    Plain,
    Json,
    None,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the tags of a folder or a repository, and which are caches
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::LS)]
    Ls(LsArgs),

    /// Show what a cache contains
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::INSPECT)]
    Inspect(Box<InspectArgs>),

    /// Show what each layer of a cache holds, largest first
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::LAYERS)]
    Layers(LayersArgs),

    /// Print the manifest of a cache exactly as it is stored
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::MANIFEST)]
    Manifest(ManifestArgs),

    /// Print the config of a cache exactly as it is stored
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::CONFIG)]
    Config(ConfigArgs),

    /// Compare two caches
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::DIFF)]
    Diff(DiffArgs),

    /// Explain why a build missed an older cache
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::WHY)]
    Why(WhyArgs),

    /// Say which steps of a build will be in caches, before it is made
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::PREDICT)]
    Predict(PredictArgs),

    /// Keep beside a cache what explains it
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::LABEL)]
    Label(LabelArgs),

    /// Check that a cache is complete and correct
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::VERIFY)]
    Verify(VerifyArgs),

    /// Say whether BuildKit will import a cache, and what mends it
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::DOCTOR)]
    Doctor(DoctorArgs),

    /// Copy a cache as it is, or convert it to another form
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::COPY)]
    Copy(CopyArgs),

    /// Export a cache from records that another program wrote
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::EXPORT)]
    Export(ExportArgs),

    /// Merge caches into one
    #[command(
        after_help = help::MORE_OF_A_COMMAND, after_long_help = help::MERGE, override_usage = help::MERGE_USAGE,
    )]
    Merge(MergeArgs),

    /// Drop results that are old or do not fit
    #[command(
        after_help = help::MORE_OF_A_COMMAND, after_long_help = help::PRUNE, override_usage = help::PRUNE_USAGE,
    )]
    Prune(PruneArgs),

    /// Drop results whose blobs are missing or damaged
    #[command(
        after_help = help::MORE_OF_A_COMMAND, after_long_help = help::REPAIR, override_usage = help::REPAIR_USAGE,
    )]
    Repair(RepairArgs),

    /// Give a cache another tag, without copying it
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::TAG)]
    Tag(TagArgs),

    /// Remove tags from a folder or a repository
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::RM)]
    Rm(RmArgs),

    /// Delete the blobs of a folder that no tag leads to
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::GC)]
    Gc(GcArgs),

    /// Print the completion script for a shell
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },

    /// Write the manual pages into a folder
    ///
    /// The folder is made if it is absent. It gets bkcache.1, and bkcache-COMMAND.1 for each command.
    #[command(hide = true)]
    Man {
        /// The folder
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}

#[derive(Args, Debug)]
pub(crate) struct SourceArgs {
    /// The cache: a folder, or HOST/REPOSITORY:TAG
    ///
    /// It can also be given as buildx attributes, such as type=local,src=./cache,tag=main.
    #[arg(value_name = "SRC", value_hint = ValueHint::AnyPath)]
    pub(crate) source: String,

    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Args, Debug)]
pub(crate) struct LsArgs {
    /// A folder, or HOST/REPOSITORY in a registry
    ///
    /// It can also be given as buildx attributes, such as type=local,src=./cache. With a tag or a digest, only that entry is listed.
    #[arg(value_name = "PLACE", value_hint = ValueHint::AnyPath)]
    pub(crate) place: String,

    /// List only caches, and images with a cache inside
    #[arg(long)]
    pub(crate) caches: bool,

    /// Sort by name, size or age
    #[arg(
        long, value_enum, default_value_t = SortKey::Name, value_name = "BY", long_help = help::SORT,
        hide_possible_values = true,
    )]
    pub(crate) sort: SortKey,

    /// Print the list as JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortKey {
    Name,
    Size,
    Age,
}

#[derive(Args, Debug)]
pub(crate) struct ManifestArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Show the records as a tree
    ///
    /// Each record stands above the records that it depends on.
    #[arg(long, conflicts_with = "json")]
    pub(crate) tree: bool,

    /// Print everything as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Read the layers, to compute what they hold
    ///
    /// It is for --record. Without it, what only layers tell is named by its place in the cache.
    #[arg(long, requires = "records")]
    pub(crate) read: bool,

    #[command(flatten)]
    pub(crate) build: BuildArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Print the same records in canonical order
    ///
    /// It is not checked that their blobs exist.
    #[arg(long)]
    pub(crate) canonical: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CopyArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// The destination: a folder, or HOST/REPOSITORY:TAG
    ///
    /// It can also be given as buildx attributes, such as type=local,dest=./cache,tag=main.
    #[arg(value_name = "DST", value_hint = ValueHint::AnyPath)]
    pub(crate) destination: String,

    /// Write the form manifest, index, docker or inline
    #[arg(
        long, value_name = "FORM", value_parser = form_parser(), long_help = help::FORM,
        hide_possible_values = true,
    )]
    pub(crate) form: Option<Form>,

    /// Write the records anew, without incomplete results
    ///
    /// The new config has the records in canonical order. Results whose blobs are missing
    /// or damaged are left out.
    #[arg(long)]
    pub(crate) canonical: bool,

    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Print the points as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Refuse layers that unpack to more
    ///
    /// The size is in bytes, or has a unit, such as 64GiB.
    #[arg(long, value_name = "SIZE", default_value = "64GiB", value_parser = parse_size)]
    pub(crate) max_expansion: u64,

    /// Check only that layers exist and have their size
    #[arg(long)]
    pub(crate) no_read: bool,

    /// Check what the layers of COPY and ADD hold
    ///
    /// Their keys name it, and nothing else may be in them. It needs the record of the build that made the cache, and decides everything if the build's folders are given, too.
    /// Without them some layers cannot be judged.
    #[arg(long, conflicts_with = "no_read")]
    pub(crate) content: bool,

    #[command(flatten)]
    pub(crate) build: BuildArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// The records, one JSON object per line
    ///
    /// `-` is standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "schema")]
    pub(crate) records: Option<PathBuf>,

    /// The layers: a layout, or files named by digest
    ///
    /// It is a folder: an OCI layout, or one of files that are named by their digests.
    #[arg(
        long, value_name = "DIR", value_hint = ValueHint::DirPath,
        required_unless_present_any = ["print_config", "schema"],
    )]
    pub(crate) blobs: Option<PathBuf>,

    /// The destination: a folder, or HOST/REPOSITORY:TAG
    ///
    /// It can also be given as buildx attributes, such as type=local,dest=./cache,tag=main.
    #[arg(
        long, value_name = "DST", value_hint = ValueHint::AnyPath,
        required_unless_present_any = ["print_config", "schema"],
    )]
    pub(crate) to: Option<String>,

    /// Write the form manifest, index, docker or inline
    #[arg(
        long, value_name = "FORM", value_parser = form_parser(), long_help = help::FORM,
        hide_possible_values = true,
    )]
    pub(crate) form: Option<Form>,

    /// Give the same result for any order of the lines
    ///
    /// It is for merging the records of several builds.
    #[arg(long)]
    pub(crate) canonical: bool,

    /// Print the config, and write nothing
    ///
    /// It is the config that would be written if all blobs existed.
    #[arg(long, conflicts_with_all = ["blobs", "to", "form"])]
    pub(crate) print_config: bool,

    /// Print the JSON schema of a record
    #[arg(long, exclusive = true)]
    pub(crate) schema: bool,

    #[command(flatten)]
    pub(crate) registry: RegistryArgs,

    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_names_every_value_that_an_option_can_have() {
        let mut command = Cli::command();
        command.build();
        let mut checked = 0;
        for command in command.get_subcommands() {
            let options = command.get_opts();
            for option in options.filter(|option| option.is_hide_possible_values_set()) {
                for value in option.get_possible_values() {
                    for help in [option.get_help(), option.get_long_help()] {
                        let help = help.map(ToString::to_string).unwrap_or_default();
                        assert!(help.contains(value.get_name()), "{}: {}", option.get_id(), value.get_name());
                        checked += 1;
                    }
                }
            }
        }
        assert!(checked > 50, "{checked}");
    }

    #[test]
    fn a_chunk_is_no_smaller_than_is_useful() {
        let copy = |size| Cli::try_parse_from(["bkcache", "copy", "--chunk-size", size, "a", "b"]);
        assert!(copy("64KiB").is_ok());
        for small in ["0", "5", "65535", "1kB"] {
            let error = copy(small).unwrap_err().to_string();
            assert!(error.contains("each chunk is a request, so it has at least 64KiB"), "{error}");
        }
    }
}
