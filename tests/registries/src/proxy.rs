//! A proxy that makes a server on loopback as slow as a remote one.
//!
//! It forwards bytes without reading them. The first bytes from a client, and the first after an answer, begin a request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A proxy that delays each request. Over TLS each step of the handshake counts as one.
#[derive(Debug)]
pub struct SlowProxy {
    address: SocketAddr,
    counts: Arc<Counts>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicUsize,
    requests: AtomicUsize,
    unanswered: AtomicUsize,
    most_unanswered: AtomicUsize,
    /// After how many bytes to the server a connection is cut, once; 0 is never.
    cut_up: AtomicU64,
    /// After how many bytes to the client a connection is cut, once; 0 is never.
    cut_down: AtomicU64,
}

impl SlowProxy {
    /// Starts a proxy for a server.
    pub async fn start(server: SocketAddr, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        let accepting = tokio::spawn(accept(listener, server, delay, Arc::clone(&counts)));
        Self { address, counts, accepting }
    }

    /// Host and port, as in a reference.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// The greatest number of requests that waited for their answers at the same time.
    pub fn most_at_once(&self) -> usize {
        self.counts.most_unanswered.load(Ordering::SeqCst)
    }

    /// The number of requests so far.
    pub fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }

    /// Cuts a connection, once, after this many bytes to the server.
    pub fn cut_upload(&self, after: u64) {
        self.counts.cut_up.store(after, Ordering::SeqCst);
    }

    /// Cuts a connection, once, after this many bytes to the client.
    pub fn cut_download(&self, after: u64) {
        self.counts.cut_down.store(after, Ordering::SeqCst);
    }

    /// Resets the counters.
    pub fn forget(&self) {
        self.counts.connections.store(0, Ordering::SeqCst);
        self.counts.requests.store(0, Ordering::SeqCst);
        self.counts.most_unanswered.store(0, Ordering::SeqCst);
    }
}

impl Drop for SlowProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, delay: Duration, counts: Arc<Counts>) {
    let mut tasks = JoinSet::new();
    loop {
        let (client, _) = tokio::select! {
            accepted = listener.accept() => accepted.unwrap(),
            Some(_) = tasks.join_next() => continue,
        };
        counts.connections.fetch_add(1, Ordering::SeqCst);
        let counts = Arc::clone(&counts);
        tasks.spawn(async move {
            let Ok(server) = TcpStream::connect(server).await else { return };
            client.set_nodelay(true).unwrap();
            server.set_nodelay(true).unwrap();
            let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                (client.into_split(), server.into_split());
            let asking = AtomicBool::new(false);
            let up = forward(&mut from_client, &mut to_server, &counts.cut_up, || {
                if asking.swap(true, Ordering::SeqCst) {
                    return None;
                }
                counts.requests.fetch_add(1, Ordering::SeqCst);
                let waiting = counts.unanswered.fetch_add(1, Ordering::SeqCst) + 1;
                counts.most_unanswered.fetch_max(waiting, Ordering::SeqCst);
                Some(delay)
            });
            let down = forward(&mut from_server, &mut to_client, &counts.cut_down, || {
                if asking.swap(false, Ordering::SeqCst) {
                    counts.unanswered.fetch_sub(1, Ordering::SeqCst);
                }
                None
            });
            // Cutting one direction ends the other.
            let _ = tokio::try_join!(up, down);
        });
    }
}

/// Forwards bytes, each time after the pause that is due, until one side closes; then shuts down the other. An error is
/// a cut.
async fn forward(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    cut: &AtomicU64,
    pause: impl Fn() -> Option<Duration>,
) -> Result<(), ()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut forwarded = 0;
    loop {
        match from.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => {
                if let Some(pause) = pause() {
                    tokio::time::sleep(pause).await;
                }
                if to.write_all(&buffer[..length]).await.is_err() {
                    break;
                }
                forwarded += length as u64;
                let limit = cut.load(Ordering::SeqCst);
                if limit != 0 && forwarded >= limit {
                    cut.store(0, Ordering::SeqCst);
                    return Err(());
                }
            }
        }
    }
    // The other side may have closed already.
    let _ = to.shutdown().await;
    Ok(())
}
