//! Requests and answers as data.
//!
//! `wire` reads and writes them.

use std::time::Instant;

use bytes::Bytes;
use serde_json::Value;

/// The names and values of header fields, in the order and case of the wire.
pub(crate) type Headers = Vec<(String, String)>;

/// A request to a service.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, in upper case.
    pub method: String,
    /// The path with the query, as sent.
    pub target: String,
    /// The header fields, as sent.
    pub headers: Headers,
    /// The body, as far as it arrived.
    pub body: Bytes,
    /// Whether the whole body arrived; false after [`Fault::CutRequestBody`](crate::Fault::CutRequestBody).
    pub complete: bool,
}

impl Request {
    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The pairs of the query, decoded.
    pub fn query(&self) -> Vec<(String, String)> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        pairs(query.as_bytes())
    }

    /// The first value of a parameter in the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.query().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The pairs of a form in the body.
    pub fn form(&self) -> Vec<(String, String)> {
        pairs(&self.body)
    }

    /// The first value of a header field. Case does not matter in its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

/// A recorded request, which was answered or broken off.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When its head had arrived.
    pub at: Instant,
    /// The number of its connection, from 0.
    pub connection: usize,
    /// The method, in upper case.
    pub method: String,
    /// The path with the query, as sent.
    pub target: String,
    /// The header fields, as sent.
    pub headers: Headers,
    /// How many bytes of the body arrived.
    pub received: usize,
    /// The status that was sent; `None` if the connection was cut before.
    pub status: Option<u16>,
    /// How many bytes of the answer's body were sent, or attempted.
    pub sent: u64,
}

impl Seen {
    /// The first value of a header field. Case does not matter in its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Whether it has this method, and a target that contains `part`.
    pub fn is(&self, method: &str, part: &str) -> bool {
        self.method == method && self.target.contains(part)
    }
}

/// An answer, before a fault changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header fields; Content-Length is added on the wire.
    pub headers: Headers,
    /// The body. Of an answer to HEAD only the length is used.
    pub body: Bytes,
}

impl Answer {
    /// An answer without header fields and body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Headers::new(), body: Bytes::new() }
    }

    /// Adds a header field.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a body of JSON.
    pub fn json(self, value: &Value) -> Self {
        self.with("Content-Type", "application/json").body(value.to_string())
    }

    /// An error in the format of the OCI distribution specification.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::new(status).json(&serde_json::json!({"errors": [{"code": code, "message": message}]}))
    }

    /// A redirection.
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Self::new(status).with("Location", location)
    }

    /// Replaces the header fields of this name, or removes them.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        if let Some(value) = value {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// The first value of a header field.
pub(crate) fn find<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Decodes the pairs of a query or form.
fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}
