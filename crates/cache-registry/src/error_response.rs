//! Answers that report errors: their codes and messages, the kind of error that they become, and advice.
//!
//! A registry's text reaches a message only limited and without control characters.

use std::fmt;

use cache_ingest::{Error, ErrorKind};
use cache_model::Digest;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::auth::identity::Refusal;
use crate::error::Operation;
use crate::text::printable;

/// Error codes by which a registry says that the repository, not the manifest, is unknown.
pub(crate) const UNKNOWN_NAME: [&str; 2] = ["NAME_UNKNOWN", "NAME_INVALID"];

/// The verbs of operations that write.
const WRITES: [&str; 2] = ["put", "publish"];

impl Operation {
    /// The registry refused a request. `advice` says what to do about a refusal of credentials or permission.
    pub(crate) fn refused(&self, response: &ErrorResponse, advice: impl Fn(Refusal) -> String) -> Error {
        self.refused_by("the registry", response, advice)
    }

    /// A server refused a request.
    pub(crate) fn refused_by(
        &self,
        server: &str,
        response: &ErrorResponse,
        advice: impl Fn(Refusal) -> String,
    ) -> Error {
        let kind = response.kind();
        let advice = match kind {
            ErrorKind::Denied => advice(response.refusal()),
            ErrorKind::NotFound if response.has_code(&UNKNOWN_NAME) => {
                "; check the name of the repository".to_owned()
            }
            // Docker's registry answers so as a pull-through cache, and while it is read-only.
            _ if response.status == StatusCode::METHOD_NOT_ALLOWED && WRITES.contains(&self.verb) => {
                "; it may be a mirror, or read-only for a while: push to another registry, or later"
                    .to_owned()
            }
            _ => String::new(),
        };
        self.error(kind, format_args!("{server} {response}{advice}"))
    }

    /// A server answered plain HTTP as one that expects TLS does.
    pub(crate) fn wants_tls(&self, response: &ErrorResponse) -> Error {
        let reason = format_args!(
            "the registry {response} to plain HTTP, which is tried on this machine; if it speaks TLS, name the authority that signed its certificate with --ca, or allow any certificate with --insecure"
        );
        self.error(ErrorKind::Other, reason)
    }

    /// A host to which the registry redirected has refused a request.
    pub(crate) fn refused_elsewhere(&self, response: &ErrorResponse, host: &str) -> Error {
        // Such a link expires, and the registry gives a new one next time.
        let kind = match response.status {
            StatusCode::NOT_FOUND => ErrorKind::NotFound,
            _ => ErrorKind::Unavailable,
        };
        self.error(
            kind,
            format_args!("{}, to which the registry redirects, answers {}", printable(host), response.status),
        )
    }
}

/// An answer that reports errors (OCI distribution specification, "Error Codes").
#[derive(Debug)]
pub(crate) struct ErrorResponse {
    pub(crate) status: StatusCode,
    errors: Vec<RegistryError>,
}

/// One error in a body. Members of another type than text are kept, so that they do not hide the rest.
#[derive(Debug, Deserialize)]
struct RegistryError {
    #[serde(default)]
    code: Value,
    #[serde(default)]
    message: Value,
    #[serde(default)]
    detail: Value,
}

impl RegistryError {
    fn code(&self) -> &str {
        self.code.as_str().unwrap_or_default()
    }
}

