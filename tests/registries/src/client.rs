//! A client that shows exactly what a server sent, complete or not.
//!
//! It opens a connection for each request, follows no redirects, and retries nothing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;

use crate::authority::{Authority, Identity};
use crate::message::{Headers, find};

/// A client of one server.
#[derive(Clone, Debug)]
pub struct Client {
    host: String,
    tls: Option<Arc<ClientConfig>>,
    fields: Headers,
    limit: usize,
    patience: Duration,
}

/// The answer of a server, as far as it arrived.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields, as sent.
    pub headers: Headers,
    /// The body, as far as it arrived.
    pub body: Bytes,
    /// Whether the body has the length that the head states.
    pub whole: bool,
    /// The bytes behind the body.
    pub rest: Bytes,
}

impl Response {
    /// The first value of a header field. Case does not matter in its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Client {
    /// A client for plain HTTP to a host with a port.
    pub fn new(host: &str) -> Self {
        let (limit, patience) = (64 << 20, Duration::from_secs(20));
        Self { host: host.to_owned(), tls: None, fields: Headers::new(), limit, patience }
    }

    /// Uses TLS.
    pub fn with_tls(self, authority: &Authority, identity: Option<&Identity>) -> Self {
        Self { tls: Some(authority.client(identity)), ..self }
    }

    /// Adds a header field to each request.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Reads at most `limit` bytes, and waits at most `patience` for them.
    pub fn within(self, limit: usize, patience: Duration) -> Self {
        Self { limit, patience, ..self }
    }

    /// GET.
    pub async fn get(&self, target: &str) -> io::Result<Response> {
        self.send("GET", target, &[]).await
    }

    /// Sends any request. The target may be a whole URL of this server.
    pub async fn send(&self, method: &str, target: &str, body: &[u8]) -> io::Result<Response> {
        let path = target.find(&self.host).map_or(target, |at| &target[at + self.host.len()..]);
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.host);
        for (name, value) in &self.fields {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n", body.len());
        let request = [request.as_bytes(), body].concat();

        let stream = TcpStream::connect(&self.host).await?;
        let received = match &self.tls {
            None => self.exchange(stream, &request).await?,
            Some(config) => {
                let name = self.host.rsplit_once(':').unwrap().0.to_owned().try_into().unwrap();
                let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
                self.exchange(stream, &request).await?
            }
        };
        parse(method, &received)
    }

    /// Sends a request, and reads until the end, the limit, or the end of patience.
    async fn exchange<C>(&self, stream: C, request: &[u8]) -> io::Result<Bytes>
    where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (reader, mut writer) = tokio::io::split(stream);
        let request = request.to_vec();
        // A server may answer, or close the connection, before it has read the whole request.
        let writing = tokio::spawn(async move {
            let _ = writer.write_all(&request).await;
            let _ = writer.flush().await;
            writer
        });
        let mut received = Vec::new();
        let mut reader = reader.take(self.limit as u64);
        let reading = reader.read_to_end(&mut received);
        let outcome = tokio::time::timeout(self.patience, reading).await;
        writing.abort();
        match outcome {
            Ok(Err(error)) if received.is_empty() => Err(error),
            _ => Ok(received.into()),
        }
    }
}

fn parse(method: &str, received: &Bytes) -> io::Result<Response> {
    let mut fields = [httparse::EMPTY_HEADER; 96];
    let mut head = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(length)) = head.parse(received) else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers: Headers = head.headers.iter().map(|f| (f.name.to_owned(), text(f.value))).collect();
    let after = received.slice(length..);
    let bodiless = method == "HEAD" || head.code == Some(204);
    let (body, whole, rest) = if bodiless {
        (Bytes::new(), true, after)
    } else if find(&headers, "Transfer-Encoding").is_some() {
        chunks(&after)
    } else {
        let length = find(&headers, "Content-Length").map_or(0, |length| length.parse().unwrap());
        let here = after.len().min(length);
        (after.slice(..here), here == length, after.slice(here..))
    };
    Ok(Response { status: head.code.unwrap(), headers, body, whole, rest })
}

fn chunks(bytes: &Bytes) -> (Bytes, bool, Bytes) {
    let mut body = Vec::new();
    let mut at = 0;
    while let Ok(httparse::Status::Complete((used, size))) = httparse::parse_chunk_size(&bytes[at..]) {
        let start = at + used;
        let end = start + usize::try_from(size).unwrap();
        if size == 0 {
            return (body.into(), true, bytes.slice((end + 2).min(bytes.len())..));
        }
        body.extend_from_slice(&bytes[start..end.min(bytes.len())]);
        if end + 2 > bytes.len() {
            break;
        }
        at = end + 2;
    }
    (body.into(), false, Bytes::new())
}
