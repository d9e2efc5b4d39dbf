//! The kinds of values of attributes. They are read as BuildKit's tools read them, except that nothing is lenient.
//!
//! A malformed value is an error, even where BuildKit uses a default instead.

use cache_model::Digest;

use crate::error::TargetError;
use crate::nearest::nearest;

/// The kind of an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueKind {
    /// Any text but the empty one.
    Text,
    /// A boolean in one of Go's spellings: `1 t T TRUE true True`, `0 f F FALSE false False`.
    Bool,
    /// A boolean. An empty value is true.
    Flag,
    /// A whole number.
    Integer,
    /// A blob digest.
    Digest,
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl ValueKind {
    /// An error unless `value` is of this kind.
    pub(crate) fn check(self, key: &str, value: &str) -> Result<(), TargetError> {
        match self {
            Self::Text if value.is_empty() => Err(TargetError::malformed(key, value, "a value")),
            Self::Text => Ok(()),
            Self::Flag if value.is_empty() => Ok(()),
            Self::Bool | Self::Flag => boolean(key, value).map(drop),
            Self::Integer => integer(key, value).map(drop),
            Self::Digest => digest(key, value).map(drop),
            Self::Choice(words) if words.contains(&value) => Ok(()),
            Self::Choice(words) => Err(not_a_choice(key, value, words)),
        }
    }

    /// Whether two values of this kind are equivalent.
    pub(crate) fn same(self, a: &str, b: &str) -> bool {
        let boolean = |text: &str| if text.is_empty() { Some(self == Self::Flag) } else { go_bool(text) };
        match self {
            Self::Bool | Self::Flag => boolean(a) == boolean(b),
            _ => a == b,
        }
    }
}

/// The error for a value that is not one of the allowed words.
pub(crate) fn not_a_choice(key: &str, value: &str, words: &[&str]) -> TargetError {
    let hint = nearest(value, words.iter().copied());
    let hint = hint.map_or_else(String::new, |word| format!("; did you mean {word}?"));
    TargetError::malformed(key, value, format_args!("one of {}{hint}", words.join(", ")))
}

/// A boolean in one of Go's spellings (`strconv.ParseBool`).
pub(crate) fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

pub(crate) fn boolean(key: &str, value: &str) -> Result<bool, TargetError> {
    go_bool(value).ok_or_else(|| TargetError::malformed(key, value, "true or false"))
}

pub(crate) fn integer(key: &str, value: &str) -> Result<i64, TargetError> {
    value.parse().map_err(|_| TargetError::malformed(key, value, "a whole number"))
}

pub(crate) fn digest(key: &str, value: &str) -> Result<Digest, TargetError> {
    value.parse().map_err(|_| {
        TargetError::malformed(key, value, "a digest, sha256: and 64 lower-case hexadecimal digits")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: ValueKind, value: &str, expected: Option<&str>) {
        let found = kind.check("key", value).err().map(|error| error.to_string());
        assert_eq!(found.as_deref(), expected, "{kind:?} {value:?}");
    }

    #[test]
    fn booleans_are_exactly_those_of_go() {
        for text in ["1", "t", "T", "TRUE", "true", "True"] {
            assert_eq!(go_bool(text), Some(true), "{text}");
        }
        for text in ["0", "f", "F", "FALSE", "false", "False"] {
            assert_eq!(go_bool(text), Some(false), "{text}");
        }
        for text in ["", "yes", "no", "on", "tRUE", "fALSE", " true", "true ", "2", "01", "tr"] {
            assert_eq!(go_bool(text), None, "{text}");
        }
    }

    #[test]
    fn a_malformed_value_is_an_error_that_names_its_attribute() {
        check(ValueKind::Text, "x", None);
        check(ValueKind::Text, "", Some("key=: expected a value"));
        check(ValueKind::Bool, "", Some("key=: expected true or false"));
        check(ValueKind::Bool, "yes", Some("key=yes: expected true or false"));
        check(ValueKind::Flag, "", None);
        check(ValueKind::Flag, "maybe", Some("key=maybe: expected true or false"));
        check(ValueKind::Integer, "-3", None);
        check(ValueKind::Integer, "3.5", Some("key=3.5: expected a whole number"));
        check(
            ValueKind::Digest,
            "sha256:AB",
            Some("key=sha256:AB: expected a digest, sha256: and 64 lower-case hexadecimal digits"),
        );
        check(ValueKind::Choice(&["min", "max"]), "max", None);
        check(
            ValueKind::Choice(&["min", "max"]),
            "Max",
            Some("key=Max: expected one of min, max; did you mean max?"),
        );
        check(ValueKind::Choice(&["min", "max"]), "all", Some("key=all: expected one of min, max"));
    }

    #[test]
    fn two_spellings_of_one_boolean_are_the_same() {
        assert!(ValueKind::Bool.same("0", "False"));
        assert!(ValueKind::Flag.same("", "true"));
        assert!(!ValueKind::Flag.same("", "false"));
        assert!(!ValueKind::Text.same("0", "False"));
    }
}