impl ErrorResponse {
    /// Reads the body of an answer. A body in another format has no errors.
    pub(crate) fn new(status: StatusCode, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            #[serde(default)]
            errors: Vec<RegistryError>,
            /// The error of a token server (RFC 6749, and Docker Hub's).
            #[serde(default)]
            error: Value,
            #[serde(default)]
            error_description: Value,
            #[serde(default)]
            details: Value,
        }
        let errors = match serde_json::from_slice::<Body>(body) {
            Ok(body) if !body.errors.is_empty() => body.errors,
            Ok(body) => {
                let message =
                    if body.error_description.is_string() { body.error_description } else { body.details };
                vec![RegistryError { code: body.error, message, detail: Value::Null }]
            }
            Err(_) => Vec::new(),
        };
        Self { status, errors }
    }

    /// Whether the body is that of a registry: an error in it has a code.
    pub(crate) fn has_codes(&self) -> bool {
        self.errors.iter().any(|error| !error.code().is_empty())
    }

    /// Whether one of the errors has one of these codes.
    pub(crate) fn has_code(&self, codes: &[&str]) -> bool {
        self.errors.iter().any(|error| codes.contains(&error.code()))
    }

    /// The digests anywhere in the details of the errors with this code.
    pub(crate) fn digests(&self, code: &str) -> Vec<Digest> {
        let mut digests = Vec::new();
        let mut pending: Vec<&Value> =
            self.errors.iter().filter(|error| error.code() == code).map(|error| &error.detail).collect();
        while let Some(value) = pending.pop() {
            match value {
                Value::String(text) => digests.extend(text.parse::<Digest>().ok()),
                Value::Array(values) => pending.extend(values),
                Value::Object(members) => pending.extend(members.values()),
                _ => {}
            }
        }
        digests
    }

    /// The kind of error that the answer reports.
    fn kind(&self) -> ErrorKind {
        match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ErrorKind::Denied,
            StatusCode::PAYLOAD_TOO_LARGE => ErrorKind::TooLarge,
            _ if self.has_code(&["UNAUTHORIZED", "DENIED"]) => ErrorKind::Denied,
            _ if self.has_code(&UNKNOWN_NAME) => ErrorKind::NotFound,
            _ if self.has_code(&["MANIFEST_BLOB_UNKNOWN"]) => ErrorKind::Incomplete,
            _ if self.has_code(&["DIGEST_INVALID", "SIZE_INVALID"]) => ErrorKind::Corrupt,
            StatusCode::NOT_FOUND | StatusCode::GONE => ErrorKind::NotFound,
            StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::NOT_IMPLEMENTED => ErrorKind::Unsupported,
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => ErrorKind::Conflict,
            StatusCode::INSUFFICIENT_STORAGE => ErrorKind::NoSpace,
            status if is_transient(status) => ErrorKind::Unavailable,
            _ if self.has_code(&["UNSUPPORTED", "MANIFEST_INVALID"]) => ErrorKind::Unsupported,
            _ => ErrorKind::Other,
        }
    }

    /// What was refused, by an answer that denies a request.
    fn refusal(&self) -> Refusal {
        match self.status {
            StatusCode::UNAUTHORIZED => Refusal::Credentials,
            StatusCode::FORBIDDEN => Refusal::Permission,
            _ if self.has_code(&["UNAUTHORIZED"]) => Refusal::Credentials,
            _ => Refusal::Permission,
        }
    }
}

impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "answers {}", self.status.as_u16())?;
        if let Some(words) = self.status.canonical_reason() {
            write!(f, " {words}")?;
        }
        for (n, error) in self.errors.iter().take(3).enumerate() {
            let message = error.message.as_str().unwrap_or_default();
            let text = [error.code(), message].map(printable).join(": ");
            let text = text.trim_matches([':', ' ']);
            if !text.is_empty() {
                write!(f, "{}{text}", if n == 0 { ": " } else { "; " })?;
            }
        }
        Ok(())
    }
}

