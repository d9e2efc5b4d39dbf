//! A proxy that makes a server on loopback as slow as a far one.
//!
//! It passes bytes on and looks at none: what a client sends first, or first after an answer, begins a request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A proxy that delays each request. Of connections over TLS it takes each step of the handshake for one.
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
    /// The bytes to the server after which the connection that sent them is cut, once; 0 is never.
    cut_up: AtomicU64,
    /// The same of bytes to the client.
    cut_down: AtomicU64,
}

impl SlowProxy {
    /// Stands before a server, and holds each request back for so long.
    pub async fn start(server: SocketAddr, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        let accepting = tokio::spawn(accept(listener, server, delay, Arc::clone(&counts)));
        Self { address, counts, accepting }
    }

    /// Host and port, as they stand in a reference.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// How many requests there were.
    pub fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }

    /// Cuts a connection, once, after so many bytes of it went to the server.
    pub fn cut_upload(&self, after: u64) {
        self.counts.cut_up.store(after, Ordering::SeqCst);
    }

    /// Cuts a connection, once, after so many bytes of it went to the client.
    pub fn cut_download(&self, after: u64) {
        self.counts.cut_down.store(after, Ordering::SeqCst);
    }

    /// Counts anew.
    pub fn forget(&self) {
        self.counts.connections.store(0, Ordering::SeqCst);
        self.counts.requests.store(0, Ordering::SeqCst);
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
            let up = pass(&mut from_client, &mut to_server, &counts.cut_up, || {
                if asking.swap(true, Ordering::SeqCst) {
                    return None;
                }
                counts.requests.fetch_add(1, Ordering::SeqCst);
                Some(delay)
            });
            let down = pass(&mut from_server, &mut to_client, &counts.cut_down, || {
                asking.store(false, Ordering::SeqCst);
                None
            });
            // A half that is cut takes the other with it.
            let _ = tokio::try_join!(up, down);
        });
    }
}

/// Passes bytes on, each time after the pause that is then due, until there are no more or nobody takes them; then
/// says so to who would take them. An error is a cut.
async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    cut: &AtomicU64,
    pause: impl Fn() -> Option<Duration>,
) -> Result<(), ()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut passed = 0;
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
                passed += length as u64;
                let limit = cut.load(Ordering::SeqCst);
                if limit != 0 && passed >= limit {
                    cut.store(0, Ordering::SeqCst);
                    return Err(());
                }
            }
        }
    }
    // The other side may be gone already, which is as good.
    let _ = to.shutdown().await;
    Ok(())
}
