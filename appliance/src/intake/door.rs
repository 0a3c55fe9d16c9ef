//! The listening socket: takes connections, counts them, waits for the last one at the end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;

use super::{Desk, IntakeError, association};
use crate::stop::Stop;
use crate::store::StoreError;

/// Connections that are only there to hear "local limit exceeded". More than these are closed without a word.
const REFUSALS_MAX: usize = 64;
/// An accept error (no file descriptors left, mostly) is not cured by trying again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Accept errors in a row after which the door counts as broken.
const ACCEPT_ERRORS_MAX: u32 = 100;

pub(super) async fn serve(
    listener: TcpListener,
    desk: Desk,
    mut stop: Stop,
    breaks: &mut Receiver<StoreError>,
) -> Result<(), IntakeError> {
    let mut associations = JoinSet::new();
    let mut errors = 0;
    loop {
        tokio::select! {
            () = stop.stopped() => break,
            Some(error) = breaks.recv() => return Err(error.into()),
            Some(_) = associations.join_next(), if !associations.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    errors = 0;
                    admit(&mut associations, &desk, stream, peer.ip());
                }
                Err(error) if errors < ACCEPT_ERRORS_MAX => {
                    errors += 1;
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
                Err(error) => return Err(IntakeError::Accept(error)),
            },
        }
    }
    drop(listener);
    while associations.join_next().await.is_some() {}
    Ok(())
}

fn admit(associations: &mut JoinSet<()>, desk: &Desk, stream: TcpStream, peer: std::net::IpAddr) {
    let open = desk.open.fetch_add(1, Ordering::SeqCst) + 1;
    let busy = open > desk.config.associations_max;
    if open > desk.config.associations_max + REFUSALS_MAX {
        desk.open.fetch_sub(1, Ordering::SeqCst);
        return;
    }
    let desk = desk.clone();
    associations.spawn(async move {
        association::serve(&desk, stream, peer, busy).await;
        desk.open.fetch_sub(1, Ordering::SeqCst);
    });
}
