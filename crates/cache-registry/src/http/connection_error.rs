//! Broken connections: which part failed, and what the user can do about it.
//!
//! No URL reaches a message: those of object stores carry signatures.

use std::error::Error as StdError;

use cache_ingest::{Error, ErrorKind};
use reqwest::Url;

use crate::error::Operation;
use crate::http::certificate_error::explain;
use crate::text::printable;

/// The texts of a connection that was closed before the request was sent. A server that rejects the client's certificate
/// may close it so early that its alert is lost.
const CLOSED_EARLY: [&str; 3] = [
    "operation was canceled: connection closed",
    "(SendRequest): channel closed",
    "stream closed because of a broken pipe",
];

/// The text of an answer that is not HTTP. A server that expects TLS answers so.
const NOT_HTTP: &str = "invalid HTTP version parsed";

impl Operation {
    /// A connection that failed.
    pub(crate) fn connection_failed(&self, cause: reqwest::Error) -> Error {
        let host = cause.url().and_then(Url::host_str).map(printable);
        let is_tls = cause.url().is_some_and(|url| url.scheme() == "https");
        let cause = cause.without_url();
        let (kind, advice) = match tls_failure(&cause) {
            Some(TlsFailure::Certificate(reason)) => {
                // It may be a token server, or a host to which the registry redirects.
                let host = host.unwrap_or_else(|| "the server".to_owned());
                let reason = format_args!("the certificate of {host} {reason}");
                return self.error(ErrorKind::Other, reason).with_cause(cause);
            }
            Some(TlsFailure::Identity) => {
                (ErrorKind::Denied, "; it requires a client certificate that it trusts (--cert, --key)")
            }
            Some(TlsFailure::Other) => {
                (ErrorKind::Other, "; if it does not speak TLS, allow plain HTTP with --insecure")
            }
            None if is_lookup_failure(&cause) => (
                ErrorKind::Unavailable,
                "; check the name of the registry, and that this machine can look it up",
            ),
            None if causes(&cause).contains("proxy authorization required") => (
                ErrorKind::Denied,
                "; name the user in the variable that names the proxy, as in HTTPS_PROXY=http://USER:PASSWORD@PROXY",
            ),
            None if causes(&cause).contains(NOT_HTTP) => (
                ErrorKind::Other,
                "; if it speaks TLS, name the authority that signed its certificate with --ca, or allow any certificate with --insecure",
            ),
            None if is_tls && CLOSED_EARLY.iter().any(|text| causes(&cause).contains(text)) => {
                (ErrorKind::Unavailable, "; it may require a client certificate (--cert, --key)")
            }
            None => (ErrorKind::Unavailable, ""),
        };
        let reason = format!("{}{advice}", causes(&cause));
        self.error(kind, reason).with_cause(cause)
    }
}

/// The part of TLS that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TlsFailure {
    /// The server's certificate is not trusted, for this reason.
    Certificate(String),
    /// The client's certificate is missing, or not trusted.
    Identity,
    Other,
}

impl TlsFailure {
    fn of(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(cause) => Self::Certificate(explain(cause)),
            rustls::Error::NoCertificatesPresented => {
                Self::Certificate("is missing; allow that with --insecure".to_owned())
            }
            alert @ rustls::Error::AlertReceived(_) => {
                Self::of_text(&alert.to_string()).unwrap_or(Self::Other)
            }
            _ => Self::Other,
        }
    }

    /// From an error's text, as HTTP/2 keeps nothing else of an alert (RFC 8446, section 6.2).
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

/// The failure of TLS among the causes of an error.
fn tls_failure(error: &reqwest::Error) -> Option<TlsFailure> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(this) = cause {
        let inner = this.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = match inner {
            // `source` of an I/O error skips the error that it wraps.
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

/// Whether a connection failed because one side does not trust the other's certificate.
pub(crate) fn is_certificate_failure(error: &Error) -> bool {
    let tls = error.cause_as::<reqwest::Error>().and_then(tls_failure);
    tls.is_some_and(|failure| failure != TlsFailure::Other)
}

/// Whether a host could not be reached because its name cannot be looked up.
pub(crate) fn is_unknown_name(error: &Error) -> bool {
    error.cause_as::<reqwest::Error>().is_some_and(is_lookup_failure)
}

fn is_lookup_failure(error: &reqwest::Error) -> bool {
    error.is_connect() && causes(error).contains("dns error")
}

/// An error and its causes in one line. A cause whose text is there already is omitted.
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
