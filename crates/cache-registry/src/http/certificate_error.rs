//! Why a server's certificate is refused, and what to do about it.
//!
//! It is the text alone: `tls` decides what is refused.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rustls::CertificateError;
use rustls::pki_types::UnixTime;

use crate::text::printable;

/// How many names of a certificate are shown.
const MOST_NAMES: usize = 5;
const ANY: &str = "allow any certificate with --insecure";

/// No authority that is trusted has signed a certificate.
#[derive(Debug)]
pub(crate) struct UnknownAuthority {
    /// The files with further authorities that are trusted for this server.
    pub(crate) files: Vec<PathBuf>,
}

impl fmt::Display for UnknownAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is signed by no authority that this system trusts")?;
        for (n, file) in self.files.iter().enumerate() {
            write!(f, "{}{}", if n == 0 { ", nor by one in " } else { ", " }, file.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownAuthority {}

/// Why a certificate is refused, and what to do about it, to be said of that certificate.
pub(crate) fn explain(error: &CertificateError) -> String {
    let check_clock = format!("check the clock of this machine, or {ANY}");
    match error {
        CertificateError::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            let names = names(presented);
            format!("is for {names}, not for {expected}; use a name that it has, or {ANY}")
        }
        CertificateError::NotValidForName => {
            format!("is for another name; use a name that it has, or {ANY}")
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("expired on {}; {check_clock}", date(*not_after))
        }
        CertificateError::Expired => format!("has expired; {check_clock}"),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("is not valid before {}; {check_clock}", date(*not_before))
        }
        CertificateError::NotValidYet => format!("is not valid yet; {check_clock}"),
        CertificateError::Other(other) => match other.0.downcast_ref::<UnknownAuthority>() {
            Some(unknown) if unknown.files.is_empty() => {
                format!("{unknown}; name the authority with --ca, or {ANY}")
            }
            Some(unknown) => format!("{unknown}; {ANY}"),
            None => format!("is refused: {}; {ANY}", printable(&other.to_string())),
        },
        other => format!("is refused: {}; {ANY}", printable(&other.to_string())),
    }
}

/// The names in a certificate, which rustls writes as `DnsName("a.example")` and `IpAddress(127.0.0.1)`.
fn names(presented: &[String]) -> String {
    let name = |text: &String| {
        let inner = text.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(text);
        printable(inner.trim_matches('"'))
    };
    let mut names: Vec<String> = presented.iter().take(MOST_NAMES).map(name).collect();
    match presented.len().saturating_sub(MOST_NAMES) {
        0 if names.is_empty() => return "no name (it has no subjectAltName)".to_owned(),
        0 => {}
        more => names.push(format!("{more} more")),
    }
    names.join(", ")
}

fn date(time: UnixTime) -> String {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs()));
    // A date after the year 9999 cannot be written.
    let last = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(253_402_300_799));
    time.filter(|time| last.is_none_or(|last| *time <= last))
        .map_or("a day that is far away".to_owned(), httpdate::fmt_http_date)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;
    use rustls::pki_types::ServerName;

    use super::*;

    #[test]
    fn each_reason_has_its_own_words() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let for_name = |presented: &[&str]| CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("r.example").unwrap(),
            presented: presented.iter().map(|name| (*name).to_owned()).collect(),
        };
        let unknown = |files: &[&str]| {
            let files = files.iter().map(PathBuf::from).collect();
            CertificateError::Other(OtherError(Arc::new(UnknownAuthority { files })))
        };
        let other = CertificateError::Other(OtherError(Arc::new(std::io::Error::other("odd"))));
        let clock = "check the clock of this machine, or allow any certificate with --insecure";
        for (error, expected) in [
            (
                for_name(&["DnsName(\"a.example\")", "IpAddress(127.0.0.1)", "Unsupported(0x1)"]),
                "is for a.example, 127.0.0.1, 0x1, not for r.example; use a name that it has, or allow any certificate with --insecure",
            ),
            (
                for_name(&["1", "2", "3", "4", "5", "6", "7"]),
                "is for 1, 2, 3, 4, 5, 2 more, not for r.example; use a name that it has, or allow any certificate with --insecure",
            ),
            (
                for_name(&[]),
                "is for no name (it has no subjectAltName), not for r.example; use a name that it has, or allow any certificate with --insecure",
            ),
            (
                CertificateError::NotValidForName,
                "is for another name; use a name that it has, or allow any certificate with --insecure",
            ),
            (
                CertificateError::ExpiredContext { time: at(1 << 40), not_after: at(0) },
                &format!("expired on Thu, 01 Jan 1970 00:00:00 GMT; {clock}"),
            ),
            (CertificateError::Expired, &format!("has expired; {clock}")),
            (
                CertificateError::NotValidYetContext { time: at(0), not_before: at(u64::MAX) },
                &format!("is not valid before a day that is far away; {clock}"),
            ),
            (CertificateError::NotValidYet, &format!("is not valid yet; {clock}")),
            (
                unknown(&[]),
                "is signed by no authority that this system trusts; name the authority with --ca, or allow any certificate with --insecure",
            ),
            (
                unknown(&["a.pem", "b.crt"]),
                "is signed by no authority that this system trusts, nor by one in a.pem, b.crt; allow any certificate with --insecure",
            ),
            (other, "is refused: odd; allow any certificate with --insecure"),
            (CertificateError::Revoked, "is refused: Revoked; allow any certificate with --insecure"),
        ] {
            assert_eq!(explain(&error), expected);
        }
    }
}
