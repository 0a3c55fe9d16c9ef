//! A connection to a peer, in plain text or under TLS: the same bytes, the same wire speed.

use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use sidelight_provisioning::tls::{self, ClientCertificates, Pair, TlsError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsStream};

/// What a TLS door needs to know.
#[derive(Clone)]
pub struct SecureDoor(TlsAcceptor);

impl std::fmt::Debug for SecureDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecureDoor")
    }
}

impl SecureDoor {
    /// Certificates from the site's keys; `clients`: whether callers show one.
    pub fn open(own: &Pair, authority: &Path, clients: ClientCertificates) -> Result<Self, TlsError> {
        Ok(Self(tls::server(own, authority, clients)?.into()))
    }

    /// Shakes hands. Has no end of its own: the caller sets one.
    pub async fn accept(&self, stream: TcpStream) -> std::io::Result<Socket> {
        Ok(Socket::Tls(Box::new(self.0.accept(stream).await?.into())))
    }
}

/// A connected socket.
#[derive(Debug)]
pub enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    /// Acknowledge at once. The kernel forgets this after every receive; without it the peer's next PDU may wait 40 ms
    /// for our ACK (design.md section 6, "wire speed").
    pub fn quickack(&self) {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        };
        let _ = stream.set_quickack(true);
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.quickack();
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
