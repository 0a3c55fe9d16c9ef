//! Bodies that are written while they are sent.
//!
//! A blocking thread writes; a channel of a few chunks holds it back when the client is slow. Memory a request:
//! the chunks waiting. An error after the first byte breaks the connection, so that half a body is never taken for
//! a whole one.

use std::io::{self, Write};
use std::time::Duration;

use axum::body::{Body, Bytes};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use crate::viewer::error::ApiError;

const CHUNK_BYTES: usize = 256 * 1024;
/// One being sent, one ready.
const CHUNKS_WAITING: usize = 2;
/// Bodies written at once, each with a blocking thread; intake needs threads of the same pool. Others wait.
const STREAMS_MAX: usize = 48;
/// A client that takes nothing for so long has gone.
const PATIENCE: Duration = Duration::from_secs(60);

static STREAMS: Semaphore = Semaphore::const_new(STREAMS_MAX);

/// Sends what is written to it.
pub(in crate::viewer) struct ChunkWriter {
    sender: mpsc::Sender<Result<Bytes, io::Error>>,
    runtime: Handle,
    buffer: Vec<u8>,
}

/// A body made by `work` on a blocking thread.
pub(in crate::viewer) fn stream<F>(work: F) -> Body
where
    F: FnOnce(&mut ChunkWriter) -> Result<(), ApiError> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
    let span = tracing::Span::current();
    tokio::spawn(async move {
        let Ok(permit) = STREAMS.acquire().await else { return };
        let runtime = Handle::current();
        let failed = sender.clone();
        let written = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut writer = ChunkWriter { sender, runtime, buffer: Vec::new() };
            span.in_scope(|| {
                work(&mut writer).map_err(|error| io::Error::other(error.sentence))?;
                writer.flush()
            })
        });
        if let Err(error) = written.await.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            tracing::debug!(%error, "a body was not sent to its end");
            let _gone = failed.send(Err(error)).await;
        }
    });
    Body::from_stream(ReceiverStream::new(receiver))
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = CHUNK_BYTES.saturating_sub(self.buffer.len());
        let taken = bytes.len().min(room);
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = Bytes::from(std::mem::take(&mut self.buffer));
        let sending = tokio::time::timeout(PATIENCE, self.sender.send(Ok(chunk)));
        match self.runtime.block_on(sending) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}
