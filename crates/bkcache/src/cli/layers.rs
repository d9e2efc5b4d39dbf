//! The arguments of `bkcache layers`.

use cache_model::Platform;
use clap::{Args, ValueHint};

use crate::cli::inputs::{BUILD, BuildArgs};
use crate::cli::registry::RegistryArgs;

#[derive(Args, Debug)]
pub(crate) struct LayersArgs {
    /// The cache: a folder, or HOST/REPOSITORY:TAG
    ///
    /// It can also be given as buildx attributes, such as type=local,src=./cache,tag=main.
    #[arg(value_name = "SRC", value_hint = ValueHint::AnyPath)]
    pub(crate) source: String,

    /// List the N largest files of each layer
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) files: usize,

    /// Print the layers as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// The record of the build, to name the steps
    ///
    /// It is a file (a .dockerbuild, a --metadata-file of buildx, or a provenance attestation), or an image whose build attached
    /// provenance with mode=max. May be given several times.
    #[arg(long = "record", value_name = "R", value_hint = ValueHint::AnyPath, help_heading = BUILD)]
    records: Vec<String>,

    /// Only this platform of the build, such as linux/arm64
    #[arg(long, value_name = "OS/ARCH", help_heading = BUILD, requires = "records")]
    platform: Option<Platform>,

    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

impl LayersArgs {
    /// The builds that name the steps.
    pub(crate) fn build(&self) -> BuildArgs {
        let (records, platform) = (self.records.clone(), self.platform.clone());
        BuildArgs { records, platform, ..BuildArgs::default() }
    }
}
