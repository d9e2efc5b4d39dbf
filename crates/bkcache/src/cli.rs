//! The command line: what can be typed, and the help for it.

use std::path::PathBuf;

use cache_format::Form;
use clap::builder::styling::{AnsiColor, Effects, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

const ABOUT: &str = "Inspects, verifies, copies and converts BuildKit remote caches";

const AFTER_HELP: &str = "\
A cache is named by a folder, ./cache, ./cache:TAG or ./cache@sha256:…, by a repository with its
host, HOST/REPOSITORY with the same endings, or by the attributes that buildx takes:
  type=local,src=./cache,tag=main               where a cache is read
  type=local,dest=./cache,tag=main              where a cache is written
  type=registry,ref=user/app:cache              docker.io/user/app:cache, either way

Examples:
  bkcache ls registry.example.com/app           which tags are caches
  bkcache inspect ./cache                       what is in a cache
  bkcache inspect --tree ./cache                its records as a tree
  bkcache verify ./cache && echo sound          whether all of it is there and right
  bkcache copy ./cache ./other:main             copy it, every byte kept
  bkcache copy registry.example.com/app:cache ./cache
  bkcache copy --form manifest ./cache ./oci    in a form that skopeo and every registry takes

Who you are to a registry is what docker login keeps (config.json in DOCKER_CONFIG, credential
helpers), or DOCKER_AUTH_CONFIG, REGISTRY_AUTH_FILE, Podman's auth.json, or --username.

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

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct GlobalArgs {
    /// Show the causes of an error, and each retry
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,

    /// Print neither progress nor summary
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// How to show progress, on standard error
    #[arg(long, global = true, value_enum, default_value_t = ProgressMode::Auto, value_name = "MODE")]
    pub(crate) progress: ProgressMode,

    /// The largest manifest or config to read, as in 64MiB or 1000000
    #[arg(long, global = true, value_name = "SIZE", default_value = "64MiB", value_parser = parse_size)]
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
    /// A JSON object a line
    Json,
    /// None
    None,
}

/// What every command takes that may talk to a registry.
#[derive(Args, Clone, Debug)]
pub(crate) struct RegistryArgs {
    /// Trust this authority's certificates too (PEM); may be given several times
    #[arg(long, value_name = "FILE", help_heading = REGISTRIES)]
    pub(crate) ca: Vec<PathBuf>,

    /// Show this certificate to a registry that asks for one (PEM)
    #[arg(long, value_name = "FILE", requires = "key", help_heading = REGISTRIES)]
    pub(crate) cert: Option<PathBuf>,

    /// The private key of --cert (PEM, not encrypted)
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = REGISTRIES)]
    pub(crate) key: Option<PathBuf>,

    /// Log in as this user, instead of with what docker login keeps
    #[arg(long, value_name = "NAME", requires = "password_stdin", help_heading = REGISTRIES)]
    pub(crate) username: Option<String>,

    /// Read the user's password, or a token in its place, from standard input
    #[arg(long, requires = "username", help_heading = REGISTRIES)]
    pub(crate) password_stdin: bool,
}

const REGISTRIES: &str = "Registries";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List what a folder or a repository has: which tags are caches, of which form, size and age
    #[command(after_help = "\
The newest result of a cache tells its age, the last step of an image that of an image. Reads
manifests and configs, no layers.

Examples:
  bkcache ls registry.example.com/team/app
  bkcache ls --caches ./cache
  bkcache ls ./cache:main
  bkcache ls --json docker.io/user/app | jq -r '.[] | select(.kind == \"cache\").name'")]
    Ls(LsArgs),

    /// Show what is in a cache
    #[command(after_help = "\
Examples:
  bkcache inspect ./cache
  bkcache inspect --tree ./cache:main
  bkcache inspect --json type=local,src=./cache | jq '.caches[0].records | length'")]
    Inspect(InspectArgs),

    /// Print a cache's manifest, exactly as it is stored
    #[command(after_help = "\
Examples:
  bkcache manifest ./cache | jq .
  bkcache manifest ./cache | sha256sum")]
    Manifest(ManifestArgs),

    /// Print a cache's config, exactly as it is stored
    #[command(after_help = "\
Examples:
  bkcache config ./cache | jq '.records | length'
  bkcache config --canonical ./cache | sha256sum")]
    Config(ConfigArgs),

    /// Copy a cache, as it is or in another form
    #[command(after_help = "\
Without options every byte is kept. The destination names the form too: image-manifest=false is an
index, oci-mediatypes=false a Docker manifest list. A cache inside an image becomes a cache of its own.

Examples:
  bkcache copy ./cache ./backup
  bkcache copy --form index ./cache ./other:main
  bkcache copy ./cache type=local,dest=./other,image-manifest=false,tag=main
  bkcache copy ./cache registry.example.com/app:cache
  bkcache copy registry.example.com/app:main registry.example.com/app:backup
  bkcache copy --canonical ./image ./cache")]
    Copy(CopyArgs),

    /// Check that all of a cache is there and right
    #[command(after_help = "\
Reads every blob: its size, its digest, and that it unpacks to its diff ID. A line for each finding;
exit code 3 when something is wrong. Warnings and notes alone leave it at 0.

