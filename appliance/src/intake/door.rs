//! The listening sockets: take connections, count them, wait for the last one at the end.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;

use super::{Desk, Doors, IntakeError, association};
use crate::dimse::socket::Socket;
use crate::stop::Stop;
use crate::store::StoreError;

/// Connections that are only there to hear "local limit exceeded". More than these are closed without a word.
const REFUSALS_MAX: usize = 64;
/// Two round trips and a signature: a peer that takes longer is not speaking TLS.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// An accept error (no file descriptors left, mostly) is not cured by trying again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Accept errors in a row after which the door counts as broken.
const ACCEPT_ERRORS_MAX: u32 = 100;

pub(super) async fn serve(
    doors: Doors,
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
            (accepted, secured) = accept(&doors) => match accepted {
                Ok((stream, peer)) => {
                    errors = 0;
                    admit(&mut associations, &desk, stream, peer.ip(), secured);
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
    drop(doors);
    while associations.join_next().await.is_some() {}
    Ok(())
}

/// The next connection, and whether it came through the TLS door.
async fn accept(doors: &Doors) -> (std::io::Result<(TcpStream, SocketAddr)>, bool) {
    let secured = async {
        match &doors.tls {
            Some(listener) => listener.accept().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        accepted = doors.plain.accept() => (accepted, false),
        accepted = secured => (accepted, true),
    }
}

fn admit(associations: &mut JoinSet<()>, desk: &Desk, stream: TcpStream, peer: IpAddr, secured: bool) {
    let open = desk.open.fetch_add(1, Ordering::SeqCst) + 1;
    let busy = open > desk.config.associations_max;
    if open > desk.config.associations_max + REFUSALS_MAX {
        desk.open.fetch_sub(1, Ordering::SeqCst);
        return;
    }
    let desk = desk.clone();
    associations.spawn(async move {
        if let Some(socket) = connected(&desk, stream, secured).await {
            association::serve(&desk, socket, peer, busy).await;
        }
        desk.open.fetch_sub(1, Ordering::SeqCst);
    });
}

/// The connection ready for DICOM; `None` where TLS did not come about.
async fn connected(desk: &Desk, stream: TcpStream, secured: bool) -> Option<Socket> {
    // One image's answer must not wait for the next one's bytes (design.md section 6, "wire speed").
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY refused");
    }
    let Some(acceptor) = desk.config.tls.as_ref().filter(|_| secured) else {
        return Some(Socket::Plain(stream));
    };
    let mut stop = desk.stop.clone();
    let shaken = tokio::select! {
        () = stop.stopped() => return None,
        shaken = tokio::time::timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)) => shaken,
    };
    match shaken {
        Ok(Ok(socket)) => Some(socket),
        Ok(Err(error)) => {
            tracing::warn!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::warn!("a TLS handshake was not finished in time");
            None
        }
    }
}
