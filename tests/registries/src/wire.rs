//! HTTP/1.1 on a connection, byte for byte: heads and bodies in, answers out, complete or not.
//!
//! It knows no service and no script. An answer is sent as it is, right or wrong.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::message::{Answer, Headers, find};

/// The longest head that is read, in bytes.
const LONGEST_HEAD: usize = 256 * 1024;

/// The head of a request.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Headers,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

/// A connection, with the bytes that have been read and not used yet.
pub(crate) struct Wire<C> {
    connection: C,
    buffer: BytesMut,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Wire<C> {
    pub(crate) fn new(connection: C) -> Self {
        Self { connection, buffer: BytesMut::new() }
    }

    /// Reads more bytes; an error at the end.
    async fn fill(&mut self) -> io::Result<()> {
        match self.connection.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next head.
    pub(crate) async fn head(&mut self) -> io::Result<Head> {
        loop {
            let mut fields = [httparse::EMPTY_HEADER; 96];
            let mut parsed = httparse::Request::new(&mut fields);
            let status = parsed.parse(&self.buffer).map_err(io::Error::other)?;
            if let httparse::Status::Complete(length) = status {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let head = Head {
                    method: parsed.method.unwrap().to_owned(),
                    target: parsed.path.unwrap().to_owned(),
                    headers: parsed.headers.iter().map(|f| (f.name.to_owned(), text(f.value))).collect(),
                };
                self.buffer.advance(length);
                return Ok(head);
            }
            if self.buffer.len() > LONGEST_HEAD {
                return Err(io::Error::other("the head is too long"));
            }
            self.fill().await?;
        }
    }

    /// The body that belongs to a head, or its first bytes up to a limit.
    pub(crate) async fn body(&mut self, head: &Head, limit: usize) -> io::Result<Bytes> {
        if head.header("Expect").is_some() {
            self.connection.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        if let Some(length) = head.header("Content-Length") {
            let length: usize = length.parse().map_err(io::Error::other)?;
            return self.take(length.min(limit)).await;
        }
        let mut body = BytesMut::new();
        if head.header("Transfer-Encoding").is_some() {
            loop {
                let size = self.chunk_size().await?;
                let part = self.take(size.min(limit - body.len())).await?;
                body.extend_from_slice(&part);
                if body.len() == limit {
                    break;
                }
                self.take(2).await?;
                if size == 0 {
                    break;
                }
            }
        }
        Ok(body.freeze())
    }

    async fn take(&mut self, length: usize) -> io::Result<Bytes> {
        while self.buffer.len() < length {
            self.fill().await?;
        }
        Ok(self.buffer.split_to(length).freeze())
    }

    async fn chunk_size(&mut self) -> io::Result<usize> {
        loop {
            let status = httparse::parse_chunk_size(&self.buffer);
            match status.map_err(|_| io::Error::other("a chunk without a size"))? {
                httparse::Status::Complete((used, size)) => {
                    self.buffer.advance(used);
                    return usize::try_from(size).map_err(io::Error::other);
                }
                httparse::Status::Partial => self.fill().await?,
            }
        }
    }

    /// Sends an answer. `sent` grows with each byte of the body. The caller decides whether the connection continues.
    pub(crate) async fn send(
        &mut self,
        answer: &Answer,
        bodiless: bool,
        delivery: &Delivery,
        sent: &AtomicU64,
    ) -> io::Result<()> {
        let chunked = delivery.chunked || delivery.endless == Some(None);
        let length = delivery.endless.flatten().unwrap_or(answer.body.len() as u64);
        let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, phrase(answer.status));
        for (name, value) in &answer.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if chunked {
            head += "Transfer-Encoding: chunked\r\n";
        } else if find(&answer.headers, "Content-Length").is_none() && answer.status != 204 {
            head += &format!("Content-Length: {length}\r\n");
        }
        head += "\r\n";
        if delivery.cut_in_headers {
            let half = head.len() * 2 / 3;
            self.connection.write_all(&head.as_bytes()[..half]).await?;
            return self.connection.flush().await;
        }
        self.connection.write_all(head.as_bytes()).await?;
        self.connection.flush().await?;
        if bodiless {
            return Ok(());
        }
        let body = answer.body.slice(..answer.body.len().min(delivery.at_most));
        match delivery.pause {
            Some(pause) => {
                for byte in body.chunks(1) {
                    self.part(byte, chunked, sent).await?;
                    tokio::time::sleep(pause).await;
                }
            }
            None => self.part(&body, chunked, sent).await?,
        }
        if let Some(total) = delivery.endless {
            let filler = [b' '; 64 * 1024];
            let total = total.unwrap_or(u64::MAX);
            loop {
                let left = total.saturating_sub(sent.load(Relaxed));
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(filler.len());
                if length == 0 {
                    break;
                }
                self.part(&filler[..length], chunked, sent).await?;
            }
        }
        if chunked && body.len() == answer.body.len() {
            self.connection.write_all(b"0\r\n\r\n").await?;
        }
        self.connection.write_all(&vec![b'+'; delivery.overrun]).await?;
        self.connection.flush().await
    }

    async fn part(&mut self, bytes: &[u8], chunked: bool, sent: &AtomicU64) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        sent.fetch_add(bytes.len() as u64, Relaxed);
        if chunked {
            self.connection.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
        }
        self.connection.write_all(bytes).await?;
        if chunked {
            self.connection.write_all(b"\r\n").await?;
        }
        self.connection.flush().await
    }

    /// Ends the connection after a while. Unread bytes cause a reset, which could overtake the answer.
    pub(crate) async fn close(mut self) -> io::Result<()> {
        self.connection.shutdown().await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(())
    }
}

/// How an answer is sent.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) cut_in_headers: bool,
    /// The most bytes of the body that are sent.
    pub(crate) at_most: usize,
    pub(crate) pause: Option<Duration>,
    pub(crate) chunked: bool,
    /// White space after the body, up to a Content-Length, or in endless chunks.
    pub(crate) endless: Option<Option<u64>>,
    /// How many uncounted bytes follow the body.
    pub(crate) overrun: usize,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            cut_in_headers: false,
            at_most: usize::MAX,
            pause: None,
            chunked: false,
            endless: None,
            overrun: 0,
        }
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301..=308 => "Redirect",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500..=599 => "Server Error",
        _ => "Status",
    }
}
