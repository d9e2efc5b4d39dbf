//! From what a registry answers, or fails to, to the error of the seams: its code and message, and what to do.
//!
//! Nothing of a registry's text reaches a message unlimited or with control characters, and no URL does: those of
//! object stores carry signatures.

use std::error::Error as StdError;
use std::time::Duration;

use cache_ingest::{Error, ErrorKind};
use cache_model::Digest;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

/// The longest text of a registry that is shown, in characters.
const LONGEST_TEXT: usize = 300;

/// An attempt that failed, and how long the registry wants to be left alone.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) after: Option<After>,
}

/// How long a server wants to be left alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct After {
    pub(crate) wait: Duration,
    /// Whether it is well, and only asked too often.
    pub(crate) is_limit: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, after: None }
    }
}

/// Why an upload does not go on as it did.
pub(crate) enum Stop {
    /// It cannot go on.
    Final(Error),
    /// It may go on from where the registry is.
    Broken(Failure),
    /// The same, at once: the token is a new one.
    Refreshed(Error),
    /// The registry knows nothing of it.
    Lost(Error),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        if failure.error.kind() == ErrorKind::Unavailable {
            Self::Broken(failure)
        } else {
            Self::Final(failure.error)
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// What an operation was about, for its errors.
#[derive(Clone, Debug)]
pub(crate) struct About {
    /// A verb.
    pub(crate) operation: &'static str,
    /// A reference.
    pub(crate) subject: String,
    /// The registry, as the user calls it.
    pub(crate) host: String,
}

impl About {
    pub(crate) fn error(&self, kind: ErrorKind, reason: impl std::fmt::Display) -> Error {
        Error::new(kind, self.operation, &self.subject, reason)
    }

    /// A manifest or a list above the limit of the job: of this size in bytes, where it is known.
    pub(crate) fn above_metadata_limit(&self, size: Option<u64>, limit: u64) -> Error {
        Error::above_metadata_limit(self.operation, &self.subject, size, limit)
    }

    /// An answer that did not come.
    pub(crate) fn silence(&self, waited: Duration) -> Error {
        self.error(ErrorKind::Unavailable, format_args!("there is no answer within {waited:?}"))
    }

    /// A connection that failed.
    pub(crate) fn broken(&self, cause: reqwest::Error) -> Error {
        let cause = cause.without_url();
        let tls = tls_failure(&cause);
        let (kind, advice) = match tls {
            Some(TlsFailure::Certificate) => (
                ErrorKind::Other,
                "; name the authority that signed its certificate (--ca), or allow any with registry.insecure=true",
            ),
            Some(TlsFailure::Identity) => {
                (ErrorKind::Denied, "; it wants a certificate of yours that it knows (--cert, --key)")
            }
            Some(TlsFailure::Other) => {
                (ErrorKind::Other, "; if it does not speak TLS, allow plain HTTP with registry.insecure=true")
            }
            None if cause.is_connect() && causes(&cause).contains("dns error") => (
                ErrorKind::Unavailable,
                "; check the name of the registry, and that this machine can look it up",
            ),
            None if causes(&cause).contains("proxy authorization required") => (
                ErrorKind::Denied,
                "; name the user in the variable that names the proxy, as in HTTPS_PROXY=http://USER:PASSWORD@PROXY",
            ),
            // How it ends where the alert comes before the request has been sent.
            None if causes(&cause).contains("operation was canceled: connection closed") => {
                (ErrorKind::Unavailable, "; it may want a certificate of yours (--cert, --key)")
            }
            None => (ErrorKind::Unavailable, ""),
        };
        let reason = format!("{}{advice}", causes(&cause));
        self.error(kind, reason).with_cause(cause)
    }

    /// An answer that is not the one that is needed.
    pub(crate) fn refused(&self, answered: &Answered) -> Error {
        let (kind, advice) = answered.judge(&self.host);
        self.error(kind, format_args!("{answered}{advice}"))
    }

    /// An answer to plain HTTP of what seems to speak TLS.
    pub(crate) fn wants_tls(&self, answered: &Answered) -> Error {
        let reason = format_args!(
            "{answered} to plain HTTP, which is tried on this machine; if it speaks TLS, name the authority that signed its certificate (--ca)"
        );
        self.error(ErrorKind::Other, reason)
    }

    /// An answer of a host that the registry sent us to.
    pub(crate) fn refused_elsewhere(&self, answered: &Answered, host: &str) -> Error {
        // Its links expire: the registry will give a new one.
        let kind = match answered.status {
            StatusCode::NOT_FOUND => ErrorKind::NotFound,
            _ => ErrorKind::Unavailable,
        };
        self.error(
            kind,
            format_args!("{}, to which the registry sends, answers {}", printable(host), answered.status),
        )
    }
}

/// What of TLS failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TlsFailure {
    /// The server's certificate is not trusted.
    Certificate,
    /// The client's certificate is missing, or not trusted.
    Identity,
    Other,
}

impl TlsFailure {
    fn of(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
                Self::Certificate
            }
            alert @ rustls::Error::AlertReceived(_) => {
                Self::of_text(&alert.to_string()).unwrap_or(Self::Other)
            }
            _ => Self::Other,
        }
    }

    /// From an error's text, which is all that HTTP/2 keeps of an alert (RFC 8446, section 6.2).
    fn of_text(text: &str) -> Option<Self> {
        const ALERTS: [&str; 8] = [
            "CertificateRequired",
            "BadCertificate",
            "UnknownCA",
            "CertificateUnknown",
            "CertificateExpired",
            "CertificateRevoked",
            "UnsupportedCertificate",
            "AccessDenied",
        ];
        let (_, alert) = text.split_once("received fatal alert: ")?;
        Some(if ALERTS.iter().any(|name| alert.starts_with(name)) { Self::Identity } else { Self::Other })
    }
}

