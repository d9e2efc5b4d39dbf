//! The options of every command that explains a cache by its build: records, contexts, the platform, secret values.
//!
//! Nothing is read here.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use cache_model::Platform;
use clap::{Args, ValueHint};

/// The heading of the options that say which build made a cache.
pub(crate) const BUILD: &str = "Build";
/// The name that a build gives to the folder that it is called with.
const MAIN_CONTEXT: &str = "context";

/// The build that made a cache, or is to be made.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct BuildArgs {
    /// The build's record: a file, or an image
    ///
    /// The file is a .dockerbuild, a --metadata-file of buildx, or a provenance attestation, with or without its in-toto
    /// statement. The image is one whose build attached provenance with mode=max: a folder, or HOST/REPOSITORY:TAG. May be given
    /// several times, as for platforms that were built apart.
    #[arg(long = "record", value_name = "R", value_hint = ValueHint::AnyPath, help_heading = BUILD)]
    pub(crate) records: Vec<String>,

    /// The folder of the build, or NAME=DIR
    ///
    /// DIR is what the build command names. NAME=DIR is a named context, as --build-context gives it. May be given several
    /// times. The folder's ignore file applies, as it does in a build.
    #[arg(
        long = "context", value_name = "DIR", value_hint = ValueHint::DirPath, requires = "records",
        help_heading = BUILD,
    )]
    pub(crate) contexts: Vec<ContextFolder>,

    /// The ignore file, if it lies elsewhere
    ///
    /// It is needed for a Dockerfile outside of the folder. In the folder, the file beside the Dockerfile that is named as it with
    /// .dockerignore behind it counts, else .dockerignore.
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "contexts", help_heading = BUILD,
    )]
    pub(crate) ignore_file: Option<PathBuf>,

    /// Only this platform, as in linux/arm64
    #[arg(long, value_name = "OS/ARCH", requires = "records", help_heading = BUILD)]
    pub(crate) platform: Option<Platform>,
}

/// The build that made the older of two caches.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OldBuildArgs {
    /// The older build's record, as --record
    #[arg(long = "was-record", value_name = "R", value_hint = ValueHint::AnyPath, help_heading = BUILD)]
    pub(crate) old_records: Vec<String>,

    /// The older build's folder, as --context
    #[arg(
        long = "was-context", value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = BUILD,
    )]
    pub(crate) old_contexts: Vec<ContextFolder>,

    /// The ignore file of that folder
    #[arg(
        long = "was-ignore-file", value_name = "FILE", value_hint = ValueHint::FilePath, requires = "old_contexts",
        help_heading = BUILD,
    )]
    pub(crate) old_ignore_file: Option<PathBuf>,
}

impl OldBuildArgs {
    /// The same options, as those of a build.
    pub(crate) fn as_build(&self) -> BuildArgs {
        let Self { old_records: records, old_contexts: contexts, old_ignore_file: ignore_file } =
            self.clone();
        BuildArgs { records, contexts, ignore_file, platform: None }
    }
}

/// Whether secret values are shown.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct ValueArgs {
    /// Show values of ENV, build arguments and proxies
    ///
    /// Without it, only their names are shown, since values are often secret.
    #[arg(long, help_heading = BUILD)]
    pub(crate) show_values: bool,
}

/// A folder that a build reads, and its name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContextFolder {
    /// `context` for the folder that the build is called with.
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
}

impl FromStr for ContextFolder {
    type Err = String;

    /// Reads `DIR` or `NAME=DIR`. What stands before the first `=` is a name unless it has a slash.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, folder) = match text.split_once('=') {
            Some((name, folder)) if !name.contains(['/', '\\']) => (name, folder),
            _ => (MAIN_CONTEXT, text),
        };
        if name.is_empty() || folder.is_empty() {
            return Err("it should look like DIR or NAME=DIR".to_owned());
        }
        Ok(Self { name: name.to_owned(), folder: PathBuf::from(folder) })
    }
}

impl fmt::Display for ContextFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.display();
        if self.name == MAIN_CONTEXT { write!(f, "{folder}") } else { write!(f, "{}={folder}", self.name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_a_folder_or_a_name_with_a_folder() {
        let read = |text: &str| text.parse::<ContextFolder>().map(|context| (context.name, context.folder));
        for (text, name, folder) in [
            (".", "context", "."),
            ("docs=./docs", "docs", "./docs"),
            ("./a=b", "context", "./a=b"),
            ("context=a=b", "context", "a=b"),
        ] {
            assert_eq!(read(text), Ok((name.to_owned(), PathBuf::from(folder))), "{text}");
        }
        for text in ["", "docs=", "=docs"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
