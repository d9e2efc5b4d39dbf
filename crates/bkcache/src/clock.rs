//! The time that counts as now: the clock's, or that of `SOURCE_DATE_EPOCH`, by which outcomes are reproducible.

use std::ffi::OsStr;

use cache_model::Timestamp;

use crate::failure::Failure;

/// The variable of <https://reproducible-builds.org/specs/source-date-epoch/>.
const VARIABLE: &str = "SOURCE_DATE_EPOCH";

/// The time that counts as now.
pub(crate) fn now() -> Result<Timestamp, Failure> {
    match std::env::var_os(VARIABLE) {
        Some(text) if !text.is_empty() => epoch(&text),
        _ => Ok(Timestamp::now()),
    }
}

fn epoch(text: &OsStr) -> Result<Timestamp, Failure> {
    let seconds = text.to_str().and_then(|text| text.parse().ok());
    let time = seconds.and_then(|seconds| Timestamp::from_unix(seconds, 0));
    time.ok_or_else(|| Failure::Usage(format!("{VARIABLE} is {text:?}, not a number of seconds since 1970")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_a_number_of_seconds() {
        assert_eq!(epoch(OsStr::new("86400")).unwrap().to_string(), "1970-01-02T00:00:00Z");
        for bad in ["1.5", "today", "99999999999999"] {
            let line = epoch(OsStr::new(bad)).unwrap_err().line();
            let expected = format!("SOURCE_DATE_EPOCH is {bad:?}, not a number of seconds since 1970");
            assert_eq!(line, Some(expected));
        }
    }
}
