//! The command line: its arguments, and their help.
//!
//! Nothing is opened or run here.

use std::path::PathBuf;

use cache_format::Form;
use cache_ingest::Job;
use cache_report::text::size;
use clap::builder::styling::{AnsiColor, Effects, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

const ABOUT: &str = "Inspects, verifies, copies and converts BuildKit remote caches";

const AFTER_HELP: &str = "\
A cache is named by a folder, by a repository with its host, or by attributes as buildx takes them:
  ./cache  ./cache:TAG  ./cache@sha256:…        a folder (an OCI layout)
  HOST/REPOSITORY:TAG                           a repository in a registry
  type=local,src=./cache,tag=main               a folder to read from
  type=local,dest=./cache,tag=main              a folder to write to
  type=registry,ref=user/app:cache              docker.io/user/app:cache, to read or write

Examples:
  bkcache ls registry.example.com/app           list the tags, and which are caches
  bkcache inspect ./cache                       summarize a cache
  bkcache inspect --tree ./cache                show its records as a tree
  bkcache verify ./cache && echo sound          check that it is complete and correct
  bkcache copy ./cache ./other:main             copy it byte for byte
  bkcache copy registry.example.com/app:cache ./cache
  bkcache copy --form manifest ./cache ./oci    in a form that skopeo and all registries accept

Credentials come from docker login (config.json in DOCKER_CONFIG, credential helpers), from
DOCKER_AUTH_CONFIG, REGISTRY_AUTH_FILE or Podman's auth.json, or from --username.

Exit codes: 0 done, 1 failed, 2 bad usage, 3 verification found problems,
130 interrupted (143 by SIGTERM).";

/// The command line of `bkcache`.
#[derive(Debug, Parser)]
#[command(name = "bkcache", version, about = ABOUT, after_help = AFTER_HELP, styles = STYLES, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
}

/// The options of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct GlobalArgs {
    /// Show the causes of an error, and every retry
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,

    /// Print neither progress nor summary
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// How to show progress (on standard error)
    #[arg(long, global = true, value_enum, default_value_t = ProgressMode::Auto, value_name = "MODE")]
    pub(crate) progress: ProgressMode,

    /// The largest manifest or config to accept, such as 64MiB or 1000000
    #[arg(long, global = true, value_name = "SIZE", default_value = default_max_metadata(), value_parser = parse_size)]
    pub(crate) max_metadata_size: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// A bar on a terminal, lines elsewhere
    Auto,
    /// A bar
    Bar,
    /// A line for each blob
    Plain,
    /// A JSON object per line
    Json,
    /// No progress
    None,
}

/// The options of every command that may talk to a registry.
#[derive(Args, Clone, Debug)]
pub(crate) struct RegistryArgs {
    /// Also trust certificates of this authority (PEM file); may be given several times
    #[arg(long, value_name = "FILE", help_heading = REGISTRIES)]
    pub(crate) ca: Vec<PathBuf>,

    /// The certificate to present to a registry that asks for one (PEM file)
    #[arg(long, value_name = "FILE", requires = "key", help_heading = REGISTRIES)]
    pub(crate) cert: Option<PathBuf>,

    /// The private key of --cert (PEM file, not encrypted)
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = REGISTRIES)]
    pub(crate) key: Option<PathBuf>,

    /// Log in as this user instead of using the credentials of docker login
    #[arg(long, value_name = "NAME", requires = "password_stdin", help_heading = REGISTRIES)]
    pub(crate) username: Option<String>,

    /// Read the password or token of --username from standard input
    #[arg(long, requires = "username", help_heading = REGISTRIES)]
    pub(crate) password_stdin: bool,
}

const REGISTRIES: &str = "Registries";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the tags of a folder or a repository: which are caches, their form, size and age
    #[command(after_help = "\
The age of a cache is that of its newest result, the age of an image that of its last step. Only
manifests and configs are read, no layers.

Examples:
  bkcache ls registry.example.com/team/app
  bkcache ls --caches ./cache
  bkcache ls ./cache:main
  bkcache ls --json docker.io/user/app | jq -r '.[] | select(.kind == \"cache\").name'")]
    Ls(LsArgs),

    /// Show what a cache contains
    #[command(after_help = "\
Examples:
  bkcache inspect ./cache
  bkcache inspect --tree ./cache:main
  bkcache inspect --json type=local,src=./cache | jq '.caches[0].records | length'")]
    Inspect(InspectArgs),

    /// Print the manifest of a cache exactly as it is stored
    #[command(after_help = "\
Examples:
  bkcache manifest ./cache | jq .
  bkcache manifest ./cache | sha256sum")]
    Manifest(ManifestArgs),

    /// Print the config of a cache exactly as it is stored
    #[command(after_help = "\
Examples:
  bkcache config ./cache | jq '.records | length'
  bkcache config --canonical ./cache | sha256sum")]
    Config(ConfigArgs),

    /// Copy a cache as it is, or convert it to another form
    #[command(after_help = "\
Without options, every byte is kept. The attributes of the destination can set the form too:
image-manifest=false gives an index, oci-mediatypes=false a Docker manifest list. A cache inside an
image becomes a cache of its own.

Examples:
  bkcache copy ./cache ./backup
  bkcache copy --form index ./cache ./other:main
  bkcache copy ./cache type=local,dest=./other,image-manifest=false,tag=main
  bkcache copy ./cache registry.example.com/app:cache
  bkcache copy registry.example.com/app:main registry.example.com/app:backup
  bkcache copy --canonical ./image ./cache")]
    Copy(CopyArgs),

    /// Check that a cache is complete and correct
    #[command(after_help = "\
Reads every blob and checks its size, its digest, and that it unpacks to its diff ID. Prints a line
for each finding. The exit code is 3 if there are errors; warnings and notes alone leave it at 0.