/// Whether a failure is one of TLS.
fn tls_failure(error: &reqwest::Error) -> Option<TlsFailure> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(this) = cause {
        let inner = this.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = match inner {
            // Of an error in an error of io, `source` is the error's source.
            Some(inner) => inner.downcast_ref::<rustls::Error>(),
            None => this.downcast_ref::<rustls::Error>(),
        };
        if let Some(tls) = tls {
            return Some(TlsFailure::of(tls));
        }
        cause = match inner {
            Some(inner) => Some(inner),
            None => this.source(),
        };
    }
    TlsFailure::of_text(&causes(error))
}

/// Whether a connection failed because one does not trust the other's certificate.
pub(crate) fn is_certificate_failure(error: &Error) -> bool {
    error
        .source()
        .and_then(|cause| cause.downcast_ref())
        .and_then(tls_failure)
        .is_some_and(|failure| failure != TlsFailure::Other)
}

/// The causes of an error in one line, each said once.
fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(this) = cause {
        let text = this.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = this.source();
    }
    printable(&line)
}

/// Text from outside, for a message: limited, without control characters.
pub(crate) fn printable(text: &str) -> String {
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_TEXT + 1).collect();
    if shown.chars().count() > LONGEST_TEXT {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// What a registry answered, with what it says of itself (OCI distribution specification, "Error Codes").
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    errors: Vec<Said>,
}

#[derive(Debug, Deserialize)]
struct Said {
    #[serde(default)]
    code: Value,
    #[serde(default)]
    message: Value,
    #[serde(default)]
    detail: Value,
}

impl Said {
    fn code(&self) -> &str {
        self.code.as_str().unwrap_or_default()
    }
}

