//! The error of this crate: the document, the place in it, and the fault.
//!
//! It never carries the error of a JSON library: that error's text is part of the message.

use std::fmt;

use cache_model::OneLine;

/// Why a document cannot be read, or cannot be written.
///
/// The text is one line: the document, the place in it if known, and the fault, such as
/// `cache config: record 3: link 1099511627776 is out of range (line 1, column 250)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    kind: FormatErrorKind,
    document: &'static str,
    place: Option<String>,
    message: String,
}

/// The kinds of [`FormatError`] that a caller can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FormatErrorKind {
    /// The bytes are not one complete JSON text.
    Syntax,
    /// A member is missing, given twice, of the wrong type, out of range, or contradicts another.
    Invalid,
    /// Understood, but a kind of document or a combination that is not supported.
    Unsupported,
}

impl FormatError {
    pub(crate) fn new(kind: FormatErrorKind, document: &'static str, message: impl Into<String>) -> Self {
        Self { kind, document, place: None, message: message.into() }
    }

    pub(crate) fn invalid(document: &'static str, message: impl Into<String>) -> Self {
        Self::new(FormatErrorKind::Invalid, document, message)
    }

    pub(crate) fn unsupported(document: &'static str, message: impl Into<String>) -> Self {
        Self::new(FormatErrorKind::Unsupported, document, message)
    }

    #[must_use]
    pub(crate) fn at(mut self, place: Option<String>) -> Self {
        self.place = place;
        self
    }

    /// The kind, for callers that act on it.
    pub fn kind(&self) -> FormatErrorKind {
        self.kind
    }

    /// The kind of document, such as `cache config` or `manifest`.
    pub fn document(&self) -> &str {
        self.document
    }

    /// The entry of the document, such as `record 3` or `layer 0`; `None` if the error is not about one entry.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.document)?;
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}", OneLine(&self.message))
    }
}

impl std::error::Error for FormatError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_stays_on_one_line_whatever_it_quotes() {
        let error =
            FormatError::invalid("manifest", "the media type a\nb is not c").at(Some("config".to_owned()));
        assert_eq!(error.to_string(), r"manifest: config: the media type a\nb is not c");
    }
}
