//! Puts a blob from a stream: staged, verified, made durable, moved to its place.
//!
//! The thread that writes notices when its future was dropped, and keeps the bytes that it has as a part. The next put of
//! the blob reads and hashes the part, and asks the source for the rest only. A part that turns out wrong is removed, and
//! the blob is read once more from its start.

use std::io::{self, Read};
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{Either, join, select};
use tokio::sync::{mpsc, oneshot};

use crate::layout::durability::staging::StagedFile;
use crate::layout::folder::LayoutFolder;
use crate::layout::threads::blocking::{BUFFER, blocking, interrupted};
use crate::{Error, ErrorKind, Source, Verifier};

/// How many chunks of a stream may wait to be written.
const AHEAD: usize = 3;

/// A message to the thread that writes.
enum Piece {
    Chunk(Bytes),
    /// All chunks were sent, and are verified.
    Commit,
    /// The bytes so far are wrong.
    Discard,
}

/// The thread's end of a put.
struct PieceWriter {
    folder: Arc<LayoutFolder>,
    /// Has taken nothing yet.
    verifier: Verifier,
    /// Takes the verifier once it has taken the bytes of the part.
    begun: oneshot::Sender<Verifier>,
    pieces: mpsc::Receiver<Piece>,
}

/// Why a put failed.
struct PutFailure {
    error: Error,
    /// Whether the source gave the error behind a part that may be wrong, so that the blob is to be read from its start.
    is_of_part: bool,
}

/// Where a put begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beginning {
    /// After the part that an interrupted put has left.
    Part,
    /// At the first byte, in a file without a part's name.
    Start,
}

pub(crate) async fn put_stream(folder: &Arc<LayoutFolder>, source: &Source<'_>) -> Result<(), Error> {
    // Bytes in memory are soon written again.
    let beginning = if source.as_bytes().is_some() { Beginning::Start } else { Beginning::Part };
    let mut put = put_from(beginning, folder, source).await;
    if let Err(PutFailure { error, is_of_part: true }) = &put {
        source.restarts(error);
        put = put_from(Beginning::Start, folder, source).await;
    }
    put.map_err(|failure| failure.error)
}

async fn put_from(
    beginning: Beginning,
    folder: &Arc<LayoutFolder>,
    source: &Source<'_>,
) -> Result<(), PutFailure> {
    let ((sender, pieces), (begun, verifier)) = (mpsc::channel(AHEAD), oneshot::channel());
    let writer = PieceWriter { folder: Arc::clone(folder), verifier: source.verifier(), begun, pieces };
    // It waits for chunks, so it gets a thread of its own and none of the pool's.
    let written = blocking("put", move || writer.run(beginning));
    let mut is_of_part = false;
    let feeder = async {
        let Ok(verifier) = verifier.await else { return Ok(()) };
        let resumed = verifier.received();
        source.resumes(resumed);
        let fed = feed(source, verifier, &sender).await;
        if fed.as_ref().is_err_and(is_about_bytes) {
            is_of_part = resumed > 0;
            // The thread may have stopped, which removes its file too.
            let _ = sender.send(Piece::Discard).await;
        }
        drop(sender);
        fed
    };
    let (fed, written) = join(feeder, written).await;
    // Without a commit there was an error, which either the feeder or the writer has given.
    let put = fed.and_then(|()| written?.ok_or_else(|| interrupted(source.descriptor())));
    put.map_err(|error| PutFailure { error, is_of_part })
}

/// Whether an error of a source says that bytes are wrong or cannot be had from an offset on, so that a part may be its cause.
fn is_about_bytes(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Invalid | ErrorKind::Unsupported)
}

impl PieceWriter {
    /// Writes chunks until the commit; `None` when the sender was dropped without one.
    fn run(self, beginning: Beginning) -> Result<Option<()>, Error> {
        let Self { folder, verifier, begun, mut pieces } = self;
        let digest = verifier.digest();
        let (mut staged, taken) = match beginning {
            Beginning::Start => (folder.stage_blob()?, verifier),
            Beginning::Part => {
                let part = folder.stage_part(&digest)?;
                match hash_part(&part, verifier.clone(), &begun) {
                    Ok(taken) => (part, taken),
                    Err(()) => {
                        // Dropping it removes it.
                        drop(part);
                        (folder.stage_blob()?, verifier)
                    }
                }
            }
        };
        // If nobody waits any more, there are no pieces either.
        let _ = begun.send(taken);
        loop {
            match pieces.blocking_recv() {
                Some(Piece::Chunk(bytes)) => staged.write(&bytes)?,
                Some(Piece::Commit) => return folder.place_blob(staged, &digest).map(Some),
                Some(Piece::Discard) => return Ok(None),
                None => {
                    staged.keep();
                    return Ok(None);
                }
            }
        }
    }
}

/// Hashes the bytes of a part, up to its end, which the file is positioned at then. Stops early once nobody waits for the
/// blob; then no pieces follow. An error if the part cannot be read, or has more bytes than the blob.
fn hash_part(
    part: &StagedFile,
    mut verifier: Verifier,
    begun: &oneshot::Sender<Verifier>,
) -> Result<Verifier, ()> {
    let mut buffer = if part.len() == 0 { Vec::new() } else { vec![0; BUFFER] };
    let mut file = part.file();
    while verifier.received() < part.len() && !begun.is_closed() {
        match file.read(&mut buffer) {
            Ok(0) => return Err(()),
            Ok(read) => verifier.update(buffer.get(..read).unwrap_or_default()).map_err(drop)?,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(()),
        }
    }
    Ok(verifier)
}

/// Sends the chunks that come after those that the verifier has taken, and the commit. Stops without an error when the
/// writer has stopped: the writer gives it.
async fn feed(source: &Source<'_>, taken: Verifier, sender: &mpsc::Sender<Piece>) -> Result<(), Error> {
    // Killed after the last byte: nothing is left to ask for.
    let is_whole = taken.received() > 0 && taken.finish().is_ok();
    let mut reader = source.reader_after(taken);
    loop {
        let next = async { if is_whole { Ok(None) } else { reader.next_chunk().await } };
        let chunk = match select(pin!(next), pin!(sender.closed())).await {
            Either::Left((chunk, _)) => chunk?,
            Either::Right(_) => return Ok(()),
        };
        let is_last = chunk.is_none();
        if sender.send(chunk.map_or(Piece::Commit, Piece::Chunk)).await.is_err() || is_last {
            return Ok(());
        }
    }
}
