//! Broken connections: which part failed, and what the user can do about it.
//!
//! No URL reaches a message: those of object stores carry signatures.

use std::error::Error as StdError;
use std::io::ErrorKind as IoErrorKind;

use cache_ingest::{Error, ErrorKind};

use crate::error::Operation;
use crate::http::certificate_error::explain;
use crate::http::peer::Peer;
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

/// The kinds of a connection that the other side has ended.
const ENDED: [IoErrorKind; 4] = [
    IoErrorKind::ConnectionReset,
    IoErrorKind::ConnectionAborted,
    IoErrorKind::BrokenPipe,
    IoErrorKind::UnexpectedEof,
];

/// The texts of a connection that the other side has ended within an answer.
const ENDED_WITHIN: [&str; 2] =
    ["connection closed before message completed", "end of file before message length reached"];

impl Operation {
    /// A connection that failed.
    pub(crate) fn connection_failed(&self, cause: reqwest::Error) -> Error {
        let peer = Peer::of(cause.url());
        let cause = cause.without_url();
        let (kind, reason) = match tls_failure(&cause) {
            Some(failure) => not_secured(&failure, &peer, &cause),
            None if cause.is_connect() => not_connected(&peer, &cause),
            None => broken(&peer, &cause),
        };
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
    /// The server's answer is not TLS.
    NotTls,
    Other,
}

impl TlsFailure {
    fn of(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(cause) => Self::Certificate(explain(cause)),
            rustls::Error::NoCertificatesPresented => {
                Self::Certificate("is missing; allow that with --insecure".to_owned())
            }
            rustls::Error::InvalidMessage(_) => Self::NotTls,
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

/// A connection that TLS refused.
fn not_secured(failure: &TlsFailure, peer: &Peer, cause: &reqwest::Error) -> (ErrorKind, String) {
    let server = &peer.server;
    match failure {
        // It may be a token server, or a host to which the registry redirects.
        TlsFailure::Certificate(reason) => {
            (ErrorKind::Other, format!("the certificate of {} {reason}", peer.host))
        }
        TlsFailure::Identity => (
            ErrorKind::Denied,
            format!(
                "{server} refuses the connection; it requires a client certificate that it trusts (--cert, --key)"
            ),
        ),
        TlsFailure::NotTls => {
            let advice = "if it has plain HTTP only, allow it with --insecure";
            (ErrorKind::Other, format!("{server} does not seem to speak TLS; {advice}"))
        }
        TlsFailure::Other => (
            ErrorKind::Other,
            format!(
                "TLS with {server} failed: {}; if it has plain HTTP only, allow it with --insecure",
                innermost(cause)
            ),
        ),
    }
}

/// A connection that was never made. Behind a proxy, it is the one to the proxy.
fn not_connected(peer: &Peer, cause: &reqwest::Error) -> (ErrorKind, String) {
    let text = causes(cause);
    if text.contains("proxy authorization required") {
        let advice = "name the user in the variable that names the proxy, as in HTTPS_PROXY=http://USER:PASSWORD@PROXY";
        return (ErrorKind::Denied, format!("{}: proxy authorization required; {advice}", peer.nearest()));
    }
    if is_lookup_failure(cause) {
        let reason = format!("{} cannot be looked up", peer.nearest_host());
        let advice = "check the name of the registry, and that this machine can look it up";
        return (ErrorKind::Unavailable, peer.with_advice(&reason, Some(advice)));
    }
    let (reason, advice) = if text.contains("tunnel error: unsuccessful") {
        ("does not connect to the registry", "check the name of the registry")
    } else if cause.is_timeout() {
        ("does not accept the connection in time", "check the name, the port, and the network")
    } else {
        match io_error_kind(cause) {
            Some(IoErrorKind::ConnectionRefused) => {
                ("refuses connections", "check the port, and that the registry runs")
            }
            Some(IoErrorKind::HostUnreachable | IoErrorKind::NetworkUnreachable) => {
                ("cannot be reached: there is no route to it", "check the network of this machine")
            }
            Some(IoErrorKind::TimedOut) => {
                ("does not accept the connection in time", "check the name, the port, and the network")
            }
            Some(kind) if ENDED.contains(&kind) => ("closes connections at once", "check the port"),
            _ => {
                let reason = format!("cannot connect to {}: {}", peer.nearest(), innermost(cause));
                return (ErrorKind::Unavailable, peer.with_advice(&reason, None));
            }
        }
    };
    let reason = format!("{} {reason}", peer.nearest());
    (ErrorKind::Unavailable, peer.with_advice(&reason, Some(advice)))
}

/// A connection that failed after it was made.
fn broken(peer: &Peer, cause: &reqwest::Error) -> (ErrorKind, String) {
    let (server, text) = (&peer.server, causes(cause));
    let has_any = |texts: &[&str]| texts.iter().any(|part| text.contains(part));
    if text.contains(NOT_HTTP) {
        let advice = "if it speaks TLS, name the authority that signed its certificate with --ca, or allow any certificate with --insecure";
        return (ErrorKind::Other, format!("{server} does not answer in HTTP; {advice}"));
    }
    let is_early = has_any(&CLOSED_EARLY);
    let reason = if is_early && peer.is_tls {
        format!("{server} closed the connection; it may require a client certificate (--cert, --key)")
    } else if is_early
        || has_any(&ENDED_WITHIN)
        || io_error_kind(cause).is_some_and(|kind| ENDED.contains(&kind))
    {
        format!("{server} closed the connection before its answer was complete")
    } else {
        format!("the connection to {server} failed: {}", innermost(cause))
    };
    (ErrorKind::Unavailable, reason)
}

/// The failure of TLS among the causes of an error.
fn tls_failure(error: &reqwest::Error) -> Option<TlsFailure> {
    let tls = chain(error).find_map(|cause| cause.downcast_ref::<rustls::Error>());
    tls.map(TlsFailure::of).or_else(|| TlsFailure::of_text(&causes(error)))
}

/// Whether a connection failed because one side does not trust the other's certificate.
pub(crate) fn is_certificate_failure(error: &Error) -> bool {
    let tls = error.cause_as::<reqwest::Error>().and_then(tls_failure);
    matches!(tls, Some(TlsFailure::Certificate(_) | TlsFailure::Identity))
}

/// Whether a host could not be reached because its name cannot be looked up.
pub(crate) fn is_unknown_name(error: &Error) -> bool {
    error.cause_as::<reqwest::Error>().is_some_and(is_lookup_failure)
}

fn is_lookup_failure(error: &reqwest::Error) -> bool {
    error.is_connect() && causes(error).contains("dns error")
}

/// The kind of the innermost error of the system among the causes.
fn io_error_kind(error: &reqwest::Error) -> Option<IoErrorKind> {
    let kinds = chain(error).filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    kinds.map(std::io::Error::kind).filter(|kind| *kind != IoErrorKind::Other).last()
}

/// The text of the last cause, which is the most precise one.
fn innermost(error: &reqwest::Error) -> String {
    chain(error).last().map(|cause| printable(&cause.to_string())).unwrap_or_default()
}

/// An error and its causes in one line. A cause whose text is there already is omitted.
fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut line = error.to_string();
    for cause in chain(error).skip(1) {
        let text = cause.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
    }
    printable(&line)
}

/// An error and its causes, outermost first.
fn chain<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |this: &&'e (dyn StdError + 'static)| {
        let this = *this;
        // `source` of an I/O error skips the error that it wraps.
        match this.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => this.source(),
        }
    })
}