impl Answered {
    /// Reads the body of an answer; one that is not understood is left out.
    pub(crate) fn new(status: StatusCode, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            #[serde(default)]
            errors: Vec<Said>,
            /// As token servers say it (RFC 6749, and Docker Hub's).
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
                vec![Said { code: body.error, message, detail: Value::Null }]
            }
            Err(_) => Vec::new(),
        };
        Self { status, errors }
    }

    pub(crate) fn has_code(&self, codes: &[&str]) -> bool {
        self.errors.iter().any(|said| codes.contains(&said.code()))
    }

    /// The digests in the details of errors with a code.
    pub(crate) fn digests(&self, code: &str) -> Vec<Digest> {
        let mut digests = Vec::new();
        let mut waiting: Vec<&Value> =
            self.errors.iter().filter(|said| said.code() == code).map(|said| &said.detail).collect();
        while let Some(value) = waiting.pop() {
            match value {
                Value::String(text) => digests.extend(text.parse::<Digest>().ok()),
                Value::Array(values) => waiting.extend(values),
                Value::Object(members) => waiting.extend(members.values()),
                _ => {}
            }
        }
        digests
    }

    /// The kind, and what to do.
    fn judge(&self, host: &str) -> (ErrorKind, String) {
        let log_in = |why: &str| format!("; {why}: docker login {host}");
        match self.status {
            StatusCode::UNAUTHORIZED => (ErrorKind::Denied, log_in("log in")),
            StatusCode::FORBIDDEN => (ErrorKind::Denied, log_in("log in as someone who may do this")),
            StatusCode::PAYLOAD_TOO_LARGE => (ErrorKind::TooLarge, String::new()),
            _ if self.has_code(&["UNAUTHORIZED"]) => (ErrorKind::Denied, log_in("log in")),
            _ if self.has_code(&["DENIED"]) => {
                (ErrorKind::Denied, log_in("log in as someone who may do this"))
            }
            _ if self.has_code(&["NAME_UNKNOWN", "NAME_INVALID"]) => {
                (ErrorKind::NotFound, "; check the name of the repository".to_owned())
            }
            _ if self.has_code(&["MANIFEST_BLOB_UNKNOWN"]) => (ErrorKind::Incomplete, String::new()),
            _ if self.has_code(&["DIGEST_INVALID", "SIZE_INVALID"]) => (ErrorKind::Corrupt, String::new()),
            StatusCode::NOT_FOUND | StatusCode::GONE => (ErrorKind::NotFound, String::new()),
            StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::NOT_IMPLEMENTED => (ErrorKind::Unsupported, String::new()),
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => (ErrorKind::Conflict, String::new()),
            StatusCode::INSUFFICIENT_STORAGE => (ErrorKind::NoSpace, String::new()),
            status if is_passing(status) => (ErrorKind::Unavailable, String::new()),
            _ if self.has_code(&["UNSUPPORTED", "MANIFEST_INVALID"]) => {
                (ErrorKind::Unsupported, String::new())
            }
            _ => (ErrorKind::Other, String::new()),
        }
    }
}

impl std::fmt::Display for Answered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the registry answers {}", self.status.as_u16())?;
        if let Some(words) = self.status.canonical_reason() {
            write!(f, " {words}")?;
        }
        for (n, said) in self.errors.iter().take(3).enumerate() {
            let message = said.message.as_str().unwrap_or_default();
            let text = [said.code(), message].map(printable).join(": ");
            let text = text.trim_matches([':', ' ']);
            if !text.is_empty() {
                write!(f, "{}{text}", if n == 0 { ": " } else { "; " })?;
            }
        }
        Ok(())
    }
}

/// Whether an answer may be another one later.
pub(crate) fn is_passing(status: StatusCode) -> bool {
    match status.as_u16() {
        408 | 425 | 429 => true,
        // Not implemented, no version of HTTP that is known, no space, a loop, an extension or a login that is missing.
        501 | 505 | 507 | 508 | 510 | 511 => false,
        status => (500..600).contains(&status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn check(status: u16, body: &str, kind: ErrorKind, message: &str) {
        let about =
            About { operation: "publish", subject: "r.example/app:v1".into(), host: "r.example".into() };
        let error = about.refused(&Answered::new(StatusCode::from_u16(status).unwrap(), body.as_bytes()));
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
            "the registry answers 403 Forbidden; log in as someone who may do this: docker login r.example",
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
    fn text_of_a_registry_is_limited_and_has_no_control_characters() {
        let long = "x".repeat(1000);
        let body = format!(r#"{{"errors":[{{"code":"UNKNOWN","message":"\u001b[31m\n{long}"}}]}}"#);
        let text = Answered::new(StatusCode::BAD_REQUEST, body.as_bytes()).to_string();
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
            let answered = Answered::new(StatusCode::BAD_REQUEST, body.as_bytes());
            assert_eq!(answered.digests("MANIFEST_BLOB_UNKNOWN"), [DIGEST.parse().unwrap()], "{detail}");
        }
    }
}
