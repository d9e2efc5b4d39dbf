//! The arguments of `bkcache predict`.

use std::str::FromStr;

use clap::{Args, ValueHint};

use crate::cli::inputs::BuildArgs;
use crate::cli::registry::RegistryArgs;

#[derive(Args, Debug)]
pub(crate) struct PredictArgs {
    /// The caches that the build will look into
    ///
    /// Each is a folder, or HOST/REPOSITORY:TAG. A step hits if any of them has its result.
    #[arg(value_name = "CACHE", value_hint = ValueHint::AnyPath, required = true)]
    pub(crate) caches: Vec<String>,

    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Exit with 1 if a step will miss
    ///
    /// A failure exits with 1 too, but prints an error.
    #[arg(long)]
    pub(crate) exit_code: bool,

    /// Exit with 1 if a step of this line will miss
    ///
    /// It is written as 'line 4', and may be given several times. The line is the first one of an instruction.
    #[arg(long, value_name = "'line N'")]
    pub(crate) fail_on: Vec<DockerfileLine>,

    /// Read no layers
    ///
    /// What only layers tell stays unknown. Layers are read only where their files decide whether a step hits.
    #[arg(long)]
    pub(crate) no_read: bool,

    #[command(flatten)]
    pub(crate) build: BuildArgs,

    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// The first line of an instruction, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DockerfileLine(pub(crate) usize);

impl FromStr for DockerfileLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix("line ").unwrap_or(text).trim();
        match number.parse() {
            Ok(line) if line > 0 => Ok(Self(line)),
            _ => Err("it should look like 'line 4'".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_with_its_word_or_as_a_number() {
        for text in ["line 4", "4"] {
            assert_eq!(text.parse(), Ok(DockerfileLine(4)), "{text}");
        }
        for text in ["", "line", "line 0", "line four", "-4", "step 4"] {
            assert!(text.parse::<DockerfileLine>().is_err(), "{text}");
        }
    }
}
