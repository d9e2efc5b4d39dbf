//! The arguments of the commands that change names, and of the one that deletes what no name leads to.

use std::time::Duration;

use clap::{Args, ValueHint};

use crate::cli::registry::RegistryArgs;
use crate::cli::values::parse_age;

#[derive(Args, Debug)]
pub(crate) struct TagArgs {
    /// The cache: a folder, or HOST/REPOSITORY:TAG
    ///
    /// It can also be given as buildx attributes, such as type=local,src=./cache,tag=main.
    #[arg(value_name = "SRC", value_hint = ValueHint::AnyPath)]
    pub(crate) source: String,

    /// The new tag, or a full name in the same place
    ///
    /// May be given several times. A tag that exists moves to this cache.
    #[arg(value_name = "NEW", required = true)]
    pub(crate) new: Vec<String>,

    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print what was done as JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Args, Debug)]
pub(crate) struct RmArgs {
    /// The tag: ./DIR:TAG, or HOST/REPOSITORY:TAG
    ///
    /// May be given several times. With a digest (…@sha256:…), the manifest loses all of its tags. It can also be given as
    /// buildx attributes.
    #[arg(value_name = "REF", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) references: Vec<String>,

    /// Also remove other tags of the same manifest
    ///
    /// It is needed for a digest that has tags, and for a tag in a registry that deletes manifests by digest only. Without
    /// it, nothing is removed if another tag has the same manifest.
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Show what would be removed, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print what was removed as JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Args, Debug)]
pub(crate) struct GcArgs {
    /// The folder
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) folder: String,

    /// Keep what is younger, such as 30m or 2d
    ///
    /// It has to be longer than the longest export to the folder by another program, such as BuildKit.
    #[arg(long, value_name = "AGE", default_value = "1h", value_parser = parse_age)]
    pub(crate) older_than: Duration,

    /// Delete on a terminal, too
    ///
    /// On a terminal, it is shown what would be deleted, and nothing is deleted without this option.
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Show what would be deleted, and delete nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,

    /// Print what was deleted as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