Examples:
  bkcache verify ./cache
  bkcache verify --json ./cache | jq '.findings[]'")]
    Verify(VerifyArgs),

    /// Export a cache from records that another program wrote
    #[command(after_help = "\
RECORDS has a JSON object a line, a record each, sources before what depends on them:
  {\"digest\":\"sha256:…\",\"inputs\":[[{\"record\":0,\"selector\":\"/src\"}]],
   \"results\":[{\"createdAt\":\"2026-01-02T03:04:05Z\",\"layers\":[{\"mediaType\":\"…\",\"digest\":\"…\",\"size\":1}]}]}
`record` is the position of an earlier line, from 0. `bkcache export --schema` prints the JSON schema.

Examples:
  bkcache export --records build.ndjson --blobs ./layers --to type=local,dest=./cache
  my-builder --records | bkcache export --records - --print-config")]
    Export(ExportArgs),

    /// Print a shell's completion script
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
    /// The cache: a folder, a registry's HOST/REPOSITORY:TAG, or attributes as buildx takes them
    #[arg(value_name = "SRC")]
    pub(crate) source: String,

    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Args, Debug)]
pub(crate) struct LsArgs {
    /// A folder, a registry's HOST/REPOSITORY, or attributes as buildx takes them; with a tag or digest that one alone
    #[arg(value_name = "PLACE")]
    pub(crate) place: String,

    /// List caches only, and images with a cache inside
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

    /// Show the records as a tree, each above what it depends on
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

    /// Print the canonical config of the same records instead; blobs are not looked at
    #[arg(long)]
    pub(crate) canonical: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CopyArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Where to: a folder, a registry's HOST/REPOSITORY:TAG, or attributes as buildx takes them
    #[arg(value_name = "DST")]
    pub(crate) destination: String,

    /// Rebuild the manifest in this form: manifest, index or docker
    #[arg(long, value_name = "FORM", value_parser = parse_form)]
    pub(crate) form: Option<Form>,

    /// Put the records into canonical order, which makes a new config
    #[arg(long)]
    pub(crate) canonical: bool,

    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

/// What every command that writes a cache takes.
#[derive(Args, Debug)]
pub(crate) struct WriteArgs {
    /// How many blobs to copy at once, and how many requests a registry gets at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: u16,

    /// Write the export's metadata (cache.manifest) to a file, `-` for standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) metadata_file: Option<PathBuf>,

    /// Read and hash the blobs that are already there, instead of trusting their size, wait until the disk has them, and
    /// replace the wrong ones
    #[arg(long)]
    pub(crate) rehash: bool,

    /// Do not wait for the disk: for folders that are thrown away, as in CI. A crash of the machine may lose or
    /// garble what was written, also after a later copy that waits, which trusts the blobs that it finds; one with
    /// --rehash waits for them too
    #[arg(long)]
    pub(crate) no_sync: bool,

    /// Upload blobs to a registry in pieces of this size, as in 50MiB, where a proxy takes only smaller requests
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

    /// The most bytes that one layer may unpack to, as in 64GiB
    #[arg(long, value_name = "SIZE", default_value = "64GiB", value_parser = parse_size)]
    pub(crate) max_expansion: u64,

    /// Look only at presence and sizes: do not read the layers
    #[arg(long)]
    pub(crate) no_read: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// The records, one JSON object a line; `-` for standard input
    #[arg(long, value_name = "FILE", required_unless_present = "schema")]
    pub(crate) records: Option<PathBuf>,

    /// Where the layers are: an OCI layout, or a folder of files named by digest
    #[arg(long, value_name = "DIR", required_unless_present_any = ["print_config", "schema"])]
    pub(crate) blobs: Option<PathBuf>,

    /// Where the cache goes: a folder, a registry's HOST/REPOSITORY:TAG, or attributes as buildx takes them
    #[arg(long, value_name = "DST", required_unless_present_any = ["print_config", "schema"])]
    pub(crate) to: Option<String>,

    /// The form of the manifest: manifest, index or docker
    #[arg(long, value_name = "FORM", value_parser = parse_form)]
    pub(crate) form: Option<Form>,

    /// Let the order of the lines not matter, as when the records of several builds are merged
    #[arg(long)]
    pub(crate) canonical: bool,

    /// Print the config that would be written, as if all blobs were there, and write nothing
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

fn parse_form(text: &str) -> Result<Form, String> {
    text.parse().map_err(|_| "known are manifest, index and docker".to_owned())
}

/// A number of bytes, with or without a unit of powers of 1000 (kB, MB, GB) or 1024 (KiB, MiB, GiB; K, M, G).
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
    number.checked_mul(factor).ok_or_else(|| "that is too large".to_owned())
}

/// The same for pieces, in which there has to be something.
fn parse_chunk_size(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        0 => Err("a piece has at least one byte".to_owned()),
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
    fn pieces_have_something_in_them() {
        let copy = |size| Cli::try_parse_from(["bkcache", "copy", "--chunk-size", size, "a", "b"]);
        assert!(copy("1").is_ok());
        assert!(copy("0").is_err());
        assert!(copy("0MiB").is_err());
    }
}
