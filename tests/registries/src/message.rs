//! Requests and answers as data.

use std::time::Instant;

use bytes::Bytes;
use serde_json::Value;

/// The names and values of header fields, in the order and case of the wire.
pub(crate) type Headers = Vec<(String, String)>;

/// A request, as a service is asked it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, in upper case.
    pub method: String,
    /// The path with the query, as sent.
    pub target: String,
    /// The header fields, as sent.
    pub headers: Headers,
    /// The body, as far as it came.
    pub body: Bytes,
    /// Whether all of the body came; false after [`Fault::CutRequestBody`](crate::Fault::CutRequestBody).
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

    /// The first value of a name in the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.query().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The pairs of a body that is a form.
    pub fn form(&self) -> Vec<(String, String)> {
        pairs(&self.body)
    }

    /// The first value of a header field; its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

/// A request that was answered, or broken off.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When its head was there.
    pub at: Instant,
    /// The connection that it came on; the server's first is 0.
    pub connection: usize,
    /// The method, in upper case.
    pub method: String,
    /// The path with the query, as sent.
    pub target: String,
    /// The header fields, as sent.
    pub headers: Headers,
    /// The bytes of the body that came.
    pub received: usize,
    /// The status that was sent; `None` where the connection was cut before.
    pub status: Option<u16>,
    /// The bytes of the answer's body that were sent, or tried.
    pub sent: u64,
}

impl Seen {
    /// The first value of a header field; its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Whether method and target are such; the target by a part of it.
    pub fn is(&self, method: &str, part: &str) -> bool {
        self.method == method && self.target.contains(part)
    }
}

/// An answer, before a fault befalls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header fields; Content-Length is added on the wire.
    pub headers: Headers,
    /// The body; of an answer to HEAD only its length is used.
    pub body: Bytes,
}

impl Answer {
    /// An answer without fields and body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Headers::new(), body: Bytes::new() }
    }

    /// The same with one more header field.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same with a body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The same with a body of JSON.
    pub fn json(self, value: &Value) -> Self {
        self.with("Content-Type", "application/json").body(value.to_string())
    }

    /// An error as the OCI distribution specification writes it.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::new(status).json(&serde_json::json!({"errors": [{"code": code, "message": message}]}))
    }

    /// A redirection.
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Self::new(status).with("Location", location)
    }

    /// Sets a header field in the place of those of its name, or takes them away.
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

/// Pairs in the encoding of queries and forms.
fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}