Examples:
  bkcache verify ./cache
  bkcache verify --json ./cache | jq '.findings[]'")]
    Verify(VerifyArgs),

    /// Export a cache from records that another program wrote
    #[command(after_help = "\
The file of records has one record per line, as a JSON object, after the records it depends on:
  {\"digest\":\"sha256:…\",\"inputs\":[[{\"record\":0,\"selector\":\"/src\"}]],
   \"results\":[{\"createdAt\":\"2026-01-02T03:04:05Z\",\"layers\":[{\"mediaType\":\"…\",\"digest\":\"…\",\"size\":1}]}]}
`record` is the position of an earlier line, counted from 0. `digest` is the SHA-256 of
`<digest of the step>@<output>`, as BuildKit looks records up by it; the bare digest of a step is
never found. `bkcache export --schema` prints the JSON schema.

Examples:
  bkcache export --records build.ndjson --blobs ./layers --to type=local,dest=./cache
  my-builder --records | bkcache export --records - --print-config")]
    Export(ExportArgs),

    /// Print the completion script for a shell
    #[command(after_help = "\
Example:
  bkcache completions bash > /etc/bash_completion.d/bkcache")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Args, Debug)]
pub(crate) struct SourceArgs {
    /// The cache: a folder, HOST/REPOSITORY:TAG in a registry, or attributes as buildx takes them
    #[arg(value_name = "SRC")]
    pub(crate) source: String,

    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Args, Debug)]
pub(crate) struct LsArgs {
    /// A folder, HOST/REPOSITORY in a registry, or attributes as buildx takes them; with a tag or digest, only that
    /// entry is listed
    #[arg(value_name = "PLACE")]
    pub(crate) place: String,

    /// List only caches, and images with a cache inside
    #[arg(long)]
    pub(crate) caches: bool,

    /// Print the list as JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
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

    /// Show the records as a tree, each above the records it depends on
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

    /// Print the config of the same records in canonical order instead, without checking that their blobs exist
    #[arg(long)]
    pub(crate) canonical: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CopyArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// The destination: a folder, HOST/REPOSITORY:TAG in a registry, or attributes as buildx takes them
    #[arg(value_name = "DST")]
    pub(crate) destination: String,

    /// Write the manifest in this form: manifest, index or docker
    #[arg(long, value_name = "FORM", value_parser = parse_form)]
    pub(crate) form: Option<Form>,

    /// Write a new config with the records in canonical order, leaving out results whose blobs are missing
    #[arg(long)]
    pub(crate) canonical: bool,

    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

/// The options of every command that writes a cache.
#[derive(Args, Debug)]
pub(crate) struct WriteArgs {
    /// The number of blobs to copy at once, and of requests to send to a registry at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: u16,

    /// Write the metadata of the export (cache.manifest) to this file; `-` for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) metadata_file: Option<PathBuf>,

    /// Read and hash blobs that exist already instead of trusting their size, replace corrupt ones, and fsync them all
    #[arg(long)]
    pub(crate) rehash: bool,

    /// Do not fsync; for throwaway folders, such as in CI. After a machine crash, blobs may be missing or corrupt; later
    /// copies trust them unless run with --rehash
    #[arg(long)]
    pub(crate) no_sync: bool,

    /// Upload blobs in chunks of this size, such as 50MiB, to a registry whose proxy limits the size of requests
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

    /// The largest size that one layer may unpack to, such as 64GiB
    #[arg(long, value_name = "SIZE", default_value = "64GiB", value_parser = parse_size)]
    pub(crate) max_expansion: u64,

    /// Check only that blobs exist and have the right size; do not read layers
    #[arg(long)]
    pub(crate) no_read: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// The records, one JSON object per line; `-` for standard input
    #[arg(long, value_name = "FILE", required_unless_present = "schema")]
    pub(crate) records: Option<PathBuf>,

    /// The layers: an OCI layout, or a folder of files named by digest
    #[arg(long, value_name = "DIR", required_unless_present_any = ["print_config", "schema"])]
    pub(crate) blobs: Option<PathBuf>,

    /// The destination: a folder, HOST/REPOSITORY:TAG in a registry, or attributes as buildx takes them
    #[arg(long, value_name = "DST", required_unless_present_any = ["print_config", "schema"])]
    pub(crate) to: Option<String>,

    /// Write the manifest in this form: manifest, index or docker
    #[arg(long, value_name = "FORM", value_parser = parse_form)]
    pub(crate) form: Option<Form>,

    /// Give the same result for any order of the lines, for example when merging the records of several builds
    #[arg(long)]
    pub(crate) canonical: bool,

    /// Print the config that would be written if all blobs existed, and write nothing
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
    size(Job::DEFAULT_MAX_METADATA).replace(' ', "")
}

fn parse_form(text: &str) -> Result<Form, String> {
    text.parse().map_err(|_| "the forms are manifest, index and docker".to_owned())
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

/// The size of a chunk, at least one byte.
fn parse_chunk_size(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        0 => Err("a chunk has at least one byte".to_owned()),
        size => Ok(size),
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
    fn sizes_are_bytes_with_or_without_a_unit() {
        for (text, bytes) in [("0", 0), ("64MiB", 64 << 20), ("1kB", 1000), ("3 G", 3 << 30), ("7b", 7)] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "MiB", "-1", "1.5MiB", "1TB", "99999999999GiB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_chunk_is_not_empty() {
        let copy = |size| Cli::try_parse_from(["bkcache", "copy", "--chunk-size", size, "a", "b"]);
        assert!(copy("1").is_ok());
        assert!(copy("0").is_err());
        assert!(copy("0MiB").is_err());
    }
}
