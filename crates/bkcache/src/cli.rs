//! The command line: its arguments, and their help.
//!
//! Nothing is opened or run here.

use std::path::PathBuf;
use std::time::Duration;

use cache_format::Form;
use cache_ingest::{Job, RetryPolicy};
use cache_report::text::size;
use clap::builder::styling::{AnsiColor, Effects, Styles};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::help;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

const ABOUT: &str = "Inspects, verifies, copies and converts BuildKit remote caches";

const COMMON: &str = "Common options";
const REGISTRIES: &str = "Registries";

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

/// The options of every command that may talk to a registry.
#[derive(Args, Clone, Debug)]
pub(crate) struct RegistryArgs {
    /// Also trust this authority (PEM file)
    ///
    /// May be given several times. A server's own certificate is trusted too. Docker's files for the registry, such as
    /// `/etc/docker/certs.d/HOST:PORT/ca.crt`, are used in any case.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = REGISTRIES)]
    pub(crate) ca: Vec<PathBuf>,

    /// Present this certificate to a registry (PEM file)
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "key", help_heading = REGISTRIES,
    )]
    pub(crate) cert: Option<PathBuf>,

    /// The private key of --cert (PEM file, not encrypted)
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "cert", help_heading = REGISTRIES,
    )]
    pub(crate) key: Option<PathBuf>,

    /// Accept any certificate, and plain HTTP
    ///
    /// HTTPS is tried first. Credentials are sent over plain HTTP too. For one registry of several, write
    /// `registry.insecure=true` among the attributes.
    #[arg(long, help_heading = REGISTRIES)]
    pub(crate) insecure: bool,

    /// Log in as this user, with --password-stdin
    ///
    /// It is used instead of the credentials of docker login.
    #[arg(long, value_name = "NAME", requires = "password_stdin", help_heading = REGISTRIES)]
    pub(crate) username: Option<String>,

    /// Read the password or token from standard input
    #[arg(long, requires = "username", help_heading = REGISTRIES)]
    pub(crate) password_stdin: bool,

    /// How often a failed request is repeated
    ///
    /// A request is repeated if the registry cannot be reached, is silent, or answers that it cannot serve now.
    #[arg(
        long, value_name = "N", default_value_t = RetryPolicy::default().retries,
        value_parser = clap::value_parser!(u32).range(..=1000), help_heading = REGISTRIES,
    )]
    pub(crate) retries: u32,

    /// How long to wait for an answer
    ///
    /// Such as 30s or 2m. The answer to an upload may take ten times as long.
    #[arg(
        long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration,
        help_heading = REGISTRIES,
    )]
    pub(crate) timeout: Duration,
}

impl RegistryArgs {
    /// The options that say how to reach a registry, as words of a command line. The numbers are no part of it.
    pub(crate) fn words(&self) -> Vec<String> {
        let path = |option: &str, path: &PathBuf| [option.to_owned(), path.display().to_string()];
        let mut words: Vec<String> = self.ca.iter().flat_map(|ca| path("--ca", ca)).collect();
        words.extend(self.cert.iter().flat_map(|cert| path("--cert", cert)));
        words.extend(self.key.iter().flat_map(|key| path("--key", key)));
        words.extend(self.insecure.then(|| "--insecure".to_owned()));
        words.extend(self.username.iter().flat_map(|name| ["--username".to_owned(), name.clone()]));
        words.extend(self.password_stdin.then(|| "--password-stdin".to_owned()));
        words
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the tags of a folder or a repository, and which are caches
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::LS)]
    Ls(LsArgs),

    /// Show what a cache contains
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::INSPECT)]
    Inspect(InspectArgs),

    /// Print the manifest of a cache exactly as it is stored
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::MANIFEST)]
    Manifest(ManifestArgs),

    /// Print the config of a cache exactly as it is stored
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::CONFIG)]
    Config(ConfigArgs),

    /// Copy a cache as it is, or convert it to another form
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::COPY)]
    Copy(CopyArgs),

    /// Check that a cache is complete and correct
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::VERIFY)]
    Verify(VerifyArgs),

    /// Export a cache from records that another program wrote
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::EXPORT)]
    Export(ExportArgs),

    /// Print the completion script for a shell
    #[command(after_help = help::MORE_OF_A_COMMAND, after_long_help = help::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
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

    /// Write the form manifest, index or docker
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

