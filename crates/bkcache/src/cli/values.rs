//! Values of options: sizes, durations, ages, forms, annotations.

use std::time::Duration;

use cache_format::Form;
use cache_ingest::Job;
use cache_report::text::size;
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// The default of a job, as it can be typed.
pub(crate) fn default_max_metadata() -> String {
    size_of(Job::DEFAULT_MAX_METADATA)
}

/// A size as it can be typed.
pub(crate) fn size_of(bytes: u64) -> String {
    size(bytes).replace(' ', "")
}

/// Takes the names of the forms, and lists them for completions and errors.
pub(crate) fn form_parser() -> impl TypedValueParser<Value = Form> {
    PossibleValuesParser::new(Form::ALL.iter().map(|form| form.name())).try_map(|name| name.parse::<Form>())
}

/// A size in bytes, without a unit or with one: powers of 1000 (kB, MB, GB) or of 1024 (KiB, MiB, GiB, K, M, G).
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
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

pub(crate) fn parse_chunk_size(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        size if size < LEAST_CHUNK => {
            Err(format!("each chunk is a request, so it has at least {}", size_of(LEAST_CHUNK)))
        }
        size => Ok(size),
    }
}

/// A time above zero: a number of seconds, or with the unit ms, s, m or h.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
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

/// A key and a value; the value may be empty, and may have further `=`.
pub(crate) fn parse_annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// An age: a number with the unit s, m, h, d or w. Zero is an age.
pub(crate) fn parse_age(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let unit: u64 = match text.strip_prefix(digits).unwrap_or_default().trim() {
        "s" if is_number => 1,
        "m" if is_number => 60,
        "h" if is_number => 60 * 60,
        "d" if is_number => 24 * 60 * 60,
        "w" if is_number => 7 * 24 * 60 * 60,
        "" if is_number => return Err(format!("the unit is missing: {digits}d are days, {digits}h hours")),
        _ => return Err("expected an age such as 14d (units: s, m, h, d, w)".to_owned()),
    };
    let number: u32 = digits.parse().map_err(|_| "the age is too long".to_owned())?;
    Ok(Duration::from_secs(u64::from(number) * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_has_a_key_and_may_have_an_empty_value() {
        let parsed = |text: &str| parse_annotation(text).ok();
        let pair = |key: &str, value: &str| Some((key.to_owned(), value.to_owned()));
        assert_eq!(parsed("a.b/c=d=e"), pair("a.b/c", "d=e"));
        assert_eq!(parsed("a="), pair("a", ""));
        for bad in ["", "a", "=b", " =b"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_age_has_a_unit() {
        for (text, seconds) in
            [("0s", 0), ("90s", 90), ("2m", 120), ("1h", 3600), ("14 d", 1_209_600), ("2w", 1_209_600)]
        {
            assert_eq!(parse_age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "1", "d", "-1h", "1.5h", "1y", "99999999999s"] {
            assert!(parse_age(bad).is_err(), "{bad}");
        }
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
