//! The arguments of `bkcache prune`.

use cache_edit::Limits;
use cache_format::BUILDKIT_IMPORT_LIMIT;
use clap::Args;

use crate::cli::age::{AgeLimit, parse_age_limit};
use crate::cli::edit::EditArgs;
use crate::cli::values::parse_size;
use crate::clock::now;
use crate::failure::Failure;
use crate::help;

#[derive(Args, Debug)]
pub(crate) struct PruneArgs {
    /// Drop results that were of no use since then
    #[arg(long, value_name = "AGE", value_parser = parse_age_limit, long_help = help::OLDER_THAN)]
    pub(crate) older_than: Option<AgeLimit>,

    /// Keep results of this size together, such as 5GB
    #[arg(long, value_name = "SIZE", value_parser = parse_keep_bytes, long_help = help::KEEP_BYTES)]
    pub(crate) keep_bytes: Option<u64>,

    /// Make the config fit: a size, or buildkit
    #[arg(long, value_name = "SIZE", value_parser = parse_fit, long_help = help::FIT)]
    pub(crate) fit: Option<u64>,

    /// Replace the tag that is read
    #[arg(long, conflicts_with = "print_config", long_help = help::IN_PLACE)]
    pub(crate) in_place: bool,

    #[command(flatten)]
    pub(crate) edit: EditArgs,
}

impl PruneArgs {
    /// What the new cache may hold.
    pub(crate) fn limits(&self) -> Result<Limits, Failure> {
        let mut limits = Limits::default();
        limits.older_than = match &self.older_than {
            // Where nothing is written, nothing can be lost.
            Some(age) if self.edit.print_config => Some(age.instant(now()?)),
            Some(age) => Some(age.past_instant(now()?)?),
            None => None,
        };
        (limits.keep_bytes, limits.fit) = (self.keep_bytes, self.fit);
        Ok(limits)
    }
}

fn parse_keep_bytes(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        0 => Err("nothing would be kept".to_owned()),
        bytes => Ok(bytes),
    }
}

/// The size in bytes of the empty config, `{}`.
const EMPTY_CONFIG: u64 = 2;

fn parse_fit(text: &str) -> Result<u64, String> {
    match text {
        "buildkit" => Ok(BUILDKIT_IMPORT_LIMIT),
        _ => match parse_size(text)? {
            bytes if bytes < EMPTY_CONFIG => Err("not even a config without records fits".to_owned()),
            bytes => Ok(bytes),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_below_which_nothing_is_left_is_refused() {
        assert_eq!((parse_keep_bytes("1"), parse_keep_bytes("5GB")), (Ok(1), Ok(5_000_000_000)));
        assert!(parse_keep_bytes("0").is_err() && parse_keep_bytes("0GB").is_err());
        assert_eq!(
            (parse_fit("2"), parse_fit("1MiB"), parse_fit("buildkit")),
            (Ok(2), Ok(1 << 20), Ok(1 << 20))
        );
        assert!(parse_fit("1").is_err() && parse_fit("0MiB").is_err() && parse_fit("docker").is_err());
    }
}