/// The options of every command that writes a cache.
#[derive(Args, Debug)]
pub(crate) struct WriteArgs {
    /// How many blobs to copy at once
    ///
    /// It is also the number of requests that a registry gets at once.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: u16,

    /// Write the metadata of the export to this file
    ///
    /// It is a JSON object with cache.manifest, as BuildKit writes it. `-` is standard output.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) metadata_file: Option<PathBuf>,

    /// Hash blobs that exist, and replace corrupt ones
    ///
    /// Without it, a blob of the right size is trusted. In a folder, each blob is also synced to disk. In a registry,
    /// each blob is downloaded, and one that is missing or wrong is sent again; without it, the registry's word is
    /// trusted that it has the blob.
    #[arg(long)]
    pub(crate) rehash: bool,

    /// Do not fsync; for throwaway folders
    ///
    /// After a crash of the machine, blobs may be missing or corrupt, and later copies trust them unless they are run
    /// with --rehash.
    #[arg(long)]
    pub(crate) no_sync: bool,

    /// Upload blobs in chunks of this size, such as 50MiB
    ///
    /// It is for registries behind a proxy that limits the size of requests.
    #[arg(long, value_name = "SIZE", value_parser = parse_chunk_size, help_heading = REGISTRIES)]
    pub(crate) chunk_size: Option<u64>,
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

    /// Write the form manifest, index or docker
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

/// The default of a job, as it can be typed.
fn default_max_metadata() -> String {
    size_of(Job::DEFAULT_MAX_METADATA)
}

/// A size as it can be typed.
fn size_of(bytes: u64) -> String {
    size(bytes).replace(' ', "")
}

/// Takes the names of the forms, and lists them for completions and errors.
fn form_parser() -> impl TypedValueParser<Value = Form> {
    PossibleValuesParser::new(Form::ALL.iter().map(|form| form.name())).try_map(|name| name.parse::<Form>())
}

/// A size in bytes, without a unit or with one: powers of 1000 (kB, MB, GB) or of 1024 (KiB, MiB, GiB, K, M, G).
fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.strip_prefix(digits).unwrap_or_default().trim();
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return Err("the unit is one of kB, MB, GB, KiB, MiB, GiB".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "expected a size such as 64MiB".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "the size is too large".to_owned())
}

/// The least size, in bytes, of a chunk. Each chunk is a request.
const LEAST_CHUNK: u64 = 64 << 10;

fn parse_chunk_size(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        size if size < LEAST_CHUNK => {
            Err(format!("each chunk is a request, so it has at least {}", size_of(LEAST_CHUNK)))
        }
        size => Ok(size),
    }
}

/// A time above zero: a number of seconds, or with the unit ms, s, m or h.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text.strip_prefix(digits).unwrap_or_default().trim() {
        "ms" => Duration::from_millis(1),
        "" | "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(60 * 60),
        _ => return Err("the unit is one of ms, s, m, h".to_owned()),
    };
    let number: u32 = digits.parse().map_err(|_| "expected a duration such as 30s".to_owned())?;
    match unit.checked_mul(number) {
        Some(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("the duration is zero or too long".to_owned()),
    }
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
    fn the_options_of_registries_have_their_heading() {
        let command = RegistryArgs::augment_args(clap::Command::new("a command"));
        for option in command.get_arguments() {
            assert_eq!(option.get_help_heading(), Some(REGISTRIES), "{}", option.get_id());
        }
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
    fn sizes_are_bytes_with_or_without_a_unit() {
        for (text, bytes) in [("0", 0), ("64MiB", 64 << 20), ("1kB", 1000), ("3 G", 3 << 30), ("7b", 7)] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "MiB", "-1", "1.5MiB", "1TB", "99999999999GiB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
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

    #[test]
    fn a_duration_is_seconds_or_has_a_unit() {
        for (text, ms) in
            [("30", 30_000), ("30s", 30_000), ("250ms", 250), ("2 m", 120_000), ("1h", 3_600_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for bad in ["", "s", "0s", "0", "-1s", "1.5s", "1d", "99999999999s"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