/// Whether the same request may be answered differently later.
pub(crate) fn is_transient(status: StatusCode) -> bool {
    match status.as_u16() {
        408 | 425 | 429 => true,
        // Not implemented, unknown version of HTTP, no space, a loop, a missing extension, a missing login.
        501 | 505 | 507 | 508 | 510 | 511 => false,
        status => (500..600).contains(&status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_registry_that_takes_no_pushes_may_be_a_mirror() {
        let refusal = |verb| {
            let operation = Operation::new(verb, "r.example/app", &"r.example/app".parse().unwrap());
            let response = ErrorResponse::new(StatusCode::METHOD_NOT_ALLOWED, b"");
            operation.refused(&response, |refusal| refusal.advice("r.example")).to_string()
        };
        for verb in WRITES {
            assert_eq!(
                refusal(verb),
                format!(
                    "{verb} r.example/app: the registry answers 405 Method Not Allowed; it may be a mirror, or read-only for a while: push to another registry, or later"
                ),
            );
        }
        let read = "list the tags of r.example/app: the registry answers 405 Method Not Allowed";
        assert_eq!(refusal("list the tags of"), read);
    }

    #[test]
    fn a_body_of_a_registry_has_codes() {
        let has_codes = |body: &str| ErrorResponse::new(StatusCode::BAD_REQUEST, body.as_bytes()).has_codes();
        assert!(has_codes(r#"{"errors":[{"code":"NAME_INVALID","message":"use HTTPS"}]}"#));
        for other in ["Client sent an HTTP request to an HTTPS server.\n", "", "{}", r#"{"errors":[{}]}"#] {
            assert!(!has_codes(other), "{other}");
        }
    }

    fn check(status: u16, body: &str, kind: ErrorKind, message: &str) {
        let operation = Operation::new("publish", "r.example/app:v1", &"r.example/app".parse().unwrap());
        let response = ErrorResponse::new(StatusCode::from_u16(status).unwrap(), body.as_bytes());
        let error = operation.refused(&response, |refusal| refusal.advice("r.example"));
        assert_eq!((error.kind(), error.to_string()), (kind, format!("publish r.example/app:v1: {message}")));
    }

    #[test]
    fn an_error_says_code_and_message_and_what_to_do() {
        check(
            401,
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":[{"Type":"repository"}]}]}"#,
            ErrorKind::Denied,
            "the registry answers 401 Unauthorized: UNAUTHORIZED: authentication required; log in: docker login r.example",
        );
        check(
            403,
            "",
            ErrorKind::Denied,
            "the registry answers 403 Forbidden; log in as a user who may do this: docker login r.example",
        );
        check(
            404,
            r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}"#,
            ErrorKind::NotFound,
            "the registry answers 404 Not Found: NAME_UNKNOWN: repository name not known to registry; check the name of the repository",
        );
        check(
            400,
            r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}"#,
            ErrorKind::Incomplete,
            "the registry answers 400 Bad Request: MANIFEST_BLOB_UNKNOWN",
        );
        check(
            503,
            "<html>busy</html>",
            ErrorKind::Unavailable,
            "the registry answers 503 Service Unavailable",
        );
        check(
            401,
            r#"{"details":"incorrect username or password"}"#,
            ErrorKind::Denied,
            "the registry answers 401 Unauthorized: incorrect username or password; log in: docker login r.example",
        );
        check(418, "{}", ErrorKind::Other, "the registry answers 418 I'm a teapot");
        check(599, r#"{"errors":[{"code":7}]}"#, ErrorKind::Unavailable, "the registry answers 599");
        check(
            413,
            r#"{"errors":[{"code":"SIZE_INVALID","message":"larger than the quota"}]}"#,
            ErrorKind::TooLarge,
            "the registry answers 413 Payload Too Large: SIZE_INVALID: larger than the quota",
        );
    }

    #[test]
    fn text_of_a_registry_is_rate_limited_and_has_no_control_characters() {
        let long = "x".repeat(1000);
        let body = format!(r#"{{"errors":[{{"code":"UNKNOWN","message":"\u001b[31m\n{long}"}}]}}"#);
        let text = ErrorResponse::new(StatusCode::BAD_REQUEST, body.as_bytes()).to_string();
        assert!(!text.contains(['\n', '\u{1b}']) && text.chars().count() < 400, "{text}");
    }

    #[test]
    fn the_digests_of_missing_blobs_are_found_wherever_a_registry_puts_them() {
        for detail in [
            format!("\"{DIGEST}\""),
            format!(r#"{{"digest":"{DIGEST}"}}"#),
            format!(r#"[{{"Name":"a","Digest":"{DIGEST}"}}]"#),
        ] {
            let body = format!(r#"{{"errors":[{{"code":"MANIFEST_BLOB_UNKNOWN","detail":{detail}}}]}}"#);
            let response = ErrorResponse::new(StatusCode::BAD_REQUEST, body.as_bytes());
            assert_eq!(response.digests("MANIFEST_BLOB_UNKNOWN"), [DIGEST.parse().unwrap()], "{detail}");
        }
    }
}
